"""The evaluator as it is compiled for other processors: the same bits."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from spinflow.sim.evaluator.processor import LOOKED_UP

ROOT = Path(__file__).resolve().parents[2]
ARM = "aarch64-unknown-linux-gnu"


def compared(name: str, cache: Path, *triples: str) -> str:
    """What is said of the comparison, compiled for a processor."""
    settings = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(cache)}
    run = subprocess.run(
        [sys.executable, "-m", "tests.sim.elsewhere", *triples],
        cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("name, bytes_at_once", [("haswell", 32), ("skylake-avx512", 64)])
def test_processors_without_a_count_of_vectors(name: str, bytes_at_once: int) -> None:
    """AVX2 alone, and AVX-512 without VPOPCNTDQ: whole layers go by tables."""
    if bytes_at_once > LOOKED_UP:
        pytest.skip("this processor cannot run it")
    said = compared(name, ROOT / "build" / f"numba-{name}")
    assert f"counts False, looks up {bytes_at_once}" in said


def test_other_processors(tmp_path: Path) -> None:
    """Without any instruction of its own for this; and all of it becomes code for 64-bit ARM."""
    if platform.machine() != "x86_64":
        pytest.skip("a processor's name is of x86-64")
    said = compared("x86-64", tmp_path, ARM)
    assert "counts False, looks up 0" in said
    least = 20
    assert int(said.partition(f"{ARM}: ")[2].split()[0]) > least
