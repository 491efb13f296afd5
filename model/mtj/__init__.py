"""Magnetic tunnel junctions as memory cells: write errors and write energy.

Needs numpy only and runs on Python 3.10 and numpy 1.21, since it is copied to the board.
"""
