"""HLS kernels through Vitis HLS, which is played: commands, their order, and what must stop it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinflow.hls.kernels import vitis
from spinflow.hls.kernels.catalogue import FOLDER, KERNELS
from spinflow.hls.paths import BuildError
from spinflow.hw import boards
from tests.hls.played_vitis import REPORT, Played

SMALL = ("label_select", "Labels=4", "Pe=2", "InBits=3", "--cases", "20")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2022.2", "2024.1", ""], ids=["oldest", "newer", "vitis-run"])
def test_all_steps(version: str, tmp_path: Path) -> None:
    played, out = Played(tmp_path, version), tmp_path / "out"
    done = played.run(*SMALL, "--out", str(out), "--vitis")
    assert done.returncode == 0, done.stderr
    assert "label_select Labels=4 Pe=2 InBits=3: 20 cases agree" in done.stdout
    assert "977 LUT, 412 FF, 1 BRAM_18K, 0 DSP, 6.912 ns, 70 to ? cycles a call" in done.stdout
    assert (out / "out" / "label_select_top.zip").exists()
    flags = f"-std=c++14 -I{out} -I{FOLDER} -I{FOLDER}/top"
    files = " ".join(str(out / name) for name in ("inputs.txt", "outputs.txt", "expected.txt"))
    assert played.calls() == [
        "open_project -reset project",
        "set_top label_select_top",
        f"add_files {FOLDER}/top/label_select_top.cpp -cflags {{{flags}}}",
        f"add_files -tb {FOLDER}/bench/label_select_bench.cpp -cflags {{{flags} -I{FOLDER}/bench}}",
        "open_solution -reset solution -flow_target vivado",
        f"set_part {boards.board().part}",
        f"create_clock -period {1000 / boards.board().clock_mhz:g} -name default",
        f"csim_design -argv {{{files}}}",
        "csynth_design",
        f"cosim_design -rtl verilog -argv {{{files}}}",
        "export_design -format ip_catalog -rtl verilog -vendor spinflow -library hls -ipname "
        f"label_select_top -version 1.0 -output {out}/out/label_select_top.zip",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("step", vitis.STEPS)
def test_a_step_that_fails_is_named(step: str, tmp_path: Path) -> None:
    command = f"{step}_design"
    done = Played(tmp_path).run(*SMALL, "--out", str(tmp_path / "out"), "--vitis", fails=command)
    assert done.returncode == 1
    assert f"spinflow: {step} of label_select_top failed: played to fail" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_only_the_steps_that_are_named(tmp_path: Path) -> None:
    played = Played(tmp_path)
    done = played.run(*SMALL, "--out", str(tmp_path / "out"), "--vitis", "csynth")
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in played.calls()[-2:]] == ["create_clock", "csynth_design"]
    done = played.run(*SMALL, "--out", str(tmp_path / "out"), "--vitis", "csim", "export")
    assert done.stderr == "spinflow: cosim and export need csynth before them\n"


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_is_simulated_as_vitis_would(kernel: str, tmp_path: Path) -> None:
    """The script names all files and flags that a bench needs, and the bench fails by itself."""
    played, out = Played(tmp_path), tmp_path / "out"
    done = played.run(kernel, "--cases", "5", "--out", str(out), "--vitis", "csim")
    assert done.returncode == 0, done.stderr
    assert "5 cases agree" in (out / vitis.LOG).read_text()


def test_without_vitis_one_line_says_what_is_needed(tmp_path: Path) -> None:
    played = Played(tmp_path)
    (played.bins / "vitis_hls").unlink()
    done = played.run(*SMALL, "--vitis")
    assert done.returncode == 1
    assert done.stderr.startswith("spinflow: neither vitis_hls nor vitis-run is on PATH")
    assert len(done.stderr.splitlines()) == 1


def test_a_vitis_that_is_too_old_is_refused(tmp_path: Path) -> None:
    done = Played(tmp_path, "2021.1").run(*SMALL, "--vitis")
    assert done.stderr == "spinflow: this is Vitis HLS 2021.1; 2022.2 or newer is needed\n"


@pytest.mark.parametrize(
    "report",
    ["", "<profile/>", REPORT.replace("6.912", "soon"), REPORT.replace("977", "many")],
    ids=["empty", "bare", "period", "area"],
)
def test_a_report_of_another_form_is_refused(report: str, tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(report)
    with pytest.raises(BuildError, match=r"x\.xml: not the report of C synthesis"):
        vitis.read_estimate(path)
