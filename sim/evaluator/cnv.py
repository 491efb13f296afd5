"""The CNV of BNN-PYNQ with random weights: a large network to measure speeds with."""

from __future__ import annotations

import numpy as np

from spinflow.sim.evaluator.layers.base import Layer
from spinflow.sim.evaluator.layers.label import Label
from spinflow.sim.evaluator.layers.max_pool import MaxPool
from spinflow.sim.evaluator.layers.product import Conv, Linear
from spinflow.sim.evaluator.network import Network


def cnv(seed: int = 0, buffers: bool = True) -> Network:
    """Return the CNV of BNN-PYNQ with random weights, on images of 32 x 32 x 3 pixels.

    64-64-128-128-256-256 channels, then 512-512-10 outputs;
    3 x 3 convolutions without padding, a 2 x 2 max-pool after the second and the fourth; the
    thresholds lie near the middle of each sum, so that the feature maps are neither 0 nor 1.
    """
    generator = np.random.default_rng(seed)
    layers: list[Layer] = []
    channels = 3
    for number, outputs in enumerate((64, 64, 128, 128, 256, 256)):
        weights = generator.integers(0, 2, (outputs, 3, 3, channels), dtype=np.uint8)
        if number == 0:  # Sums of UINT8 pixels: the middle is that of a grey image.
            middle = np.round((weights.reshape(outputs, -1) * 2.0 - 1).sum(axis=1) * 127.5)
        else:
            middle = np.full(outputs, 9 * channels / 2)
        thresholds = np.round(middle + generator.normal(0, 2, outputs)).astype(np.int32)
        layers.append(Conv(f"conv{number}", weights, thresholds, buffer=buffers))
        channels = outputs
        if number in (1, 3):
            layers.append(MaxPool(f"pool{number}"))
    for number, outputs in enumerate((512, 512, 10)):
        weights = generator.integers(0, 2, (outputs, channels), dtype=np.uint8)
        last = number == 2
        spread = generator.normal(channels / 2, 2, outputs)
        thresholds = np.round(spread).astype(np.int32)
        layers.append(
            Linear(
                f"fc{number}", weights, None if last else thresholds, buffer=buffers and not last
            )
        )
        channels = outputs
    return Network("cnv", (32, 32, 3), (*layers, Label()))
