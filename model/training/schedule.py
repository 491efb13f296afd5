"""The learning rate of each step."""

from __future__ import annotations

import math

from spinflow.model.training.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps_an_epoch: int) -> float:
    """Return the learning rate of a step: ``recipe.lr`` for the hold, then half a cosine to 0.

    Args:
        recipe: gives the first learning rate, the hold and the number of epochs.
        step: from 0, over all epochs.
        steps_an_epoch: steps of an epoch.
    """
    hold = recipe.hold * steps_an_epoch
    falling = recipe.epochs * steps_an_epoch - hold
    return recipe.lr * 0.5 * (1.0 + math.cos(math.pi * max(step - hold, 0) / falling))
