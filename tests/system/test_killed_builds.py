"""A build that is killed leaves the bundle as it was or as it will be, and nothing for long."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinflow.host.core import bundle as bundles
from spinflow.host.core import description, files
from tests import processes

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "build/tfc-mnist"
FULL = os.environ.get("SPINFLOW_FULL") == "1"


def sound(bundle: Path) -> int:
    """Check that a bundle can be loaded; return its build id."""
    described = description.read(bundle)
    described.check_files()
    if described.library("simulator") is not None:
        bundles.load(bundle)
    sources = (bundle / "rtl" / "files.f").read_text(encoding="utf-8").split()
    assert all((bundle / "rtl" / name).exists() or (ROOT / name).exists() for name in sources)
    assert f"{described.build_id:08x}" in (bundle / "rtl" / "accel.sv").read_text().lower()
    return described.build_id


def leftovers(bundle: Path) -> list[Path]:
    """What killed builds have left, once nothing that they started is at work on it."""
    left = [path for path in bundle.parent.iterdir() if path.name.startswith((".work", ".old"))]
    for path in left:
        lock = os.open(path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.close(lock)
    return left


def killed(command: list[str], after: float | None) -> float:
    """Run a command and kill it after so many seconds; return how long it took."""
    begin = time.monotonic()
    process = processes.start(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stderr is not None
    if process.returncode != -signal.SIGKILL:
        assert process.returncode == 0, process.stderr.read()
    process.stderr.close()
    return time.monotonic() - begin


def kills(
    bundle: Path,
    command: Callable[[int], list[str]],
    guess: float,
    quick: int,
    check: Callable[[], None],
) -> None:
    """Kill builds at moments that are spread over a build, check after each; then let one end."""
    chosen = random.Random(20260701)
    count = 20 if FULL else quick
    seconds = killed(command(0), None) if FULL else guess
    for number in range(count):
        killed(command(number), seconds * (number + chosen.random()) / count)
        check()
    killed(command(count), None)
    check()
    leftovers(bundle)
    files.remove_leftovers(bundle)
    assert not leftovers(bundle)


@pytest.mark.slow
def test_killed_bundle_builds(tmp_path: Path) -> None:
    """Each asks for another folding, so that the bundle before and after differ in everything."""
    bundle = tmp_path / "tfc-mnist"
    shutil.copytree(BUNDLE, bundle)
    cycles = (512, 256)
    allowed = {sound(bundle)}
    (bundle / "board").mkdir()
    (bundle / "board" / "accel.bit").write_text("took hours")

    def command(number: int) -> list[str]:
        return [
            "spinflow.hls.build",
            "tfc-mnist",
            "--cycles",
            str(cycles[number % 2]),
            "--out",
            str(bundle),
        ]

    def check() -> None:
        allowed.add(sound(bundle))
        assert len(allowed) <= 2
        assert (bundle / "board" / "accel.bit").read_text() == "took hours"
        assert (bundle / "model.onnx").exists()

    kills(bundle, command, 8.0, 2, check)


@pytest.mark.slow
def test_killed_simulator_builds(tmp_path: Path) -> None:
    bundle = tmp_path / "tfc-mnist"
    shutil.copytree(BUNDLE, bundle)
    before = json.loads((bundle / "accel.json").read_text())["simulator"]["sources"]
    build_id = sound(bundle)
    source = bundle / "rtl" / "accel.sv"
    text = source.read_text()

    def command(number: int) -> list[str]:
        source.write_text(f"{text}\n// {number}\n")  # it is made of something else now
        return ["spinflow.sim.verilate", str(bundle)]

    def check() -> None:
        assert sound(bundle) == build_id

    kills(bundle, command, 20.0, 1, check)
    assert json.loads((bundle / "accel.json").read_text())["simulator"]["sources"] != before


EVENTS = ("os.", "shutil.", "open", "ctypes.")


def killed_at(step: int, job: Callable[[], None]) -> bool:
    """Run a job in a process that kills itself before its so many-th step on the file system."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event.startswith(EVENTS) and event != "os.kill":
                seen += 1
                if seen > step:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            job()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status != 0


@pytest.mark.slow
@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_kill_before_every_step(
    can_exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not can_exchange:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    place = tmp_path / "bundle"

    def lay() -> None:
        shutil.rmtree(place, ignore_errors=True)
        (place / "rtl").mkdir(parents=True)
        (place / "other" / "deep").mkdir(parents=True)
        (place / "other" / "deep" / "kept").write_text("kept")
        (place / "link").symlink_to("one")
        for name in ("one", "two", "rtl/three"):
            (place / name).write_text("old")

    def renew() -> None:
        with files.work_beside(place) as work:
            made = work.path / "made"
            (made / "rtl").mkdir(parents=True)
            for name in ("one", "two", "rtl/three"):
                (made / name).write_text("new")
            files.put_in_place(made, place)

    states, step = [], 0
    while True:
        lay()
        again = killed_at(step, renew)
        if not can_exchange:
            files.remove_leftovers(place)
        found = {(place / name).read_text() for name in ("one", "two", "rtl/three")}
        assert len(found) == 1, (step, found)
        assert (place / "other" / "deep" / "kept").read_text() == "kept"
        assert os.readlink(place / "link") == "one"
        states.append(found.pop())
        renew()
        assert (place / "one").read_text() == "new"
        assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
        if not again:
            break
        step += 1
    assert "old" in states and states[-1] == "new" and step > 20
    assert states == sorted(states, reverse=True)  # old, old, ..., new, new


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    with files.work_beside(place) as one:
        with files.work_beside(place) as other:
            assert one.path.is_dir() and other.path.is_dir()
        files.remove_leftovers(place)
        assert one.path.is_dir()
        mode = one.path.stat().st_mode & 0o777
        assert mode == 0o700
    assert not list(tmp_path.iterdir())
