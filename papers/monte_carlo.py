"""How much faster the quadrature over variability is than the Monte Carlo run that checks it."""

from __future__ import annotations

import time

import numpy as np

from spinflow.host.mtj.sun_gamma import PAPER_SPREADS, SunGamma


def quadrature_against_monte_carlo(
    rate: float = 1e-6, samples: int = 2_000_000, relative_error: float = 0.01
) -> dict[str, float]:
    """Time both ways to one write-error rate of the varied junction, to the same error.

    Monte Carlo needs (1 - p) / (p e^2) samples for a relative standard error e at a rate p; its
    time for them follows from its measured time per sample. The quadrature's error, against one
    of far finer steps, is reported too: it is below e, so the ratio is a lower bound.

    Args:
        rate: the write-error rate p, inside (0, 1).
        samples: Monte Carlo samples to time.
        relative_error: the error e, relative, above 0.

    Returns:
        rate, relative_error, quadrature_relative_error, quadrature_s, monte_carlo_samples,
        monte_carlo_s and ratio; times in seconds, the slower direction (three spreads).

    Raises:
        ValueError: a quantity is outside its valid range.
    """
    model = SunGamma(**PAPER_SPREADS)
    pulse = float(model.pulse_for(rate, None, 0))
    times = []
    for _ in range(20):
        start = time.perf_counter()
        got = float(model.error_rate(None, pulse, 0))
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    np.mean(model.sample_switching_times(None, samples, 0) > pulse)
    per_sample = (time.perf_counter() - start) / samples
    needed = (1.0 - rate) / (rate * relative_error**2)
    quadrature_s = float(np.median(times))
    exact = model.reference_error_rate(None, pulse, 0)
    return {
        "rate": rate,
        "relative_error": relative_error,
        "quadrature_relative_error": abs(got / exact - 1.0),
        "quadrature_s": quadrature_s,
        "monte_carlo_samples": needed,
        "monte_carlo_s": needed * per_sample,
        "ratio": needed * per_sample / quadrature_s,
    }
