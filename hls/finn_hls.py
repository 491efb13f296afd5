"""Writes a network as FINN's own HLS units: `spinflow finn-hls build/NETWORK`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.hls.paths import BUILD
from spinflow.host.core import description, start


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow finn-hls",
        description="Write a bundle's network as FINN's own HLS units, for Vitis HLS.",
        epilog="example: spinflow finn-hls build/tfc-mnist",
    )
    parser.add_argument("bundle", type=Path, help="the folder build/NETWORK")
    parser.add_argument("--out", type=Path, help="folder of the sources (build/finn-hls/NETWORK)")
    options = parser.parse_args(arguments)

    def make() -> None:
        out = options.out or BUILD / "finn-hls" / options.bundle.resolve().name
        described = description.read(options.bundle)
        from spinflow.hls.finn_units import write  # FINN's imports take seconds

        names = write(described, out)
        print(f"{len(names)} layers as C++ in {out}: {', '.join(names)}")

    return start.finish(make)


if __name__ == "__main__":
    sys.exit(main())
