"""What a sweep in software hands to its workers: networks of all kinds, and what must be alike."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spinflow.sim.sweeps.jobs
from spinflow.host.core import bundle as bundles
from spinflow.host.core.test_sets import TestSet, mnist_test
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.trials import grid
from spinflow.model import store
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import FixedPointSpec
from spinflow.sim.evaluator import Conv, Label, Linear, MaxPool, Network
from spinflow.sim.sweeps import workers
from spinflow.sim.sweeps.jobs import Job, SweepError, facts, job_of_bundle, job_of_network
from spinflow.sim.sweeps.workers import forget, in_processes, in_this_process, take_if_alike

REPOSITORY = Path(__file__).parents[2]
BUNDLE = REPOSITORY / "build" / "tfc-mnist"


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


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert [row for row, _ in in_this_process(replace(job, whole=True))(trials)] == rows
    written = {row.memory: row.bits_written for row in rows}
    assert written["weights"] == 8 * (5 * 27 + 6 * 45 + 9 * 6 * 12 + 10 * 9)
    assert written["buffers"] == 20 * 8 * (5 * 48 + 6 * 12 + 9)
    assert all((row.errors > 0) == (row.rate > 0) for row in rows)


def test_groups_hold_no_more_weights_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials of networks with many weights come in smaller groups; all come, in their order."""
    spec = FixedPointSpec(
        "fxp", (8, 6, 3), 3, (5, 6), (1,), (9, 10), 2.0**-2, "cifar10", padding=1, bits=32
    )
    monkeypatch.setattr(store, "load_trained", lambda name: untrained(spec, 1))
    tests = TestSet(np.zeros((1, 144), np.uint8), np.zeros(1, np.uint8), "an image")
    job = job_of_network("fxp", tests, "evaluator-fast")
    assert job.weight_bytes == 4 * (5 * 27 + 6 * 45 + 9 * 6 * 12 + 10 * 9)
    trials: Any = list(range(100))
    for room, size in ((1 << 30, workers.TOGETHER), (3 * job.weight_bytes, 3), (1, 1)):
        monkeypatch.setattr(workers, "HELD_BYTES", room)
        found = workers.groups(job, trials, 1)
        assert len(found[0]) == size and [each for group in found for each in group] == trials


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
    monkeypatch.setattr(spinflow.sim.sweeps.jobs, "REPOSITORY", tmp_path)
    seen = {spinflow.sim.sweeps.jobs.version.__wrapped__()}
    for path in sorted(tmp_path.rglob("*.py")):
        path.write_text("# changed")
        seen.add(spinflow.sim.sweeps.jobs.version.__wrapped__())
    assert len(seen) == 6


def test_the_emulator_needs_a_bundle() -> None:
    with pytest.raises(SweepError, match="which the emulator needs"):
        job_of_network("tfc-mnist", mnist_test(5), "emulator")


def test_a_bundle_without_a_simulator_is_enough() -> None:
    assert bundles.load(BUNDLE, runnable=False).overlay is None
