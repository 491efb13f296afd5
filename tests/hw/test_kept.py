"""What a CI run leaves of a bench that fails: its results in JUnit's form, its waveforms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.hw import runner
from tests.hw.catalogue import CASES
from tests.hw.mutants import MUTANTS, case_of, mutated

TESTS = """
from pathlib import Path
import pytest
from tests.hw.catalogue import CASES
CASE = CASES[{case}]

def test_good():
    CASE.run()

def test_bad():
    CASE.run(Path({rtl!r}))

def test_meant_to_fail():
    with pytest.raises(AssertionError):
        CASE.run(Path({rtl!r}))
"""


@pytest.mark.slow
def test_a_failing_bench_leaves_results_and_waveforms(tmp_path: Path) -> None:
    """Tests of a good and a bad stream_widen: VCD of the bad one, results of both."""
    mutant = next(each for each in MUTANTS if each.file == "stream_widen.sv")
    case = case_of(mutant)
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    for file in runner.RTL.glob("*.sv"):
        (rtl / file.name).symlink_to(file)
    (rtl / mutant.file).unlink()
    (rtl / mutant.file).write_text(mutated(mutant), encoding="utf-8")
    tests = tmp_path / "test_two.py"
    tests.write_text(TESTS.format(case=CASES.index(case), rtl=str(rtl)), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest",
         "--rootdir", str(tmp_path), str(tests)],
        env={**os.environ, runner.JUNIT: str(tmp_path / "junit"),
             runner.TRACES: str(tmp_path / "traces")},
        cwd=runner.REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 failed, 2 passed" in ran.stdout, ran.stdout + ran.stderr
    (waveform,) = (tmp_path / "traces").iterdir()
    assert f"kept in {waveform}" in ran.stdout
    text = waveform.read_text(encoding="utf-8")
    assert "$enddefinitions" in text and "clk_i" in text and text.count("\n#") > 10
    failed = []
    for file in (tmp_path / "junit").iterdir():
        root = ElementTree.parse(file).getroot()
        assert root.findall(".//testcase")
        failed.append(bool(root.findall(".//failure") + root.findall(".//error")))
    assert sorted(failed) == [False, True]
