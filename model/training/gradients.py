"""The gradients of a batch: computed in parts by threads, or in shares by processes of torchrun.

Each part or share has batch-norm statistics and write errors of its own. The gradient that counts
is the mean of all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from spinflow.model.networks.base import TrainedNetwork
from spinflow.model.networks.binary import BinaryConvNet
from spinflow.model.networks.graph import Spec
from spinflow.model.training import processes
from spinflow.model.training.losses import distilled, loss_of
from spinflow.model.training.recipe import Recipe
from spinflow.model.training.write_errors import (
    ErrorProneMemories,
    map_names,
    parse_rates,
    weight_names,
)

Loss = Callable[[Tensor, Tensor], Tensor]


class Gradients(Protocol):
    """What computes the gradients of a batch, and leaves them in the parameters' ``grad``."""

    def start_epoch(self, latent: bool) -> None:
        """Put the network into train mode.

        Args:
            latent: whether its weights keep their latent values in this epoch.
        """

    def compute(self, step: int, pixels: Tensor, labels: Tensor) -> Tensor:
        """Compute the gradients of a batch; return the loss of one part of it, a scalar.

        Args:
            step: from 0, over all epochs; it decides the write errors.
            pixels: as the network takes them, the batch first.
            labels: int64, (n,).
        """

    def end_step(self) -> None:
        """Bring the statistics of the parts together, after the optimizer's step."""

    def set_state(self, state: dict[str, Tensor]) -> None:
        """Give the network, and all copies of it, the parameters and statistics of a checkpoint."""


def gradients_of(
    model: TrainedNetwork, recipe: Recipe, teacher: TrainedNetwork | None = None
) -> Gradients:
    """Return what computes gradients here: processes where torchrun started several, or threads.

    Args:
        model: the network that is trained.
        recipe: how.
        teacher: a trained network on the same device that it learns from too, if any.

    Raises:
        ValueError: rates of write errors that the network has no memories for, or of another form;
            a stage of latent weights, which it does not have.
    """
    if recipe.float_epochs and not isinstance(model, BinaryConvNet):
        raise ValueError(
            f"float_epochs is {recipe.float_epochs}, valid: 0 for {model.spec.name}, which is no "
            "binary convolutional network"
        )
    if processes.rank_and_count()[1] > 1:
        return InProcesses(model, recipe)
    return InThreads(model, recipe, teacher)


def parameters_of(model: TrainedNetwork) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters of the layers with weights, and those of the batch norms."""
    weights, norms = (
        [value for part in parts for value in part.parameters()]
        for parts in (model.matrices(), model.batch_norms())
    )
    return weights, norms


class InThreads:
    """A batch in ``recipe.parts`` equal parts, each computed by a thread of this process."""

    def __init__(
        self, model: TrainedNetwork, recipe: Recipe, teacher: TrainedNetwork | None = None
    ) -> None:
        """Make a copy of the network for each part but the first."""
        self._teacher = teacher.eval() if teacher is not None else None
        self._recipe = recipe
        self._memories = [
            error_prone_memories(recipe, model.spec, part) for part in range(recipe.parts)
        ]
        weights, norms = parameters_of(model)
        self._parameters = weights + norms
        # The copies share the parameters; each has statistics of its own.
        shared: dict[int, Any] = {id(value): value for value in self._parameters}
        self._replicas = [model] + [
            copy.deepcopy(model, dict(shared)) for _ in range(recipe.parts - 1)
        ]
        self._loss = loss_of(recipe, model.spec)
        self._pool = ThreadPoolExecutor(recipe.parts) if recipe.parts > 1 else None

    def start_epoch(self, latent: bool) -> None:
        """Put all copies into train mode; see :class:`Gradients`."""
        for replica in self._replicas:
            replica.train()
            replica.latent = latent

    def compute(self, step: int, pixels: Tensor, labels: Tensor) -> Tensor:
        """Compute the gradients of a batch; see :class:`Gradients`."""
        for memories in self._memories:
            if memories is not None:
                memories.begin(step)
        size = len(labels) // self._recipe.parts
        slices = [slice(p * size, (p + 1) * size) for p in range(self._recipe.parts)]
        if self._pool is None:
            found = [self._of_part(0, pixels, labels)]
        else:
            jobs = [(part, pixels[cut], labels[cut]) for part, cut in enumerate(slices)]
            found = list(self._pool.map(lambda job: self._of_part(*job), jobs))
        for values in zip(self._parameters, *(gradients for _, gradients in found), strict=True):
            values[0].grad = sum(values[2:], values[1])
        return found[0][0]

    def _of_part(
        self, part: int, pixels: Tensor, labels: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        torch.set_num_threads(self._recipe.threads)
        logits = self._replicas[part].training_logits(
            pixels, self._recipe.bfloat16, self._memories[part]
        )
        loss = self._loss(logits, labels)
        if self._teacher is not None:
            soft = self._soft(pixels)
            share = self._recipe.distil
            loss = (1 - share) * loss + share * distilled(logits, soft, self._recipe.temperature)
        return loss.detach(), torch.autograd.grad(loss / self._recipe.parts, self._parameters)

    @torch.no_grad()
    def _soft(self, pixels: Tensor) -> Tensor:
        """Return the teacher's logits of a part of a batch."""
        assert self._teacher is not None
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self._recipe.bfloat16):
            soft: Tensor = self._teacher(pixels)
        return soft.float()

    @torch.no_grad()
    def end_step(self) -> None:
        """Give all copies the mean of their statistics."""
        if len(self._replicas) == 1:
            return
        for norms in zip(*(replica.batch_norms() for replica in self._replicas), strict=True):
            for name in ("running_mean", "running_var"):
                values = [getattr(norm, name) for norm in norms]
                mean = sum(values[1:], values[0]) / len(values)
                for value in values:
                    value.copy_(mean)

    def set_state(self, state: dict[str, Tensor]) -> None:
        """Give all copies parameters and statistics."""
        for replica in self._replicas:
            replica.load_state_dict(state)


class InProcesses:
    """This process's share of each batch; the processes bring their gradients together."""

    def __init__(self, model: TrainedNetwork, recipe: Recipe) -> None:
        """Take the network; all processes have made the same one."""
        self._model, self._recipe = model, recipe
        self._memories = error_prone_memories(recipe, model.spec, processes.rank_and_count()[0])
        self._parallel: nn.Module = DistributedDataParallel(_TrainingLogits(model))
        self._loss = loss_of(recipe, model.spec)

    def start_epoch(self, latent: bool) -> None:
        """Put the network into train mode; it has no stage of latent weights."""
        self._parallel.train()

    def compute(self, step: int, pixels: Tensor, labels: Tensor) -> Tensor:
        """Compute the gradients of a batch; see :class:`Gradients`."""
        if self._memories is not None:
            self._memories.begin(step)
        self._parallel.zero_grad()
        logits = self._parallel(pixels, self._recipe.bfloat16, self._memories)
        loss = self._loss(logits, labels)
        torch.autograd.backward(loss)
        return loss.detach()

    def end_step(self) -> None:
        """Do nothing: DistributedDataParallel hands out the statistics of the first process."""

    def set_state(self, state: dict[str, Tensor]) -> None:
        """Give the network parameters and statistics."""
        self._model.load_state_dict(state)


class _TrainingLogits(nn.Module):
    """A network's ``training_logits`` as the ``forward`` that DistributedDataParallel calls."""

    def __init__(self, network: TrainedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, pixels: Tensor, bfloat16: bool, memories: ErrorProneMemories | None
    ) -> Tensor:
        return self.network.training_logits(pixels, bfloat16, memories)


def error_prone_memories(recipe: Recipe, spec: Spec, part: int) -> ErrorProneMemories | None:
    """Return the memories of a part of each batch, or None if none of them errs.

    Raises:
        ValueError: a layer that the network has not, or rates of another form.
    """
    rates = {}
    for option, names in (("weight_errors", weight_names), ("activation_errors", map_names)):
        text = getattr(recipe, option)
        try:
            rates[option] = parse_rates(text, names(spec))
        except ValueError as error:
            raise ValueError(f"{option} is {text}: {error}") from None
    if not any(rates.values()):
        return None
    weights, maps = rates["weight_errors"], rates["activation_errors"]
    return ErrorProneMemories(weights, maps, recipe.error_mode, recipe.seed, part)
