"""Reads the parameter folders that BNN-PYNQ published: LFC and CNV with bits for weights and maps.

A layer l lies in the files ``l-p-weights.bin`` and ``l-p-thres.bin``, one for each PE p, of 64-bit
little-endian words. Row r of the weight matrix is in file r mod PE; a word holds SIMD of its
columns, lowest first, where a 1 stands for +1. The networks' shapes are those of the project's
hardware; PE and SIMD follow from the number and the size of the files.

A sum there counts the products that are +1, and the bit is +1 if the count is *more* than the
threshold. Rows and columns that fill up the hardware's widths are left out here; a filled-up column
has weight 1 on an input of 0, so it adds nothing to the count. CNV's first layer multiplies pixels
as fixed-point numbers of 8 bits, 7 of them behind the point, and its thresholds have 8 bits there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spinflow.hls.foreign.chain import PIXEL_CODES, Chain, Matrix, Pool
from spinflow.hls.paths import BuildError
from spinflow.host.core.reading import read_bytes

WORD = np.dtype("<u8")
MOST_BYTES = 1 << 24

LFC = ((1024, 784), (1024, 1024), (1024, 1024), (10, 1024))
"""Rows and columns of LFC's layers, without those that fill up."""

CNV = (
    *((64, 3, 3), (64, 64, 3), "pool", (128, 64, 3), (128, 128, 3), "pool"),
    *((256, 128, 3), (256, 256, 3), (512, 256, 1), (512, 512, 1), (10, 512, 1)),
)
"""CNV's layers: outputs, inputs and edge of the kernel; fully connected ones have an edge of 1."""

FRACTION = 128
"""Units of a pixel's fixed-point number in 1; a threshold of the first layer has twice as many."""


@dataclass(frozen=True)
class Block:
    """The files of one layer.

    Attributes:
        bits: the weights as 0 and 1, shape (rows, columns), filled up.
        thresholds: shape (rows,), as they are in the files; None if there are none.
    """

    bits: npt.NDArray[np.int8]
    thresholds: npt.NDArray[np.int64] | None


def filled(size: int) -> int:
    """Return rows or columns as they are in the files: 27 as they are, all others up to 64s."""
    return size if size == 27 else -(-size // 64) * 64


def is_folder(folder: Path) -> bool:
    """Return whether a folder looks like one of BNN-PYNQ's."""
    return (folder / "0-0-weights.bin").is_file()


def read(folder: Path) -> Chain:
    """Read LFC or CNV from a folder.

    Raises:
        BuildError: a file is missing, of another size than its layer needs, or the number of layers
            is neither LFC's nor CNV's.
    """
    layers = 0
    while (folder / f"{layers}-0-weights.bin").is_file():
        layers += 1
    if layers == len(LFC):
        return _lfc(folder)
    if layers == sum(layer != "pool" for layer in CNV):
        return _cnv(folder)
    raise BuildError(f"{folder} has {layers} layers; BNN-PYNQ's LFC has 4 and its CNV has 9")


def _words(path: Path) -> npt.NDArray[np.uint64]:
    content = read_bytes(path, MOST_BYTES, BuildError)
    if not content or len(content) % WORD.itemsize:
        raise BuildError(f"{path} has {len(content)} bytes; words of 8 bytes are expected")
    return np.frombuffer(content, WORD).astype(np.uint64)


def _block(folder: Path, layer: int, rows: int, columns: int) -> Block:
    """Read the files of one layer of at least so many rows and columns."""
    files: list[npt.NDArray[np.uint64]] = []
    while (path := folder / f"{layer}-{len(files)}-weights.bin").is_file():
        files.append(_words(path))
    pe, depth = len(files), len(files[0])
    there = filled(rows), filled(columns)
    simd = there[0] * there[1] // (pe * depth) if depth else 0
    whole = simd in range(1, WORD.itemsize * 8 + 1) and simd * pe * depth == there[0] * there[1]
    if not whole or there[0] % pe or any(len(words) != depth for words in files):
        raise BuildError(
            f"{folder}: layer {layer} has {pe} files of {depth} words, which hold no matrix of "
            f"{rows} rows and {columns} columns"
        )
    folds = there[0] // pe
    stacked = np.stack(files).reshape(pe, folds, depth // folds)
    ones = (stacked[..., None] >> np.arange(simd, dtype=np.uint64)) & np.uint64(1)
    bits = ones.transpose(1, 0, 2, 3).reshape(there).astype(np.int8)
    thresholds = None
    if (folder / f"{layer}-0-thres.bin").is_file():
        each = [_words(folder / f"{layer}-{p}-thres.bin").view(np.int64) for p in range(pe)]
        if all(len(words) == folds for words in each):
            thresholds = np.stack(each).T.reshape(-1)
    return Block(bits[:rows, :columns], thresholds if thresholds is None else thresholds[:rows])


def _needed(block: Block, folder: Path, layer: int) -> npt.NDArray[np.int64]:
    if block.thresholds is None:
        raise BuildError(f"{folder}: layer {layer} has no thresholds, one for each row is expected")
    return block.thresholds


def _lfc(folder: Path) -> Chain:
    layers = []
    for number, (rows, columns) in enumerate(LFC):
        block = _block(folder, number, rows, columns)
        weights = (2 * block.bits - 1).astype(np.int8)
        edges = None
        if number < len(LFC) - 1:
            # A count above T is a sum of at least 2 (T + 1) - columns.
            edges = 2 * (_needed(block, folder, number) + 1) - columns
        layers.append(Matrix(f"fc{number}", weights, thresholds=edges))
    return Chain((1, 28, 28), PIXEL_CODES // 2, None, tuple(layers))


def _cnv(folder: Path) -> Chain:
    layers: list[Matrix | Pool] = []
    number, connected = 0, 0
    for layer in CNV:
        if isinstance(layer, str):
            layers.append(Pool(2))
            continue
        outputs, inputs, edge = layer
        columns = inputs * edge * edge
        block = _block(folder, number, outputs, columns)
        weights = (2 * block.bits - 1).astype(np.int8)
        # A window's columns go through its rows, its columns, its channels.
        window = weights.reshape(outputs, edge, edge, inputs).transpose(0, 3, 1, 2)
        edges = None
        if layer is not CNV[-1]:
            counted = _needed(block, folder, number)
            if number == 0:
                # In units of the pixels' codes, which are the fixed-point numbers plus 128.
                sums = np.floor_divide(counted, 2) + 1
                edges = sums + FRACTION * weights.sum(axis=1, dtype=np.int64)
            else:
                edges = 2 * (counted + 1) - columns
        if edge > 1:
            layers.append(Matrix(f"conv{number}", window, thresholds=edges))
        else:
            layers.append(Matrix(f"fc{connected}", weights, thresholds=edges))
            connected += 1
        number += 1
    return Chain((3, 32, 32), None, pixel_codes(), tuple(layers))


def pixel_codes() -> npt.NDArray[np.uint8]:
    """Return the codes of pixels 0 to 255: 2 x / 255 - 1 as a fixed-point number, plus 128."""
    numbers = np.arange(PIXEL_CODES) / (PIXEL_CODES - 1) * 2 - 1
    fixed = np.clip(np.floor(numbers * FRACTION), -FRACTION, FRACTION - 1)
    return (fixed + FRACTION).astype(np.uint8)
