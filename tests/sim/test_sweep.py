"""Sweeps in software: the board's rows, whoever measures them and whatever happens meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster

import sim.sweep
from host import bundle as bundles
from host.images import TestSet, mnist_test
from host.points import point_of_rate
from host.results import Row, read
from host.sweep import Bench, grid
from model import store
from model.networks.build import untrained
from model.networks.graph import FixedPointSpec
from sim.evaluator import Conv, Label, Linear, MaxPool, Network
from sim.sweep import (
    Job,
    SweepError,
    in_processes,
    in_this_process,
    job_of_bundle,
    job_of_network,
    main,
)

REPOSITORY = Path(__file__).parents[2]
BUNDLE = REPOSITORY / "build" / "tfc-mnist"
HOST_PYTHON = REPOSITORY / ".venv" / "host" / "bin" / "python"
GRID = """
bundle = "{bundle}"
images = 30
repeats = 2
seed = 7
memory = ["weights", "buffers", "fc1"]
mode = ["flip", "switch"]
rates = [0, 0.03]
write_condition = "sun-gamma:voltage=0.4V,pulse=1.6ns,critical_voltage0_v=0.2"
background = ["previous", "random:3"]
retention_s = [0, 1e7]
"""
# Trials that take long enough to be interrupted.
LONG = [
    *["--bundle", str(BUNDLE), "--images", "200", "--repeats", "15", "--backend", "emulator"],
    *["--rates", "0.01", "0.1", "--memory", "weights", "buffers"],
]
LONG_TRIALS = 15 * 2 * 2


def untimed(path: Path) -> list[Row]:
    """The rows of a file without what differs between backends: time, and their name."""
    return [replace(row, cycles=0, stalls=0, backend="") for row in read(path / "results.csv")]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "sim.sweep", *map(str, arguments)]


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(*arguments), cwd=REPOSITORY, stderr=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL)  # fmt: skip


def rows_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.005)


@pytest.fixture(scope="module")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grid") / "grid.toml"
    path.write_text(GRID.format(bundle=BUNDLE))
    return path


@pytest.fixture(scope="module")
def evaluated(grid_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The grid on the evaluator, in this process."""
    folder = tmp_path_factory.mktemp("evaluated")
    assert main(["--grid", str(grid_file), "--workers", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of the long sweep on two workers, left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert main([*LONG, "--workers", "2", "--out", str(folder)]) == 0
    return (folder / "results.csv").read_bytes()


def test_emulator_and_rtl_give_the_evaluators_rows(
    grid_file: Path, evaluated: Path, tmp_path: Path
) -> None:
    expected = untimed(evaluated)
    assert len(expected) == 2 * 2 * 3 * (2 * 2 + 1 + 2 * 2)
    assert any(row.upsets for row in expected)
    options = ["--grid", str(grid_file), "--out"]
    assert main([*options, str(tmp_path / "emulator"), "--backend", "emulator"]) == 0
    assert untimed(tmp_path / "emulator") == expected
    board = [str(HOST_PYTHON), "-m", "host", "sweep", *options, str(tmp_path / "rtl")]
    done = subprocess.run(board, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert untimed(tmp_path / "rtl") == expected
    rows = {name: read(tmp_path / name / "results.csv") for name in ("rtl", "emulator")}
    assert {row.backend for row in rows["rtl"]} == {"rtl"}
    assert {(row.backend, row.cycles) for row in rows["emulator"]} == {("emulator", 0)}


@pytest.mark.parametrize("workers", ["2", pytest.param("3", marks=pytest.mark.slow)])
def test_the_number_of_workers_does_not_matter(
    grid_file: Path, evaluated: Path, tmp_path: Path, workers: str
) -> None:
    assert main(["--grid", str(grid_file), "--workers", workers, "--out", str(tmp_path)]) == 0
    expected = (evaluated / "results.csv").read_bytes()
    assert (tmp_path / "results.csv").read_bytes() == expected


def test_the_fast_stream_is_another_backend(evaluated: Path, tmp_path: Path) -> None:
    options = ["--bundle", str(BUNDLE), "--images", "50", "--rates", "0", "0.03", "--repeats", "2"]
    options += ["--backend", "evaluator-fast", "--workers", "1"]
    assert main([*options, "--out", str(tmp_path)]) == 0
    rows = read(tmp_path / "results.csv")
    assert {row.backend for row in rows} == {"evaluator-fast"}
    for row in rows:
        assert abs(row.errors - 0.03 * row.bits_written) < 5 * row.bits_written**0.5 * 0.17 or (
            row.rate == row.errors == 0
        )


def test_adaptive_repeats_are_the_same_for_any_workers(tmp_path: Path) -> None:
    options = ["--bundle", str(BUNDLE), "--images", "50", "--rates", "0.001", "0.1"]
    options += ["--memory", "weights", "--until-width", "0.12", "--max-repeats", "12"]
    for workers in ("1", "2"):
        assert main([*options, "--workers", workers, "--out", str(tmp_path / workers)]) == 0
    whole = (tmp_path / "1" / "results.csv").read_bytes()
    assert (tmp_path / "2" / "results.csv").read_bytes() == whole
    repeats = {rate: 0 for rate in (0.001, 0.1)}
    for row in read(tmp_path / "1" / "results.csv"):
        repeats[round(row.rate, 6)] += 1
    assert repeats[0.001] == 5 < repeats[0.1] <= 12
    # Cut in the middle of the further repeats, it comes to the same file.
    lines = whole.splitlines(keepends=True)
    (tmp_path / "2" / "results.csv").write_bytes(b"".join(lines[:13]) + lines[13][:20])
    assert main([*options, "--workers", "1", "--out", str(tmp_path / "2")]) == 0
    assert (tmp_path / "2" / "results.csv").read_bytes() == whole


def test_a_network_without_a_bundle_is_swept_from_the_zoo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluated: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no build/
    options = ["--network", "tfc-mnist", "--images", "30", "--rates", "0", "0.05", "--workers", "1"]
    assert main([*options, "--layer", "1", "--memory", "buffers", "--out", "out"]) == 0
    rows = read(tmp_path / "out" / "results.csv")
    exact = {row.accuracy for row in rows if row.rate == 0}
    assert exact == {row.accuracy for row in read(evaluated / "results.csv")
                     if row.rate == 0 and row.memory == "buffers"}  # fmt: skip
    assert {row.memory for row in rows} == {"fc1", "buffers"}
    assert all(row.errors > 0 for row in rows if row.rate > 0)


def small_network() -> Network:
    """A convolutional network of the evaluator without a bundle."""
    generator = np.random.default_rng(7)

    def bits(*shape: int) -> np.ndarray:
        return generator.integers(0, 2, shape, dtype=np.uint8)

    layers = (
        Conv("conv0", bits(8, 3, 3, 3), np.zeros(8, np.int32)),
        MaxPool("pool0", buffer=True),
        Conv("conv1", bits(16, 2, 1, 8), np.full(16, 8), buffer=True),
        Linear("fc0", bits(24, 64), np.full(24, 32), buffer=True),
        Linear("fc1", bits(3, 24)),
        Label(),
    )
    return Network("small", (8, 6, 3), layers)


def test_a_convolutional_network_is_swept() -> None:
    """Here and in worker processes, by names of layers, pools and memories."""
    network = small_network()
    generator = np.random.default_rng(2)
    images = generator.integers(0, 256, (40, int(np.prod(network.shape))), dtype=np.uint8)
    labels = generator.integers(0, 3, 40, dtype=np.uint8)
    job = Job({}, network, "small", TestSet(images, labels, "40 random images"), "evaluator")
    bundle = job.device(1).bundle
    points = [point_of_rate(0.0), point_of_rate(0.2)]
    trials = grid(
        bundle, selections=["weights", "pool0", "conv*.buffer", "fc0"], modes=["switch"],
        points=points, backgrounds=["random:1"], repeats=2, seed=5,
    )  # fmt: skip
    rows = [row for row, _ in in_this_process(job)(trials)]
    assert [row for row, _ in in_processes(job, 2)(trials)] == rows
    frames = len(images)
    written = {row.memory: row.bits_written for row in rows}
    assert written["pool0"] == frames * 3 * 2 * 8
    assert written["conv*.buffer"] == frames * 2 * 2 * 16
    assert all((row.errors > 0) == (row.rate > 0) for row in rows)


def test_a_fixed_point_network_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words are codes; here and in worker processes."""
    spec = FixedPointSpec(
        "fxp", (8, 6, 3), 3, (5, 6), (1,), (9, 10), 2.0**-2, "cifar10", padding=1, bits=8
    )
    monkeypatch.setattr(store, "load_trained", lambda name: untrained(spec, 1))
    images = np.random.default_rng(2).integers(0, 256, (20, 8 * 6 * 3), dtype=np.uint8)
    tests = TestSet(images, np.zeros(20, np.uint8), "20 random images")
    job = job_of_network("fxp", tests, "evaluator-fast")
    trials = grid(
        job.device(1).bundle, selections=["weights", "buffers"], modes=["flip"],
        points=[point_of_rate(0.0), point_of_rate(0.2)], backgrounds=["random:1"], repeats=2,
        seed=5,
    )  # fmt: skip
    rows = [row for row, _ in in_this_process(job)(trials)]
    assert [row for row, _ in in_processes(job, 2)(trials)] == rows
    written = {row.memory: row.bits_written for row in rows}
    assert written["weights"] == 8 * (5 * 27 + 6 * 45 + 9 * 6 * 12 + 10 * 9)
    assert written["buffers"] == 20 * 8 * (5 * 48 + 6 * 12 + 9)
    assert all((row.errors > 0) == (row.rate > 0) for row in rows)


def test_several_networks_have_a_file_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    options = ["--network", "tfc-mnist", "mlp-mnist", "--images", "20", "--repeats", "1"]
    assert main([*options, "--workers", "1", "--rates", "0.01", "--out", str(tmp_path)]) == 0
    for name in ("tfc-mnist", "mlp-mnist"):
        assert {row.network for row in read(tmp_path / name / "results.csv")} == {name}
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<h2>") == 2


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A Dask cluster of two worker processes that find this repository."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    try:
        with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as running:
            yield running
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@pytest.mark.slow
def test_a_cluster_gives_the_local_file(
    grid_file: Path, evaluated: Path, cluster: LocalCluster, tmp_path: Path
) -> None:
    address = cluster.scheduler_address
    assert main(["--grid", str(grid_file), "--scheduler", address, "--out", str(tmp_path)]) == 0
    expected = (evaluated / "results.csv").read_bytes()
    assert (tmp_path / "results.csv").read_bytes() == expected


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster_loses_nothing(
    cluster: LocalCluster, undisturbed: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    process = start(*LONG, "--scheduler", cluster.scheduler_address, "--out", tmp_path)
    wait_for(lambda: rows_of(path) >= 15, process)
    victim = next(iter(cluster.workers.values()))
    os.kill(victim.pid, signal.SIGKILL)
    assert process.wait(timeout=90) == 0
    assert path.read_bytes() == undisturbed


@pytest.mark.slow
def test_a_killed_worker_of_this_machine_loses_nothing(undisturbed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    process = start(*LONG, "--workers", "2", "--out", tmp_path)
    wait_for(lambda: rows_of(path) >= 15, process)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    assert process.wait(timeout=90) == 0
    assert path.read_bytes() == undisturbed


def workers_of(parent: int) -> list[int]:
    """The worker processes of a sweep: children that multiprocessing spawned for tasks."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == parent and b"spawn_main" in line:
            found.append(int(entry.name))
    return sorted(found)


@pytest.mark.slow
def test_killed_ten_times_and_resumed_it_gives_the_undisturbed_file(
    undisturbed: bytes, tmp_path: Path
) -> None:
    path, chance = tmp_path / "results.csv", random.Random(5)
    orphans: list[int] = []
    kills = 0
    while kills < 10:
        before = rows_of(path)
        process = start(*LONG, "--workers", "1" if kills % 2 else "2", "--out", tmp_path)
        # At start, and at any moment of the four rows after the first new one.
        wanted = min(before + (chance.randrange(1, 5) if kills else 0), LONG_TRIALS - 1)
        wait_for(lambda wanted=wanted: rows_of(path) >= wanted, process)  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.05))
        orphans += workers_of(process.pid)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL or rows_of(path) == LONG_TRIALS
        content = path.read_bytes() if path.exists() else b""
        assert undisturbed.startswith(content[: content.rfind(b"\n") + 1])
        if rows_of(path) < LONG_TRIALS:
            kills += 1
        else:  # it came after the last row: that was no kill, and the next run needs rows to do
            path.unlink()
    assert main([*LONG, "--workers", "2", "--out", str(tmp_path)]) == 0
    assert path.read_bytes() == undisturbed
    # Workers end with the sweep that started them, however it ended.
    assert not [pid for pid in orphans if Path(f"/proc/{pid}").exists()]


BAD = [
    (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers at tcp://127.0.0.1:9"),
    (["--scheduler", "nonsense://x"], "no Dask scheduler answers at nonsense://x"),
    (["--workers", "0"], "0 workers: at least 1 is needed"),
    (["--memory", "fc9.weights"], "tfc-mnist has no memory 'fc9.weights'"),
    (["--layer", "9"], "tfc-mnist has no layer 9; it has fc0, fc1, fc2, fc3"),
    (["--rates", "7"], "bit-error rate 7.0: must be a number from 0 to 1"),
    (["--bundle", "/nowhere"], "/nowhere: not a bundle"),
]


@pytest.mark.parametrize(("options", "line"), BAD, ids=[line for _, line in BAD])
def test_bad_input_gives_one_line_and_no_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    options: list[str], line: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(sim.sweep, "CLUSTER_WAIT_S", 1.0)
    arguments = ["--bundle", str(BUNDLE), "--images", "20", *options]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: ") and line in text
    assert text.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_network_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grid.toml").write_text("network = 'lenet'\n")
    monkeypatch.chdir(tmp_path)
    assert main(["--grid", "grid.toml"]) == 1
    text = capsys.readouterr().err
    assert "grid.toml: unknown network 'lenet'" in text and text.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["grid.toml"]


def test_results_of_another_grid_are_refused_and_kept(
    grid_file: Path, evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (evaluated / "results.csv").read_bytes()
    options = ["--bundle", str(BUNDLE), "--images", "30", "--workers", "1"]
    for more, line in (
        (["--rates", "0.02"], "rows of another grid, the first of weights, mode flip, rate 0"),
        (["--seed", "8"], "rows of another grid"),
        (["--images", "31"], "this sweep is of tfc-mnist"),
        (["--backend", "emulator"], "on evaluator, this sweep is of"),
    ):
        assert main([*options, *more, "--out", str(evaluated)]) == 1
        text = capsys.readouterr().err.splitlines()[-1]
        assert text.startswith("error: ") and line in text
    assert (evaluated / "results.csv").read_bytes() == before


def test_a_worker_with_another_version_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of_bundle(BUNDLE, mnist_test(5), "emulator")
    assert isinstance(job.bench(1), Bench)
    with pytest.raises(SweepError, match="another version of Spinflow"):
        replace(job, version="0").bench(1)


def test_the_emulator_needs_a_bundle() -> None:
    with pytest.raises(SweepError, match="which the emulator needs"):
        job_of_network("tfc-mnist", mnist_test(5), "emulator")


def test_a_bundle_without_a_simulator_is_enough() -> None:
    assert bundles.load(BUNDLE, runnable=False).overlay is None
