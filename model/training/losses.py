"""Losses of training: cross-entropy, and two that make the margins of the sums wide."""

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

    def mcel(logits: Tensor, labels: Tensor) -> Tensor:
        return mcel_loss(logits, labels, recipe.margin, recipe.clamp)

    return {"cross-entropy": cross_entropy, "margin": margin, "mcel": mcel}[recipe.loss]


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


def mcel_loss(logits: Tensor, labels: Tensor, margin: float, clamp: float) -> Tensor:
    """Return the margin cross-entropy loss (MCEL) of Yayla and Kumar, arXiv 2603.05048, eqs. 7-10.

    "MCEL: Margin-Based Cross-Entropy Loss for Error-Tolerant Quantized Neural Networks": logits y
    are clamped smoothly to L tanh(y / L), the margin m is taken off the right one, and of that
    comes the cross-entropy. Without the clamp a network could lower all logits alike instead of
    drawing them apart. The authors' L is 100, their m from 1 to 192, and m / 2L is the share of the
    range that the right logit is to lead by. The equations are those that public implementations
    and summaries of the paper quote; its full text was not at hand.

    Args:
        logits: shape (n, classes).
        labels: the right classes, int64, shape (n,).
        margin: m, in logits, above 0.
        clamp: L, in logits, above half the margin.
    """
    clamped = clamp * torch.tanh(logits / clamp)
    right = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return functional.cross_entropy(clamped - margin * right, labels)
