"""The page of sizes: what it says of a report, and that it is made from the reports beside it."""

import json
from pathlib import Path
from typing import Any

import pytest

from spinflow.hw.synth import page, tables

AREA = {"LUT": 1234, "FF": 2000, "RAMB36": 1.5, "DSP48": 0}
ROUTE = {
    "levels": 3,
    "delay_estimate_ns": 4.5,
    "from": "u_a.x_q (FDRE.Q)",
    "to": "u_b.y_q (FDRE.D)",
    "through": ["LUT2", "CARRY4", "CARRY4"],
}
REPORT: dict[str, Any] = {
    "network": "some-net",
    "part": "xc7z020clg400-1",
    "tool": "yosys",
    "total": AREA,
    "cells": {"LUT_memory": 34, "RAMB18": 1, "CARRY4": 2, "MUXF": 0, "LC_estimate": 1000},
    "fit": {name: {"available": 2 * used + 1, "left": used + 1} for name, used in AREA.items()},
    "blocks": [
        {"name": "shell", "module": "accel_shell", "level": 1, **AREA},
        {"name": "shell.u.counter_bank", "module": "counter_bank", "level": 2, **AREA},
    ],
    "without_wrappers": AREA,
    "wrappers": {**AREA, "percent_of_design": AREA, "percent_added": AREA, "items": {"x": AREA}},
    "logic": {"deepest": ROUTE, "slowest": ROUTE},
    "work": {
        "xnor_per_frame": 1000,
        "pixel_macs_per_frame": 0,
        "cycles_per_frame": 256,
        "clock_mhz": 100.0,
        "frames_per_s": 390625.0,
        "macs_per_s": 3.90625e8,
        "macs_per_s_per_LUT": 316552.0,
    },
}


def test_a_report_becomes_a_section_and_a_row() -> None:
    made = page.page([REPORT])
    assert "## some-net, 256 cycles a frame\n" in made
    assert "1 LUT2, 2 CARRY4" in made
    rows = [line.split("|")[1:5] for line in made.split("\n") if line.startswith("| some-net")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["some-net", "1,234", "1,000", "1.5"],
        ["some-net", "1,234", "2,000", "1.5"],
    ]


def test_published_rates_follow_from_published_cycles() -> None:
    lines = tables.comparison([REPORT]).split("\n")
    lfc = next(line for line in lines if "LFC-W1A1" in line)
    assert [cell.strip() for cell in lfc.split("|")[2:8]] == [
        "",
        "28,360",
        "110",
        "512",
        "195,312",
        "568",
    ]


def test_a_clock_that_the_estimate_does_not_allow_is_marked() -> None:
    slow = {**REPORT, "logic": {"deepest": ROUTE, "slowest": {**ROUTE, "delay_estimate_ns": 10.1}}}
    assert "390,625 *" in tables.comparison([slow]) and "does not allow" in tables.comparison(
        [slow]
    )
    made = tables.comparison([REPORT])
    assert "*" not in made and "390,625 " in made
    row = next(line for line in made.split("\n") if line.startswith("| some-net"))
    assert [cell.strip() for cell in row.split("|")[-4:-1]] == ["50.0", "4.5", "1"]


def test_a_report_of_modules_that_are_gone_is_marked() -> None:
    blocks = [*REPORT["blocks"], {"name": "b.x", "module": "error_maker", "level": 2, **AREA}]
    made = tables.comparison([REPORT, {**REPORT, "blocks": blocks}])
    assert made.count("some-net †") == 1 and "older RTL" in made
    assert "†" not in tables.comparison([REPORT])
    assert tables.title({**REPORT, "blocks": blocks}).endswith(", of older RTL")


def test_sizes_of_vivado_stand_beside_those_of_yosys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(page, "ROUTED", tmp_path / "routed")
    monkeypatch.setattr(page, "VIVADO", tmp_path / "vivado")
    monkeypatch.setattr(page, "PAGE", tmp_path / "size.md")
    used = {"LUT": 1111, "FF": 2222, "RAMB36": 0.5, "DSP48": 0}
    sizes = {
        "network": "some-net", "tool": "Vivado 2023.2", "clock_mhz": 100.0, "wns_ns": 0.31,
        "cycles_per_frame": 256, "accelerator": used,
        "blocks": [{"name": "shell", "level": 1, **used}, {"name": "fc9", "level": 1, **used}],
    }  # fmt: skip
    for name, content in ("given", REPORT), ("sizes", sizes):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert page.main([str(tmp_path / "given.json"), str(tmp_path / "sizes.json")]) == 0
    lines = (tmp_path / "size.md").read_text().split("\n")
    assert "By Vivado 2023.2, routed, worst slack 0.31 ns at 100 MHz:" in lines
    cells = [[c.strip() for c in line.split("|")[1:6]] for line in lines if "1,111" in line]
    assert cells == [
        ["some-net", "1,111", "1,234", "2,222", "2,000"],
        ["shell", "1,111", "1,234", "2,222", "2,000"],
        ["fc9", "1,111", "", "2,222", ""],
    ]


def test_reports_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(page, "ROUTED", tmp_path / "routed")
    monkeypatch.setattr(page, "PAGE", tmp_path / "size.md")
    given = tmp_path / "given.json"
    given.write_text(json.dumps(REPORT))
    assert page.main([str(given)]) == 0
    assert (tmp_path / "size.md").read_text() == page.page([REPORT])
    assert json.loads((tmp_path / "reports/some-net-256.json").read_text()) == REPORT


END = {"block": "fc0.popcount", "module": "popcount_tree", "signal": "count_o"}
ROUTED: dict[str, Any] = {
    "kind": "spinflow route",
    "network": "some-net",
    "cycles_per_frame": 256,
    "part": "LFE5U-85F",
    "grade": "CABGA756, speed 8",
    "tool": "nextpnr",
    "fmax_mhz": 101.23,
    "least_mhz": 98.76,
    "seeds": {"1": 98.76, "2": 101.23},
    "use": {"LUT4": {"used": 1234, "available": 83640}},
    "slowest": {"delay_ns": 9.88, "wires_ns": 5.56, "levels": 7, "from": END, "to": END},
}


def test_routed_designs_have_a_section_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(page, "ROUTED", tmp_path / "routed")
    monkeypatch.setattr(page, "PAGE", tmp_path / "size.md")
    for name, report in ("synth", REPORT), ("route", ROUTED):
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    assert page.main([str(tmp_path / "synth.json"), str(tmp_path / "route.json")]) == 0
    assert json.loads((tmp_path / "routed/some-net-256.json").read_text()) == ROUTED
    made = (tmp_path / "size.md").read_text()
    assert made == page.page([REPORT], [ROUTED]) != page.page([REPORT])
    assert "**Routed on LFE5U-85F (CABGA756, speed 8): another family than the board's" in made
    (row,) = [line for line in made.split("\n") if "101.2" in line]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells == ["some-net", "256", "101.2", "98.8 of 2", "9.9", "5.6", "1,234"]
    assert "from `fc0.popcount` (popcount_tree) `count_o`" in made

    (tmp_path / "route.json").write_text(json.dumps(ROUTED | {"part": "xc7z020"}))
    assert page.main([str(tmp_path / "route.json")]) == 1
    assert "is for xc7z020: the page has LFE5U-85F" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["missing.json", "broken.json"])
def test_what_is_no_report_is_one_line(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(page, "PAGE", tmp_path / "size.md")
    (tmp_path / "broken.json").write_text("{")
    assert page.main([str(tmp_path / given)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("spinflow: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "size.md").exists()
