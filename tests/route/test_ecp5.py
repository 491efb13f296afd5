"""The quick network's accelerator, in acceptance all of them, routed for ECP5 in earnest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spinflow.host.core.sources import COMMAND, REPOSITORY, WORK
from spinflow.hw.route import paths, tables, tools
from spinflow.hw.route.__main__ import OUT
from spinflow.model.zoo import TESTED
from tests.conftest import QUICK

pytestmark = pytest.mark.slow

# In MHz. The same sources and tools give the same figure; this leaves room for other sources.
LEAST = {QUICK: 100.0}
NETWORKS = sorted(TESTED) if os.environ.get("SPINFLOW_FULL") else [QUICK]


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def report(network: str) -> dict[str, Any]:
    """What the command says of a network; reports that are up to date are not made again."""
    words = ["route", str(WORK / "build" / network)]
    done = subprocess.run(
        [sys.executable, *COMMAND, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((OUT / f"{network}.json").read_text())
    assert tables.one(found) in done.stdout
    return found


def test_the_part_holds_it_at_a_clock(
    network: str, report: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    bundle = json.loads((WORK / "build" / network / "accel.json").read_text())
    record_property(f"{network}_mhz", report["fmax_mhz"])
    assert (report["part"], report["primitives"]) == ("LFE5U-85F", "generic")
    assert report["build_id"] == bundle["build_id"]
    assert report["fmax_mhz"] == report["least_mhz"] == report["seeds"]["1"]
    assert report["fmax_mhz"] >= LEAST.get(network, 0.0)
    there = {name: entry["available"] for name, entry in report["use"].items()}
    assert there == {"LUT4": 83640, "FF": 83640, "DP16KD": 208, "DSP": 156}
    for name in "LUT4", "FF", "DP16KD":
        assert 0 < report["use"][name]["used"] < there[name]


def test_the_slowest_path_is_told_by_module_and_signal(report: dict[str, Any]) -> None:
    path = report["slowest"]
    assert path["delay_ns"] == pytest.approx(1000 / report["fmax_mhz"], abs=0.02)
    assert path["delay_ns"] == pytest.approx(path["logic_ns"] + path["wires_ns"], abs=0.02)
    for share in "logic_ns", "wires_ns":
        whole = sum(part[share] for part in path["through"])
        assert whole == pytest.approx(path[share], abs=0.01 * len(path["through"]) + 0.01)
    latest = report["latest_by_block"]
    arrivals = [end["arrival_ns"] for end in latest]
    # All but the set-up of the slowest path; many blocks have a path, each once.
    assert path["delay_ns"] - 0.6 <= arrivals[0] <= path["delay_ns"]
    assert arrivals == sorted(arrivals, reverse=True) and len(latest) > 20
    assert len({end["block"] for end in latest}) == len(latest)
    ours = {file.stem for file in (REPOSITORY / "hw/rtl").glob("*.sv")} | {"accel"}
    for end in path["from"], path["to"], *latest[:12]:
        assert end["module"] in ours | {"spinflow_regs"}, end
        assert re.search(r"[a-z]\w*", end["signal"]) and "TRELLIS_FF" not in end["signal"]


def test_the_bitstream_is_there_and_packs_to_the_same_again(
    report: dict[str, Any], tmp_path: Path
) -> None:
    image = (OUT / report["image"]["file"]).read_bytes()
    assert len(image) == report["image"]["bytes"] > 1 << 20
    assert hashlib.sha256(image).hexdigest() == report["image"]["sha256"]
    # What names the part in a bitstream of Lattice's, and its preamble.
    assert b"LFE5U-85F" in image[:200] and b"\xff\xff\xbd\xb3" in image[:200]
    code = f"import sys, {tools.PACKAGE} as t; sys.exit(t.run_ecpunpack(sys.argv[1:]))"
    (tmp_path / "given.bit").write_bytes(image)
    subprocess.run(
        [sys.executable, "-c", code, "given.bit", tools.CONFIGURATION], cwd=tmp_path, check=True
    )
    with open(tmp_path / "lock", "w", encoding="utf-8") as lock:
        assert tools.pack_ecp5(tmp_path, lock.fileno()) == image


def test_what_is_too_large_is_told_by_what() -> None:
    log = (
        "Info: \t              DP16KD:     250/    208   120%\n"
        "Info: \t        TRELLIS_COMB:   90000/  83640   107%\nERROR: placing failed\n"
    )
    assert tools.reason(log, 255, tools.ECP5) == (
        "the design does not fit LFE5U-85F: it takes 90,000 LUT4 of 83,640, 250 DP16KD of 208"
    )
    assert tools.reason("", -9, tools.ECP5).startswith("nextpnr was killed")


def test_a_report_without_a_path_is_refused() -> None:
    crossing = {"from": "<async>", "to": "posedge clk", "path": []}
    with pytest.raises(paths.RouteError, match="no path from register to register"):
        paths.from_report({"critical_paths": [crossing]})
