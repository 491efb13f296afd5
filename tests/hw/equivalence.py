"""Proofs by yosys's SAT that what synthesis takes and what simulation takes are one function."""

from __future__ import annotations

import subprocess
import sys

from tests.hw import runner

# A child process, for what yosys refuses ends the process that it runs in.
YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass(sys.argv[1], libyosys.Design())"

Proof = subprocess.CompletedProcess[str]

PRIMITIVES = "Generic", "Xilinx7", "UltraScale"
"""As `primitives_e` of hw/rtl/spinflow_pkg.sv names them."""


def prove(
    simulated: str,
    synthesised: str,
    also: tuple[str, ...],
    parameters: str,
    *,
    primitives: str = "Generic",
    change: tuple[str, str] = ("", ""),
    sequence: str = "",
) -> Proof:
    """Prove that two modules answer the same to all inputs, or find some to which they do not.

    Args:
        simulated: module as simulation takes it.
        synthesised: module as synthesis takes it; the same one or another.
        also: modules that the latter is made of.
        parameters: of both, as options of read_slang.
        primitives: that the latter places; one of PRIMITIVES.
        change: replaces a piece of the text of what synthesis takes.
        sequence: options of yosys's sat, for modules with registers.
    """
    source = runner.RTL / f"{synthesised}.sv"
    what = f"{synthesised}{parameters}{primitives}{change[1]}"
    name = "".join(c if c.isalnum() else "-" for c in what)
    folder = runner.BUILDS / name
    folder.mkdir(parents=True, exist_ok=True)
    changed = folder / source.name
    changed.write_text(source.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    parts = " ".join(str(runner.RTL / f"{part}.sv") for part in also)
    package = runner.RTL / "spinflow_pkg.sv"
    script = folder / "prove.ys"
    script.write_text(
        "\n".join([
            f"read_slang --no-synthesis-define {parameters} --top {simulated} "
            f"--libdir {runner.RTL} --libext .sv {package} {runner.RTL / simulated}.sv",
            f"rename {simulated} gold",
            f"read_slang -D SPINFLOW_PRIMITIVES={primitives} {parameters} --top {synthesised} "
            f"{package} {changed} {parts}",
            f"rename {synthesised} gate",
            "proc", "memory", "techmap -map +/xilinx/cells_sim.v", "opt_clean",
            "miter -equiv -flatten -make_assert gold gate miter",
            "hierarchy -top miter", "opt -full",
            f"sat -verify -prove-asserts {sequence} miter",
        ]),
        encoding="utf-8",
    )  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", YOSYS, f"script {script}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def assert_proven(proof: Proof) -> None:
    """There is no input to which the two answer differently."""
    assert proof.returncode == 0, proof.stdout[-2000:] + proof.stderr[-2000:]


def assert_refuted(proof: Proof) -> None:
    """The proof failed because there is such an input, not for another reason."""
    assert proof.returncode != 0
    assert "model found" in proof.stdout + proof.stderr
