"""Generated variants: where they are made, all in one build, and a sample met by the benches."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinflow.host.core.sources import source_files
from tests.hw import runner
from tests.hw.catalogue import CASES, Case
from tests.hw.mutation import equal, run, schema, verdicts
from tests.hw.mutation.__main__ import COUNT
from tests.hw.mutation.sites import Site, sites

TEXT = """\
module m #(
  parameter int unsigned Width = 2 + 3
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [1:0] a_i,
  output logic [Width-1:0] b_o
);
  if (Width > 4) begin : gen_guard
    $error("too wide");
  end
`ifdef SYNTHESIS
  assign b_o = a_i + 7;
`else
  assign b_o = a_i[1 + 0] && !a_i[0] ? 5'd3 : '0;
`endif
`ifndef SYNTHESIS
  assign c_o = a_i - 9;
`endif
  logic [1:0] c_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) c_q <= '0;
    else c_q <= 2'(a_i + 1'b1);
  end
endmodule
"""
CHANGES = {
    ("|| for &&", "(a_i[1 + 0]) || (!a_i[0])"),
    ("right side of && lost", "!(!(a_i[1 + 0]))"),
    ("left side of && lost", "!(!(!a_i[0]))"),
    ("negation lost", "!(!(a_i[0]))"),
    ("choice reversed", "!(a_i[1 + 0] && !a_i[0]) ? 5'd3 : '0"),
    ("other constant", "5'd4"),
    ("other constant", "'1"),
    ("condition always true", "1'b1"),
    ("condition never true", "1'b0"),
    ("negation lost", "!(!(rst_ni))"),
    ("assignment lost", "c_q"),
    ("- for +", "(a_i) - (1'b1)"),
    ("other constant", "1'd0"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.sv").write_text(TEXT, encoding="utf-8")
    return tmp_path


def site_of(file: str, old: str, new: str) -> Site:
    """A change of a text that its file has once."""
    source = (runner.RTL / file).read_bytes()
    assert source.count(old.encode()) == 1
    start = source.index(old.encode())
    return Site(file, start, start + len(old), old, new, "by hand", 1)


def test_what_is_changed(folder: Path) -> None:
    """Everything that is decided at run time, and nothing that must be constant or is not read."""
    found = sites(folder / "m.sv")
    assert {(site.kind, site.new) for site in found} == CHANGES
    assert sum(site.kind == "assignment lost" for site in found) == 2
    for site in found:
        assert TEXT[site.start : site.end] == site.old
        assert TEXT.splitlines()[site.line - 1].count(site.old.split("\n", maxsplit=1)[0])


def test_all_in_one_text(folder: Path, tmp_path: Path) -> None:
    """Every change is in the text once, one within another too, and nothing else differs."""
    chosen = schema.choose(folder, 1000)
    assert len(chosen) == len(sites(folder / "m.sv"))
    schema.write(folder, chosen, tmp_path / "out")
    text = (tmp_path / "out" / "m.sv").read_text(encoding="utf-8")
    for number, site in chosen.items():
        assert text.count(f"(mutants_pkg::chosen == {number}) ? ({site.new}) : ") == 1
    schema.write(folder, {}, tmp_path / "none")
    assert (tmp_path / "none" / "m.sv").read_text(encoding="utf-8") == TEXT


def test_the_choice_depends_on_seed_and_file_alone(folder: Path) -> None:
    """The same numbers mean the same changes, also beside another file."""
    chosen = schema.choose(folder, 6)
    assert chosen == schema.choose(folder, 6) != schema.choose(folder, 6, seed=2)
    assert chosen.items() <= schema.choose(folder, 7).items()
    (folder / "n.sv").write_text(TEXT.replace("module m", "module n"), encoding="utf-8")
    both = schema.choose(folder, 12)
    assert chosen == {n: site for n, site in both.items() if site.file == "m.sv"}


@pytest.mark.parametrize("count", [0, 1, 7, 50, 111, 500])
def test_shares(count: int) -> None:
    """As many as asked for, or all that there are, of every file some."""
    sizes = {"a": 100, "b": 10, "c": 1, "d": 0}
    shares = schema.shares_of(sizes, count)
    assert sum(shares.values()) == min(count, 111)
    assert all(0 <= shares[name] <= size for name, size in sizes.items())
    if count == 50:
        assert shares == {"a": 45, "b": 4, "c": 1, "d": 0}


def test_every_file_meets_a_bench() -> None:
    """Each file's variants are met by some bench, of a module or of the whole accelerator."""
    whole = {file.name for file in source_files(run.BUNDLE)}
    for file in {site.file for site in schema.choose(runner.RTL, COUNT).values()}:
        assert run.own_cases(file) or run.other_cases(file) or file in whole, file


def test_what_a_bench_is_made_of() -> None:
    """Kept results are those of a bench with all that it imports, other benches among it."""
    names = {path.name for path in runner.bench_files("draw_engines")}
    assert names == {
        "draw_engines.py",
        "draw_engine.py",
        "draws.py",
        "base.py",
        "memories.py",
        "models.py",
    }
    assert "coded.py" in {path.name for path in runner.bench_files("coded_weights")}
    assert all(path.is_file() for case in CASES for path in runner.bench_files(case.bench))


@pytest.mark.skipif(not verdicts.LIST.exists(), reason="make mutants was not kept")
def test_the_list() -> None:
    """As many as promised, of every file that has places, enough of them caught or equal."""
    rows = verdicts.read(verdicts.LIST)
    assert len(rows) == COUNT
    assert len({row.number for row in rows}) == COUNT
    assert verdicts.holds(rows)
    assert {row.result for row in rows} <= {
        run.CAUGHT, run.PROVEN, run.ARGUED, run.SURVIVES,
    }  # fmt: skip


def test_arguments_are_of_this_rtl() -> None:
    """Each variant that is argued to be equal is one that can be made, and has a reason."""
    for entry in equal.arguments():
        lines = (runner.RTL / entry["file"]).read_text(encoding="utf-8").splitlines()
        assert any(
            (site.old, site.new) == (entry["old"], entry["new"])
            and lines[site.line - 1].strip() == entry["line"]
            for site in sites(runner.RTL / entry["file"])
        ), entry
        assert len(entry["reason"]) > 20


@pytest.mark.slow
def test_a_sample_is_caught_or_equal() -> None:
    """Every sixtieth variant; `make mutants` takes all."""
    chosen = schema.choose(runner.RTL, COUNT)
    rows = [verdicts.row_of(v) for v in run.examine(chosen, sorted(chosen)[7::60])]
    assert len(rows) == len(chosen) // 60
    assert [row for row in rows if row.result == run.SURVIVES] == []


def frames() -> Case:
    return next(case for case in CASES if case.bench == "stream_narrow")


@pytest.mark.slow
def test_equal_is_proven() -> None:
    """A condition stated the other way round is the same circuit."""
    old = "part_q == CountWidth'(Ratio - 2)"
    new = "CountWidth'(Ratio - 2) == part_q"
    assert equal.same(site_of("stream_narrow.sv", old, new), frames())


@pytest.mark.slow
def test_different_is_not_proven() -> None:
    """Another condition is another circuit."""
    old = "part_q == CountWidth'(Ratio - 2)"
    new = "part_q <= CountWidth'(Ratio - 2)"
    assert not equal.same(site_of("stream_narrow.sv", old, new), frames())
