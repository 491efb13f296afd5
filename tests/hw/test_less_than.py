"""The forms of the comparison are one function: a proof by yosys's SAT.

Parts' primitives are taken in place of the expression (hw/rtl/less_than.sv).
"""

from __future__ import annotations

import pytest

from tests.hw.equivalence import PRIMITIVES, Proof, assert_proven, assert_refuted, prove


def comparisons(width: int, primitives: str, change: tuple[str, str] = ("", "")) -> Proof:
    """Compare two forms for all numbers."""
    return prove(
        "less_than", "less_than", ("lut_pair", "carry_chain"), f"-G Width={width}",
        primitives=primitives, change=change,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("primitives", PRIMITIVES[1:])
@pytest.mark.parametrize("width", [2, 8, 24])
def test_primitives_compare(width: int, primitives: str) -> None:
    """No numbers are compared differently, with equal ones let through and without."""
    assert_proven(comparisons(width, primitives))


@pytest.mark.slow
def test_proof_finds_a_fault() -> None:
    """A comparison that equal numbers always pass is not proven."""
    assert_refuted(comparisons(8, "Xilinx7", ("{1'b0, or_equal_i}", "{1'b0, 1'b1}")))
