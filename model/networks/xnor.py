"""Networks with binary layers between layers of floats: those of Tzoufras et al. 2019.

The first and the last layer have weights and inputs of floats and no errors, the others weights of
+1 and -1 and inputs of bits. A binary layer is, as in the paper (section II.1) and in Rastegari et
al. 2016, "XNOR-Net", fig. 3, batch norm, sign, convolution; a pool follows the sums. The first
layer is convolution, batch norm, ReLU; the last one batch norm, ReLU, and the classes' sums.

The layers are those of XNOR-Net-PyTorch. What of it is not here, and why:

- the factor of a filter's weights (XNOR-Net's alpha), a bias and a ReLU behind binary layers: the
  batch norm that always follows takes away the first two, and the paper's blocks have no third;
- the ReLU of the last convolution, which stands before it, so that sums of classes keep their sign;
- dropout: a bit that is left out is no bit. The recipes crop and mirror images instead;
- padding with 0, which is no value of a bit: maps of bits are padded with -1 (as ``binary``).

``spinflow.sim.xnor`` measures with errors.
"""

from __future__ import annotations

from typing import Any

import torch
from brevitas.nn import QuantConv2d, QuantLinear
from torch import Tensor, nn
from torch.nn import functional

from spinflow.model.networks.base import (
    GAMMA_MIN,
    PIXEL_OFFSET,
    PIXEL_SCALE,
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
from spinflow.model.networks.graph import Layer, XnorSpec


class XnorNetwork(TrainedNetwork):
    """The network of an XnorSpec, its binary layers in Brevitas.

    Input: float tensor (n, channels, rows, columns) of pixel values 0 to 255, which the first layer
    takes in [-1, 1). Output: logits (n, classes). ``norms[i]`` belongs to the i-th layer with
    weights: it follows the first and precedes the others.
    """

    def __init__(self, spec: XnorSpec) -> None:
        super().__init__()
        self.spec: XnorSpec = spec
        self.linears = nn.ModuleList(
            _matrix(layer, bias=number > 0) for number, layer in enumerate(spec.weighted)
        )
        norms: list[nn.Module] = []
        for number, layer in enumerate(spec.weighted):
            kind = nn.BatchNorm2d if layer.op == "conv" else nn.BatchNorm1d
            channels = layer.source[2] if layer.op == "conv" else layer.fan_in
            norms.append(kind(channels if number else layer.result[2]))
        self.norms = nn.ModuleList(norms)
        self.binarize = binarizer()

    def forward(self, pixels: Tensor, memories: Memories | None = None) -> Tensor:
        """Return the logits (n, classes) of pixels (n, channels, rows, columns).

        Args:
            pixels: 0 to 255.
            memories: what binary weights and maps pass through; None is memory without errors. A
                map is called after the layer or pool that it comes from.
        """
        x = pixels * PIXEL_SCALE + PIXEL_OFFSET
        for place, layer in enumerate(self.spec.layers):
            x = self.taken(place, x)
            weight = self.weight_of(place)
            if memories is not None and layer.binary and weight is not None:
                x = memories.hidden_map(self.spec.layers[place - 1].name, x)
                weight = memories.weights(layer.name, weight)
            x = self.given(place, x, weight)
        return torch.flatten(x, 1)

    def taken(self, place: int, x: Tensor) -> Tensor:
        """Return what a layer takes of what the one before it gives: bits, if it is binary.

        Args:
            place: of the layer in ``spec.layers``.
            x: what the layer before it gives, or the pixels in [-1, 1).
        """
        layer, number = self.spec.layers[place], self._number(place)
        if layer.op == "pool":
            return x
        if layer.op == "linear":
            x = torch.flatten(x, 1)
        if number:
            x = self.norms[number](x)
            x = self.binarize(x) if layer.binary else torch.relu(x)
        return x

    def weight_of(self, place: int) -> Tensor | None:
        """Return a layer's weights, those of +1 and -1 if it is binary; None of a pool."""
        layer = self.spec.layers[place]
        if layer.op == "pool":
            return None
        matrix = self.matrices()[self._number(place)]
        weight: Tensor = matrix.quant_weight().value if layer.binary else matrix.weight
        return weight

    def given(self, place: int, x: Tensor, weight: Tensor | None) -> Tensor:
        """Return what a layer gives of what it takes."""
        layer, number = self.spec.layers[place], self._number(place)
        if layer.op == "pool":
            pool = functional.avg_pool2d if layer.average else functional.max_pool2d
            return pool(x, layer.kernel, layer.stride, layer.padding)
        assert weight is not None
        bias = self.matrices()[number].bias
        if layer.op == "linear":
            x = functional.linear(x, weight, bias)
        else:
            x = functional.conv2d(padded(x, layer), weight, bias, layer.stride)
        return x if number else torch.relu(self.norms[0](x))

    def _number(self, place: int) -> int:
        """Of a layer with weights, its number among those."""
        return sum(layer.op != "pool" for layer in self.spec.layers[:place])

    def training_logits(
        self, pixels: Tensor, bfloat16: bool, memories: Memories | None = None
    ) -> Tensor:
        """Return the logits of a batch in train mode; see ``TrainedNetwork``."""
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=bfloat16):
            logits: Tensor = self(pixels, memories)
        return logits.float()

    @torch.no_grad()
    def constrain(self) -> None:
        """Clip the latent weights of the binary layers, and keep gains positive."""
        for layer, matrix in zip(self.spec.weighted, self.matrices(), strict=True):
            if layer.binary:
                matrix.weight.clamp_(-1.0, 1.0)
        for norm in self.batch_norms():
            norm.weight.clamp_(min=GAMMA_MIN)

    def weight_tensors(self) -> dict[str, Tensor]:
        """Return ``layers.i.weight_bits`` of binary layers, of the others ``weight``, ``bias``."""
        tensors: dict[str, Tensor] = {}
        for i, (layer, matrix) in enumerate(zip(self.spec.weighted, self.matrices(), strict=True)):
            if layer.binary:
                tensors[f"layers.{i}.weight_bits"] = packed_bits(weight_bits(layer, matrix))
            else:
                for name, value in matrix.named_parameters():
                    tensors[f"layers.{i}.{name}"] = value.detach()
        return tensors

    @torch.no_grad()
    def set_weight_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take weights as :meth:`weight_tensors` gives them."""
        for i, (layer, matrix) in enumerate(zip(self.spec.weighted, self.matrices(), strict=True)):
            if layer.binary:
                packed = tensors[f"layers.{i}.weight_bits"]
                set_weight_bits(layer, matrix, unpacked_bits(packed, layer.weight_shape))
            else:
                for name, value in matrix.named_parameters():
                    value.copy_(tensors[f"layers.{i}.{name}"])


def _matrix(layer: Layer, bias: bool) -> Any:
    """Return the module that holds a layer's weights; only a layer of floats has a bias."""
    inputs, outputs = layer.source[2], layer.result[2]
    # XnorNetwork.forward computes: stride, padding and errors are its own.
    if not layer.binary:
        if layer.op == "conv":
            return nn.Conv2d(inputs, outputs, layer.kernel, bias=bias)
        return nn.Linear(layer.fan_in, outputs, bias=bias)
    weight: dict[str, Any] = {"bias": False, "weight_quant": BinaryWeight}
    if layer.op == "conv":
        matrix: Any = QuantConv2d(inputs, outputs, layer.kernel, **weight)
    else:
        matrix = QuantLinear(layer.fan_in, outputs, **weight)
    nn.init.uniform_(matrix.weight, -1.0, 1.0)
    return matrix
