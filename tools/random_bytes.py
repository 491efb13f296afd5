"""The random stream, with any number of rounds, as bytes for the batteries of tests that read them.

`python -m tools.random_bytes PART` writes them to the standard output without end, so that

    python -m tools.random_bytes leads | dieharder -g 200 -a

is a run of Debian's dieharder. With `--rounds 5` or 6 it is a control, which must fail. PART is

- `leads`: the leading bytes of draws, in the order of their positions;
- `tails`: their trailing 24 bits, in the same order;
- `ties`: the trailing 24 bits of the draws whose leading byte is 0, all that decide at low rates;
- `draws`: whole draws, little-endian;
- `errors`: whether draws err at `--rate`, a bit each; unless that is 1/2, pairs of positions of
  which one errs, which are as likely the first as the second (von Neumann);
- `neighbours`: the eight leads of block 0 under the seeds SEED, SEED + 1, ...;
- `memories`: the eight leads of block 0 of 64 memories in repeat 0, 1, ... of base seed SEED.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 1 << 15  # blocks, or positions where each takes one of its own
SEED_DOMAIN = 0x5EED0000
Array = NDArray[Any]


def permute(block: Array, seed: Array, rounds: int) -> tuple[Array, Array]:
    """Return the permutation of docs/contracts.md with another number of rounds, uint32 arrays."""
    x, y = block.copy(), seed.copy()
    for r in range(rounds):
        key = np.uint32(0x9E3779B9 * (r + 1) & 0xFFFFFFFF)
        x = (((x >> np.uint32(8)) | (x << np.uint32(24))) + y) ^ key
        y = ((y << np.uint32(3)) | (y >> np.uint32(29))) ^ x
    return x, y


class Stream:
    """One stream with another number of rounds than 8, where that is asked for."""

    def __init__(self, seed: int, rounds: int, rate: float) -> None:
        self.seed, self.rounds = seed, rounds
        self.threshold = min(round(rate * 2**32), 2**32 - 1)

    def words(self, blocks: Array, seeds: Array | None = None) -> Array:
        """Return both words of blocks, each under its seed: uint32, shape (blocks, 2)."""
        block = blocks.astype(np.uint32)
        under = np.full_like(block, self.seed) if seeds is None else seeds.astype(np.uint32)
        return np.stack(permute(block, under, self.rounds), axis=1)

    def lead_bytes(self, turn: int) -> Array:
        """Return the leads at 8 * AT_ONCE positions."""
        blocks = np.arange(turn * AT_ONCE, (turn + 1) * AT_ONCE, dtype=np.uint64)
        return self.words(blocks % 2**31).view(np.uint8).reshape(-1)

    def tail_words(self, positions: Array) -> Array:
        """Return the tails at positions, uint32."""
        words = self.words(2**31 | (positions % 2**32) >> 1)
        return words[np.arange(len(positions)), positions & 1] >> 8

    def draw_words(self, turn: int) -> Array:
        """Return the draws at 8 * AT_ONCE positions, uint32."""
        leads = self.lead_bytes(turn).astype(np.uint32)
        first = turn * len(leads)
        tails = self.words(2**31 | np.arange(first, first + len(leads), 2) % 2**32 >> 1)
        return leads << 24 | tails.reshape(-1) >> 8

    def leads(self, turn: int) -> Array:
        return self.lead_bytes(turn)

    def tails(self, turn: int) -> Array:
        return three_bytes(self.draw_words(turn))

    def ties(self, turn: int) -> Array:
        leads = self.lead_bytes(turn)
        return three_bytes(self.tail_words(turn * len(leads) + np.flatnonzero(leads == 0)))

    def draws(self, turn: int) -> Array:
        return self.draw_words(turn)

    def errors(self, turn: int) -> Array:
        hits = self.hits(turn)
        if self.threshold == 2**31:
            return np.packbits(hits, bitorder="little")
        pairs = hits.reshape(-1, 2)
        first = pairs[pairs[:, 0] != pairs[:, 1], 0]
        return np.packbits(first[: len(first) // 8 * 8], bitorder="little")

    def hits(self, turn: int) -> Array:
        """Return which draws at 8 * AT_ONCE positions err."""
        leads = self.lead_bytes(turn)
        hits = leads < self.threshold >> 24
        tied = np.flatnonzero(leads == self.threshold >> 24)
        hits[tied] = self.tail_words(turn * len(leads) + tied) < self.threshold & 0xFFFFFF
        return hits

    def neighbours(self, turn: int) -> Array:
        seeds = self.seed + np.arange(turn * AT_ONCE, (turn + 1) * AT_ONCE, dtype=np.uint64)
        return self.words(np.zeros(AT_ONCE), seeds % 2**32)

    def memories(self, turn: int) -> Array:
        numbers = np.arange(turn * AT_ONCE, (turn + 1) * AT_ONCE, dtype=np.uint64)
        base = np.full(AT_ONCE // 2, self.seed ^ SEED_DOMAIN)
        seeds = self.words(numbers[::2] >> 1, base).reshape(-1)
        return self.words(np.zeros(AT_ONCE), seeds)


PARTS = ("leads", "tails", "ties", "draws", "errors", "neighbours", "memories")


def three_bytes(words: Array) -> Array:
    """Return the lower 24 bits of words, lowest byte first."""
    return np.ascontiguousarray(words.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3])


def chunks(part: str, seed: int, rounds: int, rate: float) -> Iterator[bytes]:
    """Give the bytes of a part of the stream, without end."""
    make: Callable[[int], Array] = getattr(Stream(seed, rounds, rate), part)
    turn = 0
    while True:
        yield make(turn).tobytes()
        turn += 1


def main() -> None:
    """Write bytes until whoever reads them has enough."""
    parser = argparse.ArgumentParser(description="The random stream as bytes.")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seed", type=int, default=12345, help="32 bits (default 12345)")
    parser.add_argument("--rounds", type=int, default=8, help="of the permutation (default 8)")
    parser.add_argument("--rate", type=float, default=0.5, help="of errors (default 0.5)")
    options = parser.parse_args()
    try:
        for chunk in chunks(options.part, options.seed, options.rounds, options.rate):
            sys.stdout.buffer.write(chunk)
    except BrokenPipeError:
        sys.stderr.close()  # nobody is left who would be told of it


if __name__ == "__main__":
    main()
