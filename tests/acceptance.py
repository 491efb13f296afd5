"""Runs everything that the project promises, in full: `make acceptance`.

Prints one result a line and writes out/acceptance.json with each line's figures. A line is a set of
pytest runs with SPINFLOW_FULL=1, or a command; figures are what the tests record as properties.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from spinflow.model.zoo import TESTED

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out/acceptance.json"
BUILD = ROOT / ".venv/bin/python"
HOST = ROOT / ".venv/bin/python"
ENVIRONMENT = os.environ | {"SPINFLOW_FULL": "1"}

Figures = dict[str, Any]


class LineError(Exception):
    """A line that does not hold, with the reason."""


def pytest(python: Path, *arguments: str, processes: int = 1) -> Callable[[], Figures]:
    """A line that holds if these tests pass; none may be skipped."""

    def run() -> Figures:
        with tempfile.NamedTemporaryFile(suffix=".xml") as report:
            command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
            command += [f"--junitxml={report.name}", "-o", "junit_family=xunit1", *arguments]
            if processes > 1:
                command += ["-n", str(processes)]
            done = subprocess.run(
                command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
            )
            try:
                root = ET.parse(report.name).getroot()
            except ET.ParseError:
                raise LineError(
                    f"pytest ended early: {done.stdout[-300:]}{done.stderr[-300:]}"
                ) from None
        suite = root if root.tag == "testsuite" else root[0]
        count = {
            name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        }
        failed = [
            f"{case.get('classname')}::{case.get('name')}"
            for case in suite.iter("testcase")
            if case.find("failure") is not None or case.find("error") is not None
        ]
        if done.returncode or failed or count["skipped"] or not count["tests"]:
            raise LineError(f"{count}: {', '.join(failed[:5])}")
        properties = {p.get("name", ""): p.get("value") for p in suite.iter("property")}
        return {"tests": count["tests"], **properties}

    return run


def mutants() -> Figures:
    """Every mutated RTL variant of the list must fail its bench."""
    _command([str(BUILD), "-m", "tests.hw.mutants"])
    result: Figures = json.loads((ROOT / "out/mutants.json").read_text())
    return result


def coverage() -> Figures:
    """The benches must reach nearly all lines of the RTL."""
    _command([str(BUILD), "-m", "tests.hw.reached"])
    found = json.loads((ROOT / "out/coverage.json").read_text())
    parts = ("lines", "branches", "toggles")
    return {part: [sum(of[part][i] for of in found.values()) for i in (0, 1)] for part in parts}


def generated_mutants() -> Figures:
    """Of the variants that a program makes, nearly all must fail a bench or be equal."""
    _command([str(BUILD), "-m", "tests.hw.mutation"])
    with open(ROOT / "out/mutants.csv", encoding="utf-8", newline="") as file:
        return dict(Counter(row["result"] for row in csv.DictReader(file)))


def bench() -> Figures:
    """The benchmark runs; its figures have aims, not limits."""
    _command([str(BUILD), "-m", "tools.bench"])
    result: Figures = json.loads((ROOT / "out/bench/bench.json").read_text())
    return result


def self_test() -> Figures:
    """The on-board check, in full, on the virtual board; its figures are the checks that passed."""
    passed = {}
    with tempfile.TemporaryDirectory() as scratch:
        for network in TESTED:
            out = Path(scratch) / f"{network}.json"
            options = ["--full", "--json", str(out)]
            _command([str(HOST), "-m", "spinflow.host", "selftest", f"build/{network}", *options])
            passed[network] = len(json.loads(out.read_text())["checks"])
    return {"checks": passed}


def fresh_clone() -> Figures:
    """Time `make run` in a fresh clone with environments of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "spinflow"
        _command(["git", "clone", "-q", str(ROOT), str(clone)])
        start = time.perf_counter()
        _command(["make", "run"], clone)
        seconds = time.perf_counter() - start
        with open(clone / "out/run/results.csv") as file:
            rows = len(file.readlines()) - 1
        shutil.copytree(clone / "out/run", ROOT / "out/fresh-run", dirs_exist_ok=True)
    return {"make_run_s": round(seconds), "rows": rows}


def board_python() -> Figures:
    """The same tests under the Python, numpy, scipy and pynq of a board's image."""
    python = os.environ.get("BOARD_PYTHON") or shutil.which("python3.10")
    if python is None:
        return {"skipped": "no python3.10 here: name one with BOARD_PYTHON=/path/to/python3.10"}
    _command(["make", ".venv/board/.installed", f"BOARD_PYTHON={python}"])
    return pytest(ROOT / ".venv/board/bin/python", "tests/host", "tests/sim/host")()


def _command(command: list[str], folder: Path = ROOT) -> None:
    kept = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    environment = kept | {"SPINFLOW_FULL": "1", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LineError((done.stdout + done.stderr).strip()[-500:])


def _all(*lines: Callable[[], Figures]) -> Callable[[], Figures]:
    """A line that holds if all of these do; figures are added up."""

    def run() -> Figures:
        figures: Figures = {}
        for line in lines:
            for name, value in line().items():
                is_count = isinstance(value, int) and name in figures
                figures[name] = figures[name] + value if is_count else value
        return figures

    return run


class Line(NamedTuple):
    """One promise."""

    number: str
    text: str
    run: Callable[[], Figures]


def _tests(pattern: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(pattern))]


MTJ_TESTS = _tests("tests/mtj/test_*.py")
EVALUATOR_TESTS = _tests("tests/sim/test_evaluator*.py")
SWEEP_TESTS = _tests("tests/sim/test_sweep*.py")

LINES = [
    Line(
        "1",
        "errors off: RTL = FINN = emulator at every boundary and label; emulator = Brevitas",
        pytest(BUILD, "tests/system/test_errors_off.py"),
    ),
    Line(
        "2",
        "errors on: RTL = emulator in every value and counter; FINN agrees on weights read back",
        pytest(BUILD, "tests/system/test_errors_on.py"),
    ),
    Line(
        "3",
        "statistics of the errors over rates 1e-6 to 0.5, both modes; no correlation",
        pytest(BUILD, "tests/hw/test_statistics.py"),
    ),
    Line(
        "4",
        "injection is free: cycles and stalls",
        pytest(BUILD, "tests/system/test_free_injection.py"),
    ),
    Line(
        "5",
        "cocotb benches of every block and the top",
        pytest(BUILD, "tests/hw/test_blocks.py", "tests/hw/test_top.py", processes=2),
    ),
    Line(
        "6a",
        "the driver on the virtual board, with every bad input",
        pytest(
            HOST,
            *("tests/host", "tests/sim/host"),
            *(
                "--ignore=tests/host/test_fuzz_bundles.py",
                "--ignore=tests/host/test_fuzz_inputs.py",
            ),
        ),
    ),
    Line(
        "6c",
        "the driver under a board's Python 3.10, numpy 1.21, scipy 1.8 and pynq 3.0.1",
        board_python,
    ),
    Line(
        "foldings",
        "three foldings of each network give the same labels",
        pytest(BUILD, "tests/system/test_foldings.py"),
    ),
    Line(
        "board",
        "the PYNQ-Z2 shell under tclsh, deployment, synthesis reports and their page",
        pytest(BUILD, "tests/board", "tests/synth", processes=2),
    ),
    Line(
        "routed",
        "every network's accelerator routed on an ECP5: its clock, its path, its bitstream",
        pytest(BUILD, "tests/route"),
    ),
    Line("self-test", "the full self-test of every bundle on the virtual board", self_test),
    Line("6b", "mutated RTL fails its bench, every variant of the list", mutants),
    Line("coverage", "the benches reach 98 % of the lines of the RTL", coverage),
    Line(
        "mutants",
        "of 300 generated variants of the RTL 95 % fail a bench or are equal",
        generated_mutants,
    ),
    Line(
        "chip",
        "the form that a chip gets: primitives of each family in place, and the netlist of cells",
        pytest(BUILD, "tests/hw/test_chip.py"),
    ),
    Line(
        "formal",
        "cores keep their contracts: proofs, covers, every mutant refuted",
        pytest(BUILD, "tests/hw/test_formal.py"),
    ),
    Line(
        "physics",
        "device models: tables, solvers against exact arithmetic, round trips, bad input",
        pytest(BUILD, *MTJ_TESTS, processes=2),
    ),
    Line(
        "evaluator",
        "fast evaluator = emulator = RTL = Brevitas; both random streams alike",
        pytest(BUILD, *EVALUATOR_TESTS),
    ),
    Line(
        "sweeps",
        "sweeps on workers and a cluster, killed and resumed, intervals that cover",
        pytest(BUILD, *SWEEP_TESTS),
    ),
    Line(
        "bundles",
        "1,500 mutated bundles: refused in one line or harmless, no traceback",
        _all(
            pytest(BUILD, "tests/fuzz/test_bundles.py"),
            pytest(HOST, "tests/host/test_fuzz_bundles.py"),
        ),
    ),
    Line(
        "rooms",
        "tests of model, papers, hls and sim, of the rooms and the documents",
        pytest(
            BUILD,
            *("tests/model", "tests/papers", "tests/hls", "tests/sim"),
            *("tests/system/test_documents.py", "tests/system/test_rooms.py"),
            *("tests/system/test_contributing.py", "tests/hw/test_assertions.py"),
            *(f"--ignore={path}" for path in ("tests/sim/host", *EVALUATOR_TESTS, *SWEEP_TESTS)),
            processes=2,
        ),
    ),
    Line(
        "drawn",
        "networks drawn at random: QONNX = chain on 1,000, = FINN = engines = RTL on 40",
        pytest(BUILD, "tests/hls/test_drawn.py", "tests/system/test_drawn.py", processes=2),
    ),
    Line(
        "imported",
        "errors on in networks from elsewhere: RTL = emulator = evaluator, both modes",
        pytest(BUILD, "tests/system/test_errors_on_imported.py"),
    ),
    Line(
        "examples",
        "worked examples of own networks, from a file to a sweep on the RTL; seconds of each step",
        pytest(BUILD, "tests/system/test_walkthroughs.py"),
    ),
    Line(
        "inputs",
        "2,500 mutated results, grids, data sets, networks, QONNX and options: the same",
        _all(
            pytest(BUILD, "tests/fuzz/test_inputs.py", processes=2),
            pytest(HOST, "tests/host/test_fuzz_inputs.py"),
        ),
    ),
    Line(
        "programs",
        "programs interrupted at their start, builds killed 20 times each, odd places to run in",
        pytest(
            BUILD,
            *("tests/system/test_start.py", "tests/system/test_killed_builds.py"),
            "tests/system/test_where_it_runs.py",
        ),
    ),
    Line("7", "speed: driver on the virtual board and cocotb", bench),
    Line("8", "a fresh clone to the end of make run", fresh_clone),
]


def main() -> int:
    """Run the lines named on the command line, or all; the exit code says whether all hold."""
    chosen = sys.argv[1:]
    unknown = set(chosen) - {line.number for line in LINES}
    if unknown:
        print(f"no such line: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    results: dict[str, Any] = {}
    for line in LINES:
        if chosen and line.number not in chosen:
            continue
        start = time.perf_counter()
        try:
            figures = line.run()
            verdict = "skips" if "skipped" in figures else "holds"
        except LineError as failure:
            figures, verdict = {"reason": str(failure)}, "FAILS"
        seconds = round(time.perf_counter() - start)
        print(f"{line.number:>5}  {verdict}  {line.text}  ({seconds} s)", flush=True)
        if verdict != "holds":
            print(f"       {figures.get('reason') or figures['skipped']}", flush=True)
        results[line.number] = {
            "promise": line.text,
            "holds": None if verdict == "skips" else verdict == "holds",
            "seconds": seconds,
            "figures": figures,
        }
        OUT.parent.mkdir(parents=True, exist_ok=True)
        OUT.write_text(json.dumps(results, indent=2) + "\n")
    return 1 if any(result["holds"] is False for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
