"""Reads ``accel.json``, the description of a bundle (docs/contracts.md), and the files beside it.

This is the one reader, for the driver, the simulators and the board's scripts alike. A bundle may
come from anywhere, so nothing of it is believed before it is checked: every key, type and range,
that all of it fits together, and that a file is a plain one in the bundle's own folder. What has
passed can be relied on. It needs Python 3.10 and nothing else.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinflow.host.core.checked import At, WrongError, parse
from spinflow.host.core.errors import BundleError
from spinflow.host.core.plain import MIB, check_digest, check_sum, read_plain
from spinflow.host.core.text import shown

NAME = "accel.json"
FORMAT = 2
MAP_VERSION = 1

DESCRIPTION_LIMIT = MIB
"""Most bytes of accel.json; that of a network of 17 memories has 25 KB."""

FILES = {"arrays.npz": 64 * MIB, "golden.npz": 256 * MIB, "accel.hwh": 16 * MIB}
"""The files that may be listed, and how many bytes each has at most."""

REQUIRED = ("arrays.npz", "accel.hwh")
LIBRARIES = {"simulator": "libaccel.so", "simulator_checked": "libaccel_checked.so"}
"""What runs a bundle off the board, by the section that describes it."""

BITSTREAM = "accel.bit"
BINARY_LIMIT = 256 * MIB

# More than any design for the boards that are known, and little enough that no reader chokes.
MOST_LAYERS = 128
MOST_MEMORIES = 64  # seeds are numbered by it (docs/contracts.md, The random stream)
MOST_WIDTH = 1 << 16
MOST_BITS = 1 << 27  # of all memories together: twice the block RAM of the largest 7-series device
MOST_SIDE = 1 << 14  # of a map
MOST_ELEMENTS = 1 << 22  # of a map
MOST_INPUTS = 1 << 25  # of all windows of a layer
MOST_CYCLES = 1 << 40

WINDOWS_START = 0x10000
"""The weight windows begin here, or after the control block if that is larger."""

# Where the processor of every Zynq-7000 reaches the fabric.
_FABRIC = (0x4000_0000, 0xC000_0000)
_PAGE = 4096

GLOBAL_REGISTERS = {
    **dict.fromkeys(("ID", "MAP_VERSION", "BUILD_ID", "NUM_MEMORIES"), ("value",)),
    "CONTROL": ("soft_reset", "clear", "snapshot"),
    "STATUS": ("idle", "busy", "refused"),
    **dict.fromkeys(("FRAMES_PER_TRANSFER", "FRAMES_DONE"), ("value",)),
    **dict.fromkeys(("CYCLES_LO", "CYCLES_HI", "STALLS_LO", "STALLS_HI"), ("value",)),
}
"""Registers and the fields of them that the driver uses; a map may have more."""

MEMORY_REGISTERS = {
    "INFO": ("kind", "layer"),
    **dict.fromkeys(("WIDTH", "DEPTH", "MODE", "RATE1", "RATE0", "SEED"), ("value",)),
    **dict.fromkeys(("WRITTEN_LO", "WRITTEN_HI", "SWITCHED_LO", "SWITCHED_HI"), ("value",)),
    **dict.fromkeys(("ERR1_LO", "ERR1_HI", "ERR0_LO", "ERR0_HI"), ("value",)),
}
"""The same for the registers that every memory has."""

_RESOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_REGISTER = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_TENSOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,255}\Z")
_FOLDING = re.compile(r"[0-9]{1,6}x[0-9]{1,6}( window [0-9]{1,6})?( at once)?\Z")


@dataclass(frozen=True)
class Field:
    """A bit field of a register."""

    lsb: int
    width: int


@dataclass(frozen=True)
class Register:
    """A register: its byte offset in its block, and its fields by name."""

    offset: int
    fields: dict[str, Field]


@dataclass(frozen=True)
class RegisterMap:
    """The control block.

    Attributes:
        identity: what ID reads.
        size: bytes of the block.
        globals: registers by name.
        base: byte offset of the registers of memory 0.
        stride: bytes from those of one memory to those of the next.
        count: memories that there is room for.
        memory: registers of each memory, by name.
    """

    identity: int
    size: int
    globals: dict[str, Register]
    base: int
    stride: int
    count: int
    memory: dict[str, Register]


@dataclass(frozen=True)
class Range:
    """A slave's place in the processor's address map, in bytes."""

    base: int
    size: int

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + self.size


@dataclass(frozen=True)
class Threshold:
    """The layer that makes bits of pixels, in front of a perceptron."""

    name: str
    channels: int
    pe: int


@dataclass(frozen=True)
class Window:
    """How a convolution moves over its input: sizes in (row, column), padding on four sides."""

    input: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]


@dataclass(frozen=True)
class Product:
    """A weight layer.

    Attributes:
        name: such as conv0 or fc2.
        mw, mh: inputs of a window and outputs.
        pe, simd: outputs and inputs that are computed at once.
        pixels: whether it takes pixels; else bits.
        threshold: whether it gives bits; else sums.
        window: of a convolution.
        shape: of its output, (rows, columns, channels).
        weights: index of its memory.
        buffer: index of the memory behind it.
    """

    name: str
    mw: int
    mh: int
    pe: int
    simd: int
    pixels: bool
    threshold: bool
    window: Window | None
    shape: tuple[int, int, int]
    weights: int
    buffer: int | None


@dataclass(frozen=True)
class MaxPool:
    """The OR of squares of bits; attributes as of a Product."""

    name: str
    size: int
    shape: tuple[int, int, int]
    buffer: int | None


@dataclass(frozen=True)
class LabelSelect:
    """The last layer: the number of the largest sum."""

    name: str
    classes: int


Layer = Threshold | Product | MaxPool | LabelSelect


@dataclass(frozen=True)
class Memory:
    """An on-chip memory.

    Attributes:
        index: its number in the registers.
        name: its layer's with ``.weights`` or ``.buffer`` behind it.
        kind: ``weights`` or ``buffer``.
        layer: number of the weight layer that it belongs to.
        width, depth: bits in a word, and words.
        edge: the tensor that it holds.
        segments, base, stride: of weights, how they lie in the accelerator's slave (bytes).
        lanes, interval, run_ahead: of a buffer, how draws are made; no value depends on it.
    """

    index: int
    name: str
    kind: str
    layer: int
    width: int
    depth: int
    edge: str
    segments: int = 0
    base: int = 0
    stride: int = 0
    lanes: int = 0
    interval: int = 0
    run_ahead: int = 0

    @property
    def is_weights(self) -> bool:
        """Whether it holds weights."""
        return self.kind == "weights"


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


@dataclass(frozen=True)
class Description:
    """A bundle's accel.json, checked; get one from :func:`read`.

    Attributes:
        folder: of the bundle.
        network, dataset, board, part: names.
        build_id: 32 bits that change with the hardware and what it computes.
        clock_mhz: of the fabric.
        registers: the control block.
        accel, dma: places of the two slaves.
        length_bits: width of the DMA's length register.
        shape: of an image, (pixels,) or (rows, columns, channels).
        classes: labels are below this.
        accuracy: of the trained network, 0 to 1.
        cycles_per_frame: most cycles of a frame, by the folding.
        layers, memories, taps: in order.
        files: SHA-256 of the listed files by name.
        libraries: SHA-256 of the simulator's libraries by section.
        bitstream: SHA-256 of the bitstream, None where there is none.
        document: all of it as JSON has it.
    """

    folder: Path
    network: str
    dataset: str
    build_id: int
    board: str
    part: str
    clock_mhz: float
    registers: RegisterMap
    accel: Range
    dma: Range
    length_bits: int
    shape: tuple[int, ...]
    classes: int
    accuracy: float
    cycles_per_frame: int
    layers: tuple[Layer, ...]
    memories: tuple[Memory, ...]
    taps: tuple[Tap, ...]
    files: dict[str, str]
    libraries: dict[str, str]
    bitstream: str | None
    document: dict[str, Any] = field(repr=False)

    @property
    def pixels(self) -> int:
        """Bytes of an image."""
        return math.prod(self.shape)

    @property
    def products(self) -> tuple[Product, ...]:
        """The weight layers, by their numbers."""
        return tuple(layer for layer in self.layers if isinstance(layer, Product))

    def content(self, name: str) -> bytes:
        """Return a listed file's content, after it was held against its sum.

        Raises:
            BundleError: it is not listed, missing, no plain file, too large or damaged.
        """
        if name not in self.files:
            raise BundleError(f"{self.folder / NAME} lists no {name} in its files")
        content = read_plain(self.folder / name, FILES[name])
        check_digest(self.folder / name, hashlib.sha256(content).hexdigest(), self.files[name])
        return content

    def check_files(self) -> None:
        """Hold every listed file against its sum; raises BundleError as :meth:`content`."""
        for name, expected in self.files.items():
            check_sum(self.folder / name, expected, FILES[name])

    def library(self, section: str) -> Path | None:
        """Return the simulator's library of a section, held against its sum; None without one."""
        if section not in self.libraries:
            return None
        path = self.folder / LIBRARIES[section]
        check_sum(path, self.libraries[section], BINARY_LIMIT)
        return path


def read(folder: str | os.PathLike[str]) -> Description:
    """Read a bundle's description and check all of it.

    The files that it lists are not read: see :meth:`Description.content`.

    Raises:
        BundleError: there is none, or something in it is missing, wrong or does not fit.
    """
    path = Path(folder) / NAME
    if not path.parent.is_dir() or not (path.exists() or path.is_symlink()):
        raise BundleError(f"{folder} is not a bundle: it has no {NAME}; make bundle builds one")
    raw = read_plain(path, DESCRIPTION_LIMIT)
    try:
        return _description(path.parent, parse(raw))
    except WrongError as wrong:
        raise BundleError(f"{path}: {wrong}") from None


_KEYS = (
    *("format", "network", "dataset", "build_id", "map_version", "board", "part", "clock_mhz"),
    *("registers", "address_map", "dma", "input", "output", "accuracy", "cycles_per_frame"),
    *("folding", "depths", "layers", "memories", "taps", "files"),
)


def _description(folder: Path, document: Any) -> Description:
    root = At(document, "")
    if not isinstance(document, dict):
        raise WrongError(f"damaged: it holds {shown(document)}, not one JSON object")
    # Of another format all else is another, too.
    for key, known in (("format", FORMAT), ("map_version", MAP_VERSION)):
        if key in document and (type(document[key]) is not int or document[key] != known):
            raise WrongError(f"{key} is {shown(document[key])}, this program reads {key} {known}")
    at = root.object(_KEYS, (*LIBRARIES, "bitstream"))
    registers = _registers(at["registers"])
    accel, dma = _address_map(at["address_map"])
    bus = at["dma"].object(("data_bits", "length_bits"))
    bus["data_bits"].whole(32, 32)
    length_bits = bus["length_bits"].whole(8, 26)
    shape = _input(at["input"], length_bits)
    output = at["output"].object(("type", "classes", "word_bits"))
    output["type"].exactly("label")
    output["word_bits"].whole(32, 32)
    classes = output["classes"].whole(1, 256)
    accuracy = at["accuracy"].object(("software", "images"))
    accuracy["images"].whole(1, 1 << 32)
    layers = _layers(at["layers"], shape, classes)
    memories = _memories(at["memories"], layers, registers, accel)
    cycles = at["cycles_per_frame"].whole(_least_cycles(layers), MOST_CYCLES)
    _folding(at["folding"], layers, memories)
    _depths(at["depths"], layers)
    return Description(
        folder=folder,
        network=at["network"].name(),
        dataset=at["dataset"].name(),
        build_id=at["build_id"].whole(0, 2**32 - 1),
        board=at["board"].name(),
        part=at["part"].name(),
        clock_mhz=at["clock_mhz"].number(1, 1000),
        registers=registers,
        accel=accel,
        dma=dma,
        length_bits=length_bits,
        shape=shape,
        classes=classes,
        accuracy=accuracy["software"].number(0, 1),
        cycles_per_frame=cycles,
        layers=layers,
        memories=memories,
        taps=_taps(at["taps"], layers, memories),
        files=_files(at["files"]),
        libraries={name: _library(at[name], name) for name in LIBRARIES if name in at},
        bitstream=_bitstream(at["bitstream"]) if "bitstream" in at else None,
        document=document,
    )


# Registers and addresses


def _registers(at: At) -> RegisterMap:
    of = at.object(("id", "version", "size", "global", "memory"))
    of["version"].whole(MAP_VERSION, MAP_VERSION)
    size = of["size"].whole(_PAGE, WINDOWS_START)
    if size % _PAGE:
        of["size"].fail(f"a multiple of {_PAGE}")
    layout = of["memory"].object(("base", "stride", "count", "registers"))
    base = layout["base"].whole(0, size)
    stride = layout["stride"].whole(4, size)
    count = layout["count"].whole(1, MOST_MEMORIES)
    if base % 4 or stride % 4 or base + stride * count > size:
        raise WrongError(
            f"registers.memory: {count} times {stride} bytes from {base} on do not fit the "
            f"{size} bytes of the control block as whole words"
        )
    return RegisterMap(
        identity=of["id"].whole(0, 2**32 - 1),
        size=size,
        globals=_block(of["global"], GLOBAL_REGISTERS, base),
        base=base,
        stride=stride,
        count=count,
        memory=_block(layout["registers"], MEMORY_REGISTERS, stride),
    )


def _block(at: At, known: dict[str, tuple[str, ...]], end: int) -> dict[str, Register]:
    """Read registers that lie apart and before ``end``."""
    members = at.members()
    for name in known:
        if name not in members:
            raise WrongError(f"{at.place} describes no register {name}")
    found: dict[str, Register] = {}
    taken: dict[int, str] = {}
    for name, entry in members.items():
        if not _REGISTER.match(name):
            raise WrongError(f"{at.place}: {shown(name)} is no name of a register, as RATE1")
        of = entry.object(("offset", "fields"))
        offset = of["offset"].whole(0, end - 4)
        if offset % 4:
            of["offset"].fail("a multiple of 4")
        if offset in taken:
            raise WrongError(f"{at.place}: {name} lies where {taken[offset]} does, at {offset}")
        taken[offset] = name
        found[name] = Register(offset, _fields(of["fields"], known.get(name, ())))
    return found


def _fields(at: At, known: tuple[str, ...]) -> dict[str, Field]:
    members = at.members()
    for name in known:
        if name not in members:
            raise WrongError(f"{at.place} describes no field {name}")
    found, taken = {}, 0
    for name, entry in members.items():
        if not _FIELD.match(name):
            raise WrongError(f"{at.place}: {shown(name)} is no name of a field, as value")
        of = entry.object(("lsb", "width"))
        lsb, width = of["lsb"].whole(0, 31), of["width"].whole(1, 32)
        bits = (1 << width) - 1 << lsb
        if lsb + width > 32 or bits & taken:
            entry.fail("bits of one word of 32 that no other field has")
        taken |= bits
        found[name] = Field(lsb, width)
    return found


def _address_map(at: At) -> tuple[Range, Range]:
    of = at.object(("accel", "dma"))
    found = []
    for entry in (of["accel"], of["dma"]):
        place = entry.object(("base", "range"))
        size = place["range"].whole(_PAGE, _FABRIC[1] - _FABRIC[0])
        base = place["base"].whole(_FABRIC[0], _FABRIC[1] - size)
        if size & (size - 1) or base % size:
            entry.fail("a range that is a power of two at a base that is a multiple of it")
        found.append(Range(base, size))
    accel, dma = found
    if accel.base < dma.end and dma.base < accel.end:
        at.fail("two ranges that lie apart")
    return accel, dma


# What is computed


def _input(at: At, length_bits: int) -> tuple[int, ...]:
    of = at.object(("shape", "type", "bytes_per_frame", "word_bits"))
    of["type"].exactly("UINT8")
    of["word_bits"].whole(32, 32)
    sides = of["shape"].entries(1, 3)
    if len(sides) == 2:
        of["shape"].fail("[pixels] or [rows, columns, channels]")
    most = MOST_ELEMENTS if len(sides) == 1 else MOST_SIDE
    shape = tuple(side.whole(1, most) for side in sides)
    pixels = math.prod(shape)
    of["bytes_per_frame"].whole(pixels, pixels)
    if pixels >= 2**length_bits:
        raise WrongError(
            f"a frame of {pixels} bytes does not fit the DMA's length register of "
            f"{length_bits} bits"
        )
    return shape


def _layers(at: At, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
    """Read the layers; what one gives must be what the next one takes."""
    entries = at.entries(2, MOST_LAYERS)
    layers: list[Layer] = []
    bits = False  # whether what goes from one layer to the next are bits
    for place, entry in enumerate(entries):
        last = place == len(entries) - 1
        operation = entry.members().get("op", At(None, f"{entry.place}.op")).value
        if operation == "label_select" and last:
            if not layers or not isinstance(layers[-1], Product):
                entry.fail("behind a layer of weights")
            layers.append(_label(entry, classes, shape))
        elif operation == "threshold" and not place:
            layers.append(_threshold(entry, shape))
            bits = True
        elif operation == "mvu" and not last:
            final = place == len(entries) - 2
            earlier = [layer for layer in layers if isinstance(layer, Product)]
            product = _product(entry, shape, earlier, bits=bits, final=final)
            layers.append(product)
            shape, bits = product.shape, product.threshold
        elif operation == "max_pool" and _takes_pool(layers) and not last:
            pool = _max_pool(entry, layers[-1])
            layers.append(pool)
            shape = pool.shape
        else:
            right = "label_select" if last else "mvu, max_pool after a convolution, first threshold"
            raise WrongError(f"{entry.place}.op is {shown(operation)}: it must be {right}")
    return tuple(layers)


def _takes_pool(layers: Sequence[Layer]) -> bool:
    """Whether a max-pool may come next: behind a convolution that gives bits."""
    before = layers[-1] if layers else None
    return isinstance(before, Product) and before.window is not None and before.threshold


def _threshold(at: At, shape: tuple[int, ...]) -> Threshold:
    of = at.object(("name", "op", "channels", "pe"))
    of["name"].exactly("input")
    if len(shape) != 1:
        at.fail("a layer of weights: only images of the shape [pixels] have a threshold")
    channels = of["channels"].whole(shape[0], shape[0])
    return Threshold("input", channels, _divisor(of["pe"], channels))


def _divisor(at: At, of: int) -> int:
    value = at.whole(1, of)
    if of % value:
        at.fail(f"a divisor of {of}")
    return value


def _product(
    at: At, shape: tuple[int, ...], earlier: Sequence[Product], *, bits: bool, final: bool
) -> Product:
    keys = ("name", "op", "mw", "mh", "pe", "simd", "input", "threshold", "window", "shape")
    of = at.object((*keys, "weights", "buffer"))
    of["input"].exactly("bits" if bits else "pixels")
    window = None if of["window"].value is None else _window(of["window"], shape)
    number = sum((other.window is None) == (window is None) for other in earlier)
    elements = math.prod(shape)
    rows, columns = 1, 1
    if window is not None:
        elements = math.prod(window.kernel) * window.input[2]
        top, left, bottom, right = window.padding
        rows, columns = (
            (side + before + after - kernel) // stride + 1
            for side, before, after, kernel, stride in (
                (window.input[0], top, bottom, window.kernel[0], window.stride[0]),
                (window.input[1], left, right, window.kernel[1], window.stride[1]),
            )
        )
        if min(rows, columns) < 1:
            of["window"].fail("no larger than its input")
    mw = of["mw"].whole(elements, elements)
    mh = of["mh"].whole(1, MOST_ELEMENTS)
    pixels = rows * columns
    if mw * mh > MOST_BITS or pixels * mh > MOST_ELEMENTS or pixels * mw > MOST_INPUTS:
        at.fail(f"a layer of at most {MOST_BITS} weights and {MOST_ELEMENTS} outputs a frame")
    if of["shape"].wholes(3, 1, MOST_ELEMENTS) != (rows, columns, mh):
        of["shape"].fail(f"[{rows}, {columns}, {mh}], as its input gives")
    of["name"].exactly(f"{'fc' if window is None else 'conv'}{number}")
    threshold = of["threshold"].flag()
    if threshold == final:
        of["threshold"].fail("true, but of the last layer of weights")
    return Product(
        name=str(of["name"].value),
        mw=mw,
        mh=mh,
        pe=_divisor(of["pe"], mh),
        simd=_divisor(of["simd"], mw),
        pixels=not bits,
        threshold=threshold,
        window=window,
        shape=(rows, columns, mh),
        weights=of["weights"].whole(0, MOST_MEMORIES - 1),
        buffer=_buffer(of["buffer"], final),
    )


def _buffer(at: At, final: bool = False) -> int | None:
    if at.value is None or final:
        at.exactly(None)
        return None
    return at.whole(0, MOST_MEMORIES - 1)


def _window(at: At, shape: tuple[int, ...]) -> Window:
    of = at.object(("input", "kernel", "stride", "padding"))
    found = of["input"].wholes(3, 1, MOST_SIDE)
    if found != shape:
        of["input"].fail(f"{list(shape)}, what the layer before gives")
    rows, columns, channels = found
    kernel = of["kernel"].wholes(2, 1, MOST_SIDE)
    stride = of["stride"].wholes(2, 1, MOST_SIDE)
    # Padding of a whole kernel would make outputs that see none of the map.
    top, left, bottom, right = of["padding"].wholes(4, 0, max(kernel) - 1)
    return Window(
        (rows, columns, channels),
        (kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (top, left, bottom, right),
    )


def _max_pool(at: At, before: Layer) -> MaxPool:
    of = at.object(("name", "op", "size", "shape", "buffer"))
    assert isinstance(before, Product)
    rows, columns, channels = before.shape
    size = of["size"].whole(2, max(min(rows, columns), 2))
    wanted = (rows // size, columns // size, channels)
    if of["shape"].wholes(3, 1, MOST_ELEMENTS) != wanted:
        of["shape"].fail(f"{list(wanted)}, as its input gives")
    name = before.name.replace("conv", "pool")
    of["name"].exactly(name)
    return MaxPool(name, size, wanted, _buffer(of["buffer"]))


def _label(at: At, classes: int, shape: tuple[int, ...]) -> LabelSelect:
    of = at.object(("name", "op", "classes"))
    of["name"].exactly("label")
    of["classes"].whole(classes, classes)
    if shape != (1, 1, classes):
        of["classes"].fail(f"{shape[-1]}, the outputs of the layer before")
    return LabelSelect("label", classes)


def _least_cycles(layers: Sequence[Layer]) -> int:
    """Return the cycles that the weight layer takes for a frame that takes the most."""
    return max(
        (layer.mw // layer.simd) * (layer.mh // layer.pe) * layer.shape[0] * layer.shape[1]
        for layer in layers
        if isinstance(layer, Product)
    )


# Memories and taps


def segments_of(width: int) -> int:
    """Return how many 32-bit segments hold a word of ``width`` bits."""
    return -(-width // 32)


def stride_of(width: int) -> int:
    """Return the bytes from one word of ``width`` bits to the next in its window, a power of 2."""
    return 4 << (segments_of(width) - 1).bit_length()


def window_after(end: int, width: int, depth: int) -> tuple[int, int]:
    """Return where the window of a weight memory begins and ends that follows ``end``.

    It is aligned to its size rounded up to a power of two, so that its address bits are those of
    the word and the segment.
    """
    size = 1 << (stride_of(width) * depth - 1).bit_length()
    base = -(-end // size) * size
    return base, base + size


def _memories(
    at: At, layers: Sequence[Layer], registers: RegisterMap, accel: Range
) -> tuple[Memory, ...]:
    """Read the memories: the layers say which there must be, in order, and how large they are."""
    products = [layer for layer in layers if isinstance(layer, Product)]
    number = {layer.name: place for place, layer in enumerate(products)}
    of_weights: list[tuple[str, int, int, int]] = [
        (f"{p.name}.weights", place, p.pe * p.simd, p.mw * p.mh // (p.pe * p.simd))
        for place, p in enumerate(products)
    ]
    of_buffers: list[tuple[Product | MaxPool, int]] = []
    current = -1
    for layer in layers:
        current = number.get(layer.name, current)
        if isinstance(layer, Product | MaxPool) and layer.buffer is not None:
            of_buffers.append((layer, current))
    count = len(of_weights) + len(of_buffers)
    if count > registers.count:
        raise WrongError(
            f"the layers have {count} memories, the control block holds {registers.count}"
        )
    entries = at.entries(count, count)
    for place, product in enumerate(products):
        _means(product.name, "weights", product.weights, place)
    for place, (layer, _) in enumerate(of_buffers, len(of_weights)):
        _means(layer.name, "buffer", layer.buffer, place)
    memories = []
    end = max(WINDOWS_START, registers.size)
    for place, (name, layer_number, width, depth) in enumerate(of_weights):
        base, end = window_after(end, width, depth)
        if end > accel.size:
            raise WrongError(f"the window of {name} ends at {end:#x}, its slave at {accel.size:#x}")
        wanted = {
            **{"index": place, "name": name, "kind": "weights", "layer": layer_number},
            **{"width": width, "depth": depth, "segments": segments_of(width)},
            **{"base": base, "stride": stride_of(width)},
        }
        memories.append(_memory(entries[place], wanted, ()))
    for place, (layer, layer_number) in enumerate(of_buffers, len(of_weights)):
        wanted = {
            **{"index": place, "name": f"{layer.name}.buffer", "kind": "buffer"},
            **{"layer": layer_number, "width": products[layer_number].pe},
        }
        free = ("depth", "lanes", "interval", "run_ahead")
        memories.append(_memory(entries[place], wanted, free))
    bits = sum(memory.width * memory.depth for memory in memories)
    if bits > MOST_BITS or any(memory.width > MOST_WIDTH for memory in memories):
        raise WrongError(
            f"{at.place}: {bits} bits in words of up to {max(m.width for m in memories)}: at most "
            f"{MOST_BITS} in words of {MOST_WIDTH} are handled"
        )
    return tuple(memories)


def _means(layer: str, kind: str, found: int | None, wanted: int) -> None:
    if found != wanted:
        raise WrongError(f"layer {layer}: memory {found} is not its {kind}, which is {wanted}")


_MOST_OF_BUFFER = {"depth": MOST_ELEMENTS, "lanes": MOST_WIDTH, "interval": 1 << 16}


def _memory(at: At, wanted: dict[str, Any], free: tuple[str, ...]) -> Memory:
    of = at.object((*wanted, "edge", *free))
    for key, value in wanted.items():
        of[key].exactly(value)
    rest: dict[str, Any] = {
        key: of[key].whole(1, _MOST_OF_BUFFER.get(key, MOST_ELEMENTS)) for key in free
    }
    return Memory(edge=_tensor(of["edge"]), **wanted, **rest)


def _tensor(at: At) -> str:
    return at.text(_TENSOR, "the name of a tensor, of A-Z a-z 0-9 _ . : / -")


def _taps(at: At, layers: Sequence[Layer], memories: Sequence[Memory]) -> tuple[Tap, ...]:
    """Read the taps: one behind each layer, and one behind its buffer."""
    wanted: list[tuple[str, int, int, int]] = []  # name, elements, bits of each, in a word
    pe = 1
    for layer in layers:
        if isinstance(layer, LabelSelect):
            wanted.append((layer.name, 1, 8, 1))
            continue
        if isinstance(layer, Threshold):
            wanted.append((layer.name, layer.channels, 1, layer.pe))
            continue
        bits = 1
        if isinstance(layer, Product):
            pe = layer.pe
            bits = 1 if layer.threshold else 0
        elements = math.prod(layer.shape)
        wanted.append((layer.name, elements, bits, pe))
        if layer.buffer is not None:
            width = memories[layer.buffer].width
            wanted.append((f"{layer.name}.buffer", elements, 1, width))
    taps = []
    entries = at.entries(len(wanted), len(wanted))
    for entry, (name, elements, bits, per_word) in zip(entries, wanted, strict=True):
        of = entry.object(("name", "edge", "signal", "elements", "element_bits", "per_word"))
        of["name"].exactly(name)
        of["signal"].exactly(name.replace(".", "_"))
        of["elements"].exactly(elements)
        of["per_word"].exactly(per_word)
        found = of["element_bits"].whole(bits or 1, bits or 32)
        signal = str(of["signal"].value)
        taps.append(Tap(name, _tensor(of["edge"]), signal, elements, found, per_word))
    return tuple(taps)


# What is said of how it was made


_ESTIMATE = ("LUT", "RAMB36", "DSP48")


def _folding(at: At, layers: Sequence[Layer], memories: Sequence[Memory]) -> None:
    of = at.object(("target_cycles", "estimate", "layers"))
    of["target_cycles"].whole(1, MOST_CYCLES)
    _estimate(of["estimate"])
    products = [layer for layer in layers if isinstance(layer, Product)]
    entries = of["layers"].object([layer.name for layer in products])
    numbers = ("lanes", "interval", "run_ahead", "window_simd")
    for place, layer in enumerate(products):
        entry = entries[layer.name].object(("pe", "simd", *numbers, "parallel", "estimate"))
        entry["pe"].exactly(layer.pe)
        entry["simd"].exactly(layer.simd)
        entry["parallel"].flag()
        for name in numbers:
            entry[name].whole(0, MOST_ELEMENTS)
        for memory in memories:
            if memory.layer == place and not memory.is_weights:
                for name in ("lanes", "interval", "run_ahead"):
                    entry[name].exactly(getattr(memory, name))
        _estimate(entry["estimate"])


def _estimate(at: At) -> None:
    for entry in at.object(_ESTIMATE).values():
        entry.number(0, 1e9)


def _depths(at: At, layers: Sequence[Layer]) -> None:
    of = at.object(("how", "cycles_per_frame", "folding"))
    of["how"].line()
    if of["cycles_per_frame"].value is not None:
        of["cycles_per_frame"].number(1, MOST_CYCLES)
    entries = of["folding"].object([layer.name for layer in layers if isinstance(layer, Product)])
    for layer in layers:
        if isinstance(layer, Product):
            entry = entries[layer.name]
            found = entry.text(_FOLDING, "a folding, as 2x16 or 4x27 window 3")
            if found.partition(" ")[0] != f"{layer.pe}x{layer.simd}":
                entry.fail(f"of {layer.pe}x{layer.simd}")


# Files


def _files(at: At) -> dict[str, str]:
    found = {name: entry.sha256() for name, entry in at.object(REQUIRED, tuple(FILES)).items()}
    return {name: found[name] for name in FILES if name in found}


def _library(at: At, section: str) -> str:
    of = at.object(("library", "sha256", "verilator", "sources"))
    of["library"].exactly(LIBRARIES[section])
    of["verilator"].name()
    of["sources"].sha256()
    return of["sha256"].sha256()


def _bitstream(at: At) -> str:
    of = at.object(("file", "sha256", "vivado", "wns_ns", "whs_ns", "utilization"))
    of["file"].exactly(BITSTREAM)
    of["vivado"].line()
    for name in ("wns_ns", "whs_ns"):
        of[name].number(-1e6, 1e6)
    for name, entry in of["utilization"].members().items():
        if not _RESOURCE.match(name):
            raise WrongError(f"bitstream.utilization: {shown(name)} is no name of a resource")
        entry.number(0, 1e9)
    return of["sha256"].sha256()
