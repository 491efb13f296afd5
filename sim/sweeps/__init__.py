"""Sweeps in software: what is measured (jobs), what measures it (devices), and where (workers)."""
