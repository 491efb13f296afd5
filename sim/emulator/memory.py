"""The emulator's MRAM memories: one byte a bit, and the write semantics of docs/contracts.md."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.memory import Errors, counts_of
from spinflow.host.core.packing import Bits
from spinflow.host.core.secded import CodeCounts, decode, encode
from spinflow.host.core.secded import counts_of as counts_of_code
from spinflow.sim.memories import Cells


class EmulatedMemory(Cells):
    """One MRAM memory.

    Attributes:
        bits: uint8 (depth, width), bit 0 of a word first. A buffer's words are in the order of
            writing, the oldest first: wherever they lie, the next word is written over the one of
            `depth` words ago.
    """

    def __init__(self, info: MemoryInfo) -> None:
        super().__init__(info)
        self.bits: Bits = np.zeros((info.depth, info.width), np.uint8)

    def data(self) -> tuple[Bits, CodeCounts]:
        """Return what is read of all words (depth, data bits), and what that counts."""
        if self.info.code is None:
            return self.bits, CodeCounts()
        decoded = decode(self.info.code, self.bits)
        return decoded.bits, counts_of_code(decoded)

    def pass_on(self, values: Bits) -> Bits:
        """Write words (n, data bits), and return what is read of them, errors included."""
        if self.info.code is None:
            return self.write(values)
        decoded = decode(self.info.code, self.write(encode(self.info.code, values)))
        self.code_counts += counts_of_code(decoded)
        return decoded.bits

    def zero(self) -> None:
        """Make every stored bit 0."""
        self.bits = np.zeros_like(self.bits)

    def write(self, target: Bits) -> Bits:
        """Write words (n, width), each over the one `depth` words before.

        Returns:
            What is stored then, errors included.
        """
        hits = self._hits(target)  # nowhere if the mode is off
        if self.mode != "off":
            if self.cells is not None:
                self.bits = self.cells.held(self.bits, self.address)
            self.position += self.positions(len(target))
        in_switch = self.mode == "switch"
        stored = last_written(self.bits, target, ~hits) if in_switch else target ^ hits
        history = np.concatenate([self.bits, stored])
        self.count(target, history[: len(target)], stored)
        self.bits = history[len(target) :].copy()
        self.pass_words(len(target))
        return stored

    def _hits(self, target: Bits) -> NDArray[np.bool_]:
        is_weights = self.kind == "weights"
        if self.cells is not None and self.mode != "off":
            return self.cells.hits(self.seed, target, self.position, self.address, is_weights)
        errors = Errors(self.mode, self.threshold1, self.threshold0, self.seed)
        if is_weights:
            return errors.weight_hits(target, self.position)
        return errors.hits(target, self.position)

    def count(self, target: Bits, old: Bits, stored: Bits) -> None:
        """Count a write; all three have the same shape."""
        self.counts += counts_of(target, old, stored)


def last_written(before: Bits, target: Bits, written: NDArray[np.bool_]) -> Bits:
    """Return what words (n, width) hold if only the bits `written` take their target.

    Word i lies over the word `depth` before: of `target`, or of `before` (depth, width).
    """
    depth, width = before.shape
    laps = -(-len(target) // depth)
    values = np.zeros(((1 + laps) * depth, width), before.dtype)
    values[:depth] = before
    values[depth : depth + len(target)] = target
    lap = np.zeros(values.shape, np.intp)
    lap[depth : depth + len(target)] = np.where(
        written, 1 + np.arange(len(target))[:, None] // depth, 0
    )
    lap = np.maximum.accumulate(lap.reshape(1 + laps, depth, width), axis=0)
    stored = np.take_along_axis(values.reshape(lap.shape), lap, axis=0)
    return stored.reshape(-1, width)[depth : depth + len(target)]
