"""Convolutions that pad bits with 0: FINN's golden reference against QONNX's own execution.

QONNX executes the file itself, in which ONNX says what the padding is.
"""

from __future__ import annotations

import numpy as np
import pytest

from spinflow.hls.golden import golden_edges
from spinflow.hls.zero_padding import ZeroPadding
from spinflow.host.core.packing import unpack_weights
from spinflow.sim.emulator import Emulator
from tests.hls.conftest import Bundle, make
from tests.hls.networks import zero_padded_convolutions
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
