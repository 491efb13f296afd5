"""All forms of the mask of bits are one function: a proof by yosys's SAT.

A Xilinx part takes LUTs of two bits each, all others and simulation an expression
(hw/rtl/bit_mask.sv).
"""

from __future__ import annotations

import pytest

from tests.hw.equivalence import PRIMITIVES, Proof, assert_proven, assert_refuted, prove


def masks(width: int, primitives: str, change: tuple[str, str] = ("", "")) -> Proof:
    """Compare both forms for all words and masks."""
    return prove(
        "bit_mask", "bit_mask", ("lut_pair",), f"-G Width={width}",
        primitives=primitives, change=change,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("primitives", PRIMITIVES)
@pytest.mark.parametrize("width", [1, 6, 7])
def test_primitives_mask(width: int, primitives: str) -> None:
    """No bits are masked differently."""
    assert_proven(masks(width, primitives))


@pytest.mark.slow
def test_proof_finds_a_fault() -> None:
    """A bit that another bit's mask hides is not proven."""
    assert_refuted(masks(6, "Xilinx7", ("i[2] && !i[3]", "i[2] && !i[1]")))
