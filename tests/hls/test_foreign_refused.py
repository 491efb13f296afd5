"""Sources that cannot be taken: one line with the remedy, status 1, and nothing written."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from spinflow.hls.foreign import compare, qonnx_reader
from spinflow.hls.foreign.command import main
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.paths import BuildError
from tests.fuzz import inputs
from tests.hls.foreign import Graph, convolutional, dense

Words = list[Any]
Bad = tuple[Callable[[Path], Words], str]


def bits(g: Graph) -> str:
    return g.sign(g.node("Sub", g.node("Flatten", "in"), g.constant(0.5)))


def graph(make: Callable[[Graph], str], shape: Any = (1, 1, 28, 28), classes: int = 10) -> Any:
    """Return a maker of a file with one graph."""

    def write(folder: Path) -> Words:
        g = Graph()
        return [g.save(folder / "a.onnx", shape, make(g), classes)]

    return write


def weighted(make: Callable[[Graph], str]) -> Any:
    """Return a maker of a file with one dense layer of given weights."""
    return graph(lambda g: g.node("MatMul", bits(g), make(g)))


def after(make: Callable[[Graph, str], str]) -> Any:
    """Return a maker of a file with something behind a first dense layer of 20 sums."""
    return graph(lambda g: make(g, g.node("MatMul", bits(g), g.weights(784, 20))))


def in_map(make: Callable[[Graph, str], str], classes: int = 10) -> Any:
    """Return a maker of a file with something behind bits of a map of 4 x 28 x 28."""

    def write(g: Graph) -> str:
        first = g.sign(g.norm(g.node("Conv", "in", g.weights(4, 1, 1, 1)), 4, 300.0))
        return make(g, first)

    return graph(write, classes=classes)


def two_bits(g: Graph, tensor: str) -> str:
    parts = [g.constant(x) for x in (0.5, 0.0, 2.0)]
    return g.node("Quant", tensor, *parts, domain="onnx.brevitas", signed=1, narrow=1)


def behind_a_sign(g: Graph, tensor: str) -> str:
    return g.node("MatMul", g.sign(tensor), g.weights(20, 10))


def attention(g: Graph, sums: str) -> str:
    square = g.node("Reshape", g.sign(sums), g.constant([1, 4, 5], np.int64))
    scores = g.node("MatMul", square, g.node("Transpose", square, perm=[0, 2, 1]))
    return g.node("Flatten", g.node("MatMul", g.node("Softmax", scores, axis=-1), square))


def recurrent(g: Graph, sums: str) -> str:
    step = g.node("Unsqueeze", g.sign(sums), g.constant([0], np.int64))
    parts = [g.constant(g.rng.normal(size=(1, 40, n))) for n in (20, 10)]
    return g.node("LSTM", step, *parts, hidden_size=10)


def changed(change: Callable[[onnx.ModelProto], None]) -> Callable[[Path], Words]:
    """Return a maker of a good file with one change."""

    def write(folder: Path) -> Words:
        path = dense(folder / "a.onnx")
        model = onnx.load(str(path))
        change(model)
        path.write_bytes(model.SerializeToString())
        return [path]

    return write


def second_input(model: onnx.ModelProto) -> None:
    extra = helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 4])
    model.graph.input.append(extra)


def second_output(model: onnx.ModelProto) -> None:
    middle = next(node for node in model.graph.node if node.op_type == "Gemm").output[0]
    model.graph.output.append(helper.make_tensor_value_info(middle, TensorProto.FLOAT, [1, 11]))


def without_weights(model: onnx.ModelProto) -> None:
    largest = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    model.graph.initializer.remove(largest)


def with_number(number: float) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        largest = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
        values = numpy_helper.to_array(largest).copy()
        values[0, 0] = number
        largest.CopyFrom(numpy_helper.from_array(values, largest.name))

    return change


def external(model: onnx.ModelProto) -> None:
    tensor = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.append(onnx.StringStringEntryProto(key="location", value="a.onnx.data"))


def negative_variance(model: onnx.ModelProto) -> None:
    norm = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    tensor = next(t for t in model.graph.initializer if t.name == norm.input[4])
    tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))


def file_of(content: bytes, name: str = "a.onnx", size: int = 0) -> Callable[[Path], Words]:
    def write(folder: Path) -> Words:
        path = folder / name
        with path.open("wb") as stream:
            stream.write(content)
            if size:
                stream.truncate(size)
        return [path]

    return write


def cut(folder: Path) -> Words:
    path = dense(folder / "a.onnx")
    path.write_bytes(path.read_bytes()[:-5000])
    return [path]


def folder_of(folder: Path) -> Words:
    (folder / "net.onnx").mkdir()
    return [folder / "net.onnx"]


def code(text: str, *words: Any) -> Callable[[Path], Words]:
    """Return a maker of Python code whose network is called Net."""

    def write(folder: Path) -> Words:
        (folder / "net.py").write_text(text)
        return [f"{folder / 'net.py'}:Net", *(folder / w if w == "w.pth" else w for w in words)]

    return write


LINEAR = "import torch\nNet = lambda: torch.nn.Sequential(torch.nn.Flatten(), {})\n"
FLOATS = LINEAR.format("torch.nn.Linear(784, 10)")


class Evil:
    def __reduce__(self) -> Any:
        return print, ("spinflow ran a checkpoint's code",)


def checkpoint(state: Any) -> Callable[[Path], Words]:
    def write(folder: Path) -> Words:
        import torch

        if isinstance(state, Evil):
            (folder / "w.pth").write_bytes(pickle.dumps(state))
        else:
            torch.save({name: torch.zeros(size) for name, size in state.items()}, folder / "w.pth")
        return code(FLOATS, "--checkpoint", "w.pth")(folder)

    return write


GRAPHS: dict[str, Bad] = {
    "2 bits": (weighted(lambda g: two_bits(g, g.constant(g.rng.normal(size=(784, 10))))),
        "fc0 has weights of INT2; .* retrain with weight_bit_width=1"),
    "4 bits": (weighted(lambda g: g.constant(g.rng.integers(-7, 8, (784, 10)))),
        "fc0 has weights of INT4; .* retrain with weight_bit_width=1"),
    "floats": (weighted(lambda g: g.constant(g.rng.normal(size=(784, 10)))),
        "fc0 has weights that are floats; the hardware takes ±1"),
    "an output of zeros": (weighted(lambda g: g.constant(np.zeros((784, 10)))),
        "fc0 has an output whose weights are all 0: weights of ±1"),
    "2 bits of activation": (
        after(lambda g, x: g.node("MatMul", two_bits(g, x), g.weights(20, 10))),
        "after fc0: activations of INT2; .*QuantIdentity"),
    "Relu": (after(lambda g, x: g.node("MatMul", g.node("Relu", x), g.weights(20, 10))),
        r"after fc0: no sign before the next layer \(Relu is none\)"),
    "Gelu": (after(lambda g, x: g.node("MatMul", g.node("Erf", x), g.weights(20, 10))),
        "after fc0: operator Erf has no place in the hardware; layers of ±1"),
    "attention": (after(attention), "after fc0: 3 operators take one tensor, and branches"),
    "Softmax inside": (
        after(lambda g, x: behind_a_sign(g, g.node("Softmax", x, axis=1))),
        "after fc0: Softmax before the end, as attention has it"),
    "residual": (after(lambda g, x: g.node("Add", g.sign(x), x)),
        "after fc0: 2 operators take one tensor, and branches have no place"),
    "LSTM": (after(recurrent), "after fc0: operator LSTM has no place in the hardware; fully"),
    "a Sign that makes 0": (
        after(lambda g, x: g.node("MatMul", g.node("Sign", x), g.weights(20, 10))),
        "after fc0: its Sign makes 0 of 0"),
    "groups": (in_map(lambda g, x: g.node("Conv", x, g.weights(6, 2, 1, 1), group=2)),
        "conv1 has 2 groups; .* plain convolutions: retrain with groups=1"),
    "depthwise": (in_map(lambda g, x: g.node("Conv", x, g.weights(4, 1, 3, 3), group=4)),
        "conv1 has 4 groups"),
    "dilation": (in_map(lambda g, x: g.node("Conv", x, g.weights(4, 4, 3, 3), dilations=[2, 2])),
        "conv1 has dilation; "),
    "transposed convolution": (
        in_map(lambda g, x: g.node("ConvTranspose", x, g.weights(4, 4, 3, 3))),
        "after conv0: operator ConvTranspose has no place in the hardware; a plain"),
    "ends with a map": (in_map(lambda g, x: g.node("Conv", x, g.weights(10, 4, 1, 1))),
        "after conv1: it ends with sums; a fully connected last layer"),
    "Concat": (in_map(lambda g, x: g.node("Concat", x, x, axis=1)),
        "after conv0: operator Concat has no place in the hardware; branches"),
    "open sizes": (graph(lambda g: g.node("Relu", "in"), (1, 1, "height", "width")),
        r"its input has the shape \(1, 1, height, width\): only the number of images"),
    "a batch of 8": (graph(lambda g: g.node("MatMul", bits(g), g.weights(784, 10)), (8, 1, 28, 28)),
        r"its input has the shape \(8, 1, 28, 28\); .* export it for one image"),
    "another shape than the data": (
        graph(lambda g: g.node("MatMul", bits(g), g.weights(100, 10)), (1, 1, 10, 10)),
        "takes images of 1 x 10 x 10, 100 numbers; those of the MNIST test set have 784"),
    "fewer classes than the data": (lambda folder: [convolutional(folder / "a.onnx")],
        "has 5 classes, from 0, and the MNIST test set has the label 9: a test set"),
    "two inputs": (changed(second_input), "it has 2 inputs; one, of the pixels"),
    "two outputs": (changed(second_output), "it has 2 outputs; one, of the classes|branches"),
    "missing weights": (changed(without_weights), "which no operator before it writes"),
    "NaN": (changed(with_number(np.nan)), "holds NaN or infinity"),
    "infinity": (changed(with_number(np.inf)), "holds NaN or infinity"),
    "a variance below 0": (changed(negative_variance),
        "after fc0: a batch norm .* variance below 0"),
    "external data": (changed(external), "lies in another file: save the network as one file"),
    "a tensor of size 0": (weighted(lambda g: g.constant(np.zeros((784, 0)))),
        "has the shape 784 x 0"),
}  # fmt: skip

FILES: dict[str, Bad] = {
    "empty": (file_of(b""), "a.onnx.* holds no network"),
    "text": (file_of(b"these are the weights\n"), "a.onnx cannot be read: it is not an ONNX file"),
    "truncated": (cut, "a.onnx cannot be read|a.onnx: "),
    "huge": (file_of(b"\x08\x08", size=1 << 30), "a.onnx: more than 256 MiB"),
    "a folder": (folder_of, "is a folder without 0-0-weights.bin"),
    "another kind of file": (file_of(b"PK\x03\x04", "a.pt"), "a.pt cannot be read"),
}

CODE: dict[str, Bad] = {
    "raises": (code("raise ValueError('no weights here')"), "ValueError: no weights here"),
    "raises when called": (code("def Net():\n    1 / 0\n"), "without arguments: ZeroDivisionError"),
    "exits": (code("import sys\nsys.exit(3)\n"), "cannot be imported: .*sys.exit"),
    "exits when called": (
        code("def Net():\n    raise SystemExit\n"),
        "cannot be called: it ends the program",
    ),
    "no module": (code("Net = dict\n"), "gives dict, a torch.nn.Module is expected"),
    "bad syntax": (code("def Net(:\n"), "cannot be imported: SyntaxError"),
    "float layers": (code(FLOATS), "fc0 has weights that are floats; the hardware takes ±1"),
    "another input": (code(FLOATS.replace("784", "100")), "cannot be exported for an input of"),
    "a checkpoint with code": (
        checkpoint(Evil()),
        "w.pth cannot be read as tensors only: it holds code",
    ),
    "a checkpoint of another network": (checkpoint({"other": 3}), "w.pth does not fit"),
}


@pytest.mark.parametrize(
    ("make", "words"),
    [pytest.param(*bad, id=name) for name, bad in (GRAPHS | FILES | CODE).items()],
)
def test_a_bad_source_is_one_line(
    make: Callable[[Path], Words],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    build = tmp_path / "build"
    monkeypatch.setattr("spinflow.hls.foreign.command.BUILD", build)
    named = [str(word) for word in make(tmp_path)]
    capfd.readouterr()
    options = ["--name", "x", "--data", "mnist", "--input", "x/255", "--compare", "2"]
    assert main([*named, *options]) == 1
    said = capfd.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("spinflow: ") and len(lines[0]) < 300
    assert re.search(words, lines[0]), lines[0]
    assert not build.exists() and "ran a checkpoint" not in said.out


@pytest.mark.parametrize("make", [dense, convolutional])
def test_a_changed_file_is_read_rightly_or_refused(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    content, path = make(tmp_path / "a.onnx").read_bytes(), tmp_path / "b.onnx"
    rng, numbers = random.Random(5), numbers_of("x/255").table
    images = np.random.default_rng(1).integers(0, 256, (2, 784)).astype(np.uint8)
    refused = 0
    for _ in range(60):
        path.write_bytes(inputs.graph(rng, content))
        try:
            reading = qonnx_reader.read(path, numbers)
            if int(np.prod(reading.chain.shape)) != images.shape[1]:
                continue
            found = compare.with_qonnx(
                reading.model, reading.chain, images, numbers, reading.places
            )
            assert not found.faults, found.faults[0]
        except BuildError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 300
    assert 20 < refused < 60
