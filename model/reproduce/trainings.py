"""The trainings of Tzoufras 2019, figures 1 and 2: networks at each error rate of activations.

Each (network, seed, rate) is a training of ``model.train`` in a folder of its own, with its recipe
and accuracy as JSON; a training that was stopped goes on. The table has a row for each that is
finished; beside the zoo's weights it is what the figures are made of.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from model.data import dataset
from model.networks import network
from model.reproduce.base import ReproduceError, Setting, Table
from model.reproduce.tzoufras import COLUMNS, FIGURES, MEMORY, RATES, SEEDS
from model.train import CHECKPOINT, RECIPES, Recipe, train


def recipes(name: str, epochs: int | None = None, device: str = "cpu") -> Iterator[Recipe]:
    """Return the recipe of each training of a figure, whole curves first.

    Args:
        name: of the figure.
        epochs: of each; None for those of the network's recipe.
        device: "cpu" or "cuda".
    """
    for role in FIGURES[name]:
        plain = RECIPES[role.network]
        for seed in SEEDS:
            for rate in RATES:
                yield dataclasses.replace(
                    plain,
                    seed=seed,
                    epochs=plain.epochs if epochs is None else epochs,
                    activation_errors=f"{rate:g}",
                    device=device,
                    label=f"activations-{rate:g}-seed-{seed}",
                )


def run(
    name: str,
    folder: Path,
    epochs: int | None = None,
    device: str = "cpu",
    data_dir: Path | None = None,
) -> Path:
    """Do the trainings of a figure that a folder lacks, and write their table after each.

    Args:
        name: of the figure.
        folder: for the trainings and the table.
        epochs: of each; None for those of the network's recipe.
        device: "cpu" or "cuda".
        data_dir: one's own copy of the data.

    Returns:
        The table.

    Raises:
        ValueError: the folder holds trainings of other recipes.
    """
    if name not in FIGURES:
        raise ReproduceError(f"{name} has no trainings here, those that have: {', '.join(FIGURES)}")
    command = f"{Setting().command(name)} --train --out FOLDER"
    if epochs is not None:
        command += f" --epochs {epochs}"
    path = folder / f"{name}.csv"
    wanted = list(recipes(name, epochs, device))
    table(folder, wanted, command)  # refuses another's folder before anything is trained
    for recipe in wanted:
        out = _folder(folder, recipe)
        if not _facts(out, recipe).is_file():
            data = dataset(network(recipe.network).dataset, data_dir)
            train(recipe, data, out, resume=True)
            (out / CHECKPOINT).unlink(missing_ok=True)
            table(folder, wanted, command).write(path)
    table(folder, wanted, command).write(path)
    return path


def table(folder: Path, wanted: list[Recipe], command: str) -> Table:
    """Return the finished trainings of a folder, in the order of network, rate and seed.

    Raises:
        ReproduceError: one was trained with another recipe than is wanted here.
    """
    networks = list(dict.fromkeys(recipe.network for recipe in wanted))

    def order(recipe: Recipe) -> tuple[int, float, int]:
        return networks.index(recipe.network), float(recipe.activation_errors), recipe.seed

    rows: list[dict[str, object]] = []
    for recipe in sorted(wanted, key=order):
        path = _facts(_folder(folder, recipe), recipe)
        if not path.is_file():
            continue
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["recipe"] != dataclasses.asdict(recipe):
            raise ReproduceError(f"{path}: trained with another recipe; choose another --out")
        rows.append(
            {
                "network": recipe.network,
                "memory": MEMORY,
                "rate": float(recipe.activation_errors),
                "repeat": recipe.seed - SEEDS[0],
                "seed": recipe.seed,
                "images": facts["test_images"],
                "accuracy": facts["test_accuracy"],
                "epochs": recipe.epochs,
                "weights_sha256": facts["weights_sha256"],
                "training": facts["command"],
                "command": command,
            }
        )
    return Table.of(COLUMNS, rows)


def _folder(folder: Path, recipe: Recipe) -> Path:
    return folder / f"{recipe.network}+{recipe.label}"


def _facts(out: Path, recipe: Recipe) -> Path:
    return out / f"{recipe.network}+{recipe.label}.json"
