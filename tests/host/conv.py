"""A small convolutional bundle that nothing runs: what the host reads of one, by the contract."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

INPUT = (32, 32, 3)
WEIGHTS = {"conv0": (27, 8, 4, 9), "conv1": (72, 8, 2, 36), "fc0": (288, 10, 1, 48)}
"""Weight layers: MW, MH, PE, SIMD."""
MAPS = {"conv0": (30, 30, 8), "conv1": (28, 28, 8), "pool1": (14, 14, 8)}
BUFFERS = {"conv0.buffer": 0, "pool1.buffer": 1}
"""Buffers with the weight layer that each belongs to."""


def write(
    folder: Path,
    described: dict[str, Any],
    change: Callable[[dict[str, Any]], Any] = lambda d: None,
) -> Path:
    """Write the bundle; registers and address map are those of another bundle's description."""
    folder.mkdir()
    memories: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    base = 2 * described["registers"]["size"]
    for number, (name, (mw, mh, pe, simd)) in enumerate(WEIGHTS.items()):
        width, depth = pe * simd, mw * mh // (pe * simd)
        segments = -(-width // 32)
        stride = 4 << (segments - 1).bit_length()
        memories.append(
            {
                "index": number, "name": f"{name}.weights", "kind": "weights", "layer": number,
                "width": width, "depth": depth, "segments": segments, "base": base,
                "stride": stride, "edge": f"W{number}",
            }
        )  # fmt: skip
        arrays[f"weights.{number}"] = np.zeros((depth, segments), np.uint32)
        base += depth * stride
    for name, layer in BUFFERS.items():
        pe = WEIGHTS[f"conv{layer}"][2]
        memories.append(
            {
                "index": len(memories), "name": name, "kind": "buffer", "layer": layer,
                "width": pe, "depth": 60, "lanes": 1, "interval": 2, "run_ahead": 16, "edge": name,
            }
        )  # fmt: skip
    np.savez(folder / "arrays.npz", **arrays)
    (folder / "accel.hwh").write_text("<EDKSYSTEM/>")
    place = {memory["name"]: memory["index"] for memory in memories}
    window = {"kernel": [3, 3], "stride": [1, 1], "padding": [0, 0, 0, 0]}
    windows = {
        "conv0": {"input": list(INPUT), **window},
        "conv1": {"input": list(MAPS["conv0"]), **window},
    }
    layers: list[dict[str, Any]] = [
        {
            "name": name, "op": "mvu", "mw": mw, "mh": mh, "pe": pe, "simd": simd,
            "input": "pixels" if name == "conv0" else "bits", "threshold": name != "fc0",
            "window": windows.get(name), "shape": list(MAPS.get(name, (1, 1, mh))),
            "weights": place[f"{name}.weights"], "buffer": place.get(f"{name}.buffer"),
        }
        for name, (mw, mh, pe, simd) in WEIGHTS.items()
    ]  # fmt: skip
    pool = {
        "name": "pool1", "op": "max_pool", "size": 2, "shape": list(MAPS["pool1"]),
        "buffer": place["pool1.buffer"],
    }  # fmt: skip
    layers.insert(2, pool)
    layers.append({"name": "label", "op": "label_select", "classes": 10})
    described = {
        **described,
        "network": "small-cifar10",
        "input": {"shape": list(INPUT), "type": "UINT8", "bytes_per_frame": 3072, "word_bits": 32},
        "layers": layers,
        "memories": memories,
        "files": {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in ("arrays.npz", "accel.hwh")
        },
    }
    described.pop("simulator", None)
    change(described)
    (folder / "accel.json").write_text(json.dumps(described))
    return folder
