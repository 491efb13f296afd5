"""What the build asks of an op of the hardware, and what holds for most of them.

An op is one class `X_rtl` in a file of this folder: a node of FINN's graph, and one instance in
the top module. :class:`Op` lists all that the flow, the folding, the plan, the top module and the
golden reference want to know of it, with the answer of an op that has nothing to say.
:class:`Module` is for ops whose module is in `hw/rtl`, so that FINN generates no file for it.

Nodes are of FINN's class `X` until they are specialised to RTL. The class methods of :class:`Op`
are about those; the other methods are about a node that is one of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import numpy as np
import numpy.typing as npt
from finn.util.exception import FINNUserError
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.cost import NOTHING, Cost
from spinflow.hls.paths import RTL
from spinflow.hls.shapes import Folding, LayerShape
from spinflow.host.core.description import Block, Code, Layer, MemoryInfo, Tap, Window

ABSTRACT_DOMAIN = "finn.custom_op.fpgadataflow"
RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"

BINARY_TYPES = ("BINARY", "BIPOLAR")
PIXEL_TYPE = "UINT8"

PIXELS = "pixels"
"""Name of the stream that accel_shell hands to the first stage."""


@dataclass(frozen=True)
class Place:
    """Where a node sits in the top module.

    Attributes:
        name: of the instance, without its prefix `u_`.
        source, sink: prefixes of the streams it reads and writes.
        memory: number of its memory among those of its kind; None if it has none.
        first_ask: number of the first port at which it asks for draws, if it does.
        reset: number of its copy of the layers' reset.
        code: how the words of its memory are coded; None if they are not, or if it has none.
    """

    name: str
    source: str
    sink: str
    memory: int | None = None
    first_ask: int = 0
    reset: int = 0
    code: Code | None = None

    @property
    def reset_wire(self) -> str:
        """The reset, active low, as the top module has it."""
        return f"core_rst_n[{self.reset}]"


@dataclass
class Walk:
    """How far the plan has come through the graph, in the order of the data.

    Attributes:
        model: the folded graph.
        names: of the weight layers, and of what stands behind the last one.
        number: of the weight layer that was reached last, -1 before the first.
        stream: prefix of the stream that the next op reads.
        padding: of the map that the next sliding window reads: top, left, bottom, right.
        whole: rows and columns of the map, and the stride, of which the next sliding window has
            only what it needs; None if it has all.
        window: the sliding window whose vectors the next matrix reads.
    """

    model: ModelWrapper
    names: list[str]
    number: int = -1
    stream: str = PIXELS
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    whole: tuple[int, int, int, int] | None = None
    window: Window | None = None

    @property
    def layer(self) -> str:
        """Name of the weight layer that was reached last."""
        return self.names[self.number]

    @property
    def next_layer(self) -> str:
        """Name of the weight layer that comes next."""
        return self.names[self.number + 1]


@dataclass(frozen=True)
class Where:
    """Where a node stands in the graph that FINN made of a network.

    Attributes:
        words: for messages, as "after layer fc0".
        layer: name of the weight layer that the node is; empty if it is none.
        layers: names of all weight layers.
        is_first: whether it takes pixels as they come, or other codes of them.
    """

    words: str
    layer: str
    layers: tuple[str, ...]
    is_first: bool

    @property
    def is_first_layer(self) -> bool:
        """Whether the node is the first weight layer."""
        return self.layer == self.layers[0]

    @property
    def is_last_layer(self) -> bool:
        """Whether the node is the last weight layer."""
        return self.layer == self.layers[-1]


class Op:
    """An op of the hardware; a subclass is also one of FINN's nodes."""

    abstract: ClassVar[type[Any]]
    """FINN's class of the node before it is specialised; it computes the node in Python."""

    title: ClassVar[str]
    """What it does, in a few words: heading of its section in the top module."""

    order: ClassVar[int] = 0
    """Its place in a layer, along the data; costs are added in this order."""

    is_mapped: ClassVar[bool] = True
    """Whether FINN may make it of a network; False for what only the build inserts."""

    is_boundary: ClassVar[bool] = False
    """Whether the stream that it writes is a layer boundary, a map or the label."""

    begins_layer: ClassVar[bool] = False
    """Whether it is the matrix, by which layers are named and numbered."""

    leads: ClassVar[bool] = False
    """Whether it belongs to the layer whose matrix follows; else to the layer before it."""

    changes_map: ClassVar[bool] = False
    """Whether it makes another map of a layer's output before that is kept in a buffer."""

    gives_pixels: ClassVar[bool] = False
    """Whether it gives pixels as the input does, so that what follows still comes first."""

    takes_beats: ClassVar[bool] = False
    """Whether it takes the beats of the input stream as they come, whatever it gives."""

    gives_label: ClassVar[bool] = False
    """Whether it is the end of a network: it gives the label."""

    memory: ClassVar[str | None] = None
    """Kind of the memory that it has, "weights" or "buffer"."""

    # FINN's node, as far as it is used here.
    onnx_node: Any
    get_nodeattr: Any
    set_nodeattr: Any
    get_exp_cycles: Any
    get_output_datatype: Any
    get_normal_output_shape: Any
    get_outstream_width_padded: Any
    get_rtl_file_list: Any

    # --- the graph before it is specialised

    @classmethod
    def infer(cls, model: ModelWrapper) -> ModelWrapper:
        """Make FINN's nodes of this op out of a streamlined network, before FINN looks at it."""
        return model

    @classmethod
    def check(cls, model: ModelWrapper, node: Any, where: Where) -> None:
        """Raise BuildError if the hardware cannot have this node at this place."""

    @classmethod
    def insert(cls, model: ModelWrapper) -> ModelWrapper:
        """Put nodes of this op between the layers of a network that was checked."""
        return model

    @classmethod
    def connect(cls, model: ModelWrapper) -> ModelWrapper:
        """Put nodes of this op into a folded graph, where widths do not fit."""
        return model

    @classmethod
    def must_be_rtl(cls, op: Any) -> bool:
        """Return whether a node is ours whatever FINN would choose for it."""
        return False

    @classmethod
    def set_batch(cls, op: Any, images: int) -> None:
        """Let a node compute ``images`` images at once."""
        if "numInputVectors" in op.get_nodeattr_types():
            op.set_nodeattr("numInputVectors", [images, *op.get_nodeattr("numInputVectors")[1:]])

    # --- the folding

    def extend(self, shape: LayerShape) -> LayerShape:
        """Return the shape of the layer that this op belongs to, with what it adds."""
        return shape

    @staticmethod
    def options(layer: LayerShape, folding: Folding) -> list[Folding]:
        """Return the foldings that this op can have where the matrix is folded as given."""
        return [folding]

    @staticmethod
    def objection(layer: LayerShape, pe: int) -> str | None:
        """Return why this op cannot follow a matrix of so many PE; None if it can."""
        return None

    @staticmethod
    def cycles(layer: LayerShape, folding: Folding, before: int | None) -> int:
        """Return the cycles that a frame takes in this op of a layer.

        Args:
            layer: the layer.
            folding: its folding.
            before: bits of a word that comes in; as many as a pixel has if None.
        """
        return 0

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return what this op of a layer is estimated to take; nothing if the layer has none."""
        return NOTHING

    def fold(self, folding: Folding, depth: int | None) -> None:
        """Take over the folding of the layer that this op belongs to.

        Args:
            folding: of the layer.
            depth: words of the layer's buffer, None if nobody has looked for them.
        """
        self.set_nodeattr("PE", folding.pe)

    # --- its windows

    def map_sides(self) -> tuple[int, int]:
        """Return the rows and columns of the map over which its windows go."""
        raise NotImplementedError

    def covered(self) -> tuple[int, int] | None:
        """Return how many of them its windows cover; None if it has no windows."""
        return None

    def narrow(self, part: tuple[int, int]) -> None:
        """Take a map of so many rows and columns only: those that its windows cover."""
        raise NotImplementedError

    # --- the plan

    def name(self, walk: Walk) -> str:
        """Return the name of the instance, and of the stream that it writes."""
        raise NotImplementedError

    def pass_cycles(self) -> int:
        """Return the cycles of a frame that the folding does not count: a word passes a cycle."""
        return int(self.get_exp_cycles())

    def layer(self, walk: Walk, name: str) -> Layer | None:
        """Return its entry in accel.json, without the indices of memories; None if it has none."""
        return None

    def describe(self, layer: Layer) -> str:
        """Return what it does, for the comments of the top module; ``layer`` is its entry."""
        return self.title

    def block(self) -> Block:
        """Return the size of its memory."""
        raise NotImplementedError

    def arrays(self, model: ModelWrapper, number: int) -> dict[str, npt.NDArray[Any]]:
        """Return what arrays.npz holds of it; ``number`` is that of its weight layer."""
        return {}

    def tap(self, place: Place) -> Tap:
        """Return the layer boundary that it writes."""
        return Tap(
            name=place.name.replace("_", "."),
            edge=self.onnx_node.output[0],
            signal=place.sink,
            elements=int(np.prod(self.get_normal_output_shape())),
            element_bits=self.get_output_datatype().bitwidth(),
            per_word=self.get_nodeattr("PE"),
        )

    # --- the top module

    def constants(self, model: ModelWrapper, place: Place) -> str:
        """Return what the package of thresholds holds of it."""
        return ""

    def declarations(self, place: Place, memory: MemoryInfo | None) -> str:
        """Return what stands before the instance: wires, and the memory that it reads.

        Args:
            place: where the node sits.
            memory: its memory, None if it has none.
        """
        return ""

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the SystemVerilog that places this node."""
        raise NotImplementedError


class Module(Op):
    """An op that is one instance of a module in `hw/rtl`: FINN generates no file for it.

    It stands before FINN's class among the bases.
    """

    rtl_module: str | None

    @property
    def is_ours(self) -> bool:
        """Whether this node is Spinflow's module; else FINN generates one."""
        return True

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a node is specialised."""
        self.abstract.execute_node(self, context, graph)

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Note the module's name and where FINN looks for generated code."""
        if not self.is_ours:
            super().generate_hdl(model, fpgapart, clk)  # type: ignore[misc]  # FINN's class is next
            return
        folder = self.get_nodeattr("code_gen_dir_ipgen")
        self.set_nodeattr("gen_top_module", self.rtl_module)
        self.set_nodeattr("ipgen_path", folder)
        self.set_nodeattr("ip_path", folder)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Return the module's file."""
        if not self.is_ours:
            files: list[str] = super().get_rtl_file_list(abspath)
            return files
        source = Path(f"{self.rtl_module}.sv")
        return [str(RTL / source if abspath else source)]

    def code_generation_ipi(self) -> list[str]:
        """Refuse: spinflow.hls.top makes the top module, not Vivado's IP integrator."""
        raise FINNUserError(f"{self.onnx_node.name} is stitched by spinflow.hls.top, not by Vivado")
