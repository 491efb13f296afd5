"""The two forms of the adder of XORs are one function: a proof for small widths by yosys's SAT.

Synthesis takes primitives, simulation an expression (hw/rtl/xor_adder.sv, hw/rtl/carry_chain.sv).
Each bit is built alike, so a width beyond a carry cell and odd constants cover the others.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.hw import runner

# A child process, for what yosys refuses ends the process that it runs in.
YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass(sys.argv[1], libyosys.Design())"
PRIMITIVES = "lut_pair", "carry_chain"


def prove(width: int, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
    """Proves that both forms add the same for all words, or finds some for which they do not.

    `change` replaces a piece of the text that synthesis takes.
    """
    folder = runner.BUILDS / f"adder-{width}-{len(change[1])}"
    folder.mkdir(parents=True, exist_ok=True)
    adder = runner.RTL / "xor_adder.sv"
    changed = folder / adder.name
    changed.write_text(adder.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    primitives = " ".join(str(runner.RTL / f"{name}.sv") for name in PRIMITIVES)
    parameters = f"-G Width={width} -G AKey={width}'h{0x65:x} -G BKey={width}'h{0x13:x}"
    script = folder / "prove.ys"
    script.write_text(
        "\n".join([
            f"read_slang --no-synthesis-define {parameters} --top xor_adder {adder}",
            "rename xor_adder gold",
            f"read_slang {parameters} --top xor_adder {changed} {primitives}",
            "rename xor_adder gate",
            "proc", "techmap -map +/xilinx/cells_sim.v", "opt_clean",
            "miter -equiv -flatten -make_assert gold gate miter",
            "hierarchy -top miter", "opt -full",
            "sat -verify -prove-asserts miter",
        ]),
        encoding="utf-8",
    )  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", YOSYS, f"script {script}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("width", [7, 8])
def test_primitives_add(width: int) -> None:
    """No words are added differently."""
    result = prove(width)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


@pytest.mark.slow
def test_proof_finds_a_fault() -> None:
    """A carry without its constant is not proven."""
    result = prove(8, ("i[4] ^ a_key", "i[4]"))
    assert result.returncode != 0
    assert "model found" in result.stdout + result.stderr
