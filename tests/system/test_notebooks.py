"""The notebooks of docs/notebooks: each is that of its source, runs, and says what is kept of it.

Pictures are compared by their presence; what is printed must be the same on every machine.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import notebooks

PAGES = notebooks.NOTEBOOKS
MAIN = [name for name in notebooks.names() if not name.endswith("-solutions")]
MOST_BYTES = 300_000


def texts(name: str) -> str:
    """All text of a notebook that is no code."""
    return "\n".join(
        cell.source for cell in notebooks.made(name).cells if cell.cell_type == "markdown"
    )


def test_each_has_its_solutions() -> None:
    assert [name[0] for name in MAIN] == [str(number) for number in range(1, len(MAIN) + 1)]
    assert set(notebooks.names()) == {*MAIN, *(f"{name}-solutions" for name in MAIN)}
    assert {path.stem for path in PAGES.glob("*.ipynb")} == set(notebooks.names())


@pytest.mark.parametrize("name", notebooks.names())
def test_what_is_kept_is_of_the_source(name: str) -> None:
    kept, made = notebooks.kept(name), notebooks.made(name)
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [
        (cell.cell_type, cell.source) for cell in made.cells
    ], "run make notebooks"
    said = [text for cell in notebooks.said(kept) for text in cell]
    assert said and not [text for text in said if text.startswith(("error", "stderr"))]
    assert (PAGES / f"{name}.ipynb").stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", MAIN)
def test_each_has_aims_exercises_and_a_picture(name: str) -> None:
    text = texts(name)
    assert text.startswith(f"# {name[0]}. ") and "**Aims.**" in text and "**Needed.**" in text
    exercises = re.findall(r"^\d\. \*", text.split("## Exercises")[1], re.M)
    assert len(exercises) in (2, 3)
    solved = re.findall(r"^## (\d)\. ", texts(f"{name}-solutions"), re.M)
    assert solved == [str(number) for number in range(1, len(exercises) + 1)]
    assert any("image/png" in cell for cell in notebooks.said(notebooks.kept(name)))


@pytest.mark.parametrize("name", notebooks.names())
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", texts(name)):
        if "://" not in target:
            assert (PAGES / target).exists(), f"{name} links to {target}"


def test_no_path_and_no_time_is_printed() -> None:
    for name in notebooks.names():
        printed = "\n".join(text for cell in notebooks.said(notebooks.kept(name)) for text in cell)
        for place in (str(notebooks.ROOT), str(Path.home()), "/tmp/"):
            assert place not in printed, name


@pytest.mark.slow
@pytest.mark.parametrize("name", notebooks.names())
def test_it_runs_and_says_what_is_kept(name: str) -> None:
    kept, found = notebooks.said(notebooks.kept(name)), notebooks.said(notebooks.run(name))
    for number, (was, now) in enumerate(zip(kept, found, strict=True)):
        assert now == was, f"{name}, code cell {number}: make notebooks keeps what is said now"


def test_another_number_is_another_output() -> None:
    """What compares must see a digit, and a picture that is gone."""
    notebook = notebooks.kept("5-memories-that-err")
    before = notebooks.said(notebook)
    cell = next(cell for cell in notebook.cells if cell.get("outputs"))
    cell.outputs[0].text = cell.outputs[0].text.replace("1", "2", 1)
    assert notebooks.said(notebook) != before
    notebook = notebooks.kept("5-memories-that-err")
    pictured = [c for c in notebook.cells if any("data" in o for o in c.get("outputs", ()))]
    pictured[0].outputs = [o for o in pictured[0].outputs if "data" not in o]
    assert notebooks.said(notebook) != before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("import os\n# %%\n", "begins with"), ("# %% [markdown]\nwords\n", "is no comment")],
)
def test_a_source_in_another_form_is_refused(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "SOURCES", tmp_path)
    (tmp_path / "wrong.py").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        notebooks.made("wrong")
