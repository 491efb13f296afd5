"""Fault lists: which cells hold another bit than was to be there, in npz.

Arrays: `network`, a text; `memories`, texts; and for each fault `memory`, its place in them,
`cell`, word * width + bit, `write`, which word it was that the memory took, from 0 (0 for weights,
which are written once), `target` and `stored`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core import npz
from spinflow.host.core.cells import FREE, STUCK_AT_0, CellMap, CellRates
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.files import replace_bytes
from spinflow.host.core.npz import TEXT, Wanted
from spinflow.host.core.packing import Bits, Words, bits_of
from spinflow.host.core.reading import read_bytes
from spinflow.host.core.text import one_line

MOST_BYTES = 1 << 30
"""Bytes of a file, at most."""

MOST_FAULTS = 1 << 26

_WANTED = {
    "cell": Wanted(("int64",), (None,)),
    "memory": Wanted(("uint8",), (None,)),
    "write": Wanted(("int64",), (None,)),
    "target": Wanted(("uint8",), (None,)),
    "stored": Wanted(("uint8",), (None,)),
}


@dataclass(frozen=True, eq=False)
class Faults:
    """Faults of one memory, in the order of writing; arrays of shape (n,).

    Attributes:
        memory: its name.
        cell: word * width + bit.
        write: number of the word that was written.
        target: what was to be stored.
        stored: what is stored, the other bit.
    """

    memory: str
    cell: npt.NDArray[np.int64]
    write: npt.NDArray[np.int64]
    target: npt.NDArray[np.uint8]
    stored: npt.NDArray[np.uint8]


def faults_of(memory: MemoryInfo, target: Bits, stored: Bits) -> Faults:
    """Return the faults of words (n, width), from a restart on: all of weights, any of a buffer."""
    word, bit = np.nonzero(target != stored)
    return Faults(
        memory.name,
        (word % memory.depth * memory.width + bit).astype(np.int64),
        np.zeros(len(word), np.int64) if memory.is_weights else word.astype(np.int64),
        target[word, bit].astype(np.uint8),
        stored[word, bit].astype(np.uint8),
    )


def write(path: Path, network: str, faults: Sequence[Faults]) -> None:
    """Write a fault list, whole or not at all."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(each, name) for each in faults])
        for name in ("cell", "write", "target", "stored")
    }
    sizes = [len(each.cell) for each in faults]
    arrays["memory"] = np.repeat(np.arange(len(faults), dtype=np.uint8), sizes)
    arrays["memories"] = np.array([each.memory for each in faults])
    arrays["network"] = np.array(network)
    out = BytesIO()
    np.savez_compressed(out, **arrays)
    replace_bytes(path, out.getvalue())


def read(path: Path) -> tuple[str, list[Faults]]:
    """Return the network of a fault list, and the faults of each memory.

    Raises:
        InputError: it cannot be read, or is no fault list.
    """
    content = read_bytes(path, MOST_BYTES)
    texts = {"network": Wanted((TEXT,), ()), "memories": Wanted((TEXT,), (None,))}
    try:
        found = npz.read(path, content, _WANTED, MOST_FAULTS, texts, least_images=0)
    except BundleError as error:
        raise InputError(str(error)) from None
    if any(name not in found or not found[name].size for name in texts):
        raise InputError(f"{path} is no fault list: it names no network or no memories")
    names = found["memories"].tolist()
    if len(set(names)) < len(names):
        raise InputError(f"{path}: a memory is named twice")
    if (found["memory"] >= len(names)).any():
        raise InputError(f"{path}: memory holds {found['memory'].max()}, which no name is for")
    if (found["target"] > 1).any() or (found["stored"] != 1 - found["target"]).any():
        raise InputError(f"{path}: target must be 0 or 1, and stored the other one")
    faults = []
    for place, name in enumerate(names):
        own = found["memory"] == place
        faults.append(
            Faults(
                str(name)[:100],
                *(found[each][own] for each in ("cell", "write", "target", "stored")),
            )
        )
    return str(found["network"][()]), faults


def replayed(
    path: Path,
    network: str,
    memories: Sequence[MemoryInfo],
    weights: Mapping[str, Words],
    faults: Sequence[Faults],
) -> CellMap:
    """Return the map in which faulty cells of weights are stuck at what they held.

    Args:
        path: of the list.
        network: its name.
        memories: of the network.
        weights: what is written into them, by their names.
        faults: of each memory.

    Raises:
        InputError: a memory is a buffer, whose faults are of one writing, or none of the network;
            or the list is of other weights.
    """
    known, found = {memory.name: memory for memory in memories}, {}
    for each in faults:
        memory = known.get(each.memory)
        if memory is None:
            raise InputError(f"{path}: {network} has no memory {each.memory}")
        if not memory.is_weights:
            raise InputError(
                f"{path}: {each.memory} is a buffer, whose faults are of one writing each, which a "
                "map cannot say: export those of weights alone"
            )
        if each.cell.size and not 0 <= each.cell.min() <= each.cell.max() < memory.bits:
            raise InputError(f"{path}: a cell of {each.memory} is not below {memory.bits}")
        if np.unique(each.cell).size < each.cell.size:
            raise InputError(f"{path}: a cell of {each.memory} has two faults, written once")
        written = bits_of(weights[memory.name], memory.width).reshape(-1)
        if (written[each.cell] != each.target).any():
            raise InputError(
                f"{path}: what {each.memory} was to hold are other weights than those of {network} "
                "here: the list is of another training, or of another folding"
            )
        stuck = np.full(memory.bits, FREE, np.uint8)
        stuck[each.cell] = STUCK_AT_0 + each.stored
        never = np.zeros((memory.depth, memory.width), np.uint32)
        found[each.memory] = CellRates(never, never, stuck.reshape(never.shape))
    return CellMap(network, found, f"replay of {one_line(path.name, 100)}")
