"""The layers of a fixed-point network, each in whole numbers or in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.description import Shape
from spinflow.sim.evaluator.memory import Workers
from spinflow.sim.fixed_point.codes import Codes
from spinflow.sim.fixed_point.floats import FloatStage
from spinflow.sim.fixed_point.integers import BITS, LARGEST, IntegerStage, Line, line_of
from spinflow.sim.fixed_point.modules import Group

if TYPE_CHECKING:
    import torch

EXACT_TERMS = 1024  # so many products of 8-bit codes sum exactly in float32


@dataclass(frozen=True)
class Pixels:
    """What comes into a network.

    Attributes:
        shape: of an image: (pixels,) or (rows, columns, channels).
        scale, offset: a value is pixel * scale + offset.
        dtype: of values.
    """

    shape: tuple[int, ...]
    scale: float
    offset: float
    dtype: torch.dtype

    @property
    def are_codes(self) -> bool:
        """Whether a pixel less 128 is its value's code of 8 bits."""
        return (self.scale, self.offset) == (1 / 128, -1.0)

    def values(self, images: NDArray[Any]) -> torch.Tensor:
        """Return images, uint8 (n, pixels), as values in torch's order."""
        import torch

        values = torch.from_numpy(images).to(self.dtype) * self.scale + self.offset
        if len(self.shape) == 3:
            return values.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        return values


class Stage(Protocol):
    """A layer at work."""

    by_channels: bool
    """Whether some output channels alone can be computed."""

    def prepared(self, codes: NDArray[Any], channels: Any = None) -> Any:
        """Return weights, codes in torch's order, as `compute` takes them."""

    def compute(self, source: Any, weights: Any, known: Any = None) -> NDArray[Any]:
        """Return the codes of the layer's map, or the values of the last layer."""


class Stages:
    """The layers of a network.

    Args:
        of: the layers, their modules in `codes.dtype`.
        codes: what values become codes with.
        pixels: what they are.
        shapes: what each layer and pool gives, counted in codes.
        workers: that share images.

    Attributes:
        stages: in turn.
        outputs: of each, its channels.
    """

    def __init__(
        self,
        of: Sequence[Group],
        codes: Codes,
        pixels: Pixels,
        shapes: dict[str, Shape],
        workers: Workers,
    ) -> None:
        self._codes, self._pixels = codes, pixels
        self._before = [of[0].before, *(group.after for group in of[:-1])]
        self.outputs = [int(group.module.weight.shape[0]) for group in of]
        self.stages: list[Stage] = []
        shape = pixels.shape
        source: tuple[int, ...] = shape if len(shape) == 1 else (shape[2], *shape[:2])
        for number, group in enumerate(of):
            last = number + 1 == len(of)
            line = None
            if not last and codes.bits == BITS and (number or pixels.are_codes):
                line = self._line(group, number)
            if line is None:
                self.stages.append(FloatStage(group, self._before[number], codes, last))
            else:
                taken = self._read(number, np.zeros((1, *source), np.int8)).shape[1:]
                result = _torch_shape(group, shapes)
                self.stages.append(IntegerStage(group, line, taken, result, workers))
            source = _torch_shape(group, shapes)

    def _line(self, group: Group, number: int) -> Line | None:
        """How codes of a layer come of its sums in whole numbers; None if they cannot."""
        import torch

        module = group.module
        terms = int(module.weight[0].numel())
        exact_in_torch = self._codes.dtype == torch.float64 or terms <= EXACT_TERMS
        if not exact_in_torch or terms * LARGEST >= 1 << 31 or module.bias is not None:
            return None
        kinds = [torch.nn.Linear, torch.nn.Conv2d]
        if type(module) not in kinds or not all(map(_only_reads, self._before[number])):
            return None
        if isinstance(module, torch.nn.Conv2d):
            plain = module.groups == 1 and module.padding_mode == "zeros"
            if not plain or isinstance(module.padding, str):
                return None
        return line_of(group, self._codes.dtype, self._codes.of)

    def source(self, number: int, stored: NDArray[Any]) -> Any:
        """Return what a layer takes: of the images, or of the codes stored before it."""
        integers = isinstance(self.stages[number], IntegerStage)
        if number:
            return self._read(number, stored) if integers else stored
        if not integers:
            return self._pixels.values(stored)
        codes = (stored ^ np.uint8(128)).view(np.int8)
        if len(self._pixels.shape) == 3:
            codes = codes.reshape(-1, *self._pixels.shape).transpose(0, 3, 1, 2)
        return self._read(number, np.ascontiguousarray(codes))

    def _read(self, number: int, codes: NDArray[Any]) -> NDArray[Any]:
        """Codes behind the modules that only read them, for a layer in whole numbers."""
        import torch

        for module in self._before[number]:
            if isinstance(module, torch.nn.Flatten):
                codes = codes.reshape(len(codes), math.prod(codes.shape[1:]))
            elif isinstance(module, torch.nn.MaxPool2d):
                codes = module(torch.from_numpy(codes).float()).to(torch.int8).numpy()
        return codes


def _torch_shape(group: Group, shapes: dict[str, Shape]) -> tuple[int, ...]:
    """The shape of a stored map in torch's order, without that of the images."""
    rows, columns, channels = shapes[group.map_name]
    return (channels, rows, columns) if group.module.weight.ndim == 4 else (channels,)


def _only_reads(module: torch.nn.Module) -> bool:
    """Whether a module gives codes of codes, and how is known."""
    from torch import nn

    if type(module) is nn.Flatten:
        return (module.start_dim, module.end_dim) == (1, -1)
    return type(module) is nn.MaxPool2d
