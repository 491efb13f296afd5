"""Training repeats itself, and an interruption leaves no trace."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from model import train
from model.data import Dataset
from model.networks import NetworkSpec
from model.train import RECIPES, Recipe, Trainer

RECIPE = Recipe(
    "tiny", seed=3, epochs=4, batch=64, shift=1.0, rotate=10.0, zoom=0.1, validation=256
)


class InterruptedRunError(Exception):
    """Stands for the signal that ends a run."""


def test_same_seed_same_file(tiny: NetworkSpec, small: Dataset, tmp_path: Path) -> None:
    first, again = (train.train(RECIPE, small, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    other = train.train(dataclasses.replace(RECIPE, seed=4), small, tmp_path / "c")
    assert other[0].read_bytes() != first[0].read_bytes()


@pytest.mark.parametrize("after", [1, 3, 4])
def test_resumed_equals_uninterrupted(
    tiny: NetworkSpec,
    small: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    whole = train.train(RECIPE, small, tmp_path / "whole")
    save = Trainer.save

    def save_then_stop(self: Trainer, path: Path) -> None:
        save(self, path)
        if self.epoch == after:
            raise InterruptedRunError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", save_then_stop)
        with pytest.raises(InterruptedRunError):
            train.train(RECIPE, small, tmp_path / "parts")
    torch.manual_seed(999)
    resumed = train.train(RECIPE, small, tmp_path / "parts", resume=True)
    assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in whole]


def test_learns(tiny: NetworkSpec, small: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(dataclasses.replace(RECIPE, epochs=6), small)
    with train.tqdm(disable=True) as bar:
        while trainer.epoch < 6:
            trainer.run_epoch(bar)
    assert trainer.best_correct / RECIPE.validation > 0.5


def test_checkpoint_is_not_overwritten_or_mixed(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    train.train(recipe, small, tmp_path)
    before = (tmp_path / train.CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match="add --resume"):
        train.train(recipe, small, tmp_path)
    with pytest.raises(ValueError, match="begun with seed = 3, not 5"):
        train.train(dataclasses.replace(recipe, seed=5), small, tmp_path, resume=True)
    assert (tmp_path / train.CHECKPOINT).read_bytes() == before


def test_damaged_checkpoint(tiny: NetworkSpec, small: Dataset, tmp_path: Path) -> None:
    torch.save({"recipe": 1}, tmp_path / train.CHECKPOINT)
    with pytest.raises(ValueError, match=r"not a checkpoint of model\.train"):
        train.train(RECIPE, small, tmp_path, resume=True)


@pytest.mark.parametrize(
    "bad",
    [{"epochs": 0}, {"lr": float("nan")}, {"shift": -1.0}, {"seed": -1}, {"label_smoothing": 1.0}],
)
def test_recipe_refuses(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(bad))} is .*, valid: "):
        dataclasses.replace(RECIPE, **bad)  # type: ignore[arg-type]


def test_validation_must_leave_images(tiny: NetworkSpec, small: Dataset) -> None:
    with pytest.raises(ValueError, match="leaves 0 to train on"):
        Trainer(dataclasses.replace(RECIPE, validation=5000), small)


def test_command_repeats_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(recipe: Recipe, *rest: object) -> None:
        asked.append(recipe)
        raise ValueError("far enough")

    monkeypatch.setattr(train, "train", note)
    recipe = dataclasses.replace(RECIPES["tfc-mnist"], seed=7, lr=0.125, bfloat16=False)
    with pytest.raises(SystemExit, match=r"^error: far enough$"):
        train.main(recipe.command().split()[3:])
    assert asked == [recipe]


def test_distortions_keep_size_and_range(small: Dataset) -> None:
    images = torch.from_numpy(small.train_images[:100]).float()
    moved = train.distort(images, RECIPE, torch.Generator().manual_seed(1))
    assert moved.shape == images.shape
    assert float(moved.min()) >= 0.0 and float(moved.max()) <= 255.001
    still = dataclasses.replace(RECIPE, shift=0.0, rotate=0.0, zoom=0.0)
    assert train.distort(images, still, torch.Generator()) is images
