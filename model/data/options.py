"""The options of command lines that say of own data what these do not say of themselves."""

from __future__ import annotations

import argparse

from spinflow.model.data.common import DataError
from spinflow.model.data.own import Options
from spinflow.model.data.own.base import size_of


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    own = parser.add_argument_group("data of one's own")
    own.add_argument("--title", default="", help="of the data, for people (default: the file's)")
    own.add_argument(
        "--label",
        default="",
        metavar="COLUMN",
        help="name of a table's column of labels, or its number from 1 in a table without names "
        "(default: label, class, target or y, else the last)",
    )
    own.add_argument(
        "--scale",
        default="",
        metavar="HOW",
        help="how features become bytes: minmax (each feature from its least to its largest "
        "number) or LOW:HIGH; without it they must be whole, 0 to 255 or -128 to 127, or ±1",
    )
    own.add_argument(
        "--size",
        type=_size,
        metavar="ROWSxCOLUMNS",
        help="resize pictures; without it they must be of one size",
    )


def options_of(options: argparse.Namespace) -> Options:
    """Return what the options say."""
    return Options(options.title, options.label, options.scale, options.size)


def is_given(options: argparse.Namespace) -> str | None:
    """Return the first of the options that was given; None if none was."""
    for name in ("title", "label", "scale", "size"):
        if getattr(options, name):
            return f"--{name}"
    return None


def _size(text: str) -> tuple[int, int]:
    try:
        return size_of(text)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
