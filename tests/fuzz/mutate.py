"""Mutations of inputs: of bytes, of JSON values, of the words of a text, of the arrays of an npz.

Each function takes a random generator and returns the mutated input; equal generators give equal
mutations, so a case is named by its number.
"""

from __future__ import annotations

import copy
import io
import json
import random
import re
import zipfile
from typing import Any

import numpy as np

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 31, 32, 255, 256, 65535, 2**31, 2**32 - 1, 2**32),
    *(2**63, 2**64, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e-300, 1e300),
    *(float("inf"), float("-inf"), float("nan")),
    *("", " ", "0", "a", "x" * 5000, "../x", "/x", "/dev/zero", "a/b", ".", "..", "a\nb", "a\x00b"),
    *("\x1b[31m", "é", "\ud800", "$\\frac{$", "{}", "%s", "weights", "buffer", "flip"),
    *([], [0], [-1], [1, 2, 3], [None], [[[]]], {}, {"a": 1}),
)
"""Values of every type and of every edge that a reader may trip over."""


def value(rng: random.Random, old: Any) -> Any:
    """Return another value for one of a JSON document: near the old one, or nasty."""
    if isinstance(old, bool) or rng.random() < 0.6:
        return copy.deepcopy(rng.choice(NASTY))
    if isinstance(old, int):
        return old + rng.choice((-1, 1, -old, old, 4, -4, 1 << 16))
    if isinstance(old, float):
        return old * rng.choice((-1.0, 0.0, 2.0, 1e-9, 1e9))
    if isinstance(old, str):
        return text(rng, old)
    if isinstance(old, list) and old:
        return rng.choice((old[:-1], [*old, old[0]], old[::-1], old * 50))
    return copy.deepcopy(rng.choice(NASTY))


def document(rng: random.Random, old: Any) -> Any:
    """Return a JSON document in which one to three things were changed, left out or added."""
    new = copy.deepcopy(old)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(new))
        if not places:
            return value(rng, new)
        holder, key = rng.choice(places)
        what = rng.random()
        if what < 0.2:
            del holder[key]
        elif what < 0.3 and isinstance(holder, dict):
            holder[rng.choice(("", "x", f"{key}2", "../x"))] = holder[key]
        elif what < 0.4:
            other, place = rng.choice(places)
            holder[key] = copy.deepcopy(other[place])
        else:
            holder[key] = value(rng, holder[key])
    return new


def dump(new: Any) -> bytes:
    """Return a JSON document as bytes; NaN and infinity as JavaScript spells them."""
    return json.dumps(new, indent=2).encode("utf-8", errors="surrogatepass")


def _places(node: Any) -> Any:
    """Yield every holder and key below a node."""
    items = (
        node.items() if isinstance(node, dict) else enumerate(node) if type(node) is list else ()
    )
    for key, child in list(items):
        yield node, key
        yield from _places(child)


def data(rng: random.Random, old: bytes) -> bytes:
    """Return bytes with some flipped, cut, doubled, zeroed or put in."""
    new = bytearray(old)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(new) + 1)
        # What a format says of itself stands at its beginning more often than not.
        at = min(at, rng.choice((at, 8, 64, 1024)))
        size = rng.choice((1, 2, 4, 16, 256))
        what = rng.randrange(7)
        if what == 0 and at < len(new):
            new[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del new[at:]
        elif what == 2:
            del new[at : at + size]
        elif what == 3:
            new[at:at] = new[at : at + size]
        elif what == 4:
            new[at : at + size] = bytes(len(new[at : at + size]))
        elif what == 5:
            new[at : at + size] = rng.randbytes(len(new[at : at + size]))
        else:
            new[at:at] = rng.choice((b"\xff" * size, b"\x00" * size, rng.randbytes(size)))
    return bytes(new)


def text(rng: random.Random, old: str) -> str:
    """Return a text of which some words, numbers or lines were exchanged, left out or doubled."""
    pieces = re.split(r"(\W+)", old)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(pieces))
        what = rng.randrange(5)
        if what == 0:
            pieces[at] = str(rng.choice(NASTY))
        elif what == 1:
            pieces[at] = ""
        elif what == 2:
            pieces[at] *= 2
        elif what == 3:
            other = rng.randrange(len(pieces))
            pieces[at], pieces[other] = pieces[other], pieces[at]
        else:
            pieces[at] = str(rng.choice((0, -1, 1e400, 2**64, 0.5, "nan", "1e-5", "0x10", "1_0")))
    return "".join(pieces)


def arrays(rng: random.Random, old: bytes) -> bytes:
    """Return an npz with an array left out, renamed, of another type, shape or content."""
    if rng.random() < 0.3:
        return data(rng, old)
    with np.load(io.BytesIO(old)) as opened:
        new: dict[str, Any] = {name: opened[name] for name in opened.files}
    name = rng.choice(sorted(new))
    array = new[name]
    what = rng.randrange(9)
    if what == 0:
        del new[name]
    elif what == 1:
        new[rng.choice(("", "x", "../x", f"{name}.2"))] = new.pop(name)
    elif what == 2:
        kinds: tuple[str, ...] = ("u1", "i8", "f4", "f8", "c8", "?", ">u4", "S3")
        kinds = ("S400", "U1", ">U9") if array.dtype.kind == "U" else kinds
        new[name] = array.astype(rng.choice(kinds))
    elif what == 3:
        new[name] = array.reshape(-1)[: rng.randrange(array.size + 1)]
    elif what == 4:
        new[name] = array[..., None]
    elif what == 5:
        new[name] = np.array([{"a": 1}, None], dtype=object)
    elif what == 6:
        new[name] = np.full_like(array, rng.choice((0, 255)))
    elif what == 7:
        new[name] = np.zeros(0, array.dtype)
    else:
        changed = np.array(array, ndmin=1)
        flat = changed.reshape(-1).view(np.uint8)
        flat[rng.randrange(flat.size)] ^= 1 << rng.randrange(8)
        new[name] = changed.reshape(array.shape)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, content in new.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(content), allow_pickle=True)
            archive.writestr(f"{key}.npy", member.getvalue())
    return out.getvalue()
