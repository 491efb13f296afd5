"""A bundle: the folder that holds all that a board or a simulator needs to run one network.

``accel.json`` describes it (docs/contracts.md, section "The bundle"). Loading checks everything
that the driver later relies on, so that a wrong bundle fails here, by name, and not on the board:
host.core.description reads the description, host.core.arrays the weights, host.core.handover what
pynq will read.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinflow.host.core import arrays, description, handover
from spinflow.host.core.addresses import segments_of
from spinflow.host.core.description import (
    MAP_VERSION,
    Description,
    Layer,
    MemoryInfo,
    buffered,
    elements_of,
    products_of,
)
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.packing import Words
from spinflow.host.core.plain import check_sum

__all__ = ["MAP_VERSION", "SELECTIONS", "Bundle", "MemoryInfo", "Registers", "Words", "load"]


SELECTIONS = ("weights", "buffers", "all")
"""Names that choose several memories at once; others are patterns and names of memories, layers."""

_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Registers:
    """What ID reads, byte offsets of the registers, and the bit fields in them."""

    identity: int
    globals: dict[str, int]
    fields: dict[str, dict[str, tuple[int, int]]]
    memory_base: int
    memory_stride: int
    memory: dict[str, int]

    def of_memory(self, index: int, name: str) -> int:
        """Return the offset of a register of memory ``index``."""
        return self.memory_base + self.memory_stride * index + self.memory[name]

    def field(self, register: str, field: str, value: int) -> int:
        """Return ``value`` moved into its place in a register."""
        lsb, width = self.fields[register][field]
        found: int = (value & (2**width - 1)) << lsb
        return found

    def extract(self, register: str, field: str, word: int) -> int:
        """Return a field of a register's word."""
        lsb, width = self.fields[register][field]
        found: int = (word >> lsb) & (2**width - 1)
        return found


@dataclass(frozen=True)
class Bundle:
    """What ``accel.json`` says, checked; get one from :func:`load`.

    Attributes:
        folder: where the bundle lies.
        weights: words of each weight memory by name, uint32, shape (depth, segments).
        overlay: file that pynq loads: ``accel.bit`` for a board, else the simulator's library;
            None where neither was asked for.
        input_shape: of one image, (pixels,) or (rows, columns, channels).
        length_bits: width of the DMA's length register.
        classes: labels are below this.
        dataset: name of the data set whose images it takes.
        board: the board that it is made for, by its image's name; empty where none is needed.
        part: that board's device.
        test_sha256: SHA-256 of its own test set; empty where it has none.
    """

    folder: Path
    network: str
    build_id: int
    clock_mhz: float
    cycles_per_frame: int
    input_shape: tuple[int, ...]
    classes: int
    length_bits: int
    software_accuracy: float
    layers: tuple[Layer, ...]
    registers: Registers
    memories: tuple[MemoryInfo, ...]
    weights: dict[str, Words]
    overlay: Path | None
    dataset: str
    board: str = ""
    part: str = ""
    test_sha256: str = ""

    @property
    def pixels(self) -> int:
        """Bytes of one image."""
        return int(np.prod(self.input_shape))

    @property
    def bytes_per_frame(self) -> int:
        """Bytes of one image in the stream: padded to whole words of 32 bits."""
        return 4 * segments_of(8 * self.pixels)

    def memory(self, name: str) -> MemoryInfo:
        """Return the memory of that name.

        Raises:
            InputError: it does not exist; the message lists those that exist.
        """
        for memory in self.memories:
            if memory.name == name:
                return memory
        names = ", ".join(memory.name for memory in self.memories)
        raise InputError(f"{self.network} has no memory {name!r}; it has {names}")

    def select(self, selection: str) -> tuple[MemoryInfo, ...]:
        """Return the memories that a selection means, in the order of their numbers.

        Args:
            selection: one of SELECTIONS, a memory's name, a pattern of such names with ``*``,
                ``?`` or ``[...]`` as ``conv*.weights``, or a layer's name: a weight layer's means
                its weights and the buffer behind it, a max-pool's that buffer alone.

        Raises:
            InputError: it does not exist; the message lists those that exist.
        """
        if selection == "all":
            return self.memories
        if selection in SELECTIONS:
            wanted = selection == "weights"
            chosen = tuple(memory for memory in self.memories if memory.is_weights == wanted)
            if not chosen:
                raise InputError(f"{self.network} has no {selection}")
            return chosen
        if selection in self.layer_names:
            number = self.layer_names.index(selection)
            chosen = tuple(memory for memory in self.memories if memory.layer == number)
            if not chosen:
                raise InputError(f"layer {selection} of {self.network} has no MRAM memory")
            return chosen
        for layer in buffered(self.layers):
            if layer.name == selection and layer.buffer is not None:
                return (self.memories[layer.buffer],)
        if _WILDCARDS & set(selection):
            chosen = tuple(m for m in self.memories if fnmatch.fnmatchcase(m.name, selection))
            if chosen:
                return chosen
        return (self.memory(selection),)

    def elements(self, buffer: MemoryInfo) -> int:
        """Return how many bits a frame writes into a buffer."""
        (layer,) = (layer for layer in buffered(self.layers) if layer.buffer == buffer.index)
        return elements_of(layer)

    def layer(self, layer: str | int) -> str:
        """Return the name of a weight layer, given by name or by number.

        Raises:
            InputError: it does not exist; the message lists those that exist.
        """
        names = self.layer_names
        if isinstance(layer, int) and 0 <= layer < len(names):
            return names[layer]
        if layer in names:
            return str(layer)
        raise InputError(f"{self.network} has no layer {layer!r}; it has {', '.join(names)}")

    @property
    def layer_names(self) -> list[str]:
        """Names of the weight layers, by their numbers."""
        return [layer.name for layer in products_of(self.layers)]


def load(folder: Path, runnable: bool = True) -> Bundle:
    """Load a bundle and check it against its own sums and against what this driver knows.

    Args:
        folder: where it lies.
        runnable: also look for what runs it, ``accel.bit`` or the simulator's library, and hold
            the handover file, which pynq reads, against the description. Without, no code of the
            bundle is run by whoever uses it.

    Raises:
        BundleError: a file is missing, damaged or of another version; one line says which.
    """
    described = description.read(folder)
    described.check_files()
    if runnable:
        path = folder / "accel.hwh"
        handover.check(handover.read(path, described.content("accel.hwh")), described, path)
    contents = arrays.read_arrays(described)
    memories = described.memories
    return Bundle(
        folder=folder,
        network=described.network,
        build_id=described.build_id,
        clock_mhz=described.clock_mhz,
        cycles_per_frame=described.cycles_per_frame,
        input_shape=described.shape,
        classes=described.classes,
        length_bits=described.length_bits,
        software_accuracy=described.accuracy,
        layers=described.layers,
        registers=_registers(described.registers),
        memories=memories,
        weights={m.name: contents[f"weights.{m.layer}"] for m in memories if m.is_weights},
        overlay=_overlay(described) if runnable else None,
        board=described.board,
        part=described.part,
        dataset=described.dataset,
        test_sha256=described.files.get(description.TEST_SET, ""),
    )


def _registers(layout: description.RegisterMap) -> Registers:
    return Registers(
        identity=layout.identity,
        globals={name: register.offset for name, register in layout.globals.items()},
        fields={
            name: {of: (place.lsb, place.width) for of, place in register.fields.items()}
            for name, register in {**layout.globals, **layout.memory}.items()
        },
        memory_base=layout.base,
        memory_stride=layout.stride,
        memory={name: register.offset for name, register in layout.memory.items()},
    )


def check_words(memory: MemoryInfo, words: Any) -> None:
    """Check that an array can be written into a weight memory.

    Raises:
        InputError: it is not uint32 of shape (depth, segments), or sets bits beyond the width.
    """
    wanted = (memory.depth, memory.segments)
    if not isinstance(words, np.ndarray) or words.dtype != np.uint32 or words.shape != wanted:
        found = (
            f"{words.dtype} {words.shape}" if isinstance(words, np.ndarray) else repr(type(words))
        )
        raise InputError(
            f"weights for {memory.name}: must be uint32 of shape {wanted}, not {found}"
        )
    if np.any(words & ~memory.segment_masks):
        raise InputError(
            f"weights for {memory.name}: bits beyond the {memory.width} of a word are set"
        )


def _overlay(described: Description) -> Path:
    """Return what runs a bundle, after it was compared with its checksum."""
    bitstream = described.folder / description.BITSTREAM
    if described.bitstream is not None:
        check_sum(bitstream, described.bitstream.sha256, description.BINARY_LIMIT)
        return bitstream
    if bitstream.exists():
        raise BundleError(
            f"{described.folder}: accel.json has no entry bitstream, but there is an accel.bit: "
            "make bitstream makes a folder board/ that has both"
        )
    library = described.library("simulator")
    if library is None:
        raise BundleError(
            f"{described.folder} describes neither a bitstream nor a simulator: build one of them"
        )
    return library
