"""The random stream that decides which written bits err, as docs/contracts.md defines it.

A draw is a pure function of a 32-bit seed and a position: eight rounds of the Speck64 round
function over the pair (block, seed), where two neighbouring positions share one block.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ROUNDS = 8
ROUND_CONSTANT = 0x9E3779B9
ALWAYS = 0xFFFFFFFF  # the threshold at which every draw errs


def draw(seed: int, positions: Any) -> np.ndarray:
    """The draws of stream `seed` at `positions` (any shape of non-negative integers), as uint32."""
    positions = np.asarray(positions, dtype=np.uint64)
    even, odd = _blocks(seed, np.atleast_1d(positions >> np.uint64(1)).astype(np.uint32))
    drawn = np.where(np.atleast_1d(positions & np.uint64(1)) == 1, odd, even)
    return drawn.reshape(positions.shape)


def draw_range(seed: int, start: int, count: int) -> np.ndarray:
    """The `count` draws of stream `seed` from position `start` on, as uint32 (count,).

    Equal to `draw(seed, arange(start, start + count))`, at half the work.
    """
    first = start >> 1
    blocks = np.arange(first, (start + count + 1) >> 1, dtype=np.uint64).astype(np.uint32)
    even, odd = _blocks(seed, blocks)
    drawn = np.stack([even, odd], axis=1).reshape(-1)
    return drawn[start & 1 :][:count]


def errs(draws: np.ndarray, threshold: Any) -> np.ndarray:
    """Where a draw errs against a 32-bit threshold (a number, or one per draw), as bool."""
    threshold = np.asarray(threshold, dtype=np.uint32)
    return (draws < threshold) | (threshold == ALWAYS)


def _blocks(seed: int, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The draws at the even and at the odd position of each block (uint32, one dimension)."""
    x = blocks
    y = np.full_like(blocks, seed)
    for number in range(1, ROUNDS + 1):
        constant = np.uint32(ROUND_CONSTANT * number & 0xFFFFFFFF)
        x = (_rotate_left(x, 24) + y) ^ constant
        y = _rotate_left(y, 3) ^ x
    return x, y


def _rotate_left(words: np.ndarray, count: int) -> np.ndarray:
    return (words << np.uint32(count)) | (words >> np.uint32(32 - count))
