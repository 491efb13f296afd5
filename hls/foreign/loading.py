"""Reads a foreign file and brings it into one form: one image, known shapes, computed constants."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.cleanup import cleanup_model

from spinflow.hls import graph
from spinflow.hls.foreign.values import ForeignError
from spinflow.host.core.text import one_line

GENERAL = "qonnx.custom_op.general"

OLD_DOMAINS = ("finn.custom_op.general", "onnx.brevitas", "finn", "brevitas")
"""Other names of the domain with QONNX's operators, as FINN and Brevitas wrote them."""

HARDWARE = "finn.custom_op.fpgadataflow"
"""The domain of FINN's hardware layers, and the beginning of its parts' names."""

_TOPK = 11
"""Version of ONNX's operators from which on TopK is as FINN writes it."""

_ROUNDS = 8
"""How often shapes that are computed from shapes are looked for."""


def load(path: Path) -> ModelWrapper:
    """Return the graph of a file, cleaned.

    Raises:
        ForeignError: it cannot be taken.
        BuildError: the file is no whole graph.
    """
    return cleaned(ModelWrapper(graph.read(path, one_image)), path)


def one_image(model: onnx.ModelProto) -> None:
    """Set a batch that is left open to 1, and give all operators of QONNX one domain."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    for value in (*inputs, *model.graph.output):
        sizes = value.type.tensor_type.shape.dim
        if len(sizes) and _is_open(sizes[0]):
            sizes[0].dim_value = 1
    for value in inputs:
        sizes = value.type.tensor_type.shape.dim
        if any(_is_open(size) for size in sizes):
            words = ", ".join(size.dim_param or str(size.dim_value or "?") for size in sizes)
            raise ForeignError(
                f"its input has the shape ({one_line(words, 60)}): only the number of images may "
                "be left open; export it for images of one size"
            )
    known = [
        value
        for value in model.graph.value_info
        if not any(_is_open(size) for size in value.type.tensor_type.shape.dim)
    ]
    if len(known) != len(model.graph.value_info):
        # They were made for an open batch; they are inferred again.
        del model.graph.value_info[:]
    if any(_is_open(size) for v in model.graph.output for size in v.type.tensor_type.shape.dim):
        _infer_outputs(model)
    _one_domain(model)
    _without_label(model)


def _without_label(model: onnx.ModelProto) -> None:
    """Take a TopK off that the file's version of ONNX does not have, as FINN's steps leave it."""
    graph = model.graph
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    last = graph.node[-1]
    if last.op_type != "TopK" or max(versions, default=_TOPK) >= _TOPK or not last.input:
        return
    settings = {each.name: onnx.helper.get_attribute_value(each) for each in last.attribute}
    known = [value for value in graph.value_info if value.name == last.input[0]]
    if settings.get("largest", 1) and settings.get("axis", -1) in (-1, 1) and known:
        del graph.output[:], graph.node[-1]
        graph.output.append(known[0])
        graph.value_info.remove(known[0])


def _is_open(size: Any) -> bool:
    return not size.HasField("dim_value") or size.dim_value < 1


def _infer_outputs(model: onnx.ModelProto) -> None:
    """Let ONNX say the outputs' shapes, where the file leaves them open."""
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # it raises whatever its checker finds; graph.read says what is missing
        return
    for value, found in zip(model.graph.output, inferred.graph.output, strict=True):
        value.CopyFrom(found)


def _one_domain(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.domain.startswith(HARDWARE):
            raise ForeignError(
                f"operator {one_line(node.op_type, 40)} is a hardware layer of FINN's: the file "
                "from before step_convert_to_hw works"
            )
        if node.domain in OLD_DOMAINS:
            node.domain = GENERAL
    entries = [(each.domain, each.version) for each in model.opset_import]
    del model.opset_import[:]
    # QONNX executes by the version that it finds first.
    for domain, version in sorted(entries, key=lambda each: each[0] not in ("", "ai.onnx")):
        name = GENERAL if domain in OLD_DOMAINS else domain
        if name not in [each.domain for each in model.opset_import]:
            model.opset_import.append(onnx.helper.make_opsetid(name, version))


def cleaned(model: ModelWrapper, path: Path) -> ModelWrapper:
    """Return a graph with its constants computed and its shapes known."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            # Shapes that are computed from shapes become known round by round.
            for _ in range(_ROUNDS):
                before = len(model.graph.node)
                model = model.transform(InferShapes())
                # Weights that a quantiser makes of floats are constants, too.
                model = model.transform(FoldConstants(exclude_op_types=[]))
                if len(model.graph.node) == before:
                    break
            return cleanup_model(model).transform(FoldConstants(exclude_op_types=[]))
    except Exception as error:  # qonnx raises whatever its libraries do
        words = one_line(str(error) or type(error).__name__, 120)
        raise ForeignError(f"{path}: its constants or shapes cannot be computed: {words}") from None
