"""Building the library: what it is made of, when it is built again, what it says when it cannot."""

import json
import re
import shutil
from pathlib import Path

import pytest

from spinflow.host.core.description import Tap
from spinflow.host.core.errors import BundleError
from spinflow.host.core.sources import REPOSITORY, source_files
from spinflow.sim import depths, verilate


def copied(bundle: Path, folder: Path) -> Path:
    """A bundle of its own, C++ and all, so that tests leave the real one alone."""
    return Path(shutil.copytree(bundle, folder / "copy"))


@pytest.mark.slow
def test_nothing_is_built_twice(bundle_folder: Path, tmp_path: Path) -> None:
    bundle = copied(bundle_folder, tmp_path)
    before = (bundle / "libaccel.so").stat().st_mtime_ns
    section = json.loads((bundle / "accel.json").read_text())["simulator"]
    # Another run of the bundle's build writes the description without the section.
    description = json.loads((bundle / "accel.json").read_text())
    del description["simulator"]
    (bundle / "accel.json").write_text(json.dumps(description))
    verilate.build(bundle)
    assert (bundle / "libaccel.so").stat().st_mtime_ns == before
    assert json.loads((bundle / "accel.json").read_text())["simulator"] == section


def test_what_only_the_compiler_needed_is_removed(bundle_folder: Path) -> None:
    left = [path.suffix for path in (bundle_folder / "obj_fast").iterdir()]
    assert ".cpp" in left
    assert not {".gch", ".o", ".a"} & set(left)


def test_no_logic_is_simulated_until_it_settles(bundle_folder: Path) -> None:
    """Logic in which Verilator sees a loop has triggers of its own, and is several times slower."""
    model = [path.read_text() for path in (bundle_folder / "obj_fast").glob("*___024root*.cpp")]
    assert any("___nba_sequent" in text for text in model)
    assert not any("___act_sequent" in text or "___act_comb" in text for text in model)


def test_a_failed_build_says_why_in_one_line(
    bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = copied(bundle_folder, tmp_path)
    before = (bundle / "accel.json").read_text()
    with open(bundle / "rtl" / "accel.sv", "a") as file:
        file.write("module broken(; endmodule\n")
    assert verilate.main([str(bundle)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("spinflow: Verilator or the C++ compiler failed: %Error: ")
    assert message.count("\n") == 1
    assert (bundle / "accel.json").read_text() == before
    assert (bundle / "libaccel.so").exists()


def test_files_that_are_not_there(
    bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rtl = tmp_path / "rtl"
    with pytest.raises(BundleError, match=r"files\.f is missing"):
        source_files(tmp_path)
    rtl.mkdir()
    (rtl / "files.f").write_text("hw/rtl/gone.sv\n")
    with pytest.raises(BundleError, match=r"files\.f lists hw/rtl/gone\.sv"):
        source_files(tmp_path)
    assert verilate.main([str(tmp_path)]) == 1
    assert "is not a bundle" in capsys.readouterr().err


def test_sources_of_both_folders(tmp_path: Path) -> None:
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    (rtl / "accel.sv").write_text("")
    (rtl / "files.f").write_text("hw/rtl/spinflow_pkg.sv\n\naccel.sv\n")
    package, top = source_files(tmp_path)
    assert package == REPOSITORY / "hw" / "rtl" / "spinflow_pkg.sv"
    assert top == (rtl / "accel.sv").resolve()


@pytest.mark.parametrize(
    "line",
    [
        *("+define+A=1", "+incdir+/etc", "-CFLAGS -fplugin=evil.so", "-f other.f", "--exe"),
        *("../accel.sv", "hw/rtl/../../x.sv", "/etc/passwd", "/tmp/x.sv", "sub/accel.sv"),
        *("$HOME/x.sv", "${HOME}/x.sv", "~/x.sv", "accel.cpp", "accel.f", "accel.sv accel.sv"),
        *(
            "// comment",
            "hw/README.md",
            ".sv",
            "a\x00.sv",
            "hw\\rtl\\x.sv",
            "accel.sv;id",
            "`id`.sv",
        ),
    ],
)
def test_a_list_of_sources_holds_file_names_alone(tmp_path: Path, line: str) -> None:
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    (rtl / "accel.sv").write_text("")
    (rtl / "files.f").write_text(f"accel.sv\n{line}\n")
    with pytest.raises(
        BundleError, match=r"files\.f, line 2: .*it must be the name of a Verilog file"
    ):
        source_files(tmp_path)


def test_a_list_of_sources_leads_nowhere_else(tmp_path: Path) -> None:
    rtl = tmp_path / "rtl"
    rtl.mkdir()
    (rtl / "files.f").write_text("accel.sv\n")
    (rtl / "accel.sv").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match=r"lists accel\.sv, which does not exist"):
        source_files(tmp_path)
    (rtl / "files.f").write_bytes("é.sv\n".encode())
    with pytest.raises(BundleError, match="not ASCII at byte 0"):
        source_files(tmp_path)
    (rtl / "files.f").write_text("hw/rtl/lut_pair.sv\nhw/rtl/lut_pair.sv\n")
    with pytest.raises(BundleError, match=r"two files of the name lut_pair\.sv"):
        source_files(tmp_path)
    (rtl / "files.f").write_text("\n")
    with pytest.raises(BundleError, match="lists 0 files"):
        source_files(tmp_path)


def test_taps_become_a_table() -> None:
    tap = Tap("fc0.buffer", "", "fc0_buffer", elements=5, element_bits=3, per_word=5)
    header = verilate.taps_header([tap])
    assert '{"fc0.buffer", 2,' in header
    assert (
        "if (!(root.accel__DOT__fc0_buffer_valid && root.accel__DOT__fc0_buffer_ready))" in header
    )
    assert "append<2>(record, root.accel__DOT__fc0_buffer_data)" in header


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "%Error-USERERROR: /a/b/run_ahead.sv:49:5: run_ahead: Ports 8 must be from 1 to 7",
            "the RTL refuses this design: run_ahead: Ports 8 must be from 1 to 7",
        ),
        (
            "%Error: /a/accel.sv:7:8: syntax error, unexpected ';'",
            "Verilator or the C++ compiler failed: %Error: /a/accel.sv:7:8: syntax error, "
            "unexpected ';'",
        ),
        (
            "taps.h:3:1: error: 'Tap' does not name a type",
            "Verilator or the C++ compiler failed: taps.h:3:1: error: 'Tap' does not name a type",
        ),
    ],
)
def test_the_reason_is_the_error_and_no_warning(line: str, reason: str) -> None:
    warning = "%Warning-WIDTH: /a/b/run_ahead.sv:3:4: Operator ADD expects 8 bits"
    assert verilate.reason_of(f"{warning}\n{line}\nmake: stopped\n") == reason
    assert verilate.reason_of("nothing\n").endswith(": no message")


@pytest.mark.parametrize("tool", ["simulator", "depths"])
def test_a_guard_of_the_rtl_stops_a_build_in_one_line(
    bundle_folder: Path, tmp_path: Path, tool: str
) -> None:
    bundle = copied(bundle_folder, tmp_path)
    top = bundle / "rtl" / "accel.sv"
    text, count = re.subn(r"(\.Labels +\(10\),\s+\.Pe +)\(1\)", r"\1(3)", top.read_text())
    assert count == 1
    top.write_text(text)
    with pytest.raises(verilate.BuildError) as refused:
        verilate.build(bundle) if tool == "simulator" else depths.build_timing(bundle, tmp_path)
    assert str(refused.value).startswith(
        "the RTL refuses this design: label_select: Pe 3 must divide Labels 10"
    )
    assert len(str(refused.value)) < 300
