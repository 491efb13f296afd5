"""A feature map kept in MRAM on its way to the next layer: the module `buffer_mem`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_datatypes import InferDataTypes

from spinflow.hls.cost import MEMORY_REGISTERS, NOTHING, Cost, decoder, encoder
from spinflow.hls.draws import RUN_AHEADS, draws_for
from spinflow.hls.ops.base import ABSTRACT_DOMAIN, Module, Place, Walk
from spinflow.hls.ops.kinds import kind_of
from spinflow.hls.ops.map_node import MapNode
from spinflow.hls.ops.text import code_parameters, stream_ports, sv_instance
from spinflow.hls.shapes import Folding, LayerShape
from spinflow.host.core.description import Block

MOST_WIDTH = 255
"""A buffer counts at most this many bits a write (spinflow_pkg::MaxCountedWidth)."""

LEAST_DEPTH = 2
"""Fewest words of a buffer, even where a frame has only one."""

SAFE_DEPTH = 1024
"""Most words of a buffer whose depth nobody has looked for."""

CONTROL = 130.0
"""LUTs of control, run-ahead control and counters, without what is drawn ahead."""


class MRAMBuffer(MapNode, HWCustomOp):
    """The buffer; without errors it is the identity.

    It stands right after the layer that makes the feature map, before any width converter.
    """

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes: Depth in words of PE bits; engines of the ports for draws."""
        return {
            **super().get_nodeattr_types(),
            "NumChannels": ("i", True, 0),
            "PE": ("i", True, 0),
            "Depth": ("i", False, 0),
            "Ports": ("i", False, 1),
            "Engine": ("i", False, 0),
            "RunAhead": ("i", False, RUN_AHEADS[0]),
            "dataType": ("s", True, ""),
            "numInputVectors": ("ints", False, [1]),
        }

    def get_normal_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the feature map's shape, channels last."""
        return (*self.get_nodeattr("numInputVectors"), self.get_nodeattr("NumChannels"))

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Pass the feature map on."""
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]]


class MRAMBuffer_rtl(Module, MRAMBuffer, RTLBackend):
    """The buffer in hardware."""

    abstract = MRAMBuffer
    title = "feature map in MRAM"
    order = 4
    is_mapped = False
    is_boundary = True
    memory = "buffer"
    rtl_module = "buffer_mem"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**MRAMBuffer.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    @classmethod
    def insert(cls, model: ModelWrapper) -> ModelWrapper:
        """Put a buffer after each hidden layer, behind what makes another map of its output."""
        kinds = [(node, kind_of(node)) for node in model.graph.node]
        for matrix in [node for node, kind in kinds if kind.begins_layer][:-1]:
            last = matrix
            (follower,) = model.find_consumers(last.output[0])
            while kind_of(follower).changes_map:
                last = follower
                (follower,) = model.find_consumers(last.output[0])
            _insert_after(model, last, getCustomOp(matrix), matrix.name)
        return model.transform(GiveUniqueNodeNames()).transform(InferDataTypes())

    def extend(self, shape: LayerShape) -> LayerShape:
        """Let the layer's map be kept."""
        return replace(shape, buffered=True)

    @staticmethod
    def options(layer: LayerShape, folding: Folding) -> list[Folding]:
        """Return the folding with the least of draws ahead that no word waits for."""
        if not layer.buffered:
            return [folding]
        draws = draws_for(layer, folding.pe, layer.mw // folding.simd)
        if draws is None:
            return []
        return [replace(folding, ports=draws.ports, run_ahead=draws.run_ahead)]

    @staticmethod
    def objection(layer: LayerShape, pe: int) -> str | None:
        """Return what PE may be where a buffer follows."""
        if not layer.buffered or layer.stored_bits(pe) <= MOST_WIDTH:
            return None
        bits = "" if layer.stored_bits(pe) == pe else ", check bits included"
        return f"its buffer takes a PE of at most {MOST_WIDTH}{bits}"

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return the cost of the buffer with its part of an engine, but for the memory itself."""
        if not layer.buffered:
            return NOTHING
        draws = draws_for(layer, folding.pe, layer.mw // folding.simd)
        assert draws is not None
        code = layer.coding.code("buffer", folding.pe)
        coding = encoder(code) + decoder(code)
        bits = layer.stored_bits(folding.pe)
        return Cost(CONTROL + MEMORY_REGISTERS + draws.lut(bits) + coding)

    def fold(self, folding: Folding, depth: int | None) -> None:
        """Take over the width, the ways to its draws and the depth."""
        super().fold(folding, depth)
        self.set_nodeattr("Ports", folding.ports)
        self.set_nodeattr("Engine", folding.engine)
        self.set_nodeattr("RunAhead", folding.run_ahead)
        self.set_nodeattr(
            "Depth",
            max(LEAST_DEPTH, min(self.get_exp_cycles(), SAFE_DEPTH)) if depth is None else depth,
        )

    def name(self, walk: Walk) -> str:
        """Return the name of the layer whose output it keeps, with `_buffer`."""
        return f"{walk.stream}_buffer"

    def block(self) -> Block:
        """Return the buffer's size, and how its draws are made."""
        return Block(
            width=self.get_outstream_width(),
            depth=self.get_nodeattr("Depth"),
            edge=self.onnx_node.output[0],
            ports=self.get_nodeattr("Ports"),
            run_ahead=self.get_nodeattr("RunAhead"),
            engine=self.get_nodeattr("Engine"),
        )

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the buffer with its configuration, its draws and its counters."""
        parameters = {
            "Width": self.get_instream_width(),
            "Depth": self.get_nodeattr("Depth"),
            "RunAhead": self.get_nodeattr("RunAhead"),
            "Ports": self.get_nodeattr("Ports"),
            "WithErrors": "WithErrors",
        }
        asks = f"{place.first_ask}+:{self.get_nodeattr('Ports')}"
        ports = stream_ports(place) | {
            "mode_i": f"buffer_mode[{place.memory}]",
            "restart_i": f"buffer_restart[{place.memory}]",
            "request_o": f"draw_request[{asks}]",
            "grant_i": f"draw_grant[{asks}]",
            "answer_i": f"draw_answer[{asks}]",
            "answer_valid_i": f"draw_valid[{asks}]",
            "count_o": f"buffer_count[{place.memory}]",
            "stall_o": f"buffer_stall[{place.memory}]",
        }
        if place.code is None:
            return sv_instance(self.rtl_module, place.name, parameters, ports)
        del parameters["Width"]
        ports["code_count_o"] = f"code_count[NumWeights+{place.memory}]"
        coded = code_parameters(place.code) | parameters
        return sv_instance("coded_buffer", place.name, coded, ports)


def _insert_after(model: ModelWrapper, last: Any, matrix: Any, name: str) -> None:
    """Keep what a node gives, the output of a layer with this matrix, in a buffer."""
    feature_map = last.output[0]
    shape = model.get_tensor_shape(feature_map)
    kept = f"{feature_map}_buffer"
    for consumer in model.find_consumers(feature_map):
        consumer.input[list(consumer.input).index(feature_map)] = kept
    buffer = helper.make_node(
        "MRAMBuffer",
        [feature_map],
        [kept],
        domain=ABSTRACT_DOMAIN,
        backend="fpgadataflow",
        name=f"MRAMBuffer_{name}",
        NumChannels=matrix.get_nodeattr("MH"),
        PE=matrix.get_nodeattr("PE"),
        dataType=matrix.get_nodeattr("outputDataType"),
        numInputVectors=list(shape[:-1]),
    )
    model.graph.value_info.append(helper.make_tensor_value_info(kept, TensorProto.FLOAT, shape))
    model.graph.node.insert(list(model.graph.node).index(last) + 1, buffer)
