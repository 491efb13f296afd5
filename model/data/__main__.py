"""The command `spinflow data`: find or fetch a data set and check it, or say what own data hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from spinflow.host.core import start
from spinflow.host.core.test_sets import TestSet
from spinflow.model.data import (
    DATASETS,
    DataError,
    is_own,
    locate,
    open_imagenet,
    parse_classes,
    read_own,
)
from spinflow.model.data.imagenet import CLASSES
from spinflow.model.data.options import add_options, is_given, options_of
from spinflow.model.data.own import ALL, Own, Part

_MOST_LINES = 20
"""Classes that are listed one by one."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow data",
        description="Find or fetch a data set, check it, and print its folder; or say what a file "
        "or folder of one's own holds.",
        epilog="example: spinflow data mnist",
    )
    parser.add_argument(
        "name", metavar="NAME", help=f"{', '.join(DATASETS)}, or a file or folder of one's own"
    )
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the files")
    parser.add_argument(
        "--classes",
        help="ImageNet: how many of its classes must be there, or their wnids with commas between "
        f"(default {CLASSES})",
    )
    add_options(parser)
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options), (DataError,))


def run(options: argparse.Namespace) -> None:
    """Check the data that the options name, and print where they lie or what they hold."""
    if options.classes is not None and options.name != "imagenet":
        raise DataError(f"--classes is for imagenet, not for {options.name}")
    if is_own(options.name):
        found = read_own(options.name, options.data_dir, options_of(options))
        print("\n".join(facts(found)))
        return
    if (wrong := is_given(options)) is not None:
        raise DataError(f"{wrong} is for data of one's own, not for {options.name}")
    folder = locate(options.name, options.data_dir)
    if options.name == "imagenet":
        open_imagenet(folder, parse_classes(options.classes or str(CLASSES)))
    else:
        DATASETS[options.name].load(folder)
    print(folder)


def facts(held: Own) -> list[str]:
    """Return what own data hold, in lines: title, shape, classes, images of each, fingerprints."""
    if len(held.shape) == 1:
        shape = f"vectors of {held.shape[0]} features"
    else:
        channels, rows, columns = held.shape
        shape = f"images of {rows} x {columns} pixels, {channels} channels"
    lines = [f"{held.title}: {shape}, {held.classes} classes"]
    for name, part in held.parts.items():
        which = "" if name == ALL else f" for {'training' if name == 'train' else 'tests'}"
        set_of = TestSet(part.images, part.labels, "")
        lines.append(f"{len(part.labels)} images{which}, fingerprint {set_of.fingerprint}")
        lines += [f"  {line}" for line in _of_classes(held, part)]
    lines += [f"note: {note}" for note in held.notes]
    if held.numbers:
        lines.append(f"a byte x stands for {held.numbers}")
    return lines


def _of_classes(held: Own, part: Part) -> list[str]:
    """Return how many images each class has, or the fewest and the most."""
    counts = np.bincount(part.labels, minlength=held.classes)
    if held.classes > _MOST_LINES:
        empty = int((counts == 0).sum())
        without = f", none in {empty} classes" if empty else ""
        return [f"{counts[counts > 0].min()} to {counts.max()} images a class{without}"]
    names = held.names or tuple(str(label) for label in range(held.classes))
    return [f"{label:3} {names[label]}: {counts[label]}" for label in range(held.classes)]


if __name__ == "__main__":
    sys.exit(main())
