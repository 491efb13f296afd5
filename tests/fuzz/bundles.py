"""Mutated bundles: one file of a good bundle is changed, and its SHA-256 in accel.json made right.

So what is tested is the reader of the file and not the sum. What a program takes must be harmless:
its results are those of the good bundle, but for what only the bundle itself can say (docs/
security.md, "What nobody contradicts"): the network's name, its accuracy, the bound on cycles, and
what its arrays hold, which with other contents are another network's.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spinflow.host.core import own_tests
from spinflow.host.core.description import TEST_SET
from tests.fuzz import judge, mutate
from tests.fuzz.campaign import Subject

FOLDER = "bundle"
"""Where the bundle of a case lies, in the folder of the case."""

LISTED = ("arrays.npz", "golden.npz", "accel.hwh", TEST_SET)
"""Files with a sum in accel.json."""

Results = Callable[[Path, judge.Outcome], str]
"""Takes the folder of a case and what came out; gives the results in words, the same when alike."""


@dataclass(frozen=True)
class Good:
    """A good bundle in memory.

    Attributes:
        description: its accel.json.
        files: contents of its other files by name, those of folders included.
    """

    description: dict[str, Any]
    files: dict[str, bytes]


@dataclass(frozen=True)
class Program:
    """A program that reads bundles.

    Attributes:
        name: as people call it.
        main: what runs.
        arguments: of its command line.
        kinds: the files that are mutated for it, by how often.
        results: what of its results is compared.
        quick: cases in ``make test``; ten times as many in ``make acceptance``.
        free: what may change a result beside the arrays: keys of accel.json, or files.
    """

    name: str
    main: judge.Main
    arguments: Sequence[str]
    kinds: Sequence[str]
    results: Results
    quick: int
    free: Sequence[str] = ()


def read(folder: Path, names: Sequence[str]) -> Good:
    """Read a bundle and those of its files that are named."""
    described = json.loads((folder / "accel.json").read_bytes())
    return Good(described, {name: (folder / name).read_bytes() for name in names})


def subject(program: Program, good: Good, scratch: Path) -> Subject:
    """Return what a campaign needs of a program, once it has run the good bundle in a folder."""
    folder = scratch / "good"
    write(folder / FOLDER, copy.deepcopy(good.description), good.files)
    outcome = judge.run(program.main, program.arguments, folder)
    fault = outcome.fault() or (outcome.err if outcome.refused else None)
    assert fault is None, f"{program.name} on the good bundle: {fault}"
    wanted = program.results(folder, outcome)

    def prepare(rng: random.Random, case: Path) -> Sequence[str]:
        mutated(rng, good, program.kinds, case / FOLDER)
        return program.arguments

    def compare(case: Path, outcome: judge.Outcome) -> str | None:
        found = program.results(case, outcome)
        if found == wanted or _is_another(case / FOLDER, good, program.free):
            return None
        pairs = zip(found.splitlines(), wanted.splitlines(), strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), (found[-80:], wanted[-80:]))
        return f"taken, but {first[0]!r} came, {first[1]!r} was right"

    return Subject(program.name, program.main, prepare, program.quick, 10 * program.quick, compare)


def write(folder: Path, description: Any, files: dict[str, bytes]) -> None:
    """Write a bundle; a listed file's sum is made right where the description still has one."""
    folder.mkdir(parents=True, exist_ok=True)
    sums = description.get("files") if isinstance(description, dict) else None
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        if isinstance(sums, dict) and name in LISTED and name in sums:
            sums[name] = hashlib.sha256(content).hexdigest()
        if name == "libaccel.so" and isinstance(description, dict) and "simulator" in description:
            description["simulator"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "accel.json").write_bytes(mutate.dump(description))


def mutated(rng: random.Random, good: Good, kinds: Sequence[str], folder: Path) -> None:
    """Write a bundle of which one file was mutated: ``accel.json`` or one of the bundle's."""
    kind = rng.choice(kinds)
    description, files = copy.deepcopy(good.description), dict(good.files)
    if kind != "accel.json":
        files[kind] = _CHANGES[Path(kind).suffix](rng, files[kind])
    write(folder, description, files)
    if kind == "accel.json":
        path = folder / kind
        if rng.random() < 0.1:
            path.write_bytes(mutate.data(rng, path.read_bytes()))
        else:
            path.write_bytes(mutate.dump(mutate.document(rng, json.loads(path.read_bytes()))))


def _text(rng: random.Random, old: bytes) -> bytes:
    if rng.random() < 0.3:
        return mutate.data(rng, old)
    return mutate.text(rng, old.decode()).encode("utf-8", errors="surrogatepass")


def _lines(rng: random.Random, old: bytes) -> bytes:
    """Change a list of files: a line gone, doubled, elsewhere, or one that no list may have."""
    if rng.random() < 0.4:
        return _text(rng, old)
    lines = old.decode().splitlines()
    at = rng.randrange(len(lines))
    evil = ("-f x.f", "+define+A=1", "-CFLAGS -DX", "../accel.sv", "/etc/passwd", "$HOME/a.sv")
    lines[at : at + 1] = rng.choice(
        ([], [lines[at]] * 2, [f"../{lines[at]}"], [rng.choice(evil)], ["rtl/" + lines[at]])
    )
    return "\n".join(lines).encode()


def _library(rng: random.Random, old: bytes) -> bytes:
    """Change a library so that it is none: what is mapped runs, so code is left as it is."""
    text = bytes(rng.randrange(256) for _ in range(64))
    header = bytearray(old[:64])
    header[rng.choice((0, 1, 4, 16, 18))] ^= 0xFF  # magic number, class, type, machine
    changes = (b"", text, b"!<arch>\n", b"#!/bin/sh\ntouch ran\n", bytes(header) + old[64:])
    return rng.choice((*changes, old[:40], old.replace(b"spin_run", b"spin_ran")))


_CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    ".hwh": _text,
    ".sv": mutate.data,
    ".f": _lines,
    ".npz": mutate.arrays,
    ".so": _library,
    ".json": _text,
}


def _is_another(folder: Path, good: Good, free: Sequence[str]) -> bool:
    """Whether a bundle that was taken says something else that only it can say."""
    described = json.loads((folder / "accel.json").read_bytes())
    for name in free:
        if name in good.files and (folder / name).read_bytes() != good.files[name]:
            return True
        if name not in good.files and _value(described, name) != _value(good.description, name):
            return True
    return any(
        name in good.files and not _equal((folder / name).read_bytes(), good.files[name])
        for name in ("arrays.npz", "golden.npz", TEST_SET)
    )


def _value(description: Any, place: str) -> Any:
    """Return what stands at a place as ``memories.depth``; of a list that of all its entries."""
    for key in place.split("."):
        if isinstance(description, list):
            description = [entry.get(key) for entry in description]
        else:
            description = description.get(key)
    return description


def _equal(one: bytes, other: bytes) -> bool:
    if one == other:
        return True
    with np.load(io.BytesIO(one)) as first, np.load(io.BytesIO(other)) as second:
        return all(np.array_equal(first[name], second[name]) for name in second.files)


# Test images, of the golden ones: what a published set's files hold needs seconds to read.


def golden_tests(golden: bytes) -> bytes:
    """Return the golden images as a test set of one's own, the file test.npz of a bundle."""
    with np.load(io.BytesIO(golden)) as arrays:
        images, labels = arrays["images"], arrays["labels"].astype(np.uint16)
    names = tuple(f"digit {digit}" for digit in range(10))
    return own_tests.pack(own_tests.OwnTests(images, labels, "golden images", names, "of FINN"))


def with_golden_tests(good: Good) -> Good:
    """Return a bundle whose test set are its golden images."""
    content = golden_tests(good.files["golden.npz"])
    digest = hashlib.sha256(content).hexdigest()
    listed = {**good.description["files"], TEST_SET: digest}
    return Good({**good.description, "files": listed}, {**good.files, TEST_SET: content})


def rows(path: Path, without: Sequence[str]) -> str:
    """Return a results file without some columns."""
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [place for place, name in enumerate(lines[0]) if name not in without]
    return "\n".join(",".join(line[place] for place in kept) for line in lines)
