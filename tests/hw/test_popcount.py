"""The two forms of the XNOR-popcount are one function: a proof for small widths by yosys's SAT.

Synthesis takes popcount_tree, simulation $countones (hw/rtl/xnor_popcount.sv). Wider trees are
built by the same rules; test_blocks.py runs random words through them.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.hw import runner

# A child process, for what yosys refuses ends the process that it runs in.
YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass(sys.argv[1], libyosys.Design())"


def prove(width: int, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
    """Proves that both forms count the same for all words and from any state, or finds where not.

    `change` replaces a piece of the tree's text.
    """
    tree = runner.RTL / "popcount_tree.sv"
    folder = runner.BUILDS / f"popcount-{width}-{len(change[1])}"
    folder.mkdir(parents=True, exist_ok=True)
    changed = folder / "popcount_tree.sv"
    changed.write_text(tree.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    count, lut = runner.RTL / "xnor_popcount.sv", runner.RTL / "lut_pair.sv"
    script = folder / "prove.ys"
    script.write_text(
        "\n".join([
            f"read_slang --no-synthesis-define -G Width={width} --top xnor_popcount {count}",
            "rename xnor_popcount gold",
            f"read_slang -G Width={width} --top popcount_tree {changed} {lut}",
            "rename popcount_tree gate",
            "proc", "techmap -map +/xilinx/cells_sim.v", "opt_clean",
            "miter -equiv -flatten -make_assert gold gate miter",
            "hierarchy -top miter", "opt -full",
            # Any state may come first; what counts is what the words make of it two cycles later.
            "sat -verify -seq 3 -prove-skip 2 -prove-asserts -set in_en1_i 1 -set in_en2_i 1 miter",
        ]),
        encoding="utf-8",
    )  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", YOSYS, f"script {script}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 11, 16, 24])
def test_tree_is_popcount(width: int) -> None:
    """No words, of any width tried, are counted differently."""
    result = prove(width)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


@pytest.mark.slow
def test_proof_finds_a_fault() -> None:
    """A tree that adds wrongly is not proven."""
    result = prove(8, ("two_rows + row[2]", "two_rows ^ row[2]"))
    assert result.returncode != 0
    assert "model found" in result.stdout + result.stderr
