"""Files that FINN wrote in the middle of its own flow: before, during and after streamlining."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.hls.finn_env import working_in  # sets FINN up

# isort: split
from finn.builder.build_dataflow import resolve_build_steps
from finn.builder.build_dataflow_config import DataflowBuildConfig
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.insert_topk import InsertTopK

from spinflow.hls.foreign import qonnx_reader
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.paths import BuildError
from spinflow.model.data import mnist
from tests.hls.foreign import Graph, held, model_file

IMAGES = np.random.default_rng(5).integers(0, 256, (6, 784)).astype(np.uint8)

STREAMLINED = ("step_qonnx_to_finn", "step_tidy_up", "topk", "step_tidy_up", "step_streamline")


def by_finn(source: Path, work: Path, steps: tuple[str, ...], out: Path) -> Path:
    """Take a file through steps of FINN's, and write what it makes of it."""
    config = DataflowBuildConfig(
        output_dir=str(work), synth_clk_period_ns=10.0, generate_outputs=[]
    )
    with working_in(work):
        model = ModelWrapper(str(source))
        if "uint8" in steps:
            model.set_tensor_datatype(model.get_first_global_in(), DataType["UINT8"])
        for step in steps:
            if step == "topk":
                model = model.transform(InsertTopK(k=1))
            elif step != "uint8":
                (made,) = resolve_build_steps(_with(config, step))
                model = made(model, config)
        model.save(str(out))
    return out


def _with(config: Any, step: str) -> Any:
    config.steps = [step]
    return config


def plain_dense(path: Path) -> Path:
    """28 x 28 pixels in [0, 1] and two hidden layers, as FINN's own examples have them."""
    g = Graph(6)
    flat = g.node("Reshape", "in", g.constant([1, -1], np.int64))
    centred = g.node("Sub", g.node("Mul", flat, g.constant(2.0)), g.constant([1.0]))
    first = g.norm(g.node("MatMul", g.sign(centred), g.weights(784, 21)), 21, 20.0)
    second = g.norm(g.node("MatMul", g.sign(first), g.weights(21, 12)), 12, 3.0)
    last = g.node("MatMul", g.sign(second), g.weights(12, 7))
    scaled = g.node("Add", g.node("Mul", last, g.constant(0.25)), g.constant([-1.5]))
    return g.save(path, (1, 1, 28, 28), scaled, 7)


def conv(g: Graph, tensor: str, outputs: int, inputs: int, edge: int, **settings: Any) -> str:
    """A convolution with all the attributes that FINN looks for."""
    known: dict[str, Any] = {"strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1}
    weights = g.weights(outputs, inputs, edge, edge)
    return g.node("Conv", tensor, weights, kernel_shape=[edge, edge], **{**known, **settings})


def plain_convolutional(path: Path) -> Path:
    """28 x 28 pixels; a max-pool, a stride, and a kernel of 1 x 1."""
    g = Graph(4)
    first = g.sign(g.norm(conv(g, "in", 6, 1, 3), 6, 300.0))
    pool: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4}
    pooled = g.node("MaxPool", first, **pool)
    second = g.sign(g.norm(conv(g, pooled, 8, 6, 3, strides=[2, 2]), 8))
    third = g.sign(g.norm(conv(g, second, 5, 8, 1), 5, 2.0))
    flat = g.node("Flatten", third, axis=1)
    return g.save(path, (1, 1, 28, 28), g.node("MatMul", flat, g.weights(180, 7)), 7)


STREAMLINED_OPS = {
    plain_dense: {"MultiThreshold", "XnorPopcountMatMul", "TopK"},
    plain_convolutional: {"MultiThreshold", "Im2Col", "MaxPoolNHWC", "Transpose", "TopK"},
}


@pytest.mark.parametrize(("make", "form"), [(plain_dense, "x/255"), (plain_convolutional, "x")])
def test_files_of_finn(make: Any, form: str, tmp_path: Path) -> None:
    source = make(tmp_path / "a.onnx")
    plain = qonnx_reader.read(source, numbers_of(form).table).chain
    labels = plain.labels(plain.run(IMAGES))
    for length in (2, len(STREAMLINED)):
        path = by_finn(source, tmp_path / "work", STREAMLINED[:length], tmp_path / f"{length}.onnx")
        ours = held(path, form, IMAGES)
        assert np.array_equal(ours.labels(ours.run(IMAGES)), labels)
    assert {node.op_type for node in ModelWrapper(str(path)).graph.node} >= STREAMLINED_OPS[make]


def test_tfc_1w1a_after_streamlining(tmp_path: Path) -> None:
    source = model_file("qonnx-zoo/TFC_1W1A.onnx")
    path = by_finn(source, tmp_path / "work", STREAMLINED, tmp_path / "b.onnx")
    images = mnist().test_images[:40]
    ours = held(path, "x/255", images)
    plain = qonnx_reader.read(source, numbers_of("x/255").table).chain
    assert np.array_equal(ours.labels(ours.run(images)), plain.labels(plain.run(images)))


def test_hardware_layers_are_refused(tmp_path: Path) -> None:
    steps = ("uint8", *STREAMLINED, "step_convert_to_hw")
    path = by_finn(plain_dense(tmp_path / "a.onnx"), tmp_path / "work", steps, tmp_path / "b.onnx")
    with pytest.raises(BuildError, match="hardware layer of FINN's: the file from before step"):
        qonnx_reader.read(path)
