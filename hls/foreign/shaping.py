"""What moves elements or puts some around them: reshapes, transposes, padding, windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from spinflow.hls.foreign.values import Margin, Value, Window
from spinflow.hls.foreign.walk import Step, Walk, settings_of

_PLANE = 4


def reshaped(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow an operator that keeps all elements."""
    shape = walk.shape(node.output[0])
    index = value.index
    if node.op_type == "Transpose":
        order = list(settings_of(node).get("perm", range(index.ndim, -1, -1)))
        if order[0] != 0:
            raise walk.refuse("a Transpose moves the batch's place")
        index = index.transpose([axis - 1 for axis in order[1:]])
    if int(np.prod(shape)) != index.size or shape[0] != 1:
        raise walk.refuse(f"a reshape to {shape} splits an image")
    return replace(value, index=index.reshape(shape[1:]))


def padded(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Keep padding until the convolution that it is for."""
    settings = settings_of(node)
    if settings.get("mode", b"constant") != b"constant":
        raise walk.refuse("padding by copies of the map; padding with -1 works")
    if "pads" in settings:
        sizes, number = [int(size) for size in settings["pads"]], float(settings.get("value", 0.0))
    else:
        sizes = [int(size) for size in walk.constant(node, 1, "the size").reshape(-1)]
        given = len(node.input) > 2 and node.input[2]
        number = float(walk.constant(node, 2, "the value").reshape(-1)[0]) if given else 0.0
    if not any(sizes):
        return value
    if len(sizes) != 2 * _PLANE or not value.in_order or value.kind == "sums":
        raise walk.refuse(
            f"padding of {'sums' if value.kind == 'sums' else 'something else than a map'}; "
            "padding of bits, right before a convolution, works"
        )
    if any(sizes[axis] for axis in (0, 1, _PLANE, _PLANE + 1)) or min(sizes) < 0:
        raise walk.refuse("padding of images or channels; padding of rows and columns works")
    return replace(value, margin=Margin((sizes[2], sizes[3], sizes[6], sizes[7]), number))


def windowed(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Keep windows, laid side by side by Im2Col, until the matrix that they are for."""
    settings = settings_of(node)
    if settings.get("depthwise", 0) or any(d != 1 for d in settings.get("dilations", [1])):
        raise walk.refuse("Im2Col with depthwise windows or dilation; plain convolutions work")
    kernel = [int(size) for size in settings["kernel_size"]]
    stride = [int(size) for size in settings["stride"]]
    top, left, bottom, right = (int(size) for size in settings.get("pad_amount", [0] * 4))
    if len(kernel) != 2 or len(stride) != 2 or value.margin is not None or value.index.ndim != 3:
        raise walk.refuse("Im2Col of something else than a map of rows and columns")
    margin = Margin((top, left, bottom, right), float(settings.get("pad_value", 0)))
    window = Window((kernel[0], kernel[1]), (stride[0], stride[1]), margin)
    return replace(value, window=window)


STEPS: dict[str, Step] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"), reshaped),
    "Pad": padded,
    "Im2Col": windowed,
}
