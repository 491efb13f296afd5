"""How many rounds the random stream needs: the measurement behind docs/decisions.md.

`python -m tools.rounds` prints, for each number of rounds, the worst avalanche bias over all pairs
of input and output bits, for blocks of leads and of tails, and the largest autocorrelation of
error events in standard deviations.
"""

import numpy as np

from tools.random_bytes import AT_ONCE, Array, Stream, permute

SAMPLES = 1 << 16  # for the avalanche
TURNS = 16  # of draws for the autocorrelation
LAGS = 5_000
RATES = (1 / 2, 1 / 16, 1 / 256, 1 / 300)  # the last is decided by tails alone


def avalanche_bias(rounds: int, first_block: int) -> float:
    """Return the worst distance from 1/2 of the chance that an input bit turns an output bit."""
    generator = np.random.default_rng(1)
    # Blocks count up in use, so the high bits of the sample are those of the first as well.
    block = generator.integers(0, 1 << 21, SAMPLES, dtype=np.uint32) | np.uint32(first_block)
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
    """Return the largest |z| of the autocorrelation of error events over the first lags."""
    stream = Stream(12345, rounds, rate)
    events: Array = np.concatenate([stream.hits(turn) for turn in range(TURNS)])
    event = events.astype(np.float32) - rate
    spectrum = np.fft.rfft(event, 2 * len(event))
    correlation = np.fft.irfft(spectrum * spectrum.conj())[1:LAGS]
    return float(np.abs(correlation).max() / (np.sqrt(len(event)) * rate * (1 - rate)))


def main() -> None:
    """Print the table."""
    noise = 4.3 * 0.5 / SAMPLES**0.5
    print(f"avalanche: noise {noise:.4f}; autocorrelation of {8 * TURNS * AT_ONCE} draws")
    print("| rounds | worst avalanche bias, leads | tails | max z, rates 1/2, 1/16, 1/256, 1/300 |")
    print("|---|---|---|---|")
    for rounds in range(4, 11):
        biases = " | ".join(f"{avalanche_bias(rounds, first):.4f}" for first in (0, 1 << 31))
        z = ", ".join(f"{autocorrelation(rounds, rate):.1f}" for rate in RATES)
        print(f"| {rounds} | {biases} | {z} |", flush=True)


if __name__ == "__main__":
    main()
