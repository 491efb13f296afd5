"""Sweeps on several virtual boards: the files of one, byte for byte, whatever happens to them."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from spinflow.host.core import bundle as bundles
from spinflow.host.core.errors import HostError
from spinflow.host.core.test_sets import images_for
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.results import read
from spinflow.host.sweep.trials import grid
from spinflow.sim.sweep import main
from spinflow.sim.sweeps.boards import on_boards
from tests import processes
from tests.sim.clusters import REPOSITORY
from tests.sim.test_sweep_kills import children_of, expect_no_orphans, rows_of, start

BUNDLE = REPOSITORY / "build" / "tfc-mnist"
ON_RTL = ["--bundle", str(BUNDLE), "--on", "rtl"]
GRIDS = {
    "both modes and memories, over what trials before leave": [
        *["--images", "20", "--repeats", "2", "--rates", "0", "0.03", "--mode", "flip", "switch"],
        *["--memory", "weights", "buffers", "all", "--background", "previous", "random:3"],
    ],
    "aged weights": [
        *["--images", "20", "--repeats", "2", "--rates", "0", "0.03", "--memory", "weights", "all"],
        *["--retention-s", "0", "1e3", "--delta", "35"],
    ],
    "as many repeats as a width needs": [
        *["--images", "20", "--repeats", "2", "--rates", "0.1", "0.2", "--memory", "weights"],
        *["--until-width", "0.2", "--max-repeats", "6"],
    ],
}
# Trials that take long enough to be interrupted.
LONG = [
    *[*ON_RTL, "--images", "200", "--repeats", "6", "--rates", "0.01", "0.1"],
    *["--memory", "weights", "buffers"],
]
TRIALS = 6 * 2 * 2


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
@pytest.mark.parametrize("options", GRIDS.values(), ids=GRIDS.keys())
def test_two_boards_write_the_files_of_one(tmp_path: Path, options: list[str]) -> None:
    for boards in "12":
        out = ["--workers", boards, "--out", str(tmp_path / boards)]
        assert main([*ON_RTL, *options, *out]) == 0
    found = files_of(tmp_path / "2")
    assert found == files_of(tmp_path / "1")
    assert set(found) == {"report.html", "results.csv", "summary.json"}
    if "--until-width" in options:
        assert max(row.repeat for row in read(tmp_path / "2" / "results.csv")) > 1


def test_a_row_depends_on_its_trial_alone() -> None:
    """Times in cycles included: measured forwards, backwards and each on a fresh board."""
    bundle = bundles.load(BUNDLE)
    tests = images_for(bundle, 5)
    trials = grid(
        bundle,
        selections=["weights", "fc1", "buffers"],
        modes=["flip"],
        points=[point_of_rate(rate) for rate in (0.0, 0.1)],
        backgrounds=["previous", "ones"],
        repeats=2,
        seed=5,
    )
    forwards = [row for row, _ in on_boards(bundle, tests, 1)(trials)]
    backwards = [row for row, _ in on_boards(bundle, tests, 1)(trials[::-1])]
    assert forwards == backwards[::-1]
    for place in (3, len(trials) - 1):
        ((row, _),) = on_boards(bundle, tests, 1)(trials[place : place + 1])
        assert row == forwards[place]


def test_what_a_worker_cannot_load_is_said_as_one_board_says_it(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("obj_*", "rtl", "*.onnx"))
    bundle = bundles.load(folder)
    trials = grid(
        bundle,
        selections=["fc3"],
        modes=["flip"],
        points=[point_of_rate(rate) for rate in (0.0, 0.1)],
        backgrounds=["zeros"],
        repeats=1,
        seed=1,
    )
    tests = images_for(bundle, 5)
    (folder / "libaccel.so").write_bytes(b"another")  # since the sweep began
    said = []
    for boards in (1, 2):
        with pytest.raises(HostError) as caught:
            list(on_boards(bundle, tests, boards)(trials))
        said.append(str(caught.value))
    assert said[0] == said[1] and "libaccel.so" in said[0] and "\n" not in said[0]


# --- killed and interrupted ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of the long sweep, by one board that is left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main([*LONG, "--workers", "1", "--out", str(folder)]) == 0
    return (folder / "results.csv").read_bytes()


def workers_of(session: int) -> list[int]:
    """The worker processes of a sweep, without what multiprocessing keeps beside them."""
    found = []
    for child in children_of(session):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if b"spawn_main" in command:
            found.append(child)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_ended_at_any_moment_and_resumed_it_gives_the_undisturbed_file(
    undisturbed: bytes, tmp_path: Path, sent: signal.Signals
) -> None:
    path, chance = tmp_path / "results.csv", random.Random(f"boards {sent}")
    while True:
        process = start(*LONG, "--workers", "2", "--out", tmp_path)
        wanted = chance.randrange(1, TRIALS // 2)
        while process.poll() is None and rows_of(path) < wanted:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.05))
        if sent == signal.SIGKILL or process.poll() is not None:
            process.send_signal(sent)
        else:  # as a terminal does: to all of them
            os.killpg(process.pid, sent)
        process.communicate(timeout=120)
        if rows_of(path) < TRIALS:
            break
        path.unlink()  # it came after the last row: once more
    expected = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
    assert process.returncode == expected[sent]
    expect_no_orphans(process.pid)
    content = path.read_bytes()
    assert undisturbed.startswith(content[: content.rfind(b"\n") + 1]) and content != undisturbed
    # Whoever goes on with it may have another number of boards.
    assert main([*LONG, "--workers", chance.choice("123"), "--out", str(tmp_path)]) == 0
    assert path.read_bytes() == undisturbed


@pytest.mark.slow
def test_a_board_that_dies_is_replaced(undisturbed: bytes, tmp_path: Path) -> None:
    process, folder = processes.stopped_amid(
        lambda out: start(*LONG, "--workers", "2", "--out", out),
        tmp_path,
        begun=lambda out: rows_of(out / "results.csv") >= 2,
        over=lambda out: rows_of(out / "results.csv") > TRIALS - 8,
    )
    victims = workers_of(process.pid)
    assert victims
    os.kill(victims[0], signal.SIGKILL)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=120)
    assert process.returncode == 0
    expect_no_orphans(process.pid)
    assert (folder / "results.csv").read_bytes() == undisturbed
