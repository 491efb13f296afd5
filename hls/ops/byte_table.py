"""Codes of the bytes of an image, by a table in front of everything: the module `byte_table`.

In QONNX the table is what the input goes through first: `Cast` to whole numbers, and `Gather` from
256 constants. It is taken off before FINN sees the network, which then takes pixels as any other
does, and is put in front of the hardware's layers when FINN has made them.
"""

from __future__ import annotations

from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import numpy as np
import numpy.typing as npt
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.ops.base import ABSTRACT_DOMAIN, PIXEL_TYPE, Module, Place, Walk
from spinflow.hls.ops.frame_trim import PixelStream
from spinflow.hls.ops.text import stream_ports, sv_instance, wrap
from spinflow.hls.paths import BuildError
from spinflow.hls.shapes import pixels_at_once
from spinflow.host.core import description
from spinflow.host.core.arrays import TABLE

CODES = 256
TENSOR = "table_codes"
CONSTANT = "TableCodes"


class ByteTable(PixelStream):
    """The code of each byte: the second input holds those of 0 to 255."""

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Look up the codes, of any number of images."""
        source, codes = self.onnx_node.input
        context[self.onnx_node.output[0]] = context[codes][context[source].astype(int)]


class ByteTable_rtl(Module, ByteTable, RTLBackend):
    """The table in hardware, a copy for each byte of a word."""

    abstract = ByteTable
    title = "codes of bytes"
    is_boundary = True
    gives_pixels = True
    rtl_module = "byte_table"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**ByteTable.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    def codes(self, model: ModelWrapper) -> npt.NDArray[np.uint8]:
        """Return the code of each byte, shape (256,)."""
        return np.asarray(model.get_initializer(self.onnx_node.input[1])).astype(np.uint8)

    def name(self, walk: Walk) -> str:
        """Return "table"."""
        return "table"

    def layer(self, walk: Walk, name: str) -> description.ByteTable:
        """Return the layer in front of all others."""
        elements = int(np.prod(self.get_normal_output_shape()))
        return description.ByteTable(name, elements, self.get_nodeattr("PE"))

    def describe(self, layer: description.Layer) -> str:
        """Return how many bytes go through it in a cycle."""
        return f"bytes to codes, {self.get_nodeattr('PE')} a cycle"

    def arrays(self, model: ModelWrapper, number: int) -> dict[str, npt.NDArray[Any]]:
        """Return the codes."""
        return {TABLE: self.codes(model)}

    def constants(self, model: ModelWrapper, place: Place) -> str:
        """Return the codes as a constant, that of byte 0 in the lowest bits."""
        texts = [f"8'd{code}" for code in self.codes(model)]
        return (
            "  // Code of each byte, that of 255 first.\n"
            f"  localparam logic [{8 * CODES - 1}:0] {CONSTANT} = {{\n{wrap(texts[::-1])}\n  }};\n"
        )

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the module; its codes are in the package of the thresholds."""
        parameters = {"Pe": self.get_nodeattr("PE"), "Codes": CONSTANT}
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


def take_off(model: ModelWrapper) -> npt.NDArray[np.uint8] | None:
    """Take the table off a QONNX network; return its codes, None if it has none or changes none.

    Raises:
        BuildError: it is not one of 256 whole numbers from 0 to 255.
    """
    source = model.get_first_global_in()
    consumers = model.find_consumers(source)
    gather = _only_follower(model, consumers[0]) if len(consumers) == 1 else None
    if gather is None or consumers[0].op_type != "Cast" or gather.op_type != "Gather":
        return None
    values = model.get_initializer(gather.input[0])
    axis = [helper.get_attribute_value(a) for a in gather.attribute if a.name == "axis"]
    if values is None or values.shape != (CODES,) or axis not in ([], [0]):
        raise BuildError(
            f"the table at the input must be {CODES} constants, one for each byte, of axis 0"
        )
    if np.any(values != np.clip(np.rint(values), 0, CODES - 1)):
        raise BuildError("the table at the input holds other codes than whole numbers 0 to 255")
    removed, last = [consumers[0], gather], gather
    follower = _only_follower(model, gather)
    if follower is not None and follower.op_type == "Cast":
        removed, last = [*removed, follower], follower
    for consumer in model.find_consumers(last.output[0]):
        consumer.input[list(consumer.input).index(last.output[0])] = source
    for node in removed:
        model.graph.node.remove(node)
    codes = np.asarray(values).astype(np.uint8)
    return None if np.array_equal(codes, np.arange(CODES)) else codes


def put_in_front(model: ModelWrapper, codes: npt.NDArray[np.uint8]) -> None:
    """Let the pixels of a graph of hardware layers go through a table first."""
    first = model.graph.node[0]
    source, coded = first.input[0], f"{first.input[0]}_codes"
    shape = model.get_tensor_shape(source)
    node = helper.make_node(
        "ByteTable",
        [source, TENSOR],
        [coded],
        domain=ABSTRACT_DOMAIN,
        backend="fpgadataflow",
        name="ByteTable_0",
        Shape=shape,
        PE=pixels_at_once(int(np.prod(shape))),
    )
    first.input[0] = coded
    model.graph.node.insert(0, node)
    model.graph.value_info.append(helper.make_tensor_value_info(coded, TensorProto.FLOAT, shape))
    model.set_tensor_datatype(coded, DataType[PIXEL_TYPE])
    model.set_initializer(TENSOR, codes.astype(np.float32))
    model.set_tensor_datatype(TENSOR, DataType[PIXEL_TYPE])


def _only_follower(model: ModelWrapper, node: Any) -> Any:
    followers = model.find_consumers(node.output[0])
    return followers[0] if len(followers) == 1 else None
