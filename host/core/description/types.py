"""The description of a bundle, ``accel.json``, as one typed value (docs/contracts.md, The bundle).

:func:`spinflow.host.core.description.read` makes one of a file; a build makes one with the
constructors and writes its :meth:`Description.as_json`. It needs Python 3.10 and nothing else.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinflow.host.core.addresses import segments_of
from spinflow.host.core.description.layers import Layer, Product, products_of
from spinflow.host.core.description.limits import (
    BINARY_LIMIT,
    BITSTREAM,
    FILES,
    FORMAT,
    LIBRARIES,
    MAP_VERSION,
    NAME,
)
from spinflow.host.core.description.memories import MemoryInfo, Tap
from spinflow.host.core.description.registers import Range, RegisterMap
from spinflow.host.core.errors import BundleError
from spinflow.host.core.plain import check_digest, check_sum, read_plain

DMA_BITS = 32
WORD_BITS = 32

Resources = Mapping[str, float]
"""A number by the name of a resource of the device, as LUT."""


@dataclass(frozen=True)
class LayerFolding:
    """How a weight layer is folded.

    Attributes:
        pe, simd: outputs and inputs that are computed at once.
        ports, run_ahead, engine: how the draws of the buffer behind it are made.
        window_simd: channels that its sliding window takes at once, 0 without one.
        parallel: whether the window gives its whole kernel at once.
        estimate: resources that it is expected to take.
    """

    pe: int
    simd: int
    ports: int
    run_ahead: int
    engine: int
    window_simd: int
    parallel: bool
    estimate: Resources

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return dict(vars(self)) | {"estimate": dict(self.estimate)}


@dataclass(frozen=True)
class FoldingInfo:
    """The folding that was chosen: the cycles it was to reach, and each weight layer's."""

    target_cycles: int
    estimate: Resources
    layers: dict[str, LayerFolding]

    def as_json(self) -> dict[str, Any]:
        """Return the entry ``folding`` of accel.json."""
        return {
            "target_cycles": self.target_cycles,
            "estimate": dict(self.estimate),
            "layers": {name: layer.as_json() for name, layer in self.layers.items()},
        }


@dataclass(frozen=True)
class DepthsInfo:
    """How the depths of the buffers were found.

    Attributes:
        how: for people, one line.
        cycles_per_frame: that were measured with them, None where they were not.
        folding: the folding that they hold for, by weight layer, as ``2x16 window 3``.
    """

    how: str
    cycles_per_frame: float | None
    folding: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the entry ``depths`` of accel.json."""
        return dict(vars(self)) | {"folding": dict(self.folding)}


@dataclass(frozen=True)
class Library:
    """The simulator's library: its SHA-256, and what it was made by and of."""

    sha256: str
    verilator: str
    sources: str

    def as_json(self, section: str) -> dict[str, Any]:
        """Return the entry of accel.json of this section, a key of LIBRARIES."""
        return {"library": LIBRARIES[section], **vars(self)}


@dataclass(frozen=True)
class Bitstream:
    """The bitstream: its SHA-256, and what Vivado reported of it (slacks in ns)."""

    sha256: str
    vivado: str
    wns_ns: float
    whs_ns: float
    utilization: Resources

    def as_json(self) -> dict[str, Any]:
        """Return the entry ``bitstream`` of accel.json."""
        return {"file": BITSTREAM, **vars(self), "utilization": dict(self.utilization)}


@dataclass(frozen=True)
class Description:
    """A bundle's accel.json.

    Attributes:
        folder: of the bundle.
        network, dataset, board, part: names.
        build_id: 32 bits that change with the hardware and what it computes.
        clock_mhz: of the fabric.
        registers: the control block.
        accel, dma: places of the two slaves.
        length_bits: width of the DMA's length register.
        shape: of an image, (pixels,) or (rows, columns, channels).
        classes: labels are below this.
        accuracy: of the trained network, 0 to 1.
        accuracy_images: how many images it was measured on.
        cycles_per_frame: most cycles of a frame, by the folding.
        folding, depths: how it was made.
        layers, memories, taps: in order.
        files: SHA-256 of the listed files by name.
        libraries: the simulator's libraries by section.
        bitstream: None where there is none.
    """

    folder: Path
    network: str
    dataset: str
    build_id: int
    board: str
    part: str
    clock_mhz: float
    registers: RegisterMap
    accel: Range
    dma: Range
    length_bits: int
    shape: tuple[int, ...]
    classes: int
    accuracy: float
    accuracy_images: int
    cycles_per_frame: int
    folding: FoldingInfo
    depths: DepthsInfo
    layers: tuple[Layer, ...]
    memories: tuple[MemoryInfo, ...]
    taps: tuple[Tap, ...]
    files: dict[str, str]
    libraries: dict[str, Library] = field(default_factory=dict)
    bitstream: Bitstream | None = None

    @property
    def pixels(self) -> int:
        """Bytes of an image."""
        return math.prod(self.shape)

    @property
    def bytes_per_frame(self) -> int:
        """Bytes of an image in the stream: padded to whole words of 32 bits."""
        return 4 * segments_of(8 * self.pixels)

    @property
    def products(self) -> tuple[Product, ...]:
        """The weight layers, by their numbers."""
        return products_of(self.layers)

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON has it, made anew each time."""
        return self.as_json()

    def as_json(self) -> dict[str, Any]:
        """Return the document: what json.dump writes as accel.json."""
        document = {
            "format": FORMAT,
            "network": self.network,
            "dataset": self.dataset,
            "build_id": self.build_id,
            "map_version": MAP_VERSION,
            "board": self.board,
            "part": self.part,
            "clock_mhz": self.clock_mhz,
            "registers": self.registers.as_json(),
            "address_map": {"accel": self.accel.as_json(), "dma": self.dma.as_json()},
            "dma": {"data_bits": DMA_BITS, "length_bits": self.length_bits},
            "input": {
                "shape": list(self.shape),
                "type": "UINT8",
                "bytes_per_frame": self.bytes_per_frame,
                "word_bits": WORD_BITS,
            },
            "output": {"type": "label", "classes": self.classes, "word_bits": WORD_BITS},
            "accuracy": {"software": self.accuracy, "images": self.accuracy_images},
            "cycles_per_frame": self.cycles_per_frame,
            "folding": self.folding.as_json(),
            "depths": self.depths.as_json(),
            "layers": [layer.as_json() for layer in self.layers],
            "memories": [memory.as_json() for memory in self.memories],
            "taps": [tap.as_json() for tap in self.taps],
            "files": dict(self.files),
        }
        for section, library in self.libraries.items():
            document[section] = library.as_json(section)
        if self.bitstream is not None:
            document["bitstream"] = self.bitstream.as_json()
        return document

    def content(self, name: str) -> bytes:
        """Return a listed file's content, after its checksum was compared.

        Raises:
            BundleError: it is not listed, missing, not a plain file, too large or damaged.
        """
        if name not in self.files:
            raise BundleError(f"{self.folder / NAME} does not list {name} in its files")
        content = read_plain(self.folder / name, FILES[name])
        check_digest(self.folder / name, hashlib.sha256(content).hexdigest(), self.files[name])
        return content

    def check_files(self) -> None:
        """Compare every listed file with its checksum; raises BundleError as :meth:`content`."""
        for name, expected in self.files.items():
            check_sum(self.folder / name, expected, FILES[name])

    def library(self, section: str) -> Path | None:
        """Return the simulator's library of a section, checked by its sum; None without one."""
        if section not in self.libraries:
            return None
        path = self.folder / LIBRARIES[section]
        check_sum(path, self.libraries[section].sha256, BINARY_LIMIT)
        return path


def as_json(description: Description) -> dict[str, Any]:
    """Return the document of a description: what json.dump writes as accel.json."""
    return description.as_json()
