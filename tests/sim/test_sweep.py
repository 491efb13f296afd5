"""Sweeps in software: the board's rows, whoever measures them and whatever happens meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spinflow.host.sweep.results import Row, read
from spinflow.model import store
from spinflow.sim.sweep import main
from tests import processes
from tests.host.rows import UNTIMED

REPOSITORY = Path(__file__).parents[2]
BUNDLE = REPOSITORY / "build" / "tfc-mnist"
HOST_PYTHON = REPOSITORY / ".venv" / "bin" / "python"
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
    *["--bundle", str(BUNDLE), "--images", "200", "--repeats", "15", "--on", "emulator"],
    *["--rates", "0.01", "0.1", "--memory", "weights", "buffers"],
]
TRIALS = 15 * 2 * 2


def untimed(path: Path) -> list[Row]:
    """The rows of a file without what differs between backends: time, and their name."""
    return [replace(row, **UNTIMED, backend="") for row in read(path / "results.csv")]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "spinflow.sim.sweep", *map(str, arguments)]


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return processes.start(command(*arguments), cwd=REPOSITORY, stderr=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL)  # fmt: skip


def rows_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


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


@pytest.mark.slow
def test_emulator_and_rtl_give_the_evaluators_rows(
    grid_file: Path, evaluated: Path, tmp_path: Path
) -> None:
    expected = untimed(evaluated)
    assert len(expected) == 2 * 2 * 3 * (2 * 2 + 1 + 2 * 2)
    assert any(row.upsets for row in expected)
    options = ["--grid", str(grid_file), "--out"]
    assert main([*options, str(tmp_path / "emulator"), "--on", "emulator"]) == 0
    assert untimed(tmp_path / "emulator") == expected
    board = [str(HOST_PYTHON), "-m", "spinflow.host", "sweep", *options, str(tmp_path / "rtl")]
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
    options += ["--on", "evaluator-fast", "--workers", "1"]
    assert main([*options, "--out", str(tmp_path)]) == 0
    rows = read(tmp_path / "results.csv")
    assert {row.backend for row in rows} == {"evaluator-fast"}
    for row in rows:
        assert abs(row.errors - 0.03 * row.bits_written) < 5 * row.bits_written**0.5 * 0.17 or (
            row.rate == row.errors == 0
        )


@pytest.mark.slow
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


@pytest.mark.slow
def test_several_networks_have_a_file_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    options = ["--network", "tfc-mnist", "mlp-mnist", "--images", "20", "--repeats", "1"]
    assert main([*options, "--workers", "1", "--rates", "0.01", "--out", str(tmp_path)]) == 0
    for name in ("tfc-mnist", "mlp-mnist"):
        assert {row.network for row in read(tmp_path / name / "results.csv")} == {name}
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<h2>") == 2


@pytest.mark.slow
def test_a_killed_worker_of_this_machine_loses_nothing(undisturbed: bytes, tmp_path: Path) -> None:
    process, folder = processes.stopped_amid(
        lambda out: start(*LONG, "--workers", "2", "--out", out),
        tmp_path,
        begun=lambda out: rows_of(out / "results.csv") >= 15,
        over=lambda out: rows_of(out / "results.csv") > TRIALS - 8,
    )
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=120) == 0
    assert (folder / "results.csv").read_bytes() == undisturbed


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


BAD = [
    (["--scheduler", "tcp://127.0.0.1:9", "--patience", "0.1"], "answers at tcp://127.0.0.1:9"),
    (["--scheduler", "nonsense://x"], "no Dask scheduler answers at nonsense://x"),
    (["--scheduler", "tcp://x:1", "--patience", "0"], "patience of 0 s: more than 0 is needed"),
    (["--repeats", "60000000"], "720000000 trials (12 points, 60000000 repeats): at most 1000000"),
    (["--memory", "conv*"], "tfc-mnist has no memory 'conv*'; it has fc0.weights"),
    (["--images", "10001"], "10001 images asked for: must be from 1 to the 10000"),
    (["--workers", "0"], "0 workers: at least 1 is needed"),
    (["--memory", "fc9.weights"], "tfc-mnist has no memory 'fc9.weights'"),
    (["--layer", "9"], "tfc-mnist has no layer 9; it has fc0, fc1, fc2, fc3"),
    (["--rates", "7"], "bit-error rate 7.0: must be a number from 0 to 1"),
    (["--bundle", "/nowhere"], "/nowhere is not a bundle"),
    (["--network", "tfc-mnist", "mlp-mnist"], "no bundle holds the network mlp-mnist"),
]


@pytest.mark.parametrize(("options", "line"), BAD, ids=[line for _, line in BAD])
def test_bad_input_gives_one_line_and_no_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], line: str
) -> None:  # fmt: skip
    arguments = ["--bundle", str(BUNDLE), "--images", "20", *options]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert text.startswith("spinflow: ") and line in text
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


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("vgg3-cifar10", "'vgg3-cifar10' is not trained, and has no bundle: `spinflow train "
         "vgg3-cifar10 --out "),
        ("mlp-mnist+mine", "`spinflow train mlp-mnist --label mine --out "),
        ("alexnet-imagenet", "/zoo` trains it"),
    ],
)  # fmt: skip
def test_a_network_that_is_not_trained_is_told_apart_from_an_unknown_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    assert main(["--network", name, "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert line in text and "unknown" not in text and text.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_damaged_weights_of_the_zoo_get_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(name: str) -> None:
        raise ValueError(f"{name}.safetensors: damaged\nand more")

    monkeypatch.setattr(store, "load_trained", damaged)
    options = ["--network", "lenet-fxp8-mnist", "--images", "5", "--out", str(tmp_path / "out")]
    assert main(options) == 1
    assert capsys.readouterr().err == "spinflow: lenet-fxp8-mnist.safetensors: damaged\n"


def test_results_of_another_grid_are_refused_and_kept(
    grid_file: Path, evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (evaluated / "results.csv").read_bytes()
    options = ["--bundle", str(BUNDLE), "--images", "30", "--workers", "1"]
    for more, line in (
        (["--rates", "0.02"], "rows of another grid, the first of weights, mode flip, rate 0"),
        (["--seed", "8"], "rows of another grid"),
        (["--images", "31"], "this sweep is of tfc-mnist"),
        (["--on", "emulator"], "on evaluator, this sweep is of"),
    ):
        assert main([*options, *more, "--out", str(evaluated)]) == 1
        text = capsys.readouterr().err.splitlines()[-1]
        assert text.startswith("spinflow: ") and line in text
    assert (evaluated / "results.csv").read_bytes() == before


@pytest.mark.parametrize("on", ["evaluator", "evaluator-fast"])
def test_trials_that_are_computed_whole_give_the_same_file(
    grid_file: Path, tmp_path: Path, on: str
) -> None:
    options = ["--grid", str(grid_file), "--workers", "1", "--on", on, "--out"]
    assert main([*options, str(tmp_path / "changes")]) == 0
    assert main([*options, str(tmp_path / "whole"), "--whole"]) == 0
    found, expected = (tmp_path / name / "results.csv" for name in ("changes", "whole"))
    assert found.read_bytes() == expected.read_bytes()
