"""Scores of classes in whole numbers: every order exact, or rounded with every label kept."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.foreign import qonnx_reader, scores
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.foreign.qonnx_reader import ForeignError
from tests.hls.foreign import Graph, held

RNG = np.random.default_rng(7)
IMAGES = RNG.integers(0, 256, (40, 64)).astype(np.uint8)


def signs_of(values: np.ndarray) -> np.ndarray:
    """Whether each class lies below, level with or above each other one."""
    return np.sign(np.round(values[:, :, None] - values[:, None, :], 6))


@pytest.mark.parametrize("gain", [1.0, 0.037, 12.5])
def test_equal_gains_keep_every_order_of_every_sum(gain: float) -> None:
    for seed in range(8):
        offset = np.random.default_rng(seed).normal(0, 3 * gain, 3)
        offset[seed % 3] = offset[0] + gain * (seed - 4)  # a tie that can happen
        found = scores.exact(np.full(3, gain), offset, 5)
        assert found is not None
        sums = np.array([*product(range(-5, 6), repeat=3)])
        ours, real = sums * found[0] + found[1], sums * gain + offset
        assert np.array_equal(signs_of(ours), signs_of(real / gain))


def test_multiples_of_one_gain_are_exact() -> None:
    gain, offset = np.array([0.25, 0.75, 0.5]), np.array([0.1, 0.0, -0.3])
    found = scores.exact(gain, offset, 7)
    assert found is not None
    sums = np.array([*product(range(-7, 8), repeat=3)])
    assert np.array_equal(signs_of(sums * found[0] + found[1]), signs_of(sums * gain + offset))


@pytest.mark.parametrize("far", [8, 11, 12, 1e6])
def test_offsets_far_apart_come_nearer(far: float) -> None:
    offset = np.array([0.3, far, far + 0.4])
    found = scores.exact(np.ones(3), offset, 5)
    assert found is not None and found[1].max() <= 3 * 13
    sums = np.array([*product(range(-5, 6), repeat=3)])
    assert np.array_equal(signs_of(sums * found[0] + found[1]), signs_of(sums + offset))


def test_gains_that_differ_otherwise_are_not_called_exact() -> None:
    assert scores.exact(np.array([1.0, 1.001]), np.zeros(2), 9) is None


def last(path: Path, end: str, classes: int = 5, scale: float = 1.0) -> Path:
    """64 pixels, 15 hidden bits, and an end of one of several kinds."""
    g = Graph(3)
    bits = g.sign(g.node("Sub", "in", g.constant(100.0)))
    hidden = g.sign(g.norm(g.node("Gemm", bits, g.weights(15, 64), transB=1), 15, 2.0))
    weights = g.weights(classes, 15, scale=scale)
    if end == "bias":
        bias = g.constant(g.rng.normal(0, 3 * scale, classes))
        out = g.node("Gemm", hidden, weights, bias, transB=1)
    else:
        out = g.node("Gemm", hidden, weights, transB=1)
    if end == "norm":
        out = g.norm(out, classes, 2.0)
    elif end == "turned over":
        out = g.node("Neg", g.node("Add", out, g.constant(g.rng.normal(size=(1, classes)))))
    elif end in ("sign", "negative sign", "sigmoid", "sigmoid of a sign"):
        out = g.node("Add", out, g.constant([-3.0]))  # a sum that occurs: 0 means 1
        out = g.sign(out, -2.0 if end == "negative sign" else 1.0) if "sign" in end else out
        out = g.node("Sigmoid", out) if end.startswith("sigmoid") else out
    elif end == "nothing of one":
        out = g.node("Mul", out, g.constant(-0.5))
    elif end == "zero":
        out = g.node("Mul", out, g.constant(np.arange(classes)))
    return g.save(path, (1, 64), out, classes)


@pytest.mark.parametrize("end", ["bias", "turned over"])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_bias_for_each_class(end: str, scale: float, tmp_path: Path) -> None:
    chain = held(last(tmp_path / "a.onnx", end, scale=scale), "x", IMAGES)
    assert chain.offsets is not None and chain.real is None
    assert len(np.unique(chain.labels(chain.run(IMAGES)))) > 1


def test_a_batch_norm_behind_the_last_layer(tmp_path: Path) -> None:
    path = last(tmp_path / "a.onnx", "norm")
    chain = held(path, "x", IMAGES)
    assert chain.gains is not None and chain.gains.max() == (1 << 12) - 1 and chain.gains.min() > 0
    read = qonnx_reader.read(path, numbers_of("x").table).chain
    sums = read.run(IMAGES)
    _, line = scores.settled(read, lambda: sums)
    assert line.endswith("rounded to 12 bits, with the source's label on all 40 test images")


def test_scores_stay_below_what_the_hardware_takes() -> None:
    rng = np.random.default_rng(2)
    for most in (20, 1000, 20000):
        gain, offset = rng.uniform(0.5, 1.5, 6), rng.normal(0, 50 * most, 6)
        tries = list(scores.rounded(gain, offset, most))
        assert tries
        for _, gains, offsets in tries:
            assert gains.min() >= 1 and offsets.min() >= 0
            assert (gains * most + offsets).max() + offsets.max() <= 1 << 24


def test_a_rounding_that_changes_a_label_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "GAIN_BITS", (1, 2))
    chain = qonnx_reader.read(last(tmp_path / "a.onnx", "norm"), numbers_of("x").table).chain
    with pytest.raises(ForeignError, match=r"fc1, the last.* rounded \d+ of 40 test images get"):
        scores.settled(chain, lambda: chain.run(IMAGES))


@pytest.mark.parametrize(
    "end", ["sign", "negative sign", "sigmoid", "sigmoid of a sign", "nothing of one"]
)
def test_one_output_becomes_two_classes(end: str, tmp_path: Path) -> None:
    chain = held(last(tmp_path / "a.onnx", end, 1), "x", IMAGES)
    assert chain.classes == 2
    found = chain.labels(chain.run(IMAGES))
    assert 0 < found.sum() < len(found)


def test_a_class_that_depends_on_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ForeignError, match="fc1, the last layer, multiplies class 0 by 0"):
        qonnx_reader.read(last(tmp_path / "a.onnx", "zero"), numbers_of("x").table)
