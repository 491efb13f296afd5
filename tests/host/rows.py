"""Rows of a sweep that never ran, for tests of the results file and the report."""

from __future__ import annotations

from typing import Any

from host.results import Row


def row(**changes: Any) -> Row:
    """Return a plausible row with some fields changed."""
    values: dict[str, Any] = {
        "network": "tfc-mnist",
        "memory": "weights",
        "mode": "flip",
        "rate": 0.01,
        "background": "zeros",
        "repeat": 0,
        "seed": 1,
        "images": 500,
        "accuracy": 0.93,
        "bits_written": 59008,
        "errors": 601,
        "energy_j": 1.0 / 3.0,
        "cycles": 32000,
        "build_id": 0x12345678,
        "rate0": 0.01,
        "pulse_s": 6.8e-8,
        "energy_per_bit_j": 1.1e-11,
        "switched": 29504,
        "err1": 300,
        "err0": 301,
        "stalls": 0,
        "clock_mhz": 100.0,
        "image_set": "0123456789ab",
    }
    return Row(**{**values, **changes})
