"""Convolutions of a QONNX file as FINN needs them: all attributes stated, padding among them.

From here on a convolution's padding is 0. On bits that stands for -1, which it becomes when FINN
makes -1 and +1 to 0 and 1. A convolution that pads bits with 0 itself, as ONNX means it, looks the
same from here on, and is noted as one (:mod:`spinflow.hls.zero_padding`).
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

from spinflow.hls import zero_padding
from spinflow.hls.paths import BuildError
from spinflow.hls.zero_padding import ZeroPadding


def state_convolutions(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Write out what ONNX lets a convolution leave away, and put padding into it."""
    layers = [node for node in model.graph.node if node.op_type in zero_padding.LAYERS]
    padded: dict[int, ZeroPadding] = {}
    for number, node in enumerate(model.get_nodes_by_op_type("Conv")):
        layer = f"conv{number}"
        bits = model.get_tensor_datatype(node.input[0]) != DataType[spinflow.hls.ops.PIXEL_TYPE]
        attributes = _attributes(model, node, layer)
        if len(node.input) > 2:
            raise BuildError(
                f"layer {layer} has a bias: leave it out, its threshold can do the same"
            )
        value = 0 if any(attributes["pads"]) else None
        pad = model.find_producer(node.input[0])
        if pad is not None and pad.op_type == "Pad":
            amounts, of_pad = _padding(model, pad, layer, bits)
            if value is not None and of_pad != value:
                raise BuildError(
                    f"layer {layer} pads bits with -1 and then with 0: one of them is needed"
                )
            value = of_pad
            attributes["pads"] = [a + b for a, b in zip(attributes["pads"], amounts, strict=True)]
            node.input[0] = pad.input[0]
            model.graph.node.remove(pad)
        top, left, bottom, right = attributes["pads"]
        kernel = attributes["kernel_shape"]
        if max(top, bottom) >= kernel[0] or max(left, right) >= kernel[1]:
            raise BuildError(
                f"layer {layer} pads by {[top, left, bottom, right]} with kernels of "
                f"{' x '.join(map(str, kernel))}: less than the kernel is needed, since else "
                "outputs see nothing of the map"
            )
        size = model.get_tensor_shape(node.input[0])[2:]
        room = (size[0] + top + bottom - kernel[0], size[1] + left + right - kernel[1])
        # FINN refuses a stride beyond the map, although there is nothing to stride over.
        attributes["strides"] = [
            min(stride, over + 1) for stride, over in zip(attributes["strides"], room, strict=True)
        ]
        if bits and value == 0 and any(attributes["pads"]):
            shape = (*size, *attributes["kernel_shape"], *attributes["strides"])
            padded[layers.index(node)] = ZeroPadding.of([*shape, *attributes["pads"]])
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(*item) for item in attributes.items())
    zero_padding.note(model, padded)
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


def _padding(model: ModelWrapper, pad: Any, layer: str, bits: bool) -> tuple[list[int], int]:
    """Return top, left, bottom and right of a Pad node before a layer, and what it pads with."""
    stated = {a.name: helper.get_attribute_value(a) for a in pad.attribute}
    amounts = model.get_initializer(pad.input[1])
    value = model.get_initializer(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else 0
    what = "-1 or 0" if bits else "0"
    if stated.get("mode", b"constant") != b"constant" or amounts is None or value is None:
        raise BuildError(
            f"layer {layer} has padding that is not constant: pad with {what}, by numbers that "
            "are in the file"
        )
    number = np.asarray(value).reshape(-1)[0]
    if number != 0 and not (bits and number == -1):
        of = "bits" if bits else "pixels"
        raise BuildError(f"layer {layer} pads with {number:g}: {of} must be padded with {what}")
    before, after = np.split(amounts.astype(int), 2)
    if len(before) != 4 or before[:2].any() or after[:2].any() or amounts.min() < 0:
        raise BuildError(
            f"layer {layer} has padding elsewhere than at the four edges of its map: only rows and "
            "columns can be added"
        )
    return [int(side) for side in (*before[2:], *after[2:])], int(number)
