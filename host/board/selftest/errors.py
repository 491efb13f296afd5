"""Checks with errors, which are a function of seed and place: bits and counters as predicted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from spinflow.host.board.selftest.bench import Bench
from spinflow.host.board.selftest.codes import unlike_codes
from spinflow.host.board.selftest.results import Check, raise_if, shown, unlike
from spinflow.host.core import stream
from spinflow.host.core.bundle import MemoryInfo
from spinflow.host.core.memory import MODES, Counts, Errors
from spinflow.host.core.memory import buffer as buffer_writes
from spinflow.host.core.memory import weights as weight_writes
from spinflow.host.core.packing import bits_of
from spinflow.host.core.secded import counts_of, decode
from spinflow.host.sweep.statistics import binomial_range

OUTSIDE = 1e-6
"""Probability that chance alone fails the statistical check of one buffer."""

_ERROR_DOMAIN = 0xE5500000

# Both directions, unequal rates, and the threshold against which every draw errs.
_SETTINGS = (("flip", 0.25, 0.01), ("flip", 0.0, 1.0), ("switch", 0.05, 0.4), ("switch", 1.0, 0.0))
_BUFFER_SETTINGS = (("flip", 0.02, 0.1), ("switch", 0.3, 0.05))
_RATE_OF_ALL = 0.1


class ErrorChecks:
    """The checks of one accelerator whose writes err."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._device = bench.device
        self._bundle = bench.bundle
        self._weights = bench.weights
        self._buffers = bench.buffers
        self._golden = bench.golden

    def checks(self) -> Iterator[Check]:
        """Give the checks, in their order."""
        for mode, rate1, rate0 in _SETTINGS:
            check = partial(self._weight_errors, mode, rate1, rate0)
            yield f"weights, {mode} {rate1:g} / {rate0:g}", check
        if self._buffers:
            for mode, rate1, rate0 in _BUFFER_SETTINGS:
                check = partial(self._buffer_errors, mode, rate1, rate0)
                yield f"buffers, {mode} {rate1:g} / {rate0:g}", check
            for mode in ("flip", "switch"):
                yield f"all buffers at once, {mode}", partial(self._all_buffers, mode)

    def _errors(self, memory: MemoryInfo, mode: str, rate1: float, rate0: float) -> Errors:
        seed = stream.memory_seed(self._bench.seed, 0, memory.index, _ERROR_DOMAIN)
        return Errors(mode, stream.threshold(rate1), stream.threshold(rate0), seed)

    def _set(self, memory: MemoryInfo, errors: Errors) -> None:
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
        self._bench.exact()
        wrong: list[str] = []
        total = Counts()
        chosen = self._bench.error_places()
        for memory in self._weights:
            addresses = chosen[memory.name]
            old = bits_of(self._bench.words(memory, addresses), memory.width)
            target = self._bench.pattern(memory, addresses)
            errors = self._errors(memory, mode, rate1, rate0)
            stored, expected = weight_writes(errors, bits_of(target, memory.width), old)
            self._set(memory, errors)
            self._device.clear()
            self._bench.stale = True
            self._device.store(memory, target, addresses)
            wrong += unlike(memory, self._device.snapshot().memories[memory.name], expected)
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
            self._device.store(memory, self._bench.words(memory, addresses), addresses)
            self._bench.stale = False
        raise_if(wrong)
        return f"{shown(total)} as predicted; {self._bench.extent(chosen)}"

    def _buffer_errors(self, mode: str, rate1: float, rate0: float) -> str:
        """Let one buffer at a time err: what comes into it is golden, so its counters are known."""
        self._bench.exact()
        count = self._bench.images(2 * len(self._buffers))
        wrong: list[str] = []
        total = Counts()
        for memory in self._buffers:
            errors = self._errors(memory, mode, rate1, rate0)
            self._set(memory, errors)
            self._device.soft_reset()
            self._device.run(self._golden.images[:count])
            seen = self._device.snapshot()
            incoming = self._bench.incoming(memory, count)
            stored, expected = buffer_writes(errors, incoming, memory.depth)
            wrong += unlike(memory, seen.memories[memory.name], expected)
            if memory.code is not None:
                codes = counts_of(decode(memory.code, stored))
                wrong += unlike_codes(memory, seen.codes[memory.name], codes)
            wrong += [
                f"{memory.name} on: {line}" for line in self._bench.unlike_frames(seen, count)
            ]
            self._device.set_errors(memory.name, "off")
            total += expected
        raise_if(wrong)
        return f"{count} images for each of {len(self._buffers)}, {shown(total)} as predicted"

    def _all_buffers(self, mode: str) -> str:
        """Let all buffers err: what comes into the later ones is not known, how many is."""
        self._bench.exact()
        count = self._bench.images()
        for memory in self._buffers:
            self._set(memory, self._errors(memory, mode, _RATE_OF_ALL, _RATE_OF_ALL))
        self._device.soft_reset()
        self._device.run(self._golden.images[:count])
        seen = self._device.snapshot()
        wrong = self._bench.unlike_frames(seen, count)
        rate = stream.rate(stream.threshold(_RATE_OF_ALL))
        total = Counts()
        for memory in self._buffers:
            found = seen.memories[memory.name]
            words = count * self._bundle.elements(memory) // memory.data_width
            written = words * memory.width
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
        raise_if(wrong)
        return (
            f"{count} images, {shown(total)}, in each of {len(self._buffers)} buffers as many as "
            f"chance allows (binomial, all but {OUTSIDE:g})"
        )
