"""What became of the variants: the list of them, those that are equal, and the table of a page."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import tomllib

from tests.hw import runner
from tests.hw.mutation import equal
from tests.hw.mutation.run import Verdict
from tests.hw.mutation.sites import Site

LIST = runner.REPOSITORY / "docs" / "results" / "mutants.csv"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
CAUGHT, PROVEN, ARGUED, SURVIVES = "caught", "proven equal", "argued equal", "survives"
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
    """Return what the list says of a variant; for one that no bench rejects, a proof is tried."""
    site = verdict.site
    if verdict.by is not None:
        result, by = CAUGHT, verdict.by
    elif reason := reason_for(site):
        result, by = ARGUED, reason
    elif equal.proven(site):
        result, by = PROVEN, "induction over registers"
    else:
        result, by = SURVIVES, verdict.reason.partition("\n")[0]
    old, new = (" ".join(text.split()) for text in (site.old, site.new))
    return Row(verdict.number, site.file, site.line, site.kind, old, new, result, by)


def arguments() -> list[dict[str, str]]:
    """Return the variants that are equal for a reason: file, text of the line, old, new, reason."""
    text = EQUIVALENT.read_text(encoding="utf-8")
    found: list[dict[str, str]] = tomllib.loads(text)["equivalent"]
    return found


def reason_for(site: Site) -> str:
    """Return why a variant is equal, by the list of those; empty if it is not there."""
    line = (runner.RTL / site.file).read_text(encoding="utf-8").splitlines()[site.line - 1].strip()
    here = {"file": site.file, "line": line, "old": site.old, "new": site.new}
    for entry in arguments():
        if {key: entry[key] for key in here} == here:
            return entry["reason"]
    return ""


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
