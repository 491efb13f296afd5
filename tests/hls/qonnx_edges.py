"""What QONNX's own execution of a small network gives at each layer boundary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes


def edges_of(
    folder: Path, images: np.ndarray, weights: Mapping[int, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Return the bits behind each sign, and the labels, of a network of `tests.hls.networks`.

    Args:
        folder: with the network's model.onnx.
        images: uint8 (n, pixels), maps in the order (row, column, channel).
        weights: by weight layer, bits (MW, MH) to compute with in place of the file's, MW in the
            order (row, column, channel) of a window or map.

    Returns:
        By name: `sign0`, `sign1`, ... as 0 and 1, (n, elements) in the order (row, column,
        channel), and `label`, (n,).
    """
    model = ModelWrapper(str(folder / "model.onnx")).transform(InferShapes())
    if weights:
        _replace(model, weights)
    first = model.graph.input[0].name
    shape = model.get_tensor_shape(first)
    constants = {tensor.name for tensor in model.graph.initializer}
    signs = [
        node.output[0]
        for node in model.graph.node
        if node.op_type == "BipolarQuant" and node.input[0] not in constants
    ]
    found: dict[str, list[np.ndarray]] = {}
    for image in images.astype(np.float32):
        frame = image.reshape(shape)
        if len(shape) == 4:
            _, channels, rows, columns = shape
            frame = image.reshape(1, rows, columns, channels).transpose(0, 3, 1, 2)
        context = execute_onnx(model, {first: frame}, True)
        for number, name in enumerate(signs):
            value = context[name]
            if value.ndim == 4:
                value = value.transpose(0, 2, 3, 1)
            found.setdefault(f"sign{number}", []).append((value.reshape(-1) > 0).astype(np.uint8))
        found.setdefault("label", []).append(context[model.graph.output[0].name].argmax())
    return {name: np.array(values) for name, values in found.items()}


def _replace(model: ModelWrapper, weights: Mapping[int, np.ndarray]) -> None:
    """Put other weights into the file, in its own order: outputs, channels, rows, columns."""
    layers = [node for node in model.graph.node if node.op_type in ("Conv", "MatMul")]
    for number, bits in weights.items():
        quant = model.find_producer(layers[number].input[1])
        shape = model.get_tensor_shape(quant.input[0])
        values = 2.0 * bits - 1
        if len(shape) == 4:
            outputs, channels, rows, columns = shape
            values = values.T.reshape(outputs, rows, columns, channels).transpose(0, 3, 1, 2)
        before = model.find_producer(layers[number].input[0])
        if before is not None and before.op_type == "Flatten":
            _, channels, rows, columns = model.get_tensor_shape(before.input[0])
            values = values.reshape(rows, columns, channels, -1).transpose(2, 0, 1, 3)
        model.set_initializer(quant.input[0], values.reshape(shape).astype(np.float32))
