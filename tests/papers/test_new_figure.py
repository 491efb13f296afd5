"""A figure is one `Item` in one file: it is measured, drawn and on the page with no other edit."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spinflow.papers import page, style
from spinflow.papers.__main__ import main

FILE = '''
"""A paper of tomorrow."""

from spinflow.papers import draw, style
from spinflow.papers.item import Item, Line, Table


def squares(setting):
    rows = [{"x": x, "y": x * x, "command": setting.command("squares")} for x in range(4)]
    return Table.of(("x", "y", "command"), rows)


def lines(table):
    return [Line("the last square", "9", table.rows[-1]["y"])]


def drawn(table, panels):
    (axes,) = panels
    axes.plot([int(row["x"]) for row in table.rows], [int(row["y"]) for row in table.rows])


ITEMS = (
    Item("squares", "Tomorrow 2031, figure 1", "Squares", squares, lines, "A note.", drawn),
)
'''


@pytest.fixture
def tomorrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A file of one figure, as it would lie in papers/."""
    path = tmp_path / "tomorrow.py"
    path.write_text(FILE)
    spec = importlib.util.spec_from_file_location("tomorrow", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tomorrow", module)
    spec.loader.exec_module(module)
    return module


def test_a_figure_touches_one_file(
    tomorrow: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(page, "ITEMS", page.items_of((*page.PAPERS, tomorrow)))
    out, docs = tmp_path / "out", tmp_path / "docs"
    assert main(["squares", "--out", str(out)]) == 0
    assert "the last square  9          9" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [
        "squares.csv", "squares.png", "squares.svg",
    ]  # fmt: skip
    for name, place in (("KEPT", "results"), ("PAGE", "page.md"), ("PICTURES", "pictures")):
        monkeypatch.setattr(page, name, docs / place)
    written = page.make(out)
    assert written == [docs / "page.md", docs / "pictures" / "papers-squares.svg"]
    assert (docs / "pictures" / "papers-squares.svg").stat().st_size > 0
    assert (docs / "results" / "squares.csv").read_bytes() == (out / "squares.csv").read_bytes()
    content = (docs / "page.md").read_text(encoding="utf-8")
    assert "Squares (Tomorrow 2031, figure 1). A note." in content
    assert "| the last square | 9 | 9 |" in content and "`spinflow papers squares`" in content


def test_names_of_figures_are_unique() -> None:
    assert len(page.ITEMS) == sum(len(paper.ITEMS) for paper in page.PAPERS)


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (3, 1), (4, 2), (5, 3)])
def test_many_panels_are_in_rows_of_two(count: int, rows: int, tmp_path: Path) -> None:
    seen: list[Any] = []
    titles = [f"panel {number}" for number in range(count)]
    style.draw(titles, seen.extend, [tmp_path / "a.svg"])
    assert [axes.get_title() for axes in seen] == titles
    assert len({axes.get_subplotspec().rowspan.start for axes in seen}) == rows
    assert len(seen[0].figure.axes) == count
