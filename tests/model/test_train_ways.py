"""The tool that measures what shortens a training: its ways, its teacher and its table."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path

import pytest

from spinflow.model import train
from spinflow.model.networks.graph import XnorSpec
from spinflow.model.training.recipe import Recipe
from spinflow.model.zoo import RECIPES, network, read
from tools import recipes


@pytest.mark.parametrize("name", ["lenet-fashion-mnist", "cnv-cifar10"])
def test_a_teacher_has_the_layers_in_floats(name: str, tmp_path: Path) -> None:
    spec, path = network(name), tmp_path / "floats.toml"
    path.write_text(recipes.of_floats(spec))
    floats = read(path).spec
    assert isinstance(floats, XnorSpec) and floats.dataset == spec.dataset
    for ours, theirs in zip(spec.layers, floats.layers, strict=True):
        assert (ours.op, ours.source, ours.result) == (theirs.op, theirs.source, theirs.result)
        assert not theirs.binary
    assert read(path).recipe.batch == 128


def test_ways_differ_from_plain_by_what_they_say(tmp_path: Path) -> None:
    found: dict[str, Recipe] = {}
    for way, options in recipes.WAYS.items():
        words = shlex.split(f"{recipes.WITHOUT} {options}".format(fifth=2, stage=4, teacher="t"))
        chosen = train._chosen(
            train._parser().parse_args(["cnv-cifar10", *words, "--out", str(tmp_path)])
        )
        found[way] = dataclasses.replace(RECIPES["cnv-cifar10"], epochs=10, **chosen)
    plain = found.pop(recipes.PLAIN)
    assert (plain.hold, plain.crop, plain.flip, plain.teacher, plain.bfloat16) == (
        0,
        0,
        False,
        "",
        True,
    )
    assert len(set(found.values()) | {plain}) == len(recipes.WAYS)
    both = found["teacher and two stages"]
    assert dataclasses.replace(both, teacher="", float_epochs=0) == plain


def test_the_table_and_the_picture_compare_equal_seeds(tmp_path: Path) -> None:
    rows = [
        dict(zip(recipes.COLUMNS, (way, seed, "6", correct, "1000", took), strict=True))
        for way, seed, correct, took in (
            (recipes.PLAIN, "1", "800", "10.0"),
            (recipes.PLAIN, "2", "820", "10.0"),
            ("teacher", "1", "810", "12.0"),
            ("teacher", "2", "834", "14.0"),
            ("float32", "2", "820", "20.0"),
        )
    ]
    # Gains of 1.0 and 1.4 points; half of the interval of two is 12.706 times 0.2.
    assert recipes.table(rows).splitlines()[2:] == [
        "| plain | 81.00 |  | 1.0 |",
        "| teacher | 82.20 | +1.20 ± 2.54 | 1.3 |",
        "| float32 | 82.00 | +0.00, one seed | 2.0 |",
    ]
    recipes.draw(rows, tmp_path / "gains.svg", "lenet")
    drawn = (tmp_path / "gains.svg").read_text(encoding="utf-8")
    assert "<!-- teacher -->" in drawn and "<!-- float32 -->" in drawn
    assert "<!-- plain -->" not in drawn and "<!-- teacher and two stages -->" not in drawn
    # Without a plain one of a seed there is nothing to compare with.
    assert recipes.table(rows[2:3]).splitlines()[2:] == ["| teacher | 81.00 |  |  |"]


def test_only_what_was_trained_for_as_many_epochs_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, ...]] = []

    def fake(name: str, way: str, seed: int, epochs: int, out: Path) -> recipes.Row:
        asked.append((name, way, seed, epochs))
        values = (way, str(seed), str(epochs), str(800 + epochs), "1000", "10.0")
        return dict(zip(recipes.COLUMNS, values, strict=True))

    monkeypatch.setattr(recipes, "measured", fake)
    monkeypatch.setattr(recipes, "KEPT", tmp_path)
    for epochs in "10", "20", "10":
        words = ["recipes", "--seeds", "1", "--ways", "plain", "--epochs", epochs]
        monkeypatch.setattr(sys, "argv", words)
        assert recipes.main() == 0
    assert [epochs for *_, epochs in asked] == [10, 20]
    assert capsys.readouterr().out.splitlines()[2::3] == [
        "| plain | 81.00 |  | 1.0 |",
        "| plain | 82.00 |  | 1.0 |",
        "| plain | 81.00 |  | 1.0 |",
    ]
    mark = "recipes of lenet-fashion-mnist"
    page = f"<!-- {mark}: begin -->\n<!-- {mark}: end -->"
    assert "| plain | 82.00 |" in recipes.with_tables(page)
