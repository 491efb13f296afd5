"""Convolutions of a QONNX file as FINN needs them: all attributes stated, padding among them.

From here on a convolution's padding is 0. On bits that stands for -1, which it becomes when FINN
makes -1 and +1 to 0 and 1; so a network has to pad bits with -1 before the convolution.
"""

from __future__ import annotations

from typing import Any

import spinflow.hls.ops  # sets FINN up

# isort: split
import numpy as np
from finn.builder.build_dataflow_config import DataflowBuildConfig
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.paths import BuildError


def state_convolutions(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Write out what ONNX lets a convolution leave away, and put padding into it."""
    for number, node in enumerate(model.get_nodes_by_op_type("Conv")):
        layer = f"conv{number}"
        bits = model.get_tensor_datatype(node.input[0]) != DataType[spinflow.hls.ops.PIXEL_TYPE]
        attributes = _attributes(model, node, layer)
        if len(node.input) > 2:
            raise BuildError(
                f"layer {layer} has a bias: leave it out, its threshold can do the same"
            )
        if any(attributes["pads"]) and bits:
            raise BuildError(
                f"layer {layer} pads bits with 0, but bits are +1 or -1: pad with -1, in a Pad "
                "operator before it"
            )
        pad = model.find_producer(node.input[0])
        if pad is not None and pad.op_type == "Pad":
            attributes["pads"] = _padding(model, pad, layer, -1 if bits else 0)
            node.input[0] = pad.input[0]
            model.graph.node.remove(pad)
        if max(attributes["pads"]) >= max(attributes["kernel_shape"]):
            raise BuildError(
                f"layer {layer} pads by {max(attributes['pads'])} with kernels of "
                f"{' x '.join(map(str, attributes['kernel_shape']))}: less than the kernel is "
                "needed, since else outputs see nothing of the map"
            )
        _limit_strides(model, node, attributes)
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(*item) for item in attributes.items())
    for node in model.get_nodes_by_op_type("MaxPool"):
        if not any(attribute.name == "pads" for attribute in node.attribute):
            node.attribute.append(helper.make_attribute("pads", [0, 0, 0, 0]))
    return model


def _attributes(model: ModelWrapper, node: Any, layer: str) -> dict[str, Any]:
    """Return the attributes of a convolution, those that are left away included."""
    defaults = {
        "kernel_shape": list(model.get_tensor_shape(node.input[1]))[2:],
        "strides": [1, 1],
        "pads": [0, 0, 0, 0],
        "dilations": [1, 1],
        "group": 1,
    }
    stated = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if stated.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise BuildError(
            f"layer {layer} leaves its padding to auto_pad: give it in numbers, as pads"
        )
    found = {name: stated.get(name, default) for name, default in defaults.items()}
    if found["group"] == 1 and list(model.get_tensor_shape(node.input[1]))[:2] == [1, 1]:
        raise BuildError(
            f"layer {layer} makes one channel of one, which FINN takes for a convolution of each "
            "channel by itself: two or more outputs are needed"
        )
    if found["group"] != 1:
        raise BuildError(
            f"layer {layer} has {found['group']} groups: the hardware has only convolutions over "
            "all channels, group 1"
        )
    if list(found["dilations"]) != [1, 1]:
        raise BuildError(
            f"layer {layer} has a dilation of {' x '.join(map(str, found['dilations']))}: the "
            "hardware has only kernels without gaps, dilation 1"
        )
    return found


def _limit_strides(model: ModelWrapper, node: Any, attributes: dict[str, Any]) -> None:
    """Make strides 1 where the kernel is as long as the map, so that there is one step only."""
    _, _, *sides = model.get_tensor_shape(node.input[0])
    pads, kernel = attributes["pads"], attributes["kernel_shape"]
    attributes["strides"] = [
        1 if sides[axis] + pads[axis] + pads[axis + 2] == kernel[axis] else stride
        for axis, stride in enumerate(attributes["strides"])
    ]


def _padding(model: ModelWrapper, pad: Any, layer: str, expected: int) -> list[int]:
    """Return top, left, bottom and right of a Pad node before a layer."""
    stated = {a.name: helper.get_attribute_value(a) for a in pad.attribute}
    amounts = model.get_initializer(pad.input[1])
    value = model.get_initializer(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else 0
    if stated.get("mode", b"constant") != b"constant" or amounts is None or value is None:
        raise BuildError(
            f"layer {layer} has padding that is not constant: pad with {expected}, by numbers that "
            "are in the file"
        )
    if np.any(value != expected):
        what = "pixels must be padded with 0" if expected == 0 else "bits must be padded with -1"
        raise BuildError(f"layer {layer} pads with {np.asarray(value).item():g}: {what}")
    before, after = np.split(amounts.astype(int), 2)
    if len(before) != 4 or before[:2].any() or after[:2].any() or amounts.min() < 0:
        raise BuildError(
            f"layer {layer} has padding elsewhere than at the four edges of its map: only rows and "
            "columns can be added"
        )
    return [int(side) for side in (*before[2:], *after[2:])]
