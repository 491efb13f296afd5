"""A small accelerator through yosys to the report: sizes that are known, sums, what goes wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from spinflow.hw.synth import __main__ as command
from spinflow.hw.synth import block, tables
from spinflow.hw.synth import report as reports
from spinflow.hw.synth.yosys import SynthesisError, synthesise
from tests.synth import accelerator

RESOURCES = ["LUT", "FF", "RAMB36", "DSP48"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return accelerator.write(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out") / "small.json"


@pytest.fixture(scope="module")
def report(bundle: Path, out: Path) -> dict[str, Any]:
    return reports.report(bundle, out)


def sums(areas: list[dict[str, Any]]) -> dict[str, float]:
    return {name: sum(area[name] for area in areas) for name in RESOURCES}


pytestmark = pytest.mark.slow


def test_blocks_of_known_size(report: dict[str, Any]) -> None:
    blocks = {block["module"]: [block[name] for name in RESOURCES] for block in report["blocks"]}
    assert blocks["held"] == [0, 8, 0, 0]
    assert blocks["lut_ram"] == [4, 3, 0, 0]
    assert blocks["block_ram"] == [0, 0, 1, 0]
    assert blocks["summed"] == [16, 48, 0, 0]
    assert blocks["counter_bank"][1] == 12


def test_blocks_add_up_to_the_total(report: dict[str, Any]) -> None:
    assert list(report["total"]) == RESOURCES
    assert sums([block for block in report["blocks"] if block["level"] == 1]) == report["total"]


def test_wrappers_are_the_difference_and_their_items_add_up(report: dict[str, Any]) -> None:
    wrappers = report["wrappers"]
    for name in RESOURCES:
        assert wrappers[name] == report["total"][name] - report["without_wrappers"][name]
    assert sums(list(wrappers["items"].values())) == {name: wrappers[name] for name in RESOURCES}
    assert wrappers["FF"] == wrappers["items"]["counters"]["FF"] == 12
    part = 100 * wrappers["LUT"] / report["total"]["LUT"]
    assert wrappers["percent_of_design"]["LUT"] == pytest.approx(part, abs=0.01)


def test_the_worst_path_is_the_adder(report: dict[str, Any]) -> None:
    deepest = report["logic"]["deepest"]
    assert deepest["levels"] == len(deepest["through"]) == 5
    assert deepest["through"][1:] == ["CARRY4"] * 4
    assert deepest["from"].startswith("u_sum.")


def test_work_and_fit(report: dict[str, Any]) -> None:
    work = report["work"]
    assert work["pixel_macs_per_frame"] == 27 * 4 * 30
    assert work["xnor_per_frame"] == 1200
    assert work["frames_per_s"] == 1e5
    assert work["macs_per_s_per_LUT"] == (1200 + 3240) * 1e5 / report["total"]["LUT"]
    assert report["fit"]["RAMB36"] == {"available": 140, "left": 139}
    assert tables.fits(report).startswith("Fits xc7z020clg400-1; left over: ")


def test_a_design_too_large_says_what_and_by_how_much(report: dict[str, Any]) -> None:
    fit = report["fit"] | {"LUT": {"available": 53200, "left": -1200}}
    said = tables.fits(report | {"fit": fit})
    assert said == "Does not fit xc7z020clg400-1: 1,200 LUT too many."


def test_the_report_says_whose_figures_they_are(report: dict[str, Any]) -> None:
    assert "yosys" in report["tool"]
    assert "not Vivado" in report["note"]
    assert "BNN-PYNQ CNV-W1A1" in tables.comparison([report])


def test_an_unchanged_bundle_is_not_synthesised_again(
    report: dict[str, Any], bundle: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise SynthesisError("called")

    monkeypatch.setattr(reports, "synthesise", refuse)
    assert reports.report(bundle, out) == report
    source = bundle / "rtl/accel.sv"
    text = source.read_text()
    try:
        source.write_text(text + "// changed\n")
        with pytest.raises(SynthesisError, match="called"):
            reports.report(bundle, out)
    finally:
        source.write_text(text)
    assert json.loads(out.read_text()) == report


def test_the_command_prints_and_writes(
    report: dict[str, Any], bundle: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(bundle), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "not Vivado" in said
    assert re.search(rf"^\| small +\| +{report['total']['LUT']} \|", said, re.MULTILINE)
    assert out.with_suffix(".md").read_text() in said


def test_no_bundle_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path), "--out", str(tmp_path / "out.json")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"spinflow: {tmp_path} is not a bundle: it has no accel.json; spinflow b"
    )
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda text: text.replace("d_i[7:0]", "d_i[7:0"), "accel.sv:"),
        (lambda text: text.replace("u_held (", "u_held (.no(), "), "'no'"),
        (
            lambda text: text.replace("bit WithErrors", "bit Errors").replace("(WithE", "(E"),
            "has no parameter WithErrors; it has Errors",
        ),
    ],
)
def test_what_yosys_refuses_is_one_line(
    broken: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = accelerator.write(tmp_path / "bundle", broken(accelerator.SOURCE))
    assert command.main([str(bundle), "--out", str(tmp_path / "out.json")]) == 1
    lines = capsys.readouterr().err.split("\n")
    assert len(lines) == 2
    assert said in lines[0]
    assert not (tmp_path / "out.json").exists()


def test_one_module_with_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert block.main(["weight_mem", "Width=36", "Depth=512"]) == 0
    said = capsys.readouterr().out
    assert "weight_mem Width=36 Depth=512 (pyosys" in said
    assert re.search(r"LUT [1-9]\d* .* RAMB36 (0\.5|1) ", said)
    assert re.search(r"[1-9] levels: ", said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "hw/rtl has no module nosuch"),
        (
            ["weight_mem", "Widht=3"],
            "module weight_mem has no parameter Widht; it has Width, Depth, ShallowDepth",
        ),
        (["weight_mem", "Width"], "Width is not of the form NAME=VALUE"),
    ],
)
def test_block_refuses(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert block.main(arguments) == 1
    assert capsys.readouterr().err == f"spinflow: {said}\n"


def test_a_killed_yosys_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    bundle = accelerator.write(tmp_path)
    with pytest.raises(SynthesisError, match="stopped with status 1 and no message"):
        synthesise([bundle / "rtl/accel.sv"], "accel", primitives="xilinx7")


def test_primitives_of_another_family_are_not_counted(tmp_path: Path) -> None:
    bundle = accelerator.write(tmp_path)
    with pytest.raises(SynthesisError, match="xilinx7, and these are ultrascale"):
        synthesise([bundle / "rtl/accel.sv"], "accel", primitives="ultrascale")
