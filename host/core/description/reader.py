"""Reads ``accel.json``, the description of a bundle (docs/contracts.md), and checks all of it.

This is the one reader, for the driver, the simulators and the board's scripts alike. A bundle may
come from anywhere, so nothing of it is believed before it is checked: every key, type and range,
and that all of it fits together. What has passed can be relied on. It needs Python 3.10 and nothing
else.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinflow.host.core.addresses import segments_of, window_after
from spinflow.host.core.checked import At, WrongError, parse
from spinflow.host.core.description.codes import MOST_WORD, SCHEME, Code
from spinflow.host.core.description.layers import Layer, Product, least_cycles, products_of
from spinflow.host.core.description.limits import (
    BITSTREAM,
    DESCRIPTION_LIMIT,
    FILES,
    FORMAT,
    LIBRARIES,
    MAP_VERSION,
    MOST_BITS,
    MOST_CLASSES,
    MOST_CYCLES,
    MOST_ELEMENTS,
    MOST_SIDE,
    MOST_WIDTH,
    NAME,
    REQUIRED,
)
from spinflow.host.core.description.memories import (
    DRAWS,
    Block,
    MemoryInfo,
    Tap,
    buffered,
    coded,
    memories_of,
    stored_by,
    taps_of,
)
from spinflow.host.core.description.read_layers import read_layers
from spinflow.host.core.description.read_registers import read_address_map, read_registers
from spinflow.host.core.description.registers import Range, RegisterMap
from spinflow.host.core.description.types import (
    DMA_BITS,
    WORD_BITS,
    Bitstream,
    DepthsInfo,
    Description,
    FoldingInfo,
    LayerFolding,
    Library,
    Resources,
)
from spinflow.host.core.errors import BundleError
from spinflow.host.core.plain import read_plain
from spinflow.host.core.text import shown

_RESOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_TENSOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,255}\Z")
_FOLDING = re.compile(r"[0-9]{1,6}x[0-9]{1,6}( window [0-9]{1,6})?( at once)?\Z")


def read(folder: str | os.PathLike[str]) -> Description:
    """Read a bundle's description and check all of it.

    The files that it lists are not read: see :meth:`Description.content`.

    Raises:
        BundleError: there is no description, or a part of it is missing, wrong or does not fit.
    """
    path = Path(folder) / NAME
    if not path.parent.is_dir() or not (path.exists() or path.is_symlink()):
        built = Path("build") / folder
        remedy = (
            f"{built} is one" if (built / NAME).is_file() else "spinflow build NETWORK makes one"
        )
        raise BundleError(f"{folder} is not a bundle: it has no {NAME}; {remedy}")
    raw = read_plain(path, DESCRIPTION_LIMIT)
    try:
        return _description(path.parent, parse(raw))
    except WrongError as wrong:
        raise BundleError(f"{path}: {wrong}") from None


def registers_of(document: Any) -> RegisterMap:
    """Return the control block that a regmap.json describes.

    Raises:
        BundleError: it is not one that the driver knows.
    """
    try:
        return read_registers(At(document, "registers"))
    except WrongError as wrong:
        raise BundleError(str(wrong)) from None


def slaves_of(document: Any) -> tuple[Range, Range]:
    """Return the places of accelerator and DMA that a board's ``address_map`` describes.

    Raises:
        BundleError: they overlap, or the processor does not reach them.
    """
    try:
        return read_address_map(At(document, "address_map"))
    except WrongError as wrong:
        raise BundleError(str(wrong)) from None


_KEYS = (
    *("format", "network", "dataset", "build_id", "map_version", "board", "part", "clock_mhz"),
    *("registers", "address_map", "dma", "input", "output", "accuracy", "cycles_per_frame"),
    *("folding", "depths", "layers", "memories", "taps", "files"),
)


def _description(folder: Path, document: Any) -> Description:
    root = At(document, "")
    if not isinstance(document, dict):
        raise WrongError(f"damaged: it holds {shown(document)}, and not a JSON object")
    # If the format differs, everything else may differ as well; so this is checked first.
    for key, known in (("format", FORMAT), ("map_version", MAP_VERSION)):
        if key in document and (type(document[key]) is not int or document[key] != known):
            older = type(document[key]) is int and 0 < document[key] < known
            raise WrongError(
                f"{key} is {shown(document[key])}, but this program reads {key} {known}"
                f"{'; build the bundle anew, with spinflow build NETWORK' if older else ''}"
            )
    at = root.object(_KEYS, (*LIBRARIES, "bitstream"))
    registers = read_registers(at["registers"])
    accel, dma = read_address_map(at["address_map"])
    bus = at["dma"].object(("data_bits", "length_bits"))
    bus["data_bits"].whole(DMA_BITS, DMA_BITS)
    length_bits = bus["length_bits"].whole(8, 26)
    shape = _input(at["input"], length_bits)
    output = at["output"].object(("type", "classes", "word_bits"))
    output["type"].exactly("label")
    output["word_bits"].whole(WORD_BITS, WORD_BITS)
    classes = output["classes"].whole(1, MOST_CLASSES)
    accuracy = at["accuracy"].object(("software", "images"))
    images = accuracy["images"].whole(1, 1 << 32)
    layers = read_layers(at["layers"], shape, classes)
    memories = _memories(at["memories"], layers, registers, accel)
    cycles = at["cycles_per_frame"].whole(least_cycles(layers), MOST_CYCLES)
    return Description(
        folder=folder,
        network=at["network"].network(),
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
        accuracy_images=images,
        cycles_per_frame=cycles,
        folding=_folding(at["folding"], layers, memories),
        depths=_depths(at["depths"], layers),
        layers=layers,
        memories=memories,
        taps=_taps(at["taps"], layers, memories),
        files=_files(at["files"]),
        libraries={name: _library(at[name], name) for name in at if name in LIBRARIES},
        bitstream=_bitstream(at["bitstream"]) if "bitstream" in at else None,
    )


def _input(at: At, length_bits: int) -> tuple[int, ...]:
    of = at.object(("shape", "type", "bytes_per_frame", "word_bits"))
    of["type"].exactly("UINT8")
    of["word_bits"].whole(WORD_BITS, WORD_BITS)
    sides = of["shape"].entries(1, 3)
    if len(sides) == 2:
        of["shape"].fail("[pixels] or [rows, columns, channels]")
    most = MOST_ELEMENTS if len(sides) == 1 else MOST_SIDE
    shape = tuple(side.whole(1, most) for side in sides)
    size = 4 * segments_of(8 * math.prod(shape))
    of["bytes_per_frame"].whole(size, size)
    if size >= 2**length_bits:
        raise WrongError(
            f"a frame of {size} bytes does not fit the DMA's length register of {length_bits} bits"
        )
    return shape


# Memories and taps

_OF_WEIGHTS = ("index", "name", "kind", "layer", "width", "depth", "segments", "base", "stride")
_OF_BUFFER = ("index", "name", "kind", "layer", "width")
_FREE = {
    "depth": (1, MOST_ELEMENTS),
    "ports": (1, MOST_WIDTH),
    "run_ahead": (1, MOST_ELEMENTS),
    "engine": (0, MOST_ELEMENTS),
}
"""What the layers do not say of a buffer, and how small and how large it may be."""


def _memories(
    at: At, layers: Sequence[Layer], registers: RegisterMap, accel: Range
) -> tuple[MemoryInfo, ...]:
    """Read the memories: the layers say which there must be, in order, and how large they are."""
    products = products_of(layers)
    pe = 0
    buffers: dict[str, Block] = {}
    for layer in layers:
        pe = layer.pe if isinstance(layer, Product) else pe
        if layer in buffered(layers):
            buffers[layer.name] = Block(pe, 1)
    stored = stored_by(layers, buffers)
    plain = memories_of(stored, registers.size)
    count = len(plain)
    if count > registers.count:
        raise WrongError(
            f"the layers have {count} memories, the control block has room for {registers.count}"
        )
    entries = at.entries(count, count)
    for place, product in enumerate(products):
        _means(product.name, "weights", product.weights, place)
    for place, behind in enumerate(buffered(layers), len(products)):
        _means(behind.name, "buffer", behind.buffer, place)
    codes = {
        memory.name: code
        for entry, memory in zip(entries, plain, strict=True)
        if (code := _code(entry, memory)) is not None
    }
    if codes and "snapshot_code" not in registers.globals["CONTROL"].fields:
        raise WrongError(
            "registers.global.CONTROL describes no field snapshot_code, which shows what decoders "
            "of coded memories count"
        )
    expected = memories_of(coded(stored, codes), registers.size)
    memories = [_memory(*pair, accel) for pair in zip(entries, expected, strict=True)]
    bits = sum(memory.bits for memory in memories)
    widest = max(memory.width for memory in memories)
    if bits > MOST_BITS or widest > MOST_WIDTH:
        raise WrongError(
            f"{at.place}: {bits} bits in words of up to {widest}: at most {MOST_BITS} in words of "
            f"{MOST_WIDTH} are handled"
        )
    return tuple(memories)


def _means(layer: str, kind: str, found: int | None, wanted: int) -> None:
    if found != wanted:
        raise WrongError(f"layer {layer}: its {kind} must be memory {wanted}, not {found}")


def _code(at: At, plain: MemoryInfo) -> Code | None:
    """Read how the words of a memory are coded, whose width without check bits is known."""
    if "code" not in at.members():
        return None
    of = at.members()["code"].object(("scheme", "data", "word"))
    of["scheme"].exactly(SCHEME)
    of["data"].exactly(plain.width)
    return Code(plain.width, of["word"].whole(1, min(MOST_WORD, plain.width)))


def _memory(at: At, expected: MemoryInfo, accel: Range) -> MemoryInfo:
    """Read one memory; what the layers say of it must be as expected."""
    if expected.is_weights:
        _, end = window_after(expected.base, expected.width, expected.depth)
        if end > accel.size:
            raise WrongError(
                f"the window of {expected.name} ends at {end:#x}, beyond the {accel.size:#x} "
                "bytes of its slave"
            )
    fixed = _OF_WEIGHTS if expected.is_weights else _OF_BUFFER
    free = () if expected.is_weights else tuple(_FREE)
    of = at.object((*fixed, "edge", *free), ("code",))
    for key in fixed:
        of[key].exactly(getattr(expected, key))
    found: dict[str, Any] = {key: of[key].whole(*_FREE[key]) for key in free}
    return replace(expected, edge=_tensor(of["edge"]), **found)


def _tensor(at: At) -> str:
    return at.text(_TENSOR, "the name of a tensor, of A-Z a-z 0-9 _ . : / -")


def _taps(at: At, layers: Sequence[Layer], memories: Sequence[MemoryInfo]) -> tuple[Tap, ...]:
    """Read the taps; only the tensors and the bits of the sums do not follow from the layers."""
    expected = taps_of(layers, memories)
    taps = []
    for entry, tap in zip(at.entries(len(expected), len(expected)), expected, strict=True):
        of = entry.object(("name", "edge", "signal", "elements", "element_bits", "per_word"))
        for key in ("name", "signal", "elements", "per_word"):
            of[key].exactly(getattr(tap, key))
        bits = of["element_bits"].whole(tap.element_bits or 1, tap.element_bits or 32)
        taps.append(replace(tap, edge=_tensor(of["edge"]), element_bits=bits))
    return tuple(taps)


# What is said of how it was made

_ESTIMATE = ("LUT", "RAMB36", "DSP48")


def _folding(at: At, layers: Sequence[Layer], memories: Sequence[MemoryInfo]) -> FoldingInfo:
    of = at.object(("target_cycles", "estimate", "layers"))
    target = of["target_cycles"].whole(1, MOST_CYCLES)
    total = _estimate(of["estimate"])
    products = products_of(layers)
    entries = of["layers"].object([layer.name for layer in products])
    found = {}
    for place, layer in enumerate(products):
        entry = entries[layer.name].object(
            ("pe", "simd", *DRAWS, "window_simd", "parallel", "estimate")
        )
        entry["pe"].exactly(layer.pe)
        entry["simd"].exactly(layer.simd)
        parallel = entry["parallel"].flag()
        numbers = {name: entry[name].whole(0, MOST_ELEMENTS) for name in (*DRAWS, "window_simd")}
        for memory in memories:
            if memory.layer == place and not memory.is_weights:
                for name in DRAWS:
                    entry[name].exactly(getattr(memory, name))
        found[layer.name] = LayerFolding(
            pe=layer.pe,
            simd=layer.simd,
            parallel=parallel,
            estimate=_estimate(entry["estimate"]),
            **numbers,
        )
    return FoldingInfo(target, total, {name: found[name] for name in entries})


def _estimate(at: At) -> Resources:
    return {name: _amount(entry, 0, 1e9) for name, entry in at.object(_ESTIMATE).items()}


def _amount(at: At, least: float, most: float) -> float:
    """Return a number as the file has it: a whole one stays whole."""
    at.number(least, most)
    value: float = at.value
    return value


def _depths(at: At, layers: Sequence[Layer]) -> DepthsInfo:
    of = at.object(("how", "cycles_per_frame", "folding"))
    how = of["how"].line()
    cycles = of["cycles_per_frame"]
    measured = None if cycles.value is None else _amount(cycles, 1, MOST_CYCLES)
    products = products_of(layers)
    entries = of["folding"].object([layer.name for layer in products])
    for layer in products:
        entry = entries[layer.name]
        found = entry.text(_FOLDING, "a folding, as 2x16 or 4x27 window 3")
        if found.partition(" ")[0] != f"{layer.pe}x{layer.simd}":
            entry.fail(f"a folding of {layer.pe}x{layer.simd}")
    return DepthsInfo(how, measured, {name: str(entry.value) for name, entry in entries.items()})


# Files


def _files(at: At) -> dict[str, str]:
    return {name: entry.sha256() for name, entry in at.object(REQUIRED, tuple(FILES)).items()}


def _library(at: At, section: str) -> Library:
    of = at.object(("library", "sha256", "verilator", "sources"))
    of["library"].exactly(LIBRARIES[section])
    return Library(of["sha256"].sha256(), of["verilator"].name(), of["sources"].sha256())


def _bitstream(at: At) -> Bitstream:
    of = at.object(("file", "sha256", "vivado", "wns_ns", "whs_ns", "utilization"))
    of["file"].exactly(BITSTREAM)
    vivado = of["vivado"].line()
    wns, whs = (_amount(of[name], -1e6, 1e6) for name in ("wns_ns", "whs_ns"))
    used = {}
    for name, entry in of["utilization"].members().items():
        if not _RESOURCE.match(name):
            raise WrongError(f"bitstream.utilization: {shown(name)} is not the name of a resource")
        used[name] = _amount(entry, 0, 1e9)
    return Bitstream(of["sha256"].sha256(), vivado, wns, whs, used)
