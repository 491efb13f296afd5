"""Files of cell maps: npz, which a sweep takes, and CSV, in which measured fault maps come.

npz: for each memory ``NAME.threshold1``, uint32, or ``NAME.rate1``, float32 or float64, of shape
(depth, width); the same with 0 where written zeros err at another rate; ``NAME.stuck``, uint8,
where cells are stuck (1 at 0, 2 at 1). Beside them the texts ``network``, ``about`` and
``condition``.

CSV: columns memory, word, bit, rate1, rate0, stuck. A line without word and bit gives all cells of
a memory their rates, which are else 0; later lines are of single cells. An empty rate is that of
all, stuck is 0, 1 or empty. No cell has two lines.
"""

from __future__ import annotations

import csv
import functools
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core import npz
from spinflow.host.core.cells import (
    FREE,
    STUCK_AT_0,
    STUCK_AT_1,
    CellMap,
    CellRates,
    rates_of,
    thresholds_of,
)
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.errors import InputError
from spinflow.host.core.files import replace_bytes
from spinflow.host.core.reading import opened, read_text
from spinflow.host.core.text import one_line, shown

MOST_CELLS = 1 << 26
"""Cells of all memories of a map, at most."""

MOST_BYTES = 1 << 30
"""Bytes of a CSV file, at most."""

COLUMNS = ("memory", "word", "bit", "rate1", "rate0", "stuck")
"""Of a CSV file."""

_TEXTS = ("network", "about", "condition")
_MOST_TEXT = 500
_TEXT = f"one line of at most {_MOST_TEXT} characters"
_TYPES = {"threshold": ("<u4",), "rate": ("<f4", "<f8"), "stuck": ("|u1",)}
_MEMBER = re.compile(
    r"(?P<memory>[A-Za-z0-9][\w.+-]{0,99})\.(?P<kind>threshold|rate|stuck)(?P<bit>[01]?)"
)
_WHOLE = re.compile(r"[0-9]{1,9}")
_STUCK = {"": FREE, "0": STUCK_AT_0, "1": STUCK_AT_1}


def write(path: Path, cell_map: CellMap) -> None:
    """Write a map as npz, whole or not at all; the same map is always the same bytes.

    Raises:
        InputError: one of its texts is none that :func:`read` takes.
    """
    for name in _TEXTS:
        if not _is_text(getattr(cell_map, name)):
            raise InputError(f"{name} of a cell map: {_TEXT} expected")
    arrays: dict[str, Any] = {name: np.array(getattr(cell_map, name)) for name in _TEXTS}
    for name, cells in cell_map.memories.items():
        arrays[f"{name}.threshold1"] = cells.threshold1
        if not np.array_equal(cells.threshold0, cells.threshold1):
            arrays[f"{name}.threshold0"] = cells.threshold0
        if cells.stuck.any():
            arrays[f"{name}.stuck"] = cells.stuck
    out = BytesIO()
    np.savez_compressed(out, **arrays)
    replace_bytes(path, out.getvalue())


def read(path: Path) -> CellMap:
    """Read a map from npz.

    Raises:
        InputError: it cannot be read, is damaged, or is no cell map.
    """
    with opened(path, InputError) as file, npz.opened(path, file, InputError) as archive:
        members = [archive.member(name[:-4]) for name in archive.names if name.endswith(".npy")]
        if len(members) < len(archive.names):
            raise ValueError("it holds what is not an array")
        texts, found, total = dict.fromkeys(_TEXTS, ""), dict[str, dict[str, Any]](), 0
        for member in members:
            if member.name in _TEXTS:
                texts[member.name] = _text(archive, member)
                continue
            memory, kind = _checked(member)
            total += member.size // member.dtype.itemsize
            if total > 3 * MOST_CELLS:
                raise ValueError(f"it has more than {MOST_CELLS} cells")
            found.setdefault(memory, {})[kind] = archive.array(member)
        if not found or not texts["network"]:
            raise ValueError("it is no cell map: it must name its network and hold NAME.rate1")
        memories = {memory: _cells(memory, arrays) for memory, arrays in found.items()}
    return CellMap(texts["network"], memories, texts["about"], texts["condition"])


def _text(archive: npz.Archive, member: npz.Member) -> str:
    if member.dtype.kind != "U" or member.shape or member.size > 4 * _MOST_TEXT:
        raise ValueError(f"{member.name} must be {_TEXT}")
    text = str(archive.array(member)[()])
    if not _is_text(text):
        raise ValueError(f"{member.name} must be {_TEXT}")
    return text


def _is_text(text: str) -> bool:
    return text.isprintable() and len(text) <= _MOST_TEXT


def _checked(member: npz.Member) -> tuple[str, str]:
    """Return the memory and the kind of an array, as its name has them."""
    found = _MEMBER.fullmatch(member.name)
    if found is None or (found["kind"] == "stuck") != (not found["bit"]):
        raise ValueError(f"it holds {one_line(member.name, 60)!r}, which does not belong there")
    types = _TYPES[found["kind"]]
    if member.dtype.newbyteorder("<").str not in types and member.dtype.str not in types:
        raise ValueError(f"{member.name} is {member.dtype.str}: it must be {' or '.join(types)}")
    if len(member.shape) != 2 or min(member.shape) < 1:
        raise ValueError(f"{member.name} is of shape {member.shape}: it must be (depth, width)")
    return found["memory"], f"{found['kind']}{found['bit']}"


def _cells(memory: str, arrays: dict[str, npt.NDArray[Any]]) -> CellRates:
    limits = {}
    for bit in "10":
        given = [kind for kind in ("threshold", "rate") if f"{kind}{bit}" in arrays]
        if len(given) > 1:
            raise ValueError(f"{memory} has both threshold{bit} and rate{bit}: give one of them")
        if given == ["threshold"]:
            limits[bit] = arrays[f"threshold{bit}"].astype(np.uint32)
        elif given == ["rate"]:
            rates = arrays[f"rate{bit}"].astype(np.float64)
            if not ((rates >= 0) & (rates <= 1)).all():
                raise ValueError(f"{memory}.rate{bit} holds a number that is not from 0 to 1")
            limits[bit] = thresholds_of(rates)
    if "1" not in limits:
        raise ValueError(f"{memory} has neither rate1 nor threshold1")
    one, zero = limits["1"], limits.get("0", limits["1"])
    stuck = arrays.get("stuck", np.zeros(one.shape, np.uint8))
    if zero.shape != one.shape or stuck.shape != one.shape:
        raise ValueError(f"the arrays of {memory} have different shapes")
    if stuck.max() > STUCK_AT_1:
        raise ValueError(f"{memory}.stuck holds {stuck.max()}: it must be 0, 1 (at 0) or 2 (at 1)")
    return CellRates(one, zero, stuck.copy())


@functools.lru_cache(maxsize=20)
def read_again(path: Path, digest: str) -> CellMap:
    """Read a map that was read before, by the digest of its cells; it is kept for the next trials.

    Raises:
        InputError: as of :func:`read`, or its cells are others by now.
    """
    found = read(path)
    if found.digest != digest:
        raise InputError(f"{path} was changed: its cells were {digest}, they are {found.digest}")
    return found


def to_csv(cell_map: CellMap) -> Iterator[str]:
    """Yield the lines of a map as CSV; what most cells of a memory are is one line."""
    yield ",".join(COLUMNS) + "\n"
    for name, cells in cell_map.memories.items():
        pairs = cells.threshold1.astype(np.uint64) << np.uint64(32) | cells.threshold0
        values, counts = np.unique(pairs, return_counts=True)
        most = values[np.argmax(counts)]
        one, zero = (rates_of(t) for t in (cells.threshold1, cells.threshold0))
        word, bit = np.argwhere(pairs == most)[0]
        yield f"{name},,,{float(one[word, bit])!r},{float(zero[word, bit])!r},\n"
        for word, bit in np.argwhere((pairs != most) | (cells.stuck != FREE)).tolist():
            stuck = "" if cells.stuck[word, bit] == FREE else cells.stuck[word, bit] - STUCK_AT_0
            rates = f"{float(one[word, bit])!r},{float(zero[word, bit])!r}"
            yield f"{name},{word},{bit},{rates},{stuck}\n"


def from_csv(path: Path, network: str, memories: Sequence[MemoryInfo], about: str) -> CellMap:
    """Return the map that a CSV file has of a network's memories.

    Raises:
        InputError: it cannot be read, or a line is no line of such a file.
    """
    text = read_text(path, MOST_BYTES)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if tuple(next(lines, ())) != COLUMNS:
            raise ValueError(f"the first line must be {','.join(COLUMNS)}")
        found = _of_lines(lines, {memory.name: memory for memory in memories})
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: line {max(lines.line_num, 1)}: {error}") from None
    if not found:
        raise InputError(f"{path} has no line of a cell")
    return CellMap(network, found, about)


def _of_lines(lines: Iterable[Sequence[str]], known: dict[str, MemoryInfo]) -> dict[str, CellRates]:
    rates: dict[str, npt.NDArray[np.float64]] = {}
    stuck: dict[str, npt.NDArray[np.uint8]] = {}
    named: dict[str, npt.NDArray[np.bool_]] = {}
    for cells in lines:
        if len(cells) != len(COLUMNS):
            raise ValueError(f"{len(cells)} cells, {len(COLUMNS)} expected")
        name, word, bit, *given = cells
        memory = known.get(name)
        if memory is None:
            raise ValueError(f"there is no memory {shown(name)}, only {', '.join(known)}"[:200])
        if name not in rates:
            rates[name] = np.zeros((2, memory.depth, memory.width))
            stuck[name] = np.zeros((memory.depth, memory.width), np.uint8)
            named[name] = np.zeros((memory.depth, memory.width), np.bool_)
        elif not word and not bit:
            raise ValueError(f"all cells of {name}: their line must come first, and once")
        place: Any = ...
        if word or bit:
            place = _number("word", word, memory.depth), _number("bit", bit, memory.width)
            if named[name][place]:
                raise ValueError(f"word {word}, bit {bit} of {name} has a line before")
            named[name][place] = True
        for number, text in enumerate(given[:2]):
            if text:
                rates[name][number][place] = _rate(text)
        if given[2] not in _STUCK:
            raise ValueError(f"stuck is {shown(given[2])}: it must be 0, 1 or empty")
        stuck[name][place] = _STUCK[given[2]]
    return {
        name: CellRates(thresholds_of(both[0]), thresholds_of(both[1]), stuck[name])
        for name, both in rates.items()
    }


def _number(what: str, text: str, end: int) -> int:
    if not _WHOLE.fullmatch(text) or int(text) >= end:
        raise ValueError(f"{what} is {shown(text)}: it must be a whole number below {end}")
    return int(text)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"a rate is {shown(text)}: it must be a number from 0 to 1")
    return value
