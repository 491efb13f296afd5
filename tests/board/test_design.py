"""The block design, by a played Vivado: it is whole, it is the right one, and mistakes show."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from spinflow.host.core import handover
from spinflow.hw import boards
from spinflow.hw.boards import prepare
from tests.board.conftest import BOARDS
from tests.board.design import Design, DesignError, existing, replay
from tests.board.vivado import Run, run


def play(bundle: Path, scripts: Path = BOARDS) -> tuple[Run, Path]:
    """Prepare a bundle and run build.tcl on it, with the board's Tcl of a folder of boards."""
    work = prepare.prepare(bundle)
    shutil.copyfile(scripts / boards.board().kind / "ps7.tcl", work / "ps7.tcl")
    folder = bundle.parent
    return run(scripts / "build.tcl", folder, work, hwh=bundle / "accel.hwh"), work


def built(bundle: Path, scripts: Path = BOARDS) -> Design:
    """The design that build.tcl makes of a bundle."""
    done, work = play(bundle, scripts)
    if done.status:
        raise DesignError(done.output)
    return replay(done.calls, (work / "src" / "accel_ip.v").read_text())


def test_design(every_bundle: Path) -> None:
    design = built(every_bundle)
    accel = json.loads((every_bundle / "accel.json").read_text())
    board = boards.board().entries()
    described = handover.read(every_bundle, (every_bundle / "accel.hwh").read_bytes())
    for cell, segment in (("accel", "accel/s_axi/reg0"), ("dma", "dma/S_AXI_LITE/Reg")):
        place = design.mapped["processing_system7_0/Data", segment]
        assert place == tuple(board["address_map"][cell][key] for key in ("base", "range"))
        assert place == tuple(accel["address_map"][cell][key] for key in ("base", "range"))
        assert place == described.ranges[cell]
    for cell, vlnv in handover.CELLS.items():
        assert design.cells[cell].vlnv == vlnv
    for name, value in described.dma.items():
        assert design.cells["dma"].settings.get(name) == str(value)
    processor = design.cells["processing_system7_0"].settings
    assert float(processor["PCW_FPGA0_PERIPHERAL_FREQMHZ"]) == accel["clock_mhz"]
    assert processor["PCW_FCLK0_PERIPHERAL_CLKSRC"] == "IO PLL"
    assert design.nets["accel/aclk"] == "processing_system7_0/FCLK_CLK0"


def test_memory_is_what_the_board_has(bundle: Path) -> None:
    design = built(bundle)
    processor = design.cells["processing_system7_0"].settings
    # MT41J256M16: 256 Mi words of 16 bits, one of them on a bus of 16 bits.
    assert processor["PCW_UIPARAM_DDR_PARTNO"].startswith("MT41J256M16")
    assert processor["PCW_UIPARAM_DDR_BUS_WIDTH"] == "16 Bit"
    for space in ("dma/Data_MM2S", "dma/Data_S2MM"):
        place = design.mapped[space, "processing_system7_0/S_AXI_HP0/HP0_DDR_LOWOCM"]
        assert place == (0, 256 * 2**20 * 2)


def test_packaged_registers(every_bundle: Path) -> None:
    design = built(every_bundle)
    accel = json.loads((every_bundle / "accel.json").read_text())
    assert design.block["range"] == str(accel["address_map"]["accel"]["range"])
    expected = dict(accel["registers"]["global"])
    layout = accel["registers"]["memory"]
    for memory in accel["memories"]:
        start = layout["base"] + layout["stride"] * memory["index"]
        prefix = memory["name"].upper().replace(".", "_")
        for name, register in layout["registers"].items():
            expected[f"{prefix}_{name}"] = register | {"offset": start + register["offset"]}
    assert design.registers == {
        name: (
            register["offset"],
            {field: (bits["lsb"], bits["width"]) for field, bits in register["fields"].items()},
        )
        for name, register in expected.items()
    }


def test_sources_are_all_there_and_in_order(every_bundle: Path) -> None:
    done, work = play(every_bundle)
    sources = replay(done.calls, (work / "src" / "accel_ip.v").read_text()).sources
    assert not existing(sources)
    names = [Path(source).name for source in sources]
    lines = (every_bundle / "rtl" / "files.f").read_text().split()
    assert names[: len(lines)] == [Path(line).name for line in lines]
    assert names[len(lines) :] == ["accel_ip.v", "system_wrapper.v"]


# What somebody may get wrong in the Tcl, and the complaint that must follow.
MISTAKES = {
    "no such pin": ("design.tcl", "dma/axi_resetn", "dma/aresetn", "no such pin"),
    "no such interface": ("design.tcl", "accel/m_axis dma", "accel/out dma", "no such interface"),
    "no such cell": ("design.tcl", "    accel/aclk\n", "    acel/aclk\n", "no cell acel"),
    "clock not connected": ("design.tcl", "    accel/aclk\n", "", "accel/aclk is not driven"),
    "reset on a clock": (
        "design.tcl",
        "reset/ext_reset_in\n",
        "{reset/ext_reset_in dma/m_axi_mm2s_aclk}\n",
        "driven twice|is a clock",
    ),
    "stream turned round": (
        "design.tcl",
        "dma/M_AXIS_MM2S accel/s_axis",
        "accel/s_axis dma/M_AXIS_MM2S",
        "not master to slave",
    ),
    "stream to memory": (
        "design.tcl",
        "accel/m_axis dma/S_AXIS_S2MM",
        "accel/m_axis memory/S01_AXI",
        "connected twice|is axis",
    ),
    "stream left open": (
        "design.tcl",
        "  stream accel/m_axis dma/S_AXIS_S2MM\n",
        "",
        "not connected",
    ),
    "stream too wide": (
        "design.tcl",
        "c_m_axis_mm2s_tdata_width [dict get $facts data_bits]",
        "c_m_axis_mm2s_tdata_width 64",
        "64 bits",
    ),
    "too few masters": ("design.tcl", "NUM_MI 2", "NUM_MI 1", "no such interface"),
    "scatter-gather": ("design.tcl", "c_include_sg 0", "c_include_sg 1", "simple mode"),
    "setting misspelt": ("design.tcl", "c_mm2s_burst_size", "c_mm2s_burst", "no setting"),
    "other version": ("design.tcl", "axi_dma:7.1", "axi_dma:7.2", "no IP"),
    "HP0 left off": (
        "pynq_z2/ps7.tcl",
        "PCW_USE_S_AXI_HP0 1",
        "PCW_USE_S_AXI_HP0 0",
        "no such pin",
    ),
    "no such segment": (
        "design.tcl",
        "[dict get $facts memory_segment]",
        "HP0_DDR",
        "no such segment",
    ),
    "segment not mapped": ("design.tcl", "{dma/Data_MM2S dma/Data_S2MM}", "dma/Data_MM2S", "are"),
    "addresses overlap": (
        "design.tcl",
        "[dict get $facts dma_base]",
        "[dict get $facts accel_base]",
        "overlaps",
    ),
    "wrong name": ("package.tcl", "set_property name accel $core", "", "no IP"),
    "misspelt command": ("design.tcl", "validate_bd_design", "validate_design", "invalid command"),
    "misspelt option": ("package.tcl", "-taxonomy", "-taxon", "no option -taxon"),
    "argument missing": ("package.tcl", "ipx::save_core $core", "ipx::save_core", "arguments"),
    "validated too late": ("design.tcl", "  validate_bd_design\n", "", "never called"),
    "unbalanced": ("design.tcl", "update_ip_catalog\n", "update_ip_catalog {\n", "close-brace"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_show(mistake: str, bundle: Path, tmp_path: Path) -> None:
    name, old, new, complaint = MISTAKES[mistake]
    scripts = tmp_path / "scripts"
    shutil.copytree(BOARDS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    text = (scripts / name).read_text()
    assert old in text
    (scripts / name).write_text(text.replace(old, new))
    with pytest.raises(DesignError, match=complaint):
        built(bundle, scripts)


@pytest.mark.parametrize("version", ["2022.2", "2022.2_AR000001", "2023.1.1", "2024.2", "2030.1"])
def test_versions_taken(version: str, bundle: Path) -> None:
    work = prepare.prepare(bundle)
    done = run(BOARDS / "build.tcl", bundle.parent, work, version=version, hwh=bundle / "accel.hwh")
    assert done.status == 0, done.output
    assert json.loads((work / "out" / "result.json").read_text())["vivado"] == version


@pytest.mark.parametrize("version", ["2022.1", "2021.2.1", "2019.12", "v2023", "", "unknown"])
def test_versions_refused(version: str, bundle: Path) -> None:
    work = prepare.prepare(bundle)
    done = run(BOARDS / "build.tcl", bundle.parent, work, version=version, hwh=bundle / "accel.hwh")
    assert done.status == 1
    assert done.output.startswith("spinflow: ") and done.output.count("\n") == 1
    assert "2022.2 or newer" in done.output and version in done.output
    assert [call.name for call in done.calls] == ["version"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"setup": -0.001}, ("timing is not met", "-0.001 ns (setup)")),
        ({"hold": -0.02}, ("timing is not met", "-0.02 ns (hold)")),
        ({"setup": "none"}, ("no timing paths", "-setup")),
        ({"fails": "synth_1"}, ("synth_1 failed", "runme.log")),
        ({"fails": "impl_1"}, ("impl_1 failed", "runme.log")),
        ({"hwh": "none"}, ("did not write", "system.hwh")),
    ],
)
def test_failures_are_one_line(
    settings: dict[str, object], words: tuple[str, ...], bundle: Path
) -> None:
    work = prepare.prepare(bundle)
    settings = {"hwh": bundle / "accel.hwh", **settings}
    done = run(BOARDS / "build.tcl", bundle.parent, work, **settings)
    assert done.status == 1
    lines = [line for line in done.output.splitlines() if not line.startswith("timing is missed")]
    assert len(lines) == 1 and lines[0].startswith("spinflow: "), done.output
    assert all(word in lines[0] for word in words), done.output
    assert not (work / "out" / "accel.bit").exists()


def test_arguments_of_the_script(tmp_path: Path) -> None:
    done = run(BOARDS / "build.tcl", tmp_path, tmp_path)
    assert done.status == 1 and "no facts.tcl; run spinflow.hw.boards.prepare first" in done.output
