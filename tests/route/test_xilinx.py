"""The way to the xc7z020, with nextpnr-xilinx played: it cannot be had from a registry."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from spinflow.host.core.sources import COMMAND
from spinflow.hw.route import __main__ as command
from spinflow.hw.route import paths, tables, tools
from spinflow.hw.route.report import MAKERS
from tests import processes
from tests.route import small

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture
def chipdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = small.play_xilinx(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return found


def routed(bundle: Path, out: Path, *options: str) -> dict[str, Any]:
    assert command.main([str(bundle), "--out", str(out), *options]) == 0
    report: dict[str, Any] = json.loads(out.read_text())
    return report


def test_a_chip_database_routes_for_the_zynq(bundle: Path, chipdb: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "small.json"
    report = routed(bundle, out, "--chipdb", str(chipdb), "--seeds", "3")
    assert (report["part"], report["primitives"]) == ("xc7z020", "generic")
    assert report["seeds"] == {"1": 66.75, "2": 71.25, "3": 50.0}
    assert (report["fmax_mhz"], report["best_seed"]) == (71.25, 2)
    assert (report["least_mhz"], report["median_mhz"]) == (50.0, 66.75)
    assert report["use"] == {
        "SLICE_LUTX": {"used": 3010, "available": 106400},
        "SLICE_FFX": {"used": 4000, "available": 106400},
    }
    assert "no path from or to a block RAM" in report["note"]
    assert report["image"]["file"] == "small.fasm"
    image = (out.parent / "small.fasm").read_bytes()
    assert image.endswith(b"seed 2\n")
    assert hashlib.sha256(image).hexdigest() == report["image"]["sha256"]
    assert sorted(path.name for path in out.parent.iterdir()) == [
        *("small-seed-1.log", "small-seed-2.log", "small-seed-3.log", "small-yosys.log"),
        *("small.fasm", "small.json", "small.md"),
    ]


def test_an_unchanged_bundle_is_not_routed_again(
    bundle: Path, chipdb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "small.json"
    first = routed(bundle, out, "--chipdb", str(chipdb))
    assert "synthesising" in capsys.readouterr().err
    assert routed(bundle, out, "--chipdb", str(chipdb)) == first
    assert capsys.readouterr().err == ""
    (out.parent / "small.fasm").write_bytes(b"other")
    assert routed(bundle, out, "--chipdb", str(chipdb)) == first
    assert "synthesising" in capsys.readouterr().err


REFUSED = {
    "ERROR: Unable to place cell 'x', no Bels remaining": "nextpnr: Unable to place cell 'x', no",
    "Info: \t  RAMB36E1_RAMB36E1:   150/   140   107%\nERROR: no Bels": (
        "the design does not fit xc7z020: it takes 150 RAMB36E1_RAMB36E1 of 140"
    ),
    "terminate called": "nextpnr: stopped with status 255",
}


@pytest.mark.parametrize("said", REFUSED)
def test_a_failure_is_one_line_and_leaves_nothing(
    said: str, bundle: Path, chipdb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.play_xilinx(tmp_path, said)
    out = tmp_path / "out" / "small.json"
    assert command.main([str(bundle), "--out", str(out), "--chipdb", str(chipdb)]) == 1
    *_, last = capsys.readouterr().err.strip().split("\n")
    assert last.startswith(f"spinflow: {REFUSED[said]}")
    assert list(out.parent.iterdir()) == []


def test_a_kill_leaves_nothing_and_nobody(bundle: Path, chipdb: Path, tmp_path: Path) -> None:
    small.play_xilinx(tmp_path, "sleep")
    out = tmp_path / "out"
    words = ["route", str(bundle), "--out", str(out / "small.json"), "--chipdb", str(chipdb)]
    process = processes.start([sys.executable, *COMMAND, *words])
    started = tmp_path / "xc7z020.bin.pid"
    while not (started.exists() and started.read_text()):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert list(out.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_what_is_missing_is_named(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(*options: str) -> str:
        assert command.main([str(bundle), "--out", str(tmp_path / "x.json"), *options]) == 1
        return capsys.readouterr().err

    monkeypatch.setenv("SPINFLOW_CHIPDB", str(tmp_path / "none.bin"))
    assert said() == f"spinflow: the chip database {tmp_path}/none.bin is no file\n"
    chipdb = small.play_xilinx(tmp_path)
    assert "and nextpnr-xilinx is not on PATH" in said("--chipdb", str(chipdb))
    monkeypatch.delenv("SPINFLOW_CHIPDB")
    assert said("--seeds", "0") == "spinflow: 0 seeds: it must be 1 to 100\n"
    (tmp_path / "x.bit").mkdir()
    assert "x.bit: is there, and not a plain file" in said()
    (tmp_path / "x.bit").rmdir()
    monkeypatch.setattr(tools, "DISTRIBUTION", "yowasp-nextpnr-none")
    assert "yowasp-nextpnr-none is not installed: run make setup" in said()


def test_a_path_of_an_older_nextpnr_is_read() -> None:
    """The last report counts, which is of the routed design, and only paths between registers."""
    steps = paths.from_log(small.LOG)
    instances = {"u_accel": "accel", "u_accel.u_adder": "u_adder_type"}
    assert paths.describe(steps, instances) == {
        "delay_ns": 3.6,
        "logic_ns": 0.4,
        "wires_ns": 3.2,
        "levels": 1,
        "from": {"block": "adder", "module": "u_adder_type", "signal": "a_q"},
        "to": {"block": "(top)", "module": "accel", "signal": "kept_q"},
        "through": [
            {"block": "adder", "module": "u_adder_type", "logic_ns": 0.3, "wires_ns": 1.2},
            {"block": "(top)", "module": "accel", "logic_ns": 0.1, "wires_ns": 2.0},
        ],
    }
    with pytest.raises(paths.RouteError, match="no path from register to register"):
        paths.from_log("Info: nothing\n")


YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass(sys.argv[1], libyosys.Design())"


@pytest.mark.parametrize(("kind", "bits", "wrong"), [
    ("RAM64X1S", 6, False), ("RAM32X1S", 5, False), ("RAM64X1S", 6, True),
])  # fmt: skip
def test_lut_ram_that_it_takes_is_the_same(
    kind: str, bits: int, wrong: bool, tmp_path: Path
) -> None:
    """SAT: what replaces a RAM of one port answers as it does, for all inputs of five cycles."""
    pins = ", ".join(f".A{n}(a[{n}])" for n in range(bits))
    ram = f"{kind} #(.INIT(32'h89abcdef)) u (.O(o), {pins}, .D(d), .WCLK(c), .WE(w));"
    (tmp_path / "top.v").write_text(
        f"module top(input c, d, w, input [{bits - 1}:0] a, output o); {ram} endmodule\n"
    )
    mapped = tmp_path / "ram.v"
    text = Path(tools.__file__).with_name("xilinx_ram.v").read_text()
    mapped.write_text(text.replace(".A0 (A0)", ".A0 (A1)") if wrong else text)
    script = [
        f"read_verilog {tmp_path}/top.v", "read_verilog -lib +/xilinx/cells_sim.v",
        "hierarchy -top top", "copy top gate", f"techmap -map {mapped} gate",
        "select -assert-any gate/t:*X1D", "techmap -autoproc -map +/xilinx/cells_sim.v",
        "memory", "opt_clean", "rename top gold",
        "miter -equiv -flatten -make_assert gold gate miter", "hierarchy -top miter", "opt",
        "sat -verify -prove-asserts -seq 5 miter",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", YOSYS, "; ".join(script)], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if wrong:
        assert done.returncode != 0 and "model found" in done.stdout + done.stderr
    else:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_reports_depend_on_every_module() -> None:
    """A change of what makes a report makes it anew: of all but the command and its tables."""
    folder = Path(tools.__file__).parent
    there = {path.name for path in folder.iterdir() if path.suffix in (".py", ".v")}
    assert there - {"__init__.py", "__main__.py", "tables.py"} == set(MAKERS)


def test_the_screen_says_it_all(bundle: Path, chipdb: Path, tmp_path: Path) -> None:
    report = routed(bundle, tmp_path / "small.json", "--chipdb", str(chipdb), "--seeds", "2")
    said = tables.one(report)
    assert "71.25 MHz with seed 2, the best of 2; the least is 66.75, the median 69.00" in said
    assert "from `adder` (u_adder_type) `a_q` to `(top)` (accel) `kept_q`" in said
    assert report["image"]["sha256"] in said
