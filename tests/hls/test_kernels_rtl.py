"""The RTL gives on the vectors of the HLS kernels what their C simulation gave, errors included."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hls.kernels import Simulated, simulated
from tests.hw import runner
from tests.hw.catalogue import Case

MODULES = [
    ("binary_mvu", ""),
    ("binary_mvu", "Mw=27 Mh=8 Pe=2 Simd=3 InBits=8"),
    ("bin_maxpool", ""),
    ("label_select", ""),
    ("buffer_mem", ""),
    ("buffer_mem", "Width=3 Depth=5 Words=40"),
]


def as_rtl(run: Simulated) -> Case:
    """The module with the kernel's parameters; it wants thresholds as one number."""
    given: dict[str, runner.Parameter] = dict(run.parameters)
    if run.kernel.name == "buffer_mem":
        del given["Words"]
        given |= {"RunAhead": 8, "Ports": 1, "WithErrors": 1}
    if run.kernel.name == "binary_mvu":
        most = run.parameters["Mw"] * (1 if run.parameters["InBits"] == 1 else 255)
        width = (most + 1).bit_length() + (run.parameters["InBits"] != 1)
        limits = run.vectors.tables["THRESHOLDS"]
        packed = sum((t & (1 << width) - 1) << n * width for n, t in enumerate(limits))
        given["Thresholds"] = f"{len(limits) * width}'h{packed:x}"
    return Case(run.kernel.name, given)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), MODULES)
def test_as_the_rtl(name: str, words: str, tmp_path: Path) -> None:
    """All 200 cases, with random valid and ready at both ends."""
    case = as_rtl(simulated(name, words, tmp_path))
    runner.run(
        case.build(),
        case.bench,
        "tests.hls.rtl_vectors",
        extra_env=case.environment() | {"VECTORS": str(tmp_path), "MODULE": name},
    )
