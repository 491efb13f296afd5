"""Sweeps of write errors: operating points, grids, trials, energy, results."""
