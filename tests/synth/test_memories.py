"""Memories are inferred as block RAM: by yosys for 7 series and ECP5, and as many as estimated."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from spinflow.hls.ops.matrix import weight_memory
from spinflow.hw.synth.yosys import RTL, packages, synthesise

ECP5 = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""

# Bits of a word and words: half a block RAM, whole ones, a column of 36 bits, two parts.
SHAPES = [(20, 300), (144, 512), (100, 512), (64, 1152)]


@pytest.mark.parametrize(("width", "depth"), SHAPES)
def test_weights_take_the_block_rams_that_are_estimated(width: int, depth: int) -> None:
    """yosys makes simple dual-port block RAM of them on the 7 series, and no LUT RAM."""
    parameters = {"Width": str(width), "Depth": str(depth)}
    area = synthesise(
        [*packages(), RTL / "weight_mem.sv"],
        "weight_mem",
        parameters,
        primitives="xilinx7",
        library=RTL,
    ).netlist.area()
    assert weight_memory(width, depth).ramb36 == area.RAMB36
    assert area.LUT_memory == 0


@pytest.mark.parametrize(("width", "depth", "count"), [(36, 512, 1), (144, 512, 4)])
def test_weights_are_block_ram_on_ecp5(width: int, depth: int, count: int) -> None:
    """A DP16KD is 512 words of 36 bits, and nothing is added around it for colliding accesses."""
    sources = " ".join(str(path) for path in [*packages(), RTL / "weight_mem.sv"])
    child = subprocess.run(
        [
            *[sys.executable, "-c", ECP5],
            f"read_slang --ignore-assertions --allow-use-before-declare --top weight_mem "
            f"-G Width={width} -G Depth={depth} {sources} --libdir {RTL} --libext .sv",
            "synth_ecp5 -top weight_mem",
            "stat",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr[-2000:]
    last = child.stdout[child.stdout.rindex("=== ") :]
    found = {kind: int(number) for number, kind in re.findall(r"^ +(\d+) +(\w+)$", last, re.M)}
    assert found["DP16KD"] == count
    assert "TRELLIS_DPR16X4" not in found
    # The way of the host, 32 bits of a column at a time; each bit of a collision would be more.
    assert found["LUT4"] < 60 + width
