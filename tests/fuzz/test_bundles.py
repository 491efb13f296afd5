"""Mutated bundles, read by simulators and the board's scripts: one line, or the same results."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spinflow.hw.synth.__main__ as synth
from spinflow.host.core import sources
from spinflow.host.core.sources import REPOSITORY
from spinflow.hw.boards import deploy, install, prepare
from spinflow.hw.synth import report
from spinflow.sim import depths, sweep, verilate
from spinflow.sim.evaluator import Evaluator
from tests.fuzz import bundles, judge
from tests.fuzz.bundles import FOLDER, Good, Program
from tests.fuzz.campaign import faults

BUNDLE = REPOSITORY / "build" / "tfc-mnist"


def swept(folder: Path, outcome: judge.Outcome) -> str:
    return bundles.rows(folder / "out/results.csv", ("network", "build_id"))


# Programs whose tools take long: they are ended where their first tool would start.


def building(arguments: list[str]) -> int | None:
    verilate._run_verilator = lambda objects, files, *_: _stop(
        files, (objects / "taps.h").read_text()
    )
    return verilate.main(arguments)


def timing(arguments: list[str]) -> int | None:
    depths._for_timing = lambda path, folder: str(path)
    depths.subprocess.run = lambda command, **_: _stop(  # type: ignore[assignment]
        [Path(part) for part in command if part.endswith(".sv")], ""
    )
    return depths.main(arguments)


def synthesising(arguments: list[str]) -> int | None:
    report.synthesise = lambda files, *_, **__: _stop(files, "")
    return synth.main(arguments)


def _stop(files: Sequence[Path], text: str) -> Any:
    """Print what a tool would be given, and end the program; nothing else may be given to it."""
    folders = [Path.cwd() / FOLDER / "rtl", *(REPOSITORY / name for name in sources.FOLDERS)]
    for path in files:
        assert path.is_file() and path.parent in folders and path.suffix in (".sv", ".v"), path
    print("\n".join(path.name for path in files), text)
    sys.stdout.flush()

    os._exit(0)


def printed(folder: Path, outcome: judge.Outcome) -> str:
    return outcome.out


def facts(folder: Path, outcome: judge.Outcome) -> str:
    """What Vivado is told, but for the names of network and build."""
    text = (folder / FOLDER / "vivado/facts.tcl").read_text()
    return re.sub(r"design of \S+,|^  (network|build_id) .*", "", text, flags=re.MULTILINE)


def commands(folder: Path, outcome: judge.Outcome) -> str:
    """What would be run, but for the network's name in it."""
    described = json.loads((folder / FOLDER / "board/accel.json").read_text())
    return outcome.out.replace(described["network"], "NETWORK")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Good:
    """A bundle with what Vivado and its installation add to it; its kernels are compiled, too."""
    folder = tmp_path_factory.mktemp("good") / FOLDER
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("obj_*", "*.onnx", ".*", "*.so"))
    out = folder / "vivado/out"
    out.mkdir(parents=True)
    described = json.loads((folder / "accel.json").read_text())
    (out / "accel.bit").write_bytes(bytes(1000))
    shutil.copy(folder / "accel.hwh", out / "accel.hwh")
    result = {"build_id": described["build_id"], "vivado": "2022.2", "wns_ns": 0.3, "whs_ns": 0.05}
    (out / "result.json").write_text(json.dumps(result))
    install.install(folder)
    names = [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]
    engine = Evaluator.from_bundle(folder, "hardware", 1)
    for memory, mode in enumerate(("flip", "switch", "flip", "switch", "flip", "switch", "off")):
        engine.set_errors(memory, mode, 1 << 30, 1 << 29, 1)
    for memory in range(4):
        engine.write_weights(memory, engine.weights(memory))
    engine.run(np.zeros((8, 784), np.uint8))
    found = bundles.read(folder, [name for name in names if name != "accel.json"])
    return bundles.with_golden_tests(found)


SWEEP = [
    *("--bundle", FOLDER, "--images", "8", "--memory", "all"),
    *("--rates", "0.05", "--repeats", "1", "--workers", "1", "--out", "out"),
]
DESCRIPTION = ["accel.json"] * 3
LISTS = ["rtl/files.f"] * 3
VIVADO = ["vivado/out/accel.hwh", "vivado/out/result.json"]
DEPTHS = ("memories.depth",)
PROGRAMS = (
    Program(
        *("spinflow.sim.sweep", sweep.main, SWEEP),
        *((*DESCRIPTION, "arrays.npz", "test.npz"), swept, 12),
        free=DEPTHS,
    ),
    Program(
        *("spinflow.sim.sweep --on emulator", sweep.main, [*SWEEP, "--on", "emulator"]),
        *((*DESCRIPTION, "arrays.npz"), swept, 8),
        free=DEPTHS,
    ),
    Program(
        *("spinflow.sim.verilate", building, [FOLDER], (*DESCRIPTION, *LISTS), printed, 12),
        free=("rtl/files.f", "taps.element_bits"),
    ),
    Program(
        *("spinflow.sim.depths", timing, [FOLDER], (*DESCRIPTION, *LISTS), printed, 5),
        free=("rtl/files.f",),
    ),
    Program(
        *("spinflow.hw.synth", synthesising, [FOLDER, "--out", "out.json"], (*DESCRIPTION, *LISTS)),
        *(printed, 5),
        free=("rtl/files.f",),
    ),
    Program(
        *("prepare.py", prepare.main, [FOLDER]),
        *((*DESCRIPTION, "accel.hwh", "accel.hwh", *LISTS, "rtl/accel.sv"), facts, 10),
        free=("rtl/files.f", "rtl/accel.sv", "accel.hwh"),
    ),
    Program(
        *("install.py", install.main, [FOLDER]),
        *((*DESCRIPTION, "accel.hwh", *VIVADO, *VIVADO), printed, 10),
        free=("vivado/out/result.json", "vivado/out/accel.hwh", "accel.hwh"),
    ),
    Program(
        *("deploy.py", deploy.main, ["xilinx@pynq", FOLDER, "--dry-run"]),
        *((*DESCRIPTION, "board/accel.json", "board/accel.json", "board/accel.hwh"), commands, 8),
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("of", PROGRAMS, ids=lambda of: of.name)
def test_a_mutated_bundle_is_refused_in_one_line_or_harmless(
    of: Program, good: Good, tmp_path: Path
) -> None:
    found = faults(bundles.subject(of, copy.deepcopy(good), tmp_path), tmp_path)
    assert not found, "\n".join(found)
