"""Error correction as the baseline: what SECDED would cost that error-tolerant networks save.

A single-error-correcting, double-error-detecting code (extended Hamming, or Hsiao's) adds check
bits to every word; the memory writes them too, at the same error rate and energy per bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtrc, gammaln

from spinflow.host.mtj import checks
from spinflow.host.mtj.base import solve
from spinflow.host.mtj.checks import Floats


@dataclass(frozen=True)
class Secded:
    """SECDED over words of ``word_bits`` data bits.

    Attributes:
        word_bits: data bits of a word, 1 to 4096.

    Raises:
        ValueError: the word width is outside 1 to 4096.
    """

    word_bits: int

    def __post_init__(self) -> None:
        checks.quantity("word width", self.word_bits, "bits", least=1, most=4096)

    @property
    def check_bits(self) -> int:
        """Extra bits a word: the smallest r with 2^r >= k + r + 1, and one for the parity."""
        r = 2
        while 2**r < self.word_bits + r + 1:
            r += 1
        return r + 1

    @property
    def code_bits(self) -> int:
        """Bits of a word as they are stored."""
        return self.word_bits + self.check_bits

    @property
    def energy_factor(self) -> float:
        """Write energy per data bit, relative to that of one stored bit."""
        return self.code_bits / self.word_bits

    def word_failure_rate(self, rate: ArrayLike) -> Floats:
        """Return the probability that a word has two errors or more, which cannot be corrected.

        Args:
            rate: error rate of a stored bit, any shape, each in [0, 1].

        Returns:
            Probabilities in [0, 1], float64, the shape of ``rate``.

        Raises:
            ValueError: a rate is outside [0, 1].

        Source: the binomial law of independent errors.
        """
        p = checks.quantity("bit-error rate", rate, "", least=0.0, most=1.0)
        found: Floats = bdtrc(1.0, self.code_bits, p)
        return found

    def residual_rate(self, rate: ArrayLike) -> Floats:
        """Return the bit-error rate after correction.

        One error is corrected. An even number is detected and left; an odd one of three or more
        looks like a single error, and the decoder flips one more bit: counted as an error in every
        such case, so the rate is exact up to order rate^2 and an upper bound beyond.

        Args:
            rate: error rate of a stored bit, any shape, each in [0, 1].

        Returns:
            Rates in [0, 1], float64, the shape of ``rate``; about (n - 1) rate^2 for n stored bits
            and small rates.

        Raises:
            ValueError: a rate is outside [0, 1].

        Source: the binomial law of independent errors.
        """
        p = checks.quantity("bit-error rate", rate, "", least=0.0, most=1.0)
        n = self.code_bits
        with np.errstate(divide="ignore"):
            log_p, log_q = np.log(p), np.log1p(-p)
            # Errors in words of two or more: n p x P(another one in the other n - 1 bits).
            left = p * -np.expm1((n - 1) * log_q)
            odd = np.arange(3, n + 1, 2, dtype=np.float64)
            ways = gammaln(n + 1) - gammaln(odd + 1) - gammaln(n - odd + 1)
            exponent = ways + _times(odd, log_p) + _times(n - odd, log_q)
        found: Floats = np.minimum(left + np.exp(exponent).sum(axis=-1) / n, 1.0)
        return found

    def raw_rate_for(self, residual: ArrayLike) -> Floats:
        """Return the error rate of stored bits that leaves a rate after correction.

        Args:
            residual: bit-error rate after correction, any shape, each inside (0, 0.1).

        Returns:
            Rates, float64, the shape of ``residual``.

        Raises:
            ValueError: a rate is outside (0, 0.1).

        Source: :meth:`residual_rate`, solved.
        """
        wanted = checks.quantity("residual bit-error rate", residual, "", above=0.0, below=0.1)
        rates = np.empty(wanted.shape)
        for index in np.ndindex(wanted.shape):
            target = float(wanted[index])

            def excess(log_p: float, target: float = target) -> float:
                got = float(self.residual_rate(math.exp(log_p)))
                return math.log(got / target) if got > 0.0 else -math.inf

            # Correction leaves at least rate^2 / n and, below 1/2, at most rate x (1 + 1/n).
            rates[index] = math.exp(solve(excess, 0.5 * math.log(target) - 5.0, -0.5, 1e-13))
        return rates

    def energy_per_data_bit(self, energy_per_bit_j: ArrayLike) -> Floats:
        """Return the write energy per data bit, check bits included, joules.

        Args:
            energy_per_bit_j: energy of one stored bit in joules, any shape, each 0 or more.

        Raises:
            ValueError: an energy is negative or not finite.
        """
        energy = checks.quantity("energy per bit", energy_per_bit_j, "J", least=0.0)
        return energy * self.energy_factor


def _times(count: Floats, log: Floats) -> Floats:
    # 0 x log 0 is 0 here: the power of an event that happens no time.
    return np.where(count > 0.0, count * log[..., np.newaxis], 0.0)
