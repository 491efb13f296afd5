"""Runs the benches on variants of the RTL until one of them rejects it.

A variant meets the benches of its own module first, then those of modules that it is part of, then
the test of a whole accelerator. What a bench said is kept with the build, so a second run is short.
"""

from __future__ import annotations

import contextlib
import hashlib
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from spinflow.host.core.sources import source_files
from tests.hw import runner
from tests.hw.catalogue import CASES, Case, needed
from tests.hw.mutation import schema
from tests.hw.mutation.sites import Site

BUNDLE = runner.REPOSITORY / "build" / "tfc-mnist"
WHOLE = "accel"
OTHERS = 6  # benches of other modules, for a module that has its own
SECONDS = 600  # in which the slowest bench has long ended, however busy the machine is
ENDLESS = "does not end"
# One failure is enough, and nothing that works makes a bench wait for long.
QUICK = {"COCOTB_MAX_FAILURES": "1", "BENCH_LIMIT": "20000"}


class Verdict(NamedTuple):
    """What became of a variant: who caught it, or None, and what that one said."""

    number: int
    site: Site
    by: str | None
    reason: str


class EndlessError(runner.BenchError):
    """A bench did not come to its end."""


class BaselineError(Exception):
    """A bench rejects the RTL as it stands, so it says nothing of variants."""


def examine(
    chosen: dict[int, Site], numbers: Sequence[int], processes: int = 1
) -> Iterator[Verdict]:
    """Run the benches on some of the chosen variants; yield what became of each.

    A bench that fails on the RTL as it stands is passed over, and the verdict on a variant that
    none of the others rejects says so.
    """
    folder = write(chosen)
    with ProcessPoolExecutor(processes) as pool:
        jobs = [pool.submit(_examine, folder, number, chosen[number]) for number in numbers]
        for job in jobs:
            yield job.result()


def write(chosen: dict[int, Site]) -> Path:
    """Write the RTL with all chosen variants in it; return its folder."""
    digest = hashlib.sha256(repr(sorted(chosen.items())).encode())
    digest.update(Path(schema.__file__).read_bytes())
    for file in sorted(runner.RTL.glob("*.sv")):
        digest.update(file.read_bytes())
    folder = runner.BUILDS / f"mutants-rtl-{digest.hexdigest()[:12]}"
    with runner.locked(folder):
        if not folder.exists():
            schema.write(runner.RTL, chosen, folder)
    return folder


def cases_for(file: str) -> list[Case]:
    """Return the cases that a file is part of, those of its own bench first."""
    module = Path(file).stem
    own = [case for case in CASES if case.bench == module]
    others = [
        case for case in CASES
        if case.bench != module and file in _parts(case.bench)
    ]  # fmt: skip
    return [*own, *(others[:: max(1, len(others) // OTHERS)][:OTHERS] if own else others)]


@cache
def _parts(bench: str) -> frozenset[str]:
    """The files that the module of a bench is made of."""
    return frozenset(file.name for file in needed(bench, runner.sources()))


def _examine(folder: Path, number: int, site: Site) -> Verdict:
    asked = [(case.name, partial(_ask, folder, case, number)) for case in cases_for(site.file)]
    if site.file in _names(source_files(BUNDLE)):
        asked.append((WHOLE, partial(_ask_whole, folder, number)))
    unusable = ""
    for name, ask in asked:
        try:
            said = ask()
        except BaselineError as error:
            unusable = str(error)
            continue
        if said is not None:
            return Verdict(number, site, name, said)
    return Verdict(number, site, None, unusable)


def _names(files: Sequence[Path]) -> set[str]:
    return {file.name for file in files}


def _ask(folder: Path, case: Case, number: int) -> str | None:
    """Return what a bench has against a variant; None if it has nothing."""
    build = case.build(folder)

    def run(number: int) -> None:
        case.run(folder, extra_env=QUICK, arguments=[f"+mutant={number}"])

    return _heard(build, case.bench, number, run)


def _ask_whole(folder: Path, number: int) -> str | None:
    """Return what the test of a whole accelerator has against a variant."""
    files = [
        folder / f"{schema.NAME}.sv",
        *(
            folder / file.name if file.parent == runner.RTL else file
            for file in source_files(BUNDLE)
        ),
    ]
    build = runner.build("accel-mutants", "accel", {}, files)

    def run(number: int) -> None:
        environment = QUICK | {"BENCH_BUNDLE": str(BUNDLE)}
        runner.run(build, "accel", "tests.hw.benches.accel", noise=False, extra_env=environment,
                   arguments=[f"+mutant={number}"])  # fmt: skip

    return _heard(build, "accel", number, run)


def _heard(build: Path, bench: str, number: int, run: Callable[[int], None]) -> str | None:
    """Return what a bench says of a variant, from its last run or by running it."""
    # The bench must pass on the RTL as it stands, in the same build.
    for of in (0, number):
        kept = build / f"mutant-{of}-{runner.bench_digest(bench)}"
        if not kept.exists():
            try:
                with _limit(SECONDS):
                    run(of)
                said = ""
            except runner.BenchError as error:
                said = str(error).strip() or "fails"
            kept.write_text(said, encoding="utf-8")
        said = kept.read_text(encoding="utf-8")
        if said and not of:
            raise BaselineError(f"the bench {bench} fails on the RTL as it stands: {said[-2000:]}")
    return said or None


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Ends what runs inside after some time, with an EndlessError."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise EndlessError(ENDLESS)

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
