"""The rooms lean on each other downwards only, and no two files import each other in a circle.

Read off the sources, so an import inside a function counts as well.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Each room and the rooms that it may import from. `host` is the ground floor, `papers` the roof.
# `hw.boards` is a room of its own in `hw`: what a board is, all that build for one read there. In
# `model` it is `model.data`: what is trained and what is imported gets its images there. `hw.cores`
# describes an accelerator to other tools when it is built.
BELOW = {
    "host": set(),
    "model.data": {"host"},
    "model": {"host", "model.data"},
    "hw.boards": {"host"},
    "hw.cores": {"host", "hw.boards"},
    "hls": {"host", "hw.boards", "hw.cores", "model.data"},
    "hw": {"host", "hw.boards", "hw.cores"},
    "sim": {"host", "model", "model.data", "hw.boards"},
    "papers": {"host", "model", "model.data", "sim"},
}


def module(path: Path) -> str:
    parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
    return ".".join(["spinflow", *(parts[:-1] if parts[-1] == "__init__" else parts)])


def modules() -> dict[str, Path]:
    return {
        module(path): path
        for room in BELOW
        for path in sorted((REPOSITORY / room.replace(".", "/")).rglob("*.py"))
    }


def room_of(name: str) -> str:
    """The innermost room that a module is in."""
    return max((room for room in BELOW if f"{name}.".startswith(f"spinflow.{room}.")), key=len)


def imported(name: str, path: Path, known: set[str]) -> set[str]:
    """The modules among those known that a file imports, whole or names of."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            for alias in node.names:
                part = f"{node.module}.{alias.name}"
                found.add(part if part in known else node.module or "")
    rooms = {room.partition(".")[0] for room in BELOW}
    strangers = {other for other in found if other.partition(".")[0] in rooms}
    assert not strangers, f"{path} imports {strangers} without the package's name"
    return found & known - {name}


def graph() -> dict[str, set[str]]:
    found = modules()
    return {name: imported(name, path, set(found)) for name, path in found.items()}


def test_imports_go_down_only() -> None:
    up = [
        f"{name} imports {other}"
        for name, others in graph().items()
        for other in sorted(others)
        if (room := room_of(name)) != (below := room_of(other)) and below not in BELOW[room]
    ]
    assert not up, "\n".join(up)


def test_no_circles() -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        raise AssertionError(" <- ".join(error.args[1])) from None
