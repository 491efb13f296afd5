"""Batches of ImageNet's picture files, or of some of its classes, read while they are needed.

Every process trains on its share of each batch. There is no validation set: the last epoch counts,
and the published validation set is the test set of the papers, with the first label and the first
five. As in Tzoufras et al. 2019, fig. 3 and 4, activations may err in training and do not when
measured; `spinflow.sim.xnor` measures with errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed

from spinflow.model.data import ImageNet, Pictures
from spinflow.model.networks.base import TrainedNetwork, classes_before, to_input
from spinflow.model.networks.graph import XnorSpec
from spinflow.model.training import processes
from spinflow.model.training.feeds import Feed
from spinflow.model.training.recipe import Recipe

FIELDS = (
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
"""The fields of a recipe that count here: pictures are cropped at random, and not validated."""

_T = TypeVar("_T")


class ImageNetFeed(Feed):
    """Pictures of some of ImageNet's classes."""

    def __init__(self, recipe: Recipe, spec: XnorSpec, pictures: ImageNet, workers: int) -> None:
        """Share the pictures out.

        Args:
            recipe: what `FIELDS` names of it counts.
            spec: the network, with as many classes as the pictures have.
            pictures: of training and validation.
            workers: threads that decode pictures, for each process.

        Raises:
            ValueError: a batch that the processes cannot share, or larger than the training set.
        """
        count = processes.rank_and_count()[1]
        if recipe.batch % count or recipe.batch > len(pictures.train):
            raise ValueError(
                f"batch is {recipe.batch}, valid: a multiple of {count}, the processes, "
                f"up to the {len(pictures.train)} training pictures"
            )
        self.recipe, self.spec, self.fields = recipe, spec, FIELDS
        self.origin: dict[str, Any] = {"classes": list(pictures.classes), "processes": count}
        self.steps_an_epoch, self.validation = len(pictures.train) // recipe.batch, 0
        self._pictures, self._workers = pictures, workers
        self._share = recipe.batch // count
        self._device = processes.device_of(recipe.device)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give this process's share of the batches of an epoch, cropped and mirrored at random."""
        recipe, rank = self.recipe, processes.rank_and_count()[0]
        generator = np.random.default_rng([recipe.seed, epoch, 1 + rank])
        mirror = np.random.default_rng([recipe.seed, epoch, 1 + rank, 1])
        train = self._pictures.train
        order = training_order(recipe, len(train), epoch)
        for images, labels in _ahead(train.batches(self._share, order, generator, self._workers)):
            pixels = to_input(self.spec, torch.from_numpy(images).to(self._device))
            if recipe.flip:
                mirrored = torch.from_numpy(mirror.random(len(images)) < 0.5).to(self._device)
                pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
            yield pixels, torch.from_numpy(labels.astype(np.int64)).to(self._device)

    def validated(self, model: TrainedNetwork) -> int:
        """Return 0: there are no validation images."""
        return 0

    def measured(self, model: TrainedNetwork) -> dict[str, Any]:
        """Return how many pictures are right by the first label, and by the first five."""
        test = self._pictures.test
        first, five = measure(model.to(self._device), test, self._share, self._workers)
        return {
            "test_accuracy": first / len(test),
            "test_images": len(test),
            "test_correct": first,
            "test_correct_of_five": five,
            "test_accuracy_of_five": five / len(test),
        }

    def command(self) -> str:
        """Return the command that repeats the training, with as many processes."""
        count = self.origin["processes"]
        start = "spinflow train"
        if count > 1:
            start = f"torchrun --nproc-per-node {count} -m spinflow.model.train"
        classes = f"--classes {','.join(self._pictures.classes)} --data-dir FOLDER"
        return self.recipe.command(FIELDS, start, classes)


def training_order(recipe: Recipe, images: int, epoch: int) -> NDArray[np.int64]:
    """Return the numbers of the pictures that this process trains on in an epoch, in order.

    Of each batch of the recipe every process has its own, equally large part; what is left over at
    the end of an epoch, less than a batch, is left out.
    """
    rank, count = processes.rank_and_count()
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
    rank, count = processes.rank_and_count()
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


def _ahead(values: Iterable[_T]) -> Iterator[_T]:
    """Give the same values, each made while the one before is used."""
    iterator = iter(values)

    def following() -> list[_T]:
        return list(islice(iterator, 1))

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(following)
        while found := job.result():
            job = pool.submit(following)
            yield found[0]
