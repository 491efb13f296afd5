"""Batches of a data set that is held in memory, with random distortions of the images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinflow.model import store
from spinflow.model.data import Dataset
from spinflow.model.networks.base import TrainedNetwork, predict, to_input
from spinflow.model.networks.graph import Spec
from spinflow.model.training import processes
from spinflow.model.training.distort import distort, image_shape
from spinflow.model.training.feeds import Feed
from spinflow.model.training.recipe import FIELDS, Recipe
from spinflow.model.zoo import asked_for, network


class MemoryFeed(Feed):
    """A data set in memory; its last training images choose the epoch."""

    def __init__(self, recipe: Recipe, data: Dataset) -> None:
        """Split the training images.

        Args:
            recipe: what to train; ``recipe.validation`` images are held out.
            data: the data set.

        Raises:
            ValueError: the data do not fit the network, fewer images than a batch are left to train
                on, the device is not there, or torchrun has started several processes.
        """
        if processes.rank_and_count()[1] > 1:
            raise ValueError(
                f"{recipe.network} is trained by one process: start it without torchrun"
            )
        self.recipe, self.spec = recipe, network(recipe.network)
        check_fit(self.spec, data)
        self.fields = ("network", *FIELDS)
        self.origin: dict[str, Any] = {}
        self.validation = recipe.validation
        split = len(data.train_images) - recipe.validation
        if split < recipe.batch:
            raise ValueError(
                f"validation is {recipe.validation} images: of {len(data.train_images)} that "
                f"leaves {max(split, 0)} to train on, less than a batch of {recipe.batch}"
            )
        self._device = processes.device_of(recipe.device)
        # A copy: what was read from a file is read-only, which torch does not know.
        images = torch.from_numpy(data.train_images[:split].copy())
        self._images = images.view(split, *image_shape(self.spec)).to(self._device)
        labels = torch.from_numpy(data.train_labels[:split].astype(np.int64))
        self._labels = labels.to(self._device)
        self._held_out = data.train_images[split:], data.train_labels[split:]
        self._test = data.test_images, data.test_labels
        self.steps_an_epoch = split // recipe.batch

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the batches of an epoch, in random order and distorted."""
        recipe = self.recipe
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self._images), generator=generator)
        for i in range(self.steps_an_epoch):
            chosen = order[i * recipe.batch : (i + 1) * recipe.batch].to(self._device)
            pixels = distort(self._images[chosen], recipe, generator)
            yield to_input(self.spec, pixels.reshape(recipe.batch, -1)), self._labels[chosen]

    def validated(self, model: TrainedNetwork) -> int:
        """Return how many of the images held out a network labels rightly."""
        images, labels = self._held_out
        torch.set_num_threads(self.recipe.threads * self.recipe.parts)
        return int((predict(model, images) == labels).sum())

    def measured(self, model: TrainedNetwork) -> dict[str, Any]:
        """Return the accuracy on the whole test set, measured on the CPU."""
        return store.measured(model, *self._test)

    def command(self) -> str:
        """Return the command that repeats the training."""
        path = Path(asked_for(self.recipe.network)).name
        folders = " ".join(f"{option} FOLDER" for option in self.folders)
        return self.recipe.command(network=path, more=folders)


def check_fit(spec: Spec, data: Dataset) -> None:
    """Check that a network takes the images of a data set and can give its labels.

    Raises:
        ValueError: it takes images of another size, or has too few classes; or all training images
            are of one class.
    """
    title = data.title or spec.dataset
    rows, columns, channels = image_shape(spec)
    if data.train_images.shape[1] != rows * columns * channels:
        shape = f" ({' x '.join(map(str, data.shape))})" if data.shape else ""
        raise ValueError(
            f"{spec.name} takes {rows} x {columns} pixels of {channels} channels; an image of "
            f"{title} has {data.train_images.shape[1]} bytes{shape}"
        )
    labels = np.concatenate([data.train_labels, data.test_labels])
    least, most = int(labels.min()), int(labels.max())
    classes = spec.layers[-1].result[2]
    if most >= classes:
        remedy = ": labels that begin with 1 need 1 less" if (least, most) == (1, classes) else ""
        raise ValueError(
            f"{title} has the label {most}; {spec.name} has {classes} classes, from 0{remedy}"
        )
    if len(np.unique(data.train_labels)) == 1:
        raise ValueError(
            f"{title}: all training images have the label {data.train_labels[0]}: images of at "
            "least 2 classes are expected"
        )
