"""Scores of classes: all engines give the labels of the source, with the least whole numbers."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from spinflow.hls.build import build
from spinflow.hls.golden import golden_edges
from spinflow.hls.paths import BuildError
from spinflow.hls.scores import LIMIT, Scores, of_popcounts, whole
from spinflow.host.board.driver import Accelerator
from spinflow.host.core import bundle as bundles
from spinflow.host.core.stream import memory_seed, threshold
from spinflow.sim import verilate
from spinflow.sim.engines import engine
from spinflow.sim.sweeps.device import SoftwareAccelerator
from tests.hls.networks import Network, perceptron

CLASSES = 300
WIDTH = 36


class Scored(NamedTuple):
    """A network with scores, its bundle and what it was made of."""

    folder: Path
    model: Path
    images: np.ndarray
    gain: np.ndarray
    offset: np.ndarray


def scored(folder: Path, network: Network, cycles: int, gain: Any, offset: Any) -> Scored:
    """A bundle of a network with scores, and images that its first layer takes apart."""
    source = network.scores(gain, offset).save(folder / "source")
    build(source, cycles, folder / "bundle")
    images = np.random.default_rng(5).integers(0, 256, (60, 48), np.uint8)
    model = source / "model.onnx"
    return Scored(folder / "bundle", model, images, np.array(gain), np.array(offset))


@pytest.fixture(scope="module")
def different(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Many classes with gains that differ, more than a byte holds, several at once."""
    random = np.random.default_rng(3)
    gain = random.integers(1, 8, CLASSES)
    offset = random.integers(-5, 6, CLASSES)
    network = perceptron(48, 24, WIDTH, CLASSES)
    return scored(tmp_path_factory.mktemp("different"), network, 100, gain, offset)


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """An odd number of classes with one gain, no power of two, and offsets."""
    random = np.random.default_rng(4)
    offset = random.integers(-9, 10, 15)
    return scored(
        tmp_path_factory.mktemp("equal"), perceptron(48, 24, WIDTH, 15), 36, [12] * 15, offset
    )


def source_labels(found: Scored) -> np.ndarray:
    """The labels that QONNX's own execution of the source gives."""
    model = ModelWrapper(str(found.model)).transform(InferShapes())
    name = model.graph.input[0].name
    labels = [
        execute_onnx(model, {name: image.reshape(1, -1).astype(np.float32)})["tensor" + last(model)]
        for image in found.images
    ]
    return np.array([int(scores.argmax()) for scores in labels])


def scores_of(found: Scored, popcounts: np.ndarray) -> np.ndarray:
    """The scores of numbers of agreeing bits; the networks of the tests scale sums by an eighth."""
    return (2 * popcounts.astype(int) - WIDTH) * found.gain + 8 * found.offset


def last(model: ModelWrapper) -> str:
    """The number in the name of the output."""
    return str(model.graph.output[0].name.removeprefix("tensor"))


def loaded(found: Scored, name: str) -> Any:
    """An engine of a bundle with its trained weights."""
    device = engine(name, bundle=found.folder)
    with np.load(found.folder / "arrays.npz") as arrays:
        for memory in device.memories:
            if memory.kind == "weights":
                device.write_weights(memory.index, arrays[f"weights.{memory.layer}"])
    device.soft_reset()
    return device


@pytest.mark.parametrize("which", ["different", "equal"])
def test_labels_are_those_of_the_source(request: pytest.FixtureRequest, which: str) -> None:
    """QONNX, FINN, emulator and evaluator; the sums stay sums, with ties of scores among them."""
    found: Scored = request.getfixturevalue(which)
    expected = source_labels(found)
    edges = golden_edges(found.folder, found.images)
    np.testing.assert_array_equal(edges["label"][:, 0], expected)
    scores = scores_of(found, edges["fc2"])
    np.testing.assert_array_equal(scores.argmax(axis=1), expected)
    assert (edges["fc2"].argmax(axis=1) != expected).any(), "the scores change nothing"
    for name in ("emulator", "evaluator"):
        labels, taps = loaded(found, name).run(found.images)
        np.testing.assert_array_equal(labels, expected, name)
        np.testing.assert_array_equal(taps["fc2"], edges["fc2"], name)


def test_a_sweep_sees_labels_beyond_a_byte(different: Scored) -> None:
    """What measures sweeps hands labels on as they are."""
    loaded_bundle = bundles.load(different.folder, runnable=False)
    evaluator = engine("evaluator", bundle=different.folder)
    device = SoftwareAccelerator(loaded_bundle, evaluator, "evaluator")
    device.write_weights()
    np.testing.assert_array_equal(device.run(different.images), source_labels(different))


def test_ties_are_there_and_labels_beyond_a_byte(different: Scored) -> None:
    """What the comparison with so many classes is to see is there to be seen."""
    edges = golden_edges(different.folder, different.images)
    scores = scores_of(different, edges["fc2"])
    best = (scores == scores.max(axis=1, keepdims=True)).sum(axis=1)
    assert (best > 1).any() and edges["label"].max() > 255
    golden = dict(np.load(different.folder / "golden.npz"))
    assert golden["labels"].dtype == np.uint16 and golden["labels"].max() > 255


@pytest.mark.slow
@pytest.mark.parametrize("which", ["different", "equal"])
def test_rtl_gives_the_labels_of_the_source(request: pytest.FixtureRequest, which: str) -> None:
    """Without errors those of QONNX, with errors in everything those of emulator and evaluator."""
    found: Scored = request.getfixturevalue(which)
    verilate.build(found.folder)
    devices = {name: loaded(found, name) for name in ("rtl", "emulator", "evaluator")}
    expected = source_labels(found)
    np.testing.assert_array_equal(devices["rtl"].run(found.images)[0], expected)
    with Accelerator(bundles.load(found.folder)) as accelerator:
        accelerator.write_weights()
        labels = accelerator.run(found.images)
    np.testing.assert_array_equal(labels, expected, "through the driver")
    for mode in ("flip", "switch"):
        seen = {}
        for name, device in devices.items():
            for memory in device.memories:
                seed = memory_seed(7, 0, memory.index)
                device.set_errors(memory.index, mode, threshold(0.1), threshold(0.02), seed)
            with np.load(found.folder / "arrays.npz") as arrays:
                for memory in device.memories:
                    if memory.kind == "weights":
                        device.write_weights(memory.index, arrays[f"weights.{memory.layer}"])
            device.soft_reset()
            seen[name] = device.run(found.images)
        for name in ("emulator", "evaluator"):
            np.testing.assert_array_equal(seen[name][0], seen["rtl"][0], f"{name}, {mode}")
            np.testing.assert_array_equal(seen[name][1]["fc2"], seen["rtl"][1]["fc2"], name)
        assert (seen["rtl"][0] != expected).any(), "the errors change nothing"


def test_the_top_has_no_multiplier_where_gains_are_equal(equal: Scored, different: Scored) -> None:
    """What is paid for: a table of gains only where they differ, nothing for a network without."""
    tops = {
        name: (found.folder / "rtl" / "accel.sv").read_text()
        for name, found in (("equal", equal), ("different", different))
    }
    assert ".Shift " in tops["equal"] and ".Gains " not in tops["equal"]
    assert ".Gains " in tops["different"] and ".Shift " not in tops["different"]
    accel = json.loads((equal.folder / "accel.json").read_text())
    assert accel["layers"][-1]["scores"] is True
    for found, multiplies in (equal, False), (different, True):
        folding = json.loads((found.folder / "accel.json").read_text())["folding"]
        layer = folding["layers"]["fc2"]
        assert layer["estimate"]["DSP48"] == folding["estimate"]["DSP48"]
        assert layer["pe"] == (3 if multiplies else 1)  # an odd number of classes in a word
        assert layer["estimate"]["DSP48"] == (layer["pe"] if multiplies else 0)


@pytest.mark.parametrize(
    ("gain", "offset", "expected"),
    [
        ([0.125] * 3, [0, 0, 0], ((1, 1, 1), (0, 0, 0))),
        ([0.5, 1.5, 1.0], [0, 0, 0.25], ((2, 6, 4), (0, 0, 1))),
        ([0.3] * 3, [0.7] * 3, ((1, 1, 1), (0, 0, 0))),
        ([3, 3, 3], [7, -2, 7], ((3, 3, 3), (7, -2, 7))),
        ([4, 2, 2], [10, 4, 6], ((2, 1, 1), (5, 2, 3))),
    ],
)
def test_constants_become_the_least_whole_numbers(
    gain: list[float], offset: list[float], expected: tuple[tuple[int, ...], ...]
) -> None:
    found = whole([Fraction(g) for g in gain], [Fraction(o) for o in offset])
    assert (found.gain, found.offset) == expected


def test_scores_of_popcounts_have_the_order_of_those_of_sums() -> None:
    """Every pair of sums of every pair of classes compares as before, ties included."""
    random = np.random.default_rng(1)
    for inputs in (1, 4, 9):
        for bound in (1, 2, 30):
            gain = random.integers(1, bound + 1, 6) if bound > 1 else np.full(6, 7)
            offset = random.integers(-40, 41, 6)
            found = of_popcounts(Scores(tuple(map(int, gain)), tuple(map(int, offset))), inputs)
            counts = np.arange(inputs + 1)
            before = (2 * counts - inputs) * gain[:, None] + offset[:, None]
            after = counts * np.array(found.gain)[:, None] + np.array(found.offset)[:, None]
            assert min(found.offset) == 0
            np.testing.assert_array_equal(
                np.sign(before[:, :, None, None] - before[None, None]),
                np.sign(after[:, :, None, None] - after[None, None]),
            )
            if len(set(gain)) == 1:
                assert found.shift is not None and found.gain[0] <= 8


def test_a_network_without_scores_pays_nothing(bundle: Any) -> None:
    top = (bundle.folder / "rtl" / "accel.sv").read_text()
    assert "class_scores" not in top and bundle.accel["layers"][-1]["scores"] is False
    assert "gain.label" not in bundle.arrays


@pytest.mark.parametrize(
    ("gain", "offset", "message"),
    [
        ([1, 0, 1], [0, 0, 0], "the score of class 1 is its sum times 0: the hardware takes"),
        ([1, 1, -0.5], [0, 0, 0], "the score of class 2 is its sum times -0.0625: the"),
        ([1, 0.1, 1], [0, 0, 0], "no whole multiples of one number: whole numbers up to 16777216"),
        ([1, 1, 1], [0, 0.1, 0], "a score can reach 281857229: at most 16777216 are handled"),
        ([1, 2**21, 1], [0, 0, 0], "a score can reach 33554432: at most 16777216 are handled"),
    ],
)
def test_scores_that_are_not_exact_are_refused(
    tmp_path: Path, gain: list[float], offset: list[float], message: str
) -> None:
    network = perceptron(16, 16, 3).scores(gain, offset)
    with pytest.raises(BuildError) as refused:
        build(network.save(tmp_path / "source"), 64, tmp_path / "bundle")
    assert message in str(refused.value) and len(str(refused.value)) < 300
    assert LIMIT == 2**24
