"""The training of a network: same options, same seed, same file, interrupted or not.

Adam on latent weights clipped to [-1, 1] with straight-through gradients (Courbariaux et al. 2016,
"Binarized Neural Networks", algorithm 1) and a learning rate that falls along a cosine. Every
random number is a function of (seed, epoch) or of (seed, step), and of the process.
"""

from __future__ import annotations

import errno
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from spinflow.host.core.files import check_replaceable
from spinflow.model import store
from spinflow.model.networks.base import TrainedNetwork
from spinflow.model.networks.build import build
from spinflow.model.training import checkpoint, processes
from spinflow.model.training.budget import Budget
from spinflow.model.training.checkpoint import CHECKPOINT, Progress, State
from spinflow.model.training.feeds import Feed
from spinflow.model.training.gradients import gradients_of, parameters_of
from spinflow.model.training.recipe import Recipe
from spinflow.model.training.schedule import learning_rate

AVERAGES = "average."
"""Before the names of the averages in a checkpoint."""

STATISTICS = 64
"""Batches of which the batch norms of averages have their statistics."""


class Trainer:
    """One training in one process: network, optimizer and progress.

    Attributes:
        model: the network.
        progress: how far it has come.
    """

    def __init__(
        self,
        feed: Feed,
        teacher: TrainedNetwork | None = None,
        initial: TrainedNetwork | None = None,
    ) -> None:
        """Make a network for a feed's recipe, with random weights or those to begin with.

        Args:
            feed: the data, the network and its recipe.
            teacher: the trained network that the recipe names, if it names one.
            initial: the same of that whose weights are to begin with.

        Raises:
            ValueError: the device is not there, the network has no memories for the rates, or the
                layers of the initial one are others.
        """
        recipe = self.recipe = feed.recipe
        self.feed = feed
        device = processes.device_of(recipe.device)
        torch.set_num_threads(recipe.threads)
        torch.use_deterministic_algorithms(recipe.device == "cpu")
        # Nothing here reads memory before it is written.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch's stubs lack it
        torch.manual_seed(recipe.seed)
        model: TrainedNetwork = build(feed.spec)
        if initial is not None:
            model.begin_with(initial)
        self.model = model.to(device)
        teacher = teacher.to(device) if teacher is not None else None
        self.gradients = gradients_of(self.model, recipe, teacher)
        weights, norms = parameters_of(self.model)
        self.optimizer = torch.optim.Adam(
            [{"params": weights, "factor": 1.0}, {"params": norms, "factor": recipe.norm_lr}],
            lr=recipe.lr,
        )
        self._averages = _averages(self.model, recipe.average) if recipe.average else None
        self.progress = Progress()

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.progress.epoch

    def run_epoch(self, bar: tqdm[Any]) -> None:
        """Train one epoch, validate, and keep the weights if none before were better.

        Raises:
            ValueError: the training has diverged.
        """
        latent = self.epoch < self.recipe.float_epochs
        self.gradients.start_epoch(latent)
        steps, loss = self.feed.steps_an_epoch, torch.zeros(())
        for i, (pixels, labels) in enumerate(self.feed.batches(self.epoch)):
            step = self.epoch * steps + i
            rate = learning_rate(self.recipe, step, steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            loss = self.gradients.compute(step, pixels, labels)
            self.optimizer.step()
            self.model.constrain()
            self.gradients.end_step()
            if self._averages is not None:
                self._averages.update_parameters(self.model)
            bar.update()
        if not torch.isfinite(loss):
            raise ValueError(
                f"the loss is {loss.item()} at the end of epoch {self.epoch + 1}, lr is "
                f"{self.recipe.lr}, valid: less, with which the training does not diverge"
            )
        self.progress.epoch += 1
        shown = {"epoch": self.epoch, "loss": f"{loss.item():.3f}"}
        # Latent weights are no candidates: what counts is what can be written.
        if self.feed.validation and not latent:
            shown |= self._validate()
        bar.set_postfix(**shown)

    def replan(self, recipe: Recipe) -> None:
        """Go on with another number of epochs, or another hold."""
        self.recipe = self.feed.recipe = recipe

    def _validate(self) -> dict[str, str]:
        """Keep the weights if none before were better; return what the progress bar says."""
        self._take_statistics()
        progress, correct = self.progress, self.feed.validated(self._counting())
        # Of equals the later: its learning rate was lower.
        if correct >= progress.best_correct:
            progress.best_epoch, progress.best_correct = self.epoch, correct
            progress.best = {k: v.clone() for k, v in self._counting().state_dict().items()}
        shares = {"validation": correct, "best": progress.best_correct}
        return {name: f"{count / self.feed.validation:.4f}" for name, count in shares.items()}

    @torch.no_grad()
    def _take_statistics(self) -> None:
        """Measure the statistics of the averages anew: their bits are no average of bits."""
        if self._averages is None:
            return
        model = self._counting().train()
        batches = itertools.islice(self.feed.batches(self.epoch - 1), STATISTICS)
        for number, (pixels, _) in enumerate(batches, 1):
            for norm in model.batch_norms():
                norm.momentum = 1 / number  # the mean of all batches so far
            model.training_logits(pixels, self.recipe.bfloat16)

    def _counting(self) -> TrainedNetwork:
        """Return the network that is validated and written: the averages where there are any."""
        counting = self._averages.module if self._averages else self.model
        assert isinstance(counting, TrainedNetwork)
        return counting

    def _state(self) -> State:
        """Return what a checkpoint holds of the network, and of its averages."""
        state = dict(self.model.state_dict())
        averages = self._averages.state_dict() if self._averages else {}
        return state | {f"{AVERAGES}{name}": value for name, value in averages.items()}

    def save(self, path: Path) -> None:
        """Write the whole state to one file, in one step."""
        checkpoint.save(path, self.feed, self.progress, self._state(), self.optimizer)

    def load(self, path: Path) -> None:
        """Take up the state of a checkpoint.

        Raises:
            ValueError: as `checkpoint.load`.
        """
        like = self.model.state_dict()
        self.progress, state = checkpoint.load(path, self.feed, self._state(), like, self.optimizer)
        self.gradients.set_state({name: state[name] for name in like})
        if self._averages:
            found = {name: state[f"{AVERAGES}{name}"] for name in self._averages.state_dict()}
            self._averages.load_state_dict(found)

    def finish(self) -> TrainedNetwork:
        """Return the network of the epoch that counts, on the CPU."""
        self.model.load_state_dict(self.progress.best or self._counting().state_dict())
        self.model.cpu()
        self.model.centre_thresholds()
        return self.model


def _averages(model: TrainedNetwork, decay: float) -> AveragedModel:
    """Return moving averages of a network's parameters and statistics, itself such a network."""
    mean = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch's own
    return AveragedModel(model, multi_avg_fn=mean, use_buffers=True)


def train(
    feed: Feed,
    out: Path,
    resume: bool = False,
    kept: Path | None = None,
    *,
    teacher: TrainedNetwork | None = None,
    initial: TrainedNetwork | None = None,
    budget: Budget | None = None,
) -> tuple[Path, Path]:
    """Train a network; the first process writes its weights, and a JSON file with its accuracy.

    Args:
        feed: the data, the network and its recipe.
        out: folder for the checkpoint (each epoch) and the results.
        resume: go on from the checkpoint, if there is one.
        kept: file of the checkpoint, removed in the end; that of the folder, which stays, if None.
        teacher: the trained network that the recipe names, if it names one.
        initial: the same of that whose weights are to begin with.
        budget: the time that there is; all epochs of the recipe if None.

    Returns:
        The weights' file and the JSON file beside it, as ``spinflow.model.store`` has them.

    Raises:
        ValueError: the checkpoint is of another training, or the folder has one and resume is off.
        OSError: a checkpoint or a result cannot be written where it is to lie.
        OutOfTimeError: the budget was over; the checkpoint is there to go on from.
    """
    path = kept or out / CHECKPOINT
    trainer = Trainer(feed, teacher, initial)
    check_replaceable(path)
    if path.exists():
        if not resume:
            other = "choose another --out" if kept is None else "remove it to begin anew"
            raise ValueError(f"{path} exists: add --resume, or {other}")
        trainer.load(path)
    _make_ready(path, *_files(feed, out))
    total, done = (n * feed.steps_an_epoch for n in (feed.recipe.epochs, trainer.epoch))
    silent = not processes.is_first() or not sys.stderr.isatty()
    with tqdm(total=total, initial=done, unit="step", desc=feed.spec.name, disable=silent) as bar:
        took = 0.0
        while trainer.epoch < feed.recipe.epochs:
            if budget is None:
                trainer.run_epoch(bar)
            else:
                began = budget.start_epoch(feed.recipe, trainer.epoch, took)
                trainer.run_epoch(bar)
                took = budget.since(began)
                trainer.replan(budget.fitted(feed.recipe, trainer.epoch, took))
                bar.total = feed.recipe.epochs * feed.steps_an_epoch
            if processes.is_first():
                trainer.save(path)
    files = _store(trainer, out)
    if kept is not None and processes.is_first():
        kept.unlink(missing_ok=True)
    return files


def _make_ready(*files: Path) -> None:
    """Make folders for files, and raise OSError where one cannot lie: before hours of training."""
    for path in files:
        check_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


def _files(feed: Feed, out: Path) -> tuple[Path, Path]:
    label = feed.recipe.label if "label" in feed.fields else ""
    return store.files_of(feed.spec.name + (f"+{label}" if label else ""), out)


def _store(trainer: Trainer, out: Path) -> tuple[Path, Path]:
    """Write weights, measure what was written, and write the facts."""
    feed, progress = trainer.feed, trainer.progress
    weights, facts = _files(feed, out)
    if processes.is_first():
        store.write_weights(weights, trainer.finish())
    processes.wait()
    measured = feed.measured(store.unpack(weights, feed.spec))
    if processes.is_first():
        told = {"command": feed.command(), "recipe": checkpoint.recorded(feed), **feed.origin}
        if feed.validation:
            told["best_epoch"] = progress.best_epoch
            told["validation_accuracy"] = progress.best_correct / feed.validation
        store.write_facts(facts, weights, feed.spec, measured | told)
    return weights, facts
