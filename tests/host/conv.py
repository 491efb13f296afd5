"""A small convolutional bundle that nothing runs: what the host reads of one, by the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests import described

INPUT = (32, 32, 3)
WEIGHTS = {"conv0": (27, 8, 4, 9), "conv1": (72, 8, 2, 36), "fc0": (1568, 10, 1, 49)}
"""Weight layers: MW, MH, PE, SIMD."""
MAPS = {"conv0": (30, 30, 8), "conv1": (28, 28, 8), "pool1": (14, 14, 8)}


def write(folder: Path, change: Callable[[dict[str, Any]], Any] = lambda d: None) -> Path:
    """Write the bundle, with a description that a function has changed."""
    folder.mkdir()
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
            "buffer": name == "conv0",
        }
        for name, (mw, mh, pe, simd) in WEIGHTS.items()
    ]  # fmt: skip
    pool = {"name": "pool1", "op": "max_pool", "size": 2, "shape": list(MAPS["pool1"])}
    layers.insert(2, {**pool, "buffer": True})
    layers.append({"name": "label", "op": "label_select", "classes": 10})
    depths = {"conv0.buffer": 60, "pool1.buffer": 60}
    description = described.complete("small-cifar10", INPUT, layers, depths, "cifar10")
    arrays: dict[str, Any] = {}
    for number, (name, (mw, mh, pe, simd)) in enumerate(WEIGHTS.items()):
        words = mw * mh // (pe * simd)
        arrays[f"weights.{number}"] = np.zeros((words, -(-pe * simd // 32)), np.uint32)
        if name != "fc0":
            arrays[f"threshold.{number}"] = np.zeros(mh, np.int32)
    np.savez(folder / "arrays.npz", **arrays)
    described.write(folder, description)
    written = json.loads((folder / "accel.json").read_text())
    change(written)
    (folder / "accel.json").write_text(json.dumps(written))
    return folder
