"""Conditions of its own for each memory: the file, and one trial of it wherever it is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spinflow.host import __main__ as host
from spinflow.host.core import bundle as bundles
from spinflow.host.core import stream
from spinflow.host.core.errors import HostError, InputError
from spinflow.host.sweep import grid as grids
from spinflow.host.sweep.conditions import read_conditions, text_of_conditions
from spinflow.host.sweep.operating_point import (
    aging_of,
    point_of_each,
    point_of_write_condition,
    point_without_errors,
)
from spinflow.host.sweep.results import Row, read
from spinflow.sim import sweep
from tests.host.rows import UNTIMED
from tools import same_rows

BUNDLE = Path(__file__).resolve().parents[2] / "build" / "tfc-mnist"
WORDS = {
    "fc0.weights": "exponential:current=150uA,pulse=51.2ns",
    "fc1.weights": "exponential:pulse=60ns",
    "fc2.weights": "exponential:pulse=70ns",
    "fc3.weights": "exponential:pulse=1e-7",
    "fc0.buffer": "exponential:pulse=30ns",
    "fc1.buffer": "exponential:pulse=20ns",
    "fc2.buffer": "exponential:pulse=80ns",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "conditions.toml"
    path.write_text(text_of_conditions(WORDS, "made\nby hand"), encoding="ascii")
    return path


def swept(folder: Path, *options: str) -> list[Row]:
    words = ["--bundle", str(BUNDLE), "--images", "20", "--repeats", "2", "--workers", "1"]
    assert sweep.main([*words, *options, "--out", str(folder)]) == 0
    return read(folder / "results.csv")


def test_conditions_of_another_network_are_refused(tmp_path: Path) -> None:
    """Its memories may have the same names; of a variant they are the same."""
    path = tmp_path / "conditions.toml"
    bundle = bundles.load(BUNDLE, runnable=False)
    for network, right in (
        ("", True), ("tfc-mnist", True), ("tfc-mnist+some", True), ("tfc-fashion-mnist", False),
    ):  # fmt: skip
        path.write_text(text_of_conditions(WORDS, "", network), encoding="ascii")
        plan = grids.make({"conditions": str(path), "repeats": 1})
        if right:
            assert len(plan.trials(bundle)) == 1
            continue
        with pytest.raises(InputError, match=f"are of {network}, not of tfc-mnist: take"):
            plan.trials(bundle)
    assert read_conditions(path) == point_of_each(dict(read_conditions(path).each))


def test_a_remark_of_any_letters_is_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "conditions.toml"
    path.write_text(text_of_conditions(WORDS, "made of\nbuild/a\x01\x1b[2Jµ"), encoding="utf-8")
    assert len(read_conditions(path).each) == len(WORDS)


def test_conditions_in_another_order_are_one_point(file: Path, tmp_path: Path) -> None:
    """A row that is there twice would make the file of rows unreadable."""
    other = tmp_path / "other.toml"
    other.write_text(text_of_conditions(dict(reversed(WORDS.items())), ""), encoding="ascii")
    rows = swept(tmp_path / "out", "--on", "evaluator", "--conditions", str(file), str(other))
    assert [row.repeat for row in rows] == [0, 1]


def test_a_file_holds_a_condition_for_each_memory(file: Path) -> None:
    point = read_conditions(file)
    assert dict(point.each) == {n: point_of_write_condition(text) for n, text in WORDS.items()}
    assert point.of("fc1.buffer").rate1 == max(p.rate1 for _, p in point.each) == point.rate1
    assert (point.drive, point.pulse_s) == (150e-6, 0.0)
    one = point_of_write_condition("exponential:pulse=60ns")
    assert one.of("fc1.buffer") is one
    alike = point_of_each({name: one for name in WORDS})
    assert alike.pulse_s == 60e-9 and alike.model != point.model


def test_each_memory_has_its_own_rates_and_energy(file: Path, tmp_path: Path) -> None:
    """Together they are what the memories are alone, in bits and joules."""
    together = swept(tmp_path / "all", "--on", "evaluator", "--conditions", str(file))
    assert [(row.memory, row.repeat, row.mode) for row in together] == [
        ("all", 0, "flip"), ("all", 1, "flip"),
    ]  # fmt: skip
    alone = [
        swept(tmp_path / name, "--on", "evaluator", "--memory", name, "--write-condition", words)
        for name, words in WORDS.items()
    ]
    for repeat, row in enumerate(together):
        own = [rows[repeat] for rows in alone]
        assert row.bits_written == sum(each.bits_written for each in own)
        assert row.energy_j == pytest.approx(sum(each.energy_j for each in own), rel=1e-12)
        assert row.conventional_j == pytest.approx(sum(e.conventional_j for e in own), rel=1e-12)
        # What is written into a map depends on the errors before it, whether a bit errs does not.
        assert row.errors == pytest.approx(sum(each.errors for each in own), rel=0.02)
        assert (row.energy_switched1_j, row.pulse_s, row.drive) == (0.0, 0.0, 150e-6)


def test_they_give_the_same_rows_everywhere(file: Path, tmp_path: Path) -> None:
    found = [
        [
            replace(row, backend="", **UNTIMED)
            for row in swept(tmp_path / on, "--on", on, "--conditions", str(file))
        ]
        for on in ("rtl", "evaluator", "emulator")
    ]
    assert found[0] == found[1] == found[2]
    # The tool that holds sweeps of larger networks against each other says the same.
    files = [str(tmp_path / on / "results.csv") for on in ("rtl", "emulator")]
    assert same_rows.main(files) == 0
    rows = read(Path(files[0]))
    wrong = replace(rows[1], switched=rows[1].switched - 1)
    assert "line 3: switched" in same_rows.difference(rows, [rows[0], wrong])


def test_rates_in_the_registers_are_those_of_the_file(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And `run` takes the file as `sweep` does."""
    words = ["run", "--bundle", str(BUNDLE), "--images", "20", "--conditions", str(file)]
    assert host.main(words) == 0
    shown = capsys.readouterr().out
    assert "7 conditions:" in shown and "one for each memory" in shown
    rates = [rate for _, own in read_conditions(file).each for rate in (own.rate1, own.rate0)]
    assert f"all in mode flip, rates of the memories {min(rates):g} to {max(rates):g}: " in shown
    (first, _) = swept(tmp_path / "out", "--on", "evaluator", "--conditions", str(file))
    assert f"errors     {first.errors} " in shown and f"accuracy   {first.accuracy:.4f}" in shown


def test_without_errors_each_has_its_conventional_write(file: Path) -> None:
    point = point_without_errors(read_conditions(file))
    assert not point.has_errors
    for name, own in point.each:
        assert own == point_without_errors(point_of_write_condition(WORDS[name]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"one table \[conditions\] expected"),
        ("[conditions]", r"one table \[conditions\] expected"),
        ('other = "x"\n[conditions]\n"a" = "b"', r"one table \[conditions\] expected"),
        ('network = 3\n[conditions]\n"a" = "b"', "network = 3: a name expected"),
        ("conditions = 3", r"one table \[conditions\] expected"),
        ('[conditions]\n"fc0.weights" = 3', "fc0.weights = 3: a write condition in quotes"),
        ('[conditions]\n"fc0.weights" = "none:pulse=1ns"', "fc0.weights: .*'none'"),
        ('[conditions]\n"fc0.weights" = "exponential"', "fc0.weights: .*no pulse"),
        ("[conditions", "not TOML"),
        (
            '[conditions]\n"a" = "exponential:pulse=9ns"\n"b" = "sun-gamma:pulse=2ns"',
            "one kind of drive",
        ),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="ascii")
    with pytest.raises(HostError, match=said) as caught:
        read_conditions(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"fc9.weights": "exponential:pulse=9ns"}, [], "fc9.weights, which tfc-mnist has not"),
        ({"fc0.weights": None}, [], "none of fc0.weights"),
        ({}, ["--retention-s", "10"], "retention and reads go with one write condition"),
        ({}, ["--memory", "fc9"], "fc9"),
    ],
)
def test_what_does_not_fit_the_network_is_one_line(
    change: dict[str, str | None],
    options: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "other.toml"
    words = {name: text for name, text in {**WORDS, **change}.items() if text is not None}
    path.write_text(text_of_conditions(words, "other"), encoding="ascii")
    given = ["--on", "evaluator", "--bundle", str(BUNDLE), "--conditions", str(path), *options]
    assert sweep.main([*given, "--out", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1 and len(shown) < 300
    assert not (tmp_path / "out").exists()


def test_a_file_for_a_part_serves_that_part(tmp_path: Path) -> None:
    """Memories that are not selected need no condition."""
    path = tmp_path / "part.toml"
    path.write_text(text_of_conditions({"fc0.buffer": WORDS["fc0.buffer"]}, "part"))
    row, _ = swept(
        tmp_path / "out", "--on", "evaluator", "--conditions", str(path), "--memory", "fc0.buffer"
    )
    (alone, _) = swept(
        tmp_path / "alone", "--on", "evaluator", "--write-condition", WORDS["fc0.buffer"],
        "--memory", "fc0.buffer",
    )  # fmt: skip
    assert (row.errors, row.accuracy) == (alone.errors, alone.accuracy)
    assert row.rate == alone.rate == stream.rate(stream.threshold(alone.rate))


def test_run_takes_one_kind_of_setting(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--bundle", str(BUNDLE), "--conditions", str(file), "--rate", "0.1"]
    assert host.main(words) == 1
    assert "--rate together with --conditions" in capsys.readouterr().err


def test_aging_goes_with_one_condition(file: Path) -> None:
    with pytest.raises(InputError, match="one write condition"):
        aging_of(read_conditions(file), 10.0, 0)
