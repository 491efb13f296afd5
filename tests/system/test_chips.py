"""What `tools/cell_maps.py` makes of chips: means, deviations, intervals, files, pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinflow.host.core import stream
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.cell_laws import Law, cells_of
from spinflow.sim.evaluator import Evaluator
from tests.sim.test_sweep_jobs import small_network
from tools import cell_maps
from tools.cell_maps import ALIKE, Chip


def chips(law: str, accuracies: np.ndarray, kind: str = "weights") -> list[Chip]:
    return [
        Chip("mlp-mnist", kind, law, 0.1, number, 100, tuple(each))
        for number, each in enumerate(accuracies.tolist())
    ]


def test_deviations_between_chips_and_between_draws_are_told_apart() -> None:
    """Chips that deviate by 0.03, draws by 0.01: in 95 % of cases the interval holds the share."""
    rng = np.random.default_rng(1)
    held, found = [], []
    for _ in range(300):
        own = 0.8 + 0.03 * rng.standard_normal((12, 1)) + 0.01 * rng.standard_normal((12, 6))
        point = cell_maps.point_of(chips("stuck", own), chips(ALIKE, own - 0.05))
        assert point.change == pytest.approx(0.05) and point.change_half < 1e-12
        assert point.worst == own.mean(axis=1).min()
        held.append(point.share_low <= 0.9 <= point.share_high)
        found.append((point.chip_deviation, point.draw_deviation, point.held))
    assert 0.92 <= np.mean(held) <= 0.98
    between, within, covered = np.mean(found, axis=0)
    assert between == pytest.approx(0.03, rel=0.05) and within == pytest.approx(0.01, rel=0.05)
    assert covered < 0.5  # one chip's repeats say little of the others


def test_equal_cells_have_no_chips() -> None:
    rng = np.random.default_rng(2)
    points = []
    for _ in range(200):
        own = chips(ALIKE, 0.8 + 0.01 * rng.standard_normal((12, 6)))
        points.append(cell_maps.point_of(own, own))
    assert 0.93 <= np.mean([point.share_low == 0.0 for point in points]) <= 1.0
    assert 0.9 <= np.mean([point.held for point in points]) <= 0.99
    one = chips(ALIKE, np.full((3, 2), 0.5))
    assert cell_maps.point_of(one, one).share == 0.0


def test_a_chip_of_equal_cells_is_what_registers_give() -> None:
    evaluator = Evaluator.from_network(small_network(), threads=1)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (40, evaluator.pixels), np.uint8)
    tests = TestSet(images, rng.integers(0, 3, 40, np.uint8), "40 random images")
    found = cell_maps._chip(evaluator, tests, "buffer", Law("uniform", 0.25, 0.25), 2)
    assert len(found) == cell_maps.REPEATS and len(set(found)) > 1
    plain = Evaluator.from_network(small_network(), threads=1)
    for repeat, accuracy in enumerate(found):
        plain.soft_reset()
        for memory in plain.memories:
            number = 2 * cell_maps.REPEATS + repeat
            seed = stream.memory_seed(cell_maps.SEED, number, memory.index)
            mode = "off" if memory.kind == "weights" else "flip"
            plain.set_errors(memory.index, mode, 1 << 30, 1 << 30, seed)
            if memory.kind == "weights":
                plain.write_weights(memory.index, plain.weights(memory.layer))
        labels, _ = plain.run(images, taps=False)
        assert accuracy == np.mean(labels == tests.labels)


def test_files_and_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    made = [
        chip
        for law in (ALIKE, "stuck")
        for kind in cell_maps.KINDS
        for chip in chips(law, np.round(rng.random((3, 2)), 3), kind)
    ]
    cell_maps.write_chips(made, tmp_path / "mlp-mnist-chips.csv")
    assert cell_maps.read_chips(tmp_path / "mlp-mnist-chips.csv") == made
    points = cell_maps.points_of(made)
    assert [(p.law, p.kind) for p in points] == [
        (law, kind) for law in (ALIKE, "stuck") for kind in cell_maps.KINDS
    ]
    cell_maps.write_points(points, tmp_path / "mlp-mnist.csv")
    assert len((tmp_path / "mlp-mnist.csv").read_text().splitlines()) == 5
    cell_maps.main(["draw", "mlp-mnist", "--out", str(tmp_path), "--pictures", str(tmp_path)])
    for name in ("mean", "chips"):
        assert "<svg" in (tmp_path / f"cell-maps-{name}.svg").read_text()


@pytest.mark.parametrize("name", [n for n in cell_maps.LAWS if n != cell_maps.JUNCTION_ALIKE])
def test_laws_beside_each_other_have_one_mean(name: str) -> None:
    """Each has the mean of the equal cells that it stands beside, within what cells deviate by."""
    memory = MemoryInfo(0, "fc0.weights", "weights", 0, 50, 20_000)
    other = cell_maps.BESIDE.get(name, ALIKE)
    found, beside = (
        cells_of(cell_maps.law_of(law, 0.1), memory, 1).mean_rates for law in (name, other)
    )
    assert found == pytest.approx(beside, rel=0.04)


def test_a_network_without_chips_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cell_maps.main(["measure", "mlp-mnst", "--out", str(tmp_path / "out")])
    assert "network mlp-mnst: must be one of mlp-mnist, " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
