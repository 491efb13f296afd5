"""The folding meets its target at the least cost, and refuses what cannot be met."""

from __future__ import annotations

import itertools
import re

import pytest

from hls.common import BuildError
from hls.folding import Folding, LayerShape, choose


def layers_of(*widths: int) -> list[LayerShape]:
    last = len(widths) - 2
    return [
        LayerShape(f"fc{i}", mw, mh, buffered=i < last)
        for i, (mw, mh) in enumerate(itertools.pairwise(widths))
    ]


def test_mlp_at_512_cycles():
    assert choose(layers_of(784, 1024, 1024, 10), 784, 512) == [
        Folding(pe=2, simd=784, lanes=2),
        Folding(pe=2, simd=1024, lanes=2),
        Folding(pe=1, simd=32, lanes=0),
    ]


def test_tfc_at_256_cycles():
    assert choose(layers_of(784, 64, 64, 64, 10), 784, 256) == [
        Folding(pe=1, simd=196, lanes=1),
        Folding(pe=1, simd=16, lanes=1),
        Folding(pe=1, simd=16, lanes=1),
        Folding(pe=1, simd=4, lanes=0),
    ]


@pytest.mark.parametrize("cycles", [12, 16, 64, 100, 1000, 1 << 20])
def test_meets_the_target_and_the_rules(cycles):
    layers = layers_of(48, 60, 36, 10)
    for layer, folding in zip(layers, choose(layers, 48, cycles), strict=True):
        assert layer.mw % folding.simd == 0 and layer.mh % folding.pe == 0
        assert folding.cycles(layer) <= cycles
        if layer.buffered:
            assert folding.pe == 1 or folding.pe % 2 == 0
            assert folding.pe % folding.lanes == 0
            assert folding.lanes == 1 or folding.lanes % 2 == 0
            # Draws of one word are done before the next word comes.
            assert folding.lanes * (layer.mw // folding.simd) >= folding.pe
        else:
            assert folding.lanes == 0


@pytest.mark.parametrize(
    ("pixels", "cycles", "message"),
    [
        (784, 0, "at least 1, not 0"),
        (784, -5, "at least 1, not -5"),
        (784, 195, "784 pixels arrive in 196 beats"),
        (783, 512, "783 pixels does not fill"),
        # A buffer holds at least two words, so its layer takes at least two cycles.
        (4, 1, "layer fc0 takes at least 2"),
    ],
)
def test_refuses(pixels, cycles, message):
    with pytest.raises(BuildError, match=re.escape(message)):
        choose(layers_of(pixels, 8, 4), pixels, cycles)
