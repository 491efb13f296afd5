"""A bundle: the folder that holds all that a board or a simulator needs to run one network.

``accel.json`` describes it (docs/contracts.md, section "The bundle"). Loading checks everything
that the driver later relies on, so that a wrong bundle fails here, by name, and not on the board.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.errors import BundleError, InputError
from host.words import Words

FORMAT = 2
MAP_VERSION = 1

SELECTIONS = ("weights", "buffers", "all")
"""Names that choose several memories at once; others are patterns and names of memories, layers."""

_WILDCARDS = frozenset("*?[")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_REQUIRED_FILES = ("arrays.npz", "accel.hwh")
_GLOBAL_REGISTERS = [
    "ID",
    "MAP_VERSION",
    "BUILD_ID",
    "NUM_MEMORIES",
    "CONTROL",
    "STATUS",
    "FRAMES_PER_TRANSFER",
    "FRAMES_DONE",
    "CYCLES_LO",
    "CYCLES_HI",
    "STALLS_LO",
    "STALLS_HI",
]
_MEMORY_REGISTERS = [
    "INFO",
    "WIDTH",
    "DEPTH",
    "MODE",
    "RATE1",
    "RATE0",
    "SEED",
    "WRITTEN_LO",
    "WRITTEN_HI",
    "SWITCHED_LO",
    "SWITCHED_HI",
    "ERR1_LO",
    "ERR1_HI",
    "ERR0_LO",
    "ERR0_HI",
]


@dataclass(frozen=True)
class Memory:
    """One on-chip memory that is MRAM.

    Attributes:
        index: its number in the registers.
        name: such as ``conv0.weights``, ``pool1.buffer`` or ``fc0.buffer``.
        kind: ``weights`` or ``buffer``.
        layer: number of the weight layer, from 0.
        width: bits in a word.
        depth: words.
        segments: 32-bit words that carry one word over AXI-Lite; 0 for a buffer.
        base: byte offset of its window in the accelerator's slave; 0 for a buffer.
        stride: bytes from one word to the next in the window; 0 for a buffer.
    """

    index: int
    name: str
    kind: str
    layer: int
    width: int
    depth: int
    segments: int = 0
    base: int = 0
    stride: int = 0

    @property
    def is_weights(self) -> bool:
        """Whether the memory holds weights, which the host writes and reads."""
        return self.kind == "weights"

    @property
    def bits(self) -> int:
        """Bits that the memory holds."""
        return self.width * self.depth

    @property
    def segment_masks(self) -> Words:
        """Bits in use of each segment of a word, uint32, shape (segments,)."""
        used = np.minimum(32, self.width - 32 * np.arange(self.segments)).astype(np.uint64)
        return ((np.uint64(1) << used) - np.uint64(1)).astype(np.uint32)


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
        return (value & (2**width - 1)) << lsb

    def extract(self, register: str, field: str, word: int) -> int:
        """Return a field of a register's word."""
        lsb, width = self.fields[register][field]
        return (word >> lsb) & (2**width - 1)


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
        board: the board that it is made for, as ``Pynq-Z2``; empty where none is needed.
        part: that board's device.
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
    layers: list[dict[str, Any]]
    registers: Registers
    memories: tuple[Memory, ...]
    weights: dict[str, Words]
    overlay: Path | None
    dataset: str
    board: str = ""
    part: str = ""

    @property
    def pixels(self) -> int:
        """Bytes of one image."""
        return int(np.prod(self.input_shape))

    def memory(self, name: str) -> Memory:
        """Return the memory of that name.

        Raises:
            InputError: there is none; the message lists those there are.
        """
        for memory in self.memories:
            if memory.name == name:
                return memory
        names = ", ".join(memory.name for memory in self.memories)
        raise InputError(f"{self.network} has no memory {name!r}; it has {names}")

    def select(self, selection: str) -> tuple[Memory, ...]:
        """Return the memories that a selection means, in the order of their numbers.

        Args:
            selection: one of SELECTIONS, a memory's name, a pattern of such names with ``*``,
                ``?`` or ``[...]`` as ``conv*.weights``, or a layer's name: a weight layer's means
                its weights and the buffer behind it, a max-pool's that buffer alone.

        Raises:
            InputError: there is none; the message lists those there are.
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
                raise InputError(f"layer {selection} of {self.network} has no memory that errs")
            return chosen
        for layer in self.layers:
            if layer["name"] == selection and layer.get("buffer") is not None:
                return (self.memories[layer["buffer"]],)
        if _WILDCARDS & set(selection):
            chosen = tuple(m for m in self.memories if fnmatch.fnmatchcase(m.name, selection))
            if chosen:
                return chosen
        return (self.memory(selection),)

    def elements(self, buffer: Memory) -> int:
        """Return how many bits a frame writes into a buffer."""
        (layer,) = (layer for layer in self.layers if layer.get("buffer") == buffer.index)
        return int(np.prod(layer["shape"]))

    def layer(self, layer: str | int) -> str:
        """Return the name of a weight layer, given by name or by number.

        Raises:
            InputError: there is none; the message lists those there are.
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
        return [layer["name"] for layer in self.layers if layer["op"] == "mvu"]


def load(folder: Path, runnable: bool = True) -> Bundle:
    """Load a bundle and check it against its own sums and against what this driver knows.

    Args:
        folder: where it lies.
        runnable: also look for what runs it, ``accel.bit`` or the simulator's library.

    Raises:
        BundleError: a file is missing, damaged or of another version; one line says which.
    """
    described = _read_description(folder)
    try:
        _check_versions(described)
        for name in _REQUIRED_FILES:
            if name not in described["files"]:
                raise BundleError(f"lists no {name} in its files")
        for name, expected in described["files"].items():
            _check_sum(folder, name, expected)
        if described["input"]["type"] != "UINT8" or described["input"]["word_bits"] != 32:
            raise BundleError("its input must be UINT8 in words of 32 bits")
        registers = _registers(described["registers"])
        memories = tuple(_memory(number, m) for number, m in enumerate(described["memories"]))
        _check_windows(
            memories,
            described["registers"]["size"],
            int(described["address_map"]["accel"]["range"]),
        )
        bundle = Bundle(
            folder=folder,
            network=described["network"],
            build_id=described["build_id"],
            clock_mhz=float(described["clock_mhz"]),
            cycles_per_frame=described["cycles_per_frame"],
            input_shape=tuple(described["input"]["shape"]),
            classes=described["output"]["classes"],
            length_bits=described["dma"]["length_bits"],
            software_accuracy=described["accuracy"]["software"],
            layers=described["layers"],
            registers=registers,
            memories=memories,
            weights=_read_weights(folder / "arrays.npz", memories),
            overlay=_overlay(folder, described) if runnable else None,
            board=described["board"],
            part=described["part"],
            dataset=described["dataset"],
        )
        _check_layers(bundle.layers, memories)
        if not _NAME.match(bundle.network):
            raise BundleError(f"network name {bundle.network!r} is not made of A-Z a-z 0-9 . _ -")
        if bundle.pixels != described["input"]["bytes_per_frame"] or bundle.pixels % 4:
            raise BundleError(
                f"input of {described['input']['bytes_per_frame']} bytes a frame: must be the "
                f"{bundle.pixels} of its shape, and a multiple of 4"
            )
        if bundle.pixels >= 2**bundle.length_bits:
            raise BundleError(
                f"a frame of {bundle.pixels} bytes does not fit the DMA's length register of "
                f"{bundle.length_bits} bits"
            )
    except BundleError as error:
        raise BundleError(f"{folder}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{folder / 'accel.json'}: incomplete or damaged: {reason}") from None
    return bundle


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / "accel.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{folder}: not a bundle: accel.json: {error.strerror}") from None
    except ValueError as error:
        raise BundleError(f"{path}: damaged: {error}") from None
    if not isinstance(described, dict):
        raise BundleError(f"{path}: damaged: must hold one JSON object")
    return described


def _check_versions(described: dict[str, Any]) -> None:
    for key, known in (("format", FORMAT), ("map_version", MAP_VERSION)):
        if described[key] != known:
            raise BundleError(f"{key} is {described[key]!r}, this driver knows {known}")
    if not isinstance(described["build_id"], int) or not 0 <= described["build_id"] < 2**32:
        raise BundleError(f"build_id {described['build_id']!r} is not a 32-bit number")


def _check_sum(folder: Path, name: str, expected: str) -> None:
    try:
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    except OSError as error:
        raise BundleError(f"{name}: {error.strerror}") from None
    if found != expected:
        raise BundleError(f"{name} is damaged: SHA-256 {found}, accel.json says {expected}")


def _registers(described: dict[str, Any]) -> Registers:
    every: dict[str, Any] = {**described["global"], **described["memory"]["registers"]}
    for name in _GLOBAL_REGISTERS + _MEMORY_REGISTERS:
        if name not in every:
            raise BundleError(f"accel.json describes no register {name}")
    return Registers(
        identity=described["id"],
        globals={name: r["offset"] for name, r in described["global"].items()},
        fields={
            name: {f: (place["lsb"], place["width"]) for f, place in r["fields"].items()}
            for name, r in every.items()
        },
        memory_base=described["memory"]["base"],
        memory_stride=described["memory"]["stride"],
        memory={name: r["offset"] for name, r in described["memory"]["registers"].items()},
    )


def _memory(number: int, entry: dict[str, Any]) -> Memory:
    name, kind = entry["name"], entry["kind"]
    if entry["index"] != number:
        raise BundleError(f"memory {name} has index {entry['index']}, its place says {number}")
    if kind not in ("weights", "buffer") or not _NAME.match(name) or name in SELECTIONS:
        raise BundleError(
            f"memory {number} ({name!r}) has kind {kind!r}: weights or buffer expected"
        )
    numbers = ["layer", "width", "depth"]
    if kind == "weights":
        numbers += ["segments", "base", "stride"]
    for key in numbers:
        if not isinstance(entry[key], int) or entry[key] < 0:
            raise BundleError(f"memory {name}: {key} {entry[key]!r} is not a whole number")
    if entry["width"] < 1 or entry["depth"] < 1:
        raise BundleError(
            f"memory {name}: {entry['depth']} words of {entry['width']} bits is empty"
        )
    if kind == "buffer":
        return Memory(number, name, kind, entry["layer"], entry["width"], entry["depth"])
    segments = -(-entry["width"] // 32)
    stride = 4 << (segments - 1).bit_length()
    if (entry["segments"], entry["stride"]) != (segments, stride) or entry["base"] % 4:
        raise BundleError(
            f"memory {name}: {entry['segments']} segments at stride {entry['stride']} from base "
            f"{entry['base']:#x}; a word of {entry['width']} bits takes {segments} at {stride}"
        )
    return Memory(
        number, name, kind, entry["layer"], entry["width"], entry["depth"],
        segments, entry["base"], stride,
    )  # fmt: skip


def _check_windows(memories: tuple[Memory, ...], control_size: int, slave_size: int) -> None:
    """Check that the weight windows lie apart, behind the control block and inside the slave."""
    end, before = control_size, "the control block"
    for memory in sorted((m for m in memories if m.is_weights), key=lambda m: m.base):
        if memory.base < end:
            raise BundleError(f"the window of {memory.name} overlaps {before}")
        end, before = memory.base + memory.depth * memory.stride, memory.name
    if end > slave_size:
        raise BundleError(f"the window of {before} ends at {end:#x}, its slave at {slave_size:#x}")


def _check_layers(layers: list[dict[str, Any]], memories: tuple[Memory, ...]) -> None:
    """Check that layers and memories mean each other, and that a map fills whole buffer words."""
    of_layer: dict[int, str] = {}
    number = -1  # of the weight layer
    for layer in layers:
        number += layer["op"] == "mvu"
        weights = layer["weights"] if layer["op"] == "mvu" else None
        for kind, index in (("weights", weights), ("buffer", layer.get("buffer"))):
            if index is None:
                continue
            if not 0 <= index < len(memories) or memories[index].kind != kind:
                raise BundleError(f"layer {layer['name']}: memory {index} is not its {kind}")
            memory = memories[index]
            if memory.layer != number:
                raise BundleError(
                    f"memory {memory.name} is of layer {memory.layer}, but {layer['name']}, whose "
                    f"{kind} it is, of {number}"
                )
            bits = layer["mw"] * layer["mh"] if kind == "weights" else int(np.prod(layer["shape"]))
            if bits % memory.width or (kind == "weights" and bits != memory.bits):
                raise BundleError(
                    f"layer {layer['name']}: its {bits} bits do not fit {memory.name} of "
                    f"{memory.depth} words of {memory.width}"
                )
            of_layer[index] = layer["name"]
    for memory in memories:
        if memory.index not in of_layer:
            raise BundleError(f"memory {memory.name} belongs to no layer")


def _read_weights(path: Path, memories: tuple[Memory, ...]) -> dict[str, Words]:
    weights = {}
    with np.load(path) as arrays:
        for memory in memories:
            if memory.is_weights:
                words = arrays[f"weights.{memory.layer}"]
                check_words(memory, words)
                weights[memory.name] = words
    return weights


def check_words(memory: Memory, words: Any) -> None:
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


def _overlay(folder: Path, described: dict[str, Any]) -> Path:
    bitstream = folder / "accel.bit"
    if bitstream.is_file():
        if "bitstream" in described:
            _check_sum(folder, bitstream.name, described["bitstream"]["sha256"])
        return bitstream
    simulator = described.get("simulator")
    if simulator is None:
        raise BundleError("holds neither accel.bit nor a simulator library; build one of them")
    _check_sum(folder, simulator["library"], simulator["sha256"])
    return folder / simulator["library"]
