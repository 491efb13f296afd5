"""The random stream that decides which written bits err, and rates as the registers hold them.

Words are a function of a 32-bit seed and a number alone: eight rounds of the Speck64 round function
over the pair (block, seed), where two neighbouring numbers share one block. A draw is split: its
leading 8 bits, the lead, are a byte of one word, and its other 24, the tail, are of another, which
need be made only where the lead does not decide. This is the only random stream in numpy; the
definitions are those of docs/contracts.md, section "The random stream".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core import checks
from spinflow.host.core.errors import RateError
from spinflow.host.core.text import shown

VERSION = 2
"""Another number wherever a seed gives other errors: rows of two versions are not of one sweep."""

ALWAYS = 2**32 - 1
"""The threshold against which every draw errs."""

TAIL_BITS = 24
"""The bits of a draw that matter only where its other 8, the lead, are those of the threshold."""

SMALLEST_RATE = 2.0**-32
"""The smallest nonzero rate that a threshold register can hold."""

_MASK = 2**32 - 1
_SEED_DOMAIN = 0x5EED0000
_ROUNDS = 8
_ROUND_CONSTANT = 0x9E3779B9


def threshold(rate: float) -> int:
    """Return the value of a RATE register for a bit-error rate.

    Args:
        rate: probability in [0, 1] that a written bit errs.

    Raises:
        RateError: the rate is not a probability, or is too small for the register.
    """
    if not checks.is_real(rate) or math.isnan(rate) or not 0.0 <= rate <= 1.0:
        raise RateError(f"bit-error rate {shown(rate)}: must be a number from 0 to 1")
    value = min(round(float(rate) * 2**32), ALWAYS)
    if value == 0 and rate > 0.0:
        raise RateError(
            f"bit-error rate {rate}: too small for the 32-bit register, "
            f"the smallest is {SMALLEST_RATE:.3e} (or 0)"
        )
    return value


def rate(threshold_value: int) -> float:
    """Return the bit-error rate of a threshold: T / 2^32, and 1 where T is all ones."""
    return 1.0 if threshold_value == ALWAYS else threshold_value / 2**32


def words(seed: int, numbers: Any) -> npt.NDArray[np.uint32]:
    """Return the 32-bit words of one stream with given numbers.

    Args:
        seed: 32-bit seed of the stream.
        numbers: whole numbers from 0 to 2^64 - 1, of any shape; words repeat after 2^33.

    Returns:
        uint32 array of the shape of ``numbers``.
    """
    number = np.asarray(numbers, dtype=np.uint64)
    flat = number.reshape(-1)
    even, odd = _blocks(seed, (flat >> np.uint64(1)).astype(np.uint32))
    return np.where(flat & np.uint64(1), odd, even).reshape(number.shape)


def leads(seed: int, positions: Any) -> npt.NDArray[np.uint8]:
    """Return the leading 8 bits of the draws at given positions, of any shape."""
    position = np.asarray(positions, dtype=np.uint64)
    shift = (position & np.uint64(3)).astype(np.uint32) << np.uint32(3)
    numbers = position >> np.uint64(2) & np.uint64(_MASK)
    found: npt.NDArray[np.uint8] = (words(seed, numbers) >> shift).astype(np.uint8)
    return found


def tails(seed: int, positions: Any) -> npt.NDArray[np.uint32]:
    """Return the trailing 24 bits of the draws at given positions, of any shape."""
    position = np.asarray(positions, dtype=np.uint64)
    numbers = position & np.uint64(_MASK) | np.uint64(1 << 32)
    return words(seed, numbers) >> np.uint32(32 - TAIL_BITS)


def draws(seed: int, positions: Any) -> npt.NDArray[np.uint32]:
    """Return the 32-bit draws of one stream at given positions.

    Args:
        seed: 32-bit seed of the stream.
        positions: of the stream, whole numbers from 0 to 2^64 - 1, of any shape; draws repeat
            after 2^34.

    Returns:
        uint32 array of the shape of ``positions``.
    """
    return leads(seed, positions).astype(np.uint32) << np.uint32(TAIL_BITS) | tails(seed, positions)


def hits(seed: int, start: int, thresholds: Any) -> npt.NDArray[np.bool_]:
    """Return which draws at consecutive positions err, each against a threshold of its own.

    The same as ``errs(draws(...), thresholds)`` with less work: one block gives eight leads, and
    a tail is made only where a lead equals that of its threshold.

    Args:
        seed: 32-bit seed of the stream.
        start: first position.
        thresholds: uint32, shape (count,).
    """
    limits = np.asarray(thresholds, dtype=np.uint32)
    first = start >> 3
    numbers = np.arange(first, (start + len(limits) + 7) >> 3, dtype=np.uint64)
    blocks = np.empty((len(numbers), 2), "<u4")
    blocks[:, 0], blocks[:, 1] = _blocks(seed, (numbers & np.uint64(_MASK >> 1)).astype(np.uint32))
    lead = blocks.view(np.uint8).reshape(-1)[start & 7 :][: len(limits)]
    leading = (limits >> np.uint32(TAIL_BITS)).astype(np.uint8)
    found: npt.NDArray[np.bool_] = lead < leading
    tied = np.flatnonzero(lead == leading)
    if tied.size:
        tail = tails(seed, np.uint64(start & _MASK) + tied.astype(np.uint64))
        found[tied] = tail < limits[tied] & np.uint32((1 << TAIL_BITS) - 1)
    found |= limits == ALWAYS
    return found


def _blocks(
    seed: int, x: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return the even and the odd word of each block, of one dimension."""
    y = np.full_like(x, seed & _MASK)
    for number in range(1, _ROUNDS + 1):
        x = ((x >> np.uint32(8)) | (x << np.uint32(24))) + y
        x ^= np.uint32(_ROUND_CONSTANT * number & _MASK)
        y = ((y << np.uint32(3)) | (y >> np.uint32(29))) ^ x
    return x, y


def errs(drawn: npt.NDArray[np.uint32], thresholds: Any) -> npt.NDArray[np.bool_]:
    """Return where a draw errs against a threshold: a number, or uint32 of the draws' shape."""
    limits = np.asarray(thresholds, dtype=np.uint32)
    found: npt.NDArray[np.bool_] = (drawn < limits) | (limits == ALWAYS)
    return found


def memory_seed(base_seed: int, repeat: int, index: int, domain: int = _SEED_DOMAIN) -> int:
    """Return the seed of one memory's stream for one repeat.

    The rate takes no part, so that errors at a lower rate are a subset of those at a higher one.

    Args:
        base_seed: 32-bit seed of the whole sweep.
        repeat: number of the repeat, below 2^26.
        index: number of the memory, below 64.
        domain: tells apart what is drawn for one memory; by default its write errors.
    """
    if not checks.is_whole(base_seed) or not 0 <= base_seed <= _MASK:
        raise RateError(f"seed {shown(base_seed)}: must be a whole number from 0 to {_MASK}")
    for what, number, end in ("repeat", repeat, 2**26), ("memory", index, 64):
        if not checks.is_whole(number) or not 0 <= number < end:
            raise RateError(f"{what} {shown(number)}: must be a whole number from 0 to {end - 1}")
    return int(words(int(base_seed) ^ domain, np.array([64 * int(repeat) + int(index)]))[0])
