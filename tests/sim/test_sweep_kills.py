"""Sweeps that are killed, interrupted, started twice or lose their file: whole rows, or a line."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spinflow.host.sweep.results import read
from spinflow.sim.sweep import main
from tests import processes
from tests.sim.clusters import REPOSITORY, Cluster

pytestmark = pytest.mark.slow

BUNDLE = REPOSITORY / "build" / "tfc-mnist"
# Trials that take long enough to be interrupted.
LONG = [
    *["--bundle", str(BUNDLE), "--images", "200", "--repeats", "15", "--on", "emulator"],
    *["--rates", "0.01", "0.1", "--memory", "weights", "buffers"],
]
TRIALS = 15 * 2 * 2
FULL = os.environ.get("SPINFLOW_FULL") == "1"
full = pytest.mark.skipif(not FULL, reason="one of its kind is enough: SPINFLOW_FULL=1 runs it")
KILLS = 30 if FULL else 1
INTERRUPTS = 10 if FULL else 2


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of the long sweep, left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main([*LONG, "--workers", "1", "--out", str(folder)]) == 0
    return (folder / "results.csv").read_bytes()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.add_worker()
        yield running


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spinflow.sim.sweep", *map(str, arguments)]
    return processes.start(
        command, cwd=REPOSITORY, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


def rows_of(path: Path) -> int:
    return max(path.read_bytes().count(b"\n") - 1, 0) if path.exists() else 0


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)


def lines_of(process: subprocess.Popen[str]) -> list[str]:
    """What a sweep says on the error output: its lines, without the bar."""
    text = process.communicate(timeout=120)[1]
    lines = [line.rpartition("\r")[2] for line in text.splitlines()]
    return [line for line in lines if line and "rows go to" not in line and "trials [" not in line]


def children_of(session: int) -> list[int]:
    """Processes of a session that go on."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, *fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[2]) == session and state != "Z":
            found.append(int(entry.name))
    return sorted(found)


def stopped(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """A long sweep that was stopped amid its rows, and its folder."""
    return processes.stopped_amid(
        lambda out: start(*LONG, "--workers", "1", "--out", out),
        folder,
        begun=lambda out: rows_of(out / "results.csv") >= 2,
        over=lambda out: rows_of(out / "results.csv") > TRIALS - 8,
    )


def expect_no_orphans(session: int) -> None:
    end = time.monotonic() + 120
    while children_of(session):
        assert time.monotonic() < end, "workers outlive the sweep that started them"
        time.sleep(0.05)


# --- killed and interrupted ----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["1", "2", "cluster"])
def test_killed_at_any_moment_and_resumed_it_gives_the_undisturbed_file(
    undisturbed: bytes, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    path, chance = tmp_path / "results.csv", random.Random(f"kills {where}")
    options = ["--workers", where]
    if where == "cluster":
        address = request.getfixturevalue("cluster").address
        options = ["--scheduler", address, "--patience", "60"]
    kills = 0
    while kills < KILLS:
        before = rows_of(path)
        process = start(*LONG, *options, "--out", tmp_path)
        if kills % 3 == 2:  # at any moment from the start on
            time.sleep(chance.uniform(0.0, 4.0))
        else:  # at any moment of the rows after the first new one
            wanted = min(before + chance.randrange(1, 5), TRIALS - 1)
            wait_for(lambda wanted=wanted: rows_of(path) >= wanted, process)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL or rows_of(path) == TRIALS
        process.communicate()
        expect_no_orphans(process.pid)
        content = path.read_bytes() if path.exists() else b""
        assert undisturbed.startswith(content[: content.rfind(b"\n") + 1])
        if rows_of(path) < TRIALS:
            kills += 1
        else:  # it came after the last row: that was no kill, and the next run needs rows to do
            path.unlink()
    assert main([*LONG, *options, "--out", str(tmp_path)]) == 0
    assert path.read_bytes() == undisturbed
    assert len({row.key for row in read(path)}) == TRIALS


@pytest.mark.parametrize("workers", [pytest.param("1", marks=full), "2"])
def test_interrupted_it_says_so_in_one_line_and_ends_all_its_workers(
    undisturbed: bytes, tmp_path: Path, workers: str
) -> None:
    path, chance = tmp_path / "results.csv", random.Random(f"interrupts {workers}")
    for number in range(INTERRUPTS):
        process = start(*LONG, "--workers", workers, "--out", tmp_path)
        if number % 2:
            wanted = rows_of(path) + 1
            wait_for(lambda wanted=wanted: rows_of(path) >= wanted, process)  # type: ignore[misc]
        else:  # while the workers start
            assert process.stderr is not None
            assert "rows go to" in process.stderr.readline()
        time.sleep(chance.uniform(0.0, 0.5))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        lines = lines_of(process)
        if rows_of(path) == TRIALS:
            break
        assert process.returncode == 130
        assert len(lines) == 1 and lines[0].startswith("spinflow: interrupted: "), lines
        expect_no_orphans(process.pid)
        content = path.read_bytes() if path.exists() else b""
        assert undisturbed.startswith(content)
    assert main([*LONG, "--workers", workers, "--out", str(tmp_path)]) == 0
    assert path.read_bytes() == undisturbed


@pytest.mark.parametrize("cut", [1, pytest.param(30, marks=full), pytest.param(200, marks=full)])
def test_a_torn_last_line_is_measured_again(undisturbed: bytes, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(undisturbed[:-cut])
    assert main([*LONG, "--workers", "1", "--out", str(tmp_path)]) == 0
    assert path.read_bytes() == undisturbed


# --- two sweeps, one folder ----------------------------------------------------------------------


def test_a_file_that_a_sweep_writes_to_is_not_set_aside(undisturbed: bytes, tmp_path: Path) -> None:
    """The second says who holds it; the first reports what it measured itself."""
    first, folder = stopped(tmp_path)  # lest it be done before the second has begun
    path = folder / "results.csv"
    other = ["--bundle", BUNDLE, "--images", "10", "--rates", "0.2", "--workers", "1"]
    second = start(*other, "--set-aside", "--out", folder)
    (line,) = lines_of(second)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert f"another sweep is writing to it, process {first.pid}:" in line and len(line) < 300
    assert lines_of(first) == [] and first.returncode == 0
    assert path.read_bytes() == undisturbed
    assert sorted(os.listdir(folder)) == ["report.html", "results.csv", "summary.json"]
    # It is over: now it is set aside, and a process that is dead holds nothing.
    assert main([*map(str, other), "--set-aside", "--out", str(folder)]) == 0
    aside = [name for name in os.listdir(folder) if name.startswith("results-")]
    assert [(folder / name).read_bytes() for name in aside] == [undisturbed]
    assert {row.rate for row in read(path)} == {round(0.2 * 2**32) / 2**32}


def test_of_two_sweeps_that_start_together_one_goes_on(undisturbed: bytes, tmp_path: Path) -> None:
    for attempt in range(3):  # a busy machine may begin the second when the first is done
        out = tmp_path / str(attempt)
        out.mkdir()
        path = out / "results.csv"
        # What both would set aside.
        path.write_bytes(undisturbed.replace(b"tfc-mnist", b"tfc-other"))
        both = [start(*LONG, "--workers", "1", "--set-aside", "--out", out) for _ in range(2)]
        lines = [lines_of(process) for process in both]
        codes = [process.returncode for process in both]
        if any(codes):
            break
    assert sorted(codes) == [0, 1]
    winner, loser = both[codes.index(0)], lines[codes.index(1)]
    assert len(loser) == 1
    assert f"another sweep is writing to it, process {winner.pid}:" in loser[0]
    assert path.read_bytes() == undisturbed
    aside = [name for name in os.listdir(out) if name.startswith("results-")]
    assert len(aside) == 1  # neither lost nor renamed twice


@full
def test_a_sweep_of_several_networks_holds_all_its_files(tmp_path: Path) -> None:
    """Also those whose turn has not come, and reports of its own rows alone."""
    mlp = str(REPOSITORY / "build" / "mlp-mnist")
    options = ["--bundle", str(BUNDLE), mlp, *LONG[2:]]
    first = start(*options, "--workers", "1", "--out", tmp_path)
    wait_for(lambda: rows_of(tmp_path / "tfc-mnist" / "results.csv") >= 2, first)
    other = ["--bundle", mlp, "--images", "10", "--rates", "0.2", "--workers", "1", "--set-aside"]
    second = start(*other, "--out", tmp_path / "mlp-mnist")
    (line,) = lines_of(second)
    assert second.returncode == 1 and f"process {first.pid}:" in line
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert main([*other, "--out", str(tmp_path / "mlp-mnist")]) == 0


def replace_file(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def append_to_file(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"\n")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (Path.unlink, "removed"),
        pytest.param(replace_file, "replaced by another file", marks=full),
        pytest.param(append_to_file, "changed by another program", marks=full),
    ],
)
def test_a_file_that_changes_underneath_is_noticed_at_the_next_row(
    tmp_path: Path, change: Callable[[Path], None], what: str
) -> None:
    process, folder = stopped(tmp_path)
    path = folder / "results.csv"
    change(path)
    left = path.read_bytes() if path.exists() else b""
    process.send_signal(signal.SIGCONT)
    (line,) = lines_of(process)
    assert process.returncode == 1
    assert line.startswith(f"spinflow: {path} was {what} while this sweep wrote to it")
    assert len(line) < 300 + len(str(path))
    assert (path.read_bytes() if path.exists() else b"") == left
    assert not (folder / "summary.json").exists()  # and no report of rows that are nowhere
