"""Wholly binary networks (W1A1) in Brevitas.

What FINN and the hardware need is built in. Every matrix and every convolution has weights of +1
and -1 alone; a hidden one is followed by a batch norm and a sign, and pools take the largest bit. A
padded convolution takes -1 beyond the edge of a map of bits, and pixel 0 beyond that of an image,
as the hardware does; BinaryNet (Courbariaux et al. 2016) and the papers that follow it pad maps
with 0, which is no value of a bit.

The last matrix gives sums times one power of two, so that a label is the argmax of exact integers
on every machine. Images are uint8 (n, pixels), a pixel after the other in the order (row, column,
channel). The first layer of an MLP takes them made binary by one exact threshold, that of a
convolutional network takes them as they are.

`spec.layers` says which layers a network has, in order and with their shapes; for the i-th of its
`spec.weighted` layers, `model.bits()[i]` gives the weights and `model.thresholds()[i]` the integers
that its sums are compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from brevitas.nn import QuantConv2d, QuantLinear
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spinflow.model.networks.base import (
    BinaryWeight,
    Memories,
    TrainedNetwork,
    binarizer,
    packed_bits,
    padded,
    set_weight_bits,
    unpacked_bits,
    weight_bits,
)
from spinflow.model.networks.graph import ConvSpec, Layer, NetworkSpec

PIXEL_MAX = 255


class BinaryNetwork(TrainedNetwork):
    """What the wholly binary networks of both kinds of spec have in common."""

    signs: nn.ModuleList

    def bits(self) -> list[NDArray[np.uint8]]:
        """Return the weights of the weighted layers, 1 for +1 and 0 for -1.

        Returns:
            uint8 of shape ``layer.weight_shape``. The inputs of a matrix that takes a map, and
            those of a convolution, are in the order (row, column, channel).
        """
        pairs = zip(self.spec.weighted, self.matrices(), strict=True)
        return [weight_bits(layer, matrix) for layer, matrix in pairs]

    def set_bits(self, bits: list[NDArray[np.uint8]]) -> None:
        """Take weights as :meth:`bits` gives them."""
        for layer, matrix, value in zip(self.spec.weighted, self.matrices(), bits, strict=True):
            set_weight_bits(layer, matrix, value)

    def weight_tensors(self) -> dict[str, Tensor]:
        """Return ``layers.i.weight_bits`` of each layer with weights; see ``TrainedNetwork``."""
        return {f"layers.{i}.weight_bits": packed_bits(bits) for i, bits in enumerate(self.bits())}

    def set_weight_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take weights as :meth:`weight_tensors` gives them."""
        self.set_bits(
            [
                unpacked_bits(tensors[f"layers.{i}.weight_bits"], layer.weight_shape)
                for i, layer in enumerate(self.spec.weighted)
            ]
        )

    def thresholds(self) -> list[NDArray[np.int64]]:
        """Return the integers of the hidden layers: an output is +1 from them on.

        Returns:
            int64, shape (MH,), for each weighted layer with a sign. What is compared is the number
            of agreeing bits (0 to MW), or on pixels the signed sum (-255 MW to 255 MW); one more
            than the greatest is never reached.
        """
        return [
            _threshold(layer, norm)
            for layer, norm in zip(self.spec.weighted, self.batch_norms(), strict=False)
        ]

    @torch.no_grad()
    def centre_thresholds(self) -> None:
        """Move each batch-norm offset so that its threshold lies midway between two integers.

        A hidden sum of MW terms of +1 and -1 takes every second integer, a sum of pixels every
        integer. Midway between two of them the sign cannot depend on rounding, so float32, float64
        and the integer comparison `sum >= threshold` of the hardware agree. No decision changes.
        """
        for layer, norm in zip(self.spec.weighted, self.batch_norms(), strict=False):
            threshold = torch.from_numpy(_threshold(layer, norm)).double()
            middle = threshold - 0.5 if layer.pixels else 2 * threshold - 1 - layer.fan_in
            norm.bias.copy_((norm.running_mean.double() - middle) * _gain(norm))


def _gain(norm: Any) -> Tensor:
    gain: Tensor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return gain.detach()


def _threshold(layer: Layer, norm: Any) -> NDArray[np.int64]:
    edge = norm.running_mean.double() - norm.bias.detach().double() / _gain(norm)
    if layer.pixels:
        top = PIXEL_MAX * layer.fan_in
        threshold = torch.ceil(edge).clamp(-top, top + 1)
    else:
        threshold = torch.ceil((edge + layer.fan_in) / 2).clamp(0, layer.fan_in + 1)
    return threshold.numpy().astype(np.int64)


class BinaryMLP(BinaryNetwork):
    """The Brevitas network of a fully connected spec.

    Input: float tensor (n, widths[0]) of pixel values 0 to 255. Output: logits (n, classes), the
    last layer's sums of +1 and -1 times ``spec.logit_scale``.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec: NetworkSpec = spec
        # Between two pixel values, so that the comparison has no tie and no rounding.
        self.input_offset = spec.input_threshold - 0.5
        self.binarize = binarizer()
        self.linears = nn.ModuleList(
            QuantLinear(fan_in, fan_out, bias=False, weight_quant=BinaryWeight)
            for fan_in, fan_out in pairwise(spec.widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in spec.widths[1:-1])
        self.signs = nn.ModuleList(binarizer() for _ in spec.widths[1:-1])
        for linear in self.matrices():
            nn.init.uniform_(linear.weight, -1.0, 1.0)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits (n, classes) of pixels (n, widths[0]); see the class."""
        x = self.binarize(pixels - self.input_offset)
        for linear, norm, sign in zip(self.linears, self.norms, self.signs, strict=False):
            x = sign(norm(linear(x)))
        logits: Tensor = self.linears[-1](x) * self.spec.logit_scale
        return logits

    def training_logits(
        self, pixels: Tensor, bfloat16: bool, memories: Memories | None = None
    ) -> Tensor:
        """Return the logits (n, classes) of a batch in train mode; see ``BinaryNetwork``."""
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=bfloat16):
            if memories is None:
                logits: Tensor = self(pixels)
                return logits.float()
            x = self.binarize(pixels - self.input_offset)
            for number, layer in enumerate(self.spec.weighted):
                weight = self.matrices()[number].quant_weight().value
                x = functional.linear(x, memories.weights(layer.name, weight))
                if layer.sign:
                    x = self.signs[number](self.norms[number](x))
                    x = memories.hidden_map(layer.name, x)
        scaled: Tensor = x.float() * self.spec.logit_scale
        return scaled


class _BinaryWeights(torch.autograd.Function):
    """+1 and -1 of latent weights, with their gradient as it is (they stay within [-1, 1])."""

    @staticmethod
    def forward(_: Any, weight: Tensor, dtype: torch.dtype) -> Tensor:
        return (weight >= 0).to(dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].float(), None


class _Sign(torch.autograd.Function):
    """+1 and -1 of batch-norm outputs, with the gradient of a clip to [-1, 1]."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return (x >= 0).to(x.dtype).mul_(2).sub_(1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        passed: Tensor = torch.ops.aten.hardtanh_backward(gradients[0], x, -1.0, 1.0)
        return passed


# torch does not type what autograd functions take and return.
binary_weights = cast("Callable[[Tensor, torch.dtype], Tensor]", _BinaryWeights.apply)
sign = cast("Callable[[Tensor], Tensor]", _Sign.apply)


class BinaryConvNet(BinaryNetwork):
    """The Brevitas network of a convolutional spec.

    Input: float tensor (n, channels, rows, columns) of pixel values 0 to 255. Output: logits
    (n, classes), the last layer's sums of +1 and -1 times ``spec.logit_scale``.
    """

    def __init__(self, spec: ConvSpec) -> None:
        super().__init__()
        self.spec: ConvSpec = spec
        matrices: list[nn.Module] = []
        norms: list[nn.Module] = []
        for layer in spec.weighted:
            outputs = layer.result[2]
            if layer.op == "conv":
                matrices.append(
                    QuantConv2d(
                        layer.source[2],
                        outputs,
                        layer.kernel,
                        layer.stride,
                        bias=False,
                        weight_quant=BinaryWeight,
                    )
                )
            else:
                matrices.append(
                    QuantLinear(layer.fan_in, outputs, bias=False, weight_quant=BinaryWeight)
                )
            if layer.sign:
                kind = nn.BatchNorm2d if layer.op == "conv" else nn.BatchNorm1d
                norms.append(kind(outputs))
        self.linears = nn.ModuleList(matrices)
        self.norms = nn.ModuleList(norms)
        self.signs = nn.ModuleList(binarizer() for _ in norms)
        for matrix in self.matrices():
            nn.init.uniform_(matrix.weight, -1.0, 1.0)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits (n, classes) of pixels (n, channels, rows, columns)."""
        x, number = pixels, 0
        for layer in self.spec.layers:
            if layer.op == "pool":
                x = functional.max_pool2d(x, layer.kernel)
                continue
            if layer.op == "linear" and x.ndim == 4:
                x = torch.flatten(x, 1)
            x = self.linears[number](padded(x, layer))
            if layer.sign:
                x = self.signs[number](self.norms[number](x))
            number += 1
        return x * self.spec.logit_scale

    def training_logits(
        self, pixels: Tensor, bfloat16: bool, memories: Memories | None = None
    ) -> Tensor:
        """Return the logits of a batch in train mode; the same function, made for speed.

        A pool comes before the batch norm: with positive gains the largest bit is the bit of the
        largest sum, and the maps to be normed are four times smaller.

        Args:
            pixels: float or uint8, shape (n, channels, rows, columns), channels last in memory.
            bfloat16: whether maps and matrix products are in bfloat16.
            memories: what weights and hidden maps pass through; None is memory without errors.
        """
        dtype = torch.bfloat16 if bfloat16 else torch.float32
        x, number = pixels.to(dtype), 0
        layers = self.spec.layers
        for i, layer in enumerate(layers):
            if layer.op == "pool":
                continue
            weight = self.matrices()[number].weight
            weight = weight.to(dtype) if self.latent else binary_weights(weight, dtype)
            if memories is not None:
                weight = memories.weights(layer.name, weight)
            if layer.op == "conv":
                x = functional.conv2d(padded(x, layer), weight, stride=layer.stride)
            else:
                x = functional.linear(torch.flatten(x, 1), weight)
            stored = layer
            if i + 1 < len(layers) and layers[i + 1].op == "pool":
                stored = layers[i + 1]
                x = functional.max_pool2d(x, stored.kernel)
            if layer.sign:
                norm = cast(Any, self.norms[number])
                x = functional.batch_norm(
                    x,
                    norm.running_mean,
                    norm.running_var,
                    norm.weight,
                    norm.bias,
                    True,
                    norm.momentum,
                    norm.eps,
                )
                x = sign(x)
                if memories is not None:
                    x = memories.hidden_map(stored.name, x)
            number += 1
        return x.float() * self.spec.logit_scale
