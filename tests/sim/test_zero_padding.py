"""Convolutions that pad bits with 0, of any shape and folding: emulator and evaluator against ONNX.

ONNX's runtime computes each one as the Conv that the network's file has, with its `pads`, from the
bits that the emulator gave it and from the weights that are stored, errors included.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from spinflow.host.core.packing import unpack_weights
from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Conv, Evaluator, Label, Linear, Network
from tests.sim import tiny

IMAGES = 9


def divisor(rng: np.random.Generator, of: int) -> int:
    return int(rng.choice([n for n in range(1, of + 1) if of % n == 0]))


def random_convolution(rng: np.random.Generator, source: Sequence[int], **options: Any) -> Any:
    """A convolution of random kernel, padding, stride and folding; at least one output pixel."""
    while True:
        kernel = [int(side) for side in rng.integers(1, 6, 2)]
        padding = [int(rng.integers(0, min(2, side - 1) + 1)) for side in kernel * 2]
        room = [source[axis] + padding[axis] + padding[axis + 2] - kernel[axis] for axis in (0, 1)]
        if min(room) >= 0 and (any(padding) or options["of"] == "pixels"):
            break
    outputs = int(rng.integers(1, 41))
    folding = (
        divisor(rng, outputs),
        divisor(rng, kernel[0] * kernel[1] * source[2]),
    )
    stride = [int(step) for step in rng.integers(1, 3, 2)]
    return tiny.conv(outputs, source, kernel, folding, padding=padding, stride=stride, **options)


def random_bundle(rng: np.random.Generator, folder: Path) -> Path:
    """A bundle of a convolution on pixels and two that pad bits with 0; buffers of any depth."""
    source = [int(side) for side in (*rng.integers(3, 9, 2), rng.integers(1, 4))]
    layers = [random_convolution(rng, source, of="pixels", buffer=int(rng.integers(1, 99)))]
    for _ in range(2):
        layers.append(
            random_convolution(
                rng, layers[-1]["shape"], of="bits", buffer=int(rng.integers(1, 99)),
                padding_value=0,
            )
        )  # fmt: skip
    inputs = int(np.prod(layers[-1]["shape"]))
    layers.append(tiny.fc(3, inputs, (1, divisor(rng, inputs))))
    return tiny.write_bundle(folder, tiny.describe("random", source, *layers))


def onnx_sums(bits: np.ndarray, layer: Any, weights: np.ndarray) -> np.ndarray:
    """The sums that ONNX gives, (n, rows, columns, outputs), of bits (n, rows, columns, channels).

    `weights` are (MW, MH) bits in the order of the memory.
    """
    window = layer["window"]
    channels = window["input"][2]
    kernel = weights.T.reshape(-1, *window["kernel"], channels).transpose(0, 3, 1, 2)
    node = helper.make_node(
        "Conv", ["x", "w"], ["y"], pads=window["padding"], strides=window["stride"]
    )
    shapes = {"x": [None, channels, None, None], "w": kernel.shape, "y": [None] * 4}
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    graph = helper.make_graph([node], "conv", [values["x"], values["w"]], [values["y"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    signs = {
        "x": bits.transpose(0, 3, 1, 2).astype(np.float32) * 2 - 1,
        "w": kernel.astype(np.float32) * 2 - 1,
    }
    found: np.ndarray = session.run(None, signs)[0]
    return found.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("seed", range(16))
def test_any_shape_and_folding(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng([2026, seed])
    folder = random_bundle(rng, tmp_path)
    emulator, evaluator = Emulator(folder), Evaluator.from_bundle(folder)
    layers = [layer for layer in emulator.description.document["layers"] if layer["op"] == "mvu"]
    mode = ("off", "flip", "switch")[seed % 3]
    for device in (emulator, evaluator):
        for memory in device.memories:
            device.set_errors(memory.index, mode, 1 << 28, 1 << 27, 100 + memory.index)
            if memory.kind == "weights":
                device.write_weights(memory.index, emulator.weights(memory.layer))
    images = rng.integers(0, 256, (IMAGES, emulator.description.pixels), dtype=np.uint8)
    labels, taps = emulator.run(images)
    again, same = evaluator.run(images)
    np.testing.assert_array_equal(again, labels)
    for name in taps:
        np.testing.assert_array_equal(same[name], taps[name], name)
    for memory in emulator.memories:
        assert evaluator.counters(memory.index) == emulator.counters(memory.index)
    with np.load(folder / "arrays.npz") as arrays:
        thresholds = [arrays[f"threshold.{number}"] for number in range(3)]
    for number in (1, 2):
        layer = layers[number]
        weights = unpack_weights(
            emulator.read_weights(number), *(layer[key] for key in ("mw", "mh", "pe", "simd"))
        )
        source = taps[f"conv{number - 1}.buffer"].reshape(IMAGES, *layer["window"]["input"])
        expected = onnx_sums(source, layer, weights) >= thresholds[number]
        np.testing.assert_array_equal(taps[f"conv{number}"], expected.reshape(IMAGES, -1))


def test_a_network_without_a_bundle() -> None:
    """A window that sees one pixel of the map only, and a comparison the other way round."""
    first = Conv("a", np.ones((1, 1, 1, 1), np.uint8), np.array([100]))
    weights = np.ones((2, 3, 3, 1), np.uint8)
    second = Conv(
        "b", weights, np.array([0, 1]), np.array([False, True]), padding=1, padding_value=0
    )
    network = Network("n", (1, 2, 1), (first, second, Linear("c", np.ones((1, 4), int)), Label()))
    evaluator = Evaluator.from_network(network)
    for memory in evaluator.memories:
        if memory.kind == "weights":
            evaluator.write_weights(memory.index, evaluator.weights(memory.layer))
    _, taps = evaluator.run(np.array([[200, 0], [200, 200]], np.uint8))
    # Sums of +1 and -1 alone: 0 at both places, then 2.
    assert taps["b"].tolist() == [[1, 1, 1, 1], [1, 0, 1, 0]]


def test_what_an_evaluator_s_network_can_pad_with() -> None:
    weights = np.ones((1, 3, 3, 1), np.uint8)
    bits = Conv("a", np.ones((1, 1, 1, 1), np.uint8), np.array([100]))
    for layer, message in (
        (Conv("b", weights, np.array([0]), padding=1, padding_value=1), "it can be -1 or 0"),
        (Conv("b", weights, padding=1, padding_value=0), "only a layer with thresholds"),
    ):
        with pytest.raises(ValueError, match=message):
            Evaluator.from_network(Network("n", (3, 3, 1), (bits, layer, Label())))
