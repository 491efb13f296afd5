"""The check of a loaded accelerator: registers, memories, layers, streams, errors and counters.

It asks the driver for what it needs and compares with what follows from the bundle: golden vectors
of FINN's execution, and errors that are a function of seed and place. So the same lines check a
board and the virtual board. What a device cannot do is left out by its capability: only a
simulator shows layer boundaries, and only a bus that reports errors is given cause for one.
"""

from __future__ import annotations

from collections.abc import Iterator

from spinflow.host.board.driver import Accelerator
from spinflow.host.board.selftest.bench import Bench, Golden, read_golden
from spinflow.host.board.selftest.codes import CodeChecks
from spinflow.host.board.selftest.errors import ErrorChecks
from spinflow.host.board.selftest.exact import ExactChecks
from spinflow.host.board.selftest.registers import RegisterChecks
from spinflow.host.board.selftest.results import (
    Check,
    CheckError,
    Result,
    line,
    run,
    verdict,
    write_report,
)

__all__ = [
    "CheckError",
    "Golden",
    "Result",
    "Selftest",
    "line",
    "read_golden",
    "verdict",
    "write_report",
]


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
        bench = Bench(accelerator, golden, full, seed)
        self._registers = RegisterChecks(bench)
        self._exact = ExactChecks(bench)
        self._codes = CodeChecks(bench)
        self._errors = ErrorChecks(bench)

    def results(self) -> Iterator[Result]:
        """Run one check after another and give its line when it is done.

        A check that fails lets the next go on, but for those that say what is loaded: another
        accelerator has its registers and memories elsewhere, so nothing more is asked of it.
        """
        for name, check in self._registers.identity():
            result = run(name, check)
            yield result
            if not result.passed:
                return
        for name, check in self._checks():
            yield run(name, check)

    def _checks(self) -> Iterator[Check]:
        yield from self._registers.checks()
        yield from self._exact.checks()
        yield from self._codes.checks()
        yield from self._errors.checks()
        yield from self._exact.last()
