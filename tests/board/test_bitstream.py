"""From a bundle to its folder for the board, with a played Vivado; and what must stop it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinflow.hls.paths import REPO
from spinflow.host.core.errors import HostError
from spinflow.hw.boards import common, install, sizes
from spinflow.hw.boards.logged import reason
from tests.board import vivado
from tests.board.conftest import change
from tests.board.played import HOST_PYTHON, make
from tests.board.test_prepare import replace


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a folder that is neither Vivado's."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "vivado" not in path.relative_to(folder).parts
    }


def test_bitstream(bundle: Path) -> None:
    before = snapshot(bundle)
    done = make(bundle, version="2023.2", setup=0.31, hold=0.05)
    assert done.returncode == 0, done.stderr
    assert "Vivado 2023.2, worst slack 0.31 ns, 6321 LUT, 7421 FF, 12.5 RAMB36" in done.stdout
    after = snapshot(bundle)
    assert {name: after[name] for name in before} == before
    described = json.loads(before["accel.json"])
    of_board = json.loads(after["board/accel.json"])
    assert set(after) - set(before) == {
        f"board/{name}" for name in ("accel.json", "accel.bit", *described["files"])
    }
    entry = of_board.pop("bitstream")
    assert entry == {
        "file": "accel.bit",
        "sha256": common.sha256(bundle / "board" / "accel.bit"),
        "vivado": "2023.2",
        "wns_ns": 0.31,
        "whs_ns": 0.05,
        "utilization": {"LUT": 6321, "FF": 7421, "RAMB36": 12.5, "DSP48": 0},
    }
    described = {key: value for key, value in described.items() if "simulator" not in key}
    assert of_board == described
    assert install.read_board_bundle(bundle).document["bitstream"] == entry


def test_missed_timing_is_tried_with_another_strategy(bundle: Path) -> None:
    done = make(bundle, setup="-0.4 0.02", hold=0.05)
    assert done.returncode == 0, done.stderr
    assert "worst slack 0.02 ns" in done.stdout
    calls = [call for call in vivado.read_calls(bundle.parent) if "impl_1" in call.arguments]
    strategies = [c.arguments[1] for c in calls if c.name == "set_property"]
    assert strategies == ["Performance_ExplorePostRoutePhysOpt", "Performance_NetDelay_high"]
    result = json.loads((bundle / "vivado/out/result.json").read_text())
    assert result["strategy"] == strategies[1] and result["wns_ns"] == 0.02
    assert [c.name for c in calls if c.name in ("launch_runs", "reset_run")] == [
        "launch_runs",
        "reset_run",
        "launch_runs",
    ]


def test_met_timing_is_implemented_once(bundle: Path) -> None:
    assert make(bundle, setup="0.1 0.9").returncode == 0
    calls = vivado.read_calls(bundle.parent)
    assert sum(c.name == "launch_runs" and "impl_1" in c.arguments for c in calls) == 1


def test_sizes_by_module(bundle: Path) -> None:
    done = make(bundle, version="2023.2")
    assert done.returncode == 0, done.stderr
    made = json.loads((bundle / "vivado" / sizes.SIZES).read_text())
    assert made["tool"] == "Vivado 2023.2" and made["network"] == "tfc-mnist"
    assert made["accelerator"] == {"LUT": 3000, "FF": 3500, "RAMB36": 9.5, "DSP48": 0}
    inside = [(block["name"], block["level"], block["LUT"]) for block in made["blocks"]]
    assert inside == [
        ("(between)", 1, 7),
        ("fc0", 1, 1993),
        ("shell", 1, 1000),
        ("frame_io", 2, 55),
    ]
    parts = [block for block in made["blocks"] if block["level"] == 1]
    for resource, used in made["accelerator"].items():
        assert sum(block[resource] for block in parts) == used


@pytest.mark.parametrize(
    "text",
    [
        "",
        "| u_accel | accel | 1 |\n",
        vivado.HIERARCHY.replace("u_accel", "other"),
        vivado.HIERARCHY.replace("Instance", "Cell"),
    ],
)
def test_a_report_without_modules_is_a_note(text: str, bundle: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text(text)
    done = make(bundle, hierarchy=report)
    assert done.returncode == 0, done.stderr
    assert "names no module of the accelerator" in done.stdout
    assert not (bundle / "vivado" / sizes.SIZES).exists()


def test_reports_of_other_forms_are_read() -> None:
    percent = vivado.HIERARCHY.replace(" 3000 |", " 3000(5.64%) |")
    assert sizes.blocks(percent)[0]["LUT"] == 3000
    of_dsp48 = vivado.HIERARCHY.replace("DSP Blocks", "DSP48 Blocks")
    assert sizes.blocks(of_dsp48) == sizes.blocks(vivado.HIERARCHY)


def test_driver_takes_the_folder_for_the_board(bundle: Path) -> None:
    assert make(bundle).returncode == 0
    script = (
        "import sys; from pathlib import Path; from spinflow.host.core.bundle import load; "
        "from spinflow.host.board.driver import backend; b = load(Path(sys.argv[1])); "
        "print(b.overlay, backend(b))"
    )
    done = subprocess.run(
        [HOST_PYTHON, "-c", script, bundle / "board"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{bundle / 'board' / 'accel.bit'} board\n", done.stderr


def test_handover_file_is_vivados(bundle: Path) -> None:
    theirs = bundle.parent / "system.hwh"
    text = (bundle / "accel.hwh").read_text()
    theirs.write_text(text.replace("</MODULES>", '<MODULE INSTANCE="reset"/></MODULES>'))
    assert make(bundle, hwh=theirs).returncode == 0
    assert (bundle / "board" / "accel.hwh").read_bytes() == theirs.read_bytes()
    assert install.read_board_bundle(bundle).files["accel.hwh"] == common.sha256(theirs)


def test_registers_that_vivado_does_not_list_are_a_note(bundle: Path) -> None:
    theirs = bundle.parent / "system.hwh"
    text = (bundle / "accel.hwh").read_text()
    start, end = text.index("<ADDRESSBLOCKS>"), text.index("</ADDRESSBLOCKS>")
    theirs.write_text(text[:start] + text[end:].removeprefix("</ADDRESSBLOCKS>"))
    done = make(bundle, hwh=theirs)
    assert done.returncode == 0
    assert "registers, as ID: pynq's register_map will not have them" in done.stdout


def test_no_vivado(bundle: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path)}
    for arguments in ([str(bundle)], ["--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "spinflow", "bitstream", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert done.stderr.startswith("spinflow: vivado is not on PATH")
    assert not (bundle / "vivado").exists()


# What can be wrong in the handover file that Vivado writes, and the complaint.
WRONG = {
    "accelerator elsewhere": ('BASEVALUE="0x40000000"', 'BASEVALUE="0x43C00000"', "accel is at"),
    "DMA too small": ('HIGHVALUE="0x4040FFFF"', 'HIGHVALUE="0x40407FFF"', "dma is at"),
    "cell renamed": ('INSTANCE="dma"', 'INSTANCE="axi_dma_0"', "has no cell dma"),
    "module reference": ("spinflow:accel:accel", "xilinx.com:module_ref:accel", "cell accel is a"),
    "scatter-gather": ('"c_include_sg" VALUE="0"', '"c_include_sg" VALUE="1"', "c_include_sg is 1"),
    "short lengths": (
        '"c_sg_length_width" VALUE="26"',
        '"c_sg_length_width" VALUE="14"',
        "c_sg_length_width is 14",
    ),
    "slow clock": (
        '"PCW_FCLK0_PERIPHERAL_DIVISOR0" VALUE="5"',
        '"PCW_FCLK0_PERIPHERAL_DIVISOR0" VALUE="10"',
        "clock 0 is 50 MHz",
    ),
    "clock off": (
        '"PCW_FPGA_FCLK0_ENABLE" VALUE="1"',
        '"PCW_FPGA_FCLK0_ENABLE" VALUE="0"',
        "clock 0 of the fabric is off",
    ),
    "two ranges": (
        "</MEMORYMAP>",
        '<MEMRANGE INSTANCE="accel" BASEVALUE="0x41000000" HIGHVALUE="0x4100FFFF"/></MEMORYMAP>',
        "accel has 2 address ranges",
    ),
    "register elsewhere": (
        '"DESCRIPTION" VALUE="STATUS" />\n              <PROPERTY NAME="ADDRESS_OFFSET" VALUE="20"',
        '"DESCRIPTION" VALUE="STATUS" />\n              <PROPERTY NAME="ADDRESS_OFFSET" VALUE="24"',
        "register STATUS of accel",
    ),
    "no XML": ("</EDKSYSTEM>", "", "is not a handover file of a bundle: no element found"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_handover_files_are_refused(what: str, bundle: Path) -> None:
    old, new, complaint = WRONG[what]
    theirs = bundle.parent / "system.hwh"
    theirs.write_text((bundle / "accel.hwh").read_text())
    replace(theirs, old, new)
    done = make(bundle, hwh=theirs)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert complaint in done.stderr
    assert not (bundle / "board").exists()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"version": "2022.1"}, "spinflow: this is Vivado 2022.1; 2022.2 or newer is needed ("),
        ({"setup": -0.2}, "spinflow: timing is not met at 100.0 MHz"),
        ({"fails": "impl_1"}, "spinflow: Vivado's impl_1 failed"),
        ({"utilization": "/nowhere"}, "spinflow: ERROR: "),
    ],
)
def test_vivados_failures_leave_what_was_there(
    settings: dict[str, Any], complaint: str, bundle: Path
) -> None:
    assert make(bundle).returncode == 0
    before = snapshot(bundle)
    done = make(bundle, **settings)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(complaint)
    assert str(bundle / "vivado" / "vivado.log") in done.stderr
    assert snapshot(bundle) == before


def test_last_line_where_vivado_names_no_error() -> None:
    assert reason("INFO: a\nINFO: b\nERROR: [Place 30-640] too large\n", "Vivado") == (
        "ERROR: [Place 30-640] too large"
    )
    assert reason("INFO: a\nkilled\n\n", "Vivado") == "Vivado failed: killed"
    assert reason("", "Vivado") == "Vivado failed: no message"


SPOIL: dict[str, tuple[Callable[[Path], object], str]] = {
    "bundle built again": (lambda b: change(b, build_id=7), "build 00000007"),
    "no bitstream": (lambda b: (b / "vivado/out/accel.bit").unlink(), "accel.bit is missing"),
    "empty bitstream": (lambda b: (b / "vivado/out/accel.bit").write_text(""), "is missing"),
    "result damaged": (lambda b: (b / "vivado/out/result.json").write_text("{}"), "is damaged"),
    "timing missed": (
        lambda b: replace(b / "vivado/out/result.json", '"wns_ns": 0.25', '"wns_ns": -0.5'),
        "misses its timing by 0.5 ns",
    ),
    "bundle damaged": (lambda b: (b / "arrays.npz").write_text(""), "arrays.npz is damaged"),
}


@pytest.mark.parametrize("what", SPOIL)
def test_install_refuses(what: str, bundle: Path) -> None:
    assert make(bundle).returncode == 0
    spoil, complaint = SPOIL[what]
    spoil(bundle)
    before = snapshot(bundle)
    with pytest.raises(HostError, match=complaint):
        install.install(bundle)
    assert snapshot(bundle) == before


def test_an_interrupted_installation_is_no_obstacle(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make(bundle).returncode == 0
    before = snapshot(bundle)

    def interrupted(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            install.install(bundle)
    assert {name: before[name] for name in before} == {
        name: data for name, data in snapshot(bundle).items() if not name.startswith("board.new")
    }
    install.install(bundle)
    assert snapshot(bundle) == before


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda b: (b / "board/accel.bit").unlink(), "has no bitstream: make bitstream NETWORK="),
        (lambda b: (b / "board/accel.bit").write_text("x"), "accel.bit is damaged"),
        (lambda b: (b / "board/accel.hwh").write_text("x"), "accel.hwh is damaged"),
        (lambda b: change(b / "board", bitstream=None), "bitstream is None: it must be an object"),
        (lambda b: change(b, build_id=7), "run make bitstream again"),
    ],
)
def test_board_folder_is_checked(
    spoil: Callable[[Path], object], complaint: str, bundle: Path
) -> None:
    assert make(bundle).returncode == 0
    spoil(bundle)
    with pytest.raises(HostError, match=complaint):
        install.read_board_bundle(bundle)
