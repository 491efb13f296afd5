"""Checks without errors: words as they were written, images as FINN's execution has them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spinflow.host.board.registers import FrameTimes
from spinflow.host.board.selftest.bench import Bench
from spinflow.host.board.selftest.results import Check, CheckError, raise_if, unlike
from spinflow.host.core.errors import HostError
from spinflow.host.core.memory import Counts, Errors
from spinflow.host.core.memory import buffer as buffer_writes
from spinflow.host.core.secded import CodeCounts

_TRANSFERS = ((1, 1), (3, 1), (5, 2), (7, 7))
"""Images of a run and images of each of its transfers: single ones, several, odd rests."""


class ExactChecks:
    """The checks of one accelerator whose writes do not err."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._device = bench.device
        self._bundle = bench.bundle
        self._weights = bench.weights
        self._buffers = bench.buffers
        self._golden = bench.golden

    def checks(self) -> Iterator[Check]:
        """Give the checks, in their order."""
        yield "weights, patterns", self._patterns
        yield "weights, as trained", self._trained
        yield "golden vectors, labels", self._labels
        if self._device.taps is not None:
            yield "golden vectors, layers", self._layers
        yield "frames and cycles", self._frames
        yield "clear and soft reset", self._resets
        yield "transfers", self._transfers

    def last(self) -> Iterator[Check]:
        """Give the check that comes after all others, and leaves the accelerator as trained."""
        yield "labels at the end", self._labels_again

    def _patterns(self) -> str:
        """Write words that their place alone gives to all memories, then compare; and inverted."""
        self._bench.errors_off()
        self._bench.stale = True
        chosen = self._bench.pattern_places()
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
                words = self._bench.pattern(memory, addresses, inverted)
                self._device.store(memory, words, addresses)
            counts = self._device.snapshot().memories
            for memory in self._weights:
                addresses = chosen[memory.name]
                wrong += self._bench.differences(
                    memory, self._bench.pattern(memory, addresses, inverted), addresses
                )
                bits = memory.width * self._bench.number(memory, addresses)
                found = counts[memory.name]
                # What was there before the first pattern is not known; the second changes all.
                switched = bits if inverted else found.switched
                wrong += unlike(memory, found, Counts(bits, switched, 0, 0))
        raise_if(wrong)
        return self._bench.extent(chosen)

    def _trained(self) -> str:
        self._bench.exact()
        chosen = self._bench.pattern_places()
        wrong: list[str] = []
        for memory in self._weights:
            addresses = chosen[memory.name]
            expected = self._bench.words(memory, addresses)
            wrong += self._bench.differences(memory, expected, addresses)
        raise_if(wrong)
        return self._bench.extent(chosen)

    def _labels(self) -> str:
        self._bench.exact()
        count = self._bench.images()
        self._bench.compare_labels(self._device.run(self._golden.images[:count]), count)
        return f"{count} of {len(self._golden.images)} images"

    def _layers(self) -> str:
        taps = self._device.taps
        assert taps is not None
        self._bench.exact()
        count = self._bench.images(4)
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
        raise_if(wrong)
        elements = sum(values.size for values in found.values())
        return f"{len(found)} boundaries of {count} images, {elements} elements"

    def _frames(self) -> str:
        self._bench.exact()
        count = self._bench.images()
        self._device.run(self._golden.images[:count])
        seen = self._device.snapshot()
        wrong = self._bench.unlike_frames(seen, count)
        if seen.stalls:
            wrong.append(f"STALLS reads {seen.stalls} without errors")
        for memory in self._buffers:
            _, expected = buffer_writes(
                Errors("off", 0, 0, 0), self._bench.incoming(memory, count), memory.depth
            )
            wrong += unlike(memory, seen.memories[memory.name], expected)
        raise_if(wrong)
        return (
            f"{count} frames, {seen.cycles} cycles ({seen.cycles / count:.1f} a frame, the bound "
            f"is {self._bundle.cycles_per_frame}), {seen.times}, no stalls, bits of "
            f"{len(self._buffers)} buffers"
        )

    def _resets(self) -> str:
        """Run an image, clear; run an image, soft-reset: all counters are 0 each time."""
        self._bench.exact()
        wrong = []
        for name, command in (("clear", self._device.clear), ("reset", self._device.soft_reset)):
            self._device.run(self._golden.images[:1])
            if self._device.snapshot().frames < 1:
                wrong.append(f"FRAMES_DONE is 0 after an image, before the {name}")
            command()
            seen = self._device.snapshot()
            left: dict[str, Counts | CodeCounts]
            left = {name: counts for name, counts in seen.memories.items() if counts != Counts()}
            if (seen.frames, seen.cycles, seen.stalls, seen.times) != (0, 0, 0, FrameTimes()):
                wrong.append(
                    f"after a {name} the counters read {seen.frames} frames, {seen.cycles} cycles, "
                    f"{seen.stalls} stalls, {seen.times}"
                )
            left |= {name: codes for name, codes in seen.codes.items() if codes != CodeCounts()}
            if left:
                wrong.append(f"after a {name} the counters of memories read {left}")
        chosen = self._bench.error_places()
        for memory in self._weights:
            addresses = chosen[memory.name]
            expected = self._bench.words(memory, addresses)
            wrong += self._bench.differences(memory, expected, addresses)
        raise_if(wrong)
        return "all counters 0, weights kept"

    def _transfers(self) -> str:
        self._bench.exact()
        sizes = []
        for images, transfer in _TRANSFERS:
            count = min(images, len(self._golden.images))
            try:
                labels = self._device.run(self._golden.images[:count], transfer)
                self._bench.compare_labels(labels, count)
            except HostError as error:
                raise CheckError(f"{count} images in transfers of {transfer}: {error}") from None
            sizes.append(f"{count} by {transfer}")
        return f"images by images a transfer: {', '.join(sizes)}"

    def _labels_again(self) -> str:
        self._bench.exact()
        count = self._bench.images(8)
        self._bench.compare_labels(self._device.run(self._golden.images[:count]), count)
        return f"{count} images; errors off and trained weights left behind"
