"""A binary network as plain data: what the evaluator computes, in which order its bits are stored.

Maps have the order (row, column, channel), bits are 1 for +1 and 0 for -1. The order of a weight
memory is that of docs/contracts.md with the layer's folding; a layer that is on no board has the
natural one, PE = 1 and SIMD = all its inputs: outputs one after the other, within an output its
inputs, for a convolution (row, column, channel). A buffer takes its map in the order of the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.packing import bits_of, words_of


@dataclass(frozen=True)
class Folding:
    """How a weight matrix lies in its memory: outputs and inputs of a word."""

    pe: int
    simd: int


@dataclass(frozen=True)
class Buffer:
    """The MRAM between a layer and the next: `depth` words of `width` bits."""

    depth: int
    width: int


@dataclass(frozen=True)
class PixelThreshold:
    """The input made binary: a pixel is +1 from `threshold` (0 to 256) on."""

    threshold: int
    name: str = "input"


@dataclass(frozen=True)
class Linear:
    """A fully connected binary layer.

    Attributes:
        name: what taps and memories are called after.
        weights: 0 and 1, shape (MH, MW).
        thresholds: integers (MH,): an output is 1 where the agreeing bits (or, on UINT8 input,
            the signed sum) reach it. None: the output is that number.
        inverted: bool (MH,): outputs whose comparison is the other way round, `<`, as a negative
            batch-norm slope makes it.
        folding: order of the weight memory; None is the natural one.
        buffer: whether the output is stored in MRAM: a shape, True for a buffer of one frame in
            words of one bit, or False.
    """

    name: str
    weights: NDArray[Any]
    thresholds: NDArray[Any] | None = None
    inverted: NDArray[Any] | None = None
    folding: Folding | None = None
    buffer: Buffer | bool = False


@dataclass(frozen=True)
class Conv:
    """A binary convolution; as Linear, with weights (MH, rows, columns, channels).

    The map is framed with `padding` (top, left, bottom, right; a number is all four): with -1,
    UINT8 pixels with 0. `stride` is of rows and columns, or a number for both.
    """

    name: str
    weights: NDArray[Any]
    thresholds: NDArray[Any] | None = None
    inverted: NDArray[Any] | None = None
    padding: int | tuple[int, int, int, int] = 0
    stride: int | tuple[int, int] = 1
    folding: Folding | None = None
    buffer: Buffer | bool = False

    @property
    def frame(self) -> tuple[int, int, int, int]:
        """The padding above, on the left, below and on the right."""
        return (self.padding,) * 4 if isinstance(self.padding, int) else self.padding

    @property
    def steps(self) -> tuple[int, int]:
        """The stride of rows and of columns."""
        return (self.stride,) * 2 if isinstance(self.stride, int) else self.stride


@dataclass(frozen=True)
class MaxPool:
    """The largest of each size x size square of a binary map; what is left over is cut off."""

    name: str
    size: int = 2
    buffer: Buffer | bool = False


@dataclass(frozen=True)
class Label:
    """The number of the largest output, the lowest of equals."""

    name: str = "label"


Layer = PixelThreshold | Linear | Conv | MaxPool | Label


@dataclass(frozen=True)
class Network:
    """A network on images of UINT8 pixels.

    Attributes:
        name: for people.
        shape: of an image: (pixels,) or (rows, columns, channels).
        layers: in order; the last is a Label.
    """

    name: str
    shape: tuple[int, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Step:
    """A layer with the shapes of its input and output map (rows, columns, channels)."""

    layer: Layer
    source: tuple[int, int, int]
    result: tuple[int, int, int]
    pixels: bool
    """Whether the input is UINT8 pixels."""


def plan(network: Network) -> list[Step]:
    """The layers with their shapes; ValueError names the first that does not fit."""
    if len(network.shape) not in (1, 3) or min(network.shape) < 1:
        raise ValueError(f"{network.name}: images are (pixels,) or (rows, columns, channels)")
    shape = network.shape if len(network.shape) == 3 else (1, 1, network.shape[0])
    pixels, sums = True, False
    steps: list[Step] = []
    names: set[str] = set()
    for layer in network.layers:
        where = f"{network.name}, layer {layer.name}"
        if layer.name in names:
            raise ValueError(f"{where}: the name is taken")
        names.add(layer.name)
        if sums != isinstance(layer, Label):
            raise ValueError(f"{where}: a label needs sums before it, and nothing else takes them")
        before = shape
        if isinstance(layer, PixelThreshold):
            if not pixels:
                raise ValueError(f"{where}: only pixels are compared with a threshold")
        elif isinstance(layer, MaxPool):
            if pixels:
                raise ValueError(f"{where}: UINT8 pixels are not pooled")
            shape = (shape[0] // layer.size, shape[1] // layer.size, shape[2])
        elif isinstance(layer, Label):
            shape = (1, 1, 1)
        else:
            shape = _product_shape(layer, shape, where)
            sums = layer.thresholds is None
            if sums and layer.buffer:
                raise ValueError(f"{where}: only bits are stored in a buffer, and it gives sums")
        if min(shape) < 1:
            raise ValueError(f"{where}: a map of {before} leaves nothing")
        steps.append(Step(layer, before, shape, pixels))
        pixels = False
    if not network.layers or not isinstance(network.layers[-1], Label):
        raise ValueError(f"{network.name}: the last layer is to be a label")
    return steps


def folding_of(layer: Linear | Conv) -> Folding:
    """The folding of a layer's weight memory."""
    return layer.folding or Folding(1, layer.weights[0].size)


def buffer_of(layer: Layer, result: tuple[int, int, int]) -> Buffer | None:
    """The buffer on a layer's output, or None."""
    wanted = getattr(layer, "buffer", False)
    if isinstance(wanted, Buffer):
        return wanted
    return Buffer(result[0] * result[1] * result[2], 1) if wanted else None


def _product_shape(
    layer: Linear | Conv, shape: tuple[int, int, int], where: str
) -> tuple[int, int, int]:
    outputs = len(layer.weights)
    if isinstance(layer, Linear):
        if layer.weights.ndim != 2 or layer.weights.shape[1] != shape[0] * shape[1] * shape[2]:
            raise ValueError(f"{where}: weights {layer.weights.shape} do not take a map of {shape}")
        result = (1, 1, outputs)
    else:
        if layer.weights.ndim != 4 or layer.weights.shape[3] != shape[2]:
            raise ValueError(f"{where}: weights {layer.weights.shape} do not take a map of {shape}")
        if min(layer.steps) < 1 or min(layer.frame) < 0:
            raise ValueError(f"{where}: stride {layer.stride} with padding {layer.padding}")
        rows, columns = (
            (shape[axis] + layer.frame[axis] + layer.frame[2 + axis] - kernel) // step + 1
            for axis, kernel, step in zip(
                (0, 1), layer.weights.shape[1:3], layer.steps, strict=True
            )
        )
        result = (rows, columns, outputs)
    if np.any((layer.weights != 0) & (layer.weights != 1)):
        raise ValueError(f"{where}: weights are bits, 0 for -1 and 1 for +1")
    for name in ("thresholds", "inverted"):
        value = getattr(layer, name)
        if value is not None and np.shape(value) != (outputs,):
            raise ValueError(f"{where}: {name} {np.shape(value)} are not one for each output")
    folding = folding_of(layer)
    if outputs % folding.pe or layer.weights[0].size % folding.simd:
        raise ValueError(f"{where}: a folding of {folding.pe} x {folding.simd} does not divide it")
    return result


def fold_batch_norm(
    gain: NDArray[Any], offset: NDArray[Any], mean: NDArray[Any], fan_in: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Batch norm and sign as integer comparisons: thresholds and inverted of a layer, each (MH,).

    The output is +1 where gain * (sum - mean) + offset >= 0, with the sum of `fan_in` terms of +1
    and -1. `gain` is the slope over the deviation; float64 decides.
    """
    gain, offset, mean = (np.asarray(value, dtype=np.float64) for value in (gain, offset, mean))
    constant = gain == 0
    edge = (mean - offset / np.where(constant, 1, gain) + fan_in) / 2  # in agreeing bits
    inverted = gain < 0
    # With a negative gain the output is 1 up to the edge: not from the next integer on.
    thresholds = np.where(inverted, np.floor(edge) + 1, np.ceil(edge))
    thresholds = np.where(constant, np.where(offset >= 0, 0, fan_in + 1), thresholds)
    return np.clip(thresholds, 0, fan_in + 1).astype(np.int32), inverted


def fold_weights(bits: NDArray[Any], folding: Folding) -> NDArray[np.uint32]:
    """Weight bits (MH, MW) as they are written: uint32 (depth, segments)."""
    mh, mw = bits.shape
    pe, simd = folding.pe, folding.simd
    words = (
        bits.reshape(mh // pe, pe, mw // simd, simd).transpose(0, 2, 1, 3).reshape(-1, pe * simd)
    )
    return words_of(words.astype(np.uint8))


def unfold_weights(
    segments: NDArray[np.uint32], mh: int, mw: int, folding: Folding
) -> NDArray[np.uint8]:
    """Undoes fold_weights; bits beyond the width of a word are ignored."""
    pe, simd = folding.pe, folding.simd
    words = bits_of(segments, pe * simd)
    return words.reshape(mh // pe, mw // simd, pe, simd).transpose(0, 2, 1, 3).reshape(mh, mw)


def of_bundle(description: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Network:
    """The network of a bundle, from its accel.json and the contents of arrays.npz.

    Raises ValueError for an operation that the evaluator does not know.
    """
    layers: list[Layer] = []
    number = 0
    for entry in description["layers"]:
        name, operation = entry["name"], entry["op"]
        if operation == "threshold":
            values = np.unique(arrays[f"threshold.{name}"])
            if len(values) != 1:
                raise ValueError(f"layer {name} has {len(values)} thresholds, it may have one")
            layers.append(PixelThreshold(int(values[0]), name))
        elif operation == "mvu":
            folding = Folding(entry["pe"], entry["simd"])
            bits = unfold_weights(arrays[f"weights.{number}"], entry["mh"], entry["mw"], folding)
            thresholds = arrays[f"threshold.{number}"].reshape(-1) if entry["threshold"] else None
            options: dict[str, Any] = {"folding": folding, "buffer": _buffer(description, entry)}
            window = entry["window"]
            if window is None:
                layers.append(Linear(name, bits, thresholds, **options))
            else:
                bits = bits.reshape(-1, *window["kernel"], window["input"][2])
                padding, stride = tuple(window["padding"]), tuple(window["stride"])
                layers.append(
                    Conv(name, bits, thresholds, padding=padding, stride=stride, **options)
                )
            number += 1
        elif operation == "max_pool":
            layers.append(MaxPool(name, entry["size"], _buffer(description, entry)))
        elif operation == "label_select":
            layers.append(Label(name))
        else:
            raise ValueError(f"layer {name} has the unknown operation {operation!r}")
    shape = tuple(int(size) for size in description["input"]["shape"])
    return Network(description["network"], shape, tuple(layers))


def _buffer(description: dict[str, Any], entry: dict[str, Any]) -> Buffer | bool:
    """The buffer behind a layer of a bundle, or False."""
    if entry["buffer"] is None:
        return False
    memory = description["memories"][entry["buffer"]]
    return Buffer(memory["depth"], memory["width"])


def of_model(model: Any) -> Network:
    """The network of a trained `model.networks.BinaryNetwork`, in the natural order of memory.

    As in the accelerator, buffers lie behind hidden layers, where a pool follows behind the pool.
    """
    spec = model.spec
    bits, thresholds = iter(model.bits()), iter(model.thresholds())
    layers: list[Layer] = []
    for entry, following in zip(spec.layers, (*spec.layers[1:], None), strict=True):
        if entry.op == "threshold":
            layers.append(PixelThreshold(spec.input_threshold, entry.name))
        elif entry.op == "pool":
            layers.append(MaxPool(entry.name, entry.kernel, buffer=True))
        else:
            limits = next(thresholds) if entry.sign else None
            buffer = entry.sign and following.op != "pool"
            if entry.op == "conv":
                layers.append(
                    Conv(entry.name, next(bits), limits, padding=entry.padding, buffer=buffer)
                )
            else:
                layers.append(Linear(entry.name, next(bits), limits, buffer=buffer))
    return Network(spec.name, tuple(spec.shape), (*layers, Label()))


def cnv(seed: int = 0, buffers: bool = True) -> Network:
    """The CNV of BNN-PYNQ with random weights, on images of 32 x 32 x 3 pixels.

    64-64-128-128-256-256 channels, then 512-512-10 outputs;
    3 x 3 convolutions without padding, a 2 x 2 max-pool after the second and the fourth; the
    thresholds lie near the middle of each sum, so that the feature maps are neither 0 nor 1.
    """
    generator = np.random.default_rng(seed)
    layers: list[Layer] = []
    channels = 3
    for number, outputs in enumerate((64, 64, 128, 128, 256, 256)):
        weights = generator.integers(0, 2, (outputs, 3, 3, channels), dtype=np.uint8)
        if number == 0:  # Sums of UINT8 pixels: the middle is that of a grey image.
            middle = np.round((weights.reshape(outputs, -1) * 2.0 - 1).sum(axis=1) * 127.5)
        else:
            middle = np.full(outputs, 9 * channels / 2)
        thresholds = np.round(middle + generator.normal(0, 2, outputs)).astype(np.int32)
        layers.append(Conv(f"conv{number}", weights, thresholds, buffer=buffers))
        channels = outputs
        if number in (1, 3):
            layers.append(MaxPool(f"pool{number}"))
    for number, outputs in enumerate((512, 512, 10)):
        weights = generator.integers(0, 2, (outputs, channels), dtype=np.uint8)
        last = number == 2
        spread = generator.normal(channels / 2, 2, outputs)
        thresholds = np.round(spread).astype(np.int32)
        layers.append(
            Linear(
                f"fc{number}", weights, None if last else thresholds, buffer=buffers and not last
            )
        )
        channels = outputs
    return Network("cnv", (32, 32, 3), (*layers, Label()))
