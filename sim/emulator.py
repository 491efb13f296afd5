"""The accelerator in plain numpy, bit for bit: the twin that the RTL is compared with.

It is built from a bundle and offers what the hardware offers: error modes per memory, weights
written through the error-making port, images in, labels and every layer boundary out, counters,
soft reset. It needs numpy alone (1.21 to 2.4) and has no notion of time: the contracts make every
stored bit a function of its seed and position, so backpressure changes nothing.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from spinflow.host.core.packing import bits_of, words_of
from spinflow.sim.bundle import read_arrays
from spinflow.sim.memories import Cells, MemoryOperations, check_images
from spinflow.sim.random_stream import draw_range, errs

# These two bound the memory that run() takes, whatever the number of images.
IMAGES_AT_ONCE = 256
INPUTS_AT_ONCE = 1 << 24  # of a layer: windows overlap, so a convolution has more than its map
Taps = dict[str, np.ndarray]


class Memory(Cells):
    """One MRAM memory. `bits` is (depth, width), uint8, bit 0 of a word first.

    A buffer's words are in the order of writing, the oldest first: wherever they lie, the next
    word is written over the one of `depth` words ago.
    """

    def __init__(self, kind: str, depth: int, width: int) -> None:
        super().__init__(kind, depth, width)
        self.bits = np.zeros((depth, width), np.uint8)

    def zero(self) -> None:
        """Makes every stored bit 0."""
        self.bits = np.zeros_like(self.bits)

    def write(self, target: np.ndarray) -> np.ndarray:
        """Writes words (n, width), each over the one `depth` words before.

        Returns what is stored then, errors included.
        """
        hit = self.hits(target)  # nowhere if the mode is off
        in_switch = self.mode == "switch"
        stored = last_written(self.bits, target, ~hit) if in_switch else target ^ hit
        history = np.concatenate([self.bits, stored])
        self.count(target, history[: len(target)], stored)
        self.bits = history[len(target) :].copy()
        return stored

    def hits(self, target: np.ndarray) -> np.ndarray:
        """Which bits err if they are written now, in the order of `target` (C order), as bool."""
        if self.mode == "off":
            return np.zeros(target.shape, dtype=bool)
        draws = draw_range(self.seed, self.position, target.size).reshape(target.shape)
        self.position += target.size
        threshold1, threshold0 = np.uint32(self.threshold1), np.uint32(self.threshold0)
        return errs(draws, np.where(target == 1, threshold1, threshold0))

    def count(self, target: np.ndarray, old: np.ndarray, stored: np.ndarray) -> None:
        """Counts a write. An error is a stored bit that is not its target, in every mode."""
        error = stored != target
        self.counters.written += target.size
        self.counters.switched += int(np.count_nonzero(target != old))
        self.counters.err1 += int(np.count_nonzero(error & (target == 1)))
        self.counters.err0 += int(np.count_nonzero(error & (target == 0)))


class Emulator(MemoryOperations[Memory]):
    """The accelerator of one bundle.

    Memories go by their index in accel.json. Weights start as 0, errors off.
    """

    def __init__(self, bundle: str | os.PathLike[str]) -> None:
        self.description, self._arrays = read_arrays(bundle)
        self.memories = [
            Memory(m["kind"], m["depth"], m["width"]) for m in self.description["memories"]
        ]
        self._layers: list[dict[str, Any]] = self.description["layers"]
        self._pixels = int(np.prod(self.description["input"]["shape"]))
        inputs = [layer["mw"] * pixels_of(layer) for layer in self._layers if layer["op"] == "mvu"]
        self._images_at_once = max(1, min(IMAGES_AT_ONCE, INPUTS_AT_ONCE // max(inputs)))

    def weights(self, layer: int) -> np.ndarray:
        """A weight layer's trained weights as they are written: uint32 (depth, segments)."""
        return self._arrays[f"weights.{layer}"]

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        """Writes a whole weight memory word by word, least significant segment first.

        `segments` is (depth, segments), uint32, as over AXI-Lite; raises ValueError for another
        shape. Bits beyond the word's width are ignored.
        """
        cells = self._weight_memory(memory, segments)
        cells.write(bits_of(segments, cells.width))

    def read_weights(self, memory: int) -> np.ndarray:
        """What a weight memory holds: uint32 (depth, segments)."""
        return words_of(self._weight_memory(memory).bits)

    def run(self, images: np.ndarray, taps: bool = True) -> tuple[np.ndarray, Taps]:
        """Runs images (n, pixels), uint8, maps flat in the order (row, column, channel).

        Returns the labels (n,) and, by tap name, each layer boundary's values (n, elements): bits
        as 0 and 1, accumulators as popcounts (of pixels, as signed sums). Without `taps` the
        dictionary is empty. Raises ValueError for images of another shape or type.
        """
        images = check_images(images, self._pixels)
        weights = {
            layer["name"]: self._matrix(layer) for layer in self._layers if layer["op"] == "mvu"
        }
        parts = []
        for start in range(0, max(len(images), 1), self._images_at_once):
            part = self._run_some(images[start : start + self._images_at_once], weights)
            parts.append(part if taps else {"label": part["label"]})
        seen = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return seen["label"][:, 0], seen if taps else {}

    def _matrix(self, layer: dict[str, Any]) -> np.ndarray:
        """A layer's weights as float32 (MH, MW) of -1 and +1, from the bits that are stored now."""
        pe, simd = layer["pe"], layer["simd"]
        mh, mw = layer["mh"], layer["mw"]
        bits = self.memories[layer["weights"]].bits
        folded = bits.reshape(mh // pe, mw // simd, pe, simd)
        return signs(folded.transpose(0, 2, 1, 3).reshape(mh, mw))

    def _run_some(self, images: np.ndarray, weights: dict[str, np.ndarray]) -> Taps:
        taps: Taps = {}
        values, shape = images, self.description["input"]["shape"]
        number = 0  # of the weight layer
        for layer in self._layers:
            name = layer["name"]
            if layer["op"] == "threshold":
                values = (values >= self._arrays[f"threshold.{name}"].reshape(-1)).astype(np.uint8)
            elif layer["op"] == "mvu":
                values = sums(layer, values, weights[name])
                if layer["threshold"]:
                    thresholds = self._arrays[f"threshold.{number}"].reshape(-1)
                    values = (values >= thresholds).astype(np.uint8)
                values = values.reshape(len(images), pixels_of(layer) * layer["mh"])
                number += 1
            elif layer["op"] == "max_pool":
                values = max_pool(layer, values, shape)
            elif layer["op"] == "label_select":
                values = np.argmax(values, axis=1)[:, None]  # the first of equals: the lowest label
            else:
                raise ValueError(f"layer {name} has the unknown operation {layer['op']!r}")
            taps[name] = values
            shape = layer.get("shape", shape)
            if layer.get("buffer") is not None:
                cells = self.memories[layer["buffer"]]
                values = cells.write(values.reshape(-1, cells.width)).reshape(values.shape)
                taps[f"{name}.buffer"] = values
        return taps


def sums(layer: dict[str, Any], values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A weight layer's accumulators, int32, one row an output pixel: (n * pixels, MH).

    `values` is (n, elements): bits, whose sums are the numbers of agreeing bits, or pixels, whose
    sums are signed.
    """
    # Sums of integers are exact in float32 up to 2^24: that is 65,793 pixels, or that many bits.
    if layer["input"] == "pixels":
        return (windows(layer, values.astype(np.float32), 0) @ weights.T).astype(np.int32)
    agreement = windows(layer, signs(values), -1) @ weights.T
    return (agreement.astype(np.int32) + layer["mw"]) // 2


def windows(layer: dict[str, Any], values: np.ndarray, padding: float) -> np.ndarray:
    """The inputs of each output pixel of a layer: (n * pixels, MW), in the order of its weights.

    `values` is (n, elements), and a map is framed with `padding` as far as the layer says.
    """
    window = layer["window"]
    if window is None:
        return values
    top, left, bottom, right = window["padding"]
    maps = np.pad(
        values.reshape(len(values), *window["input"]),
        ((0, 0), (top, bottom), (left, right), (0, 0)),
        constant_values=padding,
    )
    rows, columns = window["stride"]
    views = np.lib.stride_tricks.sliding_window_view(maps, window["kernel"], axis=(1, 2))
    # (n, row, column, channel, kernel row, kernel column), the channel last.
    views = views[:, ::rows, ::columns].transpose(0, 1, 2, 4, 5, 3)
    return views.reshape(len(values) * pixels_of(layer), layer["mw"])


def max_pool(layer: dict[str, Any], values: np.ndarray, shape: Any) -> np.ndarray:
    """The OR of each size x size square of maps of bits (n, elements), each of `shape`.

    What is left over beside the last whole square is cut off.
    """
    rows, columns, channels = layer["shape"]
    size = layer["size"]
    maps = values.reshape(len(values), *shape)[:, : rows * size, : columns * size]
    squares = maps.reshape(len(values), rows, size, columns, size, channels)
    return squares.max(axis=(2, 4)).reshape(len(values), rows * columns * channels)


def pixels_of(layer: dict[str, Any]) -> int:
    """The pixels of a layer's output map."""
    rows, columns, _ = layer["shape"]
    return int(rows * columns)


def last_written(before: np.ndarray, target: np.ndarray, written: np.ndarray) -> np.ndarray:
    """What words (n, width) hold if only the bits `written` take their target.

    Word i lies over the word `depth` before: of `target`, or of `before` (depth, width).
    """
    depth, width = before.shape
    laps = -(-len(target) // depth)
    values = np.zeros(((1 + laps) * depth, width), before.dtype)
    values[:depth] = before
    values[depth : depth + len(target)] = target
    lap = np.zeros(values.shape, np.intp)
    lap[depth : depth + len(target)] = np.where(
        written, 1 + np.arange(len(target))[:, None] // depth, 0
    )
    lap = np.maximum.accumulate(lap.reshape(1 + laps, depth, width), axis=0)
    stored = np.take_along_axis(values.reshape(lap.shape), lap, axis=0)
    return stored.reshape(-1, width)[depth : depth + len(target)]


def signs(bits: np.ndarray) -> np.ndarray:
    """Bits as the numbers that they stand for, float32: 1 is +1, 0 is -1."""
    return bits.astype(np.float32) * 2 - 1
