"""Hold two results files against each other: the rows of the RTL against those of the evaluator.

    python -m tools.same_rows out/rtl/results.csv out/evaluator/results.csv

Rows are equal if all columns are, but for the name of what measured them, the clock and times in
cycles. It prints how many rows and errors there are, and ends with 1 if any row differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spinflow.host.sweep.results import COLUMNS, TIMED, Row, read


def difference(one: list[Row], other: list[Row]) -> str:
    """Return what differs first, in words; empty if nothing does."""
    if len(one) != len(other):
        return f"{len(one)} rows and {len(other)}"
    apart = {"backend", "clock_mhz", *TIMED}
    for number, (a, b) in enumerate(zip(one, other, strict=True), 2):
        for name in COLUMNS:
            if name not in apart and getattr(a, name) != getattr(b, name):
                return f"line {number}: {name} is {getattr(a, name)} and {getattr(b, name)}"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Command line of the tool; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.same_rows", description=__doc__)
    parser.add_argument("results", type=Path, nargs=2, help="results files of two sweeps")
    one, other = (read(path) for path in parser.parse_args(arguments).results)
    found = difference(one, other)
    images, errors = sum(row.images for row in one), sum(row.errors for row in one)
    print(found or f"{len(one)} rows are equal: {images} images, {errors} errors")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
