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

Offsets may lie so far apart that one class is always above another. If sums are at most n of either
sign, a gap of 2 n G + 1 between neighbouring I_c, G the largest G_c, already says so; larger ones
are shortened to it.

**Where gains differ otherwise, they are rounded** to numbers of 12 bits: gains and offsets are
multiplied so that the largest gain is 2^12 - 1, or slightly less, and rounded. If a test image gets
another label by that, more bits are tried, as far as scores stay below MOST; if none keeps every
label, the network is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from spinflow.hls.foreign.chain import PIXEL_CODES, Chain, Integers, Matrix
from spinflow.hls.foreign.values import Floats, ForeignError

GAIN_BITS = (12, 14, 16, 18, 20)
"""Widths of rounded gains that are tried, the least first."""

MOST = 1 << 24
"""No score is larger: up to it the file that is written, of floats of 32 bits, is exact."""

SAME = 1e-7
"""Two gains that differ by no more than this part are one: floats of 32 bits say no more."""

_NEAR = 1e-6
"""Fractions of a sum that lie nearer than this are one: floats of 32 bits differ so."""

_MULTIPLES = 64
"""Largest whole ratio of two gains that is taken as exact."""

_SHRUNK = np.linspace(1.0, 0.8, 9)
"""By what the largest gain is multiplied in turn: another rounding may keep every label."""


def exact(gain: Floats, offset: Floats, most: int) -> tuple[Integers, Integers] | None:
    """Return gains and offsets that keep every order of the classes; None if gains differ.

    Args:
        gain: of each class, above 0, shape (classes,).
        offset: of each class, in the source's own numbers, shape (classes,).
        most: size of the largest sum.
    """
    unit = gain.min()
    multiples = np.rint(gain / unit)
    if multiples.max() > _MULTIPLES or not np.allclose(multiples * unit, gain, rtol=SAME, atol=0):
        return None
    units = offset / unit
    whole = np.floor(units + _NEAR)
    fractions = np.maximum(units - whole, 0.0)
    order = np.argsort(fractions)
    rank = np.empty(len(gain), np.int64)
    rank[order] = np.concatenate([[0], np.cumsum(np.diff(fractions[order]) > _NEAR)])
    count = int(rank.max()) + 1
    near = shortened(whole, 2 * most * multiples.max() + 1).astype(np.int64)
    return multiples.astype(np.int64) * count, near * count + rank


def shortened(offsets: Floats, gap: float) -> Floats:
    """Return offsets from 0 on, with no larger gap between neighbours than the given one."""
    order = np.argsort(offsets, kind="stable")
    made = np.empty_like(offsets)
    made[order] = np.concatenate([[0], np.cumsum(np.minimum(np.diff(offsets[order]), gap))])
    return made


def rounded(gain: Floats, offset: Floats, most: int) -> Iterator[tuple[int, Integers, Integers]]:
    """Give bits, gains and offsets, the fewest bits first, as far as scores stay below MOST."""
    offset = shortened(offset, 2.1 * most * float(gain.max()))
    fits = MOST / _largest(gain, offset, most)
    for bits in GAIN_BITS:
        scale = ((1 << bits) - 1) / gain.max()
        for part in _SHRUNK:
            tried = min(scale, fits) * part * (1 - 1e-6)
            gains = np.maximum(np.rint(gain * tried), 1).astype(np.int64)
            offsets = np.rint(offset * tried).astype(np.int64)
            if _largest(gains, offsets, most) <= MOST:
                yield int(gains.max()).bit_length(), gains, offsets
        if scale >= fits:
            return


def _largest(gains: Floats | Integers, offsets: Floats | Integers, most: int) -> float:
    """Return what scores, moved so that none is negative, stay below."""
    return float((gains * most + offsets).max() + offsets.max())


def with_scores(chain: Chain, gain: Floats, offset: Floats) -> Chain:
    """Give a chain its classes' gains and offsets: exact ones, or the first rounded ones."""
    most = _most(chain)
    found = exact(gain, offset, most)
    if found is not None and _largest(*found, most) <= MOST:
        return _given(chain, *found)
    for _, gains, offsets in rounded(gain, offset, most):
        return replace(_given(chain, gains, offsets), real=(gain, offset))
    raise ForeignError(
        f"{_name(chain)}, the last layer, scales classes by {gain.min():.3g} to {gain.max():.3g}, "
        f"which no whole scores below {MOST} show: one scale for all classes works"
    )


def _most(chain: Chain) -> int:
    """Return the size of the largest sum that the last layer can have."""
    last = chain.layers[-1]
    assert isinstance(last, Matrix)
    pixels = len(chain.layers) == 1 and chain.threshold is None
    return int(last.weights.shape[1]) * (PIXEL_CODES - 1 if pixels else 1)


def _name(chain: Chain) -> str:
    return getattr(chain.layers[-1], "name", "it")


def _given(chain: Chain, gains: Integers, offsets: Integers) -> Chain:
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
    least = len(found)
    for bits, gains, offsets in rounded(gain, offset, _most(chain)):
        tried = _given(chain, gains, offsets)
        changed = int((tried.labels(found) != labels).sum())
        least = min(least, changed)
        if not changed:
            line = (
                f"the last layer scales each class by another number: rounded to {bits} bits, with "
                f"the source's label on all {len(found)} test images"
            )
            return tried, line
    raise ForeignError(
        f"{_name(chain)}, the last layer, scales each class by another number, and however it is "
        f"rounded {least} of {len(found)} test images get another label: one scale for all classes "
        "works"
    )
