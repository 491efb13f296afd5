"""Sweeps on the RTL on all cores: virtual boards in processes of their own."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from spinflow.host.board.driver import Accelerator
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.test_sets import TestSet
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.running import Measure, Measured, on_accelerator
from spinflow.host.sweep.trials import Trial
from spinflow.sim.sweeps.workers import in_processes


@dataclass(frozen=True)
class BoardJob:
    """All that a worker needs to measure trials on a virtual board of its own.

    A worker loads the library of the bundle's folder itself, and the driver makes sure that it is
    of the build that the bundle was read with.

    Attributes:
        bundle: the bundle, as this process has read it.
        tests: the images.
    """

    bundle: Bundle
    tests: TestSet

    shares: ClassVar[bool] = False
    """An accelerator holds one trial at a time."""
    weight_bytes: ClassVar[int] = 0
    """It has its weights in its own memories."""

    @functools.cached_property
    def digest(self) -> str:
        """A name of its own for every job."""
        words = (str(self.bundle.folder), self.bundle.build_id, self.tests.fingerprint)
        return hashlib.sha256(repr(words).encode()).hexdigest()[:16]

    def bench(self, threads: int | None) -> Bench:
        """Load the accelerator; it runs in one thread, however many there may be.

        Raises:
            HostError: it cannot be loaded, or is another.
        """
        return Bench(Accelerator(self.bundle), self.tests)


def on_boards(bundle: Bundle, tests: TestSet, boards: int) -> Measure:
    """Return what measures trials on so many virtual boards at most, one core each.

    A single board, which a single trial gets too, is in this process.
    """

    def measure(trials: Sequence[Trial]) -> Measured:
        number = min(boards, len(trials))
        if number > 1:
            return in_processes(BoardJob(bundle, tests), number)(trials)
        return on_accelerator(bundle, tests)(trials)

    return measure
