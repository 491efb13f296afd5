"""Boards as data: what board.toml may say, and a board that was added as one folder."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.hls import handover
from spinflow.hls.paths import REPO
from spinflow.host.board import on_board
from spinflow.host.core import description
from spinflow.hw import boards
from spinflow.hw.boards import BoardError, bitstream, deploy, facts, install, prepare
from tests.board import vivado
from tests.board.conftest import BOARDS, change
from tests.board.played import PlayedBoard, program
from tests.board.test_prepare import replace

KIND = boards.board().kind


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of boards with a copy of the one that there is."""
    copy = tmp_path / "boards"
    shutil.copytree(BOARDS / KIND, copy / KIND)
    monkeypatch.setattr(facts, "FOLDER", copy)
    return copy


def add_board(folder: Path) -> Path:
    """Add a board as CONTRIBUTING.md says: copy a folder, change what is other; nothing else."""
    new = Path(shutil.copytree(folder / KIND, folder / "zybo"))
    for old, other in (
        ('name = "Pynq-Z2"', 'name = "Zybo"'),
        ("default = true", "default = false"),
        ('part = "xc7z020clg400-1"', 'part = "xc7z010clg400-1"'),
        ("clock_mhz = 100.0", "clock_mhz = 75.0"),
        ("io_pll = 1000.0", "io_pll = 1350.0"),
        ('name = "S_AXI_HP0"', 'name = "S_AXI_HP1"'),
        ("HP0_DDR_LOWOCM", "HP1_DDR_LOWOCM"),
        ("base = 0x40400000", "base = 0x40800000"),
        ("/home/xilinx/jupyter_notebooks", "/home/lab/notebooks"),
        ("[image.dma_memory]\n", "[image.dma_memory]\n# 64 MB\n"),
    ):
        replace(new / "board.toml", old, other)
    return new


def bundle_for(board: boards.Board, bundle: Path) -> Path:
    """Make a bundle what it is when it is built for another board, the simulator with it."""
    source = REPO / "build" / bundle.name
    described = json.loads((source / "accel.json").read_text()) | board.entries()
    typed = description.read(source)
    text = handover.document(board, typed.registers, typed.memories)
    (bundle / "accel.hwh").write_text(text)
    described["files"]["accel.hwh"] = hashlib.sha256(text.encode()).hexdigest()
    (bundle / "accel.json").write_text(json.dumps(described))
    shutil.copyfile(source / "libaccel.so", bundle / "libaccel.so")
    return bundle


def test_a_board_is_one_folder(
    folder: Path,
    bundle: Path,
    board: PlayedBoard,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Everything that takes a board takes one that was added, and no other file was touched."""
    add_board(folder)
    assert boards.kinds() == [KIND, "zybo"] and boards.board().kind == KIND
    zybo = boards.board("zybo")
    bundle_for(zybo, bundle)

    work = prepare.prepare(bundle)
    told = (work / "facts.tcl").read_text()
    for line in ("part           xc7z010clg400-1", "clock_mhz      75.0", "S_AXI_HP1"):
        assert line in told
    assert (
        "dma_base       0x40800000" in told
        and "FREQ_HZ 75000000" in (work / "src" / "accel_ip.v").read_text()
    )

    for name, value in vivado.environment(bundle.parent, hwh=bundle / "accel.hwh").items():
        monkeypatch.setenv(name, value)
    program(board.bins, "vivado", f'#!/bin/sh\nexec {sys.executable} {vivado.__file__} "$@"\n')
    monkeypatch.setenv("PATH", f"{board.bins}:{board.environment['PATH']}")
    replace(zybo.folder / "ps7.tcl", "PCW_USE_S_AXI_HP0 1", "PCW_USE_S_AXI_HP1 1")
    assert bitstream.main([str(bundle)]) == 0
    assert install.read_board_bundle(bundle).board == "Zybo"

    said = ["a@b", str(bundle), "--dry-run", "--data-dir", str(board.images)]
    capsys.readouterr()
    assert deploy.main(said) == 0
    printed = capsys.readouterr().out
    assert "--board Zybo --pynq 3.0.1 3.1" in printed
    assert '"/home/lab/notebooks"' in printed and "/home/xilinx" not in printed


def test_the_virtual_board_plays_a_board_that_was_added(folder: Path, bundle: Path) -> None:
    """In a process of its own: a bundle of the new board, then one of the old, run there."""
    add_board(folder)
    bundle_for(boards.board("zybo"), bundle)
    script = """
import sys
from pathlib import Path
import numpy as np
from spinflow.hw.boards import facts
facts.FOLDER = Path(sys.argv[1])
from spinflow.host.board.driver import Accelerator
from spinflow.host.core.bundle import load
for folder in map(Path, sys.argv[2:]):
    with Accelerator(load(folder)) as accelerator:
        accelerator.write_weights()
        with np.load(folder / "golden.npz") as golden:
            found = accelerator.run(golden["images"][:2])
            assert (found == golden["labels"][:2]).all()
        import pynq
        print(pynq.Device.active_device.board, round(pynq.Clocks.fclk0_mhz, 3))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, folder, bundle, REPO / "build/tfc-mnist"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "Zybo 75.0\nPynq-Z2 100.0\n", done.stderr


def test_a_bundle_for_a_board_that_is_not_there(folder: Path, bundle: Path) -> None:
    change(bundle, board="Zybo")
    with pytest.raises(BoardError, match=r"no board 'Zybo' is known; there are Pynq-Z2 \(pynq_z2"):
        prepare.prepare(bundle)


# What board.toml may say wrong, and the complaint.
WRONG: dict[str, tuple[str, str, str]] = {
    "no TOML": ("[resources]", "[resources", "board.toml: "),
    "a table is missing": ("[resources]", "[dma.resources]", "it has no resources"),
    "a number is missing": ("FF = 106400", "", "resources has no FF"),
    "a key that is unknown": ("FF = 106400", "FF = 1\nCARRY = 2", "unknown key 'CARRY'"),
    "text for a number": ("FF = 106400", 'FF = "x"', "resources.FF is 'x': it must be a whole"),
    "a clock of 0": ("clock_mhz = 100.0", "clock_mhz = 0.0", "clock_mhz is 0.0: it must be"),
    "a name with signs of the shell": ('"Pynq-Z2"', '"a b; c"', "board.name is 'a b; c'"),
    "a folder with signs of the shell": ('"$HOME/jupyter_notebooks"', '"$(x)"', "begins with / or"),
    "a version that is none": ('["3.0.1", "3.1"]', '["3.x"]', "pynq[0] is '3.x'"),
    "primitives that are none": ('"xilinx7"', '"xilinx"', "board.primitives is 'xilinx': it must"),
    "a port that is none": ('"M_AXI_GP0"', '"a b"', "control_port.name is 'a b'"),
    "a PLL that no register holds": ("io_pll = 1000.0", "io_pll = 1010.0", "a multiple of the ref"),
    "a DMA too wide": ("data_bits = 32", "data_bits = 64", "dma.data_bits is 64: it must be 32"),
    "DMA over the accelerator": ("base = 0x40400000", "base = 0x40000000", "before the end of"),
    "a range that is no power of two": ("range = 0x00010000", "range = 0x18000", "power of two"),
    "a base beside it": ("base = 0x40400000", "base = 0x40400100", "multiple of it"),
    "a range too small": ("range = 0x00010000", "range = 0x800", "at least 4096"),
    "before the port": (
        "base = 0x40000000\nrange = 0x00400000",
        "base = 0x20000000\nrange = 0x00400000",
        "M_AXI_GP0",
    ),
    "behind the port": ("base = 0x40400000", "base = 0x80000000", "M_AXI_GP0's end"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_board_is_one_line(what: str, folder: Path) -> None:
    old, new, complaint = WRONG[what]
    replace(folder / KIND / "board.toml", old, new)
    with pytest.raises(BoardError, match=re.escape(complaint)) as caught:
        boards.board(KIND)
    assert str(caught.value).startswith(str(folder / KIND / "board.toml"))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def twice_the_name(new: Path) -> None:
    replace(new / "board.toml", 'name = "Zybo"', 'name = "PYNQ-Z2"')


def twice_the_default(new: Path) -> None:
    replace(new / "board.toml", "default = false", "default = true")


def never_the_default(new: Path) -> None:
    replace(new.parent / KIND / "board.toml", "default = true", "default = false")


@pytest.mark.parametrize(
    ("spoil", "ask", "complaint"),
    [
        (twice_the_name, lambda: boards.board_named("Pynq-Z2"), "both have the name Pynq-Z2"),
        (twice_the_default, boards.board, "is said by pynq_z2 and zybo: exactly one"),
        (never_the_default, boards.board, "is said by none: exactly one of pynq_z2, zybo"),
        (lambda _: None, lambda: boards.board("zynq"), "no board 'zynq'; there are pynq_z2, zybo"),
        (lambda _: None, lambda: boards.board("a@b"), "login of a board is given with TARGET="),
        (lambda _: None, lambda: boards.board("../zybo"), "no board '../zybo'"),
    ],
)
def test_boards_that_are_not_clear(
    spoil: Callable[[Path], Any], ask: Callable[[], Any], complaint: str, folder: Path
) -> None:
    spoil(add_board(folder))
    with pytest.raises(BoardError, match=re.escape(complaint)) as caught:
        ask()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", boards.kinds())
def test_every_board_has_what_the_driver_works_with(kind: str) -> None:
    board = boards.board(kind)
    assert (board.folder / facts.PROCESSOR).is_file()
    assert all(on_board.knows_pynq(version) for version in board.image.pynq)
    assert board.control_port.range.base >= board.logic.base
    assert board.control_port.range.end <= board.logic.end
    assert board.memory_port.range.base <= board.image.dma_memory.base
    assert board.image.dma_memory.end <= board.memory_port.range.end
    assert np.isclose(board.clocks.io_pll / board.clocks.fabric % 1, 0)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("spinflow", "bitstream", "--check"), "spinflow: vivado is not on PATH"),
        (("spinflow", "deploy", "a@b", "gone"), "spinflow: gone is not a bundle"),
        (("spinflow", "board-sweep", "--out", "out", "", "gone"), "spinflow: TARGET=: must be"),
        (("spinflow.hw.boards.prepare", "gone"), "spinflow: gone is not a bundle"),
        (("spinflow.hw.boards.install", "gone"), "spinflow: gone is not a bundle"),
    ],
)
def test_python_alone_is_enough(words: tuple[str, ...], line: str, tmp_path: Path) -> None:
    """They run beside Vivado, where no package is installed."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", *words],
        env={"PYTHONPATH": str(REPO), "PATH": str(tmp_path), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stderr.startswith(line), done.stderr
    assert done.stderr.count("\n") == 1


def test_a_login_in_the_place_of_a_kind_is_told() -> None:
    done = subprocess.run(
        ["make", "deploy", "NETWORK=tfc-mnist", "BOARD=xilinx@pynq"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "no such kind of board; there are pynq_z2." in done.stderr
    assert "TARGET=xilinx@pynq" in done.stderr


NAMES = re.compile(rb"pynq.?z2|xc7z020|GP0|HP0", re.I)
# hw/route knows one part that nextpnr-xilinx has a chip database for.
MAY_NAME = ("hw/boards/pynq_z2/", "hw/route/", "docs/", "tests/", "README.md")


def test_nothing_but_its_folder_names_a_board() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True
    ).stdout.split(b"\0")
    named = []
    for name in filter(None, map(bytes.decode, listed)):
        path = REPO / name
        if name.startswith(MAY_NAME) or path.suffix == ".safetensors" or not path.is_file():
            continue
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if NAMES.search(line):
                named.append(f"{name}:{number}: {line.decode(errors='replace').strip()}")
    assert not named, "\n".join(named)
