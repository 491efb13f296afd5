"""Tests of the data, the networks, their training and files, and the junction models."""
