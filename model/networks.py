"""Binary (W1A1) networks in Brevitas, each described by a small spec.

What FINN and the hardware need is built in: the input is made binary by one exact threshold, every
hidden layer is a binary matrix, a batch norm and a sign, and the last layer is a binary matrix
times one power of two, so that a label is the argmax of exact integers on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from numpy.typing import NDArray
from torch import Tensor, nn

EVALUATION_BATCH = 2000

GAMMA_MIN = 1e-2
"""Least batch-norm gain: a gain that stays positive keeps each threshold a plain `>=`."""


@dataclass(frozen=True)
class NetworkSpec:
    """A fully connected binary network.

    Attributes:
        name: what commands and files call it.
        widths: pixels, hidden widths and classes, e.g. (784, 1024, 1024, 10).
        input_threshold: a pixel (0 to 255) is +1 from this value on, -1 below.
        logit_scale: factor from the last layer's integers to logits; a power of two, so exact.
    """

    name: str
    widths: tuple[int, ...]
    input_threshold: int
    logit_scale: float


NETWORKS = {
    spec.name: spec
    for spec in (
        # Hirtzlin et al. 2019, fig. 2: the MNIST network.
        NetworkSpec("mlp-mnist", (784, 1024, 1024, 10), 64, 2.0**-5),
        # The TFC of Brevitas' bnn_pynq and of BNN-PYNQ.
        NetworkSpec("tfc-mnist", (784, 64, 64, 64, 10), 64, 2.0**-3),
    )
}


def network(name: str) -> NetworkSpec:
    """Return the spec of a network; ValueError lists the known names."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(NETWORKS)}")
    return NETWORKS[name]


class BinaryWeight(SignedBinaryWeightPerTensorConst):
    """Weights of exactly +1 and -1; the latent weights are clipped to [-1, 1] in place."""

    scaling_const = 1.0


class BinaryMLP(nn.Module):
    """The Brevitas network of a spec.

    Input: float tensor (n, widths[0]) of pixel values 0 to 255. Output: logits (n, classes), the
    last layer's sums of +1 and -1 times ``spec.logit_scale``.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        # Between two pixel values, so that the comparison has no tie and no rounding.
        self.input_offset = spec.input_threshold - 0.5
        self.binarize = QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
        self.linears = nn.ModuleList(
            QuantLinear(fan_in, fan_out, bias=False, weight_quant=BinaryWeight)
            for fan_in, fan_out in pairwise(spec.widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in spec.widths[1:-1])
        self.signs = nn.ModuleList(
            QuantIdentity(act_quant=SignedBinaryActPerTensorConst) for _ in spec.widths[1:-1]
        )
        for linear in self.matrices():
            nn.init.uniform_(linear.weight, -1.0, 1.0)

    def matrices(self) -> list[nn.Linear]:
        """Return the binary matrices, first layer first; latent weights (MH, MW)."""
        return [cast(nn.Linear, layer) for layer in self.linears]

    def batch_norms(self) -> list[nn.BatchNorm1d]:
        """Return the batch norms of the hidden layers, first layer first."""
        return [cast(nn.BatchNorm1d, layer) for layer in self.norms]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits (n, classes) of pixels (n, widths[0]); see the class."""
        x = self.binarize(pixels - self.input_offset)
        for linear, norm, sign in zip(self.linears, self.norms, self.signs, strict=False):
            x = sign(norm(linear(x)))
        logits: Tensor = self.linears[-1](x) * self.spec.logit_scale
        return logits

    @torch.no_grad()
    def constrain(self) -> None:
        """Put the trained parameters back into their range; call after each optimizer step."""
        for linear in self.matrices():
            linear.weight.clamp_(-1.0, 1.0)
        for norm in self.batch_norms():
            norm.weight.clamp_(min=GAMMA_MIN)

    @torch.no_grad()
    def centre_thresholds(self) -> None:
        """Move each batch-norm offset so that its threshold lies midway between two integers.

        A hidden sum of MW terms of +1 and -1 takes every second integer. Midway between two of
        them the sign cannot depend on rounding, so float32, float64 and the integer comparison
        `popcount >= threshold` of the hardware agree. No decision changes.
        """
        for fan_in, norm in zip(self.spec.widths, self.batch_norms(), strict=False):
            mean, variance = norm.running_mean, norm.running_var
            assert mean is not None and variance is not None  # They are tracked by default.
            gain = norm.weight.double() / torch.sqrt(variance.double() + norm.eps)
            threshold = mean.double() - norm.bias.double() / gain
            popcount = torch.ceil((threshold + fan_in) / 2).clamp(0, fan_in + 1)
            middle = 2 * popcount - 1 - fan_in
            norm.bias.copy_((mean.double() - middle) * gain)


@torch.no_grad()
def predict(model: BinaryMLP, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the labels of images, ties to the lowest label.

    Args:
        model: the network; it is put into eval mode.
        images: uint8, shape (n, widths[0]).

    Returns:
        int64, shape (n,).
    """
    model.eval()
    if images.ndim != 2 or images.shape[1] != model.spec.widths[0] or images.dtype != np.uint8:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}, "
            f"expected uint8 of shape (n, {model.spec.widths[0]})"
        )
    labels = np.empty(len(images), np.int64)
    for start in range(0, len(images), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        logits = model(torch.from_numpy(images[part].astype(np.float32)))
        # numpy's argmax takes the first of equals; torch leaves that open.
        labels[part] = logits.numpy().argmax(axis=1)
    return labels
