"""Habits of exporters: each form is read with the source's own results at every layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from spinflow.hls.foreign import qonnx_reader
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.foreign.qonnx_reader import ForeignError
from tests.hls.foreign import Graph, held

RNG = np.random.default_rng(7)
GREY = RNG.integers(0, 256, (6, 144)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (6, 3 * 144)).astype(np.uint8)

CENTRED = "2x/255-1"


# --- the input ------------------------------------------------------------------------------------


def behind(g: Graph, pixels: str, inputs: int = 144) -> str:
    """Two dense layers behind a tensor of any numbers, the first one on them."""
    first = g.norm(g.node("MatMul", pixels, g.weights(inputs, 13)), 13, 3.0)
    return g.node("MatMul", g.sign(first), g.weights(13, 4))


def int8(g: Graph, tensor: str) -> str:
    parts = [g.constant(x) for x in (0.0078125, 0.0, 8.0)]
    settings: dict[str, Any] = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    return g.node("Quant", tensor, *parts, domain="onnx.brevitas", **settings)


def test_a_quantiser_of_pixels_becomes_a_table_of_codes(tmp_path: Path) -> None:
    g = Graph()
    path = g.save(tmp_path / "a.onnx", (1, 144), behind(g, int8(g, "in")), 4)
    chain = held(path, CENTRED, GREY)
    assert chain.codes is not None and chain.threshold is None
    moved = chain.codes.astype(int) - np.arange(256)
    # 127 of the 256 values lie elsewhere than evenly, as in Brevitas's CNV.
    assert np.count_nonzero(moved != np.median(moved)) == 127


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    table = np.sort(np.random.default_rng(3).integers(-60, 61, 256))
    (tmp_path / "codes").write_text(" ".join(map(str, table)))
    g = Graph()
    path = g.save(tmp_path / "a.onnx", (1, 144), behind(g, "in"), 4)
    chain = held(path, str(tmp_path / "codes"), GREY)
    assert chain.codes is not None
    assert np.array_equal(chain.codes, table - table.min())


def test_signed_bytes_need_no_table(tmp_path: Path) -> None:
    (tmp_path / "codes").write_text(" ".join(str(code - 128) for code in range(256)))
    g = Graph()
    path = g.save(tmp_path / "a.onnx", (1, 144), behind(g, "in"), 4)
    assert held(path, str(tmp_path / "codes"), GREY).codes is None


def test_dark_pixels_that_are_one(tmp_path: Path) -> None:
    g = Graph()
    bits = g.sign(g.node("Sub", g.constant(0.5), "in"))
    chain = held(g.save(tmp_path / "a.onnx", (1, 144), behind(g, bits), 4), "x/255", GREY)
    assert chain.codes is not None and chain.threshold == 1
    assert np.array_equal(chain.codes, np.arange(256) <= 127)


def normed_colours(path: Path, first: str) -> Path:
    g = Graph()
    tensor = g.sign("in") if first == "sign" else "in"
    conv = g.norm(g.node("Conv", tensor, g.weights(5, 3, 3, 3)), 5, 5.0)
    out = g.node("Gemm", g.node("Flatten", g.sign(conv)), g.weights(4, 500), transB=1)
    return g.save(path, (1, 3, 12, 12), out, 4)


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("normalize:0.5,0.45,0.4:0.25,0.25,0.25", "conv"),
        ("normalize:0.5,0.5,0.5:0.2,0.25,0.3", "sign"),
        ("normalize:0.5:0.25", "sign"),
    ],
)
def test_a_normalize_by_channel(form: str, first: str, tmp_path: Path) -> None:
    chain = held(normed_colours(tmp_path / "a.onnx", first), form, COLOUR)
    # A first convolution takes pixels: bits of them are the codes 0 and 1.
    assert chain.threshold is None and (chain.codes is None) == (first == "conv")
    if chain.codes is not None:
        assert np.array_equal(chain.codes, np.arange(256) >= 128)


@pytest.mark.parametrize(
    ("form", "first", "words"),
    [
        ("normalize:0.5,0.5,0.5:0.2,0.25,0.3", "conv", "conv0: pixels are scaled differently in"),
        ("normalize:0.5,0.45,0.4:0.2,0.2,0.2", "sign", r"at another threshold .*\(102 to 128\): o"),
        ("normalize:0.5,0.45:0.2,0.2", "sign", "--input has numbers for 2 channels, and its .* 3"),
    ],
)
def test_a_normalize_that_no_threshold_makes_up_for(
    form: str, first: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ForeignError, match=words):
        qonnx_reader.read(normed_colours(tmp_path / "a.onnx", first), numbers_of(form).table)


def by_view(g: Graph, tensor: str) -> str:
    """x.view(x.shape[0], -1), as tracing writes it."""
    first = g.node("Gather", g.node("Shape", tensor), g.constant(0, np.int64), axis=0)
    sizes = [g.node("Unsqueeze", x, axes=[0]) for x in (first, g.constant(-1, np.int64))]
    return g.node("Reshape", tensor, g.node("Concat", *sizes, axis=0))


SHAPES: dict[str, tuple[tuple[Any, ...], Callable[[Graph], str]]] = {
    "flat": ((1, 144), lambda _: "in"),
    "view": ((1, 1, 12, 12), lambda g: by_view(g, "in")),
    "view of an open batch": (("n", 1, 12, 12), lambda g: by_view(g, "in")),
    "flatten": ((1, 1, 12, 12), lambda g: g.node("Flatten", "in", axis=1)),
    "no channel": ((1, 12, 12), lambda g: g.node("Flatten", "in", axis=1)),
    "channel last": ((1, 12, 12, 1), lambda g: g.node("Flatten", "in", axis=1)),
    "squeeze": (
        (1, 1, 12, 12),
        lambda g: g.node(
            "Reshape", g.node("Squeeze", "in", axes=[1]), g.constant([1, 144], np.int64)
        ),
    ),
    "unsqueeze": (
        (1, 144),
        lambda g: g.node("Squeeze", g.node("Unsqueeze", "in", axes=[1]), axes=[1]),
    ),
    "turned": (
        (1, 1, 12, 12),
        lambda g: g.node("Flatten", g.node("Transpose", "in", perm=[0, 1, 3, 2]), axis=1),
    ),
    "constant node": (
        (1, 1, 12, 12),
        lambda g: g.node("Reshape", "in", g.node("Constant", value_ints=[1, -1])),
    ),
    "identity": ((1, 144), lambda g: g.node("Dropout", g.node("Identity", "in"))),
}


@pytest.mark.parametrize(
    ("name", "opset"),
    # A Constant of plain numbers came with version 12.
    [(n, opset) for n in SHAPES for opset in (9, 11, 12) if n != "constant node" or opset >= 12],
)
def test_shapes_of_the_input(name: str, opset: int, tmp_path: Path) -> None:
    shape, make = SHAPES[name]
    g = Graph()
    bits = g.sign(g.node("Sub", g.node("Div", make(g), g.constant(255.0)), g.constant([0.5])))
    path = g.save(tmp_path / "a.onnx", shape, behind(g, bits), 4, opset)
    assert held(path, "x", GREY).threshold == 128


# --- signs ----------------------------------------------------------------------------------------


def quant(g: Graph, tensor: str, signed: int, scale: float) -> str:
    parts = [g.constant(x) for x in (scale, 0.0, 1.0)]
    settings = {"signed": signed, "narrow": signed}
    return g.node("Quant", tensor, *parts, domain="qonnx.custom_op.general", **settings)


def chosen(g: Graph, tensor: str, op: str) -> str:
    condition = g.node(op, tensor, g.constant(1.0))  # a sum that occurs
    return g.node("Where", condition, g.constant(1.0), g.constant(-1.0))


def stepped(g: Graph, tensor: str, scale: float, bias: float) -> str:
    edges = g.constant(np.arange(13).reshape(13, 1) / 2 - 3)
    settings: dict[str, Any] = {"out_scale": scale, "out_bias": bias, "out_dtype": "BIPOLAR"}
    return g.node("MultiThreshold", tensor, edges, domain="finn.custom_op.general", **settings)


SIGNS: dict[str, Callable[[Graph, str], str]] = {
    "plain": lambda g, x: g.sign(x),
    "negative scale": lambda g, x: g.sign(x, -0.5),
    "Hardtanh": lambda g, x: g.sign(g.node("Clip", x, g.constant(-1.0), g.constant(1.0))),
    "scaled Hardtanh": lambda g, x: g.sign(
        g.node("Add", g.node("Clip", x, g.constant(-1.0), g.constant(1.0)), g.constant(0.25))
    ),
    "Relu and norm": lambda g, x: g.sign(g.norm(g.node("Relu", x), 13, 2.0)),
    "Relu and one bit": lambda g, x: quant(g, g.node("Relu", x), 0, 2.0),
    "one signed bit": lambda g, x: quant(g, x, 1, 0.25),
    "Greater": lambda g, x: chosen(g, x, "Greater"),
    "Less": lambda g, x: chosen(g, x, "LessOrEqual"),
    "Cast of a comparison": lambda g, x: g.node(
        "Sub",
        g.node(
            "Mul",
            g.node("Cast", g.node("Greater", x, g.constant(0.0)), to=TensorProto.FLOAT),
            g.constant(2.0),
        ),
        g.constant(1.0),
    ),
    "MultiThreshold": lambda g, x: stepped(g, x, 2.0, -1.0),
    "MultiThreshold of 0 and 1": lambda g, x: stepped(g, x, 1.0, 0.0),
    "Sign of odd sums": lambda g, x: g.node("Sign", x),
    "Sign between sums": lambda g, x: g.node("Sign", g.node("Add", x, g.constant(0.5))),
}


@pytest.mark.parametrize("name", list(SIGNS))
def test_signs(name: str, tmp_path: Path) -> None:
    g = Graph()
    bits = g.sign(g.node("Sub", "in", g.constant(127.5)))
    few = g.sign(g.node("Gemm", bits, g.weights(15, 144), transB=1))
    hidden = SIGNS[name](g, g.node("Gemm", few, g.weights(13, 15), transB=1))
    out = g.node("Gemm", hidden, g.weights(4, 13), transB=1)
    held(g.save(tmp_path / "a.onnx", (1, 144), out, 4), "x", GREY)


@pytest.mark.parametrize("inputs", [15, 16])
def test_a_sign_that_makes_0_is_refused_where_it_can(inputs: int, tmp_path: Path) -> None:
    g = Graph()
    bits = g.sign(g.node("Sub", "in", g.constant(127.5)))
    few = g.sign(g.node("Gemm", bits, g.weights(inputs, 144), transB=1))
    shifted = g.node("Add", g.node("Gemm", few, g.weights(5, inputs), transB=1), g.constant(2.0))
    out = g.node("Gemm", g.node("Sign", shifted), g.weights(4, 5), transB=1)
    path = g.save(tmp_path / "a.onnx", (1, 144), out, 4)
    if inputs % 2:
        held(path, "x", GREY)
        return
    with pytest.raises(
        ForeignError, match="after fc1: its Sign makes 0 of 0, and the value of its"
    ):
        qonnx_reader.read(path, numbers_of("x").table)


def test_a_sign_of_pixels(tmp_path: Path) -> None:
    g = Graph()
    path = g.save(tmp_path / "a.onnx", (1, 144), behind(g, g.node("Sign", "in")), 4)
    assert held(path, CENTRED, GREY).threshold == 128
    with pytest.raises(ForeignError, match=r"before the first layer: its Sign .* pixel 0 is 0"):
        qonnx_reader.read(path, numbers_of("x").table)


# --- weights and the end --------------------------------------------------------------------------

WEIGHTS: dict[str, Callable[[Graph, str], str]] = {
    "MatMul, transposed": lambda g, x: g.node(
        "MatMul", x, g.node("Transpose", g.weights(6, 15), perm=[1, 0])
    ),
    "scales of outputs": lambda g, x: g.node(
        "Gemm", x, g.node("Mul", g.weights(6, 15), g.constant(-np.arange(1, 7)[:, None])), transB=1
    ),
    "one signed bit": lambda g, x: g.node(
        "Gemm", x, quant(g, g.constant(g.rng.normal(size=(6, 15))), 1, 0.1), transB=1
    ),
    "Sign": lambda g, x: g.node(
        "MatMul", x, g.node("Sign", g.constant(g.rng.normal(size=(15, 6))))
    ),
    "alpha and beta": lambda g, x: g.node(
        "Gemm", x, g.weights(15, 6), g.constant(g.rng.normal(0, 3, 6)), alpha=-0.5, beta=2.0
    ),
    "a row more": lambda g, x: g.node(
        "Squeeze",
        g.node(
            "Add",
            g.node("MatMul", g.node("Unsqueeze", x, axes=[1]), g.weights(15, 6)),
            g.constant(g.rng.normal(size=6)),
        ),
        axes=[1],
    ),
}


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_weights(name: str, tmp_path: Path) -> None:
    g = Graph()
    bits = g.sign(g.node("Sub", "in", g.constant(127.5)))
    few = g.sign(g.node("Gemm", bits, g.weights(15, 144), transB=1))
    hidden = g.sign(WEIGHTS[name](g, few))
    out = g.node("Gemm", hidden, g.weights(4, 6), transB=1)
    held(g.save(tmp_path / "a.onnx", (1, 144), out, 4, opset=12), "x", GREY)


ENDS: dict[str, Callable[[Graph, str], str]] = {
    "Softmax": lambda g, x: g.node("Softmax", x, axis=1),
    "Sigmoid": lambda g, x: g.node("Sigmoid", g.node("Mul", x, g.constant(0.01))),
    "ArgMax": lambda g, x: g.node("ArgMax", g.node("LogSoftmax", x, axis=1), axis=1),
}


@pytest.mark.parametrize("name", list(ENDS))
def test_ends(name: str, tmp_path: Path) -> None:
    g = Graph()
    out = ENDS[name](g, behind(g, "in"))
    held(g.save(tmp_path / "a.onnx", (1, 144), out, 1 if name == "ArgMax" else 4), "x", GREY)


def test_a_topk_that_is_there(tmp_path: Path) -> None:
    g = Graph()
    sums = behind(g, "in")
    g.nodes.append(
        g.made("TopK", [sums, g.constant([1], np.int64)], ["values", "out"], axis=-1, largest=1)
    )
    held(g.save(tmp_path / "a.onnx", (1, 144), "out", 1), "x", GREY)
