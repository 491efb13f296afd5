"""Errors on: for the same seeds RTL and emulator agree in every activation, label and counter."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from spinflow.hls.golden import golden_edges
from spinflow.host.core.stream import memory_seed, threshold
from spinflow.model.zoo import TESTED
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Evaluator
from tests.system.conftest import CONVOLUTIONAL, FULL
from tests.system.test_errors_off import PAUSE, Images, load_weights

BASE_SEED = 2026
# Images of a case, which runs them three times.
IMAGES = {
    "tfc-mnist": 200,
    "mlp-mnist": 50,
    "lfc-mnist": 20,
    "lenet-mnist": 34 if FULL else 4,
    "cnv-cifar10": 34 if FULL else 4,
}


class Case(NamedTuple):
    """Where errors are made, in which mode, at which rates, over which weights before."""

    kind: str  # "weights", "buffer" or "both"
    mode: str
    rate1: float
    rate0: float
    background: int  # every weight bit before the write: 0, 1, or 2 for a random one


ALL_CASES = [
    Case(kind, mode, rate1, rate0, background)
    for kind in ("weights", "buffer", "both")
    for mode in ("flip", "switch")
    for rate1, rate0, background in (
        (1e-3, 1e-3, 0),
        (1e-2, 1e-2, 1),
        (0.5, 0.5, 2),
        (0.02, 0.3, 1),
    )
]
# A sample that has every kind, mode, rate pair and background at least once.
SAMPLE = [ALL_CASES[i] for i in (0, 7, 9, 14, 19, 22)]
# A convolutional network takes its time: errors in everything, in both modes; in full the sample.
CASES = [
    (network, case)
    for network in TESTED
    for case in (
        (SAMPLE if FULL else SAMPLE[4:])
        if network in CONVOLUTIONAL
        else (ALL_CASES if FULL else SAMPLE)
    )
]


def background_segments(rtl: Accelerator, memory: int, background: int) -> np.ndarray:
    """Weights of a background: uint32 (depth, segments)."""
    entry = rtl.memories[memory]
    shape = (entry.depth, entry.segments)
    if background == 2:
        generator = np.random.default_rng([BASE_SEED, memory])
        return generator.integers(0, 1 << 32, shape, dtype=np.uint32)
    return np.full(shape, 0xFFFFFFFF if background else 0, dtype=np.uint32)


def run_case(
    device: Accelerator | Emulator | Evaluator,
    rtl: Accelerator,
    bundle: Path,
    case: Case,
    images: np.ndarray,
) -> list[object]:
    """Do what a trial does, and return everything that can be seen on the way."""
    seen: list[object] = []
    memories = rtl.memories
    weights = [m.index for m in memories if m.kind == "weights"]
    for index in weights:
        device.set_errors(index, "off", 0, 0, 0)
        device.write_weights(index, background_segments(rtl, index, case.background))
    device.clear()
    for m in memories:
        if case.kind in (m.kind, "both"):
            seed = memory_seed(BASE_SEED, case.background, m.index)
            device.set_errors(
                m.index, case.mode, threshold(case.rate1), threshold(case.rate0), seed
            )
    load_weights(device, bundle)
    seen += [device.read_weights(index) for index in weights]
    seen += [device.counters(m.index) for m in memories]
    # The same images before and after a soft reset, then once more without one: the streams and
    # the old values go on.
    for reset in (True, True, False):
        if reset:
            device.soft_reset()
        labels, edges = device.run(images)
        seen += [labels, *(edges[name] for name in sorted(edges) if name != "input")]
        seen += [device.counters(m.index) for m in memories]
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "case"),
    CASES,
    ids=[f"{n}-{c.kind}-{c.mode}-{c.rate1}-{c.rate0}" for n, c in CASES],
    indirect=["network"],
)
def test_rtl_is_the_emulator(bundle: Path, test_set: Images, case: Case) -> None:
    images = test_set[0][: IMAGES[bundle.name]]
    rtl, emulator = Accelerator(bundle), Emulator(bundle)
    rtl.library.pause(PAUSE, PAUSE, seed=7)
    of_rtl = run_case(rtl, rtl, bundle, case, images)
    of_emulator = run_case(emulator, rtl, bundle, case, images)
    assert len(of_rtl) == len(of_emulator)
    for number, (a, b) in enumerate(zip(of_rtl, of_emulator, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f"observation {number} of {case}")


@pytest.mark.slow
def test_finn_with_the_weights_read_back(bundle: Path, test_set: Images) -> None:
    images = test_set[0][: 5 if bundle.name in CONVOLUTIONAL else 50]
    rtl = Accelerator(bundle)
    weights = [m.index for m in rtl.memories if m.kind == "weights"]
    for index in weights:
        rtl.set_errors(index, "flip", threshold(0.05), threshold(0.02), memory_seed(1, 0, index))
    load_weights(rtl, bundle)
    read_back = {rtl.memories[i].layer: rtl.read_weights(i) for i in weights}
    rtl.soft_reset()
    labels, edges = rtl.run(images)
    expected = golden_edges(bundle, images, weights=read_back)
    for name in edges:
        np.testing.assert_array_equal(edges[name], expected[name], err_msg=name)
    exact = golden_edges(bundle, images)
    first = rtl.memories[weights[0]].name.removesuffix(".weights")
    assert np.any(exact[first] != expected[first]), "the errors changed nothing: no test at all"
    np.testing.assert_array_equal(labels, expected["label"][:, 0])
