"""All forms of the adder of XORs are one function: a proof for small widths by yosys's SAT.

A part has its primitives, simulation an expression (hw/rtl/xor_adder.sv, hw/rtl/carry_chain.sv).
Each bit is built alike, so a width beyond a carry cell and odd constants cover the others.
"""

from __future__ import annotations

import pytest

from tests.hw.equivalence import PRIMITIVES, Proof, assert_proven, assert_refuted, prove


def adders(width: int, primitives: str, change: tuple[str, str] = ("", "")) -> Proof:
    """Compare both forms for all words."""
    keys = (f"{width}'h{key % (1 << width):x}" for key in (0x165, 0x113))
    parameters = "-G Width={} -G AKey={} -G BKey={}".format(width, *keys)
    return prove(
        "xor_adder", "xor_adder", ("lut_pair", "carry_chain"), parameters,
        primitives=primitives, change=change,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("primitives", PRIMITIVES)
@pytest.mark.parametrize("width", [7, 8, 9])
def test_primitives_add(width: int, primitives: str) -> None:
    """No words are added differently."""
    assert_proven(adders(width, primitives))


@pytest.mark.slow
@pytest.mark.parametrize("primitives", PRIMITIVES[1:])
def test_proof_finds_a_fault(primitives: str) -> None:
    """A carry without its constant is not proven."""
    assert_refuted(adders(8, primitives, ("i[4] ^ a_key", "i[4]")))


def chains(width: int, primitives: str, change: tuple[str, str] = ("", "")) -> Proof:
    """Compare both forms of a carry chain for all that it may be given."""
    return prove(
        "carry_chain", "carry_chain", (), f"-G Width={width}",
        primitives=primitives, change=change,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("primitives", PRIMITIVES[1:])
@pytest.mark.parametrize("width", [3, 8, 17])
def test_carry_cells_add(width: int, primitives: str) -> None:
    """A chain that ends within, at and behind the end of a cell adds as the expression does."""
    assert_proven(chains(width, primitives))


@pytest.mark.slow
def test_proof_finds_a_broken_chain() -> None:
    """A cell that starts without the carry of the one below is not proven."""
    assert_refuted(chains(17, "UltraScale", ("(carry[At])", "(1'b0)")))
