"""Mutated bundles: one file of a good bundle changed, its SHA-256 in accel.json made right.

So what is tested is the reader of the file and not the sum. What of a mutated description was taken
must be harmless: what a program prints is then what it prints of the good bundle, but for what only
says something to people (FREE).
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz import mutate

LISTED = ("arrays.npz", "golden.npz", "accel.hwh")
"""Files with a sum in accel.json."""


@dataclass(frozen=True)
class Good:
    """A good bundle in memory.

    Attributes:
        description: its accel.json.
        files: contents of its other files by name, those of rtl/ included.
    """

    description: dict[str, Any]
    files: dict[str, bytes]


def read(folder: Path, names: Sequence[str]) -> Good:
    """Read a bundle and those of its files that are named."""
    described = json.loads((folder / "accel.json").read_bytes())
    return Good(described, {name: (folder / name).read_bytes() for name in names})


def write(folder: Path, description: Any, files: dict[str, bytes]) -> None:
    """Write a bundle; a listed file's sum is made right where the description still has one."""
    folder.mkdir(parents=True, exist_ok=True)
    sums = description.get("files") if isinstance(description, dict) else None
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        if isinstance(sums, dict) and name in LISTED and name in sums:
            sums[name] = hashlib.sha256(content).hexdigest()
    (folder / "accel.json").write_bytes(mutate.dump(description))


def mutated(rng: random.Random, good: Good, kinds: Sequence[str], folder: Path) -> str:
    """Write a bundle of which one file was mutated; return that file's name.

    Args:
        rng: of the case.
        good: the bundle.
        kinds: the files to choose from: accel.json, or one of the bundle's.
        folder: where to write.
    """
    kind = rng.choice(kinds)
    description, files = copy.deepcopy(good.description), dict(good.files)
    if kind == "accel.json":
        if rng.random() < 0.1:
            write(folder, description, files)
            path = folder / "accel.json"
            path.write_bytes(mutate.data(rng, path.read_bytes()))
            return kind
        sums = dict(description["files"])
        description = mutate.document(rng, description)
        write(folder, description, files)
        if isinstance(description, dict) and description.get("files") != sums:
            pass
        return kind
    change = _CHANGES[Path(kind).suffix]
    files[kind] = change(rng, files[kind])
    write(folder, description, files)
    return kind


def _text(rng: random.Random, old: bytes) -> bytes:
    if rng.random() < 0.3:
        return mutate.data(rng, old)
    return mutate.text(rng, old.decode()).encode("utf-8", errors="surrogatepass")


_CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    ".hwh": _text,
    ".f": _text,
    ".npz": mutate.arrays,
    ".so": mutate.data,
}
