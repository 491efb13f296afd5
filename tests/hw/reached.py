"""Which lines of the RTL the benches run, which branches they take and which bits they toggle.

`make coverage` builds each case of the catalogue and the tests of whole accelerators with the
counters of Verilator, adds up what they counted, and prints a table by module. Lines are those on
which a statement of a process or a function begins; one counts as run if all that begins on it was.
What is left out stands in reached.toml with its reason. Figures go to out/coverage.json; with
--keep also to docs/results, which docs/coverage.md shows.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import tomllib

from spinflow.host.core.sources import source_files
from tests.hw import runner
from tests.hw.catalogue import CASES, Case
from tests.hw.mutation.sites import Node, closed_generates, parsed, span

FLAGS = (*runner.VERILATOR_FLAGS, "--coverage-line", "--coverage-toggle")
LEFT_OUT = Path(__file__).with_name("reached.toml")
RESULTS = runner.REPOSITORY / "out" / "coverage.json"
KEPT = runner.REPOSITORY / "docs" / "results" / "coverage.json"
LEAST = 0.98  # of lines
WHOLE = {"tfc-mnist": "accel", "lenet-mnist": "pauses"}  # a bundle and its bench
COUNTED = re.compile(r"C '(.*)' (\d+)$")
PROCESSES = {"kAlwaysStatement", "kFunctionDeclaration", "kInitialStatement"}
STATEMENTS = {
    "kNonblockingAssignmentStatement", "kNetVariableAssignment", "kAssignModifyStatement",
    "kIfHeader", "kJumpStatement",
}  # fmt: skip

Counts = Counter["Point"]


class Point(NamedTuple):
    """Something that Verilator counts."""

    file: str
    line: int
    column: int
    kind: str  # line, branch or toggle
    what: str  # of a branch which one, of a toggle the bit and its direction
    lines: str  # that are run with it, as in 77-79,82


@dataclass
class Found:
    """What is counted of one file, each as reached and all."""

    lines: Sequence[int] = (0, 0)
    branches: Sequence[int] = (0, 0)
    toggles: Sequence[int] = (0, 0)
    left_out: int = 0  # lines
    missed: list[str] = field(default_factory=list)


def counts_in(path: Path) -> Counts:
    """Return the counts that one simulation wrote, of our RTL alone."""
    counts: Counts = Counter()
    for text in path.read_text(encoding="utf-8").splitlines():
        match = COUNTED.match(text)
        if match is None:
            continue
        of = dict(part.split("\2", 1) for part in match[1].split("\1") if "\2" in part)
        file = Path(of["f"])
        if file.parent == runner.RTL:
            place = file.name, int(of["l"]), int(of["n"])
            counts[Point(*place, of["t"], of.get("o", ""), of.get("S", ""))] += int(match[2])
    return counts


def measured(case: Case) -> Path:
    """Run the bench of a case with counters; return the file that it wrote."""
    return _kept(case.build(flags=FLAGS), case.bench, lambda: case.run(flags=FLAGS))


def measured_whole(network: str) -> Path:
    """Run the bench of a whole accelerator with counters; return the file that it wrote."""
    bundle, bench = runner.REPOSITORY / "build" / network, WHOLE[network]
    build = runner.build(f"coverage-{network}", "accel", {}, source_files(bundle), FLAGS)
    environment = {"BENCH_BUNDLE": str(bundle), "BENCH_SEEDS": "1"}

    def run() -> None:
        runner.run(build, "accel", f"tests.hw.benches.{bench}", noise=False, extra_env=environment)

    return _kept(build, bench, run)


def _kept(build: Path, bench: str, run: Callable[[], None]) -> Path:
    """Return the counts of a bench in a build, from its last run or by running it."""
    kept = build / f"coverage-{runner.bench_digest(bench)}.dat"
    if not kept.exists():
        run()
        (build / "coverage.dat").replace(kept)
    return kept


def left_out() -> list[dict[str, str]]:
    """Return what is not counted: file, text of a line or name of a function, and reason."""
    entries: list[dict[str, str]] = tomllib.loads(LEFT_OUT.read_text(encoding="utf-8"))["left_out"]
    return entries


def excluded_lines(file: Path, entries: Iterable[dict[str, str]]) -> set[int]:
    """Return the numbers of the lines of a file that are left out.

    Raises:
        ValueError: an entry fits no line of its file.
    """
    source = file.read_bytes()
    functions = {
        re.sub(r".*?(\w+)\s*(\(.*|;)", r"\1", _text(source, node).partition("\n")[0]): node
        for node in _nodes(parsed(source), {"kFunctionDeclaration"})
    }
    found: set[int] = set()
    for entry in entries:
        if entry["file"] != file.name:
            continue
        if "function" in entry:
            node = functions.get(entry["function"])
            lines = set(_lines(source, node)) if node is not None else set()
        else:
            texts = enumerate(source.decode().splitlines(), 1)
            lines = {number for number, text in texts if text.strip() == entry["line"]}
        if not lines:
            raise ValueError(f"{LEFT_OUT.name}: {file.name} has nothing like {entry}")
        found |= lines
    return found


def statement_lines(source: bytes) -> set[int]:
    """Return the lines on which a statement begins that simulation can run."""
    return {
        source.count(b"\n", 0, span(statement)[0]) + 1
        for process in _nodes(parsed(source), PROCESSES)
        for statement in _nodes(process, STATEMENTS)
    }


def found_in(file: Path, counts: Counts, entries: Iterable[dict[str, str]]) -> Found:
    """Return what was reached of a file.

    Args:
        file: the file.
        counts: of all simulations, added up.
        entries: what is left out.
    """
    without = excluded_lines(file, entries)
    every = statement_lines(file.read_bytes())
    run: dict[int, bool] = dict.fromkeys(every, False)
    here = {point: count for point, count in counts.items() if point.file == file.name}
    begun: dict[int, list[int]] = {}
    for point, count in here.items():
        if point.kind != "toggle" and not point.what.startswith("cond"):
            for line in numbers(point.lines):
                begun.setdefault(line, []).append(count)
    for line in every:
        run[line] = line in begun and min(begun[line]) > 0
    lines = {line: is_run for line, is_run in run.items() if line not in without}
    branches = {
        point: count for point, count in here.items()
        if point.kind == "branch" and point.line not in without
    }  # fmt: skip
    toggles = [count > 0 for point, count in here.items() if point.kind == "toggle"]
    missed = [f"line {line}" for line, is_run in sorted(lines.items()) if not is_run]
    missed += [f"branch {p.line}:{p.column} {p.what}" for p, n in sorted(branches.items()) if not n]
    return Found(
        lines=(sum(lines.values()), len(lines)),
        branches=(sum(count > 0 for count in branches.values()), len(branches)),
        toggles=(sum(toggles), len(toggles)),
        left_out=len(every & without),
        missed=missed,
    )


def numbers(text: str) -> Iterator[int]:
    """Go through numbers as in 77-79,82."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _nodes(node: Node, tags: set[str]) -> Iterator[Node]:
    """Go through the outermost nodes of some kinds that simulation reads; of statements all."""
    if node is None or "children" not in node:
        return
    if node["tag"] in tags:
        yield node
        if tags is not STATEMENTS:
            return
    for child in closed_generates(node):
        yield from _nodes(child, tags)


def _text(source: bytes, node: Node) -> str:
    start, end = span(node)
    return source[start:end].decode()


def _lines(source: bytes, node: Node) -> range:
    start, end = span(node)
    return range(source.count(b"\n", 0, start) + 1, source.count(b"\n", 0, end) + 2)


def kept() -> dict[str, Found]:
    """Return what was found when the page was made."""
    found = json.loads(KEPT.read_text(encoding="utf-8"))
    return {name: Found(**of) for name, of in found.items()}


def table(found: dict[str, Found]) -> str:
    """Return what was reached as a table in Markdown, with a row of all."""

    def share(reached: int, of: int) -> str:
        return f"{reached} of {of}" + (f", {100 * reached / of:.1f} %" if of else "")

    rows = ["| module | lines | branches | toggles | lines left out |", "|---|---|---|---|---|"]
    total = [[0, 0], [0, 0], [0, 0]]
    for name, of in found.items():
        parts = (of.lines, of.branches, of.toggles)
        for sums, part in zip(total, parts, strict=True):
            sums[0] += part[0]
            sums[1] += part[1]
        rows.append(f"| {name} | {' | '.join(share(*part) for part in parts)} | {of.left_out} |")
    out = sum(of.left_out for of in found.values())
    rows.append(f"| all | {' | '.join(share(*sums) for sums in total)} | {out} |")
    return "\n".join(rows)


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make coverage", description=(__doc__ or "").strip())
    parser.add_argument("--module", help="only the benches and the table of one module")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the figures, for the page")
    options = parser.parse_args()
    files = sorted(runner.RTL.glob("*.sv"))
    cases, whole = CASES, list(WHOLE)
    if options.module:
        files = [runner.RTL / f"{options.module}.sv"]
        cases, whole = [case for case in CASES if case.bench == options.module], []
    counts: Counts = Counter()
    with ProcessPoolExecutor(options.processes) as pool:
        jobs = [*(pool.submit(measured, case) for case in cases)]
        jobs += [*(pool.submit(measured_whole, network) for network in whole)]
        for number, job in enumerate(jobs, 1):
            for point, count in counts_in(job.result()).items():
                counts[point] += count
            print(f"\r{number} of {len(jobs)} benches", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    entries = left_out()
    found = {file.stem: found_in(file, counts, entries) for file in files}
    print(table(found))
    for name, of in found.items():
        for what in of.missed:
            print(f"{name}: not reached: {what}")
    RESULTS.parent.mkdir(exist_ok=True)
    summary = {name: asdict(of) for name, of in found.items()}
    RESULTS.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if options.keep:
        shutil.copy(RESULTS, KEPT)
    reached, every = (sum(of.lines[i] for of in found.values()) for i in (0, 1))
    return 0 if reached >= LEAST * every else 1


if __name__ == "__main__":
    sys.exit(main())
