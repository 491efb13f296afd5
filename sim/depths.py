"""Finds the least depth of each buffer: `spinflow depths build/<network>`.

The accelerator is simulated with input in every cycle and buffers whose depth can be changed
without building anew. The cycles from one label to the next with buffers that never fill are what
the design can do; then each buffer in turn is made as small as it can be without adding a cycle to
them. What comes out is written to `hls/depths.json`, from where every build of the same folding
takes it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description as descriptions
from spinflow.host.core import start
from spinflow.host.core.description import Description
from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.files import replace_text
from spinflow.host.core.networks import base_of
from spinflow.host.core.sources import REPOSITORY, source_files
from spinflow.sim import verilate
from spinflow.sim.verilate import BuildError

TABLE = REPOSITORY / "hls" / "depths.json"
FOLDER = Path(__file__).parent / "harness" / "depths"
# What a stream carries changes no timing: without their insides these take no time to compile.
HOLLOW = "weight_mem", "xnor_popcount", "pixel_dot"
LIBRARY = "libdepths.so"

LEAST = 2  # words that a buffer_mem has at least
ENDLESS = 1 << 30
WARM_UP, MEASURED = 5, 4  # frames
CHECKED = 24  # frames of the last run, with all depths


class DeadlockError(SpinflowError, RuntimeError):
    """A frame does not come out; the message names the place."""


@dataclass(frozen=True)
class Found:
    """What the search found.

    Attributes:
        words: the least depth of each buffer, by its name.
        cycles_per_frame: cycles from one label to the next with these depths, as with endless ones.
        bound: what the folding promises (accel.json's cycles_per_frame).
    """

    words: dict[str, int]
    cycles_per_frame: float
    bound: int


class Timing:
    """An accelerator, simulated for its timing alone."""

    def __init__(self, library: Path, description: Description) -> None:
        self.buffers = [m.name for m in description.memories if not m.is_weights]
        self.taps = [tap.name for tap in description.taps]
        self.bound = description.cycles_per_frame
        self._functions = _load(library)
        self._handle = self._functions.depths_open()

    def close(self) -> None:
        """End the simulation."""
        self._functions.depths_close(self._handle)

    def labels(
        self, words: Sequence[int], frames: int, limit: int | None = None
    ) -> NDArray[np.int64]:
        """Return the cycles, from reset on, in which labels come with buffers of these depths.

        `limit` is in cycles; fewer labels come back when it is reached. Without one, DeadlockError
        is raised if a label does not come at all.
        """
        depths = np.array(words, dtype=np.uint32)
        times = np.zeros(frames, dtype=np.uint64)
        most = limit or (frames + 2 * len(self.taps) + 10) * 4 * (self.bound + 1000)
        done = self._functions.depths_run(
            self._handle, depths.ctypes.data, frames, most, times.ctypes.data
        )
        if done < frames and limit is None:
            raise DeadlockError(self._place(words, done))
        return times[:done].astype(np.int64)

    def cycles(self, words: Sequence[int], warm_up: int = WARM_UP, frames: int = MEASURED) -> float:
        """Return the cycles from label to label, over `frames` frames after `warm_up` others."""
        times = self.labels(words, warm_up + 1 + frames)
        return float(times[-1] - times[warm_up]) / frames

    def _place(self, words: Sequence[int], frames: int) -> str:
        """Where a design stands still: the last stream in which a word waits, the full buffers."""
        states = [self._functions.depths_stream(self._handle, i) for i in range(len(self.taps))]
        waiting = [name for name, state in zip(self.taps, states, strict=True) if state == 1]
        full = [
            f"{name} is full ({depth} words)"
            for number, (name, depth) in enumerate(zip(self.buffers, words, strict=True))
            if self._functions.depths_level(self._handle, number) >= depth
        ]
        place = f"a word of {waiting[-1]} is not taken" if waiting else "no word waits at any layer"
        return "; ".join([f"deadlock after {frames} frames: {place}", *full])


def search(timing: Timing) -> Found:
    """Find the least depths that add no cycle. Raises DeadlockError if the design stands still."""
    words = [LEAST] * len(timing.buffers)
    endless = [ENDLESS] * len(words)
    goal = timing.cycles(endless, CHECKED)
    # Words may begin to lack late; then longer runs look on from what the shorter ones found. The
    # longest sees as much as the check does.
    warm_up = WARM_UP
    words = _shrink(timing, words, warm_up)
    while timing.cycles(words, CHECKED) > goal and warm_up < CHECKED:
        warm_up = min(2 * warm_up, CHECKED)
        words = _shrink(timing, words, warm_up)
    measured = timing.cycles(words, CHECKED)
    return Found(dict(zip(timing.buffers, words, strict=True)), measured, timing.bound)


def _shrink(timing: Timing, least: Sequence[int], warm_up: int) -> list[int]:
    """The fewest words of each buffer, at least these, that add no cycle to frames after some."""
    frames = warm_up + 1 + MEASURED
    words = [ENDLESS] * len(least)
    free = timing.labels(words, frames)
    aim = free[-1] - free[warm_up]
    # A run that needs more than this has lost its rate, and is not worth its end.
    limit = int(free[-1] + 2 * timing.bound + 1000)
    for number, first in enumerate(least):

        def enough(depth: int, number: int = number) -> bool:
            trial = [*words[:number], depth, *words[number + 1 :]]
            times = timing.labels(trial, frames, limit)
            return len(times) == frames and bool(times[-1] - times[warm_up] <= aim)

        words[number] = _least(enough, first)
    return words


def slower(timing: Timing, words: Mapping[str, int]) -> str | None:
    """Return what these depths cost, a line for people, or None if they add no cycle."""
    free = timing.cycles([ENDLESS] * len(timing.buffers), CHECKED)
    bounded = timing.cycles([words[name] for name in timing.buffers], CHECKED)
    if bounded <= free:
        return None
    return f"{bounded:g} cycles per frame with the bundle's buffers, {free:g} with endless ones"


def _least(enough: Callable[[int], bool], start: int) -> int:
    """The least depth, from `start` on, that is enough; every larger one is."""
    low, high = start - 1, start
    while not enough(high):
        low, high = high, high + max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def build_timing(bundle: Path, folder: Path) -> Timing:
    """Build the accelerator of a bundle for its timing, in `folder`.

    Raises BundleError when the bundle is not whole, BuildError when a tool fails.
    """
    description = descriptions.read(bundle)
    sources = [_for_timing(source, folder) for source in source_files(bundle)]
    (folder / "buffers.h").write_text(_tables(description), encoding="utf-8")
    command = [
        *[str(verilate.verilator()), "--cc", "--exe", "--build", "-j", str(verilate.JOBS)],
        *["--top-module", verilate.TOP, "--prefix", f"V{verilate.TOP}", "--Mdir", str(folder)],
        *["-o", LIBRARY, *verilate.LENIENT, "--no-timing", "--no-assert"],
        *["-O3", "--x-assign", "fast", "--x-initial", "fast", "-GWithErrors=0"],
        *["-fslice-element-limit", "65536"],
        *[
            "-CFLAGS",
            verilate.CXX_FLAGS,
            "-LDFLAGS",
            f"-shared -Wl,-Bsymbolic {verilate.CXX_FLAGS}",
        ],
        *[part for variable in verilate.MAKE_VARIABLES for part in ("-MAKEFLAGS", variable)],
        *sources,
        str(FOLDER / "depths.cpp"),
    ]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        raise BuildError(verilate.reason_of(done.stdout))
    return Timing(folder / LIBRARY, description)


def _for_timing(path: Path, folder: Path) -> str:
    """The file that stands for a source where only timing matters."""
    if path.name == "buffer_mem.sv":
        return str(FOLDER / path.name)
    if path.stem not in HOLLOW:
        return str(path)
    header = re.match(r".*?^\);$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    if header is None:
        raise BuildError(f"{path} has no header of ports that ends in a line of its own")
    hollow = folder / path.name
    hollow.write_text(f"{header.group()}\nendmodule\n", encoding="utf-8")
    return str(hollow)


def _tables(description: Description) -> str:
    """The C++ tables of the buffers and of the streams at the layers' ends."""
    top = f"{verilate.TOP}__DOT__"
    lines = ["constexpr Buffer kBuffers[] = {"]
    for memory in description.memories:
        if not memory.is_weights:
            name = f"r.{top}u_{memory.name.replace('.', '_')}__DOT__"
            if memory.code is not None:
                name += "u_buffer__DOT__"  # within coded_buffer
            lines += [
                f"    {{[](Root &r, std::uint32_t words) {{ {name}limit = words; }},",
                f"     [](const Root &r) -> std::uint32_t {{ return {name}level_q; }}}},",
            ]
    lines += ["};", "constexpr Stream kStreams[] = {"]
    for tap in description.taps:
        name = f"r.{top}{tap.signal}"
        lines += [
            f"    {{[](const Root &r) -> bool {{ return {name}_valid; }},",
            f"     [](const Root &r) -> bool {{ return {name}_ready; }}}},",
        ]
    return "\n".join([*lines, "};", ""])


def _load(path: Path) -> Any:
    library = ctypes.CDLL(str(path.resolve()))
    pointer, size, u64 = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64
    library.depths_open.restype = pointer
    library.depths_close.argtypes = [pointer]
    library.depths_run.argtypes = [pointer, pointer, size, u64, pointer]
    library.depths_run.restype = size
    library.depths_level.argtypes = library.depths_stream.argtypes = [pointer, size]
    library.depths_level.restype = ctypes.c_uint32
    return library


def store(description: Description, found: Found, table: Path = TABLE) -> None:
    """Write what was found to the table, in place of what it has for this folding."""
    by_layer = {
        description.products[memory.layer].name: found.words[memory.name]
        for memory in description.memories
        if not memory.is_weights
    }
    folding = description.depths.folding
    content = json.loads(table.read_text(encoding="utf-8")) if table.exists() else {}
    entries = content.setdefault(base_of(description.network), [])
    entries[:] = [entry for entry in entries if entry["folding"] != folding]
    entries.append(
        {"cycles_per_frame": found.cycles_per_frame, "folding": folding, "words": by_layer}
    )
    entries.sort(key=lambda entry: -float(entry["cycles_per_frame"]))
    ordered = {network: content[network] for network in sorted(content)}
    replace_text(table, json.dumps(ordered, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = start.Parser(
        prog="spinflow depths",
        description="Find the least depth of each buffer that costs no cycles, by simulation.",
        epilog="example: spinflow depths build/lenet-mnist --check",
    )
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    parser.add_argument(
        "--table", type=Path, default=TABLE, help="where to write the depths (hls/depths.json)"
    )
    parser.add_argument(
        "--check", action="store_true", help="only tell whether the bundle's depths are enough"
    )
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Search the depths, or check them; return the exit status."""
    description = descriptions.read(options.bundle)
    coded = any(memory.code is not None for memory in description.memories)
    if coded and not options.check:
        raise BuildError(
            f"{options.bundle} has coded memories, and builds take depths that were found without: "
            "give a bundle without --ecc, or --check"
        )
    with tempfile.TemporaryDirectory(prefix=".depths-", dir=options.bundle) as folder:
        timing = build_timing(options.bundle, Path(folder))
        try:
            if options.check:
                depths = {m.name: m.depth for m in description.memories}
                loss = slower(timing, depths)
                print(f"{description.network}: {loss or 'the buffers add no cycle'}")
                return 1 if loss else 0
            found = search(timing)
        finally:
            timing.close()
    store(description, found, options.table)
    words = ", ".join(f"{name} {depth}" for name, depth in found.words.items())
    print(
        f"{description.network}: {found.cycles_per_frame:g} cycles per frame (the folding "
        f"promises {found.bound}) with words {words}; build the bundle again to have them"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
