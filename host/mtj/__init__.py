"""Magnetic tunnel junctions as memory cells: errors, energy, retention and endurance.

``models`` is the way in: every device model by name, with one interface, and the write condition
that follows from a drive and a pulse. Needs numpy and scipy only and runs on Python 3.10 and
numpy 1.21, since it is copied to the board; matplotlib is imported only where pictures are made.

A stored 1 is the antiparallel state (high resistance), so writing a 1 switches P to AP.
"""
