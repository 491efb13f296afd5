"""The networks in Brevitas, each described by a small spec; here the wholly binary ones (W1A1).

Fixed-point networks are in ``model.fixed_point``, networks with layers of floats in ``model.xnor``.

What FINN and the hardware need is built in. Every matrix and every convolution has weights of +1
and -1 alone; a hidden one is followed by a batch norm and a sign, convolutions have a stride of 1,
and pools take the largest bit. A padded convolution takes -1 beyond the edge of a map of bits, and
pixel 0 beyond that of an image, as the hardware does; BinaryNet (Courbariaux et al. 2016) and the
papers that follow it pad maps with 0, which is no value of a bit.

The last matrix gives sums times one power of two, so that a label is the argmax of exact integers
on every machine. Images are uint8 (n, pixels), a pixel after the other in the order (row, column,
channel). The first layer of an MLP takes them made binary by one exact threshold, that of a
convolutional network takes them as they are.

`spec.layers` says which layers a network has, in order and with their shapes; for the i-th of its
`spec.weighted` layers, `model.bits()[i]` gives the weights and `model.thresholds()[i]` the integers
that its sums are compared with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, Protocol, cast

import numpy as np
import torch
from brevitas.core.function_wrapper import TensorClampSte
from brevitas.nn import QuantConv2d, QuantIdentity, QuantLinear
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

EVALUATION_BATCH = 500

GAMMA_MIN = 1e-2
"""Least batch-norm gain: a gain that stays positive keeps each threshold a plain `>=`."""

PIXEL_MAX = 255

NORM_MOMENTUM = 0.1
"""Share of a batch's statistics in the running ones, torch's default."""

Shape = tuple[int, int, int]
"""Rows, columns, channels of a map; a vector is (1, 1, n)."""


@dataclass(frozen=True)
class Layer:
    """One layer of a network, as plain data.

    Attributes:
        name: what taps and memories are called after: input, conv0, pool1, fc0.
        op: "threshold" makes pixels binary; "conv" and "linear" have weights; "pool" takes the
            largest value, or the mean, of each kernel x kernel square; what is left over is cut
            off.
        source: shape of the map that it takes. "linear" takes it as one vector.
        result: shape of the map that it gives.
        kernel: rows (and columns) of a convolution's or a pool's window, 1 for the others.
        padding: rows and columns that it takes beyond each edge of the map.
        stride: rows and columns from a window to the next.
        sign: whether bits are made of its result, or of that of the pool after it, by batch norm
            and sign; of a binary network, all but the last of the layers with weights.
        pixels: whether it takes UINT8 pixels, not bits.
        binary: whether its weights are +1 and -1, not floats.
        average: whether a pool takes the mean.
    """

    name: str
    op: Literal["threshold", "conv", "pool", "linear"]
    source: Shape
    result: Shape
    kernel: int = 1
    padding: int = 0
    stride: int = 1
    sign: bool = False
    pixels: bool = False
    binary: bool = True
    average: bool = False

    @property
    def fan_in(self) -> int:
        """Terms of one sum of a layer with weights."""
        rows, columns, channels = self.source
        return self.kernel**2 * channels if self.op == "conv" else rows * columns * channels

    @property
    def padding_value(self) -> float:
        """What lies beyond the edges: pixel 0, or the bit -1."""
        return 0.0 if self.pixels else -1.0

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights: (MH, rows, columns, channels) of a convolution, else (MH, MW)."""
        inputs = (self.kernel, self.kernel, self.source[2]) if self.op == "conv" else (self.fan_in,)
        return (self.result[2], *inputs)


class _Layered:
    """A description that has layers."""

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        raise NotImplementedError

    @property
    def weighted(self) -> tuple[Layer, ...]:
        """The layers that have weights, in order."""
        return tuple(layer for layer in self.layers if layer.op in ("conv", "linear"))


@dataclass(frozen=True)
class NetworkSpec(_Layered):
    """A fully connected binary network.

    Attributes:
        name: what commands and files call it.
        widths: pixels, hidden widths and classes, e.g. (784, 1024, 1024, 10).
        input_threshold: a pixel (0 to 255) is +1 from this value on, -1 below.
        logit_scale: factor from the last layer's integers to logits; a power of two, so exact.
        dataset: what it is trained on, a name of ``model.data.DATASETS``.
    """

    name: str
    widths: tuple[int, ...]
    input_threshold: int
    logit_scale: float
    dataset: str = "mnist"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image: (pixels,)."""
        return self.widths[:1]

    @property
    def pixels(self) -> int:
        """Values of an image."""
        return self.widths[0]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order, first the one that makes pixels binary."""
        image = (1, 1, self.pixels)
        layers = [Layer("input", "threshold", image, image, pixels=True)]
        for i, (fan_in, outputs) in enumerate(pairwise(self.widths)):
            sign = i < len(self.widths) - 2
            layers.append(Layer(f"fc{i}", "linear", (1, 1, fan_in), (1, 1, outputs), sign=sign))
        return tuple(layers)


@dataclass(frozen=True)
class ConvSpec(_Layered):
    """A convolutional binary network whose first layer takes the pixels as they are.

    Attributes:
        name: what commands and files call it.
        shape: rows, columns and channels of an image.
        kernel: rows (and columns) of every convolution; the stride is 1.
        channels: outputs of each convolution.
        pools: numbers of the convolutions that a 2 x 2 max-pool follows.
        widths: outputs of the fully connected layers, the classes last.
        logit_scale: factor from the last layer's integers to logits; a power of two, so exact.
        dataset: what it is trained on, a name of ``model.data.DATASETS``.
        padding: rows and columns that every convolution takes beyond each edge of its map, 0 or 1;
            they are -1, of an image 0.
    """

    name: str
    shape: Shape
    kernel: int
    channels: tuple[int, ...]
    pools: tuple[int, ...]
    widths: tuple[int, ...]
    logit_scale: float
    dataset: str
    padding: int = 0

    def __post_init__(self) -> None:
        if self.padding not in (0, 1):
            raise ValueError(f"{self.name}: padding is {self.padding}, valid: 0 or 1")

    @property
    def pixels(self) -> int:
        """Values of an image."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        layers: list[Layer] = []
        shape = self.shape
        for i, outputs in enumerate(self.channels):
            less = self.kernel - 1 - 2 * self.padding
            result = (shape[0] - less, shape[1] - less, outputs)
            layers.append(
                Layer(
                    f"conv{i}",
                    "conv",
                    shape,
                    result,
                    self.kernel,
                    self.padding,
                    sign=True,
                    pixels=i == 0,
                )
            )
            shape = result
            if i in self.pools:
                result = (shape[0] // 2, shape[1] // 2, outputs)
                layers.append(Layer(f"pool{i}", "pool", shape, result, 2, stride=2))
                shape = result
        for i, outputs in enumerate(self.widths):
            sign = i < len(self.widths) - 1
            layers.append(Layer(f"fc{i}", "linear", shape, (1, 1, outputs), sign=sign))
            shape = (1, 1, outputs)
        return tuple(layers)


@dataclass(frozen=True)
class FixedPointSpec(ConvSpec):
    """A convolutional network of fixed-point numbers in [-1, 1); see ``model.fixed_point``.

    It has the layers of a ConvSpec. Where that has a sign its maps are rounded to the nearest code,
    and its convolutions are padded with 0, which is a number here.

    Attributes:
        bits: 8, 16 or 32, of each weight and of each element of a map.
    """

    bits: int = 8


@dataclass(frozen=True)
class Block:
    """A layer of an XnorSpec.

    Attributes:
        op: "conv", "linear", or "pool" and "average" of the largest value and of the mean.
        outputs: of a layer with weights.
        kernel, stride, padding: of the windows of the others than "linear"; see ``Layer``.
        binary: of a layer with weights, whether they are +1 and -1 and it takes bits.
    """

    op: Literal["conv", "linear", "pool", "average"]
    outputs: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    binary: bool = True


@dataclass(frozen=True)
class XnorSpec(_Layered):
    """A network whose first and last layers are of floats, all others binary; see ``model.xnor``.

    Attributes:
        name: what commands and files call it.
        shape: rows, columns and channels of an image.
        blocks: the layers in order.
        dataset: what it is trained on, a name of ``model.data.DATASETS``.
    """

    name: str
    shape: Shape
    blocks: tuple[Block, ...]
    dataset: str

    @property
    def logit_scale(self) -> float:
        """Factor from the last layer's sums to logits."""
        return 1.0

    @property
    def pixels(self) -> int:
        """Values of an image."""
        return math.prod(self.shape)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order, named as those of a ConvSpec."""
        layers: list[Layer] = []
        shape = self.shape
        for i, block in enumerate(self.blocks):
            before, after = self.blocks[:i], self.blocks[i + 1 :]
            pool = block.op in ("pool", "average")
            if block.op == "linear":
                result = (1, 1, block.outputs)
            else:
                rows, columns = (
                    (side + 2 * block.padding - block.kernel) // block.stride + 1
                    for side in shape[:2]
                )
                result = (rows, columns, shape[2] if pool else block.outputs)
            if pool:
                name = f"pool{sum(b.op == 'conv' for b in before) - 1}"
            else:
                kind = "fc" if block.op == "linear" else "conv"
                name = f"{kind}{sum(b.op == block.op for b in before)}"
            following = next((b for b in after if b.outputs), None)
            layers.append(
                Layer(
                    name,
                    "pool" if block.op == "average" else block.op,
                    shape,
                    result,
                    block.kernel,
                    block.padding,
                    block.stride,
                    sign=not pool and following is not None and following.binary,
                    pixels=i == 0,
                    binary=not pool and block.binary,
                    average=block.op == "average",
                )
            )
            shape = result
        return tuple(layers)

    def with_classes(self, classes: int) -> XnorSpec:
        """Return the same network with another number of classes, 2 or more."""
        if classes < 2:
            raise ValueError(f"{self.name}: {classes} classes, valid: 2 or more")
        last = max(i for i, block in enumerate(self.blocks) if block.outputs)
        changed = replace(self.blocks[last], outputs=classes)
        return replace(self, blocks=(*self.blocks[:last], changed, *self.blocks[last + 1 :]))


Spec = NetworkSpec | ConvSpec | XnorSpec

BINARYNET_POOLS = (1, 3, 5)
"""BinaryNet's CIFAR-10 network pools after every second of its six convolutions of 3 x 3, whose
padding keeps the size of the map. Hirtzlin 2019 and Asano 2024, who name its learning algorithm
and six convolutions of 3 x 3 too, say nothing of pools and padding; so these are taken."""

COLOUR = (32, 32, 3)
"""Shape of the images of CIFAR-10, CIFAR-100 and SVHN."""

VGG = (
    COLOUR,
    3,
    (128, 128, 256, 256, 512, 512),
    BINARYNET_POOLS,
    (1024, 1024, 10),
    2.0**-5,
)
"""Shape, kernel, channels, pools, widths and logit scale of Asano's VGG."""


def _nin(name: str, classes: int, dataset: str) -> XnorSpec:
    """Lin et al. 2014 with the widths of XNOR-Net-PyTorch: three stages of three convolutions."""
    blocks = (
        Block("conv", 192, 5, padding=2, binary=False),
        Block("conv", 160),
        Block("conv", 96),
        Block("pool", kernel=3, stride=2, padding=1),
        Block("conv", 192, 5, padding=2),
        Block("conv", 192),
        Block("conv", 192),
        Block("average", kernel=3, stride=2, padding=1),
        Block("conv", 192, 3, padding=1),
        Block("conv", 192),
        Block("conv", classes, binary=False),
        Block("average", kernel=8),
    )
    return XnorSpec(name, COLOUR, blocks, dataset)


LENET = ((28, 28, 1), 5, (32, 64), (0, 1), (512, 10), 2.0**-4)
"""After LeNet-4 (LeCun et al. 1998): two convolutions with pools, two matrices."""

_SPECS: tuple[Spec, ...] = (
    # Hirtzlin et al. 2019, fig. 2: the MNIST network.
    NetworkSpec("mlp-mnist", (784, 1024, 1024, 10), 64, 2.0**-5),
    # The TFC and the LFC of Brevitas' bnn_pynq and of BNN-PYNQ.
    NetworkSpec("tfc-mnist", (784, 64, 64, 64, 10), 64, 2.0**-3),
    NetworkSpec("lfc-mnist", (784, 1024, 1024, 1024, 10), 64, 2.0**-5),
    ConvSpec("lenet-mnist", *LENET, "mnist"),
    NetworkSpec("mlp-fashion-mnist", (784, 1024, 1024, 10), 64, 2.0**-5, "fashion-mnist"),
    ConvSpec("lenet-fashion-mnist", *LENET, "fashion-mnist"),
    # The LeNet as Asano's fixed-point networks are, to compare it with on a CPU.
    *(FixedPointSpec(f"lenet-fxp{bits}-mnist", *LENET, "mnist", bits=bits) for bits in (8, 16, 32)),
    # The CNV of Umuroglu et al. 2017 ("FINN") and of BNN-PYNQ.
    ConvSpec(
        "cnv-cifar10",
        COLOUR,
        3,
        (64, 64, 128, 128, 256, 256),
        (1, 3),
        (512, 512, 10),
        2.0**-4,
        "cifar10",
    ),
    # Hirtzlin et al. 2019, fig. 2: the CIFAR-10 network.
    ConvSpec(
        "cnn-cifar10",
        COLOUR,
        3,
        (384, 384, 384, 768, 768, 1536),
        BINARYNET_POOLS,
        (1024, 1024, 10),
        2.0**-5,
        "cifar10",
        padding=1,
    ),
    # Asano et al. 2024, table 1: Binary; Binary_x3, whose convolutions are three times as wide;
    # and Fxp8, Fxp16 and Fxp32.
    ConvSpec("vgg-cifar10", *VGG, "cifar10", padding=1),
    ConvSpec(
        "vgg3-cifar10",
        COLOUR,
        3,
        (384, 384, 768, 768, 1536, 1536),
        BINARYNET_POOLS,
        (1024, 1024, 10),
        2.0**-5,
        "cifar10",
        padding=1,
    ),
    *(
        FixedPointSpec(f"vgg-fxp{bits}-cifar10", *VGG, "cifar10", padding=1, bits=bits)
        for bits in (8, 16, 32)
    ),
)

_SPECS += (
    # Tzoufras et al. 2019, section II, with the widths of XNOR-Net-PyTorch.
    XnorSpec(
        "lenet4-mnist",
        (28, 28, 1),
        (
            Block("conv", 20, 5, binary=False),
            Block("pool", kernel=2, stride=2),
            Block("conv", 50, 5),
            Block("pool", kernel=2, stride=2),
            Block("linear", 500),
            Block("linear", 10, binary=False),
        ),
        "mnist",
    ),
    _nin("nin-cifar10", 10, "cifar10"),
    _nin("nin-cifar100", 100, "cifar100"),
    _nin("nin-svhn", 10, "svhn-extra"),
    # Images of 227 x 227, with which the sides come out as those of Krizhevsky et al. 2012.
    XnorSpec(
        "alexnet-imagenet",
        (227, 227, 3),
        (
            Block("conv", 96, 11, stride=4, binary=False),
            Block("pool", kernel=3, stride=2),
            Block("conv", 256, 5, padding=2),
            Block("pool", kernel=3, stride=2),
            Block("conv", 384, 3, padding=1),
            Block("conv", 384, 3, padding=1),
            Block("conv", 256, 3, padding=1),
            Block("pool", kernel=3, stride=2),
            Block("linear", 4096),
            Block("linear", 4096),
            Block("linear", 1000, binary=False),
        ),
        "imagenet",
    ),
)

NETWORKS = {spec.name: spec for spec in _SPECS}
"""The networks by name."""


def network(name: str) -> Spec:
    """Return the spec of a network or of its variant NAME+LABEL; ValueError lists the names."""
    base = name.partition("+")[0]
    if base not in NETWORKS:
        raise ValueError(f"unknown network {base!r}; known: {', '.join(NETWORKS)}")
    return NETWORKS[base]


class BinaryWeight(SignedBinaryWeightPerTensorConst):
    """Weights of exactly +1 and -1, of latent weights that ``constrain`` keeps in [-1, 1]."""

    scaling_const = 1.0
    # Brevitas clips in place, which parts of a batch in several threads must not do at once.
    tensor_clamp_impl = TensorClampSte


def binarizer() -> QuantIdentity:
    """Return a module that makes +1 and -1 of values; 0 gives +1."""
    return QuantIdentity(act_quant=SignedBinaryActPerTensorConst)


class Memories(Protocol):
    """What weights and hidden maps are read back from while a network is trained."""

    def weights(self, name: str, written: Tensor) -> Tensor:
        """Return what is read of the +1 and -1 of a layer's weights, of the same shape."""

    def hidden_map(self, name: str, written: Tensor) -> Tensor:
        """Return what is read of the +1 and -1 that a layer or pool gives, the batch first."""


class TrainedNetwork(nn.Module):
    """What all networks have in common: what training, files and evaluation ask of them.

    Called with pixels 0 to 255, as :func:`to_input` gives them, it gives logits (n, classes).

    Attributes:
        spec: the description.
        matrices(): the modules with weights, first layer first; the latent weights of a
            convolution are (MH, channels, rows, columns), those of a matrix (MH, MW).
        batch_norms(): the batch norms, first layer first.
    """

    spec: Any
    linears: nn.ModuleList
    norms: nn.ModuleList

    def matrices(self) -> list[Any]:
        """Return the modules with weights, first layer first."""
        return list(self.linears)

    def batch_norms(self) -> list[Any]:
        """Return the batch norms of the hidden layers, first layer first."""
        return list(self.norms)

    def training_logits(
        self, pixels: Tensor, bfloat16: bool, memories: Memories | None = None
    ) -> Tensor:
        """Return the logits (n, classes) of a batch in train mode.

        Args:
            pixels: float, shape as ``forward`` takes it.
            bfloat16: whether matrix products are computed in bfloat16.
            memories: what weights and hidden maps pass through; None is memory without errors.
        """
        raise NotImplementedError

    @torch.no_grad()
    def constrain(self) -> None:
        """Put the trained parameters back into their range; call after each optimizer step."""
        for matrix in self.matrices():
            matrix.weight.clamp_(-1.0, 1.0)
        for norm in self.batch_norms():
            norm.weight.clamp_(min=GAMMA_MIN)

    def centre_thresholds(self) -> None:
        """Move thresholds between sums, where a network has them; call after training."""

    def weight_tensors(self) -> dict[str, Tensor]:
        """Return the weights as files hold them, by name: ``layers.i.`` and what they are."""
        raise NotImplementedError

    def set_weight_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take weights as :meth:`weight_tensors` gives them; others among them are left alone."""
        raise NotImplementedError


def weight_bits(layer: Layer, matrix: Any) -> NDArray[np.uint8]:
    """Return the weights of a layer's module as bits of ``layer.weight_shape``, 1 for +1."""
    # As Brevitas binarises: a latent weight of 0 is +1.
    value = (matrix.weight.detach().numpy() >= 0).astype(np.uint8)
    rows, columns, channels = layer.source
    if layer.op == "linear":
        value = value.reshape(-1, channels, rows, columns)
    return np.ascontiguousarray(value.transpose(0, 2, 3, 1).reshape(layer.weight_shape))


@torch.no_grad()
def set_weight_bits(layer: Layer, matrix: Any, bits: NDArray[np.uint8]) -> None:
    """Give a layer's module weights as :func:`weight_bits` returns them."""
    rows, columns, channels = layer.source
    signs = bits.astype(np.float32) * 2 - 1
    if layer.op == "linear":
        signs = signs.reshape(-1, rows, columns, channels)
    signs = signs.transpose(0, 3, 1, 2)
    matrix.weight.copy_(torch.from_numpy(signs.reshape(tuple(matrix.weight.shape))))


def packed_bits(weight: NDArray[np.uint8]) -> Tensor:
    """Return bits, (MH, ...), as files hold them: uint8, (MH, ceil(MW / 8)), little-endian."""
    rows = weight.reshape(len(weight), -1)
    return torch.from_numpy(np.packbits(rows, axis=1, bitorder="little"))


def unpacked_bits(packed: Tensor, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Undo :func:`packed_bits`; shape is (MH, ...)."""
    count = math.prod(shape[1:])
    return np.unpackbits(packed.numpy(), axis=1, count=count, bitorder="little").reshape(shape)


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
        return x.float() * self.spec.logit_scale


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


def padded(x: Tensor, layer: Layer) -> Tensor:
    """Return the maps x, (n, channels, rows, columns), that a layer takes with its padding."""
    if not layer.padding:
        return x
    return functional.pad(x, (layer.padding,) * 4, value=layer.padding_value)


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
            weight = _BinaryWeights.apply(self.matrices()[number].weight, dtype)
            if memories is not None:
                weight = memories.weights(layer.name, weight)
            if layer.op == "conv":
                x = functional.conv2d(padded(x, layer), weight)
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
                x = _Sign.apply(x)
                if memories is not None:
                    x = memories.hidden_map(stored.name, x)
            number += 1
        return x.float() * self.spec.logit_scale


def is_binary(spec: Spec) -> bool:
    """Return whether every layer is binary, so that the evaluator and FINN can take the network."""
    return not isinstance(spec, FixedPointSpec | XnorSpec)


def build(spec: Spec) -> Any:
    """Return the network of a spec with random latent weights, from torch's generator.

    Returns:
        A ``BinaryMLP``, a ``BinaryConvNet`` or another ``TrainedNetwork``, as the spec says.
    """
    if isinstance(spec, FixedPointSpec):
        from model.fixed_point import FixedPointNetwork

        return FixedPointNetwork(spec)
    if isinstance(spec, XnorSpec):
        from model.xnor import XnorNetwork

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


def to_input(spec: Spec, images: NDArray[np.uint8] | Tensor) -> Tensor:
    """Return images as a network's ``forward`` takes them.

    Args:
        spec: of the network.
        images: shape (n, pixels), in the order (row, column, channel).

    Returns:
        float32, (n, pixels) for an MLP, (n, channels, rows, columns) for a convolutional network.
    """
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(images.astype(np.float32))
    pixels = images.to(torch.float32)
    if isinstance(spec, NetworkSpec):
        return pixels
    return pixels.view(-1, *spec.shape).permute(0, 3, 1, 2)


@torch.no_grad()
def predict(model: TrainedNetwork, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the labels of images, ties to the lowest label.

    Args:
        model: the network; it is put into eval mode.
        images: uint8, shape (n, pixels), in the order (row, column, channel).

    Returns:
        int64, shape (n,).
    """
    model.eval()
    pixels = model.spec.pixels
    if images.ndim != 2 or images.shape[1] != pixels or images.dtype != np.uint8:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}, "
            f"expected uint8 of shape (n, {pixels})"
        )
    device = next(model.parameters()).device
    labels = np.empty(len(images), np.int64)
    for start in range(0, len(images), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        logits = model(to_input(model.spec, images[part]).to(device))
        # numpy's argmax takes the first of equals; torch leaves that open.
        labels[part] = logits.cpu().numpy().argmax(axis=1)
    return labels
