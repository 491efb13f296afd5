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


def test_a_bench_that_does_not_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulation ends with it, and is none of those that go on and take a core."""
    bench = tmp_path / "endless.py"
    bench.write_text(
        "import os, time\nfrom pathlib import Path\n"
        "import cocotb\n\n@cocotb.test()\nasync def waits(dut):\n"
        "    Path(os.environ['STARTED']).write_text(str(os.getpid()))\n    time.sleep(600)\n",
        encoding="utf-8",
    )
    case = next(each for each in CASES if each.bench == "popcount_tree")
    build, started = case.build(), tmp_path / "started"
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(str(tmp_path))
    for seconds in (20, 60, 180, 540):
        monkeypatch.setattr(runner, "SECONDS", seconds)
        with pytest.raises(runner.EndlessError, match=f"endless does not end within {seconds} s"):
            runner.run(build, case.bench, "endless", extra_env={"STARTED": str(started)})
        if started.exists():  # else the machine was too busy for the bench to begin
            break
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text(encoding="utf-8")), 0)
