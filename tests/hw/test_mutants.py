"""Mutated RTL fails its benches: a sample of the list, or all of it with SPINFLOW_FULL=1."""

from __future__ import annotations

import os

import pytest

from tests.hw.mutants import MUTANTS, Mutant, case_of, examine, mutated, sample

CHOSEN = MUTANTS if os.environ.get("SPINFLOW_FULL") == "1" else sample(4)


def test_list_is_current() -> None:
    """Every mutant has its one place in the RTL, its bench, and a name of its own."""
    for mutant in MUTANTS:
        assert mutated(mutant)
        assert case_of(mutant)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 24


@pytest.mark.slow
@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant) -> None:
    """The bench that passes on the RTL fails on the mutant."""
    verdict = examine(mutant)
    assert verdict.caught, verdict.reason
