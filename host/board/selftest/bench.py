"""What all checks use: the accelerator, golden vectors, and the choice of words and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.board.driver import Accelerator, Snapshot
from spinflow.host.board.selftest.results import CheckError
from spinflow.host.core import arrays, description, stream
from spinflow.host.core.bundle import Bundle, MemoryInfo
from spinflow.host.core.packing import Bits, Words, bits_of
from spinflow.host.core.secded import encode

PATTERN_BITS = 1 << 20
"""Bits of each weight memory that the patterns are written to, unless all are asked for."""

ERROR_BITS = 1 << 16
"""Bits of each weight memory that are written with errors, unless all are asked for."""

CYCLES = 1 << 18
"""Cycles that the images of one run may take by the folding's bound, unless all are asked for."""

_PATTERN_DOMAIN = 0x7E570000
_CHOICE_DOMAIN = 0xC4010000


@dataclass(frozen=True)
class Golden:
    """Golden vectors of a bundle: images, and what they make of every layer boundary.

    Attributes:
        images: uint8, shape (n, pixels).
        labels: shape (n,).
        edges: by the tap's name, unsigned, shape (n, elements).
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]
    edges: dict[str, npt.NDArray[Any]]


def read_golden(bundle: Bundle) -> Golden:
    """Read a bundle's golden vectors.

    Raises:
        BundleError: it has none, or they are damaged or of another network.
    """
    found = arrays.read_golden(description.read(bundle.folder))
    edges = {name[len("edge.") :]: found[name] for name in found if name.startswith("edge.")}
    return Golden(found["images"], found["labels"], edges)


class Bench:
    """A loaded accelerator and what is known of it.

    Args:
        accelerator: it may be loaded without having been checked.
        golden: golden vectors of its bundle.
        full: all words and all images, not a choice of them.
        seed: 32-bit seed of patterns, of the choice of words, and of errors.

    Attributes:
        stale: whether a weight memory may hold other words than the trained ones.
        weights, buffers: the memories of each kind.
    """

    def __init__(self, accelerator: Accelerator, golden: Golden, full: bool, seed: int) -> None:
        self.device = accelerator
        self.bundle = accelerator.bundle
        self.golden = golden
        self.full = full
        self.seed = seed
        self.stale = True
        self.weights = [memory for memory in self.bundle.memories if memory.is_weights]
        self.buffers = [memory for memory in self.bundle.memories if not memory.is_weights]

    def words(self, memory: MemoryInfo, addresses: Sequence[int] | None) -> Words:
        """Return the trained words at some addresses, at all if None."""
        words = self.bundle.weights[memory.name]
        return words if addresses is None else words[list(addresses)]

    def pattern(
        self, memory: MemoryInfo, addresses: Sequence[int] | None, inverted: bool = False
    ) -> Words:
        """Return words that tell their memory and address."""
        seed = stream.memory_seed(self.seed, 0, memory.index, _PATTERN_DOMAIN)
        places = np.arange(memory.depth) if addresses is None else np.asarray(addresses)
        segments = places[:, None] * memory.segments + np.arange(memory.segments)
        words = stream.words(seed, segments)
        return (~words if inverted else words) & memory.segment_masks

    def _addresses(self, memory: MemoryInfo, most_bits: int) -> list[int] | None:
        """Return which words are written: all (None), or both ends, powers of two and a choice."""
        count = max(most_bits // memory.width, 2)
        if self.full or memory.depth <= count:
            return None
        powers = [1 << bit for bit in range((memory.depth - 1).bit_length())]
        seed = stream.memory_seed(self.seed, 0, memory.index, _CHOICE_DOMAIN)
        order = np.argsort(stream.words(seed, np.arange(memory.depth)), kind="stable")
        wanted = dict.fromkeys([0, memory.depth - 1, *powers, *order.tolist()])
        return sorted(list(wanted)[:count])

    def pattern_places(self) -> dict[str, list[int] | None]:
        """Return the addresses that patterns are written to, by weight memory; all if None."""
        return {memory.name: self._addresses(memory, PATTERN_BITS) for memory in self.weights}

    def error_places(self) -> dict[str, list[int] | None]:
        """Return the addresses that are written with errors, by weight memory; all if None."""
        return {memory.name: self._addresses(memory, ERROR_BITS) for memory in self.weights}

    def number(self, memory: MemoryInfo, addresses: Sequence[int] | None) -> int:
        """Return how many words these addresses are."""
        return memory.depth if addresses is None else len(addresses)

    def extent(self, chosen: dict[str, list[int] | None]) -> str:
        """Say how many bits were compared, and of how many memories not all."""
        bits = sum(m.width * self.number(m, chosen[m.name]) for m in self.weights)
        some = sum(addresses is not None for addresses in chosen.values())
        if not some:
            return f"all {bits} bits of {len(chosen)} memories"
        every = sum(memory.bits for memory in self.weights)
        return f"{bits} of {every} bits, a choice of words in {some} of {len(chosen)} memories"

    def differences(
        self, memory: MemoryInfo, expected: Words, addresses: Sequence[int] | None
    ) -> list[str]:
        """Read words back; return what is wrong, nothing where they are as expected."""
        found = self.device.read_weights(memory.name, addresses)
        differing = np.argwhere((found != expected).any(axis=1))[:, 0]
        if not differing.size:
            return []
        first = int(differing[0])
        bits = np.flatnonzero(
            bits_of((found ^ expected)[first : first + 1], 32 * memory.segments)[0]
        )
        return [
            f"{memory.name}: {differing.size} of {len(expected)} words differ, first word "
            f"{first if addresses is None else addresses[first]} in bit {bits[0]}"
        ]

    def images(self, share: int = 1) -> int:
        """Return how many golden images a run takes that may have one of so many shares of time."""
        bound = max(self.bundle.cycles_per_frame, 1)
        within = len(self.golden.images) if self.full else CYCLES // share // bound
        return min(max(within, 1), len(self.golden.images))

    def exact(self) -> None:
        """Set errors off, make sure of the weights, and start streams and counters anew."""
        self.errors_off()
        if self.stale:
            self.device.write_weights()
            self.stale = False
        self.device.soft_reset()

    def errors_off(self) -> None:
        """Set the errors of all memories off."""
        for memory in self.bundle.memories:
            self.device.set_errors(memory.name, "off")

    def compare_labels(self, labels: npt.NDArray[Any], count: int) -> None:
        """Raise CheckError unless labels are those of the first golden images."""
        differing = np.flatnonzero(labels != self.golden.labels[:count])
        if differing.size:
            first = differing[0]
            raise CheckError(
                f"{differing.size} of {count} labels differ, first image {first}: {labels[first]} "
                f"found, {self.golden.labels[first]} expected"
            )

    def unlike_frames(self, seen: Snapshot, count: int) -> list[str]:
        """Compare frames and cycles with what a run after a soft reset must have counted."""
        wrong = []
        if seen.frames != count:
            wrong.append(f"FRAMES_DONE reads {seen.frames}, {count} images were run")
        least = (count - 1) * self.bundle.cycles_per_frame
        if seen.cycles <= least:
            wrong.append(f"CYCLES reads {seen.cycles} for {count} frames, above {least} expected")
        if seen.stalls > seen.cycles:
            wrong.append(f"STALLS reads {seen.stalls}, CYCLES only {seen.cycles}")
        return wrong + unlike_times(seen, count)

    def incoming(self, memory: MemoryInfo, count: int) -> Bits:
        """Return the words that golden images write into a buffer when nothing errs before it."""
        edge = self.golden.edges[memory.name][:count]
        words = edge.astype(np.uint8).reshape(-1, memory.data_width)
        return words if memory.code is None else encode(memory.code, words)


def unlike_times(seen: Snapshot, count: int) -> list[str]:
    """Compare the times of frames with what a run of some images after a soft reset allows."""
    times = seen.times
    if times.latency is None or times.latency_min is None or times.latency_max is None:
        return [f"LATENCY_MAX reads 0 after {count} frames"]
    wrong = []
    if not 0 < times.latency_min <= times.latency <= times.latency_max <= seen.cycles:
        wrong.append(
            f"LATENCY reads {times.latency}, LATENCY_MIN {times.latency_min}, LATENCY_MAX "
            f"{times.latency_max}, CYCLES {seen.cycles}"
        )
    if (times.distance_max is None) != (count < 2):
        wrong.append(f"DISTANCE_MAX reads {times.distance_max or 0} after {count} frames")
    if not 0 < (times.distance_min or 1) <= (times.distance_max or 1):
        wrong.append(f"DISTANCE_MIN reads {times.distance_min}, DISTANCE_MAX {times.distance_max}")
    return wrong
