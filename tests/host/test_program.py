"""How programs end: one line with one prefix, exit statuses as stated, one tree of errors."""

from __future__ import annotations

import argparse
import ast
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import NoReturn

import pytest

from spinflow.host.__main__ import main
from spinflow.host.core import errors, start
from spinflow.sim.sweep import main as sweep

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("host", "model", "hls", "hw", "sim", "papers")

# Not for people: caught where they are raised, or on a board without this package beside it.
INTERNAL = {"WrongError", "SkippedError", "BoardError"}


def fail(error: BaseException) -> Callable[[], NoReturn]:
    def command() -> NoReturn:
        raise error

    return command


@pytest.mark.parametrize(
    ("command", "status", "line"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 3, ""),
        (fail(errors.InputError("no such layer")), 1, "spinflow: no such layer\n"),
        (fail(errors.SpinflowError("a\nb")), 1, "spinflow: a b\n"),
        (fail(FileNotFoundError(2, "No such file", "x")), 1, "spinflow: x: No such file\n"),
        (fail(SystemExit("no such network")), 1, "spinflow: no such network\n"),
        (fail(MemoryError()), 1, "spinflow: there is not enough memory\n"),
        (fail(KeyboardInterrupt()), 130, "spinflow: interrupted: rows are kept\n"),
        (fail(start.Terminated(signal.SIGTERM)), 143, "spinflow: ended: rows are kept\n"),
    ],
)
def test_each_end_has_its_status_and_its_line(
    command: Callable[[], int | None], status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start.finish(command, interrupted="rows are kept") == status
    assert capsys.readouterr().err == line


def test_a_wrong_command_line_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--images", "0", "--bundle", "x"])
    assert stopped.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("spinflow: argument --images: '0': a whole number from 1 to")
    assert text.endswith("(see spinflow run --help)\n") and text.count("\n") == 1


@pytest.mark.parametrize("command", ["info", "run", "throughput", "selftest"])
def test_a_bundle_stands_alone_or_behind_its_option(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from spinflow.host.__main__ import _parser

    alone = _parser().parse_args([command, "build/a"])
    behind = _parser().parse_args([command, "--bundle", "build/a"])
    assert alone == behind and alone.bundle == Path("build/a")
    for words in ([], ["build/a", "--bundle", "build/b"]):
        with pytest.raises(SystemExit) as stopped:
            main([command, *words])
        text = capsys.readouterr().err
        assert stopped.value.code == 2 and "bundle" in text and text.count("\n") == 1


def test_a_value_may_begin_as_a_negative_number() -> None:
    parser = start.Parser()
    parser.add_argument("--scale")
    parser.add_argument("--read-voltage", type=float)
    found = parser.parse_args(["--scale", "-1:1", "--read-voltage", "-1e-1"])
    assert (found.scale, found.read_voltage) == ("-1:1", -0.1)


@pytest.mark.parametrize("command", ["info", "run", "throughput", "sweep", "report", "selftest"])
def test_the_help_of_each_command_has_an_example_that_parses(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert not stopped.value.code
    text = " ".join(capsys.readouterr().out.split())
    example = text.rpartition("example: spinflow ")[2].split()
    assert example[0] == command
    from spinflow.host.__main__ import _parser

    assert isinstance(_parser().parse_args(example), argparse.Namespace)


def test_all_errors_for_people_are_of_one_tree() -> None:
    """Every exception class of the sources descends from SpinflowError."""
    bases: dict[str, set[str]] = {}
    for room in ROOMS:
        for path in (REPOSITORY / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                    names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                    bases.setdefault(node.name, set()).update(names)

    def descends(name: str) -> bool:
        return name == "SpinflowError" or any(descends(base) for base in bases.get(name, ()))

    assert bases.keys() >= {"SpinflowError", "DataError", "SweepError"}
    strangers = sorted(name for name in bases if not descends(name))
    assert set(strangers) - INTERNAL == set(), strangers


def test_a_shell_that_asks_gets_what_may_follow(tmp_path: Path) -> None:
    pytest.importorskip("argcomplete")
    words = "spinflow selftest --f"
    answer = tmp_path / "answer"
    subprocess.run(
        [
            *[sys.executable, "-c"],
            f"import os; os.dup2(os.open({str(answer)!r}, os.O_WRONLY | os.O_CREAT), 8); "
            "from spinflow.host.__main__ import main; main([])",
        ],
        env={
            **os.environ, "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": words,
            "COMP_POINT": str(len(words)), "PYTHONPATH": str(REPOSITORY),
        },
        check=True,
    )  # fmt: skip
    assert answer.read_text().strip() == "--full"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda described: described.pop("accuracy"), "it has no accuracy"),
        (lambda described: described.update(accuracy=None), "accuracy is None: it must be an "),
        (
            lambda described: described.update(accuracy={"software": None, "images": None}),
            "accuracy.images is None: it must be a whole number from 1",
        ),
    ],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "--bundle"],
        ["selftest"],
        ["throughput", "--bundle"],
        ["run", "--bundle"],
        ["sweep", "--rates", "0", "--bundle"],
        ["sweep", "--on", "evaluator", "--rates", "0", "--bundle"],
    ],
    ids=lambda arguments: " ".join(arguments[:3:2]),
)
def test_a_bundle_of_unknown_accuracy_is_refused_in_one_line(
    changed_bundle: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    change: Callable[[dict[str, object]], object],
    line: str,
) -> None:
    folder = changed_bundle(change)
    before = sorted(folder.parent.iterdir())
    with chdir(folder.parent):
        if "--on" in arguments:
            assert sweep([*arguments[1:], str(folder)]) == 1
        else:
            assert main([*arguments, str(folder)]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"spinflow: {folder}/accel.json: {line}")
    assert shown.count("\n") == 1 and len(shown) < 300
    assert sorted(folder.parent.iterdir()) == before
