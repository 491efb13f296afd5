"""What a check found: its line of the table, its failure, and the report of all of them."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from spinflow.host.board.driver import Accelerator
from spinflow.host.core.bundle import MemoryInfo
from spinflow.host.core.errors import HostError
from spinflow.host.core.files import replace_text
from spinflow.host.core.memory import Counts

Check = tuple[str, Callable[[], str]]
"""Name of a check, and what does it: it returns how much was checked, or raises CheckError."""


class CheckError(HostError):
    """A check that failed; the message says where and what was found."""


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        name: what was checked.
        passed: whether it was as it must be.
        detail: how much was checked, or what was wrong.
        seconds: how long it took.
    """

    name: str
    passed: bool
    detail: str
    seconds: float


def run(name: str, check: Callable[[], str]) -> Result:
    """Do a check; return its line."""
    start = time.monotonic()
    try:
        passed, detail = True, check()
    except HostError as error:
        passed, detail = False, str(error)
    return Result(name, passed, detail, round(time.monotonic() - start, 3))


def unlike(memory: MemoryInfo, found: Counts, expected: Counts) -> list[str]:
    """Return what is wrong with a memory's counters, nothing where they are as expected."""
    if found == expected:
        return []
    return [f"{memory.name} counted {shown(found)}; {shown(expected)} expected"]


def shown(counts: Counts) -> str:
    """Return counts in words."""
    return (
        f"{counts.written} bits written, {counts.switched} switched, {counts.err1} + "
        f"{counts.err0} errors"
    )


def raise_if(wrong: Sequence[str], most: int = 3) -> None:
    """Fail with what is wrong, the first few of it."""
    if wrong:
        more = f"; and {len(wrong) - most} more" if len(wrong) > most else ""
        raise CheckError("; ".join(wrong[:most]) + more)


def line(result: Result) -> str:
    """Return a result's line of the table."""
    return f"{'PASS' if result.passed else 'FAIL'}  {result.name:28} {result.detail}"


def verdict(results: Sequence[Result]) -> str:
    """Return the last line: how many checks there were, and how many failed."""
    failed = sum(not result.passed for result in results)
    if failed:
        return f"FAILED: {failed} of {len(results)}"
    return f"selftest passed: {len(results)} checks"


def write_report(
    path: Path, accelerator: Accelerator, results: Sequence[Result], full: bool, seed: int
) -> None:
    """Write all results as JSON."""
    bundle = accelerator.bundle
    content = {
        "format": 1,
        "network": bundle.network,
        "build_id": bundle.build_id,
        "board": bundle.board,
        "backend": accelerator.backend,
        "pynq": accelerator.pynq_version,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "full": full,
        "seed": seed,
        "passed": all(result.passed for result in results),
        "seconds": round(sum(result.seconds for result in results), 3),
        "checks": [asdict(result) for result in results],
    }
    replace_text(path, json.dumps(content, indent=2) + "\n")
