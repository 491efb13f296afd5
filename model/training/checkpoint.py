"""The file that an interrupted training goes on from: its whole state, written in one step."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as packed
from torch import Tensor, nn

from spinflow.host.core.files import replace_bytes
from spinflow.host.core.text import one_line
from spinflow.model.files import check_tensors, read_tensors
from spinflow.model.training.feeds import Feed
from spinflow.model.training.recipe import Recipe

CHECKPOINT = "checkpoint.safetensors"
"""Name of the file in the folder of a training."""

KIND = "a checkpoint of spinflow train"

MOST_BYTES = 1 << 33
"""Bytes of the largest one that is read. A weight takes 16: itself, the best one, Adam's two."""

State = Mapping[str, Tensor]


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: epochs done.
        best_epoch: the one of them whose weights count; 0 before the first.
        best_correct: validation images that it labels rightly; -1 before the first.
        best: its parameters and statistics, by name.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_correct: int = -1
    best: State = dataclasses.field(default_factory=dict)


def save(
    path: Path, feed: Feed, progress: Progress, model: State, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint.

    Args:
        path: of the file.
        feed: gives what a training that goes on from it must agree with.
        progress: of the training.
        model: parameters, statistics and averages of the network, by name.
        optimizer: Adam.
    """
    tensors = {f"model.{name}": value for name, value in model.items()}
    tensors |= {f"best.{name}": value for name, value in progress.best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{index}.{name}": value for name, value in moments.items()}
    facts = {**_identity(feed), "epoch": progress.epoch}
    if feed.validation:
        facts |= {"best_epoch": progress.best_epoch, "best_correct": progress.best_correct}
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    replace_bytes(path, packed(tensors, {"spinflow": json.dumps(facts)}))


def load(
    path: Path, feed: Feed, state: State, best: State, optimizer: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Tensor]]:
    """Read a checkpoint, and give the optimizer its state.

    Args:
        path: of the file.
        feed: of the training that is to go on from it.
        state: of the network, as `save` got it, by name; types and shapes count.
        best: parameters and statistics of the network alone, likewise.
        optimizer: Adam, with the parameters in the order of the checkpoint.

    Returns:
        The progress, and the state of the network.

    Raises:
        ValueError: the file is not a checkpoint (a pickled one, say), is damaged, or belongs to
            another recipe, network, other classes or another number of processes.
    """
    facts, tensors = read_tensors(path, KIND, MOST_BYTES)
    progress = _progress(path, facts, feed)

    def part(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

    check_tensors(path, part("model."), state)
    progress.best = part("best.")
    # Before the first epoch with binary weights there is no best one.
    if progress.best or (progress.epoch > feed.recipe.float_epochs and feed.validation):
        check_tensors(path, progress.best, best)
    moments: dict[int, dict[str, Tensor]] = {}
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    for number, parameter in enumerate(parameters):
        found = part(f"adam.{number}.")
        if found:  # an epoch without a step leaves none
            check_tensors(path, found, _moments(parameter))
            moments[number] = found
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    return progress, part("model.")


def planned(path: Path) -> tuple[int, int]:
    """Return the epochs, and those held, of the training that a checkpoint belongs to.

    Raises:
        ValueError: the file is not a checkpoint, or is damaged.
    """
    facts, _ = read_tensors(path, KIND, MOST_BYTES)
    recipe = facts.get("recipe")
    if not isinstance(recipe, dict):
        recipe = {}
    epochs, hold = recipe.get("epochs"), recipe.get("hold")
    if type(epochs) is not int or type(hold) is not int:
        raise ValueError(f"{path}: not {KIND}, or damaged: it does not say how far it was to come")
    return epochs, hold


def progress_of(path: Path) -> tuple[int, int]:
    """Return the epochs that are done and those of the whole training of a checkpoint.

    Raises:
        ValueError: the file is not a checkpoint, or is damaged.
    """
    facts, _ = read_tensors(path, KIND, MOST_BYTES)
    if type(facts.get("epoch")) is not int:
        raise ValueError(f"{path}: not {KIND}, or damaged: it does not say how far it had come")
    return facts["epoch"], planned(path)[0]


def _moments(parameter: nn.Parameter) -> dict[str, Tensor]:
    return {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}


def _identity(feed: Feed) -> dict[str, Any]:
    """Return what a checkpoint names of the training that it belongs to."""
    return {"recipe": recorded(feed), **feed.origin}


def recorded(feed: Feed) -> dict[str, Any]:
    """Return the fields of the recipe that count, as checkpoints and the results name them."""
    return {name: getattr(feed.recipe, name) for name in feed.fields}


def _progress(path: Path, facts: dict[str, Any], feed: Feed) -> Progress:
    """Return the progress that a file's facts tell of, if they are those of this training."""
    wrong = ValueError(f"{path}: not {KIND}, or damaged: it does not say how far it had come")
    theirs = facts.get("recipe")
    if not isinstance(theirs, dict):
        raise wrong
    # A checkpoint may be older than some of the options.
    theirs = {field.name: field.default for field in dataclasses.fields(Recipe)[1:]} | theirs
    epoch = facts.get("epoch")
    best_epoch, best_correct = (
        facts.get(name) if feed.validation else epoch if name == "best_epoch" else 0
        for name in ("best_epoch", "best_correct")
    )
    if not (
        type(epoch) is type(best_epoch) is type(best_correct) is type(theirs["hold"]) is int
        and 0 <= best_epoch <= epoch
        and -1 <= best_correct <= feed.validation
    ):
        raise wrong
    _compare(path, theirs | facts, feed, epoch)
    return Progress(epoch, best_epoch, best_correct)


def _compare(path: Path, theirs: Mapping[str, Any], feed: Feed, epoch: int) -> None:
    """Raise ValueError if a checkpoint was begun with other options that count."""
    mine = recorded(feed)
    # As long as the first learning rate is held, hold and number of epochs may change.
    held = epoch <= feed.recipe.float_epochs + min(theirs["hold"], feed.recipe.hold)
    for name, value in (mine | dict(feed.origin)).items():
        if theirs.get(name) != value and not (held and name in ("epochs", "hold")):
            raise ValueError(
                f"{path}: was begun with {name} = {one_line(theirs.get(name), 80)}, not "
                f"{one_line(value, 80)}; resume with the same options, or choose another --out"
            )
