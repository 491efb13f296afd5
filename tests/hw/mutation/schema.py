"""Many variants of the RTL in one text, of which a run takes one: +mutant=N, or none of them.

So the benches are compiled once for all variants. Each change stands in a choice beside what it
changes, on a variable that is set when the simulation starts.
"""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.hw.mutation.sites import Site, sites

NAME = "mutants_pkg"
PACKAGE = """\
// The variant that runs: 0 is the RTL as it stands.
package mutants_pkg;
  function automatic int asked();
    int number;
    if ($value$plusargs("mutant=%d", number) != 0) return number;
    return 0;
  endfunction
  int chosen = asked();
endpackage
"""
# Built for a part's primitives alone, of which there are proofs and tests/hw/chip.py.
PRIMITIVES = {"carry_chain.sv", "lut_pair.sv"}
LEAST = 3  # of a file, if it has as many


def choose(rtl: Path, count: int, seed: int = 1) -> dict[int, Site]:
    """Return `count` changes of the RTL in a folder by their numbers.

    Each file has some, the more the more places it has. Their order and their numbers depend on the
    seed and the file alone, so that another file's change leaves builds and results what they are.
    """
    files = [file for file in sorted(rtl.glob("*.sv")) if file.name not in PRIMITIVES]
    places = {file.name: sites(file) for file in files}
    shares = shares_of({name: len(found) for name, found in places.items()}, count)
    chosen: dict[int, Site] = {}
    for name, share in shares.items():
        random.Random(f"{seed} {name}").shuffle(places[name])
        first = zlib.crc32(name.encode()) % 100_000 * 1000 + 1
        chosen |= dict(enumerate(places[name][:share], first))
    assert len(chosen) == sum(shares.values()), "two files share a number"
    return chosen


def shares_of(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """Return how many of `count` each name gets: by its size, a few at least, never more than that.

    Args:
        sizes: how many there are of each name.
        count: how many in all; all of them if there are no more.
    """
    count = min(count, sum(sizes.values()))
    shares = {name: min(LEAST, size) for name, size in sizes.items()}
    while (left := count - sum(shares.values())) != 0:
        # The one that is furthest behind its due, or ahead of it.
        due = {
            name: count * size / sum(sizes.values()) - shares[name] for name, size in sizes.items()
        }
        step = 1 if left > 0 else -1
        free = [name for name in sizes if 0 <= shares[name] + step <= sizes[name]]
        best = max(free, key=lambda name: (step * due[name], name))
        shares[best] += step
    return shares


def write(rtl: Path, chosen: Mapping[int, Site], folder: Path) -> None:
    """Write the RTL of a folder into another one, with all chosen changes and their package."""
    of_file: dict[str, list[tuple[int, Site]]] = defaultdict(list)
    for number, site in chosen.items():
        of_file[site.file].append((number, site))
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(rtl.glob("*.sv")):
        source = file.read_bytes()
        text = _with(source, 0, len(source), of_file[file.name]).decode()
        (folder / file.name).write_text(text, encoding="utf-8")
    (folder / f"{NAME}.sv").write_text(PACKAGE, encoding="utf-8")


def changed(source: bytes, site: Site) -> bytes:
    """Return a text with one change made for good."""
    return source[: site.start] + f"({site.new})".encode() + source[site.end :]


def _with(source: bytes, start: int, end: int, inside: Sequence[tuple[int, Site]]) -> bytes:
    """Return a piece of a text with the changes that lie in it."""
    parts, place = [], start
    # The outermost first; one that lies in another is written with it.
    for _, site in sorted(inside, key=lambda item: (item[1].start, -item[1].end)):
        if site.start < place:
            continue
        here = [item for item in inside if (item[1].start, item[1].end) == (site.start, site.end)]
        within = [
            item for item in inside
            if item not in here and site.start <= item[1].start and item[1].end <= site.end
        ]  # fmt: skip
        text = _with(source, site.start, site.end, within)
        for number, change in here:
            choice = f"({NAME}::chosen == {number}) ? ({change.new}) : ".encode()
            text = b"(" + choice + b"(" + text + b"))"
        parts += [source[place : site.start], text]
        place = site.end
    return b"".join([*parts, source[place:end]])
