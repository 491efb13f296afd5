"""The command line: `spinflow hls-kernel [KERNEL [NAME=VALUE ...]]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.hls.kernels import csim, vitis
from spinflow.hls.kernels.catalogue import KERNELS, Kernel, kernel
from spinflow.hls.paths import BUILD
from spinflow.host.core import start
from spinflow.host.core.options import seed, whole
from spinflow.hw import boards


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    listed = "\n".join(
        f"  {each.name:14} {each.what}\n  {'':14}   "
        + (" ".join(f"{name}={value}" for name, value in each.defaults.items()) or "no parameters")
        for each in KERNELS.values()
    )
    parser = start.Parser(
        prog="spinflow hls-kernel",
        description="C simulation of a unit in C++, and with --vitis an IP of it by Vitis HLS.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"kernels, with their parameters as they are if not given:\n{listed}\n\n"
        "example: spinflow hls-kernel binary_mvu Mw=64 Mh=64 Pe=8 Simd=16",
    )
    parser.add_argument("kernel", nargs="?", help="one of those below; all if none is given")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="its parameters")
    parser.add_argument("--cases", type=whole(1, 100_000), default=200, help="random cases (200)")
    parser.add_argument("--seed", type=seed, default=1, help="of the cases and thresholds (1)")
    parser.add_argument("--out", type=Path, help="folder of the run (build/hls/KERNEL)")
    parser.add_argument(
        "--vitis",
        nargs="*",
        choices=vitis.STEPS,
        help="go on in Vitis HLS with these steps (all of them)",
    )
    parser.add_argument("--board", help="kind of board whose part and clock Vitis HLS is to take")
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Do what the command line says."""
    if options.vitis is not None:
        vitis.find()  # before all else: it is what may be missing
    for each in [kernel(options.kernel)] if options.kernel else KERNELS.values():
        folder = options.out or BUILD / "hls"
        _run_one(each, folder if options.out and options.kernel else folder / each.name, options)


def _run_one(each: Kernel, work: Path, options: argparse.Namespace) -> None:
    parameters = each.parameters(options.parameters)
    vectors = each.make(parameters, options.cases, options.seed)
    csim.prepare(each, parameters, vectors, work)
    said = csim.run(csim.compiled(each, work), work)
    shown = " ".join(f"{name}={value}" for name, value in parameters.items())
    print(f"{each.name} {shown}".rstrip() + f": {said}", flush=True)
    if options.vitis is None:
        return
    steps = options.vitis or vitis.STEPS
    print(f"  Vitis HLS: {', '.join(steps)}; its output goes to {work / vitis.LOG}", flush=True)
    found = vitis.run(each, boards.board(options.board), steps, work)
    if found is not None:
        area = ", ".join(f"{value} {name}" for name, value in found.area.items())
        ends = " to ".join("?" if end is None else str(end) for end in found.cycles)
        print(f"  estimated by C synthesis: {area}, {found.period_ns:g} ns, {ends} cycles a call")
    if "export" in steps:
        print(f"  IP: {work / 'out' / f'{each.top}.zip'}")


if __name__ == "__main__":
    sys.exit(main())
