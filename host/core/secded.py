"""SECDED of memories in numpy: encodes words, and decodes what is stored of them.

The codes themselves are in :mod:`spinflow.host.core.description.codes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from spinflow.host.core.addresses import segments_of
from spinflow.host.core.description.codes import Code, check_bits, columns
from spinflow.host.core.packing import Bits, Words, bits_of, words_of

NO_BIT, NOT_CORRECTABLE = -1, -2
"""Of :func:`places`: no data bit is wrong; more than one bit is."""


@cache
def places(data: int) -> npt.NDArray[np.int16]:
    """Return by syndrome which data bit is wrong, NO_BIT or NOT_CORRECTABLE; (2^check bits,)."""
    found = np.full(1 << check_bits(data), NOT_CORRECTABLE, np.int16)
    found[0] = NO_BIT
    for row in range(check_bits(data)):
        found[1 << row] = NO_BIT
    found[list(columns(data))] = np.arange(data)
    found.flags.writeable = False
    return found


@cache
def byte_tables(data: int) -> npt.NDArray[np.uint16]:
    """Return the check bits that each byte of the data adds: (bytes, 256), to be XORed."""
    of_bits = np.zeros((-(-data // 8), 8), np.uint16)
    of_bits.reshape(-1)[:data] = columns(data)
    bits = np.arange(256)[:, None] >> np.arange(8) & 1  # (256, 8)
    products = bits.astype(np.uint16) * of_bits[:, None, :]
    found: npt.NDArray[np.uint16] = np.bitwise_xor.reduce(products, axis=2)
    found.flags.writeable = False
    return found


@dataclass(frozen=True)
class Decoded:
    """Words of a memory as they are read.

    Attributes:
        bits: data, uint8, (words, data bits).
        corrected, detected: code words in which one error was corrected, and in which more were
            detected and the data left as they are; bool, (words, code words of each).
    """

    bits: Bits
    corrected: npt.NDArray[np.bool_]
    detected: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CodeCounts:
    """What the decoder of a memory counted, in code words: read, corrected, detected as wrong."""

    read: int = 0
    corrected: int = 0
    detected: int = 0

    def __str__(self) -> str:
        return (
            f"of {self.read} code words read {self.corrected} were corrected, {self.detected} "
            "wrong beyond correction"
        )

    def __add__(self, other: CodeCounts) -> CodeCounts:
        return CodeCounts(
            self.read + other.read,
            self.corrected + other.corrected,
            self.detected + other.detected,
        )

    def times(self, often: int) -> CodeCounts:
        """Return what reading the same so often counts."""
        return CodeCounts(often * self.read, often * self.corrected, often * self.detected)


def encode(code: Code, bits: Bits) -> Bits:
    """Return words (n, data) as they are stored: (n, width)."""
    checks = _checks(code, bits)[..., None] >> np.arange(code.check) & 1
    return np.concatenate([bits, checks.reshape(len(bits), -1).astype(np.uint8)], axis=1)


def encode_segments(code: Code, segments: Words) -> Words:
    """Return words as they go over AXI-Lite, uint32 (n, segments), with their check bits."""
    return words_of(encode(code, bits_of(segments, code.data)))


def decode_segments(code: Code, segments: Words) -> Words:
    """Return the data that are read of stored words: of and as segments, uint32 (n, segments).

    Raises:
        ValueError: they are not as many segments as a coded word has.
    """
    if segments.ndim != 2 or segments.shape[1] != segments_of(code.width):
        raise ValueError(f"words of {code.width} bits expected, not of shape {segments.shape}")
    return words_of(decode(code, bits_of(segments, code.width)).bits)


def decode(code: Code, stored: Bits) -> Decoded:
    """Return what is read of stored words (n, width)."""
    bits = np.array(stored[:, : code.data], np.uint8)
    kept = stored[:, code.data :].reshape(len(stored), code.words, code.check)
    syndromes = _checks(code, bits) ^ (kept.astype(np.int64) << np.arange(code.check)).sum(axis=2)
    found = places(code.word)[syndromes].astype(np.int64)
    # A bit that the last code word does not have cannot be the wrong one.
    places_of = found + code.word * np.arange(code.words)
    lost = (found == NOT_CORRECTABLE) | ((found >= 0) & (places_of >= code.data))
    rows, words = np.nonzero((found >= 0) & ~lost)
    bits[rows, places_of[rows, words]] ^= 1
    return Decoded(bits, (syndromes != 0) & ~lost, lost)


def counts_of(decoded: Decoded) -> CodeCounts:
    """Return what reading these words once counts."""
    return CodeCounts(
        decoded.detected.size, int(decoded.corrected.sum()), int(decoded.detected.sum())
    )


def _checks(code: Code, bits: Bits) -> npt.NDArray[np.int64]:
    """The check bits of words (n, data), as a number for each code word: (n, words)."""
    size = 8 * len(byte_tables(code.word))
    filled = np.zeros((len(bits), code.words, size), np.uint8)
    whole = np.zeros((len(bits), code.words * code.word), np.uint8)
    whole[:, : code.data] = bits
    filled[:, :, : code.word] = whole.reshape(len(bits), code.words, code.word)
    packed = np.packbits(filled, axis=2, bitorder="little")
    found = np.zeros(packed.shape[:2], np.int64)
    for byte, table in enumerate(byte_tables(code.word)):
        found ^= table[packed[:, :, byte]]
    return found
