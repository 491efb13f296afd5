"""Reads the folded FINN graph into the accelerator's plan: stages, memories and taps.

The plan numbers the memories, gives the weight windows their addresses and the streams their names;
spinflow.hls.top writes SystemVerilog from it and spinflow.hls.build the bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import spinflow.hls.ops  # sets FINN up

# isort: split
import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from spinflow.hls.flow import weight_layers
from spinflow.hls.layout import pack_weights, segments_of, stride_of
from spinflow.hls.paths import BuildError
from spinflow.host.core.description import WINDOWS_START, window_after

PIXELS = "pixels"
"""Name of the stream that accel_shell hands to the first stage."""


BOUNDARIES = (
    spinflow.hls.ops.Thresholding_rtl,
    spinflow.hls.ops.MVAU_rtl,
    spinflow.hls.ops.BinaryMaxPool_rtl,
    spinflow.hls.ops.MRAMBuffer_rtl,
    spinflow.hls.ops.LabelSelect_rtl,
)


@dataclass(frozen=True)
class Stage:
    """One node of the graph and where it sits in the top module."""

    op: Any
    place: spinflow.hls.ops.Place

    def renamed(self, name: str) -> Stage:
        """Return this stage with another name for itself and the stream it writes."""
        return Stage(
            self.op, spinflow.hls.ops.Place(name, self.place.source, name, self.place.memory)
        )

    @property
    def op_type(self) -> str:
        """FINN's name of the operator."""
        return str(self.op.onnx_node.op_type)

    @property
    def is_boundary(self) -> bool:
        """Whether the stream it writes is a layer boundary, a map or the label."""
        return isinstance(self.op, BOUNDARIES)

    @property
    def out_bits(self) -> int:
        """Bits of the stream it writes, padded to whole bytes."""
        return int(self.op.get_outstream_width_padded())


@dataclass(frozen=True)
class WeightMemory:
    """The memory of a layer's weights and its window on the AXI-Lite slave (bytes)."""

    index: int
    name: str
    layer: int
    width: int
    depth: int
    edge: str
    base: int

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
    name: str
    layer: int
    width: int
    depth: int
    edge: str
    lanes: int
    interval: int
    run_ahead: int

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
            "interval": self.interval,
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
        shape: of an input frame, (pixels,) or (rows, columns, channels).
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
    shape: tuple[int, ...]
    cycles_per_frame: int
    address_width: int
    arrays: dict[str, npt.NDArray[Any]]

    @property
    def pixels(self) -> int:
        """Bytes of an input frame."""
        return int(np.prod(self.shape))

    @property
    def memories(self) -> list[WeightMemory | BufferMemory]:
        """All memories in the order of their index."""
        return [*self.weights, *self.buffers]


def plan(
    model: ModelWrapper,
    layers_cycles: int,
    *,
    control_bytes: int,
    range_bytes: int,
    max_memories: int,
) -> Design:
    """Plan the accelerator.

    Args:
        model: the graph that spinflow.hls.flow folded.
        layers_cycles: most cycles that a frame takes in any weight layer.
        control_bytes: size of the control block.
        range_bytes: size of the accelerator's address range on the board.
        max_memories: most memories that the control block has registers for.

    Raises:
        BuildError: the memories do not fit the control block or the address range.
    """
    stages = _stages(model)
    mvus = [stage for stage in stages if isinstance(stage.op, spinflow.hls.ops.MVAU_rtl)]
    buffered = [stage for stage in stages if isinstance(stage.op, spinflow.hls.ops.MRAMBuffer_rtl)]
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
            name=stage.place.name.replace("_", "."),
            layer=layer,
            width=stage.op.get_outstream_width(),
            depth=stage.op.get_nodeattr("Depth"),
            edge=stage.op.onnx_node.output[0],
            lanes=stage.op.get_nodeattr("Lanes"),
            interval=stage.op.get_nodeattr("Interval"),
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
        shape=tuple(model.get_tensor_shape(model.get_first_global_in())[1:]),
        cycles_per_frame=max(layers_cycles, *(_words(stage) for stage in stages)),
        address_width=(end - 1).bit_length(),
        arrays=_arrays(model, stages, mvus),
    )


def _words(stage: Stage) -> int:
    """Return the cycles that a frame takes in a stage that passes a word a cycle."""
    if isinstance(
        stage.op, (spinflow.hls.ops.MVAU_rtl, spinflow.hls.ops.ConvolutionInputGenerator_rtl)
    ):
        return 0  # layers_cycles has them
    return int(stage.op.get_exp_cycles())


def _stages(model: ModelWrapper) -> list[Stage]:
    """Name each node after its layer and join their streams."""
    stages: list[Stage] = []
    names = [*weight_layers(model), "label"]
    source, layer = PIXELS, -1
    for node in model.graph.node:
        op = getCustomOp(node)
        memory = None
        following = names[layer + 1]
        if node.op_type == "Thresholding_rtl":
            name = "input"
        elif node.op_type == "StreamingDataWidthConverter_rtl":
            # The words of a window that has slid, or those that the layer takes; wide ones are
            # on the way between two widths.
            slid = source.startswith((f"{following}_window", f"{following}_words"))
            name = f"{following}_{'words' if slid else 'in'}"
            if source == name:
                stages[-1] = stages[-1].renamed(f"{name}_wide")
                source = f"{name}_wide"
        elif node.op_type == "FMPadding_rtl":
            name = f"{following}_padding"
        elif node.op_type == "ConvolutionInputGenerator_rtl":
            name = f"{following}_window"
        elif node.op_type == "MVAU_rtl":
            layer += 1
            name, memory = names[layer], layer
        elif node.op_type == "BinaryMaxPool_rtl":
            name = names[layer].replace("conv", "pool")
        elif node.op_type == "MRAMBuffer_rtl":
            name, memory = f"{source}_buffer", layer
        elif node.op_type == "LabelSelect_rtl":
            name = "label"
        else:
            raise BuildError(f"operator {node.op_type} before {following} has no RTL module")
        stages.append(Stage(op, spinflow.hls.ops.Place(name, source, name, memory)))
        source = name
    return stages


def _weight_memories(mvus: list[Stage], start: int) -> tuple[list[WeightMemory], int]:
    """Return the weight memories and the end of their windows."""
    memories: list[WeightMemory] = []
    end = start
    for layer, stage in enumerate(mvus):
        width = stage.op.get_nodeattr("PE") * stage.op.get_nodeattr("SIMD")
        depth = stage.op.calc_wmem()
        base, end = window_after(end, width, depth)
        edge = stage.op.onnx_node.input[1]
        name = f"{stage.place.name}.weights"
        memories.append(WeightMemory(layer, name, layer, width, depth, edge, base))
    return memories, end


def _tap(stage: Stage) -> Tap:
    op = stage.op
    if isinstance(op, spinflow.hls.ops.LabelSelect_rtl):
        name, elements, per_word = "label", 1, 1
    else:
        name = stage.place.name.replace("_", ".")
        elements, per_word = int(np.prod(op.get_normal_output_shape())), op.get_nodeattr("PE")
    bits = op.get_output_datatype().bitwidth()
    return Tap(name, op.onnx_node.output[0], stage.place.sink, elements, bits, per_word)


def _layers(
    stages: list[Stage], weights: list[WeightMemory], buffers: list[BufferMemory]
) -> list[dict[str, Any]]:
    buffer_of = {buffer.name: buffer.index for buffer in buffers}
    layers: list[dict[str, Any]] = []
    window: dict[str, Any] | None = None
    padding = [0, 0, 0, 0]
    for stage in stages:
        op, name = stage.op, stage.place.name
        buffer = buffer_of.get(f"{name}.buffer")
        if isinstance(op, spinflow.hls.ops.Thresholding_rtl):
            layers.append(
                {
                    "name": name,
                    "op": "threshold",
                    "channels": op.get_nodeattr("NumChannels"),
                    "pe": op.get_nodeattr("PE"),
                }
            )
        elif isinstance(op, spinflow.hls.ops.FMPadding_rtl):
            padding = [int(side) for side in op.get_nodeattr("Padding")]
        elif isinstance(op, spinflow.hls.ops.ConvolutionInputGenerator_rtl):
            window = _window(op, padding)
            padding = [0, 0, 0, 0]
        elif isinstance(op, spinflow.hls.ops.MVAU_rtl):
            layers.append(_matrix(stage, window, weights, buffer))
            window = None
        elif isinstance(op, spinflow.hls.ops.BinaryMaxPool_rtl):
            layers.append(
                {
                    "name": name,
                    "op": "max_pool",
                    "size": op.get_nodeattr("Size"),
                    "shape": list(op.get_normal_output_shape()[1:]),
                    "buffer": buffer,
                }
            )
        elif isinstance(op, spinflow.hls.ops.LabelSelect_rtl):
            layers.append(
                {"name": name, "op": "label_select", "classes": op.get_nodeattr("Labels")}
            )
    return layers


def _window(op: Any, padding: list[int]) -> dict[str, Any]:
    """Return the entry `window` of a layer; the input is the map without its padding."""
    rows, columns = op.get_nodeattr("IFMDim")
    top, left, bottom, right = padding
    return {
        "input": [rows - top - bottom, columns - left - right, op.get_nodeattr("IFMChannels")],
        "kernel": [int(side) for side in op.get_nodeattr("ConvKernelDim")],
        "stride": [int(step) for step in op.get_nodeattr("Stride")],
        "padding": padding,
    }


def _matrix(
    stage: Stage, window: dict[str, Any] | None, weights: list[WeightMemory], buffer: int | None
) -> dict[str, Any]:
    """Return the entry of a weight layer."""
    op = stage.op
    assert stage.place.memory is not None
    rows, columns = ([*op.get_nodeattr("numInputVectors"), 1, 1])[1:3]
    if window is None and stage.place.name.startswith("conv"):
        # FINN makes no sliding window for kernels of one pixel.
        window = {
            "input": [rows, columns, op.get_nodeattr("MW")],
            "kernel": [1, 1],
            "stride": [1, 1],
            "padding": [0, 0, 0, 0],
        }
    return {
        "name": stage.place.name,
        "op": "mvu",
        "mw": op.get_nodeattr("MW"),
        "mh": op.get_nodeattr("MH"),
        "pe": op.get_nodeattr("PE"),
        "simd": op.get_nodeattr("SIMD"),
        "input": "bits" if op.is_xnor else "pixels",
        "threshold": not op.get_nodeattr("noActivation"),
        "window": window,
        "shape": [rows, columns, op.get_nodeattr("MH")],
        "weights": weights[stage.place.memory].index,
        "buffer": buffer,
    }


def _arrays(
    model: ModelWrapper, stages: list[Stage], mvus: list[Stage]
) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    if isinstance(stages[0].op, spinflow.hls.ops.Thresholding_rtl):
        arrays["threshold.input"] = np.array([stages[0].op.threshold(model)], np.int32)
    for layer, stage in enumerate(mvus):
        op = stage.op
        thresholds = op.thresholds(model)
        if thresholds is not None:
            arrays[f"threshold.{layer}"] = thresholds
        arrays[f"weights.{layer}"] = pack_weights(
            op.weight_matrix(model), op.get_nodeattr("PE"), op.get_nodeattr("SIMD")
        )
    return arrays
