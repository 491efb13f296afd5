"""The golden reference: FINN's own Python execution of the hardware layers.

It computes what the hardware computes without errors, at every layer boundary; and, given weights
that were read back from the hardware, what it computes with the errors in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spinflow.hls.ops import kind_of  # sets FINN up

# isort: split
import numpy as np
import numpy.typing as npt
from finn.core.onnx_exec import execute_onnx
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from spinflow.hls.paths import BuildError
from spinflow.host.core import description
from spinflow.host.core.errors import BundleError
from spinflow.host.core.packing import unpack_weights
from spinflow.host.core.secded import decode_segments

HARDWARE_MODEL = "hardware.onnx"
"""The file in a bundle that holds the hardware layers."""

BATCH = 500
"""Most images executed at once; enough that FINN's own time a node does not count."""

BATCH_ELEMENTS = 1 << 25
"""Most elements of a tensor in a batch; windows of convolutions are large."""


def golden_edges(
    bundle: Path,
    images: npt.NDArray[np.uint8],
    weights: Mapping[int, npt.NDArray[np.uint32]] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Return the value on every tap of a bundle for some images.

    Args:
        bundle: folder of the bundle.
        images: uint8, shape (n, pixels).
        weights: by layer number, weights to compute with in place of the trained ones, as they are
            read over AXI-Lite, check bits included: uint32, shape (depth, segments).

    Returns:
        By tap name, unsigned integers of shape (n, elements): bits are 1 for +1 and 0 for -1.

    Raises:
        BuildError: the bundle is incomplete.
        ValueError: images or weights have the wrong shape or type.
    """
    try:
        described = description.read(bundle)
        model = ModelWrapper(str(bundle / HARDWARE_MODEL))
    except BundleError as error:
        raise BuildError(str(error)) from None
    except FileNotFoundError as error:
        raise BuildError(f"bundle {bundle} lacks {Path(error.filename).name}") from error
    layers = described.products
    for number, segments in (weights or {}).items():
        if not 0 <= number < len(layers):
            raise ValueError(f"there is no layer {number}, only 0 to {len(layers) - 1}")
        layer = layers[number]
        memory = described.memories[layer.weights]
        read = segments if memory.code is None else decode_segments(memory.code, segments)
        matrix = unpack_weights(read, layer.mw, layer.mh, layer.pe, layer.simd)
        edge = memory.edge
        values = matrix.astype(np.float32)
        if model.get_tensor_datatype(edge) == DataType["BIPOLAR"]:
            values = 2 * values - 1  # of a layer on pixels; the others count agreeing bits
        model.set_initializer(edge, values)
    return execute(model, {tap.name: tap.edge for tap in described.taps}, images)


def execute(
    model: ModelWrapper, edges: Mapping[str, str], images: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[Any]]:
    """Run the hardware layers on images, some at a time.

    Args:
        model: hardware layers; changed to the batch that it last ran.
        edges: name of the result for each tensor that is wanted.
        images: uint8, shape (n, pixels).

    Returns:
        By name, unsigned integers of shape (n, elements).
    """
    source = model.get_first_global_in()
    shape = model.get_tensor_shape(source)[1:]
    pixels = int(np.prod(shape))
    if images.ndim != 2 or images.shape[1] != pixels or images.dtype != np.uint8:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}, expected uint8 of (n, {pixels})"
        )
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in edges}
    tensors = [tensor for node in model.graph.node for tensor in node.output]
    largest = max(int(np.prod(model.get_tensor_shape(tensor)[1:])) for tensor in tensors)
    step = max(1, min(BATCH, BATCH_ELEMENTS // largest))
    for start in range(0, len(images), step):
        batch = images[start : start + step]
        _set_batch(model, len(batch))
        frames = batch.reshape(-1, *shape).astype(np.float32)
        context = execute_onnx(model, {source: frames}, True)
        for name, edge in edges.items():
            values = context[edge].reshape(len(batch), -1)
            parts[name].append(_unsigned(values, str(model.get_tensor_datatype(edge))))
    return {
        name: np.concatenate(values) if values else np.zeros((0, 0), np.uint8)
        for name, values in parts.items()
    }


def _set_batch(model: ModelWrapper, images: int) -> None:
    """Give every layer and tensor a first dimension of ``images``."""
    for node in model.graph.node:
        kind_of(node).set_batch(getCustomOp(node), images)
        for tensor in (node.input[0], node.output[0]):
            _, *rest = model.get_tensor_shape(tensor)
            model.set_tensor_shape(tensor, [images, *rest])


def _unsigned(values: npt.NDArray[Any], datatype: str) -> npt.NDArray[Any]:
    """Return a tensor as the numbers that the stream carries."""
    if datatype == "BIPOLAR":
        values = values > 0
    if datatype in ("BIPOLAR", "BINARY", "UINT8"):
        return values.astype(np.uint8)
    return values.astype(np.uint16 if datatype == "UINT16" else np.uint32)
