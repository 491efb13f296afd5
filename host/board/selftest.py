"""The check of a loaded accelerator: registers, memories, layers, streams, errors and counters.

It asks the driver for what it needs and compares with what follows from the bundle: golden vectors
of FINN's execution, and errors that are a function of seed and place. So the same lines check a
board and the virtual board. What a device cannot do is left out by its capability: only a
simulator shows layer boundaries, and only a bus that reports errors is given cause for one.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.board.driver import Accelerator, Snapshot
from spinflow.host.core import arrays, description, stream
from spinflow.host.core.bundle import Bundle, Memory
from spinflow.host.core.errors import DeviceError, HostError
from spinflow.host.core.files import replace_text
from spinflow.host.core.memory import MODES, Counts, Errors
from spinflow.host.core.memory import buffer as buffer_writes
from spinflow.host.core.memory import weights as weight_writes
from spinflow.host.core.packing import Bits, Words, bits_of
from spinflow.host.sweep.statistics import binomial_range

OUTSIDE = 1e-6
"""Probability that chance alone fails the statistical check of one buffer."""

PATTERN_BITS = 1 << 20
"""Bits of each weight memory that the patterns are written to, unless all are asked for."""

ERROR_BITS = 1 << 16
"""Bits of each weight memory that are written with errors, unless all are asked for."""

CYCLES = 1 << 18
"""Cycles that the images of one run may take by the folding's bound, unless all are asked for."""

_PATTERN_DOMAIN = 0x7E570000
_CHOICE_DOMAIN = 0xC4010000
_ERROR_DOMAIN = 0xE5500000

# Both directions, unequal rates, and the threshold against which every draw errs.
_SETTINGS = (("flip", 0.25, 0.01), ("flip", 0.0, 1.0), ("switch", 0.05, 0.4), ("switch", 1.0, 0.0))
_BUFFER_SETTINGS = (("flip", 0.02, 0.1), ("switch", 0.3, 0.05))
_RATE_OF_ALL = 0.1

_TRANSFERS = ((1, 1), (3, 1), (5, 2), (7, 7))
"""Images of a run and images of each of its transfers: single ones, several, odd rests."""

_SETTING_REGISTERS = ("RATE1", "RATE0", "SEED")


class CheckError(HostError):
    """A check that failed; the message says where and what was found."""


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        name: what was checked.
        passed: whether it was as it must be.
        detail: how much was checked, or what was wrong.
        seconds: how long it took.
    """

    name: str
    passed: bool
    detail: str
    seconds: float


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


class Selftest:
    """The checks of one accelerator.

    Args:
        accelerator: it may be loaded without having been checked.
        golden: golden vectors of its bundle.
        full: all words and all images, not a choice of them.
        seed: 32-bit seed of patterns, of the choice of words, and of errors.
    """

    def __init__(
        self, accelerator: Accelerator, golden: Golden, full: bool = False, seed: int = 1
    ) -> None:
        self._device = accelerator
        self._bundle = accelerator.bundle
        self._golden = golden
        self._full = full
        self._seed = seed
        self._stale = True  # whether a weight memory may hold other words than the trained ones
        self._weights = [memory for memory in self._bundle.memories if memory.is_weights]
        self._buffers = [memory for memory in self._bundle.memories if not memory.is_weights]

    def results(self) -> Iterator[Result]:
        """Run one check after another and give its line when it is done.

        A check that fails lets the next go on, but for those that say what is loaded: another
        accelerator has its registers and memories elsewhere, so nothing more is asked of it.
        """
        for name, check in self._identity():
            result = _run(name, check)
            yield result
            if not result.passed:
                return
        for name, check in self._checks():
            yield _run(name, check)

    def _identity(self) -> Iterator[tuple[str, Callable[[], str]]]:
        facts = self._device.facts()
        for name in ("identity", "map version", "build id", "number of memories"):
            yield name, lambda: _agree([next(facts)])
        yield "facts of the memories", lambda: _agree(list(facts))

    def _checks(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "configuration registers", self._configuration
        yield "settings while busy", self._refusals
        if self._device.reports_bus_errors:
            yield "refused bus accesses", self._bus_errors
        yield "weights, patterns", self._patterns
        yield "weights, as trained", self._trained
        yield "golden vectors, labels", self._labels
        if self._device.taps is not None:
            yield "golden vectors, layers", self._layers
        yield "frames and cycles", self._frames
        yield "clear and soft reset", self._resets
        yield "transfers", self._transfers
        for mode, rate1, rate0 in _SETTINGS:
            check = partial(self._weight_errors, mode, rate1, rate0)
            yield f"weights, {mode} {rate1:g} / {rate0:g}", check
        if self._buffers:
            for mode, rate1, rate0 in _BUFFER_SETTINGS:
                check = partial(self._buffer_errors, mode, rate1, rate0)
                yield f"buffers, {mode} {rate1:g} / {rate0:g}", check
            for mode in ("flip", "switch"):
                yield f"all buffers at once, {mode}", partial(self._all_buffers, mode)
        yield "labels at the end", self._labels_again

    # Registers

    def _configuration(self) -> str:
        """Walk a one and a zero through every setting, all memories at a time and each another."""
        device, memories = self._device, self._bundle.memories
        device.soft_reset()
        places = [(name, memory) for memory in memories for name in _SETTING_REGISTERS]
        places += [("MODE", memory) for memory in memories]
        before = [device.read_register(name, memory) for name, memory in places]
        transfer = device.read_register("FRAMES_PER_TRANSFER")
        walking = [1 << bit for bit in range(32)]
        walking += [~word & 0xFFFFFFFF for word in walking]
        wrong: list[str] = []
        for step in range(len(walking)):
            values = [
                (place + step) % len(MODES) if name == "MODE" else walking[(place + step) % 64]
                for place, (name, _) in enumerate(places)
            ]
            for (name, memory), value in zip(places, values, strict=True):
                device.write_register(name, value, memory)
            device.write_register("FRAMES_PER_TRANSFER", walking[step])
            for (name, memory), value in zip(places, values, strict=True):
                found = device.read_register(name, memory)
                if found != value:
                    wrong.append(f"{name} of {memory.name} reads {found:#x}, {value:#x} written")
            found = device.read_register("FRAMES_PER_TRANSFER")
            if found != walking[step]:
                wrong.append(f"FRAMES_PER_TRANSFER reads {found:#x}, {walking[step]:#x} written")
        for (name, memory), value in zip(places, before, strict=True):
            device.write_register(name, value, memory)
            found = device.read_register(name, memory)
            if found != value:
                wrong.append(f"{name} of {memory.name} cannot be set back to {value:#x}")
        device.write_register("FRAMES_PER_TRANSFER", transfer)
        _raise_if(wrong)
        return f"{len(places) + 1} registers, walking ones and zeros, set back"

    def _refusals(self) -> str:
        device, clear = self._device, self._bundle.registers.field("STATUS", "refused", 1)
        device.begin_frame()
        wrong = ["STATUS.idle is 1 while a frame is under way"] if device.status("idle") else []
        for memory in self._bundle.memories:
            before = device.read_register("SEED", memory)
            device.write_register("STATUS", clear)
            if device.status("refused"):
                wrong.append("STATUS.refused cannot be cleared")
            device.write_register("SEED", before ^ 0xFFFFFFFF, memory)
            if not device.status("refused"):
                wrong.append(f"STATUS.refused is 0 after SEED of {memory.name} was written busy")
            if device.read_register("SEED", memory) != before:
                wrong.append(f"SEED of {memory.name} changed while a frame is under way")
        device.soft_reset()
        device.write_register("STATUS", clear)
        if not device.status("idle"):
            wrong.append("STATUS.idle is 0 after a soft reset")
        _raise_if(wrong)
        return f"refused by {len(self._bundle.memories)} memories, idle again after a soft reset"

    def _bus_errors(self) -> str:
        device, end = self._device, max(m.base + m.depth * m.stride for m in self._weights)
        wrong = []
        for name, access in (
            ("a read behind the last weight window", partial(device.read_word, end)),
            ("a write behind the last weight window", partial(device.write_word, end, 0)),
        ):
            if not _refused(access):
                wrong.append(f"{name} was answered without an error")
        device.begin_frame()
        for memory in self._weights:
            for name, access in (
                ("read", partial(device.read_word, memory.base)),
                ("write", partial(device.write_word, memory.base, 0)),
            ):
                if not _refused(access):
                    wrong.append(f"a {name} of {memory.name} was answered during a frame")
        device.soft_reset()
        _raise_if(wrong)
        return f"{2 + 2 * len(self._weights)} accesses answered with an error, as they must be"

    # Weight memories with exact writes

    def _patterns(self) -> str:
        """Write words that their place alone gives to all memories, then compare; and inverted."""
        self._errors_off()
        self._stale = True
        chosen = {memory.name: self._addresses(memory, PATTERN_BITS) for memory in self._weights}
        wrong: list[str] = []
        for inverted in (False, True):
            self._device.clear()
            # The second time backwards: a word that lands in two places is overwritten in one of
            # the two orders only.
            for memory in reversed(self._weights) if inverted else self._weights:
                addresses = chosen[memory.name]
                if inverted:
                    addresses = list(range(memory.depth)) if addresses is None else addresses
                    addresses = addresses[::-1]
                words = self._pattern(memory, addresses, inverted)
                self._device.store(memory, words, addresses)
            counts = self._device.snapshot().memories
            for memory in self._weights:
                addresses = chosen[memory.name]
                wrong += self._differences(
                    memory, self._pattern(memory, addresses, inverted), addresses
                )
                bits = memory.width * self._number(memory, addresses)
                found = counts[memory.name]
                # What was there before the first pattern is not known; the second changes all.
                switched = bits if inverted else found.switched
                wrong += _unlike(memory, found, Counts(bits, switched, 0, 0))
        _raise_if(wrong)
        return self._extent(chosen)

    def _trained(self) -> str:
        self._exact()
        chosen = {memory.name: self._addresses(memory, PATTERN_BITS) for memory in self._weights}
        wrong: list[str] = []
        for memory in self._weights:
            addresses = chosen[memory.name]
            wrong += self._differences(memory, self._words(memory, addresses), addresses)
        _raise_if(wrong)
        return self._extent(chosen)

    def _words(self, memory: Memory, addresses: Sequence[int] | None) -> Words:
        """Return the trained words at some addresses, at all if None."""
        words = self._bundle.weights[memory.name]
        return words if addresses is None else words[list(addresses)]

    def _pattern(
        self, memory: Memory, addresses: Sequence[int] | None, inverted: bool = False
    ) -> Words:
        """Return words that tell their memory and address."""
        seed = stream.memory_seed(self._seed, 0, memory.index, _PATTERN_DOMAIN)
        places = np.arange(memory.depth) if addresses is None else np.asarray(addresses)
        segments = places[:, None] * memory.segments + np.arange(memory.segments)
        words = stream.draws(seed, segments)
        return (~words if inverted else words) & memory.segment_masks

    def _addresses(self, memory: Memory, most_bits: int) -> list[int] | None:
        """Return which words are written: all (None), or both ends, powers of two and a choice."""
        count = max(most_bits // memory.width, 2)
        if self._full or memory.depth <= count:
            return None
        powers = [1 << bit for bit in range((memory.depth - 1).bit_length())]
        seed = stream.memory_seed(self._seed, 0, memory.index, _CHOICE_DOMAIN)
        order = np.argsort(stream.draws(seed, np.arange(memory.depth)), kind="stable")
        wanted = dict.fromkeys([0, memory.depth - 1, *powers, *order.tolist()])
        return sorted(list(wanted)[:count])

    def _number(self, memory: Memory, addresses: Sequence[int] | None) -> int:
        return memory.depth if addresses is None else len(addresses)

    def _extent(self, chosen: dict[str, list[int] | None]) -> str:
        """Say how many bits were compared, and of how many memories not all."""
        bits = sum(m.width * self._number(m, chosen[m.name]) for m in self._weights)
        some = sum(addresses is not None for addresses in chosen.values())
        if not some:
            return f"all {bits} bits of {len(chosen)} memories"
        every = sum(memory.bits for memory in self._weights)
        return f"{bits} of {every} bits, a choice of words in {some} of {len(chosen)} memories"

    def _differences(
        self, memory: Memory, expected: Words, addresses: Sequence[int] | None
    ) -> list[str]:
        found = self._device.read_weights(memory.name, addresses)
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

    # Images without errors

    def _images(self, share: int = 1) -> int:
        """Return how many golden images a run takes that may have one of so many shares of time."""
        bound = max(self._bundle.cycles_per_frame, 1)
        within = len(self._golden.images) if self._full else CYCLES // share // bound
        return min(max(within, 1), len(self._golden.images))

    def _exact(self) -> None:
        """Set errors off, make sure of the weights, and start streams and counters anew."""
        self._errors_off()
        if self._stale:
            self._device.write_weights()
            self._stale = False
        self._device.soft_reset()

    def _errors_off(self) -> None:
        for memory in self._bundle.memories:
            self._device.set_errors(memory.name, "off")

    def _compare_labels(self, labels: npt.NDArray[Any], count: int) -> None:
        differing = np.flatnonzero(labels != self._golden.labels[:count])
        if differing.size:
            first = differing[0]
            raise CheckError(
                f"{differing.size} of {count} labels differ, first image {first}: {labels[first]} "
                f"found, {self._golden.labels[first]} expected"
            )

    def _labels(self) -> str:
        self._exact()
        count = self._images()
        self._compare_labels(self._device.run(self._golden.images[:count]), count)
        return f"{count} of {len(self._golden.images)} images"

    def _layers(self) -> str:
        taps = self._device.taps
        assert taps is not None
        self._exact()
        count = self._images(4)
        taps.record()
        try:
            self._device.run(self._golden.images[:count])
            found = taps.recorded()
        except ValueError as error:
            raise CheckError(str(error)) from None
        finally:
            taps.record(())
        missing = sorted(set(found) - set(self._golden.edges))
        wrong = [f"no golden vectors for {name}" for name in missing]
        for name, values in found.items():
            expected = self._golden.edges.get(name, values)[:count]
            if values.shape != expected.shape:
                wrong.append(f"{name}: {values.shape} elements came, {expected.shape} expected")
            elif not np.array_equal(values, expected):
                image, element = np.argwhere(values != expected)[0]
                wrong.append(
                    f"{name}: {np.count_nonzero(values != expected)} of {values.size} elements "
                    f"differ, first image {image} element {element}: {values[image, element]} "
                    f"found, {expected[image, element]} expected"
                )
        _raise_if(wrong)
        elements = sum(values.size for values in found.values())
        return f"{len(found)} boundaries of {count} images, {elements} elements"

    def _frames(self) -> str:
        self._exact()
        count = self._images()
        self._device.run(self._golden.images[:count])
        seen = self._device.snapshot()
        wrong = self._unlike_frames(seen, count)
        if seen.stalls:
            wrong.append(f"STALLS reads {seen.stalls} without errors")
        for memory in self._buffers:
            _, expected = buffer_writes(
                Errors("off", 0, 0, 0), self._incoming(memory, count), memory.depth
            )
            wrong += _unlike(memory, seen.memories[memory.name], expected)
        _raise_if(wrong)
        return (
            f"{count} frames, {seen.cycles} cycles ({seen.cycles / count:.1f} a frame, the bound "
            f"is {self._bundle.cycles_per_frame}), no stalls, bits of {len(self._buffers)} buffers"
        )

    def _unlike_frames(self, seen: Snapshot, count: int) -> list[str]:
        """Compare frames and cycles with what a run after a soft reset must have counted."""
        wrong = []
        if seen.frames != count:
            wrong.append(f"FRAMES_DONE reads {seen.frames}, {count} images were run")
        least = (count - 1) * self._bundle.cycles_per_frame
        if seen.cycles <= least:
            wrong.append(f"CYCLES reads {seen.cycles} for {count} frames, above {least} expected")
        if seen.stalls > seen.cycles:
            wrong.append(f"STALLS reads {seen.stalls}, CYCLES only {seen.cycles}")
        return wrong

    def _incoming(self, memory: Memory, count: int) -> Bits:
        """Return what golden images write into a buffer when nothing errs before it."""
        edge = self._golden.edges[memory.name][:count]
        return edge.astype(np.uint8).reshape(-1, memory.width)

    def _resets(self) -> str:
        """Run an image, clear; run an image, soft-reset: all counters are 0 each time."""
        self._exact()
        wrong = []
        for name, command in (("clear", self._device.clear), ("reset", self._device.soft_reset)):
            self._device.run(self._golden.images[:1])
            if self._device.snapshot().frames < 1:
                wrong.append(f"FRAMES_DONE is 0 after an image, before the {name}")
            command()
            seen = self._device.snapshot()
            left = {name: counts for name, counts in seen.memories.items() if counts != Counts()}
            if (seen.frames, seen.cycles, seen.stalls) != (0, 0, 0) or left:
                wrong.append(
                    f"after a {name} the counters read {seen.frames} frames, {seen.cycles} cycles, "
                    f"{seen.stalls} stalls, {left}"
                )
        for memory in self._weights:
            addresses = self._addresses(memory, ERROR_BITS)
            wrong += self._differences(memory, self._words(memory, addresses), addresses)
        _raise_if(wrong)
        return "all counters 0, weights kept"

    def _transfers(self) -> str:
        self._exact()
        sizes = []
        for images, transfer in _TRANSFERS:
            count = min(images, len(self._golden.images))
            try:
                self._compare_labels(self._device.run(self._golden.images[:count], transfer), count)
            except HostError as error:
                raise CheckError(f"{count} images in transfers of {transfer}: {error}") from None
            sizes.append(f"{count} by {transfer}")
        return f"images by images a transfer: {', '.join(sizes)}"

    # Errors

    def _errors(self, memory: Memory, mode: str, rate1: float, rate0: float) -> Errors:
        seed = stream.memory_seed(self._seed, 0, memory.index, _ERROR_DOMAIN)
        return Errors(mode, stream.threshold(rate1), stream.threshold(rate0), seed)

    def _set(self, memory: Memory, errors: Errors) -> None:
        self._device.configure(
            memory,
            {
                "MODE": MODES.index(errors.mode),
                "RATE1": errors.threshold1,
                "RATE0": errors.threshold0,
                "SEED": errors.seed,
            },
        )

    def _weight_errors(self, mode: str, rate1: float, rate0: float) -> str:
        """Write patterns with errors over the trained weights: bits and counters, exactly."""
        self._exact()
        wrong: list[str] = []
        total = Counts()
        chosen = {memory.name: self._addresses(memory, ERROR_BITS) for memory in self._weights}
        for memory in self._weights:
            addresses = chosen[memory.name]
            old = bits_of(self._words(memory, addresses), memory.width)
            target = self._pattern(memory, addresses)
            errors = self._errors(memory, mode, rate1, rate0)
            stored, expected = weight_writes(errors, bits_of(target, memory.width), old)
            self._set(memory, errors)
            self._device.clear()
            self._stale = True
            self._device.store(memory, target, addresses)
            wrong += _unlike(memory, self._device.snapshot().memories[memory.name], expected)
            found = bits_of(self._device.read_weights(memory.name, addresses), memory.width)
            if not np.array_equal(found, stored):
                word, bit = np.argwhere(found != stored)[0]
                wrong.append(
                    f"{memory.name}: {np.count_nonzero(found != stored)} of {found.size} bits are "
                    f"not as predicted, first bit {bit} of word "
                    f"{word if addresses is None else addresses[word]}"
                )
            total += expected
            self._device.set_errors(memory.name, "off")
            self._device.store(memory, self._words(memory, addresses), addresses)
            self._stale = False
        _raise_if(wrong)
        return f"{_shown(total)} as predicted; {self._extent(chosen)}"

    def _buffer_errors(self, mode: str, rate1: float, rate0: float) -> str:
        """Let one buffer at a time err: what comes into it is golden, so its counters are known."""
        self._exact()
        count = self._images(2 * len(self._buffers))
        wrong: list[str] = []
        total = Counts()
        for memory in self._buffers:
            errors = self._errors(memory, mode, rate1, rate0)
            self._set(memory, errors)
            self._device.soft_reset()
            self._device.run(self._golden.images[:count])
            seen = self._device.snapshot()
            _, expected = buffer_writes(errors, self._incoming(memory, count), memory.depth)
            wrong += _unlike(memory, seen.memories[memory.name], expected)
            wrong += [f"{memory.name} on: {line}" for line in self._unlike_frames(seen, count)]
            self._device.set_errors(memory.name, "off")
            total += expected
        _raise_if(wrong)
        return f"{count} images for each of {len(self._buffers)}, {_shown(total)} as predicted"

    def _all_buffers(self, mode: str) -> str:
        """Let all buffers err: what comes into the later ones is not known, how many is."""
        self._exact()
        count = self._images()
        for memory in self._buffers:
            self._set(memory, self._errors(memory, mode, _RATE_OF_ALL, _RATE_OF_ALL))
        self._device.soft_reset()
        self._device.run(self._golden.images[:count])
        seen = self._device.snapshot()
        wrong = self._unlike_frames(seen, count)
        rate = stream.rate(stream.threshold(_RATE_OF_ALL))
        total = Counts()
        for memory in self._buffers:
            found = seen.memories[memory.name]
            written = count * self._bundle.elements(memory)
            if found.written != written:
                wrong.append(f"{memory.name}: {found.written} bits written, {written} expected")
            # A flip errs whatever the bit; a switch only where the bit would change.
            trials = found.written if mode == "flip" else found.switched
            low, high = binomial_range(trials, rate, OUTSIDE)
            if not low <= found.errors <= high:
                wrong.append(
                    f"{memory.name}: {found.errors} errors in {trials} bits at rate "
                    f"{_RATE_OF_ALL:g}, {low} to {high} expected (all but {OUTSIDE:g} of chance)"
                )
            total += found
        _raise_if(wrong)
        return (
            f"{count} images, {_shown(total)}, in each of {len(self._buffers)} buffers as many as "
            f"chance allows (binomial, all but {OUTSIDE:g})"
        )

    def _labels_again(self) -> str:
        self._exact()
        count = self._images(8)
        self._compare_labels(self._device.run(self._golden.images[:count]), count)
        return f"{count} images; errors off and trained weights left behind"


def _run(name: str, check: Callable[[], str]) -> Result:
    start = time.monotonic()
    try:
        passed, detail = True, check()
    except HostError as error:
        passed, detail = False, str(error)
    return Result(name, passed, detail, round(time.monotonic() - start, 3))


def _agree(facts: Sequence[Any]) -> str:
    _raise_if([str(fact) for fact in facts if fact.found != fact.expected])
    if len(facts) == 1:
        return str(facts[0]).partition(",")[0]
    return f"{len(facts)} registers: kind, layer, width and depth"


def _unlike(memory: Memory, found: Counts, expected: Counts) -> list[str]:
    if found == expected:
        return []
    return [f"{memory.name} counted {_shown(found)}; {_shown(expected)} expected"]


def _shown(counts: Counts) -> str:
    return (
        f"{counts.written} bits written, {counts.switched} switched, {counts.err1} + "
        f"{counts.err0} errors"
    )


def _raise_if(wrong: Sequence[str], most: int = 3) -> None:
    """Fail with what is wrong, the first few of it."""
    if wrong:
        more = f"; and {len(wrong) - most} more" if len(wrong) > most else ""
        raise CheckError("; ".join(wrong[:most]) + more)


def _refused(access: Callable[[], Any]) -> bool:
    try:
        access()
    except DeviceError:
        return True
    return False


def line(result: Result) -> str:
    """Return a result's line of the table."""
    return f"{'PASS' if result.passed else 'FAIL'}  {result.name:28} {result.detail}"


def verdict(results: Sequence[Result]) -> str:
    """Return the last line: how many checks there were, and how many failed."""
    failed = sum(not result.passed for result in results)
    if failed:
        return f"FAILED: {failed} of {len(results)}"
    return f"selftest passed: {len(results)} checks"


def write_report(
    path: Path, accelerator: Accelerator, results: Sequence[Result], full: bool, seed: int
) -> None:
    """Write all results as JSON."""
    bundle = accelerator.bundle
    content = {
        "format": 1,
        "network": bundle.network,
        "build_id": bundle.build_id,
        "board": bundle.board,
        "backend": accelerator.backend,
        "pynq": accelerator.pynq_version,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "full": full,
        "seed": seed,
        "passed": all(result.passed for result in results),
        "seconds": round(sum(result.seconds for result in results), 3),
        "checks": [asdict(result) for result in results],
    }
    replace_text(path, json.dumps(content, indent=2) + "\n")
