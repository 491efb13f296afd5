"""Command line of :mod:`model.data`: find or fetch a data set, check it, print its folder."""

from __future__ import annotations

import sys
from pathlib import Path

from spinflow.host.core import start
from spinflow.model.data import DATASETS, DataError, locate, open_imagenet, parse_classes
from spinflow.model.data.imagenet import CLASSES


def main(arguments: list[str] | None = None) -> None:
    """Find or fetch a data set, check it whole, and print where it lies."""
    parser = start.Parser(
        prog="spinflow data",
        description="Fetch and check a data set; print its folder.",
    )
    parser.add_argument("name", choices=list(DATASETS))
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the files")
    parser.add_argument(
        "--classes",
        default=str(CLASSES),
        help="ImageNet: how many of its classes must be there, or their wnids with commas between",
    )
    options = parser.parse_args(arguments)
    try:
        folder = locate(options.name, options.data_dir)
        if options.name == "imagenet":
            open_imagenet(folder, parse_classes(options.classes))
        else:
            DATASETS[options.name].load(folder)
        print(folder)
    except (DataError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    sys.exit(start.finish(main))
