"""The trainings of Tzoufras 2019, figure 1: LeNet-4 at each error rate of its activations.

Each (seed, rate) is a training of ``model.train`` in a folder of its own, with its recipe and
accuracy as JSON; a training that was stopped goes on. The table has a row for each finished one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from model.data import dataset
from model.networks import network
from model.reproduce.base import Table
from model.reproduce.tzoufras import COLUMNS, LENET, RATES, SEEDS, TRAININGS
from model.train import CHECKPOINT, RECIPES, Recipe, train


def recipes(epochs: int | None = None) -> Iterator[Recipe]:
    """Return the recipe of each training, whole curves first.

    Args:
        epochs: of each; None for those of the network's recipe.
    """
    plain = RECIPES[LENET.network]
    for seed in SEEDS:
        for rate in RATES:
            yield dataclasses.replace(
                plain,
                seed=seed,
                epochs=epochs or plain.epochs,
                activation_errors=f"{rate:g}",
                label=f"activations-{rate:g}-seed-{seed}",
            )


def run(folder: Path, epochs: int | None = None, data_dir: Path | None = None) -> Path:
    """Do the trainings that a folder lacks, and write their table after each.

    Args:
        folder: for the trainings and the table.
        epochs: as :func:`recipes`.
        data_dir: one's own copy of the data.

    Returns:
        The table.

    Raises:
        ValueError: the folder holds trainings of other recipes.
    """
    data = dataset(network(LENET.network).dataset, data_dir)
    path = folder / TRAININGS.name
    wanted = list(recipes(epochs))
    for recipe in wanted:
        out = folder / recipe.label
        if not _facts(out, recipe).is_file():
            train(recipe, data, out, resume=True)
            (out / CHECKPOINT).unlink(missing_ok=True)
            table(folder, wanted).write(path)
    table(folder, wanted).write(path)
    return path


def table(folder: Path, wanted: list[Recipe]) -> Table:
    """Return the finished trainings of a folder, in the order of rate and seed.

    Raises:
        ValueError: one was trained with another recipe than is wanted here.
    """
    rows: list[dict[str, object]] = []
    for recipe in sorted(wanted, key=lambda recipe: (float(recipe.activation_errors), recipe.seed)):
        path = _facts(folder / recipe.label, recipe)
        if not path.is_file():
            continue
        facts = json.loads(path.read_text())
        if facts["recipe"] != dataclasses.asdict(recipe):
            raise ValueError(f"{path}: trained with another recipe; choose another --out")
        rows.append(
            {
                "network": recipe.network,
                "memory": "activations",
                "rate": float(recipe.activation_errors),
                "repeat": recipe.seed - SEEDS[0],
                "seed": recipe.seed,
                "images": facts["test_images"],
                "accuracy": facts["test_accuracy"],
                "epochs": recipe.epochs,
                "weights_sha256": facts["weights_sha256"],
                "command": facts["command"],
            }
        )
    return Table.of(COLUMNS, rows)


def _facts(out: Path, recipe: Recipe) -> Path:
    return out / f"{recipe.network}+{recipe.label}.json"
