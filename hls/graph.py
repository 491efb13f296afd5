"""Reading a QONNX file that somebody gave: checked before anything is computed from it.

FINN and ONNX's own tools believe what a graph says of itself; what they make of one that lies is a
traceback, an endless loop or a bundle of nonsense. So a graph is refused here unless it is whole:
every tensor in the file, finite and of sensible size, every input of a node made before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.paths import BuildError, no_such_operator
from spinflow.host.core.reading import read_bytes
from spinflow.host.core.text import one_line

MOST_BYTES = 1 << 28
"""Bytes of the largest QONNX file that is read."""

MOST_VALUES = 1 << 26
"""Values of the largest tensor."""

MOST_NODES = 10000
"""Nodes of the largest graph."""

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "onnx.brevitas", "qonnx.custom_op.general")
"""Sets of operators that a network may use."""

_STANDARD = ("", "ai.onnx")

_MAKERS = ("ConstantOfShape", "Expand", "Tile", "Range", "OneHot", "Resize", "Upsample", "EyeLike")
"""Operators whose result is as large as a number says."""

_WINDOWED = ("Conv", "ConvTranspose", "MaxPool", "AveragePool")
"""Operators with windows of rows and columns; ONNX's tools end the program at other numbers."""

_ELEMENTWISE = ("BipolarQuant", "Quant", "IntQuant", "Identity", "Cast", "Neg", "Sign", "Clip")
"""Operators whose result has the shape of what they take."""

_WINDOWED_SIZES = {"kernel_shape": 2, "strides": 2, "dilations": 2, "pads": 4}
"""How many numbers their attributes have."""

_TYPE_NAMES = {number: name for name, number in AttributeProto.AttributeType.items()}

_TYPES = (
    *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64),
    *(TensorProto.INT8, TensorProto.UINT8, TensorProto.BOOL),
)


def read(path: Path, prepare: Callable[[onnx.ModelProto], None] | None = None) -> onnx.ModelProto:
    """Read a QONNX file.

    Args:
        path: the file.
        prepare: changes the graph before it is checked; it may raise BuildError.

    Raises:
        BuildError: it cannot be read, is no ONNX, or its graph is not whole.
    """
    content = read_bytes(path, MOST_BYTES, BuildError)
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError, TypeError) as error:
        raise BuildError(
            f"{path} cannot be read: it is not an ONNX file ({type(error).__name__})"
        ) from None
    try:
        if not model.graph.node or not model.graph.output:
            raise BuildError("it holds no network: a graph with nodes and an output is expected")
        if prepare is not None:
            prepare(model)
        _check(model)
    except BuildError as error:
        raise BuildError(f"{path}: {error}") from None
    return model


def check_sizes(model: ModelWrapper) -> None:
    """Raise BuildError if a tensor's shape, as inferred, is empty or beyond what is computed."""
    for name in model.get_all_tensor_names():
        shape = model.get_tensor_shape(name)
        if shape is not None:
            _check_sizes(f"tensor {_quoted(name)}", shape)


def _check(model: onnx.ModelProto) -> None:
    graph = model.graph
    if len(graph.node) > MOST_NODES:
        raise BuildError(f"its graph has {len(graph.node)} nodes, at most {MOST_NODES} can be read")
    if model.functions or graph.sparse_initializer:
        raise BuildError("it has functions or sparse tensors: export the network without them")
    _check_versions(model)
    tensors = _unique(graph.initializer, "tensor")
    inputs = _unique(graph.input, "input")
    for tensor in tensors.values():
        _check_tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        _check_value(value)
    (version,) = (entry.version for entry in model.opset_import if entry.domain in _STANDARD)
    _check_nodes(graph, {"", *tensors, *inputs}, version)
    _check_padding(graph, tensors)
    _check_kernels(graph, tensors)


def _check_versions(model: onnx.ModelProto) -> None:
    if not 3 <= model.ir_version <= onnx.IR_VERSION:
        raise BuildError(
            f"its ONNX format (IR version) is {model.ir_version}: versions 3 to {onnx.IR_VERSION} "
            "can be read"
        )
    newest = onnx.defs.onnx_opset_version()
    versions = [entry.version for entry in model.opset_import if entry.domain in _STANDARD]
    if len(versions) != 1 or not 9 <= versions[0] <= newest:
        raise BuildError(
            f"its operators have the version {', '.join(map(str, versions)) or 'none'}: one "
            f"version from 9 to {newest} is expected"
        )
    foreign = [entry.domain for entry in model.opset_import if entry.domain not in DOMAINS]
    if foreign:
        raise BuildError(
            f"it uses the operators of {_quoted(foreign[0])}: only those of ONNX, Brevitas and "
            "QONNX are known"
        )


def _unique(items: Iterable[Any], what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        if not item.name or item.name in found:
            raise BuildError(
                f"{what} {_quoted(item.name)}: the name is empty or there are two with this name"
            )
        found[item.name] = item
    return found


def _check_tensor(tensor: TensorProto) -> None:
    name = _quoted(tensor.name)
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise BuildError(f"tensor {name} lies in another file: save the network as one file")
    if tensor.data_type not in _TYPES:
        raise BuildError(
            f"tensor {name} has the data type {tensor.data_type}: numbers are expected"
        )
    _check_sizes(f"tensor {name}", tensor.dims)
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, RuntimeError):
        raise BuildError(
            f"tensor {name} does not hold as many values as its shape {_by(tensor.dims)} says"
        ) from None
    if not np.isfinite(values).all():
        raise BuildError(f"tensor {name} holds NaN or infinity")
    if values.dtype.kind in "iu":
        # Slices end at the largest integer where they end with the map.
        sizes = values[values < 2**63 - 1] if values.dtype == np.int64 else values
        if sizes.size and np.abs(sizes.astype(float)).max() > MOST_VALUES:
            raise BuildError(
                f"tensor {name} holds integers above {MOST_VALUES}: no size and no index is "
                "so large"
            )


def _check_sizes(what: str, sizes: Iterable[int]) -> None:
    sizes = list(sizes)
    if len(sizes) > 8 or not all(size >= 1 for size in sizes) or math.prod(sizes) > MOST_VALUES:
        raise BuildError(
            f"{what} has the shape {_by(sizes)}: sizes from 1 and at most {MOST_VALUES} values are "
            "expected"
        )


def _check_value(value: onnx.ValueInfoProto) -> None:
    name = _quoted(value.name)
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        raise BuildError(f"{name} has no shape")
    sizes = value.type.tensor_type.shape.dim
    if not all(size.HasField("dim_value") for size in sizes):
        raise BuildError(f"the shape of {name} is left open: give it in numbers")
    _check_sizes(name, [size.dim_value for size in sizes])


def _check_nodes(graph: onnx.GraphProto, known: set[str], version: int) -> None:
    """Check that every node reads what is there before it, and makes something new."""
    for node in graph.node:
        place = f"operator {_quoted(node.op_type)}"
        if node.domain not in DOMAINS or node.op_type in _MAKERS or not node.op_type:
            raise no_such_operator(_quoted(node.op_type), f"of {_quoted(node.domain)}")
        missing = [name for name in node.input if name not in known]
        if missing:
            raise BuildError(
                f"{place} reads {_quoted(missing[0])}, which no operator before it writes: the "
                "tensor is missing, or the graph has a cycle"
            )
        for name in node.output:
            if not name or name in known:
                raise BuildError(
                    f"{place} writes {_quoted(name)}, which there is already: each tensor needs a "
                    "name of its own"
                )
            known.add(name)
        if node.domain in _STANDARD:
            _check_standard(place, node, version)
        _unique(node.attribute, f"{place}: attribute")
        for attribute in node.attribute:
            _check_attribute(place, attribute)
    for value in graph.output:
        if value.name not in known:
            raise BuildError(f"no operator writes its output {_quoted(value.name)}")


def _check_padding(graph: onnx.GraphProto, tensors: dict[str, Any]) -> None:
    """Check that a Pad has the sizes of a map of four dimensions."""
    for node in graph.node:
        stated = [len(a.ints) for a in node.attribute if a.name in ("pads", "paddings")]
        if node.op_type == "Pad" and len(node.input) > 1 and node.input[1] in tensors:
            stated.append(math.prod(tensors[node.input[1]].dims))
        if node.op_type == "Pad" and any(count != 8 for count in stated):
            raise BuildError(
                f"operator 'Pad' has {stated[0]} sizes: 8 are expected, for images, channels, rows "
                "and columns"
            )


def _check_kernels(graph: onnx.GraphProto, tensors: dict[str, Any]) -> None:
    """Check that convolutions and pools take maps of four dimensions, as far as it is stated."""
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.input}
    ranks |= {name: len(tensor.dims) for name, tensor in tensors.items()}
    for node in graph.node:
        if node.op_type in _ELEMENTWISE and node.input and node.input[0] in ranks:
            ranks[node.output[0]] = ranks[node.input[0]]
        if node.op_type in _WINDOWED:
            for name in node.input[:2]:
                if ranks.get(name, 4) != 4:
                    raise BuildError(
                        f"operator {_quoted(node.op_type)} takes {_quoted(name)} of {ranks[name]} "
                        "dimensions: 4 are expected"
                    )


def _check_standard(place: str, node: onnx.NodeProto, version: int) -> None:
    """Check that an operator of ONNX's own is one, with attributes that it has."""
    try:
        schema = onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        raise BuildError(f"{place} is not in version {version} of ONNX's operators") from None
    if node.op_type in _WINDOWED:
        for attribute in node.attribute:
            wanted = _WINDOWED_SIZES.get(attribute.name, len(attribute.ints))
            least = 0 if attribute.name == "pads" else 1
            if len(attribute.ints) != wanted or any(size < least for size in attribute.ints):
                raise BuildError(
                    f"{place} has the {attribute.name} {_by(attribute.ints)}: {wanted} numbers "
                    f"from {least} on, for rows and columns, are expected"
                )
    for attribute in node.attribute:
        known = schema.attributes.get(attribute.name)
        if known is None or _TYPE_NAMES.get(attribute.type) != str(known.type).split(".")[-1]:
            raise BuildError(f"{place} has no attribute {_quoted(attribute.name)} of this type")
    if not schema.min_input <= len(node.input) <= schema.max_input:
        raise BuildError(
            f"{place} has {len(node.input)} inputs: at least {schema.min_input} and at most "
            f"{schema.max_input} are expected"
        )


def _check_attribute(place: str, attribute: AttributeProto) -> None:
    where = f"{place}: attribute {_quoted(attribute.name)}"
    if attribute.HasField("g") or attribute.graphs or attribute.ref_attr_name:
        raise BuildError(f"{where} holds a graph: the hardware has no branches and no loops")
    for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
        _check_tensor(tensor)
    for number in _numbers(attribute):
        if not abs(number) <= MOST_VALUES:
            raise BuildError(
                f"{where} is {number:g}: numbers from -{MOST_VALUES} to {MOST_VALUES} are expected"
            )


def _numbers(attribute: AttributeProto) -> Iterator[float]:
    if attribute.type == AttributeProto.INT:
        # Slices end at the largest integer where they end with the map.
        if abs(attribute.i) < 2**63 - 1:
            yield attribute.i
    elif attribute.type == AttributeProto.FLOAT:
        yield attribute.f
    yield from attribute.ints
    yield from attribute.floats


def _quoted(text: object) -> str:
    return one_line(repr(text), 60)


def _by(sizes: Iterable[int]) -> str:
    return one_line(" x ".join(map(str, sizes)) or "()", 60)
