"""Cores keep their promises by proof or for some cycles, and their properties refute mutants."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spinflow.hw.formal import results, sby
from spinflow.hw.formal.cores import FOLDER, Core, cores
from spinflow.hw.formal.sby import FormalError
from tests.hw.runner import RTL

CORES = cores()
FULL = os.environ.get("SPINFLOW_FULL") == "1"


@pytest.mark.slow
@pytest.mark.parametrize("name", CORES)
def test_a_core_keeps_its_promises(name: str) -> None:
    """Proven or, of long proofs, held for some cycles; every cover is reached; mutants fail."""
    result = results.examine(CORES[name], quick=not FULL, mutants=None if FULL else 1)
    assert not result.faults
    assert result.asserts and result.covers and result.mutants


@pytest.mark.parametrize("name", CORES)
def test_the_table_is_current(name: str, tmp_path: Path) -> None:
    """Each core has a property file with its module, and mutants that have their place."""
    core = CORES[name]
    assert (RTL / f"{core.module}.sv").exists()
    text = (FOLDER / f"{core.module}.sv").read_text(encoding="utf-8")
    assert (
        f"\nmodule {core.module}_formal\n" in text.replace(" #(", "\n") and "\n// Assumed: " in text
    )
    assert all(re.search(rf"\bparameter\b[^=;]* {key} ", text) for key in core.parameters)
    assert len(set(core.mutants)) == len(core.mutants) >= 1
    for mutant in core.mutants:
        results.mutate(mutant, tmp_path / "rtl")


def test_every_property_file_is_in_the_table() -> None:
    """Nothing lies beside the table that nobody runs."""
    files = {path.name for path in FOLDER.glob("*.sv")}
    assert files == {f"{core.module}.sv" for core in CORES.values()} | set(sby.SHARED)


def test_a_failure_has_a_trace(tmp_path: Path) -> None:
    """What a wrong core breaks is named by its place, with a VCD file that shows it."""
    core = CORES["stream_narrow"]
    results.mutate(core.mutants[0], tmp_path / "rtl")
    verdict = sby.run(core, "bounded", tmp_path / "job", rtl=tmp_path / "rtl")
    assert verdict.status == "FAIL"
    assert verdict.missed and all(re.fullmatch(r"\w+\.sv:\d+", place) for place in verdict.missed)
    assert verdict.trace is not None and "$enddefinitions" in verdict.trace.read_text()


def test_a_mutant_without_its_place_is_refused(tmp_path: Path) -> None:
    """A mutant whose text has gone from the core is an error, not a mutant that does nothing."""
    mutant = CORES["stream_narrow"].mutants[0]._replace(old="nowhere")
    with pytest.raises(FormalError, match="'nowhere' 0 times, not 1"):
        results.mutate(mutant, tmp_path / "rtl")


def test_sources_that_are_refused_are_one_line(tmp_path: Path) -> None:
    """What slang says of them is told, with the place."""
    core: Core = CORES["stream_narrow"]
    results.mutate(core.mutants[0]._replace(new="word_q <= wird_q"), tmp_path / "rtl")
    with pytest.raises(FormalError, match=r"stream_narrow, bounded: .*wird_q") as caught:
        sby.run(core, "bounded", tmp_path / "job", rtl=tmp_path / "rtl")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_an_unknown_core_is_one_line() -> None:
    """The command names the cores that there are."""
    done = subprocess.run(
        [sys.executable, "-m", "spinflow", "formal", "stream_fofo"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("spinflow: stream_fofo has no properties; there are stream_fifo")
    assert done.stderr.count("\n") == 1
