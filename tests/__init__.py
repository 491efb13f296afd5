"""Spinflow's tests, a folder a room."""
