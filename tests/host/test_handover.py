"""Handover files: what is refused before pynq reads it, and what Vivado's may have besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinflow.host.core import description, handover
from spinflow.host.core.errors import BundleError
from tests.host.conftest import BUNDLE

PATH = BUNDLE / "accel.hwh"
TEXT = PATH.read_text()
DESCRIBED = description.read(BUNDLE)


def check(text: str) -> None:
    handover.check(handover.read(PATH, text.encode()), DESCRIBED, PATH, 1000.0)


def replaced(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


BOMB = "<!DOCTYPE x [" + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(12)
)
HEAD, REST = TEXT.split("\n", 1)

DAMAGED = {
    "entities in entities": (f"{HEAD}\n{BOMB}]>\n{REST}", "it defines a document type"),
    "a file of this machine": (
        f'{HEAD}\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n{REST}',
        "it defines a document type",
    ),
    "a document type from elsewhere": (
        f'{HEAD}\n<!DOCTYPE x SYSTEM "http://localhost/x.dtd">\n{REST}',
        "it defines a document type",
    ),
    "elements in one another": ("<a>" * 100 + "</a>" * 100, "or more than 64 levels"),
    "elements without end": ("<r>" + "<a/>" * 200_001 + "</r>", "more than 200000 elements"),
    "no XML": ("PK", "syntax error"),
    "nothing": ("", "no element found"),
    "an encoding that is none": ('<?xml version="1.0" encoding="klingon"?><a/>', "klingon"),
    "no cell": (replaced('INSTANCE="dma" IPT', 'INSTANCE="dna" IPT'), "it has no cell dma"),
    "a cell twice": (TEXT.replace('INSTANCE="dma" IPT', 'INSTANCE="accel" IPT'), "two cells accel"),
    "another DMA": (replaced("axi_dma:7.1", "axi_dma:6.0"), "'xilinx.com:ip:axi_dma:6.0'"),
    "scatter and gather": (
        replaced('c_include_sg" VALUE="0"', 'c_include_sg" VALUE="1"'),
        "the DMA's c_include_sg is 1, the bundle says 0",
    ),
    "words of 64 bits": (
        replaced('mm2s_data_width" VALUE="32"', 'mm2s_data_width" VALUE="64"'),
        "c_m_axi_mm2s_data_width is 64, the bundle says 32",
    ),
    "a length that is no number": (
        replaced('sg_length_width" VALUE="26"', f'sg_length_width" VALUE="{"9" * 5000}"'),
        "is not a number of 32 bits",
    ),
    "no length": (replaced("c_sg_length_width", "c_xx"), "has 0 parameters c_sg_length_width"),
    "another place": (
        replaced('BASEVALUE="0x40000000"', 'BASEVALUE="0x40200000"'),
        "accel is at 0x40200000 with 0x200000 bytes, the bundle says 0x40000000",
    ),
    "another clock": (replaced('DIVISOR0" VALUE="5"', 'DIVISOR0" VALUE="10"'), "clock 0 is 50 MHz"),
    "no clock": (replaced('DIVISOR0" VALUE="5"', 'DIVISOR0" VALUE="0"'), "divisor 0 of clock 0"),
    "a register elsewhere": (
        replaced('"DESCRIPTION" VALUE="STATUS" />', '"X" VALUE="" />').replace(
            'NAME="ADDRESS_OFFSET" VALUE="20"', 'NAME="ADDRESS_OFFSET" VALUE="24"', 1
        ),
        "register STATUS of accel is at (24, ",
    ),
}


@pytest.mark.parametrize(("text", "line"), DAMAGED.values(), ids=list(DAMAGED))
def test_a_damaged_file_is_refused_in_one_line(text: str, line: str) -> None:
    with pytest.raises(BundleError) as caught:
        check(text)
    assert str(caught.value).startswith(str(PATH))
    assert line in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_what_vivado_has_besides_is_allowed() -> None:
    check(TEXT)
    check(replaced("</MODULES>", '<MODULE INSTANCE="reset"/><MODULE INSTANCE="reset"/></MODULES>'))
    start, end = TEXT.index("<ADDRESSBLOCKS>"), TEXT.index("</ADDRESSBLOCKS>")
    check(TEXT[:start] + TEXT[end:].removeprefix("</ADDRESSBLOCKS>"))


@pytest.mark.parametrize("clock_mhz", [25, 33.3, 50, 66.7, 100, 125, 142.9, 200, 250])
def test_divisors_come_closest_to_a_clock(clock_mhz: float) -> None:
    first, second = handover.divisors(clock_mhz, 1000)
    error = abs(1000 / (first * second) - clock_mhz)
    assert all(abs(1000 / n - clock_mhz) >= error - 1e-9 for n in range(1, 64))


def test_a_file_of_a_bundle_is_read_as_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "accel.hwh").symlink_to(PATH)
    (tmp_path / "accel.json").write_bytes((BUNDLE / "accel.json").read_bytes())
    with pytest.raises(BundleError, match="is a link"):
        description.read(tmp_path).content("accel.hwh")
