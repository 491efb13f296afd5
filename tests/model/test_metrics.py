"""Degradation and RRMSE by their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spinflow.model.metrics import degradation, rrmse


def test_degradation() -> None:
    assert degradation(0.8, 0.6) == pytest.approx(0.25)
    assert degradation(85.07, 85.07) == 0.0
    assert degradation(0.5, 0.55) == pytest.approx(-0.1)


@pytest.mark.parametrize("bad", [(0.0, 0.5), (-1.0, 0.5), (math.nan, 0.5), (0.5, -0.1)])
def test_degradation_refuses(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="accuracy with"):
        degradation(*bad)


def test_rrmse_is_equation_3() -> None:
    generator = np.random.default_rng(1)
    clean: dict[str, NDArray[Any]] = {
        "conv0": generator.integers(0, 2, (37, 50), dtype=np.uint8),
        "fc0": generator.integers(-(2**31), 2**31, (37, 3, 4), dtype=np.int32),
    }
    faulty: dict[str, NDArray[Any]] = {name: x.copy() for name, x in clean.items()}
    faulty["conv0"][::2, ::3] ^= 1
    faulty["fc0"][5] ^= 1 << 30
    expected = 0.0
    for name, x in clean.items():
        delta = faulty[name].astype(np.float64) - x
        expected += np.var(delta) / np.var(x.astype(np.float64))
    assert rrmse(clean, faulty) == pytest.approx(math.sqrt(expected), rel=1e-12)
    assert rrmse(clean, clean) == 0.0
    # Bits as -1 and +1 give the same.
    signs = [{"conv0": 2.0 * x["conv0"] - 1, "fc0": x["fc0"]} for x in (clean, faulty)]
    assert rrmse(*signs) == pytest.approx(math.sqrt(expected), rel=1e-12)


def test_rrmse_of_a_narrow_input_far_from_zero() -> None:
    x = 2**31 - 1 - np.arange(200, dtype=np.int64).reshape(20, 10)
    y = x.copy()
    y[3, 4] -= 7
    expected = math.sqrt(np.var((y - x).astype(float)) / np.var(np.arange(200.0)))
    assert rrmse({"a": x}, {"a": y}) == pytest.approx(expected, rel=1e-9)


def test_rrmse_refuses() -> None:
    x = np.arange(12.0).reshape(3, 4)
    with pytest.raises(ValueError, match="layers b with errors, of a without"):
        rrmse({"a": x}, {"b": x})
    with pytest.raises(ValueError, match=r"layer a: \(3, 2\) with errors, \(3, 4\) without"):
        rrmse({"a": x}, {"a": x[:, :2]})
    with pytest.raises(ValueError, match="layer a is the same everywhere"):
        rrmse({"a": np.ones((3, 4))}, {"a": x})
