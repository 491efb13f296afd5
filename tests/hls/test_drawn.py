"""Networks drawn at random: read as QONNX computes them, written as they were read, or refused.

SPINFLOW_DRAWN says how many are drawn, or which, as "100-199"; "52-52" is one alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.foreign.chain import Matrix
from spinflow.hls.paths import BuildError
from tests.drawn import held
from tests.drawn.recipe import Pool, draw

NUMBERS = held.asked("SPINFLOW_DRAWN", 1000 if held.FULL else 100)
LEAST_SHARE = 0.7
"""Of the networks that are taken. Those that are refused test nothing but the refusal."""


@pytest.mark.parametrize("number", [629, 641])
def test_a_tie_where_all_values_are_near_zero(number: int, tmp_path: Path) -> None:
    network = held.taken(number, tmp_path)
    assert held.hold_source(network, 8) > 0


@pytest.mark.slow
def test_what_is_read_is_what_qonnx_computes(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    refused: Counter[str] = Counter()
    faults, varied, ties = [], [], 0
    for number in NUMBERS:
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            network = held.taken(number, folder)
        except BuildError as error:
            refused[held.reason(error)] += 1
            if not held.is_plain(error):
                faults.append(f"{number}: {error}")
            continue
        try:
            ties += held.hold_source(network, 8)
            held.hold_written(network, folder / "written")
        except AssertionError as error:
            kept = held.keep(folder, number)
            faults.append(f"{number}: {' '.join(str(error).split())[:150]} ({kept})")
        bits = held.bits_of(network).values()
        varied += [np.mean(values.min(axis=0) != values.max(axis=0)) for values in bits]
    count = len(NUMBERS) - refused.total()
    print(f"{count} of {len(NUMBERS)} taken, {ties} images with ties; refused: {dict(refused)}")
    record_property("drawn.read", count)
    assert not faults, "\n".join([f"{len(faults)} faults", *faults])
    if len(NUMBERS) >= 100:
        assert count >= LEAST_SHARE * len(NUMBERS), refused
        # Layers whose bits are the same for all images would hide any fault before them.
        assert np.mean(varied) > 0.5


def test_a_number_is_one_network_for_ever() -> None:
    assert draw(7) == draw(7)
    drawn = [draw(number) for number in range(300)]
    layers = [layer for recipe in drawn for layer in recipe.layers]
    kernels = {layer.kernel for layer in layers}
    assert {(size, size) for size in range(1, 6)} <= kernels
    assert {layer.stride for layer in layers} >= {(1, 1), (2, 2), (1, 2)}
    assert {layer.pad for layer in layers if any(layer.padding)} == {"zeros", "minus"}
    assert {pool.size for layer in layers if isinstance(pool := layer.pool, Pool)} == {2, 3}
    assert {len(recipe.layers) for recipe in drawn} >= set(range(2, 7))
    assert {len(recipe.shape) for recipe in drawn} == {1, 3}
    assert any(recipe.pixels % 4 for recipe in drawn)
    classes = [recipe.layers[-1].outputs for recipe in drawn]
    assert min(classes) == 2 and 256 < max(classes) <= 300


def test_a_wrong_reading_does_not_pass(tmp_path: Path) -> None:
    """The comparison itself: thresholds of the first layer that are wrong are seen."""
    found, tried = 0, 0
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            network = held.taken(number, folder)
        except BuildError:
            continue
        first, *others = network.chain.layers
        if not isinstance(first, Matrix) or first.thresholds is None:
            continue
        step = (
            2 * int(np.sqrt(first.weights[0].size)) * (100 if network.recipe.start != "bits" else 1)
        )
        wrong = replace(first, thresholds=first.thresholds + step)
        chain = replace(network.chain, layers=(wrong, *others))
        tried += 1
        try:
            held.hold_source(replace(network, chain=chain), 8)
        except AssertionError:
            found += 1
    assert found > 0.8 * tried > 8
