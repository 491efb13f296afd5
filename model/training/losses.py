"""Losses of training: cross-entropy, and one that makes the margins of the sums wide."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from spinflow.model.networks.graph import Spec
from spinflow.model.training.recipe import Recipe


def loss_of(recipe: Recipe, spec: Spec) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a recipe's loss: a function of logits, float (n, classes), and labels, int64 (n,)."""

    def margin(logits: Tensor, labels: Tensor) -> Tensor:
        return margin_loss(logits / spec.logit_scale, labels, recipe.margin)

    def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    return margin if recipe.loss == "margin" else cross_entropy


def distilled(logits: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """Return how far logits are from a teacher's, mean over the batch, a scalar.

    Hinton et al. 2015, "Distilling the knowledge in a neural network", section 2: the divergence
    (Kullback-Leibler) of the softmax of logits / T from that of the teacher's, times T squared, so
    that its gradients compare with those of the right labels.

    Args:
        logits: of the network, shape (n, classes).
        soft: of the teacher, shape (n, classes).
        temperature: T, above 0.
    """
    ours, theirs = (functional.log_softmax(each / temperature, 1) for each in (logits, soft))
    loss = functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    return loss * temperature**2


def margin_loss(sums: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Return the modified hinge loss (MHL) of Buschjaeger et al., DATE 2021, mean over all sums.

    "Margin-Maximization in Binarized Neural Networks for Optimizing Bit Error Tolerance": with y
    +1 for the right class and -1 for the others, max(0, b - y s) / b of each sum s. The division,
    of the authors' program, makes losses of several margins comparable and changes no direction.
    Where it is 0 the right sum leads by 2 b, of which a wrong bit among its weights takes 2.

    Args:
        sums: of the last layer, in agreeing less disagreeing bits, shape (n, classes).
        labels: the right classes, int64, shape (n,).
        margin: b, in the same unit, above 0.
    """
    signs = 2.0 * functional.one_hot(labels, sums.shape[1]) - 1.0
    return torch.relu(margin - signs * sums).mean() / margin
