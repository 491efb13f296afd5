"""Graphs that lie about themselves are refused before FINN sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from spinflow.hls import graph
from spinflow.hls.paths import BuildError
from tests.hls.networks import padded_convolutions, perceptron


def empty_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 0


def open_size(model):
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "N"


def huge_tensor(model):
    model.graph.initializer[0].dims.extend([1 << 20, 1 << 20])


def other_data(model):
    model.graph.initializer[1].dims.append(3)


def not_a_number(model):
    tensor = model.graph.initializer[1]
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1)[0] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def elsewhere(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"


def circle(model):
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def missing_tensor(model):
    del model.graph.initializer[0]


def twice(model):
    model.graph.node.append(model.graph.node[0])


def unknown_version(model):
    model.opset_import[0].version = 99


def unknown_domain(model):
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def foreign_attribute(model):
    node = next(node for node in model.graph.node if node.op_type == "MatMul")
    node.attribute.append(helper.make_attribute("epsilon", 0.5))


def own_graph(model):
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node[-1].attribute.append(helper.make_attribute("body", inner))


def maker(model):
    model.graph.node[0].op_type = "ConstantOfShape"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (empty_size, "'pixels' has the shape 1 x 0"),
        (open_size, "the shape of 'pixels' is left open"),
        (huge_tensor, "sizes from 1 and at most"),
        (other_data, "does not hold as many values as its shape"),
        (not_a_number, "holds NaN or infinity"),
        (elsewhere, "lies in another file"),
        (circle, "or the graph has a cycle"),
        (missing_tensor, "which no operator before it writes"),
        (twice, "which there is already"),
        (unknown_version, "its operators have the version 99"),
        (unknown_domain, "the operators of 'com.example': only those of ONNX"),
        (foreign_attribute, "'MatMul' has no attribute 'epsilon'"),
        (own_graph, "no attribute 'body'"),
        (maker, "'ConstantOfShape' of '' cannot be mapped"),
    ],
)
def test_a_graph_that_is_not_whole(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str
) -> None:
    path = perceptron(16, 8, 4).save(tmp_path / "net") / "model.onnx"
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BuildError, match=message) as caught:
        graph.read(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("content", [b"", b"\x08\x08", b"not onnx", b"\xff" * 100])
def test_a_file_that_is_no_graph(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BuildError):
        graph.read(path)


def test_good_graphs_are_read(tmp_path: Path) -> None:
    for number, network in enumerate((perceptron(16, 8, 4), padded_convolutions())):
        assert graph.read(network.save(tmp_path / str(number)) / "model.onnx").graph.node
