"""A feature map kept in MRAM on its way to the next layer: the module `buffer_mem`."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
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

from spinflow.hls.cost import MEMORY_REGISTERS, NOTHING, Cost, lut_ram
from spinflow.hls.ops.base import ABSTRACT_DOMAIN, Module, Place, Walk
from spinflow.hls.ops.kinds import kind_of
from spinflow.hls.ops.map_node import MapNode
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.hls.shapes import RUN_AHEADS, Folding, LayerShape, divisors
from spinflow.host.core.description import Block

MOST_WIDTH = 255
"""A buffer counts at most this many bits a write (spinflow_pkg::MaxCountedWidth)."""

LEAST_DEPTH = 2
"""Fewest words of a buffer, even where a frame has only one."""

SAFE_DEPTH = 1024
"""Most words of a buffer whose depth nobody has looked for."""

INTERVALS = (1, 2, 4, 8)
"""Cycles from one block of draws to the next that the error maker may take."""

SPARE = 2
"""Words drawn ahead that are not counted upon: the error maker starts on a word a little late."""

PIPE: Mapping[int, float] = {1: 410.0, 2: 390.0, 4: 270.0, 8: 175.0}
"""LUTs of two draws in so many cycles, and of their comparison with the rates."""

CONTROL = 240.0
"""LUTs of control, run-ahead control and counters, without draws."""


class MRAMBuffer(MapNode, HWCustomOp):
    """The buffer; without errors it is the identity.

    It stands right after the layer that makes the feature map, before any width converter.
    """

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes: Depth in words of PE bits, Lanes draws every Interval."""
        return {
            **super().get_nodeattr_types(),
            "NumChannels": ("i", True, 0),
            "PE": ("i", True, 0),
            "Depth": ("i", False, 0),
            "Lanes": ("i", False, 1),
            "Interval": ("i", False, 1),
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
        """Return the folding with the least error maker that no word waits for.

        There is none where an odd PE comes in fewer cycles than it has bits: draws come in pairs,
        so that words of an odd number of bits take them one by one.
        """
        if not layer.buffered:
            return [folding]
        draws = _error_maker(layer, folding.pe, layer.mw // folding.simd)
        if draws is None:
            return []
        return [
            replace(folding, lanes=draws.lanes, interval=draws.interval, run_ahead=draws.run_ahead)
        ]

    @staticmethod
    def objection(layer: LayerShape, pe: int) -> str | None:
        """Return what PE may be where a buffer follows."""
        if not layer.buffered or pe <= MOST_WIDTH:
            return None
        return f"its buffer takes a PE of at most {MOST_WIDTH}"

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return the cost of the buffer with its error maker, but for the memory itself."""
        if not layer.buffered:
            return NOTHING
        return Cost(CONTROL + MEMORY_REGISTERS + draws_cost(folding))

    def fold(self, folding: Folding, depth: int | None) -> None:
        """Take over the width, the error maker and the depth."""
        super().fold(folding, depth)
        self.set_nodeattr("Lanes", folding.lanes)
        self.set_nodeattr("Interval", folding.interval)
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
            lanes=self.get_nodeattr("Lanes"),
            interval=self.get_nodeattr("Interval"),
            run_ahead=self.get_nodeattr("RunAhead"),
        )

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the buffer with its configuration and its counters."""
        parameters = {
            "Width": self.get_instream_width(),
            "Depth": self.get_nodeattr("Depth"),
            "Lanes": self.get_nodeattr("Lanes"),
            "Interval": self.get_nodeattr("Interval"),
            "RunAhead": self.get_nodeattr("RunAhead"),
            "WithErrors": "WithErrors",
        }
        ports = stream_ports(place) | {
            "cfg_i": f"buffer_cfg[{place.memory}]",
            "restart_i": f"buffer_restart[{place.memory}]",
            "count_o": f"buffer_count[{place.memory}]",
            "stall_o": f"buffer_stall[{place.memory}]",
        }
        return sv_instance(self.rtl_module, place.name, parameters, ports)


def draws_cost(folding: Folding) -> float:
    """Return the estimated LUTs of a buffer's error maker."""
    pipes = math.ceil(folding.lanes / 2)
    return PIPE[folding.interval] * pipes + lut_ram(2 * folding.pe, folding.run_ahead)


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


@functools.cache
def _error_maker(layer: LayerShape, pe: int, pace: int) -> Folding | None:
    """Return the least error maker that no word waits for where one comes every ``pace`` cycles.

    There is one of as many lanes as bits for each even PE, and for 1.
    """
    for draws in _error_makers(pe):
        if _keeps_up(layer, draws, pace):
            return draws
    return None


@functools.cache
def _error_makers(pe: int) -> list[Folding]:
    """Return the error makers for words of ``pe`` bits, the smallest first."""
    options = [
        Folding(pe, 1, lanes, interval, run_ahead)
        for lanes in divisors(pe)
        if lanes == 1 or lanes % 2 == 0
        for interval in INTERVALS
        for run_ahead in RUN_AHEADS
    ]
    # Of equals, the one that takes its pipe the longer.
    return sorted(
        options, key=lambda option: (draws_cost(option), option.run_ahead, -option.interval)
    )


def _keeps_up(layer: LayerShape, folding: Folding, pace: int) -> bool:
    """Return whether no word ever waits for its draws, however fast the unit gives words.

    It gives one every ``pace`` cycles at most. After a max-pool the words of a pixel come together,
    in the last of the rows that are joined; what was drawn ahead in the quiet time then helps.
    """
    draws = folding.pe / folding.lanes * folding.interval  # cycles that a word's draws take
    if layer.pool == 1:
        return draws <= pace
    assert layer.window is not None
    pixel = layer.mh // folding.pe  # words
    row = layer.window.out_columns // layer.pool * pixel
    busy = (layer.pool * row - (layer.pool - 1) * pixel) * pace  # first to last word of a row
    late = max(pixel - pixel * pace / draws, row - busy / draws)
    return late <= folding.run_ahead - SPARE and draws <= layer.pool**2 * pace
