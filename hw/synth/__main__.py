"""The command line: `spinflow synth build/NETWORK`, and its tables on the screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.host.core import start
from spinflow.host.core.sources import WORK
from spinflow.hw.synth import tables
from spinflow.hw.synth.report import report

OUT = WORK / "out/synth"


def main(arguments: Sequence[str] | None = None) -> int:
    """Report on a bundle; return the exit status."""
    parser = start.Parser(
        prog="spinflow synth",
        description="Synthesise a bundle's accelerator with yosys.",
        epilog="example: spinflow synth build/tfc-mnist",
    )
    parser.add_argument("bundle", type=Path, help="the folder build/NETWORK")
    parser.add_argument("--out", type=Path, help="the report (out/synth/NETWORK.json)")
    options = parser.parse_args(arguments)
    out: Path = options.out or OUT / f"{options.bundle.resolve().name}.json"

    def make() -> None:
        made = report(options.bundle, out, out.parent)
        text = tables.one(made)
        out.with_suffix(".md").write_text(text, encoding="utf-8")
        print(f"{made['network']}, build {made['build_id']:08x}, by {made['tool']}")
        print(made["note"])
        print()
        print(text)
        print(f"written to {out}")

    return start.finish(make)


if __name__ == "__main__":
    sys.exit(main())
