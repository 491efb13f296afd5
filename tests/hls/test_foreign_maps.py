"""Maps: padding, strides, pools and averages, read with the source's own results or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.hls.foreign import qonnx_reader
from spinflow.hls.foreign.chain import Matrix
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.foreign.qonnx_reader import ForeignError
from tests.hls.foreign import Graph, held

GREY = np.random.default_rng(7).integers(0, 256, (6, 144)).astype(np.uint8)

CENTRED = "2x/255-1"


def matrices(chain: Any) -> list[Matrix]:
    return [layer for layer in chain.layers if isinstance(layer, Matrix)]


def first_map(g: Graph, channels: int = 5) -> str:
    """Bits of a map of 10 x 10."""
    return g.sign(g.norm(g.node("Conv", "in", g.weights(channels, 1, 3, 3)), channels, 300.0))


def classes(g: Graph, tensor: str, inputs: int) -> str:
    return g.node("MatMul", g.node("Flatten", tensor), g.weights(inputs, 4))


def pad(g: Graph, tensor: str, value: float | None, sizes: list[int]) -> str:
    names = [g.constant(sizes, np.int64), *([] if value is None else [g.constant(value)])]
    return g.node("Pad", tensor, *names, mode="constant")


def padded_conv(g: Graph, tensor: str, **settings: Any) -> str:
    return g.sign(g.norm(g.node("Conv", tensor, g.weights(6, 5, 3, 3), **settings), 6, 4.0))


def ones_and_zeros(g: Graph, channels: int) -> str:
    bits = first_map(g, channels)
    return g.node("Add", g.node("Mul", bits, g.constant(0.5)), g.constant(0.5))


MAPS: dict[str, tuple[Callable[[Graph], str], int]] = {
    "bits padded with 0": (
        lambda g: classes(g, padded_conv(g, first_map(g), pads=[1, 1, 1, 1]), 600),
        0,
    ),
    "bits padded with -1": (
        lambda g: classes(
            g, padded_conv(g, pad(g, first_map(g), -1.0, [0, 0, 1, 2, 0, 0, 1, 0])), 600
        ),
        -1,
    ),
    "bits padded with 0 by a Pad": (
        lambda g: classes(
            g, padded_conv(g, pad(g, first_map(g), None, [0, 0, 1, 1, 0, 0, 1, 1])), 600
        ),
        0,
    ),
    "0 and 1 padded with 0": (
        lambda g: classes(g, padded_conv(g, ones_and_zeros(g, 5), pads=[1, 1, 1, 1]), 600),
        -1,
    ),
    "stride of 2": (
        lambda g: classes(g, padded_conv(g, first_map(g), pads=[1, 1, 0, 0], strides=[2, 2]), 150),
        0,
    ),
}


@pytest.mark.parametrize("name", list(MAPS))
def test_padding_and_strides(name: str, tmp_path: Path) -> None:
    make, fill = MAPS[name]
    g = Graph()
    chain = held(g.save(tmp_path / "a.onnx", (1, 1, 12, 12), make(g), 4), "x", GREY)
    layer = matrices(chain)[1]
    assert layer.fill == fill and any(layer.padding)


@pytest.mark.parametrize("opset", [9, 13])
def test_padding_of_pixels(opset: int, tmp_path: Path) -> None:
    g = Graph()
    sizes = [0, 0, 1, 1, 0, 0, 1, 1]
    if opset == 9:
        tensor = g.node("Pad", "in", pads=sizes, value=-1.0)
    else:
        tensor = pad(g, "in", -1.0, sizes)
    conv = g.norm(g.node("Conv", tensor, g.weights(5, 1, 3, 3)), 5, 3.0)
    path = g.save(tmp_path / "a.onnx", (1, 1, 12, 12), classes(g, g.sign(conv), 720), 4, opset)
    assert matrices(held(path, CENTRED, GREY))[0].padding == (1, 1, 1, 1)
    with pytest.raises(ForeignError, match="conv0 pads with -1, and its inputs are never 0 there"):
        qonnx_reader.read(path, numbers_of("x").table)


AVERAGES: dict[str, Callable[[Graph], str]] = {
    "GlobalAveragePool before a dense layer": lambda g: classes(
        g, g.node("GlobalAveragePool", first_map(g, 30)), 30
    ),
    "ReduceMean before a dense layer": lambda g: g.node(
        "Gemm",
        g.node("ReduceMean", first_map(g, 30), axes=[2, 3], keepdims=0),
        g.weights(4, 30),
        g.constant([0.1, -0.2, 0.0, 0.05]),
        transB=1,
    ),
    "ReduceSum of 0 and 1": lambda g: g.node(
        "Gemm",
        g.node("ReduceSum", ones_and_zeros(g, 5), g.constant([2, 3], np.int64), keepdims=0),
        g.node("Neg", g.weights(4, 5, scale=0.1)),
        transB=1,
    ),
    "AveragePool that divides": lambda g: classes(
        g, g.node("AveragePool", first_map(g), kernel_shape=[5, 5], strides=[5, 5]), 20
    ),
    "AveragePool of all": lambda g: classes(
        g, g.node("AveragePool", first_map(g, 30), kernel_shape=[10, 10]), 30
    ),
    "classes before GlobalAveragePool": lambda g: g.node(
        "Flatten",
        g.node("GlobalAveragePool", g.node("Conv", first_map(g, 30), g.weights(4, 30, 1, 1))),
    ),
    "classes by windows before ReduceSum": lambda g: g.node(
        "ReduceSum",
        g.node(
            "Conv",
            first_map(g, 5),
            g.weights(4, 5, 2, 2),
            g.constant([1.0, 2.5, 0.0, -3.0]),
            strides=[2, 2],
        ),
        g.constant([-1, -2], np.int64),
        keepdims=0,
    ),
}


@pytest.mark.parametrize("name", list(AVERAGES))
def test_averages_that_are_a_layer(name: str, tmp_path: Path) -> None:
    g = Graph(5)
    chain = held(g.save(tmp_path / "a.onnx", (1, 1, 12, 12), AVERAGES[name](g), 4), "x", GREY)
    assert not matrices(chain)[-1].is_convolution


def test_a_pool_that_does_not_divide_its_map(tmp_path: Path) -> None:
    g = Graph()
    pooled = g.node("MaxPool", first_map(g), kernel_shape=[3, 3], strides=[3, 3])
    held(g.save(tmp_path / "a.onnx", (1, 1, 12, 12), classes(g, pooled, 45), 4), "x", GREY)


@pytest.mark.parametrize("behind", ["a convolution", "a dense layer"])
def test_sums_turned_over_after_a_pool(behind: str, tmp_path: Path) -> None:
    """The bit of the largest sum is an AND where the gain behind the max-pool is negative."""
    g = Graph(2)
    first = g.node("Conv", "in", g.weights(5, 1, 3, 3))
    pooled = g.node("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2])
    bits = g.sign(g.norm(pooled, 5, 200.0), 0.5)
    if behind == "a convolution":
        out = classes(g, padded_conv(g, bits, pads=[1, 1, 1, 1]), 150)
    else:
        out = classes(g, bits, 125)
    chain = held(g.save(tmp_path / "a.onnx", (1, 1, 12, 12), out, 4), "x", GREY)
    taps: dict[str, Any] = {}
    chain.run(GREY, taps)
    assert 0.1 < np.mean(taps[chain.layers[1].source] == 1) < 0.9


BAD_MAPS: dict[str, tuple[Callable[[Graph], str], str]] = {
    "padding with +1": (
        lambda g: classes(
            g, padded_conv(g, pad(g, first_map(g), 1.0, [0, 0, 1, 1, 0, 0, 1, 1])), 600
        ),
        r"conv1 pads bits with \+1: padding with -1 or with 0 works",
    ),
    "padding with 3": (
        lambda g: classes(
            g, padded_conv(g, pad(g, first_map(g), 3.0, [0, 0, 1, 1, 0, 0, 1, 1])), 600
        ),
        "conv1 pads bits with 3, which is none of its bits",
    ),
    "padding of nothing": (
        lambda g: classes(g, pad(g, first_map(g), -1.0, [0, 0, 1, 1, 0, 0, 1, 1]), 720),
        "after conv0: padding before Flatten; right before a convolution it works",
    ),
    "ceil_mode": (
        lambda g: classes(
            g,
            g.node("MaxPool", first_map(g), kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1),
            80,
        ),
        "after conv0: a max-pool with ceil_mode, .* 3x3 do not divide a map of 10x10",
    ),
    "overlapping": (
        lambda g: classes(
            g, g.node("MaxPool", first_map(g), kernel_shape=[2, 2], strides=[1, 1]), 405
        ),
        "after conv0: a max-pool whose windows are not square or overlap",
    ),
    "an average that overlaps": (
        lambda g: classes(
            g, g.node("AveragePool", first_map(g), kernel_shape=[2, 2], strides=[1, 1]), 405
        ),
        "after conv0: AveragePool whose windows overlap or leave places out",
    ),
    "an average before a sign": (
        lambda g: classes(
            g, g.sign(g.node("AveragePool", first_map(g), kernel_shape=[2, 2], strides=[2, 2])), 125
        ),
        "after conv0: a sign of averages of bits",
    ),
    "an average of pixels": (
        lambda g: classes(g, g.node("GlobalAveragePool", "in"), 1),
        "before the first layer: GlobalAveragePool of pixels",
    ),
}


@pytest.mark.parametrize("name", list(BAD_MAPS))
def test_maps_that_have_no_place(name: str, tmp_path: Path) -> None:
    make, words = BAD_MAPS[name]
    g = Graph()
    path = g.save(tmp_path / "a.onnx", (1, 1, 12, 12), make(g), 4)
    with pytest.raises(ForeignError, match=words) as error:
        qonnx_reader.read(path, numbers_of("x").table)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300
