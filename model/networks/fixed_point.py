"""Fixed-point networks in Brevitas: Fxp8, Fxp16 and Fxp32 of Asano et al. 2024.

A weight, and an element of a hidden map, is a signed number of 8, 16 or 32 bits in [-1, 1): a code
over 2^(bits - 1), rounded to the nearest, ties to even, and held at the ends of the range. That is
what ``sim.fixed_point`` computes with, where the codes lie in memory. They are trained as binary
network of the same layers (table 1: "based on the learning algorithm of the BNN"): latent weights
in [-1, 1], gradients straight through the rounding, for a hidden map only within the range. The
paper gives no range; [-1, 1) holds the -1 and very nearly the +1 of the binary network, so that it
is "unified" (section 3). Sums, batch norms and logits are exact, as far as floats are.

Codes of 32 bits need float64 (``network.double()``); in float32, in which such a network is
trained, only the upper 24 bits of a number count.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from brevitas.inject.enum import RestrictValueType, ScalingImplType, ScalingPerOutputType
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.quant.base import IntQuant
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver
from torch import Tensor, nn

from spinflow.model.networks.base import PIXEL_OFFSET, PIXEL_SCALE, Memories, TrainedNetwork
from spinflow.model.networks.graph import FixedPointSpec


class FixedPointWeight(IntQuant, WeightQuantSolver):
    """Weights in [-1, 1); the latent weight at an end of the range keeps its gradient."""

    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    scaling_per_output_type = ScalingPerOutputType.TENSOR
    scaling_const = 1.0


class FixedPointMap(IntQuant, ActQuantSolver):
    """Elements of a map in [-1, 1)."""

    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    scaling_per_output_type = ScalingPerOutputType.TENSOR
    min_val = -1.0
    max_val = 1.0


class FixedPointNetwork(TrainedNetwork):
    """The Brevitas network of a fixed-point spec.

    Input: float tensor (n, channels, rows, columns) of pixel values 0 to 255. Output: logits
    (n, classes), the last layer's sums times ``spec.logit_scale``. A pool comes before the batch
    norm, so that the map in memory is the pooled one, as in the binary networks.
    """

    def __init__(self, spec: FixedPointSpec) -> None:
        super().__init__()
        self.spec: FixedPointSpec = spec
        weight: dict[str, Any] = {
            "bias": False,
            "weight_quant": FixedPointWeight,
            "weight_bit_width": spec.bits,
        }
        modules: list[nn.Module] = []
        for layer, following in zip(spec.layers, (*spec.layers[1:], None), strict=True):
            outputs = layer.result[2]
            if layer.op == "pool":
                continue
            if layer.op == "conv":
                padding = layer.padding
                modules.append(
                    QuantConv2d(layer.source[2], outputs, layer.kernel, padding=padding, **weight)
                )
            else:
                modules += [nn.Flatten()] if layer.source[0] > 1 else []
                modules.append(QuantLinear(layer.fan_in, outputs, **weight))
            nn.init.uniform_(cast(Any, modules[-1]).weight, -0.5, 0.5)
            if following is not None and following.op == "pool":
                modules.append(nn.MaxPool2d(following.kernel))
            if layer.sign:
                kind = nn.BatchNorm2d if layer.op == "conv" else nn.BatchNorm1d
                modules.append(kind(outputs))
                modules.append(QuantIdentity(act_quant=FixedPointMap, bit_width=spec.bits))
        self.steps = nn.Sequential(*modules)

    def matrices(self) -> list[Any]:
        """Return the modules with weights, first layer first."""
        return [module for module in self.steps if isinstance(module, nn.Linear | nn.Conv2d)]

    def batch_norms(self) -> list[Any]:
        """Return the batch norms of the hidden layers, first layer first."""
        norms = nn.BatchNorm1d | nn.BatchNorm2d
        return [module for module in self.steps if isinstance(module, norms)]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits (n, classes) of pixels (n, channels, rows, columns)."""
        logits: Tensor = self.steps(pixels * PIXEL_SCALE + PIXEL_OFFSET) * self.spec.logit_scale
        return logits

    def training_logits(
        self, pixels: Tensor, bfloat16: bool, memories: Memories | None = None
    ) -> Tensor:
        """Return the logits of a batch in train mode; see ``TrainedNetwork``.

        Raises:
            ValueError: bfloat16 with more than 8 bits, which it does not hold, or memories, whose
                errors are those of +1 and -1.
        """
        if bfloat16 and self.spec.bits > 8:
            raise ValueError(
                f"{self.spec.name}: bfloat16 holds no codes of {self.spec.bits} bits; "
                "train with --no-bfloat16"
            )
        if memories is not None:
            raise ValueError(f"{self.spec.name}: only binary networks are trained with errors")
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=bfloat16):
            logits: Tensor = self(pixels)
        return logits.float()

    def codes(self) -> list[Tensor]:
        """Return the weights' codes, int8, int16 or int32, in the shapes of torch's weights."""
        limit = 2.0 ** (self.spec.bits - 1)
        kind = {8: torch.int8, 16: torch.int16, 32: torch.int32}[self.spec.bits]
        return [
            # In float64, where the largest 32-bit code is exact.
            (matrix.weight.detach().double() * limit).round().clamp(-limit, limit - 1).to(kind)
            for matrix in self.matrices()
        ]

    def weight_tensors(self) -> dict[str, Tensor]:
        """Return ``layers.i.weight_codes`` of each layer with weights; see ``TrainedNetwork``."""
        return {f"layers.{i}.weight_codes": codes for i, codes in enumerate(self.codes())}

    @torch.no_grad()
    def set_weight_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take weights as :meth:`weight_tensors` gives them."""
        for i, matrix in enumerate(self.matrices()):
            codes = tensors[f"layers.{i}.weight_codes"].double()
            matrix.weight.copy_(codes * 2.0 ** (1 - self.spec.bits))

    def plain_modules(self) -> list[nn.Module]:
        """Return the layers as modules of torch without rounding, as ``sim.fixed_point`` needs.

        They share parameters and statistics with this network. The logit scale, a power of two, is
        left out: no label depends on it.
        """
        plain: list[nn.Module] = []
        for module in self.steps:
            if isinstance(module, QuantIdentity):
                continue
            if isinstance(module, nn.Linear | nn.Conv2d):
                plain.append(_without_rounding(module))
            else:
                plain.append(module)
        return plain


def _without_rounding(module: nn.Linear | nn.Conv2d) -> nn.Module:
    plain: nn.Linear | nn.Conv2d
    # Without weights of its own.
    with torch.device("meta"):
        if isinstance(module, nn.Linear):
            plain = nn.Linear(module.in_features, module.out_features, bias=False)
        else:
            size, padding = cast(Any, (module.kernel_size, module.padding))
            plain = nn.Conv2d(
                module.in_channels, module.out_channels, size, padding=padding, bias=False
            )
    plain.weight = module.weight
    return plain
