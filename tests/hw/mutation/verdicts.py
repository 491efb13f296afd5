"""What became of the variants: the list of them, those that are equal, and the table of a page."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.hw import runner
from tests.hw.mutation.run import ARGUED, CAUGHT, PROVEN, SURVIVES, Verdict

LIST = runner.REPOSITORY / "docs" / "results" / "mutants.csv"
LEAST = 0.95  # caught or equal


class Row(NamedTuple):
    """A variant in the list."""

    number: int
    file: str
    line: int
    kind: str
    old: str
    new: str
    result: str
    by: str  # the case whose bench rejects it, the proof or the reason


def row_of(verdict: Verdict) -> Row:
    """Return what the list says of a variant."""
    site = verdict.site
    old, new = (" ".join(text.split()) for text in (site.old, site.new))
    by = " ".join(verdict.by.split())
    return Row(verdict.number, site.file, site.line, site.kind, old, new, verdict.result, by)


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)


def read(path: Path) -> list[Row]:
    """Return a list that was written."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == Row._fields, f"{path} is no list of mutants"
    return [
        Row(int(number), name, int(line), *texts) for number, name, line, *texts in rows[1:]
    ]  # fmt: skip


def table(rows: Iterable[Row]) -> str:
    """Return the numbers of the list by file, as a table in Markdown."""
    of_file: dict[str, Counter[str]] = {}
    for row in rows:
        of_file.setdefault(row.file, Counter())[row.result] += 1
    of_file["all"] = sum(of_file.values(), Counter())
    kinds = CAUGHT, PROVEN, ARGUED, SURVIVES
    lines = [f"| file | mutants | {' | '.join(kinds)} |", "|---|---|---|---|---|---|"]
    for file, counts in of_file.items():
        cells = (sum(counts.values()), *(counts[kind] for kind in kinds))
        lines.append(f"| {file} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def holds(rows: Iterable[Row]) -> bool:
    """Whether enough are caught or equal."""
    results = [row.result for row in rows]
    return sum(result != SURVIVES for result in results) >= LEAST * len(results)
