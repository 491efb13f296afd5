"""pynq itself reads the handover file and finds what accel.json says."""

from __future__ import annotations

import json
import subprocess

import pytest

from spinflow.hls.paths import REPO

HOST_PYTHON = REPO / ".venv/bin/python"

READ_WITH_PYNQ = """
import json, sys
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynqmetadata.frontends import Metadata
parser = RuntimeMetadataParser(Metadata(input=sys.argv[1]))
parser.refresh_hierarchy_dict()
cells = {name: {key: cell[key] for key in ("type", "phys_addr", "addr_range", "registers",
                                           "parameters")}
         for name, cell in parser.ip_dict.items() if "phys_addr" in cell}
json.dump({"cells": cells, "clocks": parser.clock_dict}, sys.stdout)
"""


@pytest.fixture(scope="module")
def parsed(bundle):
    done = subprocess.run(
        [HOST_PYTHON, "-W", "ignore", "-c", READ_WITH_PYNQ, bundle.folder / "accel.hwh"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_cells_and_addresses(bundle, parsed):
    assert {name: cell["type"] for name, cell in parsed["cells"].items()} == {
        "accel": "spinflow:accel:accel:1.0",
        "dma": "xilinx.com:ip:axi_dma:7.1",
    }
    for name, address in bundle.accel["address_map"].items():
        cell = parsed["cells"][name]
        assert (cell["phys_addr"], cell["addr_range"]) == (address["base"], address["range"])


def test_dma_is_as_the_bundle_says(bundle, parsed):
    parameters = parsed["cells"]["dma"]["parameters"]
    dma = bundle.accel["dma"]
    assert parameters["c_include_sg"] == "0"
    assert int(parameters["c_sg_length_width"]) == dma["length_bits"]
    for direction in ("mm2s", "s2mm"):
        assert parameters[f"c_include_{direction}"] == "1"
        assert int(parameters[f"c_m_axi_{direction}_data_width"]) == dma["data_bits"]


def test_clock(bundle, parsed):
    clock = parsed["clocks"]["0"]
    assert clock["enable"] == 1
    assert 1000.0 / (clock["divisor0"] * clock["divisor1"]) == bundle.accel["clock_mhz"]


def test_registers(bundle, parsed):
    registers = parsed["cells"]["accel"]["registers"]
    expected = dict(bundle.accel["registers"]["global"])
    block = bundle.accel["registers"]["memory"]
    for memory in bundle.accel["memories"]:
        start = block["base"] + block["stride"] * memory["index"]
        prefix = memory["name"].upper().replace(".", "_")
        for name, register in block["registers"].items():
            expected[f"{prefix}_{name}"] = register | {"offset": start + register["offset"]}
    assert set(registers) == set(expected)
    for name, register in expected.items():
        assert registers[name]["address_offset"] == register["offset"]
        for field, bits in register["fields"].items():
            found = registers[name]["fields"][field]
            assert (found["bit_offset"], found["bit_width"]) == (bits["lsb"], bits["width"])
