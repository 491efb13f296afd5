"""Mutated inputs of ``python -m host`` that are no bundle: results files, grids, images, options.

Each is refused in one line or gives what the input as it was gives (``tests.fuzz``).
"""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# What is imported late would be imported anew in every case.
import matplotlib.backends.backend_svg
import pytest

from host import results
from host.__main__ import main
from tests.fuzz import mutate
from tests.fuzz.campaign import Subject, faults
from tests.fuzz.judge import Outcome
from tests.host.rows import row

import matplotlib.figure  # noqa: F401  isort: skip

ROWS = [
    row(
        memory=memory,
        background=background,
        rate=rate,
        rate0=rate,
        repeat=repeat,
        accuracy=0.9 - rate - 0.004 * repeat,
        pulse_s=1e-8 * (3 - number),
        energy_j=59008e-12 * (5 - number),
    )
    for memory, background in (("weights", "zeros"), ("buffers", "none"))
    for number, rate in enumerate((0.0, 1e-2))
    for repeat in range(2)
]
RESULTS = "".join([",".join(results.COLUMNS) + "\n", *(each.line() for each in ROWS)])


def odd_file(rng: random.Random, path: Path) -> None:
    """Put something else than a file of the right kind in its place."""
    what = rng.randrange(6)
    if what == 0:
        path.mkdir()
    elif what == 1:
        os.mkfifo(path)
    elif what == 2:
        path.symlink_to("/dev/zero")
    elif what == 3:
        path.symlink_to(path.name)  # to itself
    elif what == 4:
        path.write_bytes(rng.choice((b"", b"\0", b"\xff\xfe", b"\n" * 9, rng.randbytes(3000))))
    # else: there is none


def table(rng: random.Random) -> bytes:
    """Return a results file with a cell, a row, a column or some bytes changed."""
    lines = [line.split(",") for line in RESULTS.splitlines()]
    what = rng.randrange(8)
    if what == 0:
        return mutate.data(rng, RESULTS.encode())
    if what == 1:
        return mutate.text(rng, RESULTS).encode("utf-8", errors="surrogatepass")
    if what == 2:  # a column twice, missing or in another place
        at, other = (rng.randrange(len(lines[0])) for _ in range(2))
        for line in lines[: rng.choice((1, None))]:
            moved = line.pop(at)
            if rng.random() < 0.7:
                line[other:other] = [moved] * rng.choice((1, 2))
    elif what == 3:
        lines[rng.randrange(len(lines))] = lines[rng.randrange(len(lines))]
    elif what == 4:  # the same in a whole column
        at, value = rng.randrange(len(lines[0])), mutate.NASTY[rng.randrange(len(mutate.NASTY))]
        for line in lines[1:]:
            line[at] = str(value)
    else:
        for _ in range(rng.choice((1, 1, 2, 3))):
            line, at = lines[rng.randrange(1, len(lines))], rng.randrange(len(lines[0]))
            line[at] = str(mutate.value(rng, rng.choice((line[at], 1, 0.5))))
    text = "".join(",".join(line) + "\n" for line in lines)
    return text.encode("utf-8", errors="surrogatepass")


def prepare_report(rng: random.Random, folder: Path) -> Sequence[str]:
    path = folder / "results.csv"
    if rng.random() < 0.1:
        odd_file(rng, path)
    else:
        path.write_bytes(table(rng))
    keep = rng.choice(([], ["--keep", "0.8"], ["--keep-loss", "5"]))
    return ["report", "results.csv", "--out", "out", *keep]


def compare_report(folder: Path, outcome: Outcome) -> str | None:
    """Hold what was made of rows that were taken against the rows, every figure of it."""
    rows = results.read(folder / "results.csv")
    made = json.loads((folder / "out" / "summary.json").read_text(), parse_constant=float)
    if sum(point["repeats"] for point in made["points"]) != len(rows):
        return "the summary is of other rows"
    for point in made["points"]:
        numbers = [value for value in point.values() if isinstance(value, float)]
        if not all(map(math.isfinite, numbers)):
            return f"the summary holds a number that is none: {point}"
        if not 0 <= point["low"] <= point["accuracy"] <= point["high"] <= 1:
            return f"an accuracy outside of its interval: {point}"
        if not 0 <= point["errors"] <= point["bits_written"]:
            return f"more errors than bits: {point}"
    return None


SUBJECTS = [
    Subject("host report", main, prepare_report, 40, 400, compare_report),
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_mutated_inputs(
    subject: Subject, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    found = faults(subject, tmp_path)
    record_property(f"mutated inputs of {subject.name} with a fault", len(found))
    assert not found, "\n".join(found)
