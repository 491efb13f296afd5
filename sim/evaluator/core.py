"""The evaluator: the emulator's operations on packed bits, compiled, on all cores.

It does what `sim.emulator.Emulator` and `sim.accelerator.Accelerator` do under the same names, and
with the hardware's random stream agrees with them in every bit. docs/evaluator.md says more.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.bundle import read_arrays
from spinflow.sim.evaluator import kernels
from spinflow.sim.evaluator.memory import STREAMS, Memory, Workers
from spinflow.sim.evaluator.network import (
    Conv,
    Label,
    Linear,
    MaxPool,
    Network,
    PixelThreshold,
    Step,
    buffer_of,
    fold_weights,
    folding_of,
    of_bundle,
    of_model,
    plan,
)
from spinflow.sim.memories import MemoryOperations, check_images

BLOCK_BYTES = 8 << 20  # of the largest map of the frames that are computed at once
BLOCK_FRAMES = 16384  # at most so many of them
Taps = dict[str, np.ndarray]


class Evaluator(MemoryOperations[Memory]):
    """The accelerator of a network, fast. Memories go by their index; weights start as 0.

    Attributes:
        description: a bundle's accel.json; for another network the part that software reads.
        memories: with kind, layer, depth, width, and their bits.
    """

    def __init__(
        self,
        network: Network,
        description: dict[str, Any] | None = None,
        stream: str = "hardware",
        threads: int | None = None,
    ) -> None:
        """See from_bundle and from_network.

        Raises ValueError for layers that do not fit each other, for a stream that does not exist
        and for less than one thread.
        """
        if stream not in STREAMS:
            raise ValueError(f"there is no stream {stream!r}; the streams are {', '.join(STREAMS)}")
        self.network = network
        self._workers = Workers(threads)
        steps = plan(network)
        if description is None:
            description = _describe(network, steps)
        self.description = description
        self.memories = [Memory(entry, stream, self._workers) for entry in description["memories"]]
        weights = {m.layer: m for m in self.memories if m.kind == "weights"}
        buffers = {m.name: m for m in self.memories if m.kind == "buffer"}
        self._stages: list[_Stage] = []
        self._trained: list[NDArray[np.uint32]] = []
        for step in steps:
            buffer = buffers.get(f"{step.layer.name}.buffer")
            if isinstance(step.layer, Linear | Conv):
                number = len(self._trained)
                self._stages.append(_Product(step, self._workers, buffer, weights[number]))
                bits = step.layer.weights.reshape(len(step.layer.weights), -1)
                self._trained.append(fold_weights(bits, folding_of(step.layer)))
            else:
                self._stages.append(_Stage(step, self._workers, buffer))
        self._pixels = int(np.prod(network.shape))
        largest = max([self._pixels, *(stage.bytes_a_frame for stage in self._stages)])
        self._frames_at_once = max(1, min(BLOCK_FRAMES, BLOCK_BYTES // largest))

    @classmethod
    def from_bundle(
        cls, path: str | os.PathLike[str], stream: str = "hardware", threads: int | None = None
    ) -> Evaluator:
        """The evaluator of a bundle, with its memories and its folding.

        `stream` is "hardware", bit for bit the accelerator's, or "fast", of the same
        distribution. `threads` is by default the number of cores. Raises BundleError for what is
        no whole bundle, and ValueError as the constructor.
        """
        description, contents = read_arrays(path)
        return cls(of_bundle(description, contents), description, stream, threads)

    @classmethod
    def from_network(
        cls, network: Any, stream: str = "hardware", threads: int | None = None, **options: Any
    ) -> Any:
        """The evaluator of a network without a bundle, memories in the natural order.

        `network` is the name of a trained network of the zoo, a network of any kind of
        `spinflow.model.networks`, a `Network`, what another evaluator has as its `network`, or a
        list of PyTorch modules, which `options` (bits, shape, ...) quantize. The
        result is for fixed point a `sim.fixed_point` evaluator, for a network with layers of
        floats a `sim.xnor.XnorEvaluator`; both have the same operations. Raises ValueError for
        an unknown name and as the constructors do.
        """
        if isinstance(network, str):
            from spinflow.model.store import load_trained

            network = load_trained(network)
        if isinstance(network, Network):
            return cls(network, None, stream, threads, **options)
        if hasattr(network, "spec") and hasattr(network, "thresholds"):
            return cls(of_model(network), None, stream, threads, **options)
        from spinflow.sim.fixed_point import QuantizedEvaluator, QuantizedNetwork
        from spinflow.sim.xnor import XnorEvaluator, XnorParameters

        if isinstance(network, XnorParameters):
            return XnorEvaluator(network.model(), stream, threads)
        if isinstance(network, QuantizedNetwork):
            return QuantizedEvaluator(**network.arguments(), stream=stream, threads=threads)
        if hasattr(network, "plain_modules"):
            spec = network.spec
            options |= {"bits": spec.bits, "shape": spec.shape, "name": spec.name}
            network = network.plain_modules()
        elif hasattr(network, "spec"):
            return XnorEvaluator(network, stream, threads)
        return QuantizedEvaluator(network, stream=stream, threads=threads, **options)

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """A weight layer's trained weights as they are written: uint32 (depth, segments)."""
        return self._trained[layer]

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        """Writes a whole weight memory, uint32 (depth, segments), as over AXI-Lite.

        Raises ValueError for another shape. Bits beyond the word's width are ignored.
        """
        cells = self._weight_memory(memory, segments)
        cells.write_rows(segments)
        for stage in self._stages:
            if isinstance(stage, _Product) and stage.memory is cells:
                stage.changed = True

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """What a weight memory holds: uint32 (depth, segments)."""
        return self._weight_memory(memory).read_rows()

    def run(self, images: np.ndarray, taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Runs images (n, pixels), uint8; maps of (rows, columns, channels) are flat in this order.

        Returns the labels (n,) and, by tap name, each layer boundary's values (n, elements): bits
        as 0 and 1, sums as popcounts (of UINT8 input, as signed sums). Without `taps` the
        dictionary is empty, and nothing is kept. Raises ValueError for images of another shape or
        type.
        """
        images = np.ascontiguousarray(check_images(images, self._pixels))
        labels = np.empty(len(images), np.int64)
        parts: list[Taps] = []
        for stage in self._stages:
            stage.prepare()
        for start in range(0, max(len(images), 1), self._frames_at_once):
            values = images[start : start + self._frames_at_once]
            frames = len(values)
            seen: Taps = {}
            for stage in self._stages:
                values = stage.compute(values, frames)
                if taps:
                    seen[stage.step.layer.name] = stage.tap(values, frames)
                if stage.buffer is not None:
                    values = stage.store(values, frames)
                    if taps:
                        seen[f"{stage.step.layer.name}.buffer"] = stage.tap(values, frames)
            labels[start : start + frames] = values[:frames, 0]
            parts.append(seen)
        if not taps:
            return labels, {}
        return labels, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Stage:
    """A layer at work: its map's memory, reused from block to block."""

    def __init__(self, step: Step, workers: Workers, buffer: Memory | None) -> None:
        self.step, self.workers, self.buffer = step, workers, buffer
        self.pixels = step.result[0] * step.result[1]
        self.channels = step.result[2]
        self.words = -(-self.channels // 32)
        self.bytes_a_frame = 4 * self.pixels * self.words
        self._out = np.zeros(0, np.uint64)

    def prepare(self) -> None:
        """Called before a run, when the weights may have changed."""

    def compute(self, values: np.ndarray, frames: int) -> np.ndarray:
        """The output of `frames` frames: packed rows (frames * pixels, words), or labels."""
        layer, step = self.step.layer, self.step
        if isinstance(layer, PixelThreshold):
            out = self.rows(frames)
            # A map of several pixels packs each on its own.
            pixels = values.reshape(frames * self.pixels, self.channels)
            self.workers.share(
                lambda lo, hi: kernels.threshold_pixels(pixels, layer.threshold, out, lo, hi),
                len(pixels),
            )
            return out
        if isinstance(layer, MaxPool):
            out = self.rows(frames)
            source = values.reshape(frames, *step.source[:2], self.words)
            result = out.reshape(frames, *step.result[:2], self.words)
            self.workers.share(
                lambda lo, hi: kernels.pool_bits(source, layer.size, result, lo, hi), frames
            )
            return out
        labels = np.empty((frames, 1), np.int64)
        kernels.best_of(values, labels, 0, frames)
        return labels

    def store(self, values: np.ndarray, frames: int) -> np.ndarray:
        """Writes the map into the buffer, and returns what it reads: packed rows."""
        assert self.buffer is not None
        rows = frames * self.pixels
        bits = rows * self.channels
        line = self._out
        if self.channels % 32:
            line = np.zeros(-(-bits // 64) + 1, np.uint64)
            kernels.pack_rows(values, self.channels, line.view(np.uint32), 0, rows)
        stored = self.buffer.write(line, bits)
        if self.channels % 32:
            result = np.zeros((rows, self.words), np.uint32)
            kernels.unpack_rows(stored, 0, self.channels, result)
        else:
            result = stored[: rows * self.words].reshape(rows, self.words)
        self.buffer.settle(bits)
        return result

    def tap(self, values: np.ndarray, frames: int) -> np.ndarray:
        """Values as (frames, elements)."""
        if values.dtype != np.uint32:
            return values.reshape(frames, self.pixels * self.channels).copy()
        little = np.ascontiguousarray(values).view(np.uint8)
        bits = np.unpackbits(little, axis=1, count=self.channels, bitorder="little")
        return bits.reshape(frames, self.pixels * self.channels)

    def rows(self, frames: int) -> np.ndarray:
        """Room for the packed output of `frames` frames."""
        size = frames * self.pixels * self.words
        if 2 * len(self._out) < size + 2:
            self._out = np.zeros(size // 2 + 2, np.uint64)
        return self._out.view(np.uint32)[:size].reshape(-1, self.words)


class _Product(_Stage):
    """A weight layer: its weights in the order of the inner loop, and where its inputs lie."""

    def __init__(self, step: Step, workers: Workers, buffer: Memory | None, memory: Memory) -> None:
        super().__init__(step, workers, buffer)
        layer = step.layer
        assert isinstance(layer, Linear | Conv)
        self.layer, self.memory, self.changed = layer, memory, True
        self.inputs = int(layer.weights[0].size)
        channels = step.source[2]
        cell = channels if step.pixels else -(-channels // 32)  # of the map, bytes or words
        self.frame = layer.frame if isinstance(layer, Conv) else (0, 0, 0, 0)
        top, left, bottom, right = self.frame
        height, width = step.source[0] + top + bottom, step.source[1] + left + right
        self.framed = (height, width, cell)
        self.frame_size = height * width * cell
        self._padded = np.zeros(0, np.uint8 if step.pixels else np.uint32)
        if any(self.frame):
            self.bytes_a_frame = max(
                self.bytes_a_frame, self.frame_size * self._padded.dtype.itemsize
            )
        if isinstance(layer, Conv):
            kernel, steps = layer.weights.shape[1:3], layer.steps
        else:
            kernel, steps = step.source[:2], (1, 1)
        self.taps = kernel[0] * kernel[1]
        self.offsets = np.array(
            [
                (i * width + j) * cell + n
                for i in range(kernel[0])
                for j in range(kernel[1])
                for n in range(cell)
            ],
            np.int64,
        )
        self.places = np.array(
            [
                (i * steps[0] * width + j * steps[1]) * cell
                for i in range(step.result[0])
                for j in range(step.result[1])
            ],
            np.int64,
        )
        self.invert = np.zeros(self.words, np.uint32)
        if layer.inverted is not None:
            packed = np.zeros(4 * self.words, np.uint8)
            bits = np.packbits(np.asarray(layer.inverted, np.uint8), bitorder="little")
            packed[: len(bits)] = bits
            self.invert = packed.view("<u4").astype(np.uint32)
        self.limits = self._limits()
        self._layout: NDArray[Any]
        if step.pixels:
            # Taps side by side in a kernel row are read in pairs.
            self.taps = kernel[0]
            run = self.inputs // kernel[0]
            self.offsets = np.array(
                [i * width * cell + n for i in range(kernel[0]) for n in range(0, run, 2)], np.int64
            )
            shape = (-(-self.words // 2), len(self.offsets), 2 * kernels.LANES, 2)
            self._layout = np.zeros(shape, np.int16)
        else:
            self._layout = np.zeros((self.words, len(self.offsets), kernels.LANES), np.uint32)

    def _limits(self) -> NDArray[np.int32]:
        """What the sums are compared with, for each lane; empty without thresholds."""
        if self.layer.thresholds is None:
            return np.zeros(0, np.int32)
        thresholds = np.asarray(self.layer.thresholds, np.int64)
        lanes = (self.words + 1) * kernels.LANES  # UINT8 input goes through two words at once
        if self.step.pixels:
            # Lanes without an output give 0, whatever their sum.
            limits = np.full(lanes, 2**31 - 1)
            limits[: self.channels] = np.clip(thresholds, -(2**31), 2**31 - 1)
        else:
            # At least T bits agree: at most MW - T differ.
            limits = np.full(lanes, -1)
            limits[: self.channels] = np.clip(self.inputs - thresholds, -1, self.inputs)
        return limits.astype(np.int32)

    def prepare(self) -> None:
        """Brings the weights that are stored now into the order of the inner loop."""
        if not self.changed:
            return
        folding = folding_of(self.layer)
        rows = np.zeros((self.channels, -(-self.inputs // 32)), np.uint32)
        kernels.unfold_weights(self.memory.packed(), self.inputs, folding.pe, folding.simd, rows)
        if self.step.pixels:
            kernels.transpose_weights(rows, self.taps, self.inputs // self.taps, self._layout)
        else:
            kernels.interleave_weights(rows, self.taps, self.step.source[2], self._layout)
        self.changed = False

    def compute(self, values: np.ndarray, frames: int) -> np.ndarray:
        """The output of the first `frames` frames: packed rows, or sums (rows, outputs), int32."""
        x = self._framed(values, frames).reshape(-1)
        if self.step.pixels:
            wide = np.zeros(x.size + 1, np.uint16)  # a pair may begin at the last
            wide[:-1] = x
            x = wide
        has_threshold = self.layer.thresholds is not None
        out = self.rows(frames) if has_threshold else np.zeros((0, 1), np.uint32)
        shape = (0 if has_threshold else frames * self.pixels, self.channels)
        sums = np.zeros(shape, np.int32)
        place = x, self.frame_size, self.places, self.offsets, self._layout.reshape(-1)
        if self.step.pixels:
            self.workers.share(
                lambda lo, hi: kernels.pixel_layer(
                    *place, self.limits, self.invert, out, sums, lo, hi
                ),
                frames,
            )
        elif has_threshold:
            self.workers.share(
                lambda lo, hi: kernels.binary_layer(*place, self.limits, self.invert, out, lo, hi),
                frames,
            )
        else:
            self.workers.share(
                lambda lo, hi: kernels.binary_sums(*place, self.inputs, sums, lo, hi), frames
            )
        return out if has_threshold else sums

    def _framed(self, values: np.ndarray, frames: int) -> np.ndarray:
        """The input map in its frame of padding, zeros: bits of -1, or pixels of 0."""
        if not any(self.frame):
            return values
        if len(self._padded) < frames * self.frame_size:
            self._padded = np.zeros(frames * self.frame_size, self._padded.dtype)
        padded = self._padded[: frames * self.frame_size].reshape(frames, *self.framed)
        source = values.reshape(frames, *self.step.source[:2], self.framed[2])
        top, left = self.frame[:2]
        self.workers.share(
            lambda lo, hi: kernels.pad_map(source, top, left, padded, lo, hi), frames
        )
        return padded


def _describe(network: Network, steps: list[Step]) -> dict[str, Any]:
    """A network without a bundle as accel.json describes one, as far as software reads it."""
    layers: list[dict[str, Any]] = []
    weights: list[dict[str, Any]] = []
    buffers: list[dict[str, Any]] = []
    for step in steps:
        layer = step.layer
        entry: dict[str, Any] = {
            "name": layer.name,
            "op": _OPERATIONS[type(layer)],
            "shape": list(step.result),
        }
        layers.append(entry)
        if isinstance(layer, Linear | Conv):
            folding = folding_of(layer)
            width = folding.pe * folding.simd
            weights.append(
                {
                    "name": f"{layer.name}.weights",
                    "kind": "weights",
                    "layer": len(weights),
                    "width": width,
                    "depth": layer.weights.size // width,
                    "segments": -(-width // 32),
                }
            )
            entry["weights"] = weights[-1]["layer"]
        buffer = buffer_of(layer, step.result)
        if buffer is not None:
            # A pool belongs to the weight layer before it.
            number = max(len(weights) - 1, 0)
            buffers.append(
                {
                    "name": f"{layer.name}.buffer",
                    "kind": "buffer",
                    "layer": number,
                    "width": buffer.width,
                    "depth": buffer.depth,
                }
            )
    memories = [{"index": index, **memory} for index, memory in enumerate(weights + buffers)]
    numbers = {memory["name"]: memory["index"] for memory in memories}
    for entry in layers:
        entry["buffer"] = numbers.get(f"{entry['name']}.buffer")
    return {
        "network": network.name,
        "input": {"shape": list(network.shape), "type": "UINT8"},
        "layers": layers,
        "memories": memories,
    }


_OPERATIONS = {
    PixelThreshold: "threshold",
    Linear: "mvu",
    Conv: "mvu",
    MaxPool: "max_pool",
    Label: "label_select",
}
