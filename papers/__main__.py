"""Measure the papers' figures and tables anew, and write them as CSV, pictures and a page.

    spinflow papers hirtzlin-2 asano-7      # these, to out/papers
    spinflow papers all                     # all of them; `make papers`
    spinflow papers page                    # docs/reproduction.md from its CSV files
    spinflow papers tzoufras-1 --train --out FOLDER
    torchrun --nproc-per-node 4 -m spinflow.papers tzoufras-3 --train --device cuda --out FOLDER

Each prints its lines and writes <name>.csv, <name>.svg and <name>.png. Finished trials are kept in
measured/ under the folder, so a run that was stopped goes on with the same command. What cannot be
measured here is named with the reason.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spinflow.host.core import start
from spinflow.host.core.options import seed, whole
from spinflow.host.core.tables import aligned
from spinflow.papers import draw, page
from spinflow.papers.item import OUT, SEED, TEST_IMAGES, ReproduceError, Setting


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    return start.finish(
        lambda: make(options),
        (ValueError,),
        "the same command goes on from here",
    )


def make(options: argparse.Namespace) -> None:
    """Do what the options ask for."""
    if "page" in options.names:
        if options.names != ["page"]:
            raise ReproduceError("page stands alone: it makes the page from CSV files")
        for path in page.make(options.take):
            print(path)
        return
    if options.take is not None:
        raise ReproduceError("--take goes with page")
    if options.train:
        if len(options.names) != 1:
            raise ReproduceError("--train is for one figure at a time")
        from spinflow.papers import trainings

        device = options.device or "cpu"
        print(trainings.run(options.names[0], options.out, options.epochs, device))
        return
    for name in ("epochs", "device"):
        if getattr(options, name) is not None:
            raise ReproduceError(f"--{name} goes with --train")
    setting = _setting(options)
    names = list(page.ITEMS) if "all" in options.names else list(dict.fromkeys(options.names))
    for name in names:
        run(name, setting)


def run(name: str, setting: Setting) -> None:
    """Measure one figure, print its lines and write its files."""
    item = page.ITEMS[name]
    table = item.collect(setting)
    table.write(setting.out / f"{name}.csv")
    lines = item.lines(table)
    print(f"{item.title} ({item.source})")
    print("\n".join(aligned([page.HEAD[:-1], *map(page.cells, lines)])))
    print(f"{item.note}\n" if item.note else "")
    pictures = [setting.out / f"{name}.{end}" for end in ("svg", "png")]
    if item.sheet is not None:
        draw.sheet(item.sheet(), *pictures)
    elif page.picture_of(item, table):
        draw.picture(item, table, *pictures)


def _setting(options: argparse.Namespace) -> Setting:
    if options.images < 1:
        raise ReproduceError(f"{options.images} images: at least 1 is needed")
    if options.repeats is not None and options.repeats < 2:
        raise ReproduceError(f"{options.repeats} repeats: an interval needs at least 2")
    return Setting(options.out, options.images, options.repeats, options.seed)


def _parser() -> start.Parser:
    parser = start.Parser(
        prog="spinflow papers",
        description="Measure the papers' figures and tables anew, as CSV, pictures and a page.",
        epilog="example: spinflow papers hirtzlin-2 --images 1000",
    )
    parser.add_argument(
        "names", nargs="+", metavar="NAME", choices=[*page.ITEMS, "all", "page"],
        help=f"{', '.join(page.ITEMS)}; all, or page",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder (default {OUT})")
    parser.add_argument(
        "--images",
        type=whole(1, 10000),
        default=TEST_IMAGES,
        help="test images (default %(default)s)",
    )
    parser.add_argument(
        "--repeats", type=whole(2, 2**26 - 1), help="of every point (default: the paper's number)"
    )
    parser.add_argument(
        "--seed", type=seed, default=SEED, help="of the errors (default %(default)s)"
    )
    parser.add_argument(
        "--take", type=Path, metavar="FOLDER", help="page: take over the CSV files of this folder"
    )
    parser.add_argument(
        "--train", action="store_true", help="tzoufras-1 to 4: train in the folder --out"
    )
    parser.add_argument(
        "--epochs", type=whole(1, 10**6), help="of each of them (default: the recipe's)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="to train on (default cpu)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
