"""The notebooks of docs/notebooks: each is that of its source, runs, and says what is kept of it.

Pictures are compared by their presence; what is printed must be the same on every machine.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.core import stream
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import images_for
from spinflow.host.mtj.models import condition_for_rate, named
from spinflow.sim.engines import engine
from spinflow.sim.sweeps.device import SoftwareAccelerator
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


def test_the_course_expects_what_the_notebooks_say() -> None:
    """Numbers of its table of expected results, and of its answers."""
    course = (notebooks.ROOT / "docs" / "course.md").read_text(encoding="utf-8")
    results = course.split("## Expected results")[1].split("\n## ")[0]
    rows = [row.split("|")[-2] for row in results.splitlines() if re.match(r"\| \d \|", row)]
    said = [notebooks.said(notebooks.kept(name)) for name in notebooks.names()]
    printed = "\n".join(text for notebook in said for cell in notebook for text in cell)
    found = set(re.findall(r"\d+(?:\.\d+)?", printed.replace(",", "")))
    for row in rows:
        for number in re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", row.replace(",", "")):
            short = re.sub(r"^1e-0?", "1e-", number)
            assert number in found or short in ("1e-8", "1e-2", "1e-1"), f"{row}: {number}"


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


@pytest.mark.slow
def test_the_lab_sheet_expects_what_comes_out() -> None:
    """Its table of accuracies, as the sliders of notebook 7 write and classify."""
    bundle = load(notebooks.ROOT / "build" / "tfc-mnist")
    tests = images_for(bundle, 500)
    engine_of = engine("evaluator", bundle=bundle.folder)
    device = SoftwareAccelerator(bundle, engine_of, "evaluator")
    sheet = (notebooks.ROOT / "docs" / "course.md").read_text(encoding="utf-8")
    lines = [line.split("|")[1:-1] for line in sheet.split("## Lab sheet A")[1].splitlines()]
    table = {line[0].strip(): [float(cell) for cell in line[1:]] for line in lines if len(line) == 9
             and "---" not in line[0]}  # fmt: skip
    exponents = table.pop("exponent of the rate")
    assert list(table) == ["weights", "buffers", "all"]
    for where, accuracies in table.items():
        for exponent, accuracy in zip(exponents, accuracies, strict=True):
            threshold = stream.threshold(
                condition_for_rate(named("exponential"), 10**exponent).rate1
            )
            for memory in bundle.memories:
                device.set_thresholds(memory.name, "off")
            for memory in bundle.select(where):
                seed = stream.memory_seed(1, 0, memory.index)
                device.set_thresholds(memory.name, "flip", threshold, threshold, seed)
            device.write_weights(background="random:1")
            right = np.mean(device.run(tests.images) == tests.labels)
            assert round(100 * right, 1) == accuracy, f"{where} at 10^{exponent}"
