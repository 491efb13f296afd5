"""The report of sweeps."""
