"""How many rounds the random stream needs: the measurement behind docs/decisions.md.

`python -m tools.rounds` prints, for each number of rounds, the worst avalanche bias over all pairs
of input and output bits, and the largest autocorrelation of error events in standard deviations.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1 << 16  # for the avalanche
DRAWS = 1 << 22  # for the autocorrelation
LAGS = 5_000
Array = NDArray[Any]


def permute(block: Array, seed: Array, rounds: int) -> tuple[Array, Array]:
    """Return the permutation of docs/contracts.md with another number of rounds, uint32 arrays."""
    x, y = block.copy(), seed.copy()
    for r in range(rounds):
        key = np.uint32(0x9E3779B9 * (r + 1) & 0xFFFFFFFF)
        x = (((x >> np.uint32(8)) | (x << np.uint32(24))) + y) ^ key
        y = ((y << np.uint32(3)) | (y >> np.uint32(29))) ^ x
    return x, y


def avalanche_bias(rounds: int) -> float:
    """Return the worst distance from 1/2 of the chance that an input bit turns an output bit."""
    generator = np.random.default_rng(1)
    # Blocks count up from 0 in use, so the high bits of the sample are 0 as well.
    block = generator.integers(0, 1 << 21, SAMPLES, dtype=np.uint32)
    seed = generator.integers(0, 1 << 32, SAMPLES, dtype=np.uint32)
    before = permute(block, seed, rounds)
    worst = 0.0
    for bit in range(32):
        flip = np.uint32(1 << bit)
        for after in (permute(block ^ flip, seed, rounds), permute(block, seed ^ flip, rounds)):
            for a, b in zip(before, after, strict=True):
                turned = np.unpackbits((a ^ b).view(np.uint8).reshape(-1, 4), axis=1).mean(axis=0)
                worst = max(worst, float(np.abs(turned - 0.5).max()))
    return worst


def autocorrelation(rounds: int, rate: float) -> float:
    """Return the largest |z| of the autocorrelation of `draw < rate` over the first lags."""
    block = np.arange(DRAWS // 2, dtype=np.uint32)
    x, y = permute(block, np.full_like(block, 12345), rounds)
    draws = np.stack([x, y], axis=1).reshape(-1)
    event = (draws < rate * 2.0**32).astype(np.float32) - rate
    spectrum = np.fft.rfft(event, 2 * DRAWS)
    correlation = np.fft.irfft(spectrum * spectrum.conj())[1:LAGS]
    return float(np.abs(correlation).max() / (np.sqrt(DRAWS) * rate * (1 - rate)))


def main() -> None:
    """Print the table."""
    noise = 4.3 * 0.5 / SAMPLES**0.5
    print(f"| rounds | worst avalanche bias (noise {noise:.4f}) | max z, rates 1/2, 1/16, 1/256 |")
    print("|---|---|---|")
    for rounds in range(4, 11):
        z = ", ".join(f"{autocorrelation(rounds, rate):.1f}" for rate in (1 / 2, 1 / 16, 1 / 256))
        print(f"| {rounds} | {avalanche_bias(rounds):.4f} | {z} |")


if __name__ == "__main__":
    main()
