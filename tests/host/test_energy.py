"""Energy: what the counters tell about each kind of write, and sums done again by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spinflow.host.__main__ import main
from spinflow.host.board.driver import Accelerator, background_words
from spinflow.host.core import stream
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import DeviceError
from spinflow.host.core.memory import Counts
from spinflow.host.core.test_sets import mnist_test
from spinflow.host.mtj import models
from spinflow.host.sweep.energy import (
    Costs,
    WriteCounts,
    write_counts_of_buffer,
    write_counts_of_weights,
)
from spinflow.host.sweep.results import Row, read
from spinflow.sim import emulator
from tests.host.conftest import BUNDLE

IMAGES = 20
COUNT = emulator.EmulatedMemory.count
CONDITION = "sun-gamma:voltage=0.4V,pulse=1.6ns,critical_voltage0_v=0.2"
SWEEP = [
    *["sweep", "--bundle", str(BUNDLE), "--images", str(IMAGES), "--repeats", "2", "--seed", "5"],
    *["--write-condition", CONDITION, "fokker-planck:pulse=3ns", "--mode", "flip", "switch"],
    *["--memory", "weights", "buffers", "fc0", "--background", "previous", "random:3", "ones"],
]


def true_kinds(target: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Bits by kind, counted one by one: switched to 1, to 0, the same 1, the same 0."""
    return np.array(
        [
            np.count_nonzero((target == 1) & (old == 0)),
            np.count_nonzero((target == 0) & (old == 1)),
            np.count_nonzero((target == 1) & (old == 1)),
            np.count_nonzero((target == 0) & (old == 0)),
        ]
    )


class Watched:
    """Counts the kinds of every write of the emulator's memories, where the targets are known."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
        self.emulator = emulator.Emulator(bundle.folder)
        self.kinds = {id(cells): np.zeros(4, np.int64) for cells in self.emulator.memories}
        kinds = self.kinds

        def count(cells: Any, target: np.ndarray, old: np.ndarray, stored: np.ndarray) -> None:
            kinds[id(cells)] += true_kinds(target, old)
            COUNT(cells, target, old, stored)

        monkeypatch.setattr(emulator.EmulatedMemory, "count", count)

    def of(self, index: int) -> list[int]:
        return self.kinds[id(self.emulator.memories[index])].tolist()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("swept")
    assert main([*SWEEP, "--out", str(folder)]) == 0
    return read(folder / "results.csv")


@pytest.mark.slow
def test_the_energy_of_a_sweep_is_that_of_its_counters_by_hand(
    bundle: Bundle, swept: list[Row]
) -> None:
    """The same trials through the driver, energies from the model, sums written out."""
    junction = models.named("sun-gamma", critical_voltage0_v=0.2)
    condition = models.condition(junction, 0.4, 1.6e-9)
    assert condition.tells_bits_apart and condition.rate1 != condition.rate0
    wanted = ("weights", "random:3", "sun-gamma:critical_voltage0_v=0.2")
    rows = [row for row in swept if (row.memory, row.background, row.model) == wanted]
    assert len(rows) == 4
    images = mnist_test(IMAGES).images
    with Accelerator(bundle) as accelerator:
        for row in rows:
            for memory in bundle.select("weights"):
                seed = stream.memory_seed(5, row.repeat, memory.index)
                accelerator.set_condition(memory.name, condition, row.mode, seed)
            counted = accelerator.write_weights(background="random:3")
            accelerator.run(images)
            energy = 0.0
            errors1 = errors0 = 0
            for memory in bundle.select("weights"):
                old = background_words(memory, "random:3")
                new = bundle.weights[memory.name]
                assert old is not None
                ones = sum(bin(word).count("1") for word in new.reshape(-1).tolist())
                both = sum(bin(word).count("1") for word in (new & old).reshape(-1).tolist())
                counts = counted[memory.name]
                switched1, same1 = ones - both, both
                switched0 = counts.switched - switched1
                same0 = counts.written - counts.switched - same1
                energy += (
                    switched1 * condition.energy1_j
                    + switched0 * condition.energy0_j
                    + same1 * condition.energy1_same_j
                    + same0 * condition.energy0_same_j
                )
                errors1, errors0 = errors1 + counts.err1, errors0 + counts.err0
            assert row.energy_j == pytest.approx(energy, rel=1e-9)
            assert row.energy_bound_j == 0.0
            assert (row.err1, row.err0) == (errors1, errors0)
            for memory in bundle.select("weights"):
                accelerator.set_errors(memory.name, "off")


def test_rates_of_both_directions_reach_the_registers(swept: list[Row]) -> None:
    junction = models.named("sun-gamma", critical_voltage0_v=0.2)
    condition = models.condition(junction, 0.4, 1.6e-9)
    row = next(row for row in swept if row.model.startswith("sun-gamma"))
    assert row.rate == stream.rate(stream.threshold(condition.rate1))
    assert row.rate0 == stream.rate(stream.threshold(condition.rate0)) > row.rate
    assert (row.drive, row.drive_unit, row.pulse_s) == (0.4, "V", 1.6e-9)


def test_buffers_are_costed_within_what_their_counters_know(
    bundle: Bundle, swept: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = mnist_test(IMAGES).images
    rows = [row for row in swept if row.memory == "buffers"]
    assert len(rows) == 8
    for row in rows:
        watched = Watched(monkeypatch, bundle)
        twin = watched.emulator
        for memory in bundle.select("weights"):
            twin.write_weights(memory.index, bundle.weights[memory.name])
        for memory in bundle.select("buffers"):
            thresholds = stream.threshold(row.rate), stream.threshold(row.rate0)
            seed = stream.memory_seed(5, row.repeat, memory.index)
            twin.set_errors(memory.index, row.mode, *thresholds, seed)
        twin.soft_reset()
        twin.run(images)
        kinds = np.array([watched.of(m.index) for m in bundle.select("buffers")]).sum(axis=0)
        switched1, switched0, same1, same0 = kinds.tolist()
        assert (row.switched, row.bits_written) == (switched1 + switched0, kinds.sum())
        assert row.switched1_low <= switched1 <= row.switched1_high
        # A range no wider than half of what the buffers hold, whatever the number of images.
        held = sum(memory.bits for memory in bundle.select("buffers"))
        assert row.switched1_high - row.switched1_low <= held / 2
        assert row.same1_low <= same1 <= row.same1_high
        energy = (
            switched1 * row.energy_switched1_j + switched0 * row.energy_switched0_j
            + same1 * row.energy_same1_j + same0 * row.energy_same0_j
        )  # fmt: skip
        assert abs(row.energy_j - energy) <= row.energy_bound_j * (1 + 1e-9)


def test_a_layer_is_its_weights_and_its_buffer(bundle: Bundle, swept: list[Row]) -> None:
    weights, buffer = bundle.memory("fc0.weights"), bundle.memory("fc0.buffer")
    row = next(row for row in swept if row.memory == "fc0")
    assert row.bits_written == weights.bits + IMAGES * 64
    assert bundle.select("fc0") == (weights, buffer)


def test_rewrites_know_what_they_are_written_over(swept: list[Row]) -> None:
    """Repeat 0 over `previous` rewrites exact weights, repeat 1 what repeat 0 left."""
    rows = [r for r in swept if (r.memory, r.background) == ("weights", "previous")]
    for row in rows:
        assert row.switched1_low == row.switched1_high and row.energy_bound_j == 0.0
        (before,) = (r for r in rows if (r.model, r.mode, r.repeat) == (row.model, row.mode, 0))
        wrong = (0, 0) if row.repeat == 0 else (before.errors, before.err1)
        assert (row.switched, row.switched1_low) == wrong


def test_counters_that_contradict_the_weights_are_an_error(bundle: Bundle) -> None:
    memory = bundle.memory("fc3.weights")
    new = bundle.weights[memory.name]
    kinds = write_counts_of_weights(memory, new, new, Counts(written=memory.bits))
    assert (kinds.switched, kinds.same) == (0, memory.bits)
    with pytest.raises(DeviceError, match=r"fc3\.weights: 640 bits written, 1 switched"):
        write_counts_of_weights(memory, new, new, Counts(written=memory.bits, switched=1))


def test_a_model_that_tells_nothing_apart_has_no_bound(bundle: Bundle) -> None:
    kinds = write_counts_of_buffer(bundle.memory("fc0.buffer"), Counts(640, 300, 7, 2))
    assert kinds.switched1 == (153, 184) and kinds.same1 == (0, 340)
    assert kinds.energy(Costs(2.0, 2.0, 2.0, 2.0)) == (1280.0, 0.0)
    middle, bound = kinds.energy(Costs(3.0, 2.0, 1.0, 1.0))
    assert (middle, bound) == (340 + 2 * 300 + 168.5, 15.5)
    assert (kinds + WriteCounts()) == kinds
