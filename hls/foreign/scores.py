"""The last layer's scores: whole numbers that put the classes in the source's own order.

A source adds a bias to each class's sum, scales it, or puts a batch norm behind it: class c has the
value g_c * s_c + o_c, where s_c is the sum of ±1 and g_c, o_c are floats. The hardware computes
G_c * s_c + O_c in whole numbers, and its label is the first of the largest, as the source's is.

**Where the gains are equal, or whole multiples of one of them, this is exact for every input.** In
units of that gain, u, let G_c = g_c / u and o_c / u = I_c + f_c with I_c whole and 0 <= f_c < 1.
The numbers n_c = G_c * s_c + I_c are whole. For two classes n_a + f_a > n_b + f_b if n_a > n_b, as
then n_a >= n_b + 1 > n_b + f_b - f_a, or if n_a = n_b and f_a > f_b; and both are equal only if n
and f are. Only the order of the fractions counts, so each is replaced by its rank r_c among the K
different ones, and the score K * n_c + r_c, with 0 <= r_c < K, is in the same order by the same two
lines. So the gain is K * G_c and the offset K * I_c + r_c.

**Where gains differ otherwise, they are rounded** to numbers of at most GAIN_BITS bits: both gain
and offset are multiplied so that the largest gain is 2^bits - 1, and rounded. Of the widths allowed
the least is taken with which every test image keeps its label; if there is none, the network is
refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spinflow.hls.foreign.chain import Chain, Integers
from spinflow.hls.foreign.values import Floats, ForeignError

GAIN_BITS = (12, 16, 20)
"""Widths of rounded gains that are tried, the least first."""

SAME = 1e-7
"""Two gains that differ by no more than this part are one: floats of 32 bits say no more."""

_NEAR = 1e-6
"""Fractions of a sum that lie nearer than this are one: floats of 32 bits differ so."""

_MULTIPLES = 64
"""Largest whole ratio of two gains that is taken as exact."""

MOST = 1 << 31
"""Scores are less than this, of either sign, or the network is refused."""


def exact(gain: Floats, offset: Floats) -> tuple[Integers, Integers] | None:
    """Return gains and offsets that keep every order of the classes; None if gains differ.

    Args:
        gain: of each class, above 0, shape (classes,).
        offset: of each class, in the source's own numbers, shape (classes,).
    """
    unit = gain.min()
    multiples = np.rint(gain / unit)
    if multiples.max() > _MULTIPLES or not np.allclose(multiples * unit, gain, rtol=SAME, atol=0):
        return None
    units = offset / unit
    whole = np.floor(units + _NEAR)
    fractions = np.maximum(units - whole, 0.0)
    order = np.argsort(fractions)
    steps = np.diff(fractions[order]) > _NEAR
    rank = np.empty(len(gain), np.int64)
    rank[order] = np.concatenate([[0], np.cumsum(steps)])
    count = int(rank.max()) + 1
    offsets = whole.astype(np.int64) * count + rank
    return multiples.astype(np.int64) * count, offsets - offsets.min()


def rounded(gain: Floats, offset: Floats, bits: int) -> tuple[Integers, Integers]:
    """Return gains and offsets as multiples of the largest gain / (2^bits - 1)."""
    unit = gain.max() / ((1 << bits) - 1)
    gains = np.maximum(np.rint(gain / unit), 1)
    offsets = np.rint((offset - offset.min()) / unit)
    return gains.astype(np.int64), offsets.astype(np.int64)


def with_scores(chain: Chain, gain: Floats, offset: Floats) -> Chain:
    """Give a chain its classes' gains and offsets: exact ones, or those of the most bits."""
    found = exact(gain, offset)
    if found is not None:
        gains, offsets = found
        return _given(chain, gains, offsets)
    gains, offsets = rounded(gain, offset, GAIN_BITS[-1])
    return replace(_given(chain, gains, offsets), real=(gain, offset))


def _given(chain: Chain, gains: Integers, offsets: Integers) -> Chain:
    last = chain.layers[-1]
    inputs = int(np.prod(last.weights.shape[1:])) if hasattr(last, "weights") else 1
    largest = int(np.abs(gains).max()) * inputs + int(np.abs(offsets).max())
    if largest >= MOST:
        raise ForeignError(
            f"{getattr(last, 'name', 'the last layer')}, the last layer, has scores up to "
            f"{largest:.3g}, at most {MOST} fit: biases or scales nearer to each other work"
        )
    return replace(
        chain,
        gains=None if np.all(gains == 1) else gains,
        offsets=None if np.all(offsets == 0) else offsets,
    )


def settled(chain: Chain, sums: Callable[[], Integers]) -> tuple[Chain, str]:
    """Return the chain with as few bits of its gains as keep every label, and a line that says so.

    Args:
        chain: as it was read; one whose scores are exact comes back as it is, with no line.
        sums: gives what `Chain.run` gives for all test images, shape (images, classes).

    Raises:
        ForeignError: no width keeps every label.
    """
    if chain.real is None:
        return chain, ""
    gain, offset = chain.real
    found = sums()
    labels = (gain * found + offset).argmax(axis=1)
    changed = 0
    for bits in GAIN_BITS:
        tried = _given(chain, *rounded(gain, offset, bits))
        changed = int((tried.labels(found) != labels).sum())
        if not changed:
            line = (
                f"the last layer scales each class by another number: rounded to {bits} bits, with "
                f"the source's label on all {len(found)} test images"
            )
            return tried, line
    raise ForeignError(
        f"{getattr(chain.layers[-1], 'name', 'the last layer')}, the last layer, scales each class "
        f"by another number, and rounded to {bits} bits {changed} of {len(found)} test images get "
        "another label: one scale for all classes works"
    )
