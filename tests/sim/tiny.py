"""A hand-made bundle, small enough to be computed bit by bit, and the computation.

The network is 16 pixels, 6 hidden outputs, 4 classes. What makes it a test: weight words of two
segments with unused bits, a buffer whose depth is no multiple of a frame's words, so that it wraps
in the middle of frames, and folds in both directions.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

M = 0xFFFFFFFF
PIXELS = 16
THRESHOLD_IN = 100
THRESHOLDS = [8, 7, 9, 0, 17, 8]  # never below 0, never reached at 17

DESCRIPTION: dict[str, Any] = {
    "format": 1,
    "network": "tiny",
    "input": {"shape": [PIXELS], "type": "UINT8", "bytes_per_frame": PIXELS, "word_bits": 32},
    "layers": [
        {"name": "input", "op": "threshold", "channels": PIXELS, "pe": 4},
        {
            "name": "fc0", "op": "mvu", "mw": 16, "mh": 6, "pe": 3, "simd": 16,
            "threshold": True, "weights": 0, "buffer": 2,
        },
        {
            "name": "fc1", "op": "mvu", "mw": 6, "mh": 4, "pe": 2, "simd": 3,
            "threshold": False, "weights": 1, "buffer": None,
        },
        {"name": "label", "op": "label_select", "classes": 4},
    ],
    "memories": [
        {"index": 0, "name": "fc0.weights", "kind": "weights", "layer": 0, "width": 48, "depth": 2,
         "segments": 2, "base": 8192, "stride": 8},
        {"index": 1, "name": "fc1.weights", "kind": "weights", "layer": 1, "width": 6, "depth": 4,
         "segments": 1, "base": 12288, "stride": 4},
        {"index": 2, "name": "fc0.buffer", "kind": "buffer", "layer": 0, "width": 3, "depth": 3},
    ],
}  # fmt: skip


def write_bundle(folder: Path) -> Path:
    """Writes the bundle, as far as the emulator reads it."""
    generator = np.random.default_rng(4)
    arrays: dict[str, Any] = {
        "threshold.input": np.array([THRESHOLD_IN], dtype=np.int32),
        "threshold.0": np.array(THRESHOLDS, dtype=np.int32),
        "weights.0": random_segments(generator, 0),
        "weights.1": random_segments(generator, 1),
    }
    np.savez(folder / "arrays.npz", **arrays)
    digest = hashlib.sha256((folder / "arrays.npz").read_bytes()).hexdigest()
    description = {**DESCRIPTION, "files": {"arrays.npz": digest}}
    (folder / "accel.json").write_text(json.dumps(description))
    return folder


def random_segments(generator: np.random.Generator, memory: int) -> np.ndarray:
    """Random contents of a weight memory, with noise in the bits that no weight uses."""
    entry = DESCRIPTION["memories"][memory]
    return generator.integers(0, 1 << 32, (entry["depth"], entry["segments"]), dtype=np.uint32)


def draw(seed: int, position: int) -> int:
    """docs/contracts.md, The random stream."""
    x, y = (position >> 1) & M, seed
    for r in range(8):
        x = ((((x >> 8) | (x << 24)) + y) & M) ^ (0x9E3779B9 * (r + 1) & M)
        y = (((y << 3) | (y >> 29)) & M) ^ x
    return y if position & 1 else x


class BitByBit:
    """The tiny accelerator from the contract's text, one bit at a time."""

    def __init__(self) -> None:
        self.cells: list[list[int]] = [
            [0] * (m["depth"] * m["width"]) for m in DESCRIPTION["memories"]
        ]
        self.errors: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)] * 3
        self.position = [0, 0, 0]
        self.words = 0  # that the buffer received since reset
        self.counts = [[0, 0, 0, 0] for _ in range(3)]

    def set_errors(self, memory: int, mode: str, t1: int, t0: int, seed: int) -> None:
        self.errors[memory] = (["off", "flip", "switch"].index(mode), t1, t0, seed)
        self.position[memory] = 0

    def write_bit(self, memory: int, bit: int, target: int, old: int) -> None:
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

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        width = DESCRIPTION["memories"][memory]["width"]
        for word, row in enumerate(segments.tolist()):
            for b in range(width):
                bit = word * width + b
                old = self.cells[memory][bit]
                self.write_bit(memory, bit, row[b // 32] >> (b % 32) & 1, old)

    def soft_reset(self) -> None:
        self.position, self.words = [0, 0, 0], 0
        self.clear()

    def clear(self) -> None:
        self.counts = [[0, 0, 0, 0] for _ in range(3)]

    def run(self, images: np.ndarray) -> dict[str, list[list[int]]]:
        taps: dict[str, list[list[int]]] = {
            name: [] for name in ("input", "fc0", "fc0.buffer", "fc1", "label")
        }
        for image in images.tolist():
            x = [int(pixel >= THRESHOLD_IN) for pixel in image]
            hidden = [
                int(self.popcount(0, DESCRIPTION["layers"][1], n, x) >= THRESHOLDS[n])
                for n in range(6)
            ]
            out = []
            for nf in range(2):
                address = self.words % 3
                for b in range(3):
                    bit = 3 * address + b
                    old = self.cells[2][bit] if self.words >= 3 else 0
                    self.write_bit(2, bit, hidden[3 * nf + b], old)
                    out.append(self.cells[2][bit])
                self.words += 1
            counts = [self.popcount(1, DESCRIPTION["layers"][2], n, out) for n in range(4)]
            label = counts.index(max(counts))
            for name, values in zip(taps, (x, hidden, out, counts, [label]), strict=True):
                taps[name].append(values)
        return taps

    def popcount(self, memory: int, layer: dict[str, Any], n: int, x: list[int]) -> int:
        """The agreeing bits of output n: the weights are looked up by the folding's formula."""
        pe, simd, folds = layer["pe"], layer["simd"], layer["mw"] // layer["simd"]
        agree = 0
        for i, value in enumerate(x):
            word = n // pe * folds + i // simd
            bit = n % pe * simd + i % simd
            agree += self.cells[memory][word * pe * simd + bit] == value
        return agree
