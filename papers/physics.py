"""Print the device models' tables and curves, and write them as CSV and pictures.

    spinflow physics table asano-2      a table; curve hirtzlin-4: a curve
    spinflow physics all                all of them
    spinflow physics pictures           the pictures of docs/mtj.md
    spinflow physics bench              quadrature against Monte Carlo, JSON

Files go to out/mtj: <name>.csv with the units in the column names, <name>.svg and <name>.png.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from spinflow.host.core import start
from spinflow.papers import monte_carlo
from spinflow.papers.published import KINDS, SHEETS, Cell, Sheet

_DPI = 110


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    return start.finish(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Make what the options name.

    Raises:
        OSError: a file cannot be written.
    """
    if options.command == "bench":
        print(json.dumps(monte_carlo.quadrature_against_monte_carlo(), indent=2))
        return
    if options.command == "pictures":
        options.out.mkdir(parents=True, exist_ok=True)
        for name, make in SHEETS.items():
            draw(make(), options.out / f"mtj-{name}.svg")
        return
    names = list(SHEETS) if options.command == "all" else [options.name]
    for name in names:
        sheet = SHEETS[name]()
        print(text(sheet))
        write(sheet, options.out)


def text(sheet: Sheet) -> str:
    """Return a sheet as a text table: title, aligned columns, note."""
    cells = [list(sheet.columns)] + [[_cell(value) for value in row] for row in sheet.rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(sheet.columns))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    ]
    return "\n".join([sheet.title, *lines, sheet.note, ""])


def write(sheet: Sheet, folder: Path) -> None:
    """Write <name>.csv, <name>.svg and <name>.png of a sheet into a folder, made if missing.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{sheet.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(sheet.columns)
        writer.writerows(
            [f"{cell:.9g}" if isinstance(cell, float) else cell for cell in row]
            for row in sheet.rows
        )
    draw(sheet, folder / f"{sheet.name}.svg", folder / f"{sheet.name}.png")


def draw(sheet: Sheet, *paths: Path) -> None:
    """Draw a sheet into files, the same bytes every time.

    Raises:
        OSError: a file cannot be written.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Without these, an SVG carries the date and random ids.
    style = {
        "svg.hashsalt": "spinflow", "svg.fonttype": "path", "font.size": 11,
        "legend.fontsize": 9, "legend.framealpha": 0.9, "figure.facecolor": "white",
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7.6, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        axes.set_axisbelow(True)
        axes.grid(True, color="#dddddd", linewidth=0.6)
        sheet.draw(axes)
        axes.set_title(sheet.title, fontsize=11)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, dpi=_DPI, metadata=metadata)


def _cell(value: Cell) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parser() -> start.Parser:
    parser = start.Parser(prog="spinflow physics", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for kind, names in KINDS.items():
        command = commands.add_parser(kind, help=f"one {kind}")
        command.add_argument("name", choices=names)
        command.add_argument("--out", type=Path, default=Path("out/mtj"), help="folder for files")
    command = commands.add_parser("all", help="all tables and curves")
    command.add_argument("--out", type=Path, default=Path("out/mtj"), help="folder for files")
    command = commands.add_parser("pictures", help="the pictures of docs/mtj.md")
    command.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder")
    commands.add_parser("bench", help="quadrature against Monte Carlo, JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
