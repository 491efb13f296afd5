"""Print the device models' tables and curves, and write them as CSV and pictures.

    spinflow physics table asano-2      a table; curve hirtzlin-4: a curve
    spinflow physics all                all of them
    spinflow physics pictures           the pictures of docs/mtj.md
    spinflow physics devices            write energies of published parts, with their sources
    spinflow physics bench              quadrature against Monte Carlo, JSON

Files go to out/mtj: <name>.csv with the units in the column names, <name>.svg and <name>.png.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from spinflow.host.core import start
from spinflow.host.core.tables import aligned
from spinflow.papers import draw, monte_carlo
from spinflow.papers.device import sheet_table
from spinflow.papers.sheets import CURVES, SHEETS, TABLES, Cell, Sheet

EXAMPLE = "example: spinflow physics table asano-2"


def main(arguments: list[str] | None = None) -> int:
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
        for name, make in SHEETS.items():
            draw.sheet(make(), options.out / f"mtj-{name}.svg")
        return
    names = list(SHEETS) if options.command == "all" else [options.name]
    for name in names:
        sheet = SHEETS[name]()
        print(devices_text(sheet) if name == "devices" else text(sheet))
        write(sheet, options.out)


def text(sheet: Sheet) -> str:
    """Return a sheet as a text table: title, aligned columns, note."""
    rows = [sheet.columns, *([_cell(value) for value in row] for row in sheet.rows)]
    return "\n".join([sheet.title, *aligned(rows, right=True), sheet.note, ""])


def devices_text(sheet: Sheet) -> str:
    """Return the devices' sheet as a text table, below it their parts and sources, one a line."""
    numbers = [sheet.columns[:-2], *([_cell(value) for value in row[:-2]] for row in sheet.rows)]
    sources = [f"{row[0]}: {row[-2]}. {row[-1]}" for row in sheet.rows]
    return "\n".join([sheet.title, *aligned(numbers, right=True), sheet.note, "", *sources, ""])


def write(sheet: Sheet, folder: Path) -> None:
    """Write <name>.csv, <name>.svg and <name>.png of a sheet into a folder, made if missing.

    Raises:
        OSError: the folder or a file cannot be written.
    """
    sheet_table(sheet).write(folder / f"{sheet.name}.csv")
    draw.sheet(sheet, folder / f"{sheet.name}.svg", folder / f"{sheet.name}.png")


def _cell(value: Cell) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _parser() -> start.Parser:
    parser = start.Parser(
        prog="spinflow physics",
        description="Print the device models' tables and curves, and write them as files.",
        epilog=EXAMPLE,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for kind, sheets in (("table", TABLES), ("curve", CURVES)):
        command = commands.add_parser(kind, help=f"one {kind}: {', '.join(sheets)}")
        command.add_argument("name", choices=list(sheets), metavar="NAME", help=", ".join(sheets))
        command.add_argument("--out", type=Path, default=Path("out/mtj"), help="folder for files")
    command = commands.add_parser("all", help="all tables and curves")
    command.add_argument("--out", type=Path, default=Path("out/mtj"), help="folder for files")
    command = commands.add_parser("pictures", help="the pictures of docs/mtj.md")
    command.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder")
    command = commands.add_parser(
        "devices", help="write energies of published parts, with their sources"
    )
    command.set_defaults(name="devices")
    command.add_argument("--out", type=Path, default=Path("out/mtj"), help="folder for files")
    commands.add_parser("bench", help="time of the quadrature against Monte Carlo, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
