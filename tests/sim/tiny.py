"""Hand-made bundles, small enough to be computed bit by bit, and the computation.

What makes them a test: weight words of two segments with unused bits, buffers whose depth is no
multiple of a frame's words, so that they wrap in the middle of frames, folds in both directions,
maps that are not square, a pool that leaves something over, padding that differs on every side,
thresholds that are never and always reached.
"""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tests import described

M = 0xFFFFFFFF
Layer = dict[str, Any]


def fc(
    outputs: int, inputs: int, folding: tuple[int, int], buffer: int = 0, *, of: str = "bits"
) -> Layer:
    """A fully connected layer; `buffer` is a depth, 0 for none."""
    return {
        "op": "mvu", "mw": inputs, "mh": outputs, "pe": folding[0], "simd": folding[1],
        "input": of, "threshold": True, "window": None, "shape": [1, 1, outputs], "buffer": buffer,
    }  # fmt: skip


def conv(
    outputs: int,
    source: Sequence[int],
    kernel: Sequence[int],
    folding: tuple[int, int],
    buffer: int = 0,
    *,
    of: str = "bits",
    padding: Sequence[int] = (0, 0, 0, 0),
    padding_value: int = -1,
    stride: Sequence[int] = (1, 1),
) -> Layer:
    """A convolution of a map of shape `source`; `buffer` is a depth, 0 for none."""
    top, left, bottom, right = padding
    rows = (source[0] + top + bottom - kernel[0]) // stride[0] + 1
    columns = (source[1] + left + right - kernel[1]) // stride[1] + 1
    return {
        **fc(outputs, kernel[0] * kernel[1] * source[2], folding, buffer, of=of),
        "window": {
            "input": list(source), "kernel": list(kernel), "stride": list(stride),
            "padding": list(padding), "padding_value": 0 if of == "pixels" else padding_value,
        },
        "shape": [rows, columns, outputs],
    }  # fmt: skip


def pool(shape: Sequence[int], buffer: int = 0) -> Layer:
    """A 2 x 2 max-pool with an output of `shape`."""
    return {"op": "max_pool", "size": 2, "shape": list(shape), "buffer": buffer}


def describe(
    network: str,
    shape: Sequence[int],
    *layers: Layer,
    threshold: bool | None = None,
    scores: bool = False,
    table: bool = False,
) -> dict[str, Any]:
    """The accel.json of layers; the last weight layer gives sums.

    `threshold` says whether pixels become bits first: by default where images are flat. `scores`
    says whether each class has a gain and an offset, `table` whether other codes are made of the
    pixels before all else.
    """
    entries: list[Layer] = []
    elements = int(np.prod(shape))
    if table:
        entries.append({"name": "table", "op": "byte_table", "elements": elements, "pe": 1})
    if threshold if threshold is not None else len(shape) == 1:
        entries.append({"name": "input", "op": "threshold", "channels": elements, "pe": 1})
    depths: dict[str, int] = {}
    count = {"conv": 0, "fc": 0}
    name, owner = "", {}
    for layer in layers:
        entry = dict(layer)
        if layer["op"] == "mvu":
            kind = "conv" if layer["window"] else "fc"
            name = f"{kind}{count[kind]}"
            count[kind] += 1
            owner = entry
        entry["name"] = name if layer["op"] == "mvu" else name.replace("conv", "pool")
        depths[f"{entry['name']}.buffer"] = layer["buffer"]
        entries.append(entry)
    owner["threshold"] = False
    entries.append(
        {"name": "label", "op": "label_select", "classes": owner["mh"], "scores": scores}
    )
    return described.complete(network, shape, entries, depths)


DESCRIPTIONS = {
    description["network"]: description
    for description in (
        describe("perceptron", [16], fc(6, 16, (3, 16), 3), fc(4, 6, (2, 3))),
        describe("scored", [16], fc(6, 16, (3, 16), 3), fc(300, 6, (3, 3)), scores=True),
        describe(
            "pooled", [7, 6, 3],
            conv(6, (7, 6, 3), (3, 3), (2, 27), of="pixels"),
            pool((2, 2, 6), 5),
            fc(35, 24, (5, 8), 4), fc(3, 35, (3, 7)),
        ),
        describe(
            "padded", [4, 5, 2],
            conv(4, (4, 5, 2), (3, 2), (4, 1), 7, of="pixels", padding=(1, 0, 2, 1)),
            conv(3, (5, 5, 4), (3, 3), (1, 6), 2, padding=(1, 1, 1, 1)),
            conv(2, (5, 5, 3), (2, 3), (2, 9), 50, stride=(1, 2)),
            fc(4, 16, (2, 4)),
        ),
        describe(
            "zeros", [5, 6, 1],
            conv(5, (5, 6, 1), (2, 2), (5, 2), 4, of="pixels", padding=(1, 0, 0, 1)),
            conv(6, (5, 6, 5), (3, 3), (2, 9), 7, padding=(1, 1, 1, 1), padding_value=0),
            pool((2, 3, 6), 5),
            conv(34, (2, 3, 6), (2, 3), (17, 3), 9,
                 padding=(0, 2, 1, 1), padding_value=0, stride=(1, 2)),
            fc(4, 136, (2, 4)),
        ),
        describe(
            "folded", [5, 4, 1],
            conv(34, (5, 4, 1), (2, 1), (17, 2), 3, of="pixels"),
            conv(6, (4, 4, 34), (3, 3), (3, 51), 1),
            fc(5, 24, (1, 12)),
        ),
        describe(
            "coded", [13], fc(6, 13, (3, 13), 3), fc(4, 6, (2, 3)), table=True
        ),
        describe(
            "coded-maps", [3, 5, 1],
            conv(4, (3, 5, 1), (3, 2), (4, 1), 7, of="pixels", padding=(1, 0, 0, 1)),
            fc(3, 40, (1, 8)), table=True,
        ),
        describe(
            "pixels", [8], fc(3, 8, (3, 2), 2, of="pixels"), fc(2, 3, (2, 1)), threshold=False
        ),
    )
}  # fmt: skip
THRESHOLD_IN = 100


def pixels(description: dict[str, Any]) -> int:
    """Pixels of an image."""
    return int(np.prod(description["input"]["shape"]))


def leaves_out_padding(layer: Layer) -> bool:
    """Whether a layer's padding counts for nothing."""
    return layer["window"] is not None and layer["window"]["padding_value"] == 0


def write_bundle(folder: Path, description: dict[str, Any]) -> Path:
    """Writes a bundle with random weights and thresholds, as software reads it."""
    generator = np.random.default_rng(4)
    arrays: dict[str, Any] = {}
    operations = [layer["op"] for layer in description["layers"]]
    if "byte_table" in operations:
        arrays["table.input"] = generator.integers(0, 256, 256).astype(np.uint8)
    if "threshold" in operations:
        arrays["threshold.input"] = np.array([THRESHOLD_IN], dtype=np.int32)
    for memory in description["memories"]:
        if memory["kind"] == "weights":
            words = random_segments(generator, memory)
            words[:, -1] &= M >> -memory["width"] % 32
            arrays[f"weights.{memory['layer']}"] = words
    for number, layer in enumerate(x for x in description["layers"] if x["op"] == "mvu"):
        of_pixels, mw = layer["input"] == "pixels", layer["mw"]
        middle, spread = (0, 100 * mw**0.5) if of_pixels else (mw / 2, mw**0.5 / 3)
        least, most = (-255 * mw, 255 * mw + 1) if of_pixels else (0, mw + 1)
        if not of_pixels and leaves_out_padding(layer):
            middle, spread, least = 0, mw**0.5 / 2, -mw
        thresholds = np.round(generator.normal(middle, spread, layer["mh"])).astype(np.int32)
        if layer["mh"] > 3:
            thresholds[:2] = least, most
        if layer["threshold"]:
            arrays[f"threshold.{number}"] = thresholds
    label = description["layers"][-1]
    if label["scores"]:
        arrays["gain.label"] = generator.integers(1, 4, label["classes"], np.int32)
        arrays["offset.label"] = generator.integers(0, 9, label["classes"], np.int32)
    np.savez(folder / "arrays.npz", **arrays)
    return described.write(folder, description)


def random_segments(generator: np.random.Generator, memory: dict[str, Any]) -> np.ndarray:
    """Random contents of a weight memory, with noise in the bits that no weight uses."""
    return generator.integers(0, 1 << 32, (memory["depth"], memory["segments"]), dtype=np.uint32)


def word(seed: int, number: int) -> int:
    """docs/contracts.md, The random stream."""
    x, y = (number >> 1) & M, seed
    for r in range(8):
        x = ((((x >> 8) | (x << 24)) + y) & M) ^ (0x9E3779B9 * (r + 1) & M)
        y = (((y << 3) | (y >> 29)) & M) ^ x
    return y if number & 1 else x


def draw(seed: int, position: int) -> int:
    """docs/contracts.md, The random stream."""
    lead = word(seed, (position >> 2) & M) >> 8 * (position & 3) & 0xFF
    return lead << 24 | word(seed, 1 << 32 | position & M) >> 8


class BitByBit:
    """The accelerator of a bundle from the contract's text, one bit at a time."""

    def __init__(self, folder: Path) -> None:
        self.description = json.loads((folder / "accel.json").read_text())
        with np.load(folder / "arrays.npz") as arrays:
            self.arrays = {name: arrays[name].tolist() for name in arrays.files}
        self.memories: list[dict[str, Any]] = self.description["memories"]
        self.cells: list[list[int]] = [[0] * (m["depth"] * m["width"]) for m in self.memories]
        self.errors: list[tuple[int, int, int, int]] = [(0, 0, 0, 0) for _ in self.memories]
        self.soft_reset()

    def set_errors(self, memory: int, mode: str, t1: int, t0: int, seed: int) -> None:
        self.errors[memory] = (["off", "flip", "switch"].index(mode), t1, t0, seed)
        self.position[memory] = 0

    def write_bit(self, memory: int, bit: int, target: int, old: int) -> int:
        mode, t1, t0, seed = self.errors[memory]
        u = draw(seed, self.position[memory])
        self.position[memory] += 1
        T = t1 if target else t0
        hit = u < T or T == M
        stored, error = target, False
        if mode == 1:
            stored, error = target ^ hit, hit
        elif mode == 2 and hit and target != old:
            stored, error = old, True
        self.cells[memory][bit] = stored
        count = self.counts[memory]
        count[0] += 1
        count[1] += target != old
        count[2] += error and target == 1
        count[3] += error and target == 0
        return stored

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        width = self.memories[memory]["width"]
        for word, row in enumerate(segments.tolist()):
            for b in range(width):
                bit = word * width + b
                old = self.cells[memory][bit]
                self.write_bit(memory, bit, row[b // 32] >> (b % 32) & 1, old)
            self.position[memory] += -width % 32

    def through_buffer(self, memory: int, values: list[int]) -> list[int]:
        """A map in the order (row, column, channel), as read back."""
        width, depth = self.memories[memory]["width"], self.memories[memory]["depth"]
        out = []
        for n in range(len(values) // width):
            address = self.words[memory] % depth
            for b in range(width):
                bit = address * width + b
                old = self.cells[memory][bit] if self.words[memory] >= depth else 0
                out.append(self.write_bit(memory, bit, values[n * width + b], old))
            self.words[memory] += 1
        return out

    def soft_reset(self) -> None:
        self.position = [0] * len(self.memories)
        self.words = [0] * len(self.memories)  # that a buffer received since reset
        self.clear()

    def clear(self) -> None:
        self.counts = [[0, 0, 0, 0] for _ in self.memories]

    def run(self, images: np.ndarray) -> dict[str, list[list[int]]]:
        taps: dict[str, list[list[int]]] = {}

        def tap(name: str, values: list[int]) -> None:
            taps.setdefault(name, []).append(values)

        for image in images.tolist():
            x, shape = image, self.description["input"]["shape"]
            number = 0
            for layer in self.description["layers"]:
                name = layer["name"]
                if layer["op"] == "byte_table":
                    x = [self.arrays["table.input"][pixel] for pixel in x]
                elif layer["op"] == "threshold":
                    x = [int(pixel >= THRESHOLD_IN) for pixel in x]
                elif layer["op"] == "mvu":
                    x = self.product(layer, number, x)
                    number += 1
                elif layer["op"] == "max_pool":
                    x = self.pooled(layer, x, shape)
                else:
                    if layer["scores"]:
                        gain, offset = self.arrays["gain.label"], self.arrays["offset.label"]
                        x = [g * s + o for g, s, o in zip(gain, x, offset, strict=True)]
                    x = [x.index(max(x))]
                shape = layer.get("shape")
                tap(name, x)
                if layer.get("buffer") is not None:
                    x = self.through_buffer(layer["buffer"], x)
                    tap(f"{name}.buffer", x)
        return taps

    def product(self, layer: Layer, number: int, x: list[int]) -> list[int]:
        """The outputs of every window, which are bits if there are thresholds."""
        out = []
        for inputs in self.windows(layer, x):
            for n in range(layer["mh"]):
                value = self.sum_of(layer, n, inputs)
                if layer["threshold"]:
                    value = int(value >= self.arrays[f"threshold.{number}"][n])
                out.append(value)
        return out

    @staticmethod
    def windows(layer: Layer, x: list[int]) -> list[list[int | None]]:
        """The inputs of each output pixel; outside the map lie 0 bits, or None for nothing."""
        window = layer["window"]
        if window is None:
            return [list(x)]
        outside = None if leaves_out_padding(layer) else 0
        rows, columns, channels = window["input"]
        top, left, _, _ = window["padding"]

        def at(row: int, column: int, channel: int) -> int | None:
            inside = 0 <= row < rows and 0 <= column < columns
            return x[(row * columns + column) * channels + channel] if inside else outside

        return [
            [
                at(r * window["stride"][0] + i - top, c * window["stride"][1] + j - left, k)
                for i, j, k in product(*map(range, (*window["kernel"], channels)))
            ]
            for r, c in product(range(layer["shape"][0]), range(layer["shape"][1]))
        ]

    @staticmethod
    def pooled(layer: Layer, x: list[int], shape: list[int]) -> list[int]:
        rows, columns, channels = layer["shape"]
        return [
            max(
                x[((2 * r + i) * shape[1] + 2 * c + j) * channels + k]
                for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))
            )
            for r, c, k in product(range(rows), range(columns), range(channels))
        ]

    def sum_of(self, layer: Layer, n: int, x: list[int | None]) -> int:
        """Output n's agreeing bits, or its signed sum, None left out; weights lie as folded."""
        memory = layer["weights"]
        pe, simd, folds = layer["pe"], layer["simd"], layer["mw"] // layer["simd"]
        total = 0
        for i, value in enumerate(x):
            word = n // pe * folds + i // simd
            weight = self.cells[memory][word * pe * simd + n % pe * simd + i % simd]
            if value is None:
                continue
            if layer["input"] == "pixels":
                total += value if weight else -value
            elif leaves_out_padding(layer):
                total += 1 if weight == value else -1
            else:
                total += weight == value
        return total
