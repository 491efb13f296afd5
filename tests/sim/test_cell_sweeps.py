"""Sweeps with cell maps: the same rows on RTL, emulator and evaluators, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.core import bundle as bundles
from spinflow.host.core import cell_files
from spinflow.host.core.errors import InputError
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.grid import make
from spinflow.host.sweep.mapped import MapFile
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.results import TIMED, Row, read
from spinflow.host.sweep.running import on_accelerator
from spinflow.host.sweep.trials import Trial, grid
from spinflow.sim import cell_maps
from spinflow.sim.sweep import main
from spinflow.sim.sweeps.jobs import job_of_bundle
from spinflow.sim.sweeps.workers import in_this_process


@pytest.fixture(scope="module")
def tests(bundle_folder: Path) -> TestSet:
    """Twenty images at random: nothing here goes by what they show."""
    bundle = bundles.load(bundle_folder, runnable=False)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (20, bundle.pixels), np.uint8)
    return TestSet(images, rng.integers(0, 10, 20, np.uint8), "20 random images")


def made(folder: Path, name: str, *options: str) -> Path:
    """A map of the quick bundle."""
    path = folder / f"{name}.npz"
    bundle = str(Path(__file__).resolve().parents[2] / "build" / "tfc-mnist")
    assert cell_maps.main(["make", bundle, "--out", str(path), *options]) == 0
    return path


def trials_of(
    folder: Path, maps: list[Path], selections: list[str], modes: list[str]
) -> list[Trial]:
    return grid(
        bundles.load(folder, runnable=False), selections=selections, modes=modes, points=[],
        backgrounds=["random:3", "previous"], repeats=2, seed=4,
        maps=[MapFile.of(str(path)) for path in maps],
    )  # fmt: skip


def measured(folder: Path, tests: TestSet, backend: str, trials: list[Trial]) -> list[Row]:
    """Rows without what is of a backend alone."""
    if backend == "rtl":
        found = on_accelerator(bundles.load(folder), tests)(trials)
    else:
        job = job_of_bundle(folder, tests, backend.partition(",")[0])
        found = in_this_process(replace(job, whole="whole" in backend))(trials)
    untimed: dict[str, Any] = dict.fromkeys(TIMED, 0)
    return [replace(row, backend="any", **untimed) for row, _ in found]


def test_weights_with_cells_are_those_of_the_rtl(
    bundle_folder: Path, tests: TestSet, tmp_path: Path
) -> None:
    """Accuracies, counts and energies, on every backend that has the hardware's stream."""
    options = ["--law", "beta", "--rate", "0.03", "--rate0", "0.1", "--shape", "0.5"]
    path = made(tmp_path, "beta", *options, "--stuck0", "0.02", "--stuck1", "0.01")
    trials = trials_of(bundle_folder, [path], ["weights", "fc1.weights"], ["flip", "switch"])
    rows = measured(bundle_folder, tests, "rtl", trials)
    for backend in ("emulator", "evaluator", "evaluator, whole"):
        assert measured(bundle_folder, tests, backend, trials) == rows
    assert {row.cell_map for row in rows} == {cell_files.read(path).digest}
    assert all(row.err1 > 0 and row.err0 > 0 for row in rows)


def test_all_memories_with_cells_are_alike_in_software(
    bundle_folder: Path, tests: TestSet, tmp_path: Path
) -> None:
    """Two maps and plain rates in one group of trials, together and whole."""
    paths = [
        made(tmp_path, str(seed), "--law", "beta", "--rate", "0.05", "--seed", str(seed),
             "--stuck1", "0.05")
        for seed in (1, 2)
    ]  # fmt: skip
    trials = trials_of(bundle_folder, paths, ["buffers", "all"], ["flip", "switch"])
    plain = grid(
        bundles.load(bundle_folder, runnable=False), selections=["buffers", "all"],
        modes=["flip"], points=[point_of_rate(0.1)], backgrounds=["zeros"], repeats=2, seed=4,
    )  # fmt: skip
    mixed = [trial for pair in zip(trials, plain * 9, strict=False) for trial in pair]
    rows = measured(bundle_folder, tests, "emulator", mixed)
    for backend in ("evaluator", "evaluator, whole"):
        assert measured(bundle_folder, tests, backend, mixed) == rows
    fast = measured(bundle_folder, tests, "evaluator-fast", mixed)
    assert measured(bundle_folder, tests, "evaluator-fast, whole", mixed) == fast


@pytest.mark.parametrize("backend", ["emulator", "evaluator", "evaluator-fast", "rtl"])
def test_one_rate_for_all_cells_is_a_bare_rate(
    bundle_folder: Path, tests: TestSet, tmp_path: Path, backend: str
) -> None:
    """In every column but that of the map."""
    path = made(tmp_path, "alike", "--rate", "0.02", "--rate0", "0.07")
    bundle = bundles.load(bundle_folder, runnable=False)
    selections = ["weights"] if backend == "rtl" else ["weights", "buffers", "all"]
    rows = []
    for given in ({"points": [point_of_rate(0.02, 0.07)]}, {"maps": [MapFile.of(str(path))]}):
        trials = grid(
            bundle, selections=selections, modes=["flip", "switch"], backgrounds=["ones"],
            repeats=1, seed=4, **{"points": []} | given,
        )  # fmt: skip
        found = measured(bundle_folder, tests, backend, trials)
        rows.append([replace(row, cell_map="none") for row in found])
    assert rows[0] == rows[1]


def test_faults_of_a_trial_are_replayed(
    bundle_folder: Path, tests: TestSet, tmp_path: Path
) -> None:
    """A map of the cells that erred gives the labels and counts of the trial that they erred in."""
    path = made(tmp_path, "beta", "--law", "beta", "--rate", "0.05", "--memory", "weights")
    (trial,) = [
        t for t in trials_of(bundle_folder, [path], ["weights"], ["flip"])
        if (t.background, t.repeat) == ("random:3", 1)
    ]  # fmt: skip
    faults, again = tmp_path / "faults.npz", tmp_path / "again.npz"
    bundle = str(bundle_folder)
    assert cell_maps.main([
        "faults", bundle, "--memory", "weights", "--cell-map", str(path), "--background",
        "random:3", "--seed", "4", "--repeat", "1", "--out", str(faults),
    ]) == 0  # fmt: skip
    assert cell_maps.main(["replay", bundle, str(faults), "--out", str(again)]) == 0
    replay = replace(trial, cells=MapFile.of(str(again)))
    for backend in ("emulator", "rtl"):
        first, second = measured(bundle_folder, tests, backend, [trial, replay])
        assert (first.errors, first.err1) == (second.errors, second.err1) != (0, 0)
        assert first.accuracy == second.accuracy


def test_the_same_cells_in_two_files_are_one_point(bundle_folder: Path, tmp_path: Path) -> None:
    """A row that is there twice would make the file of rows unreadable."""
    path = made(tmp_path, "one", "--rate", "0.1", "--memory", "weights")
    copy = tmp_path / "copy.npz"
    copy.write_bytes(path.read_bytes())
    trials = trials_of(bundle_folder, [path, copy], ["weights"], ["flip"])
    assert trials == trials_of(bundle_folder, [path], ["weights"], ["flip"])


def test_a_map_takes_the_energies_of_a_device(bundle_folder: Path, tmp_path: Path) -> None:
    """As write conditions do: of its own condition, or of its mean rates."""
    bundle = bundles.load(bundle_folder, runnable=False)
    condition = "sun-gamma:pulse=2ns,drive_spread=0.05"
    plain = made(tmp_path, "plain", "--rate", "0.1")
    spread = made(tmp_path, "spread", "--law", "spread", "--write-condition", condition)
    for path in plain, spread:
        own, scaled = (
            make({"cell_map": str(path), "memory": "all", "repeats": 1} | device).trials(bundle)
            for device in ({}, {"device": "nvsim-cell"})
        )
        assert own[0].point.model != scaled[0].point.model
        assert "device=nvsim-cell" in scaled[0].point.model
        costs = scaled[0].point.conventional
        assert (costs.switched1_j + costs.switched0_j) / 2 == pytest.approx(1e-12)
        assert own[0].point.threshold1 == scaled[0].point.threshold1
    named = made(tmp_path, "named", "--law", "spread", "--write-condition",
                 f"{condition},device=nvsim-cell")  # fmt: skip
    with pytest.raises(InputError, match="each part is NAME=VALUE, once"):
        make({"cell_map": str(named), "device": "nvsim-cell"}).trials(bundle)


def test_a_map_of_a_file_with_any_name(bundle_folder: Path, tmp_path: Path) -> None:
    file, path = tmp_path / "two\nlines.csv", tmp_path / "map.npz"
    file.write_text("memory,word,bit,rate1,rate0,stuck\nfc0.weights,,,0.1,,\n")
    assert cell_maps.main(["import", str(bundle_folder), str(file), "--out", str(path)]) == 0
    assert cell_files.read(path).about == "imported from two lines.csv"


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What a sweep says that does not begin."""
    assert main([*options]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("spinflow: ") and len(lines[-1]) < 300
    return lines[-1]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--shape", "2"], "--shape is of the law beta, not of uniform"),
        (["--law", "spread", "--rate", "0.1"], "--rate is of the law uniform or beta, not of spr"),
        (["--law", "spread", "--rate0", "0.1"], "--rate0 is of the law uniform or beta, not of"),
        (["--law", "spread"], "the law spread takes --write-condition sun-gamma:pulse="),
        (["--write-condition", "sun-gamma:pulse=2ns"], "the law spread takes --write-condition"),
    ],
)
def test_options_of_another_law_are_one_line(
    options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["make", "tfc-mnist", "--out", str(tmp_path / "map.npz"), *options]
    assert cell_maps.main(words) == 1
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1 and not list(tmp_path.iterdir())


def test_what_does_not_go_together_is_one_line(
    bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(made(tmp_path, "some", "--rate", "0.1", "--memory", "weights"))
    out = str(tmp_path / "out")
    base = ["--bundle", str(bundle_folder), "--images", "5", "--out", out, "--cell-map", path]
    for options, message in (
        (["--on", "emulator", "--memory", "buffers"], "has no fc0.buffer"),
        (["--on", "emulator", "--retention-s", "10"], "cells that differ do not age"),
        (["--on", "emulator", "--mode", "off"], "a cell map with mode off"),
        (["--scheduler", "tcp://127.0.0.1:1"], "cell_map with --scheduler"),
    ):
        if "--memory" not in options:
            options += ["--memory", "weights"]
        assert message in refused(capsys, *base, *options)
    both = made(tmp_path, "both", "--rate", "0.1")
    words = refused(capsys, *base[:-1], str(both), "--on", "rtl", "--memory", "all",
                    "--workers", "1")  # fmt: skip
    assert "is a buffer, whose cells differ in software only" in words
    assert "no such file" in refused(capsys, *base[:-1], "none.npz").lower()
    assert not Path(out).exists()
    assert main([*base, "--on", "evaluator", "--memory", "weights", "--workers", "1"]) == 0
    assert all(row.cell_map != "none" for row in read(Path(out) / "results.csv"))
