"""The two forms of the comparison are one function: a proof by yosys's SAT.

Synthesis takes primitives, simulation an expression (hw/rtl/less_than.sv).
"""

from __future__ import annotations

import pytest

from tests.hw.equivalence import Proof, assert_proven, assert_refuted, prove


def comparisons(width: int, change: tuple[str, str] = ("", "")) -> Proof:
    """Compare both forms for all numbers."""
    also = ("lut_pair", "carry_chain")
    return prove("less_than", "less_than", also, f"-G Width={width}", change=change)


@pytest.mark.slow
@pytest.mark.parametrize("width", [2, 8, 24])
def test_primitives_compare(width: int) -> None:
    """No numbers are compared differently, with equal ones let through and without."""
    assert_proven(comparisons(width))


@pytest.mark.slow
def test_proof_finds_a_fault() -> None:
    """A comparison that equal numbers always pass is not proven."""
    assert_refuted(comparisons(8, ("{1'b0, or_equal_i}", "{1'b0, 1'b1}")))
