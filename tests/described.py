"""Hand-made bundles for tests: what their layers and memories do not say is filled in.

Registers are those of the generated register block, addresses those of the board. The document is
written by the product's own writer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spinflow.hls import handover
from spinflow.host.core.description import (
    Block,
    ByteTable,
    DepthsInfo,
    Description,
    FoldingInfo,
    LabelSelect,
    Layer,
    LayerFolding,
    MaxPool,
    MemoryInfo,
    Product,
    Tap,
    Threshold,
    Window,
    least_cycles,
    memories_of,
    products_of,
    registers_of,
    slaves_of,
    stored_by,
    taps_of,
    with_indices,
)
from spinflow.hw import boards

ROOT = Path(__file__).resolve().parents[1]


def complete(
    network: str,
    shape: Sequence[int],
    layers: list[dict[str, Any]],
    depths: dict[str, int],
    dataset: str = "mnist",
) -> dict[str, Any]:
    """The accel.json of a network.

    Args:
        network: its name.
        shape: of an image.
        layers: as accel.json has them; `buffer` is anything true where a buffer follows. The
            indices of memories are filled in.
        depths: words of each buffer by the buffer's name.
        dataset: the images that it takes.
    """
    board = boards.board()
    registers = registers_of(json.loads((ROOT / "build/regs/regmap.json").read_text()))
    accel, dma = slaves_of(board.entries()["address_map"])
    buffers = {}
    pe = 0
    for layer in layers:
        pe = layer.get("pe", pe)
        if layer.get("buffer"):
            depth = depths[f"{layer['name']}.buffer"]
            buffers[layer["name"]] = Block(pe, depth, f"{layer['name']}_buffer", **DRAWS)
    typed = with_indices(map(_layer, layers), buffers)
    products = products_of(typed)
    edges = {product.name: f"W{number}" for number, product in enumerate(products)}
    memories = memories_of(stored_by(typed, buffers, edges), registers.size)
    sums = products[-1]
    return Description(
        folder=Path(),
        network=network,
        dataset=dataset,
        build_id=0x1234,
        board=board.name,
        part=board.part,
        clock_mhz=board.clock_mhz,
        registers=registers,
        accel=accel,
        dma=dma,
        length_bits=board.dma.length_bits,
        shape=tuple(shape),
        classes=sums.mh,
        accuracy=0.5,
        accuracy_images=10000,
        cycles_per_frame=least_cycles(typed),
        folding=_folding(products),
        depths=DepthsInfo("by hand", None, {p.name: f"{p.pe}x{p.simd}" for p in products}),
        layers=typed,
        memories=memories,
        taps=tuple(_tap(tap, sums) for tap in taps_of(typed, memories)),
        files={},
    ).as_json()


DRAWS: dict[str, Any] = {"ports": 1, "run_ahead": 32, "engine": 2}


def _folding(products: Sequence[Product]) -> FoldingInfo:
    estimate = {"LUT": 100, "RAMB36": 0, "DSP48": 0}
    layers = {
        each.name: LayerFolding(
            each.pe, each.simd, **DRAWS, window_simd=0, parallel=False, estimate=estimate
        )
        for each in products
    }
    return FoldingInfo(1000, estimate, layers)


def _layer(entry: dict[str, Any]) -> Layer:
    """A layer as it is typed, without the indices of its memories."""
    name = entry["name"]
    if entry["op"] == ByteTable.OP:
        return ByteTable(name, entry["elements"], entry["pe"])
    if entry["op"] == Threshold.OP:
        return Threshold(name, entry["channels"], entry["pe"])
    if entry["op"] == LabelSelect.OP:
        return LabelSelect(name, entry["classes"], entry.get("scores", False))
    if entry["op"] == MaxPool.OP:
        return MaxPool(name, entry["size"], tuple(entry["shape"]), None)
    window = None
    if entry["window"]:
        given = dict(entry["window"])
        value = given.pop("padding_value", -1 if entry["input"] == "bits" else 0)
        window = Window(**{key: tuple(v) for key, v in given.items()}, padding_value=value)
    return Product(
        name,
        **{key: entry[key] for key in ("mw", "mh", "pe", "simd", "threshold")},
        pixels=entry["input"] == "pixels",
        window=window,
        shape=tuple(entry["shape"]),
        weights=0,
        buffer=None,
    )


def _tap(tap: Tap, sums: Product) -> Tap:
    bits = tap.element_bits or sums.mw.bit_length()
    return replace(tap, edge=tap.name.replace(".", "_"), element_bits=bits)


def write(folder: Path, description: dict[str, Any]) -> Path:
    """Write a description, with the sums of the files that lie there, and its handover file."""
    memories = [MemoryInfo(**entry) for entry in description["memories"]]
    document = handover.document(boards.board(), registers_of(description["registers"]), memories)
    (folder / "accel.hwh").write_text(document)
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("arrays.npz", "golden.npz", "accel.hwh")
        if (folder / name).exists()
    }
    (folder / "accel.json").write_text(json.dumps({**description, "files": sums}))
    return folder
