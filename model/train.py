"""Training of a binary network: same command, same seed, same file.

    spinflow train tfc-mnist --out out/tfc [--epochs N] [--seed S] [--resume]

Adam on latent weights clipped to [-1, 1] with straight-through gradients (Courbariaux et al. 2016,
"Binarized Neural Networks", algorithm 1), a cosine learning rate, cross-entropy, and small random
affine distortions of the images. The epoch is chosen on the last 5,000 training images; the test
set is measured once, at the end. Every random number is a function of (seed, epoch) or of (seed,
step), so a run that was interrupted and resumed equals one that was not.

Memories with write errors (``model.write_errors``) or a loss that makes margins wide
train a network that is to be used with errors:

    spinflow train mlp-mnist --weight-errors 1e-2 --label weights-1e-2 --out out/weights
    spinflow train lenet-mnist --activation-errors pool1=1e-3:1e-1 --error-mode switch ...
    spinflow train mlp-mnist --loss margin --margin 128 --label margin --out out/margin

Epochs are chosen, and the test set is measured, without errors; ``sim.sweep`` measures with them.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from spinflow.host.core import start
from spinflow.host.core.text import one_line
from spinflow.model import store
from spinflow.model.data import Dataset, dataset
from spinflow.model.files import check_tensors, read_tensors, write_bytes
from spinflow.model.losses import margin_loss
from spinflow.model.networks.base import predict, to_input
from spinflow.model.networks.build import build
from spinflow.model.networks.graph import Spec
from spinflow.model.recipe import FIELDS, Recipe
from spinflow.model.write_errors import ErrorProneMemories, map_names, parse_rates, weight_names
from spinflow.model.zoo import RECIPES, network

CHECKPOINT = "checkpoint.safetensors"


def epochs_in_words(facts: Mapping[str, Any]) -> str:
    """Return how long a network was trained: "60 epochs", or of part of a recipe "9 of 150 epochs".

    Args:
        facts: of the trained network, as the JSON file beside its weights has them; those of
            ``spinflow.model.imagenet`` name the network outside of the recipe only.
    """
    epochs, whole = facts["recipe"]["epochs"], RECIPES[facts["network"]].epochs
    return f"{epochs} of {whole} epochs" if epochs < whole else f"{epochs} epochs"


def distort(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Move each image of a batch at random: shift, turn and zoom it, or crop and mirror it.

    Args:
        images: float or uint8, shape (n, rows, columns, channels), pixels 0 to 255.
        recipe: gives the largest distortions; where all are 0 the images are returned as they are.
        generator: source of the random numbers.

    Returns:
        Of the same shape, pixels 0 to 255. Shift, turn and zoom sample bilinearly and give floats.
    """
    (n, rows, columns, _), device = images.shape, images.device
    if recipe.crop or recipe.flip:
        reach = 2 * recipe.crop + 1
        # Drawn on the CPU, so that the images are the same on every device.
        down, right = (
            torch.randint(0, reach, (n, 1), generator=generator).to(device) for _ in range(2)
        )
        mirrored = (torch.rand(n, 1, generator=generator) < 0.5).to(device)
        row, column = torch.arange(rows, device=device), torch.arange(columns, device=device)
        row = (row + down - recipe.crop).clamp(0, rows - 1)
        if recipe.flip:
            column = torch.where(mirrored, columns - 1 - column, column)
        column = (column + right - recipe.crop).clamp(0, columns - 1)
        each = torch.arange(n, device=device)
        images = images[each[:, None, None], row[:, :, None], column[:, None, :]]
    if recipe.shift == recipe.rotate == recipe.zoom == 0.0:
        return images
    u = (2.0 * torch.rand(5, n, generator=generator) - 1.0).to(device)
    angle = u[0] * math.radians(recipe.rotate)
    wide, high = 1.0 + recipe.zoom * u[1], 1.0 + recipe.zoom * u[2]
    # Affine maps in grid_sample's coordinates, where the image spans [-1, 1].
    dx, dy = u[3] * recipe.shift * 2.0 / columns, u[4] * recipe.shift * 2.0 / rows
    cos, sin = torch.cos(angle), torch.sin(angle)
    affine = torch.stack([wide * cos, -high * sin, dx, wide * sin, high * cos, dy], dim=1)
    planes = images.permute(0, 3, 1, 2).float()
    grid = functional.affine_grid(affine.view(n, 2, 3), list(planes.shape), align_corners=False)
    sampled = functional.grid_sample(planes, grid, align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def image_shape(spec: Spec) -> tuple[int, int, int]:
    """Return rows, columns and channels of a network's images; plain pixels form a square."""
    if len(spec.shape) == 3:
        return spec.shape
    side = math.isqrt(spec.pixels)
    return (side, side, 1) if side**2 == spec.pixels else (1, spec.pixels, 1)


class Trainer:
    """The state of one training run: network, optimizer, epoch, and the best epoch so far."""

    def __init__(self, recipe: Recipe, data: Dataset) -> None:
        if recipe.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device is cuda, which torch does not see here, valid: cpu")
        self.device = torch.device(recipe.device)
        torch.set_num_threads(recipe.threads)
        torch.use_deterministic_algorithms(recipe.device == "cpu")
        # Nothing here reads memory before it is written.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.spec = network(recipe.network)
        self.model = build(self.spec).to(self.device)
        self.memories = self._error_prone_memories()
        weights, norms = (
            [value for part in parts for value in part.parameters()]
            for parts in (self.model.matrices(), self.model.batch_norms())
        )
        self.parameters = weights + norms
        # The replicas share the parameters; each has statistics of its own.
        shared = {id(value): value for value in self.parameters}
        self.replicas = [self.model] + [
            copy.deepcopy(self.model, dict(shared)) for _ in range(recipe.parts - 1)
        ]
        self.optimizer = torch.optim.Adam(
            [{"params": weights, "factor": 1.0}, {"params": norms, "factor": recipe.norm_lr}],
            lr=recipe.lr,
        )
        split = len(data.train_images) - recipe.validation
        if split < recipe.batch:
            raise ValueError(
                f"validation is {recipe.validation} images: of {len(data.train_images)} that "
                f"leaves {max(split, 0)} to train on, less than a batch of {recipe.batch}"
            )
        # A copy: what was read from a file is read-only, which torch does not know.
        images = torch.from_numpy(data.train_images[:split].copy())
        self.images = images.view(split, *image_shape(self.spec)).to(self.device)
        self.labels = torch.from_numpy(data.train_labels[:split].astype(np.int64)).to(self.device)
        self.held_out = data.train_images[split:], data.train_labels[split:]
        self.steps_an_epoch = len(self.images) // recipe.batch
        self.epoch = 0
        self.best_epoch = 0
        self.best_correct = -1
        self.best: dict[str, Tensor] = {}

    def _error_prone_memories(self) -> list[ErrorProneMemories] | None:
        """The memories of each part of a batch, or None if none of them errs."""
        recipe, rates = self.recipe, {}
        for option, names in (("weight_errors", weight_names), ("activation_errors", map_names)):
            text = getattr(recipe, option)
            try:
                rates[option] = parse_rates(text, names(self.spec))
            except ValueError as error:
                raise ValueError(f"{option} is {text}: {error}") from None
        if not any(rates.values()):
            return None
        weights, maps = rates["weight_errors"], rates["activation_errors"]
        return [
            ErrorProneMemories(weights, maps, recipe.error_mode, recipe.seed, part)
            for part in range(recipe.parts)
        ]

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the recipe's loss of logits (n, classes) and labels (n,)."""
        if self.recipe.loss == "margin":
            return margin_loss(logits / self.spec.logit_scale, labels, self.recipe.margin)
        return functional.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)

    def _learning_rate(self, step: int) -> float:
        held = self.recipe.hold * self.steps_an_epoch
        total = self.recipe.epochs * self.steps_an_epoch - held
        return self.recipe.lr * 0.5 * (1.0 + math.cos(math.pi * max(step - held, 0) / total))

    def _gradients(self, part: int, pixels: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        torch.set_num_threads(self.recipe.threads)
        memories = self.memories[part] if self.memories else None
        logits = self.replicas[part].training_logits(pixels, self.recipe.bfloat16, memories)
        loss = self.loss(logits, labels)
        return torch.autograd.grad(loss / self.recipe.parts, self.parameters)

    @torch.no_grad()
    def _average_statistics(self) -> None:
        for norms in zip(*(replica.batch_norms() for replica in self.replicas), strict=True):
            for name in ("running_mean", "running_var"):
                values = [getattr(norm, name) for norm in norms]
                mean = sum(values[1:], values[0]) / len(values)
                for value in values:
                    value.copy_(mean)

    def _step(self, pixels: Tensor, labels: Tensor, pool: ThreadPoolExecutor) -> None:
        parts = range(self.recipe.parts)
        size = len(labels) // self.recipe.parts
        slices = [slice(part * size, (part + 1) * size) for part in parts]
        if len(parts) == 1:
            gradients = [self._gradients(0, pixels, labels)]
        else:
            jobs = [
                (part, pixels[cut], labels[cut]) for part, cut in zip(parts, slices, strict=True)
            ]
            gradients = list(pool.map(lambda job: self._gradients(*job), jobs))
        for values in zip(self.parameters, *gradients, strict=True):
            values[0].grad = sum(values[2:], values[1])
        self.optimizer.step()
        self.model.constrain()
        if len(parts) > 1:
            self._average_statistics()

    def run_epoch(self, bar: tqdm[Any]) -> None:
        """Train one epoch, validate, and keep the weights if none before were better."""
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.images), generator=generator)
        for replica in self.replicas:
            replica.train()
        with ThreadPoolExecutor(self.recipe.parts) as pool:
            for i in range(self.steps_an_epoch):
                chosen = order[i * self.recipe.batch : (i + 1) * self.recipe.batch]
                chosen = chosen.to(self.device)
                step = self.epoch * self.steps_an_epoch + i
                for memories in self.memories or []:
                    memories.begin(step)
                pixels = distort(self.images[chosen], self.recipe, generator)
                pixels = to_input(self.spec, pixels.reshape(self.recipe.batch, -1))
                rate = self._learning_rate(step)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate * group["factor"]
                self._step(pixels, self.labels[chosen], pool)
                bar.update()
        self.epoch += 1
        images, labels = self.held_out
        torch.set_num_threads(self.recipe.threads * self.recipe.parts)
        correct = int((predict(self.model, images) == labels).sum())
        # Of equals the later: its learning rate was lower.
        if correct >= self.best_correct:
            self.best_epoch, self.best_correct = self.epoch, correct
            self.best = {k: v.clone() for k, v in self.model.state_dict().items()}
        bar.set_postfix(
            epoch=self.epoch,
            validation=f"{correct / len(labels):.4f}",
            best=f"{self.best_correct / len(labels):.4f}",
        )

    def save(self, path: Path) -> None:
        """Write the whole state to one file, in one step."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v for k, v in state.items()}
        state = {
            "recipe": dataclasses.asdict(self.recipe),
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_correct": self.best_correct,
        }
        tensors = {k: v.contiguous() for k, v in tensors.items()}
        write_bytes(path, save(tensors, {"spinflow": json.dumps(state)}))

    def load(self, path: Path) -> None:
        """Take up the state of a checkpoint.

        Raises:
            ValueError: the file is not a checkpoint (a pickled one, say), is damaged, or belongs to
                another recipe or network.
        """
        mine = dataclasses.asdict(self.recipe)
        state, tensors = read_tensors(path, "a checkpoint of spinflow.model.train")
        epoch, best_epoch, best_correct = (
            state.get(key) for key in ("epoch", "best_epoch", "best_correct")
        )
        theirs = state.get("recipe")
        # A checkpoint may be older than some of the options.
        options = {field.name: field.default for field in dataclasses.fields(Recipe)}
        recipe = options | theirs if isinstance(theirs, dict) else {}
        if not (
            type(epoch) is type(best_epoch) is type(best_correct) is type(recipe.get("hold")) is int
            and 0 <= best_epoch <= epoch
            and -1 <= best_correct <= self.recipe.validation
        ):
            raise ValueError(
                f"{path}: not a checkpoint of spinflow.model.train, or damaged: its state is none"
            )
        held = epoch <= min(recipe["hold"], mine["hold"])
        for key in mine:
            if held and key in ("epochs", "hold"):
                continue
            if mine[key] != recipe[key]:
                raise ValueError(
                    f"{path}: was begun with {key} = {one_line(recipe[key], 80)}, not {mine[key]}; "
                    "resume with the same options, or choose another --out"
                )

        def part(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        check_tensors(path, part("model."), self.model.state_dict())
        if epoch or part("best."):  # before the first epoch there is no best one
            check_tensors(path, part("best."), self.model.state_dict())
        moments: dict[int, dict[str, Tensor]] = {}
        for number, parameter in enumerate(self.parameters):
            like = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
            moments[number] = part(f"adam.{number}.")
            if moments[number]:  # an epoch without a step leaves none
                check_tensors(path, moments[number], like)
            else:
                del moments[number]
        self.model.load_state_dict(part("model."))
        for replica in self.replicas[1:]:
            replica.load_state_dict(part("model."))
        self.best = part("best.")
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        self.epoch, self.best_epoch, self.best_correct = epoch, best_epoch, best_correct


def train(recipe: Recipe, data: Dataset, out: Path, resume: bool = False) -> tuple[Path, Path]:
    """Train a network and store the best epoch's weights with recipe and accuracy.

    Args:
        recipe: what to train.
        data: the data set; its last ``recipe.validation`` training images choose the epoch.
        out: folder for the checkpoint (each epoch) and the results.
        resume: go on from the folder's checkpoint, if there is one.

    Returns:
        The weights' file and the recipe's file beside it, as ``model.store.save_trained`` has them.

    Raises:
        ValueError: the checkpoint is of another recipe, or the folder has one and resume is off.
    """
    checkpoint = out / CHECKPOINT
    trainer = Trainer(recipe, data)
    if checkpoint.exists():
        if not resume:
            raise ValueError(f"{checkpoint} exists: add --resume, or choose another --out")
        trainer.load(checkpoint)
    total, done = (n * trainer.steps_an_epoch for n in (recipe.epochs, trainer.epoch))
    with tqdm(total=total, initial=done, unit="step", desc=recipe.network) as bar:
        while trainer.epoch < recipe.epochs:
            trainer.run_epoch(bar)
            trainer.save(checkpoint)
    trainer.model.load_state_dict(trainer.best)
    trainer.model.cpu()
    trainer.model.centre_thresholds()
    facts = {
        "command": recipe.command(),
        "recipe": dataclasses.asdict(recipe),
        "best_epoch": trainer.best_epoch,
        "validation_accuracy": trainer.best_correct / recipe.validation,
    }
    test = data.test_images, data.test_labels
    return store.save_trained(trainer.model, *test, facts, out, label=recipe.label)


def add_options(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add an option for each of these fields of a recipe."""
    defaults = {field.name: field.default for field in dataclasses.fields(Recipe)}
    for name in names:
        option, kind = f"--{name.replace('_', '-')}", type(defaults[name])
        if kind is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(
                option, type=kind, help=f"{kind.__name__}; see spinflow.model.train.Recipe"
            )


def chosen_of(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the fields that were chosen by :func:`add_options`; without a device, the best."""
    chosen = {name: options[name] for name in names if options[name] is not None}
    return {"device": "cuda" if torch.cuda.is_available() else "cpu"} | chosen


def main(arguments: list[str] | None = None) -> None:
    """Command line of training; each recipe field is an option."""
    parser = start.Parser(prog="spinflow train", description="Train a binary network.")
    # ImageNet does not fit in memory: spinflow.model.imagenet has a loop of its own.
    names = [name for name in RECIPES if network(name).dataset != "imagenet"]
    parser.add_argument("network", choices=names, metavar="NETWORK", help=", ".join(names))
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and results")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the data")
    add_options(parser, FIELDS)
    options = vars(parser.parse_args(arguments))
    chosen = chosen_of(options, FIELDS)
    try:
        recipe = dataclasses.replace(RECIPES[options["network"]], **chosen)
        data = dataset(network(recipe.network).dataset, options["data_dir"])
        weights, _ = train(recipe, data, options["out"], options["resume"])
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    print(f"{weights}  SHA-256 {digest}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(start.finish(main))
