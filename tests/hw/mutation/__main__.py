"""`python -m tests.hw.mutation`: the variants, each with what became of it."""

from __future__ import annotations

import argparse
import sys
import time

from tests.hw import runner
from tests.hw.mutation import run, schema

COUNT = 300


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make mutants", description=(__doc__ or "").strip())
    parser.add_argument("--files", nargs="*", help="only those of these files")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth one")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    chosen = schema.choose(runner.RTL, COUNT)
    numbers = [n for n, site in chosen.items() if site.file in (options.files or [site.file])]
    start = time.perf_counter()
    for verdict in run.examine(chosen, numbers[:: options.every], options.processes):
        site = verdict.site
        print(
            f"{verdict.number:3} {verdict.by or 'SURVIVES':40} {site.file}:{site.line} {site.kind}"
            f": {' '.join(site.old.split())[:60]} -> {' '.join(site.new.split())[:60]}"
            f"  ({time.perf_counter() - start:.0f} s)",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
