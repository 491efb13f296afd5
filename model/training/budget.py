"""How many epochs of a recipe fit a stated time: chosen while the first learning rate is held.

A learning rate that falls to 0 has to know where it ends. With a budget a fifth of the epochs keep
the first rate, and after each of them the number of epochs is chosen anew from how long the last
one took; from then on it stays. A training that another one slows down later does not finish in
time: its checkpoint goes on with the next budget.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import time
from collections.abc import Callable

from spinflow.host.core.errors import SpinflowError
from spinflow.model.training.recipe import Recipe

HELD = 5
"""One epoch of so many keeps the first learning rate."""

RESERVE = 0.1
"""Share of a budget for what comes before and after the epochs: imports, data, the test set."""

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class OutOfTimeError(SpinflowError, ValueError):
    """A budget is over before the training is."""


def seconds(text: str) -> float:
    """Return a time as a command line has it, as 90s, 10min or 2h, in s.

    Raises:
        argparse.ArgumentTypeError: of another form, or not above 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", text.strip(), re.ASCII)
    if not found or not 0 < float(found[1]) * _UNITS[found[2]] < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, valid: as 90s, 10min or 2h")
    return float(found[1]) * _UNITS[found[2]]


class Budget:
    """A time from now on, and what of a recipe fits into it.

    Attributes:
        most: epochs of the recipe without a budget.
    """

    def __init__(
        self, whole: float, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start the time.

        Args:
            whole: how long, in s.
            most: epochs of the recipe without a budget.
            clock: of the time, in s.
        """
        self.most, self._clock = most, clock
        self._end = clock() + whole * (1 - RESERVE)

    def begin(self, recipe: Recipe) -> Recipe:
        """Return a recipe to begin with: all epochs, a fifth of them held."""
        return self._with(recipe, self.most, 0)

    def start_epoch(self, recipe: Recipe, epoch: int, last: float) -> float:
        """Return the clock at the start of an epoch.

        Args:
            recipe: of the training.
            epoch: how many are done.
            last: how long the last of them took in this run, in s; 0 before the first.

        Raises:
            OutOfTimeError: it would end too late.
        """
        now = self._clock()
        if now + last > self._end:
            raise OutOfTimeError(
                f"the budget is over after {epoch} of {recipe.epochs} epochs of {recipe.network}: "
                "the same command with --resume goes on"
            )
        return now

    def since(self, began: float) -> float:
        """Return how long it is since a clock of :meth:`start_epoch`, in s."""
        return self._clock() - began

    def fitted(self, recipe: Recipe, epoch: int, last: float) -> Recipe:
        """Return a recipe with as many epochs as fit, if the first learning rate still holds.

        Args:
            recipe: of the training.
            epoch: how many are done, 1 or more.
            last: how long the last of them took, in s.
        """
        if epoch > recipe.float_epochs + recipe.hold:
            return recipe
        left = max(0.0, self._end - self._clock())
        return self._with(recipe, epoch + int(left / max(last, 1e-9)), epoch)

    def _with(self, recipe: Recipe, epochs: int, done: int) -> Recipe:
        """Return a recipe with another number of epochs, and those of it that are held.

        Args:
            recipe: of the training.
            epochs: that fit.
            done: epochs that the first learning rate has had.
        """
        first = recipe.float_epochs
        epochs = max(min(epochs, self.most), done, first + 1)
        hold = max((epochs - first) // HELD, done - first)
        # The last epoch's rate falls, except that of a training of one.
        hold = max(0, min(hold, epochs - first - 1))
        return dataclasses.replace(recipe, epochs=epochs, hold=hold)
