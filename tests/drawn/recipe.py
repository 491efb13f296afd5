"""What a drawn network is like: plain data, a function of one number.

The draws cover what a user may bring: vectors and maps, sizes that are primes, frames that fill no
32-bit words, kernels of 1 to 5 with strides and paddings, pools that leave something over, 2 to 300
classes, and all the places of norms, biases and scales. Sizes are small, so that a network costs
seconds even as RTL.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

WIDTHS = (1, 2, 3, 5, 6, 7, 8, 11, 12, 13, 16, 17, 19, 23, 24, 29, 31, 32, 37, 41, 48, 53, 61, 64)
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 11, 13, 16)
VECTORS = (3, 4, 9, 16, 27, 31, 64, 101, 128, 243, 593)
MOST_WORK = 300_000
"""Most products of a layer for one image."""

NORMS = ("norm", "norm", "norm", "one gain", "scale and shift", "bias", "none")
"""How sums get their thresholds; a batch norm is the most usual."""

ENDS = ("plain", "plain", "one scale", "bias", "bias and scale", "norm of one gain", "norm")
"""What stands after the last layer's sums."""

TAILS = ("", "", "Softmax", "LogSoftmax", "TopK", "ArgMax")


@dataclass(frozen=True)
class Pool:
    """A max-pool.

    Attributes:
        size, stride: of its windows, which are square.
        place: "sums", before the norm; "norm", before the sign; or "bits", after the sign.
    """

    size: int
    stride: int
    place: str


@dataclass(frozen=True)
class Layer:
    """A layer of weights with its threshold; the last one of a network has none.

    Attributes:
        outputs: features or channels.
        kernel: rows and columns; None if it is dense.
        stride: down and across.
        padding: top, left, bottom, right.
        pad: "zeros" in the convolution, or "minus" by a Pad of the value of -1 before it.
        norm: one of NORMS.
        clipped: whether a Hardtanh stands before the sign.
        pool: None if none follows.
    """

    outputs: int
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    pad: str = "zeros"
    norm: str = "norm"
    clipped: bool = False
    pool: Pool | None = None


@dataclass(frozen=True)
class Recipe:
    """A network.

    Attributes:
        number: that it was drawn from.
        shape: of the input without the batch: (inputs,), or (channels, rows, columns).
        form: what a pixel is to it, as `--input` says it; "table" is a table of 256 numbers.
        start: "bits", a sign of pixels first; "pixels"; or "codes", a quantiser of 8 bits.
        layers: in order.
        end: one of ENDS.
        tail: the last operator, or "".
        pace: from 0, as fast as it goes, to 1, one product a cycle.
    """

    number: int
    shape: tuple[int, ...]
    form: str
    start: str
    layers: tuple[Layer, ...]
    end: str
    tail: str
    pace: float

    @property
    def pixels(self) -> int:
        """Bytes of an image."""
        return math.prod(self.shape)


def draw(number: int) -> Recipe:
    """Return the network of a number."""
    chance = random.Random(number)
    count = chance.choice((0, 0, 0, 1, 1, 2, 2, 3, 4))
    shape = _shape(chance, count)
    start = chance.choice(("bits", "bits", "pixels", "pixels", "codes"))
    convolutions = _convolutions(chance, shape, count, start)
    dense = _dense(chance, max(0, chance.randint(1, 6) - len(convolutions)))
    classes = round(2 * 150 ** (chance.random() ** 1.5))
    return Recipe(
        number=number,
        shape=shape,
        form=_form(chance, start, shape),
        start=start,
        layers=(*convolutions, *dense, Layer(classes)),
        end=chance.choice(ENDS),
        tail=chance.choice(TAILS),
        pace=chance.random(),
    )


def _shape(chance: random.Random, convolutions: int) -> tuple[int, ...]:
    if not convolutions and chance.random() < 0.6:
        return (chance.choice(VECTORS),)
    side = chance.randint(5, 14)
    other = side if chance.random() < 0.6 else chance.randint(5, 14)
    return (chance.choice((1, 1, 2, 3, 3)), side, other)


def _form(chance: random.Random, start: str, shape: tuple[int, ...]) -> str:
    if start == "codes":
        return chance.choice(("2x/255-1", "normalize:0.45:0.25"))
    if len(shape) == 3 and shape[0] == 3 and chance.random() < 0.05:
        return "normalize:0.4,0.5,0.6:0.2,0.2,0.2"
    return chance.choice(("x", "x", "x/255", "x/255", "2x/255-1", "normalize:0.45:0.25", "table"))


def _dense(chance: random.Random, count: int) -> list[Layer]:
    return [
        Layer(chance.choice(WIDTHS), norm=chance.choice(NORMS), clipped=chance.random() < 0.2)
        for _ in range(count)
    ]


def _convolutions(
    chance: random.Random, shape: tuple[int, ...], count: int, start: str
) -> list[Layer]:
    """Draw convolutions until there are so many, or the map is used up."""
    found: list[Layer] = []
    if len(shape) == 1:
        return found
    channels, rows, columns = shape
    for number in range(count):
        kernel = _kernel(chance, (rows, columns))
        padding, pad = _padding(chance, kernel, number == 0 and start != "bits")
        room = rows + padding[0] + padding[2], columns + padding[1] + padding[3]
        stride = chance.choice(((1, 1), (1, 1), (1, 1), (2, 2), (1, 2)))
        rows, columns = (1 + (room[i] - kernel[i]) // stride[i] for i in (0, 1))
        outputs = chance.choice(CHANNELS)
        if rows * columns * outputs * channels * math.prod(kernel) > MOST_WORK:
            outputs = 4
        pool = _pool(chance, min(rows, columns))
        if pool is not None:
            rows, columns = (1 + (side - pool.size) // pool.stride for side in (rows, columns))
        norm, clipped = chance.choice(NORMS), chance.random() < 0.2
        found.append(Layer(outputs, kernel, stride, padding, pad, norm, clipped, pool))
        channels = outputs
    return found


def _kernel(chance: random.Random, room: tuple[int, int]) -> tuple[int, int]:
    size = chance.choice((1, 2, 3, 3, 3, 4, 5))
    other = size if chance.random() < 0.85 else chance.randint(1, 5)
    return min(size, room[0]), min(other, room[1])


def _padding(
    chance: random.Random, kernel: tuple[int, int], pixels: bool
) -> tuple[tuple[int, int, int, int], str]:
    """Draw padding, less than the kernel; bits are padded with -1 more often than with 0."""
    kind = chance.random()
    if kind < 0.5:
        return (0, 0, 0, 0), "zeros"
    # Half of the kernel, as it is most usual, or anything.
    rows, columns = ((side - 1) // 2 for side in kernel)
    top, left, bottom, right = rows, columns, rows, columns
    if kind > 0.85:
        top, bottom = (chance.randint(0, kernel[0] - 1) for _ in range(2))
        left, right = (chance.randint(0, kernel[1] - 1) for _ in range(2))
    pad = "zeros" if pixels or chance.random() < 0.4 else "minus"
    return (top, left, bottom, right), pad


def _pool(chance: random.Random, room: int) -> Pool | None:
    if chance.random() < 0.5 or room < 2:
        return None
    size = chance.choice((2, 2, 2, 3))
    size = min(size, room)
    stride = 1 if chance.random() < 0.03 else size
    return Pool(size, stride, chance.choice(("sums", "norm", "norm", "bits", "bits")))
