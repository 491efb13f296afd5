"""Where training takes its batches from, and what else differs with the data.

A feed knows the data set: it gives the batches of an epoch, says how good a network is, and names
what of a recipe counts for it. The loop knows only the class `Feed`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from spinflow.model.networks.base import TrainedNetwork
from spinflow.model.networks.graph import Spec
from spinflow.model.training.recipe import Recipe


class Feed(ABC):
    """The data that a network is trained on, validated with and tested with.

    Attributes:
        recipe: how the network is trained.
        spec: the network.
        fields: the names of the recipe's fields that count for these data.
        origin: what else a trained file depends on, and a checkpoint must agree with; JSON values.
        steps_an_epoch: whole batches of an epoch.
        validation: images that choose the epoch; 0 if the last epoch counts.
        folders: options of the command beside the recipe's, whose values are folders.
    """

    recipe: Recipe
    spec: Spec
    fields: tuple[str, ...]
    origin: Mapping[str, Any]
    steps_an_epoch: int
    validation: int
    folders: tuple[str, ...] = ()

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Give the batches of an epoch, a function of the recipe's seed and the epoch.

        Returns:
            Pixels as the network takes them, and labels, int64 (n,), both on the training's device.
        """

    @abstractmethod
    def validated(self, model: TrainedNetwork) -> int:
        """Return how many of the validation images a network labels rightly."""

    @abstractmethod
    def measured(self, model: TrainedNetwork) -> dict[str, Any]:
        """Return what the JSON file says of the test set: ``test_correct`` and so on."""

    @abstractmethod
    def command(self) -> str:
        """Return the command that repeats the training, every option written out."""
