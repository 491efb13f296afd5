"""The generated accelerator of build/tfc-mnist through its ports: registers, pixels, labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.build import source_files
from tests.hw import runner

pytestmark = pytest.mark.slow

BUNDLE = runner.REPOSITORY / "build" / "tfc-mnist"


def test_accelerator() -> None:
    """Golden labels, the emulator's errors and counters, resets, and errors that cost no cycle."""
    files = [Path(source) for source in source_files(BUNDLE)]
    folder = runner.build("accel", "accel", {}, files)
    passed = runner.run(folder, "accel", "tests.hw.benches.accel", noise=False,
                        extra_env={"BENCH_BUNDLE": str(BUNDLE)})  # fmt: skip
    written = (Path(__file__).parent / "benches" / "accel.py").read_text(encoding="utf-8")
    assert passed == written.count("@cocotb.test("), "cocotb did not find every test of the bench"
