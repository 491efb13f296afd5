"""All forms of the XNOR-popcount are one function: a proof for small widths by yosys's SAT.

Synthesis takes popcount_tree, simulation $countones (hw/rtl/xnor_popcount.sv). Wider trees are
built by the same rules; test_blocks.py runs random words through them.
"""

from __future__ import annotations

import pytest

from tests.hw.equivalence import PRIMITIVES, Proof, assert_proven, assert_refuted, prove
from tests.hw.models import popcount_stages


def cycles(stages: int) -> str:
    """Return the options for so many cycles, in which every stage takes new values.

    Any state may come first; what counts is what the words make of it in the end.
    """
    return f"-seq {stages + 1} -prove-skip {stages} -set in_en_i {(1 << stages) - 1}"


def trees(width: int, primitives: str, change: tuple[str, str] = ("", "")) -> Proof:
    """Compare both forms for all words and from any state."""
    return prove(
        "xnor_popcount", "popcount_tree", ("lut_pair",), f"-G Width={width}",
        primitives=primitives, change=change, sequence=cycles(popcount_stages(width)),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "primitives"),
    [*((width, "Xilinx7") for width in (1, 2, 3, 4, 5, 8, 11, 16, 24)),
     *((width, primitives) for width in (5, 11) for primitives in ("Generic", "UltraScale"))],
)  # fmt: skip
def test_tree_is_popcount(width: int, primitives: str) -> None:
    """No words, of any width tried, are counted differently."""
    assert primitives in PRIMITIVES
    assert_proven(trees(width, primitives))


@pytest.mark.slow
def test_proof_finds_a_fault() -> None:
    """A tree that adds wrongly is not proven."""
    assert_refuted(trees(8, "Xilinx7", ("sums + rest", "sums ^ rest")))
