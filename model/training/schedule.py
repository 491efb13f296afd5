"""The learning rate of each step."""

from __future__ import annotations

import math

from spinflow.model.training.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps_an_epoch: int) -> float:
    """Return the learning rate of a step: ``recipe.lr`` for the hold, then half a cosine to 0.

    The epochs with latent weights are a stage of their own, without a hold. In the warm-up of a
    stage the rate is multiplied by what rises evenly from 0 to 1.

    Args:
        recipe: gives the first learning rate and the epochs of each part.
        step: from 0, over all epochs.
        steps_an_epoch: steps of an epoch.
    """
    first, whole = (n * steps_an_epoch for n in (recipe.float_epochs, recipe.epochs))
    if step < first:
        hold, falling = 0, first
    else:
        step -= first
        hold = recipe.hold * steps_an_epoch
        falling = whole - first - hold
    rising = min(1.0, (step + 1) / (recipe.warm_up * steps_an_epoch + 1))
    return recipe.lr * rising * 0.5 * (1.0 + math.cos(math.pi * max(step - hold, 0) / falling))
