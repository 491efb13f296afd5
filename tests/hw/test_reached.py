"""What is counted as reached: of counts as Verilator writes them, and of a bench as it runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.hw import reached, reached_page, runner
from tests.hw.catalogue import CASES
from tests.hw.reached import Point

TEXT = """\
module m (
  input  logic clk_i,
  input  logic a_i,
  output logic b_o
);
  function automatic logic constant();
    return 1'b1;
  endfunction
  assign b_o = a_i;
`ifdef SYNTHESIS
  always_ff @(posedge clk_i) c_q <= 1'b1;
`endif
  always_ff @(posedge clk_i) begin
    if (a_i) c_q <= 1'b1;
    else begin
      c_q <= 1'b0;
      d_q <= 1'b0;
    end
  end
endmodule
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "m.sv").write_text(TEXT, encoding="utf-8")
    return tmp_path / "m.sv"


def counts(taken: int, other: int) -> Counter[Point]:
    """What is counted if the condition holds in some cycles and does not in others."""
    return Counter({
        Point("m.sv", 14, 5, "branch", "if", "14"): taken,
        Point("m.sv", 14, 6, "branch", "else", "15-17"): other,
        Point("m.sv", 13, 3, "line", "block", "13,19"): taken + other,
        Point("m.sv", 3, 16, "toggle", "a_i:0->1", ""): min(taken, other),
        Point("m.sv", 3, 16, "toggle", "a_i:1->0", ""): 0,
        Point("n.sv", 14, 5, "branch", "if", "14"): 7,
    })  # fmt: skip


def test_lines_of_statements() -> None:
    """Of processes and functions, not of what simulation does not read, nor of declarations."""
    assert reached.statement_lines(TEXT.encode()) == {7, 14, 16, 17}


@pytest.mark.parametrize(
    ("taken", "other", "parts"),
    [(3, 2, (3, 2, 1)), (3, 0, (1, 1, 0)), (0, 2, (2, 1, 0))],
)
def test_found(file: Path, taken: int, other: int, parts: tuple[int, int, int]) -> None:
    """A line, branch or toggle counts as reached if all that begins there was."""
    found = reached.found_in(file, counts(taken, other), [])
    all_parts = found.lines, found.branches, found.toggles
    assert all_parts == tuple(zip(parts, (4, 2, 2), strict=True))
    assert "line 7" in found.missed  # nothing was counted there: it was not built


def test_left_out(file: Path) -> None:
    """A function is left out by its name, a line by its text; what is not there is an error."""
    entries = [
        {"file": "m.sv", "function": "constant", "reason": "it is a constant"},
        {"file": "m.sv", "line": "d_q <= 1'b0;", "reason": "for this test"},
        {"file": "n.sv", "line": "of another file", "reason": "for this test"},
    ]
    found = reached.found_in(file, counts(1, 1), entries)
    assert (found.lines, found.left_out, found.missed) == ((2, 2), 2, [])
    with pytest.raises(ValueError, match="nothing like"):
        reached.found_in(file, counts(1, 1), [{"file": "m.sv", "line": "gone", "reason": ""}])


def test_what_is_left_out_is_there() -> None:
    """Each entry of the list fits our RTL and has a reason."""
    entries = reached.left_out()
    for file in {entry["file"] for entry in entries}:
        assert reached.excluded_lines(runner.RTL / file, entries)
    assert all(len(entry["reason"]) > 20 for entry in entries)


@pytest.mark.skipif(not reached.KEPT.exists(), reason="make coverage was not kept")
def test_enough_is_reached() -> None:
    """The figures of the page are of all modules and at least 98 % of the lines."""
    kept = reached.kept()
    assert set(kept) == {file.stem for file in runner.RTL.glob("*.sv")}
    run, every = (sum(of.lines[i] for of in kept.values()) for i in (0, 1))
    assert run >= reached.LEAST * every


def test_the_page_is_up_to_date() -> None:
    """Its tables are those that its figures make."""
    assert reached_page.page() == reached_page.PAGE.read_text(encoding="utf-8")


def test_every_bench_has_a_case() -> None:
    """No bench is left behind when the catalogue changes."""
    benches = (Path(reached.__file__).parent / "benches").glob("*.py")
    tests = {path.stem for path in benches if "@cocotb.test" in path.read_text(encoding="utf-8")}
    ours = {file.stem for file in runner.RTL.glob("*.sv")}
    assert tests & ours == {case.bench for case in CASES}


@pytest.mark.slow
def test_a_bench_is_measured() -> None:
    """The bench of a small module reaches all its lines, and its counts are of our RTL alone."""
    case = next(case for case in CASES if case.bench == "frame_trim")
    found = reached.counts_in(reached.measured(case))
    assert {point.file for point in found} <= {file.name for file in runner.RTL.glob("*.sv")}
    of = reached.found_in(runner.RTL / "frame_trim.sv", found, [])
    assert of.lines[0] == of.lines[1] > 0
    assert 0 < of.toggles[0] <= of.toggles[1]
