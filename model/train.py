"""The command that trains a network: same command, same seed, same file.

    spinflow train tfc-mnist --out out/tfc [--epochs N] [--seed S] [--resume]

A network described in a file of one's own, in any folder, gets its weights beside it:

    spinflow train nets/my.toml [--out FOLDER]

The epoch is chosen on the last training images, 5,000 or as many as the recipe says; the test set
is measured once, at the end.
Memories with write errors (``spinflow.model.training.write_errors``), or a loss that makes margins
wide, train a network that is to be used with errors:

    spinflow train mlp-mnist --weight-errors 1e-2 --label weights-1e-2 --out out/weights
    spinflow train lenet-mnist --activation-errors pool1=1e-3:1e-1 --error-mode switch ...
    spinflow train mlp-mnist --loss margin --margin 128 --label margin --out out/margin

Epochs are chosen, and the test set is measured, without errors; ``spinflow sweep`` measures with
them.

With --budget as many epochs are taken as fit a time; --all trains many networks at a time, each
in a process of its own (``spinflow.model.train_all``).

A network of ImageNet reads its pictures from the disk, trains for all epochs of its recipe, and
takes some of the classes or all of them. On several GPUs torchrun starts a process for each:

    spinflow train alexnet-imagenet --data-dir FOLDER --classes 10 --class-seed 1 --out out/alexnet
    torchrun --nproc-per-node 4 -m spinflow.model.train alexnet-imagenet --data-dir FOLDER \
      --out out/alexnet
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from spinflow.host.core import start
from spinflow.host.core.options import seed, whole
from spinflow.model import store, train_all
from spinflow.model.data import dataset, locate, open_imagenet, parse_classes
from spinflow.model.networks.base import TrainedNetwork
from spinflow.model.networks.graph import XnorSpec
from spinflow.model.training import conditions, loop, processes
from spinflow.model.training.budget import Budget, seconds
from spinflow.model.training.checkpoint import CHECKPOINT, planned
from spinflow.model.training.feeds import Feed
from spinflow.model.training.feeds import imagenet as imagenet_feed
from spinflow.model.training.feeds.imagenet import ImageNetFeed
from spinflow.model.training.feeds.memory import MemoryFeed
from spinflow.model.training.recipe import FIELDS, Recipe
from spinflow.model.zoo import RECIPES, Found, asked_for, find, network

OF_IMAGENET = ("classes", "class_seed", "workers")
"""Options that only networks of ImageNet have."""

EXAMPLE = "example: spinflow train tfc-mnist --epochs 3 --out out/tfc"


def epochs_in_words(facts: Mapping[str, Any]) -> str:
    """Return how long a network was trained: "60 epochs", or of part of a recipe "9 of 150 epochs".

    Args:
        facts: of the trained network, as the JSON file beside its weights has them; those of
            ImageNet's networks name the network outside of the recipe only.
    """
    epochs, planned = facts["recipe"]["epochs"], RECIPES[facts["network"]].epochs
    return f"{epochs} of {planned} epochs" if epochs < planned else f"{epochs} epochs"


def feed_of(recipe: Recipe, options: argparse.Namespace) -> Feed:
    """Return what feeds a network: its data set in memory, or ImageNet's files.

    Args:
        recipe: how the network is trained.
        options: of the command line.

    Raises:
        ValueError: the data are not there or damaged, or do not fit the recipe.
    """
    spec = network(recipe.network)
    if spec.dataset != "imagenet":
        data = dataset(spec.dataset, options.data_dir)
        return MemoryFeed(_fitting(recipe, len(data.train_images), options), data)
    assert isinstance(spec, XnorSpec)
    classes = parse_classes(options.classes or "1000")
    folder = locate("imagenet", options.data_dir)
    pictures = open_imagenet(folder, classes, options.class_seed, crop=spec.shape[0])
    spec = spec.with_classes(len(pictures.classes))
    return ImageNetFeed(recipe, spec, pictures, options.workers or 4)


def _fitting(recipe: Recipe, images: int, options: argparse.Namespace) -> Recipe:
    """Return a recipe with what nobody has stated small enough for so few training images."""
    entry = find(options.network).entry
    stated = entry.stated | {name for name in FIELDS if getattr(options, name) is not None}
    if not find(options.network).is_own:
        return recipe
    changes: dict[str, Any] = {}
    if "validation" not in stated:
        changes["validation"] = max(1, min(recipe.validation, images // 10))
    left = images - changes.get("validation", recipe.validation)
    if "batch" not in stated and recipe.parts == 1:
        changes["batch"] = max(1, min(recipe.batch, left // 4))
    return dataclasses.replace(recipe, **changes)


def main(arguments: list[str] | None = None) -> int:
    """Train a network as the command line says; return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if "--all" in words:
        return train_all.main([word for word in words if word != "--all"])
    options = _parser().parse_args(words)
    return start.finish(lambda: run(options), (ValueError,), "add --resume to go on")


def run(options: argparse.Namespace) -> None:
    """Train, and print where the weights are and how good they are."""
    found = _found(options.network)
    recipe = dataclasses.replace(RECIPES[found.name], **_chosen(options))
    out = options.out or found.folder
    # Beside a description, which may not be alone there, a checkpoint lies only while it is needed.
    kept = None if options.out else found.folder / f"{found.name}.{CHECKPOINT}"
    kept = options.checkpoint or kept
    budget = None
    if options.budget is not None:
        budget = Budget(options.budget, recipe.epochs)
        recipe = budget.begin(recipe)
        path = kept or out / CHECKPOINT
        if options.resume and path.exists():
            epochs, hold = planned(path)
            recipe = dataclasses.replace(recipe, epochs=epochs, hold=hold)
    with processes.together(recipe.device):
        feed = feed_of(recipe, options)
        teacher = _teacher(feed, options.teacher_dir) if recipe.teacher else None
        initial = None
        if recipe.initial:
            initial = _trained(feed, "initial", recipe.initial, options.initial_dir)
        weights, facts = loop.train(
            feed, out, options.resume, kept, teacher=teacher, initial=initial, budget=budget
        )
        if not processes.is_first():
            return
    told = json.loads(facts.read_text(encoding="utf-8"))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    print(
        f"{weights}: {told['test_correct']} of {told['test_images']} test images right "
        f"({told['test_accuracy']:.2%}); SHA-256 {digest}"
    )


def _teacher(feed: Feed, folder: Path | None) -> TrainedNetwork:
    """Return the trained network that a recipe learns from.

    Raises:
        ValueError: it is not there, or takes other images or has other classes.
    """
    name = feed.recipe.teacher
    teacher = _trained(feed, "teacher", name, folder)
    for what, theirs, ours in (
        ("images", teacher.spec.pixels, feed.spec.pixels),
        ("classes", teacher.spec.layers[-1].result[2], feed.spec.layers[-1].result[2]),
    ):
        if theirs != ours:
            raise ValueError(
                f"teacher is {name}, whose {what} are {theirs}, valid: one with {ours}, as "
                f"{feed.spec.name} has"
            )
    return teacher


def _trained(feed: Feed, role: str, name: str, folder: Path | None) -> TrainedNetwork:
    """Return a trained network; its file becomes part of what the training depends on.

    Raises:
        ValueError: as of ``spinflow.model.store.load_recipe`` and ``load_trained``.
    """
    digest = store.load_recipe(name, folder)["weights_sha256"]
    feed.origin = {**feed.origin, f"{role}_sha256": digest}
    if folder is not None:
        feed.folders = (*feed.folders, f"--{role}-dir")
    return store.load_trained(name, folder)


def _found(text: str) -> Found:
    """Return the network that is to be trained.

    Raises:
        ValueError: as of ``spinflow.model.zoo.find``, or a variant is named.
    """
    found = find(text)
    base, _, label = found.name.partition("+")
    if label:
        raise ValueError(f"{text}: give {asked_for(base)} and --label {label} to train a variant")
    return found


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the recipe that were chosen; without a device, the best.

    Raises:
        ValueError: an option that does not count for the network, or --out is missing.
    """
    found = find(options.network)
    if options.out is None and not found.is_own:
        raise ValueError(f"{found.name} is of the zoo: give --out, a folder for what is trained")
    of_imagenet = found.entry.spec.dataset == "imagenet"
    counting = (*imagenet_feed.FIELDS, *OF_IMAGENET) if of_imagenet else FIELDS
    for name in (*FIELDS, *OF_IMAGENET):
        if getattr(options, name) is not None and name not in counting:
            raise ValueError(
                f"--{name.replace('_', '-')} does not apply to {options.network}; "
                f"see spinflow train --help"
            )
    if of_imagenet and options.budget is not None:
        raise ValueError(
            f"--budget does not apply to {options.network}, whose recipe has no hold: give --epochs"
        )
    chosen = {name: getattr(options, name) for name in FIELDS if getattr(options, name) is not None}
    if "hold" in chosen and options.budget is not None:
        raise ValueError("--hold together with --budget, which holds a fifth of the epochs")
    for role in ("teacher", "initial"):
        named = chosen.get(role, getattr(RECIPES[found.name], role))
        if getattr(options, f"{role}_dir") is not None and not named:
            raise ValueError(f"--{role}-dir without --{role}: name the network whose folder it is")
    if options.conditions is not None:
        for name in ("weight_errors", "activation_errors"):
            if name in chosen:
                raise ValueError(
                    f"--{name.replace('_', '-')} together with --conditions: the file gives the "
                    "rates of all memories"
                )
        chosen |= conditions.rates_of(options.conditions, found.entry.spec)
    return {"device": "cuda" if torch.cuda.is_available() else "cpu"} | chosen


def _parser() -> start.Parser:
    parser = start.Parser(
        prog="spinflow train",
        description="Train a network of the zoo, or one described in a .toml of your own, by its "
        "recipe or with other options. Many at a time: spinflow train --all --help.",
        epilog=EXAMPLE,
    )
    names = ", ".join(RECIPES)
    parser.add_argument("network", metavar="NETWORK", help=f"{names}, or the path of a .toml")
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for checkpoint and results (default: that of the .toml; else to be given)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    parser.add_argument(
        "--budget",
        type=seconds,
        help="as many epochs as fit, at most the recipe's: 90s, 10min or 2h",
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="its file (default: in --out), removed when all is done"
    )
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the data")
    parser.add_argument(
        "--teacher-dir", type=Path, help="folder of the teacher's files (default: the zoo)"
    )
    parser.add_argument(
        "--initial-dir", type=Path, help="folder of the files of --initial (default: the zoo)"
    )
    parser.add_argument(
        "--conditions",
        type=Path,
        metavar="FILE",
        help="write conditions of each memory, as spinflow optimise makes them, whose error rates "
        "are those of --weight-errors and --activation-errors",
    )
    recipe = parser.add_argument_group("recipe", "The default of each is that of the network.")
    defaults = {field.name: field.default for field in dataclasses.fields(Recipe)}
    for name in FIELDS:
        option, kind = f"--{name.replace('_', '-')}", type(defaults[name])
        if kind is bool:
            recipe.add_argument(option, action=argparse.BooleanOptionalAction, help=HELP[name])
        else:
            recipe.add_argument(option, type=kind, metavar=kind.__name__.upper(), help=HELP[name])
    imagenet = parser.add_argument_group("networks of ImageNet only")
    imagenet.add_argument("--classes", help="how many, or wnids with commas between (default all)")
    imagenet.add_argument("--class-seed", type=seed, help="draw so many classes at random")
    imagenet.add_argument(
        "--workers", type=whole(1, 1024), help="threads that decode pictures (default 4)"
    )
    return parser


HELP = {
    "seed": "of the weights, the order of the images and the distortions",
    "epochs": "passes over the training images",
    "batch": "images of a step",
    "lr": "first learning rate of Adam",
    "hold": "epochs at the first learning rate, before it falls",
    "warm_up": "epochs at the beginning of each stage in which the learning rate rises",
    "float_epochs": "first epochs, in which only maps are bits and weights keep latent values",
    "teacher": "trained network whose soft labels are learned too",
    "distil": "share of the teacher in the loss",
    "temperature": "of the soft labels",
    "initial": "trained network of the same layers to begin with, a variant as a rule",
    "norm_lr": "learning rate of the batch norms, as a multiple of --lr",
    "average": "decay of moving averages of the weights, 0.999 say, which then count",
    "shift": "largest shift of an image, in pixels",
    "rotate": "largest rotation of an image, in degrees",
    "zoom": "largest relative change of an image's size",
    "crop": "largest shift of an image in whole pixels; its border is repeated",
    "flip": "mirror half of the images, left to right",
    "label_smoothing": "of the cross-entropy",
    "validation": "how many of the last training images choose the epoch",
    "bfloat16": "compute matrix products in bfloat16 while training",
    "parts": "equal parts of a batch, computed at the same time",
    "threads": "threads of torch, for each part",
    "weight_errors": "rates of write errors in weights: RATE, LOW:HIGH or LAYER=RATE,...",
    "activation_errors": "the same in hidden maps",
    "error_mode": "flip or switch",
    "loss": "cross-entropy, margin or mcel",
    "margin": "of the margin loss, in bits of the last layer; of mcel, in logits",
    "clamp": "of mcel, the bound that logits approach",
    "device": "cpu or cuda (default: cuda where there is one)",
    "label": "of a variant, whose files are called NETWORK+LABEL",
}
"""What each field of a recipe is, in short; `Recipe` says it in full."""


if __name__ == "__main__":
    sys.exit(main())
