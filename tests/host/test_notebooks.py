"""Notebooks 4 to 7 as a board runs them: the packages that it has, and no room but host.

A source of a notebook is a program. It runs here under this Python, a board's in `make test-board`,
without ipywidgets, numba or torch, on the virtual board, and says what the notebook says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "docs" / "notebooks"
NAMES = sorted(
    path.stem for path in (NOTEBOOKS / "source").glob("[4-7]-*.py") if "-solutions" not in path.stem
)
OTHERWISE = ("measured by ", "no ipywidgets ")
"""Beginnings of lines that say which of two ways a notebook took."""

# What a board lacks cannot be imported, and of the simulation only what plays the board.
START = """
import runpy, sys
ABSENT = {"ipywidgets", "numba", "torch", "brevitas", "finn", "qonnx", "onnx"}
ROOMS = ("spinflow.sim.evaluator", "spinflow.sim.engines", "spinflow.sim.sweeps", "spinflow.model",
         "spinflow.hls", "spinflow.papers")
class Board:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT or name.startswith(ROOMS):
            raise ModuleNotFoundError(f"a board has no {name}", name=name)
sys.meta_path.insert(0, Board())
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(OTHERWISE)]


def kept(name: str) -> list[str]:
    """What the notebook prints; nbformat is nothing that a board's tests need."""
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return lines("".join("".join(output.get("text", "")) for output in outputs))


def test_there_are_four() -> None:
    assert [name[0] for name in NAMES] == ["4", "5", "6", "7"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_with_what_a_board_has(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START, f"source/{name}.py"],
        cwd=NOTEBOOKS,
        env=os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout) == kept(name)
