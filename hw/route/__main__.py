"""The command line: `spinflow route build/NETWORK`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.host.core import start
from spinflow.host.core.sources import WORK
from spinflow.hw.route import tables
from spinflow.hw.route.report import Order, report

OUT = WORK / "out/route"
CHIPDB = "SPINFLOW_CHIPDB"


def main(arguments: Sequence[str] | None = None) -> int:
    """Route a bundle; return the exit status."""
    parser = start.Parser(
        prog="spinflow route",
        description="Place and route a bundle's accelerator: for ECP5 (LFE5U-85F) by nextpnr, or "
        "for the xc7z020 by nextpnr-xilinx.",
        epilog="example: spinflow route build/tfc-mnist",
    )
    parser.add_argument("bundle", type=Path, help="the folder build/NETWORK")
    parser.add_argument("--out", type=Path, help="the report (out/route/NETWORK.json)")
    parser.add_argument("--seeds", type=int, default=1, help="how often, with seeds 1, 2, ... (1)")
    parser.add_argument(
        "--chipdb",
        type=Path,
        default=os.environ.get(CHIPDB) or None,
        help=f"chip database of nextpnr-xilinx for xc7z020clg400 (environment: {CHIPDB})",
    )
    options = parser.parse_args(arguments)
    name = options.bundle.resolve().name + ("-xc7z020" if options.chipdb else "")
    out: Path = options.out or OUT / f"{name}.json"
    order = Order(options.bundle, out, options.seeds, options.chipdb, _say)

    def make() -> None:
        made = report(order)
        text = tables.one(made)
        out.with_suffix(".md").write_text(text, encoding="utf-8")
        print(text)
        print(f"written to {out}")

    return start.finish(make)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
