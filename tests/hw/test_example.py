"""The example design with MRAM wrappers: simulated, linted by FuseSoC, faults in it found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hw import runner
from tests.hw.catalogue import needed

EXAMPLE = runner.REPOSITORY / "hw/examples/scratchpad"
TOP = "scratchpad"

pytestmark = pytest.mark.slow


def simulate(folder: Path) -> None:
    """Build the example in a folder, with what it needs of hw/rtl, and run its bench."""
    files = needed(TOP, [*runner.sources(), *sorted(folder.glob("*.sv"))])
    runner.run(runner.build(TOP, TOP, {}, files), TOP, f"tests.hw.benches.{TOP}")


def test_simulated() -> None:
    simulate(EXAMPLE)


def test_a_wrapper_wired_wrong_is_found(tmp_path: Path) -> None:
    """An answer that goes to the other memory."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    source = tmp_path / "scratchpad.sv"
    text = source.read_text()
    assert text.count(".restart_i      (restart[Fifo])") == 1
    source.write_text(text.replace(".restart_i      (restart[Fifo])", ".restart_i      (1'b0)"))
    with pytest.raises(runner.BenchError):
        simulate(tmp_path)


def test_lint_by_fusesoc(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fusesoc.main", "--monochrome"]
    for root in (runner.RTL, runner.REGS, EXAMPLE):
        command += ["--cores-root", str(root)]
    command += ["run", "--build-root", str(tmp_path / "build"), "--target", "lint"]
    done = subprocess.run(
        [*command, "spinflow:examples:scratchpad"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
