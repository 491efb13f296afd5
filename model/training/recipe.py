"""How a network is trained: all that a trained file depends on, as plain data."""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

ERROR_MODES = ("flip", "switch")
"""How writes err while a network is trained; see ``write_errors.ErrorProneMemories``."""

LOSSES = ("cross-entropy", "margin", "mcel")

LABEL = r"[\w.-]*"
"""What the label of a variant may be, as a regular expression of ASCII."""


@dataclass(frozen=True)
class Recipe:
    """All that a trained file depends on, beside the data and the versions.

    Attributes:
        network: its name, as ``spinflow.model.zoo.network`` takes it.
        seed: of the weights, the order of the images and the distortions.
        epochs: passes over the training images.
        batch: images a step.
        lr: Adam's first learning rate; after the hold it falls to 0 along a half cosine.
        hold: epochs at the first learning rate. As long as they last, a run can be resumed with
            another hold and another number of epochs. With two stages, of the second.
        warm_up: epochs at the beginning of each stage in which the learning rate rises from 0.
        float_epochs: the first of the epochs, a stage of their own, in which the weights of a
            binary convolutional network keep their latent values in [-1, 1] and only its maps are
            bits; the learning rate falls to 0 and begins again (Bulat et al. 2019, "Improved
            training of binary networks", section 3.4; Martinez et al. 2020, section 4.1).
        teacher: a trained network of the same classes whose soft labels are learned too
            (``losses.distilled``); none if empty.
        distil: share of the teacher in the loss, 0 to 1.
        temperature: of the soft labels.
        initial: a trained network of the same layers, a variant as a rule, whose weights the
            training begins with (``TrainedNetwork.begin_with``); random ones if empty.
        norm_lr: the same of the batch norms, as a multiple of lr.
        average: decay a step of moving averages of latent weights and batch norms, which are then
            validated and written in place of the last ones; 0 for none.
        shift: largest shift of an image, in pixels, each axis.
        rotate: largest rotation, in degrees.
        zoom: largest relative change of size, each axis.
        crop: largest shift of an image in whole pixels, each axis; its border is repeated.
        flip: whether half of the images are mirrored, left to right.
        label_smoothing: of the cross-entropy.
        validation: how many of the last training images choose the epoch.
        bfloat16: matrix products in bfloat16 while training; evaluation is always float32.
        parts: equal parts of a batch, each with batch-norm statistics of its own, computed at the
            same time; the mean of their gradients and of their statistics counts.
        threads: of torch, for each part; sums of gradients depend on it.
        weight_errors: rates at which written weights err, as the module ``write_errors`` has them.
        activation_errors: the same of the hidden maps, as the buffers store them.
        error_mode: of both, "flip" or "switch"; see ``write_errors.ErrorProneMemories``.
        loss: "cross-entropy", "margin", ``losses.margin_loss``, or "mcel", ``losses.mcel_loss``.
        margin: of the margin loss, in agreeing less disagreeing bits of the last layer; of mcel,
            in logits.
        clamp: of mcel, the bound that logits approach.
        device: "cpu" or "cuda". Only on the CPU does the same recipe give the same file.
        label: of a variant, whose files are called NETWORK+LABEL.
    """

    network: str
    seed: int = 1
    epochs: int = 60
    batch: int = 256
    lr: float = 0.03
    hold: int = 0
    warm_up: int = 0
    float_epochs: int = 0
    teacher: str = ""
    distil: float = 0.9
    temperature: float = 4.0
    initial: str = ""
    norm_lr: float = 1.0
    average: float = 0.0
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    crop: int = 0
    flip: bool = False
    label_smoothing: float = 0.0
    validation: int = 5000
    bfloat16: bool = True
    parts: int = 1
    threads: int = 1
    weight_errors: str = "0"
    activation_errors: str = "0"
    error_mode: str = ERROR_MODES[0]
    loss: str = LOSSES[0]
    margin: float = 128.0
    clamp: float = 100.0
    device: str = "cpu"
    label: str = ""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "validation", "parts", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, valid: 1 or more")
        for name, top in (("shift", 28.0), ("rotate", 180.0), ("zoom", 0.9)):
            if not 0.0 <= getattr(self, name) <= top:
                raise ValueError(f"{name} is {getattr(self, name)}, valid: 0 to {top}")
        for name in ("label_smoothing", "average"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, valid: 0 to below 1")
        last = self.epochs - self.float_epochs
        for name, top in (
            ("float_epochs", self.epochs - 1),
            ("hold", last - 1),
        ):
            if not 0 <= getattr(self, name) <= top:
                raise ValueError(f"{name} is {getattr(self, name)}, valid: 0 to {top}")
        if self.warm_up < 0:
            raise ValueError(f"warm_up is {self.warm_up}, valid: 0 or more")
        if not 0.0 <= self.distil <= 1.0:
            raise ValueError(f"distil is {self.distil}, valid: 0 to 1")
        if self.teacher and self.loss != LOSSES[0]:
            raise ValueError(f"loss is {self.loss}, valid: {LOSSES[0]} with a teacher")
        if self.batch % self.parts:
            raise ValueError(f"parts is {self.parts}, valid: a divisor of the batch, {self.batch}")
        if not 0 <= self.crop <= 28:
            raise ValueError(f"crop is {self.crop}, valid: 0 to 28")
        for name in ("lr", "norm_lr", "margin", "clamp", "temperature"):
            if not (getattr(self, name) > 0.0 and math.isfinite(getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name)}, valid: above 0")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is {self.seed}, valid: 0 to {2**32 - 1}")
        for name, known in (
            ("error_mode", ERROR_MODES),
            ("loss", LOSSES),
            ("device", ("cpu", "cuda")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)}, valid: {', '.join(known)}")
        if self.label_smoothing and self.loss != LOSSES[0]:
            raise ValueError(
                f"label_smoothing is {self.label_smoothing}, valid: 0 with the loss {self.loss}"
            )
        if self.loss == "mcel" and not self.margin < 2 * self.clamp:
            raise ValueError(
                f"margin is {self.margin}, valid: below {2 * self.clamp}, twice the clamp of mcel"
            )
        if not re.fullmatch(LABEL, self.label, re.ASCII):
            raise ValueError(f"label is {self.label!r}, valid: letters, digits, '.', '-' and '_'")

    def command(
        self,
        fields: Sequence[str] = (),
        start: str = "spinflow train",
        more: str = "",
        network: str = "",
    ) -> str:
        """Return the command that repeats this recipe, every option written out.

        Args:
            fields: the names of those that count; all by default.
            start: what starts the training.
            more: options beside the recipe's.
            network: what a user calls the network, by default its name.
        """
        words = [start, network or self.network]
        for name in fields or FIELDS:
            option, value = name.replace("_", "-"), getattr(self, name)
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
            # A description may name a teacher, which a training of it may do without.
            elif value != "" or name != "label":
                words.append(f"--{option} {shlex.quote(str(value))}")
        return " ".join([*words, *filter(None, [more]), "--out FOLDER"])


FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))[1:]
"""What can be chosen of a recipe: all but its network."""
