"""`make mutants`: wrong variants of the RTL, each with the bench that rejects it.

Writes the list to out/mutants.csv; with --keep also to docs/results, which docs/coverage.md shows.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time

from tests.hw import reached_page, runner
from tests.hw.mutation import run, schema, verdicts

COUNT = 300
OUT = runner.REPOSITORY / "out" / "mutants.csv"


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make mutants", description=(__doc__ or "").strip())
    parser.add_argument("--files", nargs="*", help="only those of these files")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth one")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the list and show it on the page")
    options = parser.parse_args()
    chosen = schema.choose(runner.RTL, COUNT)
    numbers = [n for n, site in chosen.items() if site.file in (options.files or [site.file])]
    start, rows = time.perf_counter(), []
    for verdict in run.examine(chosen, numbers[:: options.every], options.processes):
        row = verdicts.row_of(verdict)
        rows.append(row)
        print(
            f"{time.perf_counter() - start:6.0f} s  {row.result:12}  {row.file}:{row.line} "
            f"{row.kind}: {row.old[:60]} -> {row.new[:60]}  ({row.by})",
            flush=True,
        )
        verdicts.write(rows, OUT)
    print(verdicts.table(rows))
    if options.keep:
        shutil.copy(OUT, verdicts.LIST)
        reached_page.write()
    return 0 if verdicts.holds(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
