"""The laws of cells: means, deviations and shares, at fixed seeds and a level of 0.001."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, kstest

from spinflow.host.core.cells import STUCK_AT_0, STUCK_AT_1, rates_of
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.errors import InputError
from spinflow.host.mtj.base import condition_for_rate
from spinflow.host.mtj.sun_gamma import PAPER_SPREADS, SunGamma
from spinflow.host.sweep.cell_laws import Law, cells_of

MEMORY = MemoryInfo(3, "fc1.weights", "weights", 1, 100, 400)


@pytest.mark.parametrize(("mean", "shape"), [(1e-3, 0.5), (0.1, 0.05), (0.3, 4.0)])
def test_beta_rates_are_of_the_beta_law(mean: float, shape: float) -> None:
    found = rates_of(cells_of(Law("beta", mean, mean, shape), MEMORY, 1).threshold1).reshape(-1)
    law = beta(shape, shape * (1 - mean) / mean)
    assert abs(found.mean() - mean) < 4 * law.std() / math.sqrt(found.size)
    assert law.std() / mean == pytest.approx(math.sqrt((1 - mean) / (shape + mean)))
    # What a register cannot tell from 0 is 0; above that the law holds.
    assert (
        kstest(found[found > 1e-6], lambda x: (law.cdf(x) - law.cdf(1e-6)) / law.sf(1e-6)).pvalue
        > 1e-3
    )


def test_spread_junctions_have_the_mean_of_the_model() -> None:
    junction = SunGamma(**PAPER_SPREADS)
    written = condition_for_rate(junction, 1e-2)
    law = Law("spread", junction=junction, pulse_s=written.pulse_s)
    found = cells_of(law, MEMORY, 1)
    for limits, mean in ((found.threshold1, written.rate1), (found.threshold0, written.rate0)):
        rates = rates_of(limits)
        assert abs(rates.mean() - mean) < 4 * rates.std() / math.sqrt(rates.size)
        assert rates.std() > mean  # a few weak junctions make most of the errors
    # A junction that is weak in one direction is so in the other.
    both = [np.argsort(np.argsort(t.reshape(-1))) for t in (found.threshold1, found.threshold0)]
    assert np.corrcoef(both[0], both[1])[0, 1] > 0.5


def test_shares_of_cells_are_stuck() -> None:
    found = cells_of(Law("uniform", 0.25, 0.5, stuck0=0.1, stuck1=0.02), MEMORY, 1)
    assert (found.stuck == STUCK_AT_0).sum() == 4000
    assert (found.stuck == STUCK_AT_1).sum() == 800
    assert (found.threshold1 == 2**30).all() and (found.threshold0 == 2**31).all()
    one, zero = found.mean_rates
    assert one == pytest.approx(0.1 + 0.88 * 0.25)
    assert zero == pytest.approx(0.02 + 0.88 * 0.5)


def test_a_word_can_have_its_rates_in_common() -> None:
    found = cells_of(Law("beta", 0.1, 0.2, 0.5, by_word=True), MEMORY, 1)
    for limits in (found.threshold1, found.threshold0):
        assert (limits == limits[:, :1]).all() and len(np.unique(limits)) > 300


def test_a_seed_is_a_map() -> None:
    law = Law("beta", 0.1, 0.1, 0.5, stuck0=0.1)

    def drawn(memory: MemoryInfo, seed: int, number: int = 0) -> bytes:
        found = cells_of(law, memory, seed, number)
        return found.threshold1.tobytes() + found.stuck.tobytes()

    other = MemoryInfo(4, "fc2.weights", "weights", 2, 100, 400)
    assert drawn(MEMORY, 1) == drawn(MEMORY, 1)
    assert len({drawn(MEMORY, 1), drawn(MEMORY, 2), drawn(MEMORY, 1, 1), drawn(other, 1)}) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "gauss"}, "must be one of uniform, beta, spread"),
        ({"name": "beta", "rate1": 1.5}, "rate1 1.5: must be from 0 to 1"),
        ({"name": "beta", "shape": 0.0}, "shape 0: must be"),
        ({"name": "uniform", "stuck0": 0.6, "stuck1": 0.5}, "together at most 1"),
        ({"name": "spread"}, "the law spread is of a junction"),
    ],
)
def test_what_is_no_law_is_one_line(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Law(**wrong)
