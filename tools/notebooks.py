"""Make the notebooks of docs/notebooks of their sources: `python -m tools.notebooks [NAME ...]`.

A source, ``docs/notebooks/source/NAME.py``, is a program in the percent form that editors and
jupytext know: ``# %%`` begins a cell of code, ``# %% [markdown]`` one of text, whose lines are
comments. It is run in a kernel of this Python, and ``docs/notebooks/NAME.ipynb`` is written with
what it printed and drew. Nothing is written for a notebook that fails.

A run is compared with what is kept by :func:`said`: texts and the kinds of pictures, cell by cell.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
SOURCES = NOTEBOOKS / "source"
SECONDS = 600
"""After which a cell is given up; notebooks take far less."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""For whatever computes with BLAS, which else waits in all threads for the slowest."""

_CELL = re.compile(r"^# %%( \[markdown\])?\n", re.M)
_LIVING = {"application/vnd.jupyter.widget-view+json", "application/javascript"}
"""Kinds of outputs that only a page with a kernel behind it can show: widgets, pynq's scripts."""


def names() -> list[str]:
    """Return the names of all notebooks, in their order."""
    return sorted(path.stem for path in SOURCES.glob("*.py"))


def made(name: str) -> Any:
    """Return the notebook that a source is, without outputs.

    Raises:
        ValueError: there is something before the first cell, or a line of text is no comment.
    """
    source = (SOURCES / f"{name}.py").read_text(encoding="utf-8")
    first, *parts = _CELL.split(source)
    if first.strip():
        raise ValueError(f"{name}.py: a source begins with `# %%`, not with {first[:40]!r}")
    cells = []
    for number, (kind, text) in enumerate(zip(parts[::2], parts[1::2], strict=True), 1):
        body = text.strip("\n")
        cell = (
            nbformat.v4.new_markdown_cell(_uncommented(name, body))
            if kind
            else nbformat.v4.new_code_cell(body)
        )
        cell["id"] = f"cell-{number:02}"
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _uncommented(name: str, body: str) -> str:
    """Return the text of a cell whose lines are comments."""
    for line in body.splitlines():
        if line != "#" and not line.startswith("# "):
            raise ValueError(f"{name}.py: a line of a cell of text is no comment: {line[:40]!r}")
    return "\n".join(line[2:] for line in body.splitlines())


def run(name: str) -> Any:
    """Return the notebook of a source with the outputs of a run.

    It gets a core: several at a time are faster so, and no sum of floats hangs on the number.

    Raises:
        CellExecutionError: a cell raised.
    """
    notebook = made(name)
    where = {"metadata": {"path": str(NOTEBOOKS)}}
    config = Config({"KernelManager": {"transport_encryption": "auto"}})
    client = NotebookClient(
        notebook, config=config, timeout=SECONDS, startup_timeout=SECONDS, kernel_name="python3",
        resources=where,
    )  # fmt: skip
    client.execute(env=os.environ | ONE_THREAD)
    for cell in notebook.cells:
        cell.metadata.clear()  # times
        if cell.cell_type == "code":
            cell.outputs = _kept(cell.outputs)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.pop("language_info", None)
    return notebook


def _kept(outputs: Sequence[Any]) -> list[Any]:
    """Return outputs as they are kept.

    What only a living page can show is left out, and so are warnings and progress bars, which
    differ from machine to machine. What was printed in several pieces is one piece, however the
    kernel happened to send it.
    """
    kept: list[Any] = []
    for output in outputs:
        if _LIVING & set(output.get("data", {})) or output.get("name") == "stderr":
            continue
        last = kept[-1] if kept else None
        if last and output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            kept.append(output)
    return kept


def said(notebook: Any) -> list[list[str]]:
    """Return what the code cells of a notebook say: texts, and of pictures only their kinds."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found.append([_text(output) for output in cell.outputs])
    return found


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return f"{output.name}: {output.text}"
    if output.output_type == "error":
        return f"error: {output.ename}: {output.evalue}"
    return " ".join(sorted(kind for kind in output.data if kind != "text/plain")) or str(
        output.data["text/plain"]
    )


def kept(name: str) -> Any:
    """Return a notebook as it is kept in the repository."""
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def write(name: str) -> None:
    """Run a notebook and keep it."""
    text = nbformat.writes(run(name))
    (NOTEBOOKS / f"{name}.ipynb").write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Make the notebooks of these names, all if none is given; return the exit status."""
    for name in arguments or names():
        if name not in names():
            print(f"spinflow: notebook {name!r}: there are {', '.join(names())}", file=sys.stderr)
            return 1
        try:
            write(name)
        except CellExecutionError as error:
            print(f"spinflow: {name} fails, and is left as it was:\n{error}", file=sys.stderr)
            return 1
        size = (NOTEBOOKS / f"{name}.ipynb").stat().st_size
        print(f"docs/notebooks/{name}.ipynb, {size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
