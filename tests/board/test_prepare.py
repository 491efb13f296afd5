"""What Vivado is given: the Verilog module around the accelerator, the facts, and bad bundles."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spinflow.hls.paths import REPO
from spinflow.host.core.errors import HostError
from spinflow.host.core.sources import source_files
from spinflow.hw.boards import prepare
from spinflow.sim.verilate import GUARDED, verilator
from tests.board.conftest import change
from tests.hw.runner import LINT

PORT = re.compile(r"^\s*(input|output)\s+(?:logic|wire)\s+(?:\[([^\]]+):0\]\s+)?(\w+)", re.M)


def port_table(text: str, module: str) -> dict[str, tuple[str, int]]:
    """Direction and width of each port of a module."""
    header = text[text.index(f"module {module}") :]
    header = header[: header.index(");")]
    width = re.search(r"AddrWidth = (\d+)", header)
    table = {}
    for direction, upper, name in PORT.findall(header):
        last = upper.replace("AddrWidth-1", str(int(width[1]) - 1) if width else "")
        table[name] = (direction, int(last or 0) + 1)
    return table


def test_wrapper_has_the_ports_of_the_accelerator(every_bundle: Path) -> None:
    work = prepare.prepare(every_bundle)
    inner = port_table((every_bundle / "rtl" / "accel.sv").read_text(), "accel")
    wrapper = (work / "src" / "accel_ip.v").read_text()
    outer = port_table(wrapper, "accel_ip")
    size = json.loads((every_bundle / "accel.json").read_text())["address_map"]["accel"]["range"]
    assert list(inner) == list(outer)
    for name, (direction, bits) in inner.items():
        if name in ("s_axi_awaddr", "s_axi_araddr"):
            assert outer[name] == (direction, size.bit_length() - 1)
            assert f"({name}[{bits - 1}:0])" in wrapper
        else:
            assert outer[name] == (direction, bits)
    assert wrapper.count("X_INTERFACE_INFO") == len(outer)
    assert "ASSOCIATED_BUSIF s_axi:s_axis:m_axis" in wrapper
    assert "FREQ_HZ 100000000" in wrapper


@pytest.mark.slow
def test_wrapper_and_design_lint(every_bundle: Path) -> None:
    work = prepare.prepare(every_bundle)
    wrapper = work / "src" / "accel_ip.v"
    command = [str(verilator()), "--lint-only", "-Wall", *GUARDED, "--top-module", "accel_ip"]
    command += [str(LINT), *map(str, source_files(every_bundle)), str(wrapper)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "accel_ip.v" not in done.stderr, done.stderr


def test_copies_are_the_sources(bundle: Path) -> None:
    work = prepare.prepare(bundle)
    listed = source_files(bundle)
    copies = {path.name: path.read_bytes() for path in (work / "src").iterdir()}
    assert copies.pop("accel_ip.v")
    package = copies.pop("spinflow_pkg.sv").decode().split("\n", 1)
    originals = {path.name: path.read_bytes() for path in listed}
    # A packaged IP keeps no macros of a project: the choice of primitives is in the package.
    assert package == [
        "`define SPINFLOW_PRIMITIVES Xilinx7", originals.pop("spinflow_pkg.sv").decode()
    ]  # fmt: skip
    assert copies == originals


def replace(path: Path, old: str, new: str) -> None:
    """Spoil a text file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


SPOIL: dict[str, tuple[Callable[[Path], object], str]] = {
    "no bundle": (lambda b: (b / "accel.json").unlink(), "is not a bundle"),
    "not JSON": (lambda b: (b / "accel.json").write_text("{"), "damaged"),
    "no object": (lambda b: (b / "accel.json").write_text("[]"), "and not a JSON object"),
    "no part": (lambda b: (b / "accel.json").write_text("{}"), "it has no format"),
    "another board": (lambda b: change(b, board="Ultra96"), "no board 'Ultra96' is known"),
    "another part": (lambda b: change(b, part="xc7z010clg400-1"), "part xc7z010"),
    "another clock": (lambda b: change(b, clock_mhz=50.0), "clock_mhz 50.0"),
    "another map": (
        lambda b: change(b, address_map={"accel": {"base": 0, "range": 4096}}),
        "address_map",
    ),
    "another DMA": (lambda b: change(b, dma={"data_bits": 64, "length_bits": 26}), "dma"),
    "a name that is none": (lambda b: change(b, network="a b; exit"), "it must be a name"),
    "handover file damaged": (lambda b: (b / "accel.hwh").write_text("<x>"), "SHA-256"),
    "weights missing": (lambda b: (b / "arrays.npz").unlink(), "arrays.npz is missing"),
    "no list": (lambda b: (b / "rtl" / "files.f").unlink(), "files.f is missing"),
    "file not there": (
        lambda b: replace(b / "rtl" / "files.f", "draw_pipe.sv", "draw.sv"),
        "draw.sv, which does not exist",
    ),
    "no Verilog": (
        lambda b: replace(b / "rtl" / "files.f", "hw/rtl/draw_pipe.sv", "hw/README.md"),
        "README.md': it must be the name of a Verilog file",
    ),
    "a name twice": (
        lambda b: replace(b / "rtl" / "files.f", "accel.sv", "accel.sv\naccel.sv"),
        "two files of the name",
    ),
    "port gone": (
        lambda b: replace(b / "rtl/accel.sv", "  output logic                 m_axis_tlast", ""),
        "m_axis_tlast is none",
    ),
    "port narrower": (
        lambda b: replace(
            b / "rtl" / "accel.sv",
            "input  logic [31:0]          s_axis_tdata",
            "input  logic [15:0]          s_axis_tdata",
        ),
        "s_axis_tdata is an input of 16 bits, .* of 32 bits",
    ),
    "port turned": (
        lambda b: replace(
            b / "rtl" / "accel.sv",
            "input  logic                 m_axis_tready",
            "output logic                 m_axis_tready",
        ),
        "m_axis_tready is an output",
    ),
    "port more": (
        lambda b: replace(
            b / "rtl" / "accel.sv",
            "  output logic                 m_axis_tlast",
            "  output logic                 m_axis_tlast,\n  output logic irq",
        ),
        "irq is an output of 1 bits, .* none",
    ),
    "addresses too wide": (
        lambda b: (b / "rtl" / "accel.sv").write_text(
            re.sub(r"AddrWidth = \d+", "AddrWidth = 30", (b / "rtl" / "accel.sv").read_text())
        ),
        "addresses of 30 bits",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOIL)
def test_bad_bundles_are_refused(what: str, bundle: Path) -> None:
    spoil, complaint = SPOIL[what]
    spoil(bundle)
    with pytest.raises(HostError, match=complaint) as caught:
        prepare.prepare(bundle)
    assert "\n" not in str(caught.value)
    assert not (bundle / "vivado").exists()


def test_command(bundle: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "spinflow.hw.boards.prepare"]
    done = subprocess.run([*program, bundle], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"prepared {bundle / 'vivado'}\n")
    done = subprocess.run([*program, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"spinflow: {tmp_path} is not a bundle")
