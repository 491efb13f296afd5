"""Runs the benches on variants of the RTL until one of them rejects it.

A variant meets the benches of its own module first. If none rejects it, it may be the same circuit
(`equal`); else it meets the benches of modules that it is part of, and that of a whole accelerator.
What a bench said is kept with the build, so a second run is short.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from spinflow.host.core.sources import source_files
from tests.hw import runner
from tests.hw.catalogue import CASES, Case, needed
from tests.hw.mutation import equal, schema
from tests.hw.mutation.sites import Site

BUNDLE = runner.REPOSITORY / "build" / "tfc-mnist"
WHOLE = "accel"
OTHERS = 6  # benches of other modules, for a module that has its own
CAUGHT, PROVEN, ARGUED, SURVIVES = "caught", "proven equal", "argued equal", "survives"
Ask = Callable[[Path, int], "str | None"]  # folder of the RTL, number of the variant
# One failure is enough, and nothing that works makes a bench wait for long.
QUICK = {"COCOTB_MAX_FAILURES": "1", "BENCH_LIMIT": "100000"}


class Verdict(NamedTuple):
    """What became of a variant, and by what: a case of a bench, a proof, a reason."""

    number: int
    site: Site
    result: str
    by: str


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


def own_cases(file: str) -> list[Case]:
    """Return the cases of a file's own bench."""
    return [case for case in CASES if case.bench == Path(file).stem]


def other_cases(file: str) -> list[Case]:
    """Return cases of modules that a file is part of: all of them if it has no bench of its own."""
    found = [
        case for case in CASES
        if case.bench != Path(file).stem and file in _parts(case.bench)
    ]  # fmt: skip
    return found[:: max(1, len(found) // OTHERS)][:OTHERS] if own_cases(file) else found


@cache
def _parts(bench: str) -> frozenset[str]:
    """The files that the module of a bench is made of."""
    return frozenset(file.name for file in needed(bench, runner.sources()))


def _examine(folder: Path, number: int, site: Site) -> Verdict:
    """Ask the benches of a variant's own module, then for reasons to let it be, then all others."""
    unusable = ""

    def caught(asked: Sequence[tuple[str, Ask]]) -> Verdict | None:
        nonlocal unusable
        for name, ask in asked:
            try:
                said = ask(folder, number)
            except BaselineError as error:
                unusable = str(error).partition("\n")[0]
                continue
            if said is not None:
                return Verdict(number, site, CAUGHT, name)
        return None

    def asks(cases: Sequence[Case]) -> list[tuple[str, Ask]]:
        return [(case.name, partial(_ask, case)) for case in cases]

    if verdict := caught(asks(own_cases(site.file))):
        return verdict
    if reason := equal.reason_for(site):
        return Verdict(number, site, ARGUED, reason)
    if equal.proven(site):
        return Verdict(number, site, PROVEN, "induction over registers")
    in_whole = site.file in _names(source_files(BUNDLE))
    last = asks(other_cases(site.file)) + ([(WHOLE, _ask_whole)] if in_whole else [])
    return caught(last) or Verdict(number, site, SURVIVES, unusable)


def _names(files: Sequence[Path]) -> set[str]:
    return {file.name for file in files}


def _ask(case: Case, folder: Path, number: int) -> str | None:
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
                run(of)
                said = ""
            except runner.BenchError as error:
                said = str(error).strip() or "fails"
            kept.write_text(said, encoding="utf-8")
        said = kept.read_text(encoding="utf-8")
        if said and not of:
            raise BaselineError(f"the bench {bench} fails on the RTL as it stands: {said[-2000:]}")
    return said or None
