"""The wheel: what it holds, and that it works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made as pip makes it, without looking for anything on the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("spinflow-*.whl")
    return made


def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    rooms = {f"{room}/" for room in ("host", "hw", "model", "hls", "sim", "papers")}
    wanted = {f"spinflow/{path}" for path in tracked if path.split("/")[0] + "/" in rooms}
    found = {name for name in names(wheel) if ".dist-info/" not in name}
    assert found - wanted == {"spinflow/__init__.py"}
    assert not wanted - found


def test_the_wheel_holds_no_test_and_no_build_product(wheel: Path) -> None:
    for name in names(wheel):
        parts = name.split("/")
        assert not {"tests", "tools", "build", "out", "__pycache__", ".venv"} & set(parts), name
        assert not name.endswith((".so", ".pyc")), name


def test_the_command_is_started_as_it_is_everywhere() -> None:
    """Installed, the package has no __main__: `python -m spinflow` is of checkouts and boards."""
    for room in ("host", "model", "hls", "sim", "hw", "papers"):
        for path in (ROOT / room).rglob("*.py"):
            assert '"-m", "spinflow",' not in path.read_text(encoding="utf-8"), path


def test_an_editable_installation_leads_to_the_checkout(tmp_path: Path) -> None:
    """It must hold no copy of the package, which would come before the checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel:editable", "-d"]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.glob("*.whl")
    found = {name for name in names(made) if ".dist-info/" not in name}
    assert found == {"_spinflow.pth"}
    assert zipfile.ZipFile(made).read("_spinflow.pth").decode() == str(ROOT)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents; packages of others are those of this Python."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run(installed: Path, where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = "import sys, spinflow; sys.exit(spinflow.main())"
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=where,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_sweep_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in installed.rglob("*") if path.is_file()}
    sweep = ["sweep", "--on", "evaluator", "--network", "tfc-mnist", "--images", "200"]
    sweep += ["--rates", "0", "1e-2", "--repeats", "1", "--out", "out", "--workers", "1"]
    done = run(installed, tmp_path, *sweep)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "results.csv").is_file()
    done = run(installed, tmp_path, "report", "out/results.csv", "--out", "again")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again" / "report.html").is_file()
    assert "tfc-mnist" in done.stdout
    after = {path: path.stat().st_mtime_ns for path in installed.rglob("*") if path.is_file()}
    assert before == {path: when for path, when in after.items() if path in before}
    made = {path for path in after if path not in before and "__pycache__" not in path.parts}
    assert not made, "something was written into the package"


def test_it_is_the_package_that_runs(installed: Path, tmp_path: Path) -> None:
    program = "import spinflow, spinflow.host as host; print(spinflow.__file__, host.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(installed)) for path in done.stdout.split())
