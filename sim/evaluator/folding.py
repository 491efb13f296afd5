"""The order of a weight matrix in its memory; docs/contracts.md, section "Memories"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from spinflow.host.core.packing import Bits, Words, bits_of, fold, unfold, words_of


@dataclass(frozen=True)
class Folding:
    """How a weight matrix lies in its memory: outputs and inputs of a word."""

    pe: int
    simd: int


def fold_weights(bits: NDArray[Any], folding: Folding) -> Words:
    """Return weight bits (MH, MW) as they are written: uint32 (depth, segments)."""
    return words_of(fold(bits, folding.pe, folding.simd))


def unfold_weights(segments: Words, mh: int, mw: int, folding: Folding) -> Bits:
    """Undo fold_weights; bits beyond the width of a word are ignored."""
    bits = bits_of(segments, folding.pe * folding.simd)
    found: Bits = unfold(bits, mw, mh, folding.pe, folding.simd)
    return found
