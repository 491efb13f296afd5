"""Reads the folded FINN graph into the accelerator's plan: stages, memories and taps.

The plan numbers the memories, gives the weight windows their addresses and the streams their names;
hls.stitch writes SystemVerilog from it and hls.build the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import hls.ops  # sets FINN up

# isort: split
import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from hls.common import BuildError
from hls.layout import pack_weights, segments_of, stride_of

WINDOWS_START = 0x10000
"""The weight windows begin here, or after the control block if that is larger."""

PIXELS = "pixels"
"""Name of the stream that accel_shell hands to the first stage."""


@dataclass(frozen=True)
class Stage:
    """One node of the graph and where it sits in the top module."""

    op: Any
    place: hls.ops.Place

    @property
    def op_type(self) -> str:
        """FINN's name of the operator."""
        return str(self.op.onnx_node.op_type)

    @property
    def is_boundary(self) -> bool:
        """Whether the stream it writes is a layer boundary: all but those of width converters."""
        return not isinstance(self.op, hls.ops.StreamingDataWidthConverter_rtl)

    @property
    def out_bits(self) -> int:
        """Bits of the stream it writes, padded to whole bytes."""
        return int(self.op.get_outstream_width_padded())


@dataclass(frozen=True)
class WeightMemory:
    """The memory of a layer's weights and its window on the AXI-Lite slave (bytes)."""

    index: int
    layer: int
    width: int
    depth: int
    edge: str
    base: int

    @property
    def name(self) -> str:
        """Name in accel.json."""
        return f"fc{self.layer}.weights"

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {
            "index": self.index,
            "name": self.name,
            "kind": "weights",
            "layer": self.layer,
            "width": self.width,
            "depth": self.depth,
            "edge": self.edge,
            "segments": segments_of(self.width),
            "base": self.base,
            "stride": stride_of(self.width),
        }


@dataclass(frozen=True)
class BufferMemory:
    """The memory of a layer's feature map."""

    index: int
    layer: int
    width: int
    depth: int
    edge: str
    lanes: int
    run_ahead: int

    @property
    def name(self) -> str:
        """Name in accel.json."""
        return f"fc{self.layer}.buffer"

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {
            "index": self.index,
            "name": self.name,
            "kind": "buffer",
            "layer": self.layer,
            "width": self.width,
            "depth": self.depth,
            "edge": self.edge,
            "lanes": self.lanes,
            "run_ahead": self.run_ahead,
        }


@dataclass(frozen=True)
class Tap:
    """A layer boundary that simulation can watch: a stream of ``elements`` a frame."""

    name: str
    edge: str
    signal: str
    elements: int
    element_bits: int
    per_word: int


@dataclass(frozen=True)
class Design:
    """The whole accelerator.

    Attributes:
        model: the folded graph.
        stages: in the order of the data.
        weights, buffers: the memories, each in layer order; weights come first in numbering.
        taps: in the order of the data.
        layers: the entry `layers` of accel.json.
        pixels: inputs a frame.
        cycles_per_frame: most cycles that any stage takes for a frame.
        address_width: bits of the AXI-Lite address.
        arrays: what arrays.npz holds.
    """

    model: ModelWrapper
    stages: list[Stage]
    weights: list[WeightMemory]
    buffers: list[BufferMemory]
    taps: list[Tap]
    layers: list[dict[str, Any]]
    pixels: int
    cycles_per_frame: int
    address_width: int
    arrays: dict[str, npt.NDArray[Any]]

    @property
    def memories(self) -> list[WeightMemory | BufferMemory]:
        """All memories in the order of their index."""
        return [*self.weights, *self.buffers]


def plan(model: ModelWrapper, control_bytes: int, range_bytes: int, max_memories: int) -> Design:
    """Plan the accelerator.

    Args:
        model: the graph that hls.flow folded.
        control_bytes: size of the control block.
        range_bytes: size of the accelerator's address range on the board.
        max_memories: most memories that the control block has registers for.

    Raises:
        BuildError: the memories do not fit the control block or the address range.
    """
    stages = _stages(model)
    mvus = [stage for stage in stages if isinstance(stage.op, hls.ops.MVAU_rtl)]
    buffered = [stage for stage in stages if isinstance(stage.op, hls.ops.MRAMBuffer_rtl)]
    if len(mvus) + len(buffered) > max_memories:
        raise BuildError(
            f"{len(mvus) + len(buffered)} memories, the control block holds {max_memories}"
        )
    weights, end = _weight_memories(mvus, max(WINDOWS_START, control_bytes))
    if end > range_bytes:
        raise BuildError(
            f"weight windows end at {end:#x}, the board's address range is {range_bytes:#x}"
        )
    buffers = [
        BufferMemory(
            index=len(weights) + layer,
            layer=layer,
            width=stage.op.get_outstream_width(),
            depth=stage.op.get_nodeattr("Depth"),
            edge=stage.op.onnx_node.output[0],
            lanes=stage.op.get_nodeattr("Lanes"),
            run_ahead=stage.op.get_nodeattr("RunAhead"),
        )
        for layer, stage in enumerate(buffered)
    ]
    return Design(
        model=model,
        stages=stages,
        weights=weights,
        buffers=buffers,
        taps=[_tap(stage) for stage in stages if stage.is_boundary],
        layers=_layers(stages, weights, buffers),
        pixels=stages[0].op.get_nodeattr("NumChannels"),
        cycles_per_frame=max(int(stage.op.get_exp_cycles()) for stage in stages),
        address_width=(end - 1).bit_length(),
        arrays=_arrays(model, stages[0], mvus),
    )


def _stages(model: ModelWrapper) -> list[Stage]:
    """Name each node after its layer and join their streams."""
    stages: list[Stage] = []
    source, layer = PIXELS, -1
    for node in model.graph.node:
        op = getCustomOp(node)
        memory = None
        if node.op_type == "Thresholding_rtl":
            name = "input"
        elif node.op_type == "StreamingDataWidthConverter_rtl":
            name = f"fc{layer + 1}_in"
        elif node.op_type == "MVAU_rtl":
            layer += 1
            name, memory = f"fc{layer}", layer
        elif node.op_type == "MRAMBuffer_rtl":
            name, memory = f"fc{layer}_buffer", layer
        elif node.op_type == "LabelSelect_rtl":
            name = "label"
        else:
            raise BuildError(f"operator {node.op_type} after layer fc{layer} has no RTL module")
        stages.append(Stage(op, hls.ops.Place(name, source, name, memory)))
        source = name
    return stages


def _weight_memories(mvus: list[Stage], start: int) -> tuple[list[WeightMemory], int]:
    """Return the weight memories and the end of their windows.

    Each window is aligned to its size rounded up to a power of two, so that its address bits are
    those of the word and the segment.
    """
    memories: list[WeightMemory] = []
    end = start
    for layer, stage in enumerate(mvus):
        width = stage.op.get_nodeattr("PE") * stage.op.get_nodeattr("SIMD")
        depth = stage.op.calc_wmem()
        size = 1 << (stride_of(width) * depth - 1).bit_length()
        base = -(-end // size) * size
        end = base + size
        edge = stage.op.onnx_node.input[1]
        memories.append(WeightMemory(layer, layer, width, depth, edge, base))
    return memories, end


def _tap(stage: Stage) -> Tap:
    op = stage.op
    if isinstance(op, hls.ops.LabelSelect_rtl):
        name, elements, per_word = "label", 1, 1
    else:
        name = stage.place.name.replace("_", ".")
        elements, per_word = op.get_normal_output_shape()[-1], op.get_nodeattr("PE")
    bits = op.get_output_datatype().bitwidth()
    return Tap(name, op.onnx_node.output[0], stage.place.sink, elements, bits, per_word)


def _layers(
    stages: list[Stage], weights: list[WeightMemory], buffers: list[BufferMemory]
) -> list[dict[str, Any]]:
    buffer_of = {buffer.layer: buffer.index for buffer in buffers}
    layers: list[dict[str, Any]] = []
    for stage in stages:
        op = stage.op
        if isinstance(op, hls.ops.Thresholding_rtl):
            layers.append(
                {
                    "name": stage.place.name,
                    "op": "threshold",
                    "channels": op.get_nodeattr("NumChannels"),
                    "pe": op.get_nodeattr("PE"),
                }
            )
        elif isinstance(op, hls.ops.MVAU_rtl):
            layer = stage.place.memory
            assert layer is not None
            layers.append(
                {
                    "name": stage.place.name,
                    "op": "mvu",
                    "mw": op.get_nodeattr("MW"),
                    "mh": op.get_nodeattr("MH"),
                    "pe": op.get_nodeattr("PE"),
                    "simd": op.get_nodeattr("SIMD"),
                    "threshold": not op.get_nodeattr("noActivation"),
                    "weights": weights[layer].index,
                    "buffer": buffer_of.get(layer),
                }
            )
        elif isinstance(op, hls.ops.LabelSelect_rtl):
            layers.append(
                {
                    "name": stage.place.name,
                    "op": "label_select",
                    "classes": op.get_nodeattr("Labels"),
                }
            )
    return layers


def _arrays(model: ModelWrapper, source: Stage, mvus: list[Stage]) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {
        "threshold.input": np.array([source.op.threshold(model)], np.int32)
    }
    for layer, stage in enumerate(mvus):
        op = stage.op
        thresholds = op.popcount_thresholds(model)
        if thresholds is not None:
            arrays[f"threshold.{layer}"] = thresholds
        arrays[f"weights.{layer}"] = pack_weights(
            op.weight_matrix(model), op.get_nodeattr("PE"), op.get_nodeattr("SIMD")
        )
    return arrays
