"""Writes the files of a bundle, all but `accel.json`, and describes them.

docs/contracts.md says what a bundle is; the description is written as `accel.json` by its own
`as_json`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.hls import depths, flow, golden, handover, plan, top
from spinflow.hls.folding import Given
from spinflow.hls.golden_images import images_at_threshold, natural_images
from spinflow.hls.paths import sha256_file
from spinflow.hls.trained import Trained
from spinflow.host.core import own_tests
from spinflow.host.core.arrays import TABLE
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import (
    FILES,
    TEST_SET,
    Description,
    LabelSelect,
    Range,
    RegisterMap,
)
from spinflow.host.core.plain import check_digest, read_plain
from spinflow.host.core.sources import LISTING
from spinflow.hw.boards import Board
from spinflow.hw.cores import fusesoc, ipxact

HALF = 128
"""Where light begins in made images of a network that compares pixels with nothing."""

TOOLS = ("finn-plus", "qonnx", "peakrdl-regblock")
"""What of the environment a build id depends on."""


@dataclass(frozen=True)
class Order:
    """What is to be built.

    Attributes:
        source: folder of model.onnx; its name is the network's.
        trained: what is known of the training.
        cycles: most cycles that a frame may take in any layer; the fastest that leaves room on the
            part if None.
        given: PE and SIMD by layer name that are to be used as they are.
        board: that it is for.
        registers: the control block.
        block: folder of the generated register block.
        coding: which memories are coded.
    """

    source: Path
    trained: Trained
    cycles: int | None
    given: Given | None
    board: Board
    registers: RegisterMap
    block: Path
    coding: Coding = PLAIN

    @property
    def network(self) -> str:
        """Name of the network."""
        return self.source.name


def make(order: Order, folder: Path, work: Path) -> Description:
    """Make the files of a bundle.

    Args:
        order: what is to be built.
        folder: of the bundle; is there and empty.
        work: folder for what FINN generates and for its log.

    Returns:
        The description, which is not written.

    Raises:
        BuildError: as spinflow.hls.flow.run and spinflow.hls.plan.plan.
    """
    finn = flow.run(
        order.source / "model.onnx",
        work,
        order.board,
        order.cycles,
        resources=order.board.resources,
        given=order.given,
        depths=lambda choice: depths.known(order.network, choice),
        coding=order.coding,
    )
    design = plan.plan(
        finn.dataflow,
        finn.folding.cycles_per_frame,
        coding=order.coding,
        control_bytes=order.registers.size,
        range_bytes=order.board.address_map["accel"].size,
        max_memories=order.registers.count,
    )
    build_id = _build_id(order, design)
    top.write(design, build_id, order.network, order.block, folder / "rtl")
    finn.hardware.save(str(folder / golden.HARDWARE_MODEL))
    np.savez(folder / "arrays.npz", **design.arrays)  # type: ignore[arg-type]  # numpy's own stub
    _write_golden(finn, design, folder)
    hwh = handover.document(order.board, order.registers, design.memories)
    (folder / "accel.hwh").write_text(hwh, encoding="utf-8")
    _copy_tests(order, design, folder)
    described = _description(order, finn, design, build_id, folder)
    _describe_cores(order, described, design, folder / "rtl")
    return described


def _describe_cores(order: Order, described: Description, design: plan.Design, rtl: Path) -> None:
    """Write what tools that take IP read: the IP-XACT component and the FuseSoC core."""
    sources = (rtl / LISTING).read_text(encoding="utf-8").split()
    registers = order.block / ipxact.REGISTERS
    component = ipxact.component(described, design.address_width, sources, registers)
    (rtl / ipxact.NAME).write_text(component, encoding="utf-8")
    core = fusesoc.accelerator(described, sources, order.board.primitives)
    (rtl / fusesoc.NAME).write_text(core, encoding="utf-8")


def _copy_tests(order: Order, design: plan.Design, folder: Path) -> None:
    """Copy the network's own test set, after it was held against the network."""
    if order.trained.test_sha256:
        path = order.source / TEST_SET
        content = read_plain(path, FILES[TEST_SET])
        check_digest(path, hashlib.sha256(content).hexdigest(), order.trained.test_sha256)
        label = design.layers[-1]
        assert isinstance(label, LabelSelect), "spinflow.hls.network lets only classifiers pass"
        own_tests.unpack(path, content, design.pixels, label.classes)
        (folder / TEST_SET).write_bytes(content)


def _write_golden(finn: flow.Flow, design: plan.Design, folder: Path) -> None:
    """Write golden.npz: images, and what FINN computes of them at every tap."""
    threshold, codes = design.arrays.get("threshold.input"), design.arrays.get(TABLE)
    if threshold is not None:
        images = images_at_threshold(design.pixels, int(threshold[0]), codes)
    elif len(design.shape) == 1:
        images = images_at_threshold(design.pixels, HALF)
    else:
        images = natural_images(design.shape)
    edges = golden.execute(finn.hardware, {tap.name: tap.edge for tap in design.taps}, images)
    arrays: dict[str, npt.NDArray[Any]] = {
        "images": images,
        "labels": edges["label"][:, 0],
        **{f"edge.{name}": values for name, values in edges.items()},
    }
    np.savez(folder / "golden.npz", **arrays)  # type: ignore[arg-type]  # numpy's own stub


def _description(
    order: Order, finn: flow.Flow, design: plan.Design, build_id: int, folder: Path
) -> Description:
    board, label = order.board, design.layers[-1]
    assert isinstance(label, LabelSelect), "spinflow.hls.network lets only classifiers pass"
    found = depths.known(order.network, finn.folding)
    accel, dma = (board.address_map[cell] for cell in ("accel", "dma"))
    return Description(
        folder=folder,
        network=order.network,
        dataset=order.trained.dataset,
        build_id=build_id,
        board=board.name,
        part=board.part,
        clock_mhz=board.clock_mhz,
        registers=order.registers,
        accel=Range(accel.base, accel.size),
        dma=Range(dma.base, dma.size),
        length_bits=board.dma.length_bits,
        shape=design.shape,
        classes=label.classes,
        accuracy=order.trained.accuracy,
        accuracy_images=order.trained.images,
        cycles_per_frame=design.cycles_per_frame,
        folding=finn.folding.info(),
        depths=depths.info(found, finn.folding),
        layers=design.layers,
        memories=design.memories,
        taps=design.taps,
        files={name: sha256_file(folder / name) for name in FILES if (folder / name).is_file()},
        libraries={},
        bitstream=None,
    )


def _build_id(order: Order, design: plan.Design) -> int:
    """Return 32 bits that change with anything that the hardware or its contents depend on.

    The generated RTL is taken with build id 0; it holds the folding.
    """
    generated = top.generated(design, 0, order.network)
    digest = hashlib.sha256("".join(generated.values()).encode())
    for tool in TOOLS:
        digest.update(f"{tool} {version(tool)}\n".encode())
    for path in [*top.spinflow_sources(order.block), order.block / "regmap.json"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for name, array in sorted(design.arrays.items()):
        digest.update(name.encode() + b"\0" + array.tobytes())
    return int.from_bytes(digest.digest()[:4], "big")
