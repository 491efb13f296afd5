"""What the networks of all kinds share: what training, files and evaluation ask of them.

Images are uint8 (n, pixels), a pixel after the other in the order (row, column, channel); bits of
weights are 1 for +1 and 0 for -1.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import torch
from brevitas.core.function_wrapper import TensorClampSte
from brevitas.nn import QuantIdentity
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from spinflow.model.networks.graph import Layer, NetworkSpec, Spec

EVALUATION_BATCH = 500

GAMMA_MIN = 1e-2
"""Least batch-norm gain: a gain that stays positive keeps each threshold a plain `>=`."""

PIXEL_SCALE, PIXEL_OFFSET = 1 / 128, -1.0
"""An image of pixels 0 to 255 in [-1, 1), as the networks that are not wholly binary take it."""


INITIAL_LATENT = 0.5
"""Latent weights of a training that begins with trained bits: as far from 0, where a bit
changes, as from 1, beyond which they do not go."""


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
        latent: whether ``training_logits`` takes the latent weights as they are, which only
            binary convolutional networks do.
        matrices(): the modules with weights, first layer first; the latent weights of a
            convolution are (MH, channels, rows, columns), those of a matrix (MH, MW).
        batch_norms(): the batch norms, first layer first.
    """

    spec: Any
    latent: bool = False
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

    @torch.no_grad()
    def begin_with(self, trained: TrainedNetwork) -> None:
        """Take the weights and batch norms of a trained network, to train it further.

        Latent weights are not kept in files: those of a bit begin at plus or minus
        `INITIAL_LATENT`.

        Raises:
            ValueError: its layers are others.
        """
        theirs = trained.state_dict()
        shapes = ({k: v.shape for k, v in each.items()} for each in (theirs, self.state_dict()))
        if type(trained) is not type(self) or next(shapes) != next(shapes):
            raise ValueError(
                f"initial is {trained.spec.name}, whose layers are others, valid: a network with "
                f"those of {self.spec.name}"
            )
        self.load_state_dict(theirs)
        tensors = trained.weight_tensors()
        self.set_weight_tensors(tensors)
        for name in tensors:
            _, number, part = name.split(".")
            if part == "weight_bits":
                self.matrices()[int(number)].weight.mul_(INITIAL_LATENT)

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


def padded(x: Tensor, layer: Layer) -> Tensor:
    """Return the maps x, (n, channels, rows, columns), that a layer takes with its padding."""
    if not layer.padding:
        return x
    return functional.pad(x, (layer.padding,) * 4, value=layer.padding_value)


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


def classes_before(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how many classes come before the right one; of equal logits the lower is first.

    Args:
        logits: (n, classes).
        labels: of the right classes, int64, (n,).

    Returns:
        int64, (n,).
    """
    label = labels[:, None]
    own = logits.gather(1, label)
    lower = torch.arange(logits.shape[1], device=logits.device) < label
    return ((logits > own) | ((logits == own) & lower)).sum(dim=1)
