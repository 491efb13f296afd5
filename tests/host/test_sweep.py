"""Sweeps on the virtual board, through the command line as a user gives it."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.__main__ import main
from spinflow.host.board.driver import background_words
from spinflow.host.core import start, stream
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.description import buffered, elements_of
from spinflow.host.core.test_sets import TestSet, mnist_test
from spinflow.host.mtj import exponential
from spinflow.host.sweep.results import Row, read
from spinflow.sim.emulator import Emulator
from tests import processes
from tests.host.conftest import BUNDLE

REPOSITORY = Path(__file__).parents[2]
IMAGES = 20
SWEEP = [
    *["sweep", "--bundle", str(BUNDLE), "--images", str(IMAGES)],
    *["--repeats", "2", "--seed", "11"],
]
GRID = [
    *["--memory", "weights", "buffers", "fc1.weights", "--mode", "flip", "switch"],
    *["--rates", "0", "0.03", "--background", "previous", "random:3"],
]
TRIALS = 2 * 2 * 2 * (2 + 1 + 2)


def emulate(bundle: Bundle, tests: TestSet, row: Row) -> dict[str, Any]:
    """Return what the emulator measures for the trial of a row, by column."""
    emulator = Emulator(bundle.folder)
    for memory in bundle.select("weights"):
        emulator.write_weights(memory.index, bundle.weights[memory.name])
    chosen = bundle.select(row.memory)
    weights = [memory for memory in chosen if memory.is_weights]
    seen = np.zeros(4, np.int64)

    def count() -> None:
        for memory in chosen:
            c = emulator.counters(memory.index)
            seen[:] += (c.written, c.switched, c.err1, c.err0)

    first = 0 if row.background == "previous" else row.repeat
    for repeat in range(first, row.repeat + 1):
        for memory in weights:
            words = background_words(memory, row.background)
            if words is not None:
                emulator.set_errors(memory.index, "off", 0, 0, 0)
                emulator.write_weights(memory.index, words)
        emulator.clear()
        for memory in chosen:
            thresholds = stream.threshold(row.rate), stream.threshold(row.rate0)
            seed = stream.memory_seed(row.seed, repeat, memory.index)
            emulator.set_errors(memory.index, row.mode, *thresholds, seed)
        for memory in weights:
            emulator.write_weights(memory.index, bundle.weights[memory.name])
    count()
    emulator.soft_reset()
    labels = emulator.run(tests.images)[0]
    count()
    written, switched, err1, err0 = seen.tolist()
    return {
        "bits_written": written,
        "switched": switched,
        "err1": err1,
        "err0": err0,
        "errors": err1 + err0,
        "accuracy": float(np.mean(labels == tests.labels)),
    }


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept")
    assert main([*SWEEP, *GRID, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_every_row_is_as_emulated(bundle: Bundle, swept: Path) -> None:
    tests, rows = mnist_test(IMAGES), read(swept / "results.csv")
    assert len(rows) == TRIALS
    for row in rows:
        expected = emulate(bundle, tests, row)
        assert {name: getattr(row, name) for name in expected} == expected, row
        assert row.errors == 0 or row.rate > 0
        assert (row.images, row.build_id, row.stalls) == (IMAGES, bundle.build_id, 0)


def test_the_energy_is_that_of_the_bits_counted(swept: Path) -> None:
    for row in read(swept / "results.csv"):
        # Asano 2024 by hand: t = -tau ln(rate), E = V I t; rate 0 costs the conventional 1e-8.
        pulse = -1.48e-8 * np.log(row.rate or 1e-8)
        assert row.pulse_s == pytest.approx(pulse, rel=1e-9)
        assert row.energy_j == pytest.approx(row.bits_written * 1.08 * 150e-6 * pulse, rel=1e-9)


def test_bits_written_follow_from_the_network(bundle: Bundle, swept: Path) -> None:
    weights = sum(memory.bits for memory in bundle.select("weights"))
    # Every hidden layer passes its outputs once for each image.
    hidden = sum(elements_of(layer) for layer in buffered(bundle.layers))
    expected = {
        "weights": weights,
        "buffers": hidden * IMAGES,
        "fc1.weights": bundle.memory("fc1.weights").bits,
    }
    for row in read(swept / "results.csv"):
        assert row.bits_written == expected[row.memory]


def test_errors_at_a_lower_rate_are_a_subset(bundle: Bundle, tmp_path: Path) -> None:
    command = [*SWEEP, "--memory", "weights", "--rates", "0.001", "0.01", "--out", str(tmp_path)]
    assert main(command) == 0
    by_rate: dict[float, list[int]] = {}
    for row in read(tmp_path / "results.csv"):
        by_rate.setdefault(row.rate, []).append(row.errors)
        assert row.seed == 11
    low, high = by_rate.values()
    assert all(0 < few < many for few, many in zip(low, high, strict=True))


def test_a_finished_sweep_measures_nothing_again(swept: Path) -> None:
    before = {name: (swept / name).read_bytes() for name in os.listdir(swept)}
    assert main([*SWEEP, *GRID, "--out", str(swept)]) == 0
    assert {name: (swept / name).read_bytes() for name in os.listdir(swept)} == before
    assert set(before) == {"results.csv", "summary.json", "report.html"}
    points = json.loads(before["summary.json"])["points"]
    assert len(points) == TRIALS // 2


@pytest.mark.slow
def test_killed_and_resumed_it_gives_the_same_rows(swept: Path, tmp_path: Path) -> None:
    path, chance = tmp_path / "results.csv", random.Random(3)
    command = [sys.executable, "-m", "spinflow.host", *SWEEP, *GRID, "--out", str(tmp_path)]
    for rows in (2, 17):
        while True:
            process = processes.start(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
            while process.poll() is None and not (
                path.exists() and path.read_bytes().count(b"\n") > rows
            ):
                time.sleep(0.002)
            time.sleep(chance.uniform(0.0, 0.05))
            process.send_signal(signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                break
            assert process.returncode == 0  # it was done before the kill came: once more
            path.unlink()
    assert main([*SWEEP, *GRID, "--out", str(tmp_path)]) == 0
    assert path.read_bytes() == (swept / "results.csv").read_bytes()


def test_a_pulse_or_a_target_rate_sets_rates_and_energy(tmp_path: Path) -> None:
    condition = exponential.from_rate(0.02)
    common = [*SWEEP, "--memory", "fc1.buffer", "--repeats", "1"]
    assert main([*common, "--target-rate", "0.02", "--out", str(tmp_path / "rate")]) == 0
    pulse = ["--pulse", repr(condition.pulse_s), "--out", str(tmp_path / "pulse")]
    assert main([*common, *pulse]) == 0
    rows = [read(tmp_path / name / "results.csv") for name in ("rate", "pulse")]
    assert rows[0] == rows[1]
    assert rows[0][0].energy_per_bit_j == pytest.approx(condition.energy1_j, rel=1e-9)
    assert rows[0][0].rate == round(condition.rate1 * 2**32) / 2**32


def test_unequal_rates_are_programmed_and_kept(bundle: Bundle, tmp_path: Path) -> None:
    command = [*SWEEP, "--memory", "all", "--rates", "0.1", "--rate0", "0", "--repeats", "1"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    (row,) = read(tmp_path / "results.csv")
    assert row.err0 == 0 < row.err1
    assert (row.rate0, row.rate) == (0.0, round(0.1 * 2**32) / 2**32)


def test_one_run_prints_accuracy_and_cycles(bundle: Bundle, capsys: pytest.CaptureFixture) -> None:
    command = ["run", "--bundle", str(BUNDLE), "--images", "50", "--rate", "0.1"]
    assert main([*command, "--memory", "fc0.weights"]) == 0
    text = capsys.readouterr().out
    assert f"{bundle.memory('fc0.weights').bits} bits written" in text
    assert "the first 50 images of the MNIST test set" in text
    assert "frames/s at 100 MHz" in text


def test_info_lists_what_the_registers_hold(bundle: Bundle, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", "--bundle", str(BUNDLE)]) == 0
    text = capsys.readouterr().out
    for memory in bundle.memories:
        assert memory.name in text
    assert f"{bundle.build_id:#010x}" in text


def test_chosen_images_are_a_seeded_part_of_the_set() -> None:
    chosen, again, other = (mnist_test(30, choice_seed=seed) for seed in (1, 1, 2))
    assert chosen.fingerprint == again.fingerprint != other.fingerprint
    everything = mnist_test(10000)
    places = [int(np.flatnonzero((everything.images == i).all(axis=1))[0]) for i in chosen.images]
    assert places == sorted(places)
    assert everything.labels[places].tolist() == chosen.labels.tolist()


BAD = [
    (["--rates", "-0.1"], "bit-error rate -0.1: must be a number from 0 to 1"),
    (["--rates", "0.1", "2"], "bit-error rate 2.0: must be a number from 0 to 1"),
    (["--rates", "nan"], "rates = nan: a number expected"),
    (["--rates", "1e-11"], "too small for the 32-bit register, the smallest is 2.328e-10"),
    (["--pulse", "1e-6"], "pulse of 1e-06 s: bit-error rate"),
    (["--target-rate", "0"], "target rate 0: "),
    (["--rates", "0.1", "0.2", "0.3", "--rate0", "0.1", "0.2"], "rate0 has 2 values"),
    (["--mode", "off", "--rates", "0.1"], "bit-error rate 0.1 with mode off"),
    (["--mode", "off", "--rates", "0", "--rate0", "0.2"], "bit-error rate 0.2 with mode off"),
    (["--mode", "invert"], "error mode 'invert': must be one of off, flip, switch"),
    (["--memory", "fc7.weights"], "tfc-mnist has no memory 'fc7.weights'; it has fc0.weights"),
    (["--background", "random"], "background 'random': must be zeros, ones, random:SEED"),
    (["--repeats", "0"], "0 repeats: at least 1 is needed"),
    (["--seed", "-1"], "seed -1: must be a whole number"),
    (["--images", "0"], "0 images asked for: must be from 1 to the 10000"),
    (["--images", "10001"], "10001 images asked for"),
    (["--data-dir", "/nowhere"], "has neither t10k-images-idx3-ubyte nor"),
    (["--bundle", "/nowhere"], "/nowhere is not a bundle: it has no accel.json"),
]


@pytest.mark.parametrize(("options", "line"), BAD, ids=[line for _, line in BAD])
def test_bad_input_gives_one_line_and_no_results(
    tmp_path: Path, capsys: pytest.CaptureFixture, options: list[str], line: str
) -> None:
    assert main([*SWEEP, *options, "--out", str(tmp_path / "out")]) != 0
    text = capsys.readouterr().err
    assert text.startswith("spinflow: ") and line in text
    assert text.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_option_that_does_not_exist_gives_one_line(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*SWEEP, "--speed", "11"])
    assert caught.value.code != 0
    assert capsys.readouterr().err.count("\n") == 1


def test_damaged_images_are_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(bytes((0, 0, 8, 1, 0, 0, 0, 9, 1, 2)))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"GIF89a")
    assert main(["run", "--bundle", str(BUNDLE), "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "t10k-images-idx3-ubyte is not the published file of MNIST" in said
    assert said.count("\n") == 1


def test_results_of_another_sweep_are_refused_and_kept(
    swept: Path, changed_bundle: Callable[..., Path], capsys: pytest.CaptureFixture
) -> None:
    before = (swept / "results.csv").read_bytes()
    other = changed_bundle(lambda described: described.update(network="mlp-mnist"))
    for change in (["--bundle", str(other)], ["--images", "21"], ["--image-seed", "1"]):
        assert main([*SWEEP, *change, "--out", str(swept)]) == 1
        text = capsys.readouterr().err.splitlines()[-1]
        assert text.startswith("spinflow: ") and "holds results of tfc-mnist" in text
    assert (swept / "results.csv").read_bytes() == before


def test_another_build_is_refused(
    changed_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    other = changed_bundle(lambda described: described.update(build_id=1))
    assert main([*SWEEP, "--bundle", str(other), "--out", str(tmp_path / "out")]) == 1
    assert "BUILD_ID reads" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_a_full_disk_ends_the_sweep_with_one_line_and_it_goes_on_later(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    command = [*SWEEP, "--memory", "all", "--rates", "0.1", "--repeats", "6"]
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    whole = (tmp_path / "whole" / "results.csv").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2, limits[1]))
    try:
        assert main([*command, "--out", str(tmp_path)]) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "the row could not be written" in capsys.readouterr().err.splitlines()[-1]
    content = (tmp_path / "results.csv").read_bytes()
    assert whole.startswith(content) and content.endswith(b"\n")
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "results.csv").read_bytes() == whole


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_lost_ends_a_program_all_the_same(
    capsys: pytest.CaptureFixture,
) -> None:
    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def losing() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Finalised()  # Python prints what a finaliser raises, and goes on
        start.check_signals()

    assert start.finish(losing) == 128 + signal.SIGINT
    assert capsys.readouterr().err.splitlines()[-1] == "spinflow: interrupted"
    assert start.finish(start.check_signals) == 0
