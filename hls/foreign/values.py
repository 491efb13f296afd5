"""What a reader knows of a tensor and of a layer while it follows a foreign graph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spinflow.hls.foreign.chain import Integers
from spinflow.hls.paths import BuildError

Floats = npt.NDArray[np.float64]


class ForeignError(BuildError):
    """A network that cannot be taken; the message names the layer and what would work."""


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
    """

    kind: str
    index: Integers
    shape: tuple[int, ...]
    table: Floats | None = None
    gain: Floats | None = None
    offset: Floats | None = None
    clipped: bool = False

    @property
    def channels(self) -> int:
        """How many channels the elements have; all inputs of a vector are one channel each."""
        return self.shape[0]

    @property
    def per_channel(self) -> int:
        """How many elements a channel has."""
        return int(np.prod(self.shape[1:], dtype=np.int64))


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

    def sums(self, shape: tuple[int, ...], gain: float, offset: float) -> Value:
        """Return what its output is, of inputs that are gain * element + offset.

        Args:
            shape: of the output: (outputs,), or (outputs, rows, columns).
        """
        total = self.weights.reshape(len(self.weights), -1).sum(axis=1, dtype=np.int64)
        bias = np.broadcast_to(self.bias, (len(self.weights),))
        index = np.arange(np.prod(shape)).reshape(shape)
        return Value(
            "sums",
            index,
            shape,
            gain=gain * self.scale,
            offset=offset * self.scale * total + bias,
        )


def affine(value: Value, gain: Floats, offset: Floats) -> Value:
    """Return gain * tensor + offset, numbers for each channel."""
    if value.clipped and (np.any(offset != 0) or np.any(gain <= 0)):
        raise ForeignError("after a clipping only a sign can follow")
    if value.kind == "pixels":
        assert value.table is not None
        table = value.table
        if table.shape[0] == 1 and np.unique(gain).size == 1 and np.unique(offset).size == 1:
            gain, offset = gain[:1], offset[:1]
        return replace(value, table=table * gain[:, None] + offset[:, None])
    assert value.gain is not None and value.offset is not None
    return replace(value, gain=value.gain * gain, offset=value.offset * gain + offset)
