"""Networks drawn at random: QONNX, golden reference and engines agree, without errors and with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hls.agree import agree
from tests.hls.drawn import drawn

COUNT = 5
IN_RTL = (36,)
"""Seeds of networks with convolutions, odd widths and several kernels."""


@pytest.mark.parametrize("seed", range(COUNT))
def test_engines_agree(seed: int, tmp_path: Path) -> None:
    agree(*drawn(seed), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", IN_RTL)
def test_rtl_agrees(seed: int, tmp_path: Path) -> None:
    agree(*drawn(seed), tmp_path, rtl=True)
