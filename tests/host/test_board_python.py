"""What is copied to a board needs no more than its Python 3.10 and numpy 1.21.

The tests run on a newer Python, which would forgive it. So every source is parsed as 3.10, and the
names that it takes from modules are held against those that came later.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = [
    REPOSITORY / "spinflow.py",
    *sorted((REPOSITORY / "host").rglob("*.py")),
]

ON_A_BOARD = {"numpy", "scipy", "tqdm", "matplotlib", "pynq"}
COPIED = ("spinflow.host",)

# Modules and names that came to the standard library after 3.10, and to numpy after 1.21.
LATER: dict[str, str] = {
    "tomllib": "*",
    "wsgiref.types": "*",
    "asyncio": "TaskGroup Runner timeout timeout_at Barrier",
    "builtins": "ExceptionGroup BaseExceptionGroup PythonFinalizationError",
    "contextlib": "chdir",
    "copy": "replace",
    "datetime": "UTC",
    "enum": "StrEnum ReprEnum EnumCheck FlagBoundary verify member nonmember global_enum EnumType",
    "glob": "translate",
    "hashlib": "file_digest",
    "inspect": "getmembers_static markcoroutinefunction getasyncgenstate",
    "itertools": "batched",
    "logging": "getLevelNamesMapping getHandlerByName",
    "math": "cbrt exp2 sumprod fma",
    "operator": "call",
    "os": "process_cpu_count unshare setns",
    "os.path": "isjunction splitroot isreserved",
    "random": "binomialvariate",
    "re": "NOFLAG",
    "sqlite3": "Blob",
    "statistics": "kde kde_random",
    "sys": "exception activate_stack_trampoline monitoring",
    "threading": "setprofile_all_threads settrace_all_threads",
    "typing": "Self Never LiteralString assert_never assert_type reveal_type Required NotRequired "
    "Unpack TypeVarTuple dataclass_transform override TypeAliasType TypeIs ReadOnly NoDefault "
    "get_overloads clear_overloads get_protocol_members is_protocol evaluate_forward_ref",
    "uuid": "uuid6 uuid7 uuid8",
    "warnings": "deprecated",
    "numpy": "exceptions dtypes from_dlpack bitwise_count bitwise_invert bitwise_left_shift "
    "bitwise_right_shift trapezoid concat permute_dims matrix_transpose astype isdtype unstack "
    "cumulative_sum cumulative_prod vecdot matvec vecmat pow acos acosh asin asinh atan atan2 "
    "atanh long ulong unique_all unique_counts unique_inverse unique_values vector_norm bool "
    "show_runtime strings",
}


def faults(source: str) -> Iterator[str]:
    """Give what a board's Python lacks of a source, one line each."""
    tree = ast.parse(source, feature_version=(3, 10))
    modules: dict[str, str] = {}  # names in this source that are modules
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from module_faults(name.name)
                target = name.asname or name.name.partition(".")[0]
                modules[target] = name.name if name.asname else target
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module is not None
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                # A name of a package may be a module of it.
                yield from module_faults(
                    whole if node.module in ("spinflow", "spinflow.host") else node.module
                )
                yield from name_faults(node.module, name.name)
                modules[name.asname or name.name] = whole
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            path = dotted(node.value)
            if path is not None and path.partition(".")[0] in modules:
                first, _, rest = path.partition(".")
                module = ".".join(filter(None, [modules[first], rest]))
                yield from name_faults(module, node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from name_faults("builtins", node.id)


def dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return None


def module_faults(module: str) -> Iterator[str]:
    top = module.partition(".")[0]
    if LATER.get(module) == "*":
        yield f"{module} is newer"
        return
    if any(f"{module}.".startswith(f"{name}.") for name in COPIED):
        return
    if top not in sys.stdlib_module_names | ON_A_BOARD:
        yield f"{module} is not on a board"


def name_faults(module: str, name: str) -> Iterator[str]:
    if name in LATER.get(module, "").split():
        yield f"{module}.{name} is newer"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_a_board_has_all_that_a_source_needs(path: Path) -> None:
    assert list(faults(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import tomllib", "tomllib is newer"),
        ("from datetime import UTC", "datetime.UTC is newer"),
        ("import datetime as d\nd.UTC", "datetime.UTC is newer"),
        ("import os\nos.path.splitroot('/')", "os.path.splitroot is newer"),
        ("from typing import Self", "typing.Self is newer"),
        ("raise ExceptionGroup('', [])", "builtins.ExceptionGroup is newer"),
        ("import numpy as np\nnp.trapezoid([1])", "numpy.trapezoid is newer"),
        ("import numpy as np\nnp.exceptions.AxisError", "numpy.exceptions is newer"),
        ("import torch", "torch is not on a board"),
        (
            "from spinflow.sim.emulator import Emulator",
            "spinflow.sim.emulator is not on a board",
        ),
        ("from spinflow.model import data", "spinflow.model is not on a board"),
        ("import spinflow.model.evaluate", "spinflow.model.evaluate is not on a board"),
    ],
)
def test_what_a_board_lacks_is_found(source: str, fault: str) -> None:
    assert list(faults(source)) == [fault]


@pytest.mark.parametrize("source", ["try:\n    f()\nexcept* OSError:\n    pass", "type A = int"])
def test_newer_syntax_is_found(source: str) -> None:
    with pytest.raises(SyntaxError):
        list(faults(source))
