"""The assertions in the RTL are of the kind that formal tools read too (yosys with slang)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hw.equivalence import YOSYS
from tests.hw.runner import RTL

ASSERTING = [
    path.stem for path in sorted(RTL.glob("*.sv")) if "assert property" in path.read_text()
]


def checks(path: Path, top: str) -> subprocess.CompletedProcess[str]:
    """Have yosys read a module and count its assertions, of which there must be one at least."""
    files = f"{RTL}/spinflow_pkg.sv {path} --libdir {RTL} --libext .sv"
    script = f"read_slang --top {top} {files}; select -assert-min 1 t:$check"
    command = [sys.executable, "-c", YOSYS, script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_are_some() -> None:
    """Where the list is made from is not empty."""
    assert {"axil_slave", "stream_fifo"} <= set(ASSERTING)


@pytest.mark.parametrize("module", ASSERTING)
def test_assertions_are_read(module: str) -> None:
    """No assertion is ignored, none is refused."""
    result = checks(RTL / f"{module}.sv", module)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def test_an_implication_would_show(tmp_path: Path) -> None:
    """What yosys-slang does not know is an error here."""
    changed = tmp_path / "axil_slave.sv"
    text = (RTL / "axil_slave.sv").read_text(encoding="utf-8")
    assert text.count("!ack_i || active_q") == 1
    changed.write_text(text.replace("!ack_i || active_q", "ack_i |-> active_q"), encoding="utf-8")
    result = checks(changed, "axil_slave")
    assert result.returncode != 0
    assert "unsupported SVA" in result.stdout + result.stderr
