"""Sweeps in software: the board's rows, whoever measures them and whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spinflow.sim.sweep
import spinflow.sim.workers
from spinflow.host.core import bundle as bundles
from spinflow.host.core.errors import InputError
from spinflow.host.core.test_sets import TestSet, mnist_test
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.results import Row, read
from spinflow.host.sweep.trials import grid
from spinflow.model import store
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import FixedPointSpec, Spec, XnorSpec
from spinflow.model.zoo import NETWORKS, network
from spinflow.sim.bundle import sha256
from spinflow.sim.evaluator import Conv, Evaluator, Label, Linear, MaxPool, Network
from spinflow.sim.evaluator.network import Folding, fold_weights, unfold_weights
from spinflow.sim.sweep import main
from spinflow.sim.workers import (
    Job,
    SweepError,
    bundle_of,
    facts,
    forget,
    in_processes,
    in_this_process,
    job_of_bundle,
    job_of_network,
    take_if_alike,
)

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
    *["--bundle", str(BUNDLE), "--images", "200", "--repeats", "15", "--backend", "emulator"],
    *["--rates", "0.01", "0.1", "--memory", "weights", "buffers"],
]
LONG_TRIALS = 15 * 2 * 2


def untimed(path: Path) -> list[Row]:
    """The rows of a file without what differs between backends: time, and their name."""
    return [replace(row, cycles=0, stalls=0, backend="") for row in read(path / "results.csv")]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "spinflow.sim.sweep", *map(str, arguments)]


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
    small = small_network()
    generator = np.random.default_rng(2)
    images = generator.integers(0, 256, (40, int(np.prod(small.shape))), dtype=np.uint8)
    labels = generator.integers(0, 3, 40, dtype=np.uint8)
    job = Job({}, small, "small", TestSet(images, labels, "40 random images"), "evaluator")
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
         "vgg3-cifar10` trains it"),
        ("mlp-mnist+mine", "`spinflow train mlp-mnist --label mine` trains it"),
        ("alexnet-imagenet", "`spinflow train-imagenet` trains it"),
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


# --- layers and memories by name -----------------------------------------------------------------


def names_of(spec: Spec) -> tuple[list[str], list[str]]:
    """Weight memories and buffers of a network, from docs/contracts.md and its layers."""
    weights, buffers = [], []
    kept = ""  # what made the bits, or the codes, that are stored next
    for layer in spec.layers:
        if layer.op == "threshold":
            continue
        floats = isinstance(spec, XnorSpec) and not layer.binary
        if layer.op != "pool":
            # A network with layers of floats stores what its binary layers take.
            if not floats and kept:
                buffers.append(f"{kept}.buffer")
            if not floats:
                weights.append(f"{layer.name}.weights")
        kept = layer.name
    return weights, buffers


def weights_of(spec: Spec) -> int:
    return sum(int(np.prod(layer.weight_shape)) for layer in spec.weighted)


large = pytest.mark.skipif(
    os.environ.get("SPINFLOW_FULL") != "1", reason="takes seconds: SPINFLOW_FULL=1 runs it"
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=large) if weights_of(spec) > 1_000_000 else name
        for name, spec in sorted(NETWORKS.items())
    ],
)
def test_memories_have_the_names_of_the_contract(name: str) -> None:
    """For every network that there is, whatever computes it."""
    spec = network(name)
    engine = Evaluator.from_network(untrained(spec, 1), "fast", 1)
    weights, buffers = names_of(spec)
    assert [m["name"] for m in engine.description["memories"]] == [*weights, *buffers]
    bundle = bundle_of(name, engine)
    assert bundle.layer_names == [layer.name for layer in spec.weighted]
    for number, layer in enumerate(spec.weighted):
        place = [each.name for each in spec.layers].index(layer.name)
        behind = {layer.name, *(n.name for n in spec.layers[place + 1 : place + 2]
                                if n.op == "pool")}  # fmt: skip
        wanted = [n for n in weights if n == f"{layer.name}.weights"]
        wanted += [n for n in buffers if n.removesuffix(".buffer") in behind]
        if not wanted:
            with pytest.raises(InputError, match=f"layer {layer.name} of .* has no memory"):
                bundle.select(layer.name)
            continue
        for chosen in (layer.name, bundle.layer(number)):
            assert [m.name for m in bundle.select(chosen)] == wanted
            assert {m.layer for m in bundle.select(chosen)} == {number}
    for buffer in buffers:
        assert [m.name for m in bundle.select(buffer)] == [buffer]
        if buffer.startswith("pool"):
            assert [m.name for m in bundle.select(buffer.removesuffix(".buffer"))] == [buffer]


@pytest.mark.parametrize(
    ("name", "memories", "layers", "expected"),
    [
        ("lenet-fxp8-mnist", ["fc0.weights", "pool1"], ["conv0", "2"],
         {"fc0.weights": 8 * 1024 * 512, "pool1": 8 * 4 * 4 * 64 * 5,
          "conv0": 8 * (25 * 32 + 12 * 12 * 32 * 5), "fc0": 8 * (1024 * 512 + 512 * 5)}),
        ("lenet4-mnist", ["fc0.weights", "pool0.buffer"], ["conv0", "conv1"],
         {"fc0.weights": 800 * 500, "pool0.buffer": 12 * 12 * 20 * 5, "conv0": 12 * 12 * 20 * 5,
          "conv1": 25 * 20 * 50 + 4 * 4 * 50 * 5}),
    ],
)  # fmt: skip
def test_layers_of_codes_and_beside_floats_are_swept_by_name(
    tmp_path: Path, name: str, memories: list[str], layers: list[str], expected: dict[str, int]
) -> None:
    options = ["--network", name, "--images", "5", "--repeats", "1", "--rates", "0.05"]
    options += ["--memory", *memories, "--layer", *layers, "--workers", "1"]
    assert main([*options, "--out", str(tmp_path)]) == 0
    rows = read(tmp_path / "results.csv")
    assert {row.memory: row.bits_written for row in rows} == expected
    assert all(row.errors > 0 for row in rows)


def test_a_layer_of_floats_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--network", "lenet4-mnist", "--images", "5", "--out", str(tmp_path / "out")]
    assert main([*options, "--layer", "fc1"]) == 1
    assert "layer fc1 of lenet4-mnist has no MRAM memory" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- two foldings --------------------------------------------------------------------------------


@pytest.fixture
def folded_otherwise(tmp_path: Path) -> Path:
    """tfc-mnist with twice the outputs and half the inputs of a word of its first layer."""
    folder = tmp_path / "bundles" / "wide"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("obj_*", "rtl", "*.onnx*"))
    described = json.loads((folder / "accel.json").read_text())
    layer = next(layer for layer in described["layers"] if layer["op"] == "mvu")
    with np.load(folder / "arrays.npz") as opened:
        arrays = {name: opened[name] for name in opened.files}
    size = layer["mh"], layer["mw"]
    bits = unfold_weights(arrays["weights.0"], *size, Folding(layer["pe"], layer["simd"]))
    layer["pe"], layer["simd"] = layer["pe"] * 2, layer["simd"] // 2
    described["folding"]["layers"]["fc0"] |= {"pe": layer["pe"], "simd": layer["simd"]}
    described["depths"]["folding"]["fc0"] = f"{layer['pe']}x{layer['simd']}"
    described["memories"][layer["buffer"]] |= {"width": 2, "depth": 32}
    for tap in described["taps"]:
        if tap["name"] in ("fc0", "fc0.buffer"):
            tap["per_word"] = 2
    arrays["weights.0"] = fold_weights(bits, Folding(layer["pe"], layer["simd"]))
    np.savez(folder / "arrays.npz", **arrays)
    described["files"]["arrays.npz"] = sha256(folder / "arrays.npz")
    described["build_id"] ^= 1
    (folder / "accel.json").write_text(json.dumps(described))
    return folder


def test_two_foldings_of_a_network_are_swept_together(
    tmp_path: Path, folded_otherwise: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--bundle", str(BUNDLE), str(folded_otherwise), "--images", "30", "--repeats", "2"]
    options += ["--rates", "0", "0.05", "--memory", "weights", "--workers", "1", "--out", str(out)]
    assert main(options) == 0
    rows = {name: read(out / name / "results.csv") for name in ("tfc-mnist", "wide")}
    builds = {row.build_id for name in rows for row in rows[name]}
    assert len(builds) == 2 and all(len(rows[name]) == 4 for name in rows)
    one, other = ([row.accuracy for row in rows[name]] for name in rows)
    assert one[::2] == other[::2] and one[1::2] != other[1::2]  # exact alike, errors elsewhere
    table = capsys.readouterr().out
    points = json.loads((out / "summary.json").read_text())["points"]
    assert {point["build_id"] for point in points} == builds and len(points) == 4
    page = (out / "report.html").read_text(encoding="utf-8")
    for build in builds:
        assert f"build {build:#010x}" in page and f"{build:#010x}" in table
    # The same command has nothing left to do, and comes to the same.
    before = (out / "summary.json").read_bytes()
    assert main(options) == 0
    assert (out / "summary.json").read_bytes() == before


def test_folders_of_one_name_are_told_apart_by_the_build(
    tmp_path: Path, folded_otherwise: Path
) -> None:
    twin = folded_otherwise.rename(folded_otherwise.with_name("tfc-mnist"))
    options = ["--bundle", str(BUNDLE), str(twin), "--images", "5", "--repeats", "1"]
    options += ["--rates", "0.05", "--memory", "fc3", "--workers", "1"]
    assert main([*options, "--out", str(tmp_path / "out")]) == 0
    names = sorted(path.parent.name for path in (tmp_path / "out").glob("*/results.csv"))
    assert len(names) == 2 and all(re.fullmatch("tfc-mnist-[0-9a-f]{8}", name) for name in names)


def test_one_build_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--bundle", str(BUNDLE), str(BUNDLE), "--images", "5", "--workers", "1"]
    assert main([*options, "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert "appears twice: give each build once" in text and text.count("\n") == 1
    assert not (tmp_path / "out").exists()


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
        assert text.startswith("spinflow: ") and line in text
    assert (evaluated / "results.csv").read_bytes() == before


def test_a_worker_takes_no_job_that_it_would_measure_otherwise() -> None:
    job = pickle.dumps(job_of_bundle(BUNDLE, mnist_test(5), "emulator"))
    here = facts(("numpy", "numba", "torch"))
    assert sorted(here) == ["Python", "numba", "numpy", "source", "torch"]
    take_if_alike(job, 1, here)
    forget(pickle.loads(job).digest)
    for name in here:
        with pytest.raises(SweepError, match="another version of Spinflow" if name == "source"
                           else f"has {name} .*, this machine 0"):  # fmt: skip
            take_if_alike(job, 1, {**here, name: "0"})


def test_the_version_is_of_all_source_that_takes_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("host/a.py", "model/b.py", "host/mtj/c.py", "sim/d.py", "sim/evaluator/e.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(spinflow.sim.workers, "REPOSITORY", tmp_path)
    seen = {spinflow.sim.workers.version.__wrapped__()}
    for path in sorted(tmp_path.rglob("*.py")):
        path.write_text("# changed")
        seen.add(spinflow.sim.workers.version.__wrapped__())
    assert len(seen) == 6


def test_the_emulator_needs_a_bundle() -> None:
    with pytest.raises(SweepError, match="which the emulator needs"):
        job_of_network("tfc-mnist", mnist_test(5), "emulator")


def test_a_bundle_without_a_simulator_is_enough() -> None:
    assert bundles.load(BUNDLE, runnable=False).overlay is None
