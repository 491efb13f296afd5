"""The two forms of the adder of XORs are one function: a proof for small widths by yosys's SAT.

Synthesis takes primitives, simulation an expression (hw/rtl/xor_adder.sv, hw/rtl/carry_chain.sv).
Each bit is built alike, so a width beyond a carry cell and odd constants cover the others.
"""

from __future__ import annotations

import pytest

from tests.hw.equivalence import Proof, assert_proven, assert_refuted, prove


def adders(width: int, change: tuple[str, str] = ("", "")) -> Proof:
    """Compare both forms for all words."""
    parameters = f"-G Width={width} -G AKey={width}'h{0x65:x} -G BKey={width}'h{0x13:x}"
    return prove("xor_adder", "xor_adder", ("lut_pair", "carry_chain"), parameters, change=change)


@pytest.mark.slow
@pytest.mark.parametrize("width", [7, 8])
def test_primitives_add(width: int) -> None:
    """No words are added differently."""
    assert_proven(adders(width))


@pytest.mark.slow
def test_proof_finds_a_fault() -> None:
    """A carry without its constant is not proven."""
    assert_refuted(adders(8, ("i[4] ^ a_key", "i[4]")))
