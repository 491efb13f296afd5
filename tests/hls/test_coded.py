"""Bundles whose memories are coded: RTL, emulator and evaluator agree in every bit and counter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.build import build
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import read
from spinflow.sim import verilate
from spinflow.sim.accelerator import Accelerator
from tests.hls.agree import agree, write_weights
from tests.hls.networks import convolutional, perceptron

# A word of several code words, one that is shorter, and words of a single bit.
ODD = {"fc0": {"PE": 13, "SIMD": 3}, "fc1": {"PE": 3, "SIMD": 13}, "fc2": {"PE": 1, "SIMD": 9}}


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_perceptron_on_rtl(rate: float, tmp_path: Path) -> None:
    coding = Coding(weights=16, buffers=8)
    described = agree(
        perceptron(33, 13, 9, 3), 1000, tmp_path, given=ODD, rtl=True, coding=coding, rate=rate
    )
    codes = [memory.code for memory in described.memories]
    assert [(code.data, code.word) for code in codes if code is not None] == [
        (39, 13), (39, 13), (9, 9), (13, 7), (3, 3),
    ]  # fmt: skip
    assert read(tmp_path / "bundle").memories == described.memories


@pytest.mark.slow
def test_convolutions_on_rtl(tmp_path: Path) -> None:
    network = convolutional((3, 7, 7), [(8, 3, True)], 6, 4)
    agree(network, 3000, tmp_path, rtl=True, coding=Coding(weights=64, buffers=64), rate=0.03)


@pytest.mark.slow
def test_no_frame_takes_a_cycle_longer(tmp_path: Path) -> None:
    """From label to label it is as long with coded memories as with plain ones."""
    distances = []
    for name, coding in ("plain", PLAIN), ("coded", Coding(weights=16, buffers=8)):
        bundle = tmp_path / name
        build(
            perceptron(33, 13, 9, 3).save(tmp_path / f"{name}-net"), 1000, bundle, ODD,
            coding=coding,
        )  # fmt: skip
        verilate.build(bundle)
        device = Accelerator(bundle)
        write_weights(device)
        images = np.random.default_rng(1).integers(0, 256, (40, 33), np.uint8)
        device.run(images, taps=False)  # the first labels come at the pace of the latency
        device.clear()
        device.run(images, taps=False)
        device.command("snapshot")
        distances.append(device.get("DISTANCE_MIN"))
    assert distances[0] == distances[1] > 0


@pytest.mark.parametrize("coding", [Coding(weights=32), Coding(buffers=32)])
def test_one_kind_of_memory(coding: Coding, tmp_path: Path) -> None:
    described = agree(perceptron(16, 8, 4, 3), 100, tmp_path, coding=coding, rate=0.1)
    for memory in described.memories:
        assert (memory.code is not None) == bool(getattr(coding, memory.kind.rstrip("s") + "s"))
