"""The command line: `spinflow formal`, its table on the screen and in out/formal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from spinflow.host.core import start
from spinflow.host.core.sources import WORK
from spinflow.hw.formal import results
from spinflow.hw.formal.cores import Core, cores
from spinflow.hw.formal.results import Result
from spinflow.hw.formal.sby import FormalError

OUT = WORK / "out/formal"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove what the cores promise; return the exit status."""
    known = cores()
    parser = start.Parser(
        prog="spinflow formal",
        description="Prove what cores of hw/rtl promise, and that wrong variants are refuted.",
        epilog="example: spinflow formal stream_fifo axil_slave",
    )
    parser.add_argument("cores", nargs="*", metavar="CORE", help="cores, all by default")
    parser.add_argument(
        "--quick", action="store_true", help="of long proofs only the first cycles, one mutant each"
    )
    parser.add_argument("--jobs", type=int, default=1, help="cores that are examined at once (1)")
    options = parser.parse_args(arguments)
    strangers = [name for name in options.cores if name not in known]
    if strangers:
        parser.error(f"{strangers[0]} has no properties; there are {', '.join(known)}")
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: it must be at least 1")
    chosen = [known[name] for name in options.cores or known]
    return start.finish(lambda: run(chosen, options.quick, options.jobs))


def run(chosen: Sequence[Core], quick: bool, jobs: int) -> int:
    """Examine cores, print the table and what is wrong; return the exit status.

    Raises:
        FormalError: a tool is missing, or sources are not accepted.
    """

    def one(core: Core) -> Result:
        result = results.examine(core, quick=quick, mutants=1 if quick else None)
        print(f"{core.name}: {result.found}, {result.seconds:.0f} s", file=sys.stderr, flush=True)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(one, chosen))
    text = results.table(found)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "formal.md").write_text(text + "\n", encoding="utf-8")
    rows = [
        {
            "core": result.core.name,
            "found": result.found,
            "asserts": result.asserts,
            "covers": result.covers,
            "mutants": result.mutants,
            "seconds": round(result.seconds, 1),
            "faults": result.faults,
        }
        for result in found
    ]
    (OUT / "formal.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(text)
    faults = [fault for result in found for fault in result.faults]
    for fault in faults[1:]:
        start.complain(fault)
    if faults:
        raise FormalError(faults[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
