"""Rows of a sweep that never ran, for tests of the results file and the report."""

from __future__ import annotations

from typing import Any

from spinflow.host.sweep.results import TIMED, Row

UNTIMED: dict[str, Any] = dict.fromkeys(TIMED, 0)
"""What software says of the columns of clock cycles."""


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
        "backend": "rtl",
        "model": "exponential",
        "drive": 150e-6,
        "drive_unit": "A",
        "switched1_low": 29504,
        "switched1_high": 29504,
        "same1_low": 0,
        "same1_high": 0,
        "energy_switched1_j": 1.1e-11,
        "energy_switched0_j": 1.1e-11,
        "energy_same1_j": 1.1e-11,
        "energy_same0_j": 1.1e-11,
        "energy_bound_j": 0.0,
        "conventional_j": 2.0 / 3.0,
        "retention_s": 0.0,
        "reads": 0,
        "delta": 0.0,
        "read_voltage_v": 0.0,
        "read_pulse_s": 0.0,
        "turned": 0.0,
        "disturbed1": 0.0,
        "disturbed0": 0.0,
        "upsets": 0,
        "data": "mnist",
        "latency_min": 300,
        "latency_max": 420,
        "distance_min": 64,
        "distance_max": 80,
        "cell_map": "none",
    }
    return Row(**{**values, **changes})
