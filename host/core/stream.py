"""The random stream that decides which written bits err, and rates as the registers hold them.

A draw is a function of a 32-bit seed and a position alone: eight rounds of the Speck64 round
function over the pair (block, seed), where two neighbouring positions share one block. This is the
only random stream in numpy; the definitions are those of docs/contracts.md, section "The random
stream".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core import checks
from spinflow.host.core.errors import RateError
from spinflow.host.core.text import shown

ALWAYS = 2**32 - 1
"""The threshold against which every draw errs."""

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


def draws(seed: int, positions: Any) -> npt.NDArray[np.uint32]:
    """Return the 32-bit draws of one stream at given positions.

    Args:
        seed: 32-bit seed of the stream.
        positions: of the stream, whole numbers from 0 to 2^64 - 1, of any shape.

    Returns:
        uint32 array of the shape of ``positions``.
    """
    position = np.asarray(positions, dtype=np.uint64)
    flat = position.reshape(-1)
    even, odd = _blocks(seed, (flat >> np.uint64(1)).astype(np.uint32))
    return np.where(flat & np.uint64(1), odd, even).reshape(position.shape)


def draw_range(seed: int, start: int, count: int) -> npt.NDArray[np.uint32]:
    """Return the draws of one stream at consecutive positions, at half the work of :func:`draws`.

    Args:
        seed: 32-bit seed of the stream.
        start: first position.
        count: how many.

    Returns:
        uint32, shape (count,).
    """
    blocks = np.arange(start >> 1, (start + count + 1) >> 1, dtype=np.uint64).astype(np.uint32)
    drawn = np.empty((len(blocks), 2), np.uint32)
    drawn[:, 0], drawn[:, 1] = _blocks(seed, blocks)
    return drawn.reshape(-1)[start & 1 :][:count]


def _blocks(
    seed: int, x: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Return the draws at the even and at the odd position of each block, of one dimension."""
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
    return int(draws(int(base_seed) ^ domain, np.array([64 * int(repeat) + int(index)]))[0])
