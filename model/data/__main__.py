"""The command `spinflow data`: find or fetch a data set, check it, print its folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spinflow.host.core import start
from spinflow.model.data import DATASETS, DataError, locate, open_imagenet, parse_classes
from spinflow.model.data.imagenet import CLASSES


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow data",
        description="Find or fetch a data set, check it, and print its folder.",
        epilog="example: spinflow data mnist",
    )
    parser.add_argument("name", choices=list(DATASETS), metavar="NAME", help=", ".join(DATASETS))
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the files")
    parser.add_argument(
        "--classes",
        default=str(CLASSES),
        help="ImageNet: how many of its classes must be there, or their wnids with commas between",
    )
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options), (DataError,))


def run(options: argparse.Namespace) -> None:
    """Find or fetch the data set that the options name, check it whole, and print where it lies."""
    folder = locate(options.name, options.data_dir)
    if options.name == "imagenet":
        open_imagenet(folder, parse_classes(options.classes))
    else:
        DATASETS[options.name].load(folder)
    print(folder)


if __name__ == "__main__":
    sys.exit(main())
