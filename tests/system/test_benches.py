"""The benches of the evaluators, each on a tiny case: what they count, never how long it takes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tools import bench, bench_growth, sensitivity
from tools.bench_growth import Line, Plan


@pytest.mark.slow
def test_a_grid_beside_other_programs() -> None:
    """All programs give the evaluator's labels without errors, and each rate has its ratio."""
    pytest.importorskip("mrfi")
    from tools import bench_grid

    images = np.random.default_rng(1).integers(0, 256, (32, 784), dtype=np.uint8)
    found = bench_grid.measure("tfc-mnist", 1, False, images, rates=(0.0, 0.01))
    grid = found["grid"]
    assert list(found["rate"]) == ["0.01"]
    assert grid["trials"] == 2 * 2 * bench_grid.REPEATS
    assert found["rate"]["0.01"]["trials"] == 2 * bench_grid.REPEATS
    assert not grid["failed"] and grid["labels_equal_without_errors"]["torch_float32"] == 1.0
    assert grid["best_of_torch"] in grid["ratios"]
    for figures in grid, found["rate"]["0.01"]:
        assert figures["ratio_best"] == figures["ratios"][grid["best_of_torch"]] > 0
        rate = figures["images_trials_per_s"]
        assert figures["gxnor_equivalents_per_s"] == pytest.approx(59_008e-9 * rate, rel=0.1)
    assert grid["processor"] and grid["share_of_peak"] > 0 and grid["peak_memory_mib"] > 50


@pytest.mark.slow
def test_growth_is_measured_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_growth, "NETWORK", "tfc-mnist")
    plan = Plan("trials", 20, 3, 1, "local")
    line = bench_growth.measured(plan)
    assert line[:5] == plan and line.processor_s > 0 and line.peak_mib > 50
    lines = [line, line._replace(trials=200), *(Line(*plan, 1.0, 1.0, 1.0),) * 2]
    lines[2:] = [each._replace(varied="images", images=n) for n, each in enumerate(lines[2:], 1)]
    bench_growth.write(lines, tmp_path / "growth.csv")
    with (tmp_path / "growth.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["trials"] for row in rows] == ["20", "200", "20", "20"]
    bench_growth.draw(lines, tmp_path / "growth.svg")
    assert "<svg" in (tmp_path / "growth.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_failed_sweep_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="--images 0"):
        bench_growth.sweep(Plan("trials", 10, 0, 1, "local"), tmp_path / "out", [])


def test_plans_are_those_of_the_page() -> None:
    found = bench_growth.plans(1)
    assert [plan.trials for plan in found if plan.varied == "trials"] == [10, 100, 1_000, 10_000]
    assert [plan.images for plan in found if plan.varied == "images"] == [100, 1_000, 10_000]
    pairs = [(plan.where, plan.workers) for plan in found if plan.varied == "workers"]
    assert pairs == [("local", 1), ("local", 2), ("dask", 1), ("dask", 2)]


def test_sensitivity_of_memories(tmp_path: Path) -> None:
    rows = [("a.weights", 0.0, 0.9), ("a.weights", 0.1, 0.5), ("a.weights", 0.1, 0.7)]
    found = sensitivity.points([*rows, ("a.buffer", 0.1, 0.8), ("a.buffer", 0.1, 0.8)])
    assert [(p.memory, p.rate, p.repeats) for p in found] == [
        ("a.weights", 0.0, 1),
        ("a.weights", 0.1, 2),
        ("a.buffer", 0.1, 2),
    ]
    assert found[1].accuracy == pytest.approx(0.6)
    # Student's t of one degree of freedom, 12.706, times 0.1414 / sqrt(2).
    assert found[1].half == pytest.approx(1.2706, rel=1e-4) and found[2].half == 0
    sensitivity.write(found, tmp_path / "points.csv")
    lines = (tmp_path / "points.csv").read_text(encoding="utf-8").splitlines()
    assert lines[2] == "a.weights,0.1,0.600000,1.270620,2"
    sensitivity.draw(found, tmp_path / "points.svg", "tiny")
    assert "<svg" in (tmp_path / "points.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_bundle_is_built_anew_and_timed() -> None:
    """The commands that `make bench` times are the ones that there are."""
    seconds = bench.build_times(bench.ROOT / "build/tfc-mnist")
    assert list(seconds) == ["bundle_s", "simulator_s"] and min(seconds.values()) > 0
