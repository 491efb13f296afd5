"""docs/reproduction.md and its pictures, from the CSV tables that are kept beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from spinflow.host.core.files import replace_text
from spinflow.host.core.tables import markdown
from spinflow.model import store
from spinflow.model.train import epochs_in_words
from spinflow.papers import asano, comparisons, draw, hirtzlin, injection, tzoufras
from spinflow.papers.item import STANDS_IN, Item, Line, ReproduceError, Table

PAPERS: tuple[ModuleType, ...] = (hirtzlin, tzoufras, asano, comparisons, injection)
"""The files that hold items, in the order of the page."""


def items_of(papers: Iterable[ModuleType]) -> dict[str, Item]:
    """Return the items of files by name."""
    return {item.name: item for paper in papers for item in paper.ITEMS}


ITEMS = items_of(PAPERS)
"""All figures and tables by name."""

DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "results" / "papers"
PAGE = DOCS / "reproduction.md"
PICTURES = DOCS / "pictures"

HEAD = ("what", "published", "ours", "95 % interval", "repeats", "images", "command")

_INTRODUCTION = """\
# The papers' figures and tables, measured anew

    make papers                                        # all of them, to out/papers
    spinflow papers hirtzlin-2               # one: its CSV, SVG and PNG
    spinflow papers page --take out/papers   # keep those: this page anew

All of them take two cores over an hour, most of it for the VGG and the networks that run at
PyTorch's speed; `--images 1000` is a quick look.

Accuracies are measured by the [evaluator](evaluator.md), with its fast random stream, on networks
of the zoo (`model/zoo`). Errors flip bits as they are written; weights are loaded once, feature
maps written for every image. Repeat n has the same seeds at every rate. Intervals over repeats are
Student's t; without errors there is nothing to repeat, and the interval is Wilson's, over the
choice of images. Energies come from the [device models](mtj.md), which say what of them is
**deduced** because no paper prints it.

What needs weights, data or a GPU that are not there is skipped by name, with the reason. Nothing
is filled in: every number under "ours" comes from the CSV files in
[results/papers](results/papers), from which this page is made. A network that is not the paper's
says so.
"""


def text(tables: dict[str, Table]) -> str:
    """Return the page of tables by name."""
    parts = [_INTRODUCTION]
    rows = []
    for name, item in ITEMS.items():
        if name in tables:
            state = _state(item.lines(tables[name]))
            rows.append((f"[{name}](#{name})", item.source, item.title, state))
    parts.append(markdown(("name", "source", "what", "state"), rows) + "\n")
    parts += [_section(ITEMS[name], tables[name]) for name in ITEMS if name in tables]
    return "\n".join(parts)


def _state(lines: Sequence[Line]) -> str:
    """Return in words how much of an item was measured."""
    missing = sum(line.ours.startswith("skipped") for line in lines)
    stand_ins = sum(line.published == STANDS_IN for line in lines)
    if missing == len(lines):
        return "skipped"
    parts = ["measured"] if missing + stand_ins < len(lines) else []
    parts += ["with another network than the paper's"] if stand_ins else []
    parts += [f"{missing} of the networks skipped"] if missing else []
    return ", ".join(parts)


def _section(item: Item, table: Table) -> str:
    command = f"`{table.rows[0]['command']}`"
    rows = [(*cells(line), command) for line in item.lines(table)]
    notes = [f"{item.title} ({item.source}).", item.note.strip(), *part_way(table)]
    parts = [f"## {item.name}\n", " ".join(filter(None, notes)) + "\n"]
    shown = picture_of(item, table)
    if shown:
        parts.append(f"![{item.title}](pictures/{shown})\n")
    parts.append(markdown(HEAD, rows) + "\n")
    return "\n".join(parts)


def part_way(table: Table) -> list[str]:
    """Return a sentence for every network of a table that was trained for a part of its recipe."""
    names = dict.fromkeys(row["network"] for row in table.rows if row.get("network"))
    found = []
    for name in names:
        path = store.ZOO / f"{name}.json"
        # A variant has a label, and a table that says how it was trained.
        if "+" in name or table.skipped(name) or not path.is_file():
            continue
        words_of = epochs_in_words(json.loads(path.read_text()))
        if " of " in words_of:
            found.append(f"{name} was trained part way: {words_of}.")
    return found


def cells(line: Line) -> tuple[str, ...]:
    """Return a line's cells, in the order of HEAD without the command."""
    return line.what, line.published, line.ours, line.interval, line.repeats, line.images


def picture_of(item: Item, table: Table) -> str:
    """Return the file name of an item's picture, empty if there is nothing to show."""
    if item.picture:
        return item.picture
    if item.draw is None or all(row.get("skipped") for row in table.rows):
        return ""
    return f"papers-{item.name}.svg"


def kept(folder: Path | None = None) -> dict[str, Table]:
    """Return the tables of a folder, KEPT if none is given, by name, in the order of the page.

    Raises:
        ReproduceError: there are none, or one is damaged.
    """
    folder = KEPT if folder is None else folder
    found = {
        name: Table.read(folder / f"{name}.csv")
        for name in ITEMS
        if (folder / f"{name}.csv").is_file()
    }
    if not found:
        raise ReproduceError(f"{folder} holds no table: spinflow papers all makes them")
    empty = [name for name, table in found.items() if not table.rows]
    if empty:
        raise ReproduceError(f"{folder / empty[0]}.csv: has no rows")
    return found


def make(take: Path | None = None) -> list[Path]:
    """Write the page and its pictures from the tables that are kept.

    Args:
        take: take the tables over from this folder first.

    Returns:
        The files written.

    Raises:
        ReproduceError: as :func:`kept`.
    """
    if take is not None:
        for name, table in kept(take).items():
            table.write(KEPT / f"{name}.csv")
    tables = kept()
    written = [PAGE]
    for name, table in tables.items():
        item = ITEMS[name]
        if picture_of(item, table) and not item.picture:
            path = PICTURES / f"papers-{name}.svg"
            draw.picture(item, table, path)
            written.append(path)
    replace_text(PAGE, text(tables))
    return written
