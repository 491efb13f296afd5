"""Reads the folded FINN graph into the accelerator's plan: stages, memories and taps.

The plan gives the streams their names and the memories their numbers and addresses;
spinflow.hls.top writes SystemVerilog from it, and spinflow.hls.bundle the description. What it says
of a node comes from the node's op in `spinflow.hls.ops`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from spinflow.hls.ops import PIXELS, Op, Place, Walk, op_of

# isort: split
import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.network import layer_names
from spinflow.hls.ops.matrix import check_weight_memory
from spinflow.hls.paths import BuildError
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import (
    Layer,
    MemoryInfo,
    Stored,
    Tap,
    memories_of,
    windows_end,
    with_indices,
)
from spinflow.host.core.secded import encode_segments

__all__ = ["PIXELS", "Design", "Stage", "plan"]

MOST_RESETS = 8  # copies of the layers' reset that accel_shell makes


@dataclass(frozen=True)
class Stage:
    """One node of the graph, where it sits in the top module, and what accel.json says of it.

    Attributes:
        op: the node.
        place: where it sits.
        layer: its entry in accel.json, None if it has none.
        number: of the weight layer that was reached last, -1 before the first.
    """

    op: Op
    place: Place
    layer: Layer | None
    number: int

    @property
    def title(self) -> str:
        """What it does, in a few words."""
        return self.op.title

    @property
    def is_boundary(self) -> bool:
        """Whether the stream it writes is a layer boundary, a map or the label."""
        return self.op.is_boundary

    @property
    def out_bits(self) -> int:
        """Bits of the stream it writes, padded to whole bytes."""
        return int(self.op.get_outstream_width_padded())


@dataclass(frozen=True)
class Design:
    """The whole accelerator.

    Attributes:
        model: the folded graph.
        stages: in the order of the data.
        weights, buffers: the memories, each in layer order; weights come first in numbering.
        taps: in the order of the data.
        layers: as accel.json has them.
        shape: of an input frame, (pixels,) or (rows, columns, channels).
        cycles_per_frame: most cycles that any stage takes for a frame.
        address_width: bits of the AXI-Lite address.
        arrays: what arrays.npz holds.
    """

    model: ModelWrapper
    stages: tuple[Stage, ...]
    memories: tuple[MemoryInfo, ...]
    taps: tuple[Tap, ...]
    layers: tuple[Layer, ...]
    shape: tuple[int, ...]
    cycles_per_frame: int
    address_width: int
    arrays: dict[str, npt.NDArray[Any]]

    @property
    def pixels(self) -> int:
        """Bytes of an input frame."""
        return int(np.prod(self.shape))

    @property
    def resets(self) -> int:
        """Copies of the layers' reset."""
        return 1 + max(stage.place.reset for stage in self.stages)

    @property
    def weights(self) -> tuple[MemoryInfo, ...]:
        """The weight memories, in layer order."""
        return tuple(memory for memory in self.memories if memory.is_weights)

    @property
    def buffers(self) -> tuple[MemoryInfo, ...]:
        """The buffers, in layer order."""
        return tuple(memory for memory in self.memories if not memory.is_weights)

    def memory(self, stage: Stage) -> MemoryInfo | None:
        """Return the memory of a stage, None if it has none."""
        if stage.place.memory is None:
            return None
        of_kind = [memory for memory in self.memories if memory.kind == stage.op.memory]
        return of_kind[stage.place.memory]


def plan(
    model: ModelWrapper,
    layers_cycles: int,
    *,
    coding: Coding = PLAIN,
    control_bytes: int,
    range_bytes: int,
    max_memories: int,
) -> Design:
    """Plan the accelerator.

    Args:
        model: the graph that spinflow.hls.flow folded.
        layers_cycles: most cycles that a frame takes in any weight layer.
        coding: which memories are coded.
        control_bytes: size of the control block.
        range_bytes: size of the accelerator's address range on the board.
        max_memories: most memories that the control block has registers for.

    Raises:
        BuildError: the memories do not fit the control block, the address range or their RTL.
    """
    stages = _stages(model, coding)
    memories = memories_of(_stored(stages), control_bytes)
    if len(memories) > max_memories:
        raise BuildError(
            f"the network has {len(memories)} memories, the control block has registers for "
            f"{max_memories}: a network of fewer layers is needed"
        )
    for memory in memories:
        if memory.is_weights:
            check_weight_memory(memory)
    end = windows_end(memories, control_bytes)
    if end > range_bytes:
        raise BuildError(
            f"the weights need {end:#x} bytes of addresses, the board has {range_bytes:#x}: a "
            "smaller network is needed"
        )
    arrays: dict[str, npt.NDArray[Any]] = {}
    for stage in stages:
        arrays |= stage.op.arrays(model, stage.number)
        if stage.op.memory == "weights" and stage.place.code is not None:
            name = f"weights.{stage.number}"
            arrays[name] = encode_segments(stage.place.code, arrays[name])
    return Design(
        model=model,
        stages=tuple(stages),
        memories=memories,
        taps=tuple(stage.op.tap(stage.place) for stage in stages if stage.is_boundary),
        layers=with_indices(
            (stage.layer for stage in stages if stage.layer is not None),
            {entry.layer for entry in _stored(stages) if entry.buffer is not None},
        ),
        shape=tuple(model.get_tensor_shape(model.get_first_global_in())[1:]),
        cycles_per_frame=max(layers_cycles, *(stage.op.pass_cycles() for stage in stages)),
        address_width=(end - 1).bit_length(),
        arrays=arrays,
    )


def _stages(model: ModelWrapper, coding: Coding) -> list[Stage]:
    """Name each node after its layer and join their streams."""
    stages: list[Stage] = []
    walk = Walk(model, [*layer_names(model), "label"])
    asks = 0
    for node in model.graph.node:
        op = op_of(node, f"before {walk.next_layer}")
        walk.number += op.begins_layer
        name = op.name(walk)
        memory = None if op.memory is None else walk.number
        # Layers that follow each other share a copy of the reset, if there are more than copies.
        layers = len(walk.names)
        reset = max(0, walk.number) * min(MOST_RESETS, layers) // layers
        code = None if memory is None else coding.code(op.memory, op.block().width)
        place = Place(name, walk.stream, name, memory, asks, reset, code)
        if op.memory == "buffer":
            asks += op.block().ports
        stages.append(Stage(op, place, op.layer(walk, name), walk.number))
        walk.stream = name
    return stages


def _stored(stages: Sequence[Stage]) -> list[Stored]:
    """Return what each layer keeps in its memories."""
    stored: list[Stored] = []
    for stage in stages:
        block = None if stage.op.memory is None else stage.op.block().coded(stage.place.code)
        if stage.layer is not None:
            stored.append(Stored(stage.layer.name, weights=block))
        elif block is not None:
            stored[-1] = replace(stored[-1], buffer=block)
    return stored
