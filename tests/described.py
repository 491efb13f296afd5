"""Hand-made bundles for tests: what their layers and memories do not say is filled in.

Registers are those of the generated register block, addresses those of the board.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spinflow.hls import handover
from spinflow.hw import boards

ROOT = Path(__file__).resolve().parents[1]


def complete(
    network: str,
    shape: Sequence[int],
    layers: list[dict[str, Any]],
    depths: dict[str, int],
    dataset: str = "mnist",
) -> dict[str, Any]:
    """The accel.json of a network; the numbers of memories are filled in in the layers.

    Args:
        network: its name.
        shape: of an image.
        layers: as accel.json has them; `buffer` is anything true where a buffer follows.
        depths: words of each buffer by the buffer's name.
        dataset: the images that it takes.
    """
    board = boards.board().entries()
    registers = json.loads((ROOT / "build/regs/regmap.json").read_text())
    pixels = math.prod(shape)
    products = [layer for layer in layers if layer["op"] == "mvu"]
    return {
        "format": 2,
        "network": network,
        "dataset": dataset,
        "build_id": 0x1234,
        "map_version": registers["version"],
        "board": board["board"],
        "part": board["part"],
        "clock_mhz": board["clock_mhz"],
        "registers": registers,
        "address_map": board["address_map"],
        "dma": board["dma"],
        "input": {
            "shape": list(shape),
            "type": "UINT8",
            "bytes_per_frame": pixels,
            "word_bits": 32,
        },
        "output": {"type": "label", "classes": products[-1]["mh"], "word_bits": 32},
        "accuracy": {"software": 0.5, "images": 10000},
        "cycles_per_frame": max(
            layer["mw"] * layer["mh"] * math.prod(layer["shape"][:2])
            // (layer["pe"] * layer["simd"])
            for layer in products
        ),
        "layers": layers,
        "memories": _memories(layers, depths, registers["size"]),
        "taps": _taps(layers),
        **_made(products),
        "files": {},
    }  # fmt: skip


def _memories(
    layers: list[dict[str, Any]], depths: dict[str, int], control: int
) -> list[dict[str, Any]]:
    weights: list[dict[str, Any]] = []
    buffers: list[dict[str, Any]] = []
    end = max(0x10000, control)
    pe = 1
    for layer in layers:
        if layer["op"] == "mvu":
            pe, width = layer["pe"], layer["pe"] * layer["simd"]
            depth, segments = layer["mw"] * layer["mh"] // width, -(-width // 32)
            stride = 4 << (segments - 1).bit_length()
            window = 1 << (stride * depth - 1).bit_length()
            base = -(-end // window) * window
            end = base + window
            layer["weights"] = len(weights)
            weights.append(
                {
                    "name": f"{layer['name']}.weights", "kind": "weights", "layer": len(weights),
                    "width": width, "depth": depth, "edge": f"W{len(weights)}",
                    "segments": segments, "base": base, "stride": stride,
                }
            )  # fmt: skip
        if layer.get("buffer"):
            name = f"{layer['name']}.buffer"
            buffers.append(
                {
                    "name": name, "kind": "buffer", "layer": len(weights) - 1, "width": pe,
                    "depth": depths[name], "edge": f"{layer['name']}_buffer", **DRAWS,
                }
            )  # fmt: skip
    number = len(weights)
    for layer in layers:
        if layer.get("buffer"):
            layer["buffer"], number = number, number + 1
        elif layer["op"] in ("mvu", "max_pool"):
            layer["buffer"] = None
    return [{"index": index, **memory} for index, memory in enumerate(weights + buffers)]


DRAWS = {"lanes": 1, "interval": 2, "run_ahead": 16}


def _taps(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    taps = []
    pe = 1
    for layer in layers:
        name, bits, per_word = layer["name"], 1, layer.get("pe", pe)
        pe = per_word
        elements = layer.get("channels") or math.prod(layer.get("shape", [1]))
        if layer["op"] == "label_select":
            bits, per_word = 8, 1
        elif not layer.get("threshold", True):
            bits = layer["mw"].bit_length()
        names = [name, f"{name}.buffer"] if layer.get("buffer") is not None else [name]
        taps += [
            {
                "name": tap, "edge": tap.replace(".", "_"), "signal": tap.replace(".", "_"),
                "elements": elements, "element_bits": bits, "per_word": per_word,
            }
            for tap in names
        ]  # fmt: skip
    return taps


def _made(products: list[dict[str, Any]]) -> dict[str, Any]:
    estimate = {"LUT": 100, "RAMB36": 0, "DSP48": 0}
    folding = {
        layer["name"]: {
            "pe": layer["pe"], "simd": layer["simd"], **DRAWS, "window_simd": 0,
            "parallel": False, "estimate": estimate,
        }
        for layer in products
    }  # fmt: skip
    return {
        "folding": {"target_cycles": 1000, "estimate": estimate, "layers": folding},
        "depths": {
            "how": "by hand",
            "cycles_per_frame": None,
            "folding": {layer["name"]: f"{layer['pe']}x{layer['simd']}" for layer in products},
        },
    }


def write(folder: Path, description: dict[str, Any]) -> Path:
    """Write a description, with the sums of the files that lie there, and its handover file."""
    document = handover.document(boards.board(), description["registers"], description["memories"])
    (folder / "accel.hwh").write_text(document)
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("arrays.npz", "golden.npz", "accel.hwh")
        if (folder / name).exists()
    }
    (folder / "accel.json").write_text(json.dumps({**description, "files": sums}))
    return folder
