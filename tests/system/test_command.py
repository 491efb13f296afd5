"""The command `spinflow`: its sub-commands, one line for what is wrong, completion."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

import spinflow

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spinflow", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0 and not done.stderr
    for name in spinflow.COMMANDS:
        assert re.search(rf"^  {name} ", done.stdout, re.M)
    assert run().returncode == 2


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_reader_that_ends_early_is_no_fault(option: str) -> None:
    done = subprocess.run(
        f"set -o pipefail; {sys.executable} -m spinflow {option} | true",
        shell=True,
        executable="/bin/bash",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr and done.stderr.count("\n") <= 1


def test_the_version_has_one_home() -> None:
    done = run("--version")
    assert done.stdout == f"spinflow {spinflow.__version__}\n" and done.returncode == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["version"] == {"path": "spinflow.py"}
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {spinflow.__version__}\n" in citation
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {spinflow.__version__}" in changes


def test_what_is_no_command_is_one_line() -> None:
    done = run("swep", "--on", "rtl")
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("spinflow: 'swep' is no command: there are data, train,")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", spinflow.COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    assert importlib.util.find_spec(spinflow.COMMANDS[name].module) is not None
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: spinflow {name} ")
    assert re.search(rf"^ *example: spinflow {name} ", done.stdout, re.M), done.stdout
    assert not done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", spinflow.COMMANDS)
def test_wrong_use_of_a_command_is_one_line(name: str) -> None:
    done = run(name, "--no-such-option")
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("spinflow: ") and done.stderr.count("\n") == 1
    assert f"spinflow {name} --help" in done.stderr


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None\n")
    done = run("export", "tfc-mnist", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "needs the package torch" in done.stderr and "spinflow[train]" in done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [("spinflow sw", {"sweep"}), ("spinflow sweep --scheduler-no", set())],
)
def test_completion(line: str, expected: set[str], tmp_path: Path) -> None:
    assert completed(line, tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweep", "run", "report"])
def test_completion_of_options(name: str, tmp_path: Path) -> None:
    assert "--out" in completed(f"spinflow {name} --", tmp_path) or name == "run"
    assert len(completed(f"spinflow {name} --", tmp_path)) > 2


def completed(line: str, folder: Path) -> set[str]:
    """What a shell with argcomplete's script would offer behind a line."""
    found = folder / "found"
    run(
        _ARGCOMPLETE="1",
        _ARGCOMPLETE_STDOUT_FILENAME=str(found),
        _ARGCOMPLETE_IFS="\n",
        COMP_LINE=line,
        COMP_POINT=str(len(line)),
        COMP_TYPE="9",
    )
    return {word.strip() for word in found.read_text().split("\n") if word.strip()}
