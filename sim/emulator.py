"""The accelerator in plain numpy, bit for bit: the twin that the RTL is compared with.

It is built from a bundle and offers what the hardware offers: error modes per memory, weights
written through the error-making port, images in, labels and every layer boundary out, counters,
soft reset. It needs numpy alone (1.21 to 2.4) and has no notion of time: the contracts make every
stored bit a function of its seed and position, so backpressure changes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.bundle import check_files, read_description
from sim.random_stream import draw_range, errs

MODES = {"off": 0, "flip": 1, "switch": 2}
IMAGES_AT_ONCE = 256  # bounds the memory that run() takes, whatever the number of images


@dataclass
class Counters:
    """What one memory counted since the last clear: bits."""

    written: int = 0
    switched: int = 0
    err1: int = 0
    err0: int = 0


@dataclass
class Memory:
    """One MRAM memory: its bits, how writing them errs, and what was counted.

    `bits` is (depth, width), uint8, bit 0 of a word first. `position` counts the bits that took a
    draw since the last restart; `words` the words that a buffer received since the last soft reset.
    """

    kind: str
    depth: int
    width: int
    bits: np.ndarray
    mode: str = "off"
    threshold1: int = 0
    threshold0: int = 0
    seed: int = 0
    position: int = 0
    words: int = 0
    counters: Counters = field(default_factory=Counters)

    def hits(self, target: np.ndarray) -> np.ndarray:
        """Which bits err if they are written now, in the order of `target` (C order), as bool."""
        if self.mode == "off":
            return np.zeros(target.shape, dtype=bool)
        draws = draw_range(self.seed, self.position, target.size).reshape(target.shape)
        self.position += target.size
        threshold1, threshold0 = np.uint32(self.threshold1), np.uint32(self.threshold0)
        return errs(draws, np.where(target == 1, threshold1, threshold0))

    def stored(self, target: np.ndarray, old: np.ndarray, hit: np.ndarray) -> np.ndarray:
        """What the cells hold after `target` was written over `old`, errors included."""
        if self.mode == "flip":
            return target ^ hit
        return np.where(hit, old, target)  # switch: the old bit stays; off: nothing hits

    def count(self, target: np.ndarray, old: np.ndarray, stored: np.ndarray) -> None:
        """Counts a write. An error is a stored bit that is not its target, in every mode."""
        error = stored != target
        self.counters.written += target.size
        self.counters.switched += int(np.count_nonzero(target != old))
        self.counters.err1 += int(np.count_nonzero(error & (target == 1)))
        self.counters.err0 += int(np.count_nonzero(error & (target == 0)))


class Emulator:
    """The accelerator of one bundle.

    Memories go by their index in accel.json. Weights start as 0, errors off.
    """

    def __init__(self, bundle: str | os.PathLike[str]) -> None:
        folder = Path(bundle)
        self.description = read_description(folder)
        check_files(folder, self.description)
        with np.load(folder / "arrays.npz") as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}
        self.memories = [
            Memory(m["kind"], m["depth"], m["width"], np.zeros((m["depth"], m["width"]), np.uint8))
            for m in self.description["memories"]
        ]
        self._layers: list[dict[str, Any]] = self.description["layers"]
        self._pixels = int(np.prod(self.description["input"]["shape"]))

    def set_errors(
        self, memory: int, mode: str, threshold1: int, threshold0: int, seed: int
    ) -> None:
        """Programs a memory's error mode, both 32-bit thresholds and its seed; restarts its stream.

        Raises ValueError for a mode that does not exist and for numbers wider than the registers.
        """
        if mode not in MODES:
            raise ValueError(f"there is no error mode {mode!r}; the modes are {', '.join(MODES)}")
        for name, value in ("threshold1", threshold1), ("threshold0", threshold0), ("seed", seed):
            if not 0 <= value < 1 << 32:
                raise ValueError(f"{name} {value} does not fit its 32-bit register")
        cells = self.memories[memory]
        cells.mode, cells.seed, cells.position = mode, seed, 0
        cells.threshold1, cells.threshold0 = threshold1, threshold0

    def weights(self, layer: int) -> np.ndarray:
        """A weight layer's trained weights as they are written: uint32 (depth, segments)."""
        return self._arrays[f"weights.{layer}"]

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        """Writes a whole weight memory word by word, least significant segment first.

        `segments` is (depth, segments), uint32, as over AXI-Lite; raises ValueError for another
        shape. Bits beyond the word's width are ignored.
        """
        cells = self._weight_memory(memory)
        expected = (cells.depth, -(-cells.width // 32))
        if np.shape(segments) != expected:
            raise ValueError(f"memory {memory} takes {expected} segments, not {np.shape(segments)}")
        target = unpack_words(segments, cells.width)
        stored = cells.stored(target, cells.bits, cells.hits(target))
        cells.count(target, cells.bits, stored)
        cells.bits = stored

    def read_weights(self, memory: int) -> np.ndarray:
        """What a weight memory holds: uint32 (depth, segments)."""
        return pack_words(self._weight_memory(memory).bits)

    def run(self, images: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Runs images (n, pixels), uint8.

        Returns the labels (n,) and, by tap name, each layer boundary's values (n, elements): bits
        as 0 and 1, accumulators as popcounts. Raises ValueError for images of another shape or
        type.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8:
            raise ValueError(f"images must be uint8, not {images.dtype}")
        if images.ndim != 2 or images.shape[1] != self._pixels:
            raise ValueError(f"images must be (n, {self._pixels}), not {images.shape}")
        weights = {
            layer["name"]: self._matrix(layer) for layer in self._layers if layer["op"] == "mvu"
        }
        parts = [
            self._run_some(images[start : start + IMAGES_AT_ONCE], weights)
            for start in range(0, max(len(images), 1), IMAGES_AT_ONCE)
        ]
        taps = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return taps["label"][:, 0], taps

    def counters(self, memory: int) -> Counters:
        """What a memory counted since the last clear or soft reset."""
        return replace(self.memories[memory].counters)

    def clear(self) -> None:
        """Zeroes the counters."""
        for cells in self.memories:
            cells.counters = Counters()

    def soft_reset(self) -> None:
        """Restarts every stream, zeroes counters and buffer addresses; keeps weights and errors.

        Until its first wrap after this a buffer's old bits count as 0, so they are zeroed here.
        """
        self.clear()
        for cells in self.memories:
            cells.position = 0
            if cells.kind == "buffer":
                cells.words = 0
                cells.bits = np.zeros_like(cells.bits)

    def _weight_memory(self, memory: int) -> Memory:
        cells = self.memories[memory]
        if cells.kind != "weights":
            raise ValueError(f"memory {memory} is a buffer, not a weight memory")
        return cells

    def _matrix(self, layer: dict[str, Any]) -> np.ndarray:
        """A layer's weights as float32 (MH, MW) of -1 and +1, from the bits that are stored now."""
        pe, simd = layer["pe"], layer["simd"]
        mh, mw = layer["mh"], layer["mw"]
        bits = self.memories[layer["weights"]].bits
        folded = bits.reshape(mh // pe, mw // simd, pe, simd)
        return signs(folded.transpose(0, 2, 1, 3).reshape(mh, mw))

    def _run_some(
        self, images: np.ndarray, weights: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        taps: dict[str, np.ndarray] = {}
        values = images
        number = 0  # of the weight layer
        for layer in self._layers:
            name = layer["name"]
            if layer["op"] == "threshold":
                values = (values >= self._arrays[f"threshold.{name}"].reshape(-1)).astype(np.uint8)
            elif layer["op"] == "mvu":
                # Sums of +1 and -1 are exact in float32 up to 2^24 inputs.
                agreement = signs(values) @ weights[name].T
                values = (agreement.astype(np.int32) + layer["mw"]) // 2
                if layer["threshold"]:
                    thresholds = self._arrays[f"threshold.{number}"].reshape(-1)
                    values = (values >= thresholds).astype(np.uint8)
                number += 1
            elif layer["op"] == "label_select":
                values = np.argmax(values, axis=1)[:, None]  # the first of equals: the lowest label
            else:
                raise ValueError(f"layer {name} has the unknown operation {layer['op']!r}")
            taps[name] = values
            if layer.get("buffer") is not None:
                values = self._through_buffer(self.memories[layer["buffer"]], values)
                taps[f"{name}.buffer"] = values
        return taps

    @staticmethod
    def _through_buffer(cells: Memory, values: np.ndarray) -> np.ndarray:
        """Writes a feature map (n, elements) word by word into its buffer and reads it back."""
        target = values.reshape(-1, cells.width)
        hit = cells.hits(target)
        stored = np.empty_like(target)
        start = 0
        while start < len(target):
            # Up to the end of the buffer no address is written twice: the old bits are known.
            address = cells.words % cells.depth
            count = min(len(target) - start, cells.depth - address)
            burst = slice(start, start + count)
            old = cells.bits[address : address + count]
            stored[burst] = cells.stored(target[burst], old, hit[burst])
            cells.count(target[burst], old, stored[burst])
            cells.bits[address : address + count] = stored[burst]
            cells.words += count
            start += count
        return stored.reshape(values.shape)


def signs(bits: np.ndarray) -> np.ndarray:
    """Bits as the numbers that they stand for, float32: 1 is +1, 0 is -1."""
    return bits.astype(np.float32) * 2 - 1


def unpack_words(segments: np.ndarray, width: int) -> np.ndarray:
    """The bits (words, width), uint8, of words in 32-bit segments (words, segments)."""
    little = np.ascontiguousarray(segments, dtype="<u4").view(np.uint8)
    return np.unpackbits(little, axis=1, bitorder="little")[:, :width]


def pack_words(bits: np.ndarray) -> np.ndarray:
    """Words in 32-bit segments (words, segments), uint32, of bits (words, width)."""
    words, width = bits.shape
    padded = np.zeros((words, -(-width // 32) * 32), dtype=np.uint8)
    padded[:, :width] = bits
    packed = np.packbits(padded, axis=1, bitorder="little").view("<u4")
    return packed.astype(np.uint32)
