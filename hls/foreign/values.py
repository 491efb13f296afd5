"""What a reader knows of a tensor and of a layer while it follows a foreign graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from spinflow.hls.foreign.chain import Integers
from spinflow.hls.paths import BuildError

Floats = npt.NDArray[np.float64]


class ForeignError(BuildError):
    """A network that cannot be taken; the message names the layer and what would work."""


@dataclass(frozen=True)
class Margin:
    """Padding that waits for the convolution after it.

    Attributes:
        edges: at the top, left, bottom and right.
        value: what is padded, as a number of the tensor's.
    """

    edges: tuple[int, int, int, int]
    value: float


@dataclass(frozen=True)
class Window:
    """Windows that were laid side by side, and wait for their weights.

    Attributes:
        kernel: rows and columns.
        stride: down and across.
        margin: around the map.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    margin: Margin


@dataclass(frozen=True)
class Value:
    """What is known of a tensor.

    Attributes:
        kind: "pixels", "bits" or "sums", what its elements are a function of.
        index: which of these each element is a function of, shape of the tensor without the batch;
            numbers count through (channels, rows, columns).
        shape: of what is counted: (channels, rows, columns), or (inputs,).
        table: of pixels: the value for each channel and code, shape (channels, 256).
        gain, offset: of bits and sums: value = gain * element + offset, shape (channels,).
        low, high: of sums: what the value was clipped to, shape (channels,); None if it was not.
        clipper: the operator that clipped.
        sides: of sums after a max-pool: which way up they were at it, +1 or -1, shape (channels,).
        members: of averages: the bits whose sum each counted element is, shape (elements, members).
        margin: padding that waits for a convolution.
        window: windows that wait for a matrix; `index` is the map's before them.
        ended: the operator of the end that was passed, as Softmax; nothing else may follow.
    """

    kind: str
    index: Integers
    shape: tuple[int, ...]
    table: Floats | None = None
    gain: Floats | None = None
    offset: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None
    clipper: str = ""
    sides: Floats | None = None
    members: Integers | None = None
    margin: Margin | None = None
    window: Window | None = None
    ended: str = ""

    @property
    def channels(self) -> int:
        """How many channels the elements have; all inputs of a vector are one channel each."""
        return self.shape[0]

    @property
    def per_channel(self) -> int:
        """How many elements a channel has."""
        return int(np.prod(self.shape[1:], dtype=np.int64))

    @property
    def affine(self) -> tuple[Floats, Floats]:
        """Gain and offset of bits or sums."""
        assert self.gain is not None and self.offset is not None
        return self.gain, self.offset

    @property
    def in_order(self) -> bool:
        """Whether it is a map in the order (channels, rows, columns)."""
        flat = self.index.reshape(-1)
        return self.index.ndim == 3 and np.array_equal(flat, np.arange(flat.size))


@dataclass(frozen=True)
class Bits:
    """Where a source holds bits, for comparison.

    Attributes:
        index: which of the chain's elements each of the tensor's is.
        gain, offset: value = gain * bit + offset, shape (channels,).
        edge: what the operand of the sign is compared with, shape (channels,).
        per_channel: elements of a channel.
        unit: of the operand of the sign, how much a sum that is larger by 1 adds, shape
            (channels,); 0 where it is none of a sum.
    """

    index: Integers
    gain: Floats
    offset: Floats
    edge: Floats
    per_channel: int
    unit: Floats = field(default_factory=lambda: np.zeros(1))

    def signs(self, found: Floats) -> Floats:
        """Return a tensor's values as +1 and -1, in the chain's order."""
        flat = self.index.reshape(-1)
        channel = flat // self.per_channel
        bits = (found.reshape(-1) - self.offset[channel]) / self.gain[channel]
        ordered = np.empty_like(bits)
        ordered[flat] = np.where(bits > 0, 1, -1)
        return ordered

    def distances(self, operand: Floats) -> Floats:
        """Return how far the sign's operand is from its edge, in the chain's order."""
        flat = self.index.reshape(-1)
        ordered = np.empty(flat.size)
        ordered[flat] = operand.reshape(-1) - self.edge[flat // self.per_channel]
        return np.abs(ordered)


def counted(shape: tuple[int, ...]) -> Integers:
    """Return the numbers of a tensor's elements, in its shape."""
    return np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)


@dataclass(frozen=True)
class Given:
    """A layer as the graph gives it.

    Attributes:
        name: as users and the hardware name it.
        weights: of ±1, shape (outputs, inputs) or (outputs, channels, rows, columns).
        scale: of each output's weights, shape (outputs,).
        bias: of each output, shape (outputs,) or (1,).
        output: the tensor that it makes.
    """

    name: str
    weights: npt.NDArray[np.int8]
    scale: Floats
    bias: Floats
    output: str

    def sums(self, shape: tuple[int, ...], index: Integers, gain: float, shift: Floats) -> Value:
        """Return what its output is, of inputs that are gain * element + offset.

        Args:
            shape: of the output: (outputs,), or (outputs, rows, columns).
            index: of the output.
            gain: of all inputs.
            shift: what the inputs' offsets add to each output's sum of ±1 products, shape
                (outputs,).
        """
        bias = np.broadcast_to(self.bias, (len(self.weights),))
        return Value("sums", index, shape, gain=gain * self.scale, offset=shift * self.scale + bias)


def affine(value: Value, gain: Floats, offset: Floats) -> Value:
    """Return gain * tensor + offset, numbers for each channel."""
    if value.kind == "pixels":
        assert value.table is not None
        table = value.table
        if table.shape[0] == 1 and np.unique(gain).size == 1 and np.unique(offset).size == 1:
            gain, offset = gain[:1], offset[:1]
        return replace(value, table=table * gain[:, None] + offset[:, None])
    own = value.affine
    low, high = value.low, value.high
    if low is not None and high is not None:
        with np.errstate(invalid="ignore"):
            ends = [np.where(gain == 0, 0.0, gain * end) + offset for end in (low, high)]
        low, high = np.minimum(*ends), np.maximum(*ends)
    return replace(value, gain=own[0] * gain, offset=own[1] * gain + offset, low=low, high=high)
