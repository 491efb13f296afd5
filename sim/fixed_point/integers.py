"""Layers of 8-bit codes in whole numbers: sums in 32 bits, and codes of sums by one line.

What PyTorch makes of a sum up to the code that is stored is a function of one number for each
channel, which never falls or never rises. A line, rounded and held within its ends, is the same
function where both jump at the same sums; that is tried at each jump when a layer is made. A layer
of which anything is otherwise is left to PyTorch (floats.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.memory import Workers
from spinflow.sim.fixed_point import kernels
from spinflow.sim.fixed_point.modules import Group

if TYPE_CHECKING:
    import torch

BITS = 8
LARGEST = 255 * 128  # product of a byte and a weight
SUMS_AT_ONCE = 192  # rows of sums at least, that share the weights in the second-level cache
UNIT = 2.0 ** (2 - 2 * BITS)  # what one of a sum of products of codes stands for

CodesOf = Callable[["torch.Tensor"], NDArray[Any]]
"""What gives the codes of values."""


@dataclass(frozen=True, eq=False)
class Line:
    """Codes of sums, by channel: sum * gain + shift to the nearest, within least and most.

    Attributes:
        gain, shift, least, most: float64 (outputs,).
        single: whether sums go through float32 before they are rounded.
        pool: rows and columns of which the largest sum is taken.
    """

    gain: NDArray[np.float64]
    shift: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    single: bool
    pool: int

    def codes(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the codes of sums (n, outputs), as `kernels.code_sums` makes them."""
        values = sums * self.gain + self.shift
        if self.single:
            values = values.astype(np.float32).astype(np.float64)
        found: NDArray[np.float64] = np.rint(np.clip(values, self.least, self.most))
        return found


def line_of(group: Group, dtype: torch.dtype, codes_of: CodesOf) -> Line | None:
    """Return how codes come of a layer's sums, or None if no line does it.

    Args:
        group: the layer, its modules in eval mode and in `dtype`.
        dtype: in which PyTorch computes.
        codes_of: gives the codes of values.
    """
    import torch

    pool = _pool_of(group.exact)
    if pool is None:
        return None
    outputs, maps = group.module.weight.shape[0], group.module.weight.ndim == 4
    between = [module for module in group.exact if type(module) is not torch.nn.MaxPool2d]

    def by_torch(sums: NDArray[np.int64]) -> NDArray[np.float64]:
        values = torch.from_numpy(sums).to(dtype) * UNIT
        if maps:  # a map, whose pixels are the sums of a channel
            values = values.T.reshape(1, outputs, 1, -1).contiguous()
        for module in between:
            values = module(values)
        if maps:
            values = values.reshape(outputs, -1).T
        return codes_of(values.contiguous()).astype(np.float64)

    with torch.no_grad():
        bound = 2 ** (2 * BITS - 2) * group.module.weight[0].numel()
        ends = by_torch(np.full((2, outputs), bound) * np.array([[-1], [1]]))
        gain, shift = _slope(between, outputs, single=dtype == torch.float32)
        if not (np.isfinite(gain).all() and np.isfinite(shift).all() and (gain != 0).all()):
            return None
        line = Line(gain, shift, ends.min(axis=0), ends.max(axis=0), dtype == torch.float32, pool)
        jumps = _jumps(line, bound)
        codes = line.codes(jumps)
        same = _hold_jumps(line, codes) and np.array_equal(
            by_torch(jumps.reshape(-1, outputs)), codes.reshape(-1, outputs)
        )
    return line if same else None


def _pool_of(modules: Sequence[torch.nn.Module]) -> int | None:
    """The pool's rows and columns, 1 without one; None if they are not as a line needs them."""
    from torch import nn

    simple = (nn.ReLU, nn.Hardtanh, nn.ReLU6, nn.Identity, nn.Dropout)
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    pool = 1
    falls = False
    for each in modules:
        module: Any = each
        kind = type(module)
        if kind is nn.MaxPool2d:
            size = module.kernel_size
            plain = (module.stride, module.padding, module.dilation) == (size, 0, 1)
            if pool > 1 or falls or not isinstance(size, int) or not plain or module.ceil_mode:
                return None
            pool = size
        elif kind in norms:
            if module.running_mean is None:
                return None
            falls |= module.weight is not None and bool((module.weight < 0).any())
        elif kind not in simple:
            return None
    return pool


def _slope(
    modules: Sequence[torch.nn.Module], outputs: int, single: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Codes by sums where nothing is held, as a line: the slope and the code of 0."""
    kind: Any = np.float32 if single else np.float64
    gain, shift = np.ones(outputs, kind), np.zeros(outputs, kind)
    for module in modules:
        norm: Any = module
        if not hasattr(module, "running_mean"):
            continue
        mean, variance = (p.numpy().astype(kind) for p in (norm.running_mean, norm.running_var))
        factor = kind(1) / np.sqrt(variance + kind(norm.eps))
        offset = np.zeros(outputs, kind)
        if norm.weight is not None:
            factor *= norm.weight.detach().numpy().astype(kind)
            offset = norm.bias.detach().numpy().astype(kind)
        # Rounded once, as torch's fused operations do it.
        offset = (offset.astype(np.float64) - mean.astype(np.float64) * factor).astype(kind)
        gain, shift = gain * factor, shift * factor + offset
    limit = 2.0 ** (BITS - 1)
    return gain.astype(np.float64) * (limit * UNIT), shift.astype(np.float64) * limit


LEVELS = np.arange(-(2 ** (BITS - 1)), 2 ** (BITS - 1) - 1)
"""Codes below the largest: behind each a line jumps to the next one, if it gets there."""


def _jumps(line: Line, bound: int) -> NDArray[np.int64]:
    """Six neighbouring sums around each jump, and those at both ends: (6, levels + 2, outputs)."""
    middle = np.floor((LEVELS[:, None] + 0.5 - line.shift) / line.gain)
    ends = np.full((1, len(line.gain)), float(bound))
    found = np.concatenate([np.clip(middle, -bound, bound), -ends, ends]).astype(np.int64)
    around: NDArray[np.int64] = found + np.arange(-2, 4)[:, None, None]
    return np.clip(around, -bound, bound)


def _hold_jumps(line: Line, codes: NDArray[np.float64]) -> bool:
    """Whether the codes of `_jumps` have each jump of the line between two of their neighbours."""
    of_levels = codes[:, : len(LEVELS)]
    level = LEVELS[:, None]
    there = (level >= line.least) & (level < line.most)
    held = (of_levels.min(axis=0) <= level) & (of_levels.max(axis=0) > level)
    return bool((held | ~there).all())


class IntegerStage:
    """A layer of 8-bit codes in whole numbers.

    Args:
        group: the layer.
        line: as of `line_of`.
        source: shape of what it takes: (channels, rows, columns) or (inputs,).
        result: the same of what is stored.
        workers: that share the images.
    """

    by_channels = True
    """Whether some output channels alone can be computed."""

    def __init__(
        self,
        group: Group,
        line: Line,
        source: tuple[int, ...],
        result: tuple[int, ...],
        workers: Workers,
    ) -> None:
        self._line, self._result, self._workers = line, result, workers
        weight = group.module.weight
        self.outputs = weight.shape[0]
        self._channels, self._rows, self._columns = (*source, 1, 1)[:3]
        kernel, stride, padding, dilation = (1, 1), (1, 1), (0, 0), (1, 1)
        if weight.ndim == 4:
            module = group.module
            kernel, stride = tuple(weight.shape[2:]), module.stride
            padding, dilation = module.padding, module.dilation
        self._taps = kernel[0] * kernel[1]
        self._words = -(-self._channels // 4)
        self._high, self._wide = self._rows + 2 * padding[0], self._columns + 2 * padding[1]
        span = [dilation[n] * (kernel[n] - 1) + 1 for n in range(2)]
        rows = (self._high - span[0]) // stride[0] + 1
        columns = (self._wide - span[1]) // stride[1] + 1
        self._shape = np.array([rows, columns])
        self._places = self._grid((rows, columns), stride) * self._words
        taps = self._grid(kernel, dilation) * self._words
        self._offsets = (taps[:, None] + np.arange(self._words)).reshape(-1)
        inner = self._grid((self._rows, self._columns), (1, 1))
        self._inner = inner + padding[0] * self._wide + padding[1]
        self._at_once = max(1, math.ceil(SUMS_AT_ONCE / len(self._places)))

    def _grid(self, size: tuple[int, int], steps: tuple[int, int]) -> NDArray[np.int64]:
        """The padded pixels of a grid of rows and columns, so many steps apart."""
        down, right = (np.arange(n) * step for n, step in zip(size, steps, strict=True))
        places = down[:, None] * self._wide + right
        return np.ascontiguousarray(places.reshape(-1), dtype=np.int64)

    def prepared(
        self, codes: NDArray[np.int8], channels: NDArray[np.int64] | None = None
    ) -> _Weights:
        """Return weights as `compute` takes them.

        Args:
            codes: int8, all weights of the layer, in torch's order.
            channels: output channels whose weights they are to be; by default all.
        """
        rows = codes.reshape(self.outputs, -1)
        channels = np.arange(self.outputs) if channels is None else channels
        rows = rows[channels]
        whole = np.zeros((len(rows), self._taps, 4 * self._words), np.int8)
        shape = len(rows), self._channels, self._taps
        whole[:, :, : self._channels] = rows.reshape(shape).transpose(0, 2, 1)
        less = 128 * rows.sum(axis=1, dtype=np.int64)
        packed = kernels.pack_weights(whole.reshape(len(rows), -1), len(self._offsets))
        return _Weights(packed, less.astype(np.int32), channels)

    def compute(
        self,
        source: NDArray[np.int8],
        weights: _Weights,
        known: NDArray[np.int8] | None = None,
    ) -> NDArray[np.int8]:
        """Return the codes of a layer's map: int8 `(n, *result)`.

        Args:
            source: codes, `(n, *source)`.
            weights: as `prepared` gives them.
            known: the codes of the channels whose weights are not given.
        """
        frames = len(source)
        out = np.empty((frames, self.outputs, math.prod(self._result[1:])), np.int8)
        if known is not None:
            out[:] = known.reshape(out.shape)
        size = frames * self._high * self._wide * self._words
        x = self._workers.room(f"bytes of {id(self)}", size // 2 + 1).view(np.uint32)[:size]
        bytes_of = x.view(np.uint8).reshape(frames, self._high * self._wide, 4 * self._words)
        if self._high * self._wide > len(self._inner):
            bytes_of[:] = 128  # what stands for the code 0
        flat = source.reshape(frames, self._channels, len(self._inner))
        self._workers.share(
            lambda lo, hi: kernels.spread_map(flat, self._inner, bytes_of, lo, hi), frames
        )
        line, channels = self._line, weights.channels
        gain, shift, least, most = (
            np.ascontiguousarray(each[channels])
            for each in (line.gain, line.shift, line.least, line.most)
        )
        frame_words = self._high * self._wide * self._words
        self._workers.share(
            lambda lo, hi: kernels.code_layer(
                x, frame_words, self._places, self._offsets, weights.packed, self._shape,
                line.pool, line.single, weights.less, gain, shift, least, most, channels,
                self._at_once, out, lo, hi,
            ),
            frames,
        )  # fmt: skip
        return out.reshape(frames, *self._result)


@dataclass(frozen=True, eq=False)
class _Weights:
    """Weights of some outputs of a layer.

    Attributes:
        packed, less: as `kernels.code_layer` takes them.
        channels: which outputs.
    """

    packed: NDArray[np.uint32]
    less: NDArray[np.int32]
    channels: NDArray[np.int64]
