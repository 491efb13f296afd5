"""Trainings with margins and flips: what is trained, and how it is held against the plain one."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from spinflow.model import store, train
from spinflow.model.training.write_errors import parse_rates, weight_names
from spinflow.model.zoo import RECIPES, network
from spinflow.papers import injection, measure
from spinflow.papers.item import Table
from tools import variants


def test_variants_are_held_against_the_plain_training() -> None:
    """Of one network and memory: one better, one worse, one alike, and one without weights."""
    gains = {"plain": 0.0, "margin": 0.05, "mcel-4": -0.05, "weights-drawn": 0.0001}
    rows = [
        {
            "network": f"lenet-mnist+{label}", "memory": "buffers", "rate": rate, "repeat": repeat,
            "images": 100, "accuracy": 0.9 - rate + gain + 0.001 * repeat,
        }
        for label, gain in gains.items()
        for rate in (0.0, 1e-2, 3e-2, 1e-1)
        for repeat in range(3 if rate else 1)
    ]  # fmt: skip
    rows.append({"network": "lenet-mnist+mcel-16", "skipped": "no trained weights"})
    table = Table.of((*measure.COLUMNS, *measure.ENDING), rows)
    item = next(item for item in injection.ITEMS if item.name == "training-maps")
    said = {line.what: line for line in item.lines(table)}
    assert len(said) == 4 + 3 * 3 + 1
    what = "LeNet-4, {}, tested at 0.03, less plain"
    better = said[what.format("margin loss")]
    assert better.ours == "92.10 - 87.10 = +5.00 points: better"
    assert better.interval.startswith("4.77 to 5.23 (Welch")
    assert said[what.format("MCEL, m = 4")].ours.endswith("= -5.00 points: worse")
    alike = "flips in weights, rate drawn from 1e-3 to 1e-1"
    assert said[what.format(alike)].ours.endswith("no difference that these repeats show")
    assert said["LeNet-4, MCEL, m = 16"].ours == "skipped: no trained weights"


def test_every_variant_has_a_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that the zoo lacks are trained with options that a recipe takes, and taken over."""
    asked: list[list[str]] = []

    def fake(words: list[str]) -> int:
        asked.append(words)
        options = train._parser().parse_args(words)
        recipe = dataclasses.replace(RECIPES[words[0]], **train._chosen(options))
        names = weight_names(network(words[0]))
        assert set(parse_rates(recipe.weight_errors, names)) <= set(names)
        errors = recipe.weight_errors != "0" or recipe.activation_errors != "0"
        assert errors == (recipe.label.split("-")[0] in ("weights", "maps", "conditions"))
        longer = recipe.label.endswith(("-longer", "-longest"))
        assert longer or recipe.epochs == variants.EPOCHS[words[0]]
        assert recipe.threads == 1
        assert not recipe.teacher
        for path in store.files_of(options.out.name, options.out):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(recipe.label)
        return 0

    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "mlp-mnist+plain.json").touch()
    monkeypatch.setattr(store, "ZOO", zoo)
    monkeypatch.setattr(variants.train, "main", fake)
    monkeypatch.setattr(variants.papers, "main", len)
    monkeypatch.setattr(sys, "argv", ["variants", "--out", str(tmp_path / "out")])
    assert variants.main() == 4
    files = [f"{role.network}.json" for role in injection.TRAINED if "+" in role.network]
    assert len(asked) == len(files) - 1
    for name in set(files) - {"mlp-mnist+plain.json"}:
        assert (zoo / name).read_text() == name.partition("+")[2].removesuffix(".json")
    # What is further training of one network leaves the others alone.
    asked.clear()
    (zoo / "cnv-cifar10+plain.json").unlink()
    (zoo / "lenet-mnist+plain.json").unlink()
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--networks", "cnv-cifar10"])
    assert variants.main() == 4
    assert [words[0] for words in asked] == ["cnv-cifar10"] and "--initial" in asked[0]
