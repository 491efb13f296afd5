"""The evaluator as it is compiled for other processors: the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spinflow.sim.evaluator.processor import LOOKED_UP

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name, bytes_at_once", [("haswell", 32), ("skylake-avx512", 64)])
def test_processors_without_a_count_of_vectors(name: str, bytes_at_once: int) -> None:
    """AVX2 alone, and AVX-512 without VPOPCNTDQ: whole layers go by tables."""
    if bytes_at_once > LOOKED_UP:
        pytest.skip("this processor cannot run it")
    cache = str(ROOT / "build" / f"numba-{name}")
    settings = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": cache}
    run = subprocess.run(
        [sys.executable, "-m", "tests.sim.elsewhere"],
        cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert f"counts False, looks up {bytes_at_once}" in run.stdout
