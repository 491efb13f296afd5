"""Every RTL block against its Python model, for each set of parameters in the catalogue.

Parameters that do not fit are refused when the design is elaborated, by a message that names them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.hw.catalogue import CASES, Case
from tests.hw.runner import Parameter, lint

pytestmark = pytest.mark.slow

BAD_PARAMETERS: list[tuple[str, Mapping[str, Parameter], str]] = [
    ("stream_fifo", {"Depth": 12}, "stream_fifo: Depth 12 is not a power of two"),
    ("stream_fifo", {"Depth": 1}, "stream_fifo: Depth 1 is not a power of two"),
    ("error_maker", {"Width": 6, "Lanes": 4}, "error_maker: Lanes 4 must divide Width 6"),
    ("error_maker", {"Width": 9, "Lanes": 3}, "error_maker: Lanes 3 must divide Width 9"),
    ("error_maker", {"RunAhead": 12}, "stream_fifo: Depth 12 is not a power of two"),
    ("error_write", {"Width": 256}, "error_write: Width 256 is above 255"),
    ("buffer_mem", {"Depth": 1}, "buffer_mem: Depth 1 is below 2"),
    ("stream_widen", {"Ratio": 1}, "stream_widen: Ratio 1 is below 2"),
    ("stream_narrow", {"Ratio": 1}, "stream_narrow: Ratio 1 is below 2"),
    (
        "frame_trim",
        {"OutBits": 24},
        "frame_trim: 5 words of 24 bits: at least 1",
    ),
    ("stream_crop", {"OutRows": 5, "OutColumns": 5}, "5 x 5 of a map of 5 x 5 is not a part of it"),
    ("stream_crop", {"OutRows": 6}, "stream_crop: 6 x 4 of a map of 5 x 5 is not a part of it"),
    ("frame_trim", {"Words": 0}, "frame_trim: 0 words of 8 bits"),
    ("binary_mvu", {"Mw": 10, "Simd": 4}, "binary_mvu: Simd 4 must divide Mw 10"),
    ("binary_mvu", {"Mh": 10, "Pe": 4}, "Pe 4 must divide Mh 10"),
    ("binary_mvu", {"OutBits": 2}, "binary_mvu: OutBits 2 must be 1 with thresholds"),
    ("binary_mvu", {"InBits": 2}, "binary_mvu: InBits 2 must be 1 or 8"),
    ("bin_maxpool", {"Rows": 1}, "bin_maxpool: Size 2 must be at least 2 and fit into the map"),
    ("bin_maxpool", {"Size": 1}, "bin_maxpool: Size 1 must be at least 2"),
    ("label_select", {"Labels": 10, "Pe": 3}, "label_select: Pe 3 must divide Labels 10"),
    ("label_select", {"Labels": 257}, "must divide Labels 257, which must be at most 256"),
    ("memory_regs", {"NumWeights": 60, "NumBuffers": 5}, "memory_regs: 65 memories"),
    ("accel_shell", {"NumWeights": 0}, "accel_shell: 0 weight memories and 2 buffers"),
    ("accel_shell", {"NumBuffers": 0}, "accel_shell: 3 weight memories and 0 buffers"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_block(case: Case) -> None:
    """The bench of one module passes."""
    case.run()


@pytest.mark.parametrize(
    ("top", "parameters", "message"), BAD_PARAMETERS, ids=[bad[2] for bad in BAD_PARAMETERS]
)
def test_bad_parameters(top: str, parameters: Mapping[str, Parameter], message: str) -> None:
    """Elaboration stops with the module's own message."""
    result = lint(top, parameters)
    assert result.returncode != 0
    assert message in re.sub(r"\s+", " ", result.stderr)


def test_good_parameters() -> None:
    """The same way of asking accepts what is right."""
    result = lint("binary_mvu", {"Mw": 12, "Simd": 4, "Mh": 10, "Pe": 5})
    assert result.returncode == 0, result.stderr
