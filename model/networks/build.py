"""Networks made of their descriptions, with random weights."""

from __future__ import annotations

from typing import Any

import torch

from spinflow.model.networks.base import to_input
from spinflow.model.networks.binary import BinaryConvNet, BinaryMLP
from spinflow.model.networks.fixed_point import FixedPointNetwork
from spinflow.model.networks.graph import FixedPointSpec, NetworkSpec, Spec, XnorSpec
from spinflow.model.networks.xnor import XnorNetwork

NORM_MOMENTUM = 0.1
"""Share of a batch's statistics in the running ones, torch's default."""


def build(spec: Spec) -> Any:
    """Return the network of a spec with random latent weights, from torch's generator.

    Returns:
        A ``BinaryMLP``, a ``BinaryConvNet`` or another ``TrainedNetwork``, as the spec says.
    """
    if isinstance(spec, FixedPointSpec):
        return FixedPointNetwork(spec)
    if isinstance(spec, XnorSpec):
        return XnorNetwork(spec)
    return BinaryMLP(spec) if isinstance(spec, NetworkSpec) else BinaryConvNet(spec)


def untrained(spec: Spec, seed: int) -> Any:
    """Return a network with random weights whose maps are balanced, in eval mode.

    The statistics of the batch norms are those of random images, the gains and offsets are random,
    the thresholds are centred. For trying out what does not depend on the accuracy.

    Args:
        spec: of the network.
        seed: 0 to 2**32 - 1; same seed, same network. torch's generator is left as it was.

    Raises:
        ValueError: the seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}, valid: 0 to {2**32 - 1}")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = build(spec)
        for norm in model.batch_norms():
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0.0, 0.3)
            norm.momentum = 1.0
        # Brightness that differs between images, and noise.
        images = torch.rand(256, spec.pixels) * 128 + torch.rand(256, 1) * 128
        model.train()(to_input(spec, images.floor()))
        for norm in model.batch_norms():
            norm.momentum = NORM_MOMENTUM
        model.centre_thresholds()
    return model.eval()
