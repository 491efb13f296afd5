"""The trainings of Tzoufras 2019, figures 1 to 4: networks at each error rate of activations.

Each (network, seed, rate) is a training of ``spinflow train`` in a folder of its own, with its
recipe and accuracy as JSON; a training that was stopped goes on. The table has a row for each that
is finished; beside the zoo's weights it is what the figures are made of. Under torchrun all
processes train together on ImageNet, and the first one writes.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinflow.model.data import CLASSES_OF_IMAGENET, dataset, locate, open_imagenet
from spinflow.model.networks.graph import XnorSpec
from spinflow.model.training import loop, processes
from spinflow.model.training.checkpoint import CHECKPOINT
from spinflow.model.training.feeds import Feed
from spinflow.model.training.feeds import imagenet as imagenet_feed
from spinflow.model.training.feeds.imagenet import ImageNetFeed
from spinflow.model.training.feeds.memory import MemoryFeed
from spinflow.model.training.recipe import Recipe
from spinflow.model.zoo import RECIPES, network
from spinflow.papers.item import ReproduceError, Setting, Table
from spinflow.papers.tzoufras import CLASSES, COLUMNS, FIGURES, MEMORY, RATES, SEEDS

ALEXNET = "alexnet-imagenet"
"""The network that is trained with fewer classes, too."""


@dataclass(frozen=True)
class Training:
    """One training of a figure.

    Attributes:
        name: of the network in the table; AlexNets of fewer classes have names of their own.
        recipe: how it is trained.
        classes: of ImageNet, 0 for another data set. Fewer than all are drawn with its seed.
    """

    name: str
    recipe: Recipe
    classes: int = 0

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return f"{self.name}+{self.recipe.label}"

    @property
    def facts(self) -> str:
        """Path of its JSON file in the folder of all."""
        file = self.recipe.network if self.classes else self.folder
        return f"{self.folder}/{file}.json"

    def recorded(self) -> dict[str, Any]:
        """What its JSON file must have as the recipe."""
        recipe = dataclasses.asdict(self.recipe)
        return {key: recipe[key] for key in imagenet_feed.FIELDS} if self.classes else recipe

    def agrees(self, facts: dict[str, Any], as_long: bool) -> bool:
        """Whether a JSON file is of this training.

        Args:
            facts: of the file.
            as_long: whether it has to have had as many epochs, and on the same device. A row says
                how many it had; `spinflow train --all` takes as many as fit a time.
        """
        free = () if as_long else ("epochs", "hold", "device")
        ours = {name: value for name, value in self.recorded().items() if name not in free}
        defaults = dataclasses.asdict(Recipe(self.recipe.network))  # an older file has fewer
        theirs = defaults | facts["recipe"]
        return all(theirs[name] == value for name, value in ours.items())

    def run(self, out: Path, data_dir: Path | None) -> None:
        """Train, or go on with it, in a folder."""
        loop.train(self._feed(data_dir), out, resume=True)

    def _feed(self, data_dir: Path | None) -> Feed:
        recipe, spec = self.recipe, network(self.recipe.network)
        if not self.classes:
            return MemoryFeed(recipe, dataset(spec.dataset, data_dir))
        assert isinstance(spec, XnorSpec)
        pictures = open_imagenet(
            locate("imagenet", data_dir),
            self.classes,
            None if self.classes == CLASSES_OF_IMAGENET else recipe.seed,
            crop=spec.shape[0],
        )
        # Threads that decode, shared out over the processes.
        workers = max(1, len(os.sched_getaffinity(0)) // processes.rank_and_count()[1])
        return ImageNetFeed(recipe, spec.with_classes(self.classes), pictures, workers)


def planned(name: str, epochs: int | None = None, device: str = "cpu") -> Iterator[Training]:
    """Return the trainings of a figure, whole curves first.

    Args:
        name: of the figure.
        epochs: of each; None for those of the network's recipe.
        device: "cpu" or "cuda".
    """
    for role in FIGURES[name]:
        classes = CLASSES.get(role.network, 0)
        plain = RECIPES[ALEXNET if classes else role.network]
        for seed in SEEDS:
            for rate in RATES:
                recipe = dataclasses.replace(
                    plain,
                    seed=seed,
                    epochs=plain.epochs if epochs is None else epochs,
                    activation_errors=f"{rate:g}",
                    device=device,
                    label=f"activations-{rate:g}-seed-{seed}",
                )
                yield Training(role.network, recipe, classes)


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
        ValueError: the folder holds trainings of other recipes, or the data are not there.
    """
    if name not in FIGURES:
        raise ReproduceError(f"{name} has no trainings here, those that have: {', '.join(FIGURES)}")
    command = f"{Setting().command(name)} --train --out FOLDER"
    if epochs is not None:
        command += f" --epochs {epochs}"
    path = folder / f"{name}.csv"
    wanted = list(planned(name, epochs, device))
    if processes.started_together() and not all(training.classes for training in wanted):
        raise ReproduceError(f"{name} is trained by one process: start it without torchrun")
    as_long = epochs is not None
    table(folder, wanted, command, as_long)  # refuses another's folder before anything is trained
    with processes.together(device):
        first = processes.is_first()
        for training in wanted:
            if not (folder / training.facts).is_file():
                out = folder / training.folder
                training.run(out, data_dir)
                if first:
                    (out / CHECKPOINT).unlink(missing_ok=True)
                    table(folder, wanted, command, as_long).write(path)
        if first:
            table(folder, wanted, command, as_long).write(path)
    return path


def table(folder: Path, wanted: list[Training], command: str, as_long: bool) -> Table:
    """Return the finished trainings of a folder, in the order of network, rate and seed.

    Args:
        folder: of the trainings.
        wanted: those of the figure.
        command: that makes the table.
        as_long: whether each must have had as many epochs as is wanted.

    Raises:
        ReproduceError: one was trained with another recipe than is wanted here.
    """
    networks = list(dict.fromkeys(training.name for training in wanted))

    def order(training: Training) -> tuple[int, float, int]:
        recipe = training.recipe
        return networks.index(training.name), float(recipe.activation_errors), recipe.seed

    rows: list[dict[str, object]] = []
    for training in sorted(wanted, key=order):
        path, recipe = folder / training.facts, training.recipe
        if not path.is_file():
            continue
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not training.agrees(facts, as_long):
            raise ReproduceError(f"{path}: trained with another recipe; choose another --out")
        rows.append(
            {
                "network": training.name,
                "memory": MEMORY,
                "rate": float(recipe.activation_errors),
                "repeat": recipe.seed - SEEDS[0],
                "seed": recipe.seed,
                "images": facts["test_images"],
                "accuracy": facts["test_accuracy"],
                "epochs": facts["recipe"]["epochs"],
                "weights_sha256": facts["weights_sha256"],
                "training": facts["command"],
                "command": command,
            }
        )
    return Table.of(COLUMNS, rows)
