"""Trainings within a stated time: one, and many at a time."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tqdm import tqdm

from spinflow.model import store, train_all, zoo
from spinflow.model.data import Dataset
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import NetworkSpec
from spinflow.model.training import checkpoint
from spinflow.model.training.budget import Budget, OutOfTimeError, seconds
from spinflow.model.training.checkpoint import CHECKPOINT
from spinflow.model.training.feeds.memory import MemoryFeed
from spinflow.model.training.loop import Trainer, train
from spinflow.model.training.recipe import Recipe
from tests import processes

RECIPE = Recipe("tiny", epochs=40, batch=256, validation=256)


class Clock:
    """A clock that goes on by a stated time at each look."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90.0), ("10min", 600.0), ("1.5h", 5400.0), ("2 h", 7200.0)]
)
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["10", "0s", "-1min", "1d", "min", "nan s", "1e9s", ""])
def test_no_times(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time, valid: as 90s, 10min or 2h"):
        seconds(text)


def test_as_many_epochs_as_fit() -> None:
    """100 s, a tenth of them in reserve, and 4 s an epoch: 22 of 40 epochs."""
    clock = Clock(0.0)
    budget = Budget(100.0, 40, clock)
    recipe = budget.begin(RECIPE)
    assert (recipe.epochs, recipe.hold) == (40, 8)
    for epoch in range(1, 60):
        began = budget.start_epoch(recipe, epoch - 1, 4.0)
        clock.now += 4.0
        recipe = budget.fitted(recipe, epoch, budget.since(began))
        if epoch == recipe.epochs:
            break
    assert epoch == recipe.epochs == 22 and recipe.hold == 4


def test_a_slower_machine_after_the_hold_ends_it() -> None:
    clock = Clock(0.0)
    budget = Budget(100.0, 40, clock)
    recipe = budget.begin(RECIPE)
    clock.now = 4.0
    recipe = budget.fitted(recipe, 1, 4.0)
    assert budget.fitted(dataclasses.replace(recipe), recipe.hold + 1, 50.0) == recipe
    clock.now = 80.0
    with pytest.raises(OutOfTimeError, match=r"over after 7 of 22 epochs of tiny: .* --resume"):
        budget.start_epoch(recipe, 7, 20.0)


def test_no_budget_takes_more_than_the_recipe_or_none() -> None:
    for whole in 1e-3, 1e6:
        clock = Clock(0.0)
        budget = Budget(whole, 40, clock)
        clock.now = 1.0
        recipe = budget.fitted(budget.begin(RECIPE), 1, 1.0)
        assert recipe.epochs == (1 if whole < 1 else 40)
        assert 0 <= recipe.hold < recipe.epochs


def test_stages_keep_their_length() -> None:
    clock = Clock(0.0)
    stages = dataclasses.replace(RECIPE, network="tiny-conv", float_epochs=10)
    budget = Budget(20.0, 40, clock)
    clock.now = 1.0
    recipe = budget.fitted(budget.begin(stages), 1, 1.0)
    assert (recipe.float_epochs, recipe.epochs, recipe.hold) == (10, 18, 1)


@pytest.mark.slow
def test_a_training_with_a_budget_repeats_without(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever number of epochs fits: the recipe that is written down gives the same weights."""
    monkeypatch.setattr(Budget, "since", lambda *_: 1.5)  # three looks at the clock an epoch
    budget = Budget(40.0, 40, Clock(0.5))
    feed = MemoryFeed(budget.begin(RECIPE), small)
    weights, facts = train(feed, tmp_path / "a", budget=budget)
    told = json.loads(facts.read_text(encoding="utf-8"))["recipe"]
    assert 1 < told["epochs"] < 40 and told["hold"] >= told["epochs"] // 5
    again = train(MemoryFeed(Recipe(**told), small), tmp_path / "b")
    assert again[0].read_bytes() == weights.read_bytes()


def test_out_of_time_leaves_a_checkpoint_that_goes_on(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    trainer = Trainer(MemoryFeed(dataclasses.replace(RECIPE, epochs=3), small))
    with tqdm(disable=True) as bar:
        trainer.run_epoch(bar)
    trainer.save(tmp_path / CHECKPOINT)
    before = (tmp_path / CHECKPOINT).read_bytes()
    recipe = dataclasses.replace(RECIPE, epochs=3)
    assert checkpoint.planned(tmp_path / CHECKPOINT) == (3, 0)
    assert checkpoint.progress_of(tmp_path / CHECKPOINT) == (1, 3)
    over = Budget(1.0, 3, Clock(5.0))
    with pytest.raises(OutOfTimeError, match="over after 1 of 3 epochs"):
        train(MemoryFeed(recipe, small), tmp_path, resume=True, budget=over)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    weights, _ = train(MemoryFeed(recipe, small), tmp_path, resume=True)
    whole, _ = train(MemoryFeed(recipe, small), tmp_path / "whole")
    assert weights.read_bytes() == whole.read_bytes()


def test_all_are_the_papers_networks_without_hardware() -> None:
    """Of CIFAR-10, beside the hardware's own network and its teacher."""
    others = {
        name
        for name, entry in zoo.ENTRIES.items()
        if entry.spec.dataset == "cifar10" and not name.startswith("cnv-")
    }
    assert set(train_all.ORDER) == others


def test_no_checkpoint_is_too_large_to_go_on_from() -> None:
    """Weights, the best ones and Adam's two moments, in floats, and as much again for the rest."""
    for name, entry in zoo.ENTRIES.items():
        layers = [layer for layer in entry.spec.layers if layer.op != "pool"]
        weights = sum(math.prod(layer.weight_shape) for layer in layers)
        assert 2 * 16 * weights < checkpoint.MOST_BYTES, name


def test_names_of_curves_are_those_of_the_papers() -> None:
    from spinflow.papers import trainings

    papers = {training.folder for training in trainings.planned("tzoufras-2")}
    found = train_all.jobs(["nin-cifar10"], ["0", "0.05", "0.5"], [1, 5])
    assert len(found) == 6 and {job.name for job in found} <= papers


MINE = """
kind = "perceptron"
widths = [16, 8, 4]
dataset = "images.npz"

[recipe]
epochs = {epochs}
"""


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """Descriptions of two networks of one's own, with data, the second one long."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 600).astype(np.uint8)
    images = rng.integers(0, 256, (600, 16), dtype=np.uint8)
    np.savez(
        tmp_path / "images.npz",
        x_train=images[:500], y_train=labels[:500], x_test=images[500:], y_test=labels[500:],
    )  # fmt: skip
    for name, epochs in ("short", 2), ("long", 1_000_000):
        (tmp_path / f"{name}.toml").write_text(MINE.format(epochs=epochs), encoding="utf-8")
    return [str(tmp_path / f"{name}.toml") for name in ("short", "long")]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "spinflow", "train", "--all", *words]


@pytest.mark.slow
def test_all_within_a_budget(own: list[str], tmp_path: Path) -> None:
    """One ends by its recipe, the other by its budget; what is finished is not done anew.

    On a busy machine a training may need the budget of another run, or of two.
    """
    out, checkpoints = tmp_path / "out", tmp_path / "checkpoints"
    words = command(*own, "--out", str(out), "--budget", "40s", "--device", "cpu")
    words += ["--checkpoints", str(checkpoints)]
    for _ in range(6):
        done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        if (out / "short/short.json").is_file() and (out / "long/long.json").is_file():
            break
    for name, most in ("short", 2), ("long", 999_999):
        facts = json.loads((out / name / f"{name}.json").read_text(encoding="utf-8"))
        assert 1 <= facts["recipe"]["epochs"] <= most
        assert (out / name / f"{name}.safetensors").stat().st_size < 10_000
        assert f"{facts['test_accuracy']:.2%}" in done.stdout
    assert not list(out.rglob(CHECKPOINT)) and not list(checkpoints.rglob(CHECKPOINT))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False)
    assert again.returncode == 0 and "begun" not in again.stdout
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_all_interrupted_leaves_no_process_and_goes_on(own: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = command(own[1], "--out", str(out), "--budget", "1h", "--device", "cpu")
    process = processes.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found = out / "long" / CHECKPOINT
    end = time.monotonic() + 120
    while not found.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and said.count(b"\n") == 1
    assert checkpoint.progress_of(found)[0] >= 1
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(out) not in listed.stdout
    state = train_all.Trainings(
        argparse.Namespace(out=out, checkpoints=None, budget=1.0, together=1)
    ).lines([train_all.Job(own[1])])
    assert state[0][0] == "long" and state[0][2] == "not finished"


@pytest.mark.slow
def test_all_says_what_failed(own: list[str], tmp_path: Path) -> None:
    os.remove(tmp_path / "images.npz")
    words = command(own[0], "--out", str(tmp_path / "out"), "--budget", "60s", "--device", "cpu")
    done = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 1 and "failed" in done.stdout and "images.npz" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing-cifar10", "--budget", "1s"], "unknown network 'nothing-cifar10'"),
        (["vgg-cifar10", "vgg-cifar10", "--budget", "1s"], "is named twice"),
        (["--budget", "1s", "--rates", "0,2"], "'2' is no rate, valid: 0 to 1"),
        (["--budget", "soon"], "'soon' is no time"),
        ([], "--budget"),
    ],
)
def test_all_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = train_all.main([*words, "--out", str(tmp_path / "out")])
    except SystemExit as error:
        status = int(str(error.code))
    said = capsys.readouterr().err
    assert status in (1, 2) and message in said and len(said) < 300
    assert not (tmp_path / "out").exists()


def test_what_is_finished_is_what_is_asked_for(
    small: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another seed's network under the same name, or a damaged one, is not told as trained."""
    recipe = {"epochs": 2, "seed": 1, "activation_errors": "0"}
    folder = tmp_path / "tfc-mnist"
    model = untrained(zoo.network("tfc-mnist"), 1)
    weights, facts = store.save_trained(
        model, small.test_images, small.test_labels, {"recipe": recipe}, folder
    )
    words = ["tfc-mnist", "--budget", "1s", "--out", str(tmp_path)]
    assert train_all.main(words) == 0
    said = capsys.readouterr().out
    assert "2 epochs" in said and "begun" not in said
    assert train_all.main([*words, "--seeds", "2"]) == 1
    said = capsys.readouterr().err
    assert f"{facts}: was trained with seed = 1, not 2: choose another --out" in said
    weights.write_bytes(weights.read_bytes()[:-1])
    assert train_all.main(words) == 1
    said = capsys.readouterr().err
    assert str(weights) in said and said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(
        [folder.name, weights.name, facts.name]
    )


def test_a_teacher_is_looked_for_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the networks that have one; for others, `spinflow train` refuses the option."""
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **_: asked.append(words))
    options = argparse.Namespace(
        out=tmp_path, checkpoints=None, budget=1.0, together=1, device="cpu", data_dir=None,
        teacher_dir=Path("teachers"),
    )  # fmt: skip
    trainings = train_all.Trainings(options)
    for name in "cnv-cifar10", "vgg-cifar10":
        trainings._begin(train_all.Job(name), 1.0)
    assert [words[words.index("train") + 1] for words in asked] == ["cnv-cifar10", "vgg-cifar10"]
    assert asked[0][asked[0].index("--teacher-dir") + 1] == "teachers"
    assert "--teacher-dir" not in asked[1]


def test_a_damaged_checkpoint_does_not_hide_the_others(tmp_path: Path) -> None:
    """At the end of an hour of trainings there is a table."""
    (tmp_path / "tfc-mnist").mkdir()
    (tmp_path / "tfc-mnist" / CHECKPOINT).write_bytes(b"damaged")
    state = train_all.Trainings(
        argparse.Namespace(out=tmp_path, checkpoints=None, budget=1.0, together=1)
    ).lines([train_all.Job("tfc-mnist"), train_all.Job("mlp-mnist")])
    assert [line[1] for line in state] == ["not known", "not begun"]
    assert CHECKPOINT in state[0][2]


def test_a_training_that_was_killed_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def killed(*_: object, **__: object) -> subprocess.Popen[bytes]:
        return began([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])

    began = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", killed)
    assert train_all.main(["tfc-mnist", "--budget", "20s", "--out", str(tmp_path)]) == 1
    assert "failed   killed by SIGKILL" in capsys.readouterr().out


def test_a_variant_of_each_seed() -> None:
    found = [job.name for job in train_all.jobs(["vgg-cifar10"], [], [1, 2])]
    assert found == ["vgg-cifar10+seed-1", "vgg-cifar10+seed-2"]
    assert [job.name for job in train_all.jobs(["vgg-cifar10"], [], [7])] == ["vgg-cifar10"]
    assert store.ZOO.name == "zoo"
