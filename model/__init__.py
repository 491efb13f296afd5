"""Data sets, binary networks, their training and export."""
