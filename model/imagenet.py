"""Training of the binarized AlexNet on ImageNet or some of its classes, on one or several GPUs.

    spinflow train-imagenet --data-dir FOLDER --classes 10 --class-seed 1 --out out/alexnet-10
    torchrun --nproc-per-node 4 -m model.imagenet --data-dir FOLDER --out out/alexnet [--resume]

FOLDER is as ``model.data.imagenet`` describes it. Every process trains on its share of each batch,
with batch-norm statistics of its own, of which those of the first count (DistributedDataParallel).
The learning rate falls to 0 along a half cosine; the weights are those of the last epoch, and the
validation set, the test set of the papers, is measured once, from the file. As in Tzoufras et al.
2019, fig. 3 and 4, activations may err in training and do not when measured; ``spinflow.sim.xnor``
measures with errors. Every random number is a function of (seed, epoch, process) or of (seed,
step, process).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, distributed
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from spinflow.host.core import start
from spinflow.host.core.options import seed, whole
from spinflow.host.core.text import one_line, shown
from spinflow.model import store
from spinflow.model.data import ImageNet, Pictures, open_imagenet, parse_classes
from spinflow.model.files import check_tensors, read_tensors, write_bytes, write_json
from spinflow.model.networks.base import TrainedNetwork, to_input
from spinflow.model.networks.build import build
from spinflow.model.networks.graph import XnorSpec
from spinflow.model.recipe import Recipe
from spinflow.model.train import CHECKPOINT, add_options, chosen_of
from spinflow.model.write_errors import ErrorProneMemories, map_names, parse_rates, weight_names
from spinflow.model.zoo import RECIPES, network

NETWORK = "alexnet-imagenet"
RESIZE = 256
"""Shorter side to which a picture is scaled before the network's square is cut out."""
OPTIONS = (
    "seed",
    "epochs",
    "batch",
    "lr",
    "norm_lr",
    "flip",
    "label_smoothing",
    "bfloat16",
    "threads",
    "weight_errors",
    "activation_errors",
    "error_mode",
    "device",
)
"""Fields of a recipe that count here."""
START_TIMEOUT = timedelta(minutes=10)

_T = TypeVar("_T")


def processes() -> tuple[int, int]:
    """Return the number of this process and how many there are: 0 and 1 without torchrun."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def started_together() -> bool:
    """Return whether torchrun started this process as one of several."""
    return "LOCAL_RANK" in os.environ


@contextmanager
def together(device: str) -> Iterator[None]:
    """Join the processes of torchrun while this lasts; alone there is nothing to join.

    Args:
        device: "cpu" or "cuda", of which each process takes one.
    """
    if not started_together():
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=START_TIMEOUT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def training_order(recipe: Recipe, images: int, epoch: int) -> NDArray[np.int64]:
    """Return the numbers of the pictures that this process trains on in an epoch, in order.

    Of each batch of the recipe every process has its own, equally large part; what is left over at
    the end of an epoch, less than a batch, is left out.
    """
    rank, count = processes()
    order = np.random.default_rng([recipe.seed, epoch]).permutation(images)
    steps = images // recipe.batch
    parts = order[: steps * recipe.batch].reshape(steps, count, recipe.batch // count)
    return parts[:, rank].reshape(-1)


def measure(model: TrainedNetwork, pictures: Pictures, batch: int, workers: int) -> tuple[int, int]:
    """Return how many pictures a network labels rightly, by its first label and by its first five.

    All processes measure their share together, and each gets the sums.

    Args:
        model: in eval mode.
        pictures: all of them.
        batch: pictures at a time.
        workers: threads that decode.
    """
    rank, count = processes()
    device = next(model.parameters()).device
    correct = torch.zeros(2, dtype=torch.int64, device=device)
    share = np.arange(rank, len(pictures), count)
    for images, labels in _ahead(pictures.batches(batch, share, workers=workers)):
        with torch.no_grad():
            logits = model(to_input(model.spec, torch.from_numpy(images).to(device)))
        before = classes_before(logits, torch.from_numpy(labels.astype(np.int64)).to(device))
        correct += torch.stack([(before < first).sum() for first in (1, 5)])
    if count > 1:
        distributed.all_reduce(correct)
    first, five = correct.tolist()
    return first, five


def classes_before(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how many classes come before the right one; of equal logits the lower is first.

    Args:
        logits: (n, classes).
        labels: of the right classes, int64, (n,).

    Returns:
        int64, (n,).
    """
    label = labels[:, None]
    own = logits.gather(1, label)
    lower = torch.arange(logits.shape[1], device=logits.device) < label
    return ((logits > own) | ((logits == own) & lower)).sum(dim=1)


def _ahead(values: Iterable[_T]) -> Iterator[_T]:
    """The same values, each made while the one before is used."""
    iterator, end = iter(values), object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, iterator, end)
        while (value := following.result()) is not end:
            following = pool.submit(next, iterator, end)
            yield value  # type: ignore[misc]


class Training:
    """The state of one training run in one process."""

    def __init__(self, recipe: Recipe, spec: XnorSpec, pictures: ImageNet, workers: int) -> None:
        """Make a network with random weights; see :func:`train`."""
        self.rank, count = processes()
        if recipe.batch % count or recipe.batch > len(pictures.train):
            raise ValueError(
                f"batch is {recipe.batch}, valid: a multiple of {count}, the processes, "
                f"up to the {len(pictures.train)} training pictures"
            )
        torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.recipe, self.pictures, self.workers = recipe, pictures, workers
        self.local_batch = recipe.batch // count
        self.steps_an_epoch = len(pictures.train) // recipe.batch
        self.epoch = 0
        self.device = torch.device(recipe.device)
        if recipe.device == "cuda":
            if not torch.cuda.is_available():
                raise ValueError("device is cuda, which torch does not see here, valid: cpu")
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        self.model: TrainedNetwork = build(spec).to(self.device)
        self.memories = ErrorProneMemories(
            parse_rates(recipe.weight_errors, weight_names(spec)),
            parse_rates(recipe.activation_errors, map_names(spec)),
            recipe.error_mode,
            recipe.seed,
            self.rank,
        )
        self.parallel = DistributedDataParallel(self.model) if count > 1 else self.model
        norms = [value for norm in self.model.batch_norms() for value in norm.parameters()]
        weights = [value for matrix in self.model.matrices() for value in matrix.parameters()]
        self.optimizer = torch.optim.Adam(
            [{"params": weights, "factor": 1.0}, {"params": norms, "factor": recipe.norm_lr}],
            lr=recipe.lr,
        )
        self.identity = {
            "recipe": {name: getattr(recipe, name) for name in OPTIONS},
            "classes": list(pictures.classes),
            "processes": count,
        }

    def command(self) -> str:
        """Return the command that repeats this run, every option written out."""
        words = [
            f"torchrun --nproc-per-node {self.identity['processes']} -m spinflow.model.imagenet"
        ]
        words.append(f"--classes {','.join(self.pictures.classes)}")
        for name in OPTIONS:
            option, value = name.replace("_", "-"), getattr(self.recipe, name)
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            else:
                words.append(f"--{option} {value}")
        return " ".join([*words, "--data-dir FOLDER --out FOLDER"])

    def run_epoch(self, bar: tqdm[Any]) -> None:
        """Train one epoch."""
        recipe, epoch = self.recipe, self.epoch
        generator = np.random.default_rng([recipe.seed, epoch, 1 + self.rank])
        mirror = np.random.default_rng([recipe.seed, epoch, 1 + self.rank, 1])
        order = training_order(recipe, len(self.pictures.train), epoch)
        total = recipe.epochs * self.steps_an_epoch
        self.parallel.train()
        batches = self.pictures.train.batches(self.local_batch, order, generator, self.workers)
        for i, (images, labels) in enumerate(_ahead(batches)):
            step = epoch * self.steps_an_epoch + i
            rate = recipe.lr * 0.5 * (1.0 + math.cos(math.pi * step / total))
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            pixels = to_input(self.model.spec, torch.from_numpy(images).to(self.device))
            if recipe.flip:
                mirrored = torch.from_numpy(mirror.random(len(images)) < 0.5).to(self.device)
                pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
            self.memories.begin(step)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bfloat16):
                logits = self.parallel(pixels, self.memories)
            target = torch.from_numpy(labels.astype(np.int64)).to(self.device)
            smoothing = recipe.label_smoothing
            loss = functional.cross_entropy(logits.float(), target, label_smoothing=smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.model.constrain()
            bar.update()
        self.epoch += 1
        bar.set_postfix(epoch=self.epoch, loss=f"{loss.item():.3f}")

    def save(self, path: Path) -> None:
        """Write the whole state to one file, in one step."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v for k, v in state.items()}
        tensors = {k: v.contiguous() for k, v in tensors.items()}
        state = {**self.identity, "epoch": self.epoch}
        write_bytes(path, save(tensors, {"spinflow": json.dumps(state)}))

    def load(self, path: Path) -> None:
        """Take up the state of a checkpoint.

        Raises:
            ValueError: the file is not a checkpoint (a pickled one, say), is damaged, or belongs to
                another recipe, other classes or another number of processes.
        """
        state, tensors = read_tensors(path, "a checkpoint of spinflow.model.imagenet")
        epoch = state.get("epoch")
        if type(epoch) is not int or epoch < 0:
            raise ValueError(f"{path}: damaged: epoch is {shown(epoch)}, not a whole number")
        for key, mine in self.identity.items():
            if state.get(key) != mine:
                raise ValueError(
                    f"{path}: was begun with {key} = {one_line(state.get(key), 80)}, not {mine}; "
                    "resume with the same options, or choose another --out"
                )
        model, moments = {}, dict[int, dict[str, Tensor]]()
        for key, value in tensors.items():
            kind, _, name = key.partition(".")
            index, _, moment = name.partition(".")
            if kind == "model":
                model[name] = value
            elif kind == "adam" and index.isdecimal():
                moments.setdefault(int(index), {})[moment] = value
        check_tensors(path, model, self.model.state_dict())
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for number, parameter in enumerate(parameters):
            if number in moments:
                like = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
                check_tensors(path, moments[number], like)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        self.epoch = epoch


def train(
    recipe: Recipe,
    spec: XnorSpec,
    pictures: ImageNet,
    out: Path,
    *,
    resume: bool = False,
    workers: int = 1,
) -> dict[str, Any]:
    """Train a network; the first process writes its weights, and a JSON file with its accuracy.

    Args:
        recipe: what ``OPTIONS`` names of it counts.
        spec: the network, with as many classes as the pictures have.
        pictures: of training and validation.
        out: folder for the checkpoint (each epoch) and the results.
        resume: go on from the folder's checkpoint, if there is one.
        workers: threads that decode pictures, for each process.

    Returns:
        What the JSON file holds.

    Raises:
        ValueError: the checkpoint is of another run, or the folder has one and resume is off; a
            batch that does not fit; rates that ``spinflow.model.write_errors`` does not take.
    """
    checkpoint = out / CHECKPOINT
    training = Training(recipe, spec, pictures, workers)
    rank, count = processes()
    if checkpoint.exists():
        if not resume:
            raise ValueError(f"{checkpoint} exists: add --resume, or choose another --out")
        training.load(checkpoint)
    total, done = (n * training.steps_an_epoch for n in (recipe.epochs, training.epoch))
    with tqdm(total=total, initial=done, unit="step", desc=spec.name, disable=rank > 0) as bar:
        while training.epoch < recipe.epochs:
            training.run_epoch(bar)
            if rank == 0:
                training.save(checkpoint)
    weights = out / f"{spec.name}.safetensors"
    if rank == 0:
        write_bytes(weights, store.pack(training.model.cpu()))
    if count > 1:
        distributed.barrier()
    model = store.unpack(weights, spec).to(training.device)
    first, five = measure(model, pictures.test, training.local_batch, workers)
    facts = {
        "network": spec.name,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "test_images": len(pictures.test),
        "test_correct": first,
        "test_accuracy": first / len(pictures.test),
        "test_correct_of_five": five,
        "test_accuracy_of_five": five / len(pictures.test),
        **training.identity,
    }
    if rank == 0:
        write_json(weights.with_suffix(".json"), {"command": training.command(), **facts})
    return facts


def main(arguments: list[str] | None = None) -> None:
    """Command line; each of ``OPTIONS`` is an option. Started by torchrun, one of its processes."""
    parser = start.Parser(
        prog="spinflow train-imagenet",
        description="Train the binarized AlexNet on ImageNet.",
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="holds train and val")
    parser.add_argument("--classes", default="1000", help="how many, or wnids with commas between")
    parser.add_argument("--class-seed", type=seed, help="draw so many classes at random")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and results")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    parser.add_argument(
        "--workers", type=whole(1, 1024), default=4, help="threads that decode pictures"
    )
    add_options(parser, OPTIONS)
    options = vars(parser.parse_args(arguments))
    spec = network(NETWORK)
    assert isinstance(spec, XnorSpec)
    try:
        recipe = dataclasses.replace(RECIPES[NETWORK], **chosen_of(options, OPTIONS))
        if options["workers"] < 1:
            raise ValueError(f"workers is {options['workers']}, valid: 1 or more")
        classes, draw = parse_classes(options["classes"]), options["class_seed"]
        pictures = open_imagenet(options["data_dir"], classes, draw, RESIZE, spec.shape[0])
        with together(recipe.device):
            facts = train(
                recipe,
                spec.with_classes(len(pictures.classes)),
                pictures,
                options["out"],
                resume=options["resume"],
                workers=options["workers"],
            )
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None
    share = facts["test_accuracy"], facts["test_accuracy_of_five"]
    if os.environ.get("RANK", "0") == "0":
        print(f"{NETWORK}: top-1 {share[0]:.2%}, top-5 {share[1]:.2%} of {facts['test_images']}")


if __name__ == "__main__":
    sys.exit(start.finish(main))
