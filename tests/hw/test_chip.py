"""The form that a chip gets: primitives in place of expressions, and yosys's netlist, simulated."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.golden import golden_edges
from spinflow.host.core.stream import memory_seed, threshold
from spinflow.hw.boards import facts
from spinflow.model import data
from spinflow.model.zoo import TESTED
from spinflow.model.zoo import network as spec_of
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from tests.hw import chip, runner
from tests.hw.catalogue import CASES, Case
from tests.system.test_errors_off import load_weights
from tests.system.test_errors_on import SAMPLE, run_case
from tests.system.test_errors_on import Case as Errors

pytestmark = pytest.mark.slow

QUICK = "tfc-mnist"
FULL = os.environ.get("SPINFLOW_FULL") == "1"
NETWORKS = TESTED if FULL else [QUICK]
PRIMITIVES = facts.PRIMITIVES if FULL else ["xilinx7"]
FRAMES = 20


def folder(network: str) -> Path:
    return runner.REPOSITORY / "build" / network


@cache
def frames(network: str, count: int = FRAMES) -> np.ndarray:
    images = data.dataset(spec_of(network).dataset).test_images
    return images[:count].reshape(count, -1)


def equal(of_rtl: list[object], of_emulator: list[object]) -> None:
    assert len(of_rtl) == len(of_emulator)
    for number, (a, b) in enumerate(zip(of_rtl, of_emulator, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f"observation {number}")


@pytest.mark.parametrize("primitives", PRIMITIVES)
@pytest.mark.parametrize("network", NETWORKS)
def test_primitives_without_errors(network: str, primitives: str) -> None:
    """Each boundary between layers is FINN's."""
    bundle = chip.with_primitives(folder(network), primitives)
    images = frames(network)
    expected = golden_edges(bundle, images)
    rtl = Accelerator(bundle)
    load_weights(rtl, bundle)
    labels, edges = rtl.run(images)
    for name in edges:
        np.testing.assert_array_equal(edges[name], expected[name], err_msg=name)
    np.testing.assert_array_equal(labels, expected["label"][:, 0])


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: "-".join(map(str, case)))
@pytest.mark.parametrize("primitives", PRIMITIVES)
@pytest.mark.parametrize("network", NETWORKS)
def test_primitives_with_errors(network: str, primitives: str, case: Errors) -> None:
    """Labels, boundaries, weights and counters are the emulator's."""
    bundle = chip.with_primitives(folder(network), primitives)
    images = frames(network, FRAMES if network == QUICK else 4)
    rtl, emulator = Accelerator(bundle), Emulator(bundle)
    equal(run_case(rtl, rtl, bundle, case, images), run_case(emulator, rtl, bundle, case, images))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.bench == "block_ram"], ids=lambda case: case.name
)
def test_block_ram_of_cells(case: Case) -> None:
    """The bench of the block RAM passes on the cells that it becomes."""
    files = chip.cells_of(case)
    build = runner.build(f"cells-{case.name}", case.bench, {}, files)
    runner.run(build, case.bench, f"tests.hw.benches.{case.bench}", noise=case.noise,
               extra_env=case.environment())  # fmt: skip


def run_netlist(device: Accelerator | Emulator, bundle: Path, mode: str) -> list[object]:
    """Write weights and run frames with errors everywhere; return all that the ports show."""
    for memory in device.description.memories:
        seed = memory_seed(2026, 0, memory.index)
        device.set_errors(memory.index, mode, threshold(0.02), threshold(0.3), seed)
    load_weights(device, bundle)
    memories = device.description.memories
    seen: list[object] = [device.read_weights(m.index) for m in memories if m.kind == "weights"]
    device.soft_reset()
    images = frames(QUICK)
    # The cells have no boundaries between layers to record.
    run = device.library.run(images) if isinstance(device, Accelerator) else device.run(images)[0]
    seen.append(run)
    return [*seen, *(device.counters(m.index) for m in memories)]


@pytest.mark.parametrize("mode", ["off", "flip", "switch"])
def test_netlist(mode: str) -> None:
    """Labels, weights and counters of the cells are the emulator's; with errors they differ."""
    bundle = chip.as_netlist(folder(QUICK))
    of_netlist = run_netlist(Accelerator(bundle), bundle, mode)
    of_emulator = run_netlist(Emulator(bundle), bundle, mode)
    equal(of_netlist, of_emulator)
