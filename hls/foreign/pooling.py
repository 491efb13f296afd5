"""Max-pools of bits, and averages where they are a layer of ±1.

An average is the sum of its elements, scaled. Of bits it is taken right before a fully connected
layer, which then has each weight once for every element of the average; of sums, after a
convolution whose windows lie side by side, which then is one fully connected layer with each weight
of its kernel once for every window.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from spinflow.hls.foreign.chain import Integers, Pool
from spinflow.hls.foreign.values import Bits, Value, counted
from spinflow.hls.foreign.walk import Step, Walk, settings_of


def pooled(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow MaxPool, or MaxPoolNHWC."""
    last = node.op_type == "MaxPoolNHWC"
    plain = replace(value, index=value.index.transpose(2, 0, 1)) if last else value
    if value.kind == "pixels" or value.members is not None or not plain.in_order:
        raise walk.refuse("a max-pool of something else than a map of bits; one of bits works")
    settings = settings_of(node)
    kernel = [int(size) for size in settings["kernel_shape"]]
    strides = [int(size) for size in settings.get("strides", [1, 1])]
    if any(settings.get("pads", [0])) or value.margin is not None:
        raise walk.refuse("a max-pool with padding; one without padding works")
    if (
        len(kernel) != 2
        or len({*kernel, *strides}) != 1
        or set(settings.get("dilations", [1])) > {1}
    ):
        raise walk.refuse(
            "a max-pool whose windows are not square or overlap; windows of 2x2 with stride 2, "
            "say, work"
        )
    size = kernel[0]
    channels, rows, columns = value.shape
    if settings.get("ceil_mode", 0) and (rows % size or columns % size):
        raise walk.refuse(
            f"a max-pool with ceil_mode, whose windows of {size}x{size} do not divide a map of "
            f"{rows}x{columns}: ceil_mode=False works"
        )
    gain, _ = value.affine
    if value.kind == "bits" and np.any(gain < 0):
        raise walk.refuse("a max-pool of bits with a negative scale")
    if size == 1:
        return value
    shape = (channels, rows // size, columns // size)
    if 0 in shape:
        raise walk.refuse(f"a max-pool of {size}x{size} on a map of {rows}x{columns}")
    if not walk.layers:
        raise walk.refuse("a max-pool: one after a convolution works")
    walk.layers.append(Pool(size, node.output[0]))
    index = counted(shape).transpose(1, 2, 0) if last else counted(shape)
    if value.kind == "bits":
        per_channel = shape[1] * shape[2]
        walk.sources[node.output[0]] = Bits(index, *value.affine, np.zeros(channels), per_channel)
        return replace(value, index=index, shape=shape)
    sides = np.where(gain < 0, -1.0, 1.0)
    if value.sides is not None and np.any(value.sides != sides):
        raise walk.refuse(
            "two max-pools with a negative gain between them; one after the sign works"
        )
    return replace(value, index=index, shape=shape, sides=sides)


def averaged(walk: Walk, node: NodeProto, value: Value) -> Value:
    """Follow AveragePool, GlobalAveragePool, ReduceMean or ReduceSum over places of a map."""
    members, shape = _members(walk, node, value)
    count = members.shape[1]
    if count == 1:
        return replace(value, index=value.index.reshape(shape))
    part = 1.0 if node.op_type == "ReduceSum" else 1.0 / count
    grow = count if node.op_type == "ReduceSum" else 1.0
    whole = members.size == value.index.size
    if not whole or len(np.unique(members)) != members.size:
        raise walk.refuse(
            f"{node.op_type} whose windows overlap or leave places out, which weights of ±1 cannot "
            "make up for: an average of the whole map works"
        )
    channels = value.channels
    inner = (channels, members.shape[0] // channels)
    kept = inner if inner[1] > 1 else (channels,)
    if value.clipper:
        raise walk.refuse(f"{node.op_type} after {value.clipper}; of bits or of sums it works")
    if value.kind == "bits":
        gain, offset = value.affine
        return replace(
            value,
            index=counted(kept).reshape(shape),
            shape=kept,
            gain=gain * part,
            offset=offset * grow,
            members=members,
        )
    if value.kind == "sums" and members.shape[0] == channels:
        return _dense_of(walk, value, part, grow, shape)
    raise walk.refuse(
        f"{node.op_type} of {value.kind}: one of bits before a fully connected layer, or of the "
        "whole map after a last convolution, works"
    )


def _members(walk: Walk, node: NodeProto, value: Value) -> tuple[Integers, tuple[int, ...]]:
    """Return the elements of each average, and the shape of the result without the batch."""
    settings = settings_of(node)
    if value.margin is not None or value.members is not None or value.index.ndim != 3:
        raise walk.refuse(f"{node.op_type} of something else than a map; one of bits works")
    shape = walk.shape(node.output[0])[1:]
    if node.op_type in ("ReduceMean", "ReduceSum"):
        axes = settings.get("axes")
        if axes is None:
            given = len(node.input) > 1 and node.input[1]
            axes = walk.constant(node, 1, "the axes").reshape(-1) if given else [1, 2, 3]
        places = sorted(int(axis) % 4 for axis in axes)
        if value.index.shape == value.shape and places != [2, 3]:
            raise walk.refuse(f"{node.op_type} over axes {places}; one over rows and columns works")
        if value.index.shape != value.shape and places != [1, 2]:
            raise walk.refuse(f"{node.op_type} over axes {places}; one over rows and columns works")
        moved = np.moveaxis(value.index, [axis - 1 for axis in places], [-2, -1])
        return moved.reshape(moved.shape[0], -1), shape
    if node.op_type == "GlobalAveragePool":
        return value.index.reshape(value.index.shape[0], -1), shape
    kernel = [int(size) for size in settings["kernel_shape"]]
    strides = [int(size) for size in settings.get("strides", [1, 1])]
    plain = not any(settings.get("pads", [0])) and not settings.get("ceil_mode", 0)
    auto = settings.get("auto_pad", b"NOTSET") in (b"NOTSET", b"VALID")
    if not plain or not auto or len(kernel) != 2 or set(settings.get("dilations", [1])) > {1}:
        raise walk.refuse(f"{node.op_type} with padding; one of the whole map works")
    if any(k > size for k, size in zip(kernel, value.index.shape[1:], strict=True)):
        raise walk.refuse(f"{node.op_type} with windows larger than its map")
    windows = np.lib.stride_tricks.sliding_window_view(value.index, tuple(kernel), axis=(1, 2))
    windows = windows[:, :: strides[0], :: strides[1]]
    return windows.reshape(-1, kernel[0] * kernel[1]), shape


def _dense_of(walk: Walk, value: Value, part: float, grow: float, shape: tuple[int, ...]) -> Value:
    """Make one dense layer of a convolution and the average of its whole map."""
    place, layer = walk.last_matrix()
    alone = place == len(walk.layers) - 1 and layer.is_convolution and not any(layer.padding)
    kernel = layer.weights.shape[2:]
    if not alone or layer.stride != kernel or layer.thresholds is not None:
        raise walk.refuse(
            "an average of sums: after a convolution of 1x1, or whose windows lie side by side, it "
            "works"
        )
    rows, columns = value.shape[1:]
    weights = np.tile(layer.weights, (1, 1, rows, columns))
    before = walk.before[layer.name]
    if weights.shape[1:] != before:
        raise walk.refuse(
            "an average of sums whose windows leave places of the map out; windows that divide it "
            "work"
        )
    walk.made_dense(place, replace(layer, weights=weights.reshape(len(weights), -1), stride=(1, 1)))
    gain, offset = value.affine
    channels = (value.channels,)
    return replace(
        value,
        index=counted(channels).reshape(shape),
        shape=channels,
        gain=gain * part,
        offset=offset * grow,
    )


STEPS: dict[str, Step] = {
    **dict.fromkeys(("MaxPool", "MaxPoolNHWC"), pooled),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "ReduceMean", "ReduceSum"), averaged),
}
