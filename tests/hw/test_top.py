"""Generated accelerators through their ports: registers, pixels, labels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spinflow.host.core.sources import source_files
from spinflow.sim.verilate import LENIENT
from tests.hw import runner

pytestmark = pytest.mark.slow

BUNDLES = runner.REPOSITORY / "build"
SEEDS = 20 if os.environ.get("SPINFLOW_FULL") == "1" else 3
# A whole network under cocotb is slow enough to pay for optimised code.
FAST = ("--assert", *LENIENT, "-O3")


def test_accelerator() -> None:
    """Golden labels, the emulator's errors and counters, resets, and errors that cost no cycle."""
    bundle = BUNDLES / "tfc-mnist"
    files = source_files(bundle)
    folder = runner.build("accel", "accel", {}, files)
    passed = runner.run(folder, "accel", "tests.hw.benches.accel", noise=False,
                        extra_env={"BENCH_BUNDLE": str(bundle)})  # fmt: skip
    written = (Path(__file__).parent / "benches" / "accel.py").read_text(encoding="utf-8")
    assert passed == written.count("@cocotb.test("), "cocotb did not find every test of the bench"


@pytest.mark.parametrize("network", ["lenet-mnist", "cnv-cifar10"])
def test_pauses(network: str) -> None:
    """Random pauses at both ends of a convolutional network: same labels, no deadlock."""
    bundle = BUNDLES / network
    files = source_files(bundle)
    folder = runner.build(network, "accel", {}, files, FAST)
    runner.run(folder, "accel", "tests.hw.benches.pauses", noise=False,
               extra_env={"BENCH_BUNDLE": str(bundle), "BENCH_SEEDS": str(SEEDS)})  # fmt: skip
