"""The memories and the layer boundaries (taps) of an accelerator, as ``accel.json`` lists them.

:func:`memories_of` is the one place that numbers memories, names them and gives weight memories
their windows. Whoever builds, describes or computes an accelerator asks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spinflow.host.core.addresses import WINDOWS_START, segments_of, stride_of, window_after
from spinflow.host.core.description.codes import Code
from spinflow.host.core.description.layers import (
    ByteTable,
    LabelSelect,
    Layer,
    MaxPool,
    Product,
    Threshold,
    elements_of,
)

if TYPE_CHECKING:
    from spinflow.host.core.packing import Words

WEIGHTS = "weights"
BUFFER = "buffer"
LABEL_BITS = 16
BYTE_BITS = 8


@dataclass(frozen=True)
class MemoryInfo:
    """An on-chip memory that is MRAM.

    Attributes:
        index: its number in the registers.
        name: its layer's with ``.weights`` or ``.buffer`` behind it, as ``pool1.buffer``.
        kind: ``weights`` or ``buffer``.
        layer: number of the weight layer that it belongs to, from 0.
        width, depth: bits in a word, check bits included, and words.
        edge: the tensor that it holds.
        segments: of weights, 32-bit words that carry one word over AXI-Lite.
        base: of weights, byte offset of its window in the accelerator's slave.
        stride: of weights, bytes from one word to the next in the window.
        ports, run_ahead, engine: of a buffer, how draws are made; no value depends on it.
        code: how words are coded, None where they are stored as they are.
    """

    index: int
    name: str
    kind: str
    layer: int
    width: int
    depth: int
    edge: str = ""
    segments: int = 0
    base: int = 0
    stride: int = 0
    ports: int = 0
    run_ahead: int = 0
    engine: int = 0
    code: Code | None = None

    @property
    def is_weights(self) -> bool:
        """Whether it holds weights, which the host writes and reads."""
        return self.kind == WEIGHTS

    @property
    def data_width(self) -> int:
        """Bits of a word without check bits."""
        return self.width if self.code is None else self.code.data

    @property
    def bits(self) -> int:
        """Bits that it holds."""
        return self.width * self.depth

    @property
    def segment_masks(self) -> Words:
        """Bits in use of each segment of a word, uint32, shape (segments,); none of a buffer."""
        from spinflow.host.core.packing import segment_masks  # numpy, which a reader can do without

        return segment_masks(self.width)[: self.segments]

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        names = ["index", "name", "kind", "layer", "width", "depth", "edge"]
        names += ["segments", "base", "stride"] if self.is_weights else list(DRAWS)
        found = {name: getattr(self, name) for name in names}
        return found if self.code is None else found | {"code": self.code.as_json()}


DRAWS = ("ports", "run_ahead", "engine")
"""The attributes of a buffer that say how its draws are made."""


@dataclass(frozen=True)
class Block:
    """The size of a memory, and what else is said of it; attributes as of a MemoryInfo."""

    width: int
    depth: int
    edge: str = ""
    ports: int = 0
    run_ahead: int = 0
    engine: int = 0
    code: Code | None = None

    def coded(self, code: Code | None) -> Block:
        """Return it with coded words; None leaves it as it is."""
        return self if code is None else replace(self, width=code.width, code=code)


@dataclass(frozen=True)
class Stored:
    """What a layer keeps in MRAM: its weights, its output, both or nothing.

    Attributes:
        layer: its name.
        weights: of a weight layer. A layer without, as a max-pool, belongs to the one before it.
        buffer: behind it.
        number: of the weight layer that it is or belongs to. It is needed only where some weight
            layers keep their weights elsewhere; else weight layers are counted.
    """

    layer: str
    weights: Block | None = None
    buffer: Block | None = None
    number: int | None = None


def memories_of(stored: Iterable[Stored], control_bytes: int = 0) -> tuple[MemoryInfo, ...]:
    """Return the memories of an accelerator by their index: all weights first, then the buffers.

    Args:
        stored: what each layer keeps, in the order of the layers.
        control_bytes: size of the control block, behind which the weight windows begin.
    """
    weights: list[MemoryInfo] = []
    buffers: list[tuple[str, int, Block]] = []
    end = max(WINDOWS_START, control_bytes)
    for entry in stored:
        count = len(weights) if entry.weights is not None else max(len(weights) - 1, 0)
        number = count if entry.number is None else entry.number
        if entry.weights is not None:
            block = entry.weights
            base, end = window_after(end, block.width, block.depth)
            weights.append(
                MemoryInfo(
                    index=len(weights),
                    name=f"{entry.layer}.{WEIGHTS}",
                    kind=WEIGHTS,
                    layer=number,
                    width=block.width,
                    depth=block.depth,
                    edge=block.edge,
                    segments=segments_of(block.width),
                    base=base,
                    stride=stride_of(block.width),
                    code=block.code,
                )
            )
        if entry.buffer is not None:
            buffers.append((entry.layer, number, entry.buffer))
    return (
        *weights,
        *(
            MemoryInfo(
                index=index,
                name=f"{layer}.{BUFFER}",
                kind=BUFFER,
                layer=number,
                width=block.width,
                depth=block.depth,
                edge=block.edge,
                ports=block.ports,
                run_ahead=block.run_ahead,
                engine=block.engine,
                code=block.code,
            )
            for index, (layer, number, block) in enumerate(buffers, len(weights))
        ),
    )


def coded(stored: Iterable[Stored], codes: Mapping[str, Code]) -> tuple[Stored, ...]:
    """Return what layers keep where memories of these names are coded."""
    return tuple(
        replace(
            entry,
            weights=entry.weights and entry.weights.coded(codes.get(f"{entry.layer}.{WEIGHTS}")),
            buffer=entry.buffer and entry.buffer.coded(codes.get(f"{entry.layer}.{BUFFER}")),
        )
        for entry in stored
    )


def recoded(memories: Iterable[MemoryInfo], codes: Mapping[str, Code]) -> tuple[MemoryInfo, ...]:
    """Return memories of which those of these names are coded, as software has them.

    Their windows are where they were, and may overlap.
    """
    return tuple(
        memory
        if (code := codes.get(memory.name)) is None
        else replace(
            memory,
            width=code.width,
            code=code,
            segments=memory.segments and segments_of(code.width),
            stride=memory.stride and stride_of(code.width),
        )
        for memory in memories
    )


def windows_end(memories: Iterable[MemoryInfo], control_bytes: int = 0) -> int:
    """Return the first address behind all weight windows."""
    end = max(WINDOWS_START, control_bytes)
    for memory in memories:
        if memory.is_weights:
            _, end = window_after(end, memory.width, memory.depth)
    return end


def stored_by(
    layers: Iterable[Layer],
    buffers: Mapping[str, Block] | None = None,
    edges: Mapping[str, str] | None = None,
) -> tuple[Stored, ...]:
    """Return what the layers of an accelerator keep, for :func:`memories_of`.

    Args:
        layers: in order. The folding gives the width and the depth of the weights.
        buffers: by the name of the layer that they follow.
        edges: the tensor of each weight layer's weights, by the layer's name.
    """
    buffers, edges = buffers or {}, edges or {}
    found = []
    for layer in layers:
        weights = None
        if isinstance(layer, Product):
            width = layer.pe * layer.simd
            weights = Block(width, layer.mw * layer.mh // width, edges.get(layer.name, ""))
        found.append(Stored(layer.name, weights, buffers.get(layer.name)))
    return tuple(found)


@dataclass(frozen=True)
class Tap:
    """A layer boundary that simulation can watch.

    Attributes:
        name: of the layer or of the buffer behind it.
        edge: the tensor.
        signal: wire in accel.sv.
        elements: of a frame.
        element_bits: of each.
        per_word: elements in a word of the stream.
    """

    name: str
    edge: str
    signal: str
    elements: int
    element_bits: int
    per_word: int

    @property
    def word_bytes(self) -> int:
        """Bytes that a word of the stream takes when it is recorded."""
        return -(-self.element_bits * self.per_word // 8)

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        names = ("name", "edge", "signal", "elements", "element_bits", "per_word")
        return {name: getattr(self, name) for name in names}


def taps_of(layers: Iterable[Layer], memories: Iterable[MemoryInfo]) -> tuple[Tap, ...]:
    """Return the taps of an accelerator: one behind each layer, and one behind its buffer.

    Edges are empty, and the sums of the last weight layer have 0 bits: both depend on the network
    and not on the layers' shapes alone.
    """
    widths = {memory.name: memory.data_width for memory in memories}
    found: list[Tap] = []
    pe = 1

    def add(name: str, elements: int, bits: int, per_word: int) -> None:
        found.append(Tap(name, "", name.replace(".", "_"), elements, bits, per_word))

    for layer in layers:
        if isinstance(layer, LabelSelect):
            add(layer.name, 1, LABEL_BITS, 1)
        elif isinstance(layer, ByteTable):
            add(layer.name, layer.elements, BYTE_BITS, layer.pe)
        elif isinstance(layer, Threshold):
            add(layer.name, layer.channels, 1, layer.pe)
        else:
            if isinstance(layer, Product):
                pe = layer.pe
            sums = isinstance(layer, Product) and not layer.threshold
            add(layer.name, elements_of(layer), 0 if sums else 1, pe)
            if layer.buffer is not None:
                buffer = f"{layer.name}.{BUFFER}"
                add(buffer, elements_of(layer), 1, widths[buffer])
    return tuple(found)


def buffered(layers: Iterable[Layer]) -> tuple[Product | MaxPool, ...]:
    """Return the layers that a buffer follows, in order."""
    return tuple(
        layer
        for layer in layers
        if isinstance(layer, Product | MaxPool) and layer.buffer is not None
    )
