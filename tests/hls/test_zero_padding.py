"""Convolutions that pad bits with 0: FINN's golden reference against QONNX's own execution.

QONNX executes the file itself, in which ONNX says what the padding is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.golden import golden_edges
from spinflow.hls.zero_padding import ZeroPadding
from spinflow.host.core.packing import unpack_weights
from spinflow.sim.emulator import Emulator
from tests.hls.conftest import Bundle, make
from tests.hls.networks import Network, zero_padded_convolutions
from tests.hls.qonnx_edges import edges_of

CONVOLUTIONS = ("conv0", "conv1", "conv2", "conv3")


@pytest.fixture(scope="module")
def zero_padded(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("zero")
    return make(zero_padded_convolutions().save(folder / "network"), 2000, folder / "bundle")


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (8, 56)).astype(np.uint8)


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for number, name in enumerate(CONVOLUTIONS):
        np.testing.assert_array_equal(found[name], expected[f"sign{number}"], name)
    np.testing.assert_array_equal(found["label"][:, 0], expected["label"])


def test_every_layer_is_that_of_the_file(zero_padded, images):
    expected = edges_of(zero_padded.source, images)
    same(golden_edges(zero_padded.folder, images), expected)
    assert len(np.unique(expected["label"])) > 1


def test_errors_in_weights_at_padded_places_count_for_nothing(zero_padded, images):
    """Golden reference and emulator with erroneous weights are the file with those weights."""
    emulator = Emulator(zero_padded.folder)
    weights = {}
    for memory in emulator.memories:
        if memory.kind == "weights":
            emulator.set_errors(memory.index, "flip", 1 << 29, 1 << 30, 7 + memory.index)
            emulator.write_weights(memory.index, zero_padded.arrays[f"weights.{memory.layer}"])
            weights[memory.layer] = emulator.read_weights(memory.index)
    layers = [layer for layer in zero_padded.accel["layers"] if layer["op"] == "mvu"]
    matrices = {
        number: unpack_weights(weights[number], *(layer[k] for k in ("mw", "mh", "pe", "simd")))
        for number, layer in enumerate(layers)
    }
    expected = edges_of(zero_padded.source, images, matrices)
    trained = edges_of(zero_padded.source, images)
    assert all(np.any(expected[f"sign{n}"] != trained[f"sign{n}"]) for n in range(4))
    same(golden_edges(zero_padded.folder, images, weights=weights), expected)
    same(emulator.run(images)[1], expected)


def test_what_the_description_says(zero_padded):
    windows = {
        layer["name"]: layer["window"] for layer in zero_padded.accel["layers"] if "window" in layer
    }
    values = {name: window and window["padding_value"] for name, window in windows.items()}
    # Of conv0 the pixels; conv2 pads with -1.
    assert values == {"conv0": 0, "conv1": 0, "conv2": -1, "conv3": 0, "fc0": None}
    assert windows["conv3"]["padding"] == [2, 0, 1, 2]
    for number, layer in enumerate(("conv1", "conv3"), 1):
        mw = 3 * 3 * windows[layer]["input"][2]
        thresholds = zero_padded.arrays[f"threshold.{2 * number - 1}"]
        assert thresholds.min() >= -mw and thresholds.max() <= mw + 1


def test_thresholds_are_on_the_sum_itself(zero_padded):
    """A threshold that lies between two sums of the same parity keeps its own."""
    assert len(np.unique(zero_padded.arrays["threshold.1"] % 2)) == 2


def test_places_in_the_map():
    window = ZeroPadding((2, 3), (3, 2), (1, 2), (1, 0, 2, 1))
    assert ZeroPadding.of(window.numbers) == window and window.windows == (3, 2)
    rows = [[0, 1, 1], [1, 1, 0], [1, 0, 0]]
    columns = [[1, 1], [1, 0]]
    expected = [[np.outer(row, column) for column in columns] for row in rows]
    np.testing.assert_array_equal(window.counted(), expected)


def random_network(rng: np.random.Generator) -> Network:
    """Convolutions of random kernels, paddings and strides, some of them pooled."""
    rows, columns, channels = (*(4 * rng.integers(2, 4, 2)), rng.integers(1, 4))
    network = Network(int(channels), int(rows), int(columns), seed=int(rng.integers(1 << 20)))
    network.convolution(int(rng.integers(2, 9)), 3, pads=[1, 1, 1, 1]).normalize(150).binarize()
    for _ in range(2):
        kernel = int(rng.integers(2, 6))
        pads = [int(side) for side in rng.integers(0, min(2, kernel - 1) + 1, 4)]
        room = [network.shape[2 + n] + pads[n] + pads[2 + n] - kernel for n in (0, 1)]
        if min(room) < 0 or not any(pads):
            kernel, pads = 3, [1, 1, 1, 1]
        strides = [int(step) for step in rng.integers(1, 3, 2)]
        network.convolution(int(rng.integers(1, 13)), kernel, pads=pads, strides=strides)
        network.normalize(3).binarize()
        if not network.shape[2] % 2 and not network.shape[3] % 2:
            network.max_pool()
    return network.flatten().matrix(4).scale()


def stride_beyond_the_map() -> Network:
    """One window a column, and none of the strides between windows is ever taken down the rows."""
    network = Network(1, 4, 8, seed=3)
    network.convolution(4, 3, pads=[1, 1, 1, 1]).normalize(150).binarize()
    network.convolution(5, 3, pads=[0, 1, 0, 1], strides=[9, 3]).normalize(3).binarize()
    return network.flatten().matrix(4).scale()


def test_a_stride_beyond_the_map(tmp_path):
    compare(stride_beyond_the_map(), 2000, tmp_path, np.random.default_rng(2), layers=2)


def test_outputs_that_never_change(tmp_path):
    """Thresholds far beyond any sum, on both sides."""
    network = Network(1, 4, 4, seed=4)
    network.convolution(2, 3, pads=[1, 1, 1, 1]).normalize(150).binarize()
    network.convolution(16, 3, pads=[1, 1, 1, 1]).normalize(60).binarize()
    network.flatten().matrix(4).scale()
    rng = np.random.default_rng(2)
    compare(network, 2000, tmp_path, rng, layers=2)
    with np.load(tmp_path / "made" / "arrays.npz") as arrays:
        assert {-18, 19} <= set(arrays["threshold.1"].tolist())


@pytest.mark.parametrize("seed", range(3))
def test_random_networks_through_the_flow(tmp_path, seed):
    rng = np.random.default_rng([7, seed])
    compare(random_network(rng), int(rng.integers(1500, 9000)), tmp_path, rng, layers=3)


def compare(
    network: Network, cycles: int, folder: Path, rng: np.random.Generator, layers: int
) -> None:
    """Hold golden reference and emulator of a network against its file."""
    made = make(network.save(folder / "network"), cycles, folder / "made")
    images = rng.integers(0, 256, (5, made.golden["images"].shape[1])).astype(np.uint8)
    expected, golden = edges_of(made.source, images), golden_edges(made.folder, images)
    emulator = Emulator(made.folder)
    for memory in emulator.memories:
        if memory.kind == "weights":
            emulator.write_weights(memory.index, emulator.weights(memory.layer))
    for found in (golden, emulator.run(images)[1]):
        for number in range(layers):
            np.testing.assert_array_equal(found[f"conv{number}"], expected[f"sign{number}"])
        np.testing.assert_array_equal(found["label"][:, 0], expected["label"])
