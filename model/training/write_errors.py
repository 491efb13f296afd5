"""Write errors in weights and hidden maps while a network is trained, and how their rates are said.

A rate is ``RATE`` or ``RATE1/RATE0``, the second for a written 0 where it differs; each is a number
from 0 to 1 or a range ``LOW:HIGH`` from which it is drawn. Alone it is that of all layers; by layer
it is ``NAME=RATE,NAME=RATE``, and the others have none:

    1e-2    1e-3:1e-1    1e-2/1e-3    conv1=1e-2,fc0=1e-3:1e-1/1e-4:1e-2

Weights are called after their layer. Hidden maps are called after the layer behind which the buffer
lies, as in docs/contracts.md: a pool where one follows, since a map is stored after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from spinflow.model.networks.graph import Spec
from spinflow.model.training.recipe import ERROR_MODES


@dataclass(frozen=True)
class Rate:
    """A bit-error rate, fixed (low = high) or of a range."""

    low: float
    high: float

    def at(self, u: float) -> float:
        """Return the rate at a place of the range, u from 0 to 1; log-uniform if u is uniform."""
        return self.low if self.low == self.high else self.low * (self.high / self.low) ** u


@dataclass(frozen=True)
class Rates:
    """The bit-error rates of a memory.

    Attributes:
        one: of a bit to be written as 1 (+1), the error 0 instead of 1.
        zero: of a bit to be written as 0 (-1), the error 1 instead of 0.
    """

    one: Rate
    zero: Rate


def weight_names(spec: Spec) -> list[str]:
    """Return the layers of a network that have binary weights, in order."""
    return [layer.name for layer in spec.weighted if layer.binary]


def map_names(spec: Spec) -> list[str]:
    """Return the layers of a network behind which a hidden map is stored, in order."""
    return [
        following.name if following.op == "pool" else layer.name
        for layer, following in pairwise(spec.layers)
        if layer.sign
    ]


def _rate(text: str) -> Rate:
    try:
        low, high = [float(part) for part in text.split(":")] * (1 if ":" in text else 2)
    except ValueError:
        raise ValueError(f"{text!r} is no rate, valid: 0 to 1, or LOW:HIGH") from None
    if not 0.0 <= low <= 1.0 or not 0.0 <= high <= 1.0:
        raise ValueError(f"the rate {text} is out of range, valid: 0 to 1")
    if ":" in text and not 0.0 < low < high:
        raise ValueError(f"{text} is no range, valid: LOW:HIGH with 0 < LOW < HIGH")
    return Rate(low, high)


def parse_rates(text: str, names: list[str]) -> dict[str, Rates]:
    """Read rates in the form that the module describes.

    Args:
        text: the rates.
        names: the layers that there are, as :func:`weight_names` or :func:`map_names` gives them.

    Returns:
        The layers whose rates are not both 0.

    Raises:
        ValueError: another form, a rate out of range, a layer that is unknown or named twice.
    """
    entries = text.split(",")
    if "=" not in text:
        entries = [f"{name}={text}" for name in names]
    found: dict[str, Rates] = {}
    for entry in entries:
        name, _, rates = entry.partition("=")
        if name not in names:
            raise ValueError(f"unknown layer {name!r}; known: {', '.join(names)}")
        if name in found:
            raise ValueError(f"layer {name} is named twice")
        one, slash, zero = rates.partition("/")
        found[name] = Rates(_rate(one), _rate(zero if slash else one))
    none = Rate(0.0, 0.0)
    return {name: rates for name, rates in found.items() if rates != Rates(none, none)}


class ErrorProneMemories:
    """Weight memories and buffers with write errors, for ``BinaryNetwork.training_logits``.

    All weights are written once a step, and a hidden map of each image. In mode ``flip`` each
    written bit errs with its rate. In mode ``switch`` it keeps its old value with that rate, which
    is an error only where the two differ. Old values are, as in docs/contracts.md:

    - of a map, the map of the image before in the batch, errors included; of the first one 0 (-1).
      That is a buffer of one frame after a soft reset, the evaluator's when no bundle says more.
    - of weights, random bits, other ones each step. What a chip holds when the weights are written
      is not known when they are trained, and a background that stays would teach the network which
      of its bits are safe. Half of the bits are then right already, whatever the weights, so these
      are flips at half the rates; that is how they are drawn.

    A rate from a range is drawn for each step, at one place of all ranges: one write voltage makes
    all memories better or worse together.

    Gradients pass as if the bit had been written right, while the products, forward and backward,
    take the bit that is read. Tzoufras et al. 2019 describe the error-prone bit as a stochastic
    rounding (eqs. 4-7) and Courbariaux et al. 2016 pass the gradient of that straight through;
    Hirtzlin et al. 2019 give none. The gradient with the sign of the read bit has the same mean, up
    to the factor 1 - 2 rate, which Adam removes, and more variance.

    Every random number is a function of (seed, step), of maps of (seed, step, part). A rate is kept
    to 2^-24.
    """

    def __init__(
        self,
        weights: Mapping[str, Rates],
        maps: Mapping[str, Rates],
        mode: str,
        seed: int,
        part: int = 0,
    ) -> None:
        """Make memories without a step; see :meth:`begin`.

        Args:
            weights: rates by layer; layers that are not there have no errors.
            maps: the same of the hidden maps.
            mode: "flip" or "switch".
            seed: of the errors, 0 or more.
            part: which part of a batch passes through; parts share the errors of the weights.

        Raises:
            ValueError: another mode.
        """
        if mode not in ERROR_MODES:
            raise ValueError(
                f"there is no error mode {mode!r}; the modes are {', '.join(ERROR_MODES)}"
            )
        self.weight_rates, self.map_rates = dict(weights), dict(maps)
        self.mode, self.seed, self.part = mode, seed, part
        self._place = 0.0
        self._seeds: dict[str, int] = {}
        self._generators: dict[str, torch.Generator] = {}

    def begin(self, step: int) -> None:
        """Start a step: the next call of each kind is that of the first layer."""
        # Not part 0 after them: a sequence of seeds is the same with a 0 at its end.
        shared = np.random.SeedSequence([self.seed, step])
        own = np.random.SeedSequence([self.seed, step, 1 + self.part])
        self._place = float(np.random.Generator(np.random.PCG64(shared)).random())
        self._seeds = {
            kind: int(seeds.generate_state(1)[0])
            for kind, seeds in (("weights", shared), ("maps", own))
        }
        self._generators = {}

    def weights(self, name: str, written: Tensor) -> Tensor:
        """Return what is read of a layer's weights, +1 and -1; the gradient passes through."""
        rates = self.weight_rates.get(name)
        if rates is None:
            return written
        target = written.detach()
        hits = self._hits("weights", rates, target, 0.5 if self.mode == "switch" else 1.0)
        return _straight_through(written, torch.where(hits, -target, target))

    def hidden_map(self, name: str, written: Tensor) -> Tensor:
        """Return what is read of a map of +1 and -1, (n, ...); the gradient passes through."""
        rates = self.map_rates.get(name)
        if rates is None:
            return written
        target = written.detach()
        hits = self._hits("maps", rates, target, 1.0)
        if self.mode == "flip":
            return _straight_through(written, torch.where(hits, -target, target))
        stored = torch.empty_like(target)
        old = torch.full_like(target[0], -1.0)
        for image in range(len(target)):
            torch.where(hits[image], old, target[image], out=stored[image])
            old = stored[image]
        return _straight_through(written, stored)

    def _hits(self, kind: str, rates: Rates, target: Tensor, share: float) -> Tensor:
        """Return which bits err, at a share of their rates."""
        if kind not in self._generators:
            generator = torch.Generator(target.device)
            self._generators[kind] = generator.manual_seed(self._seeds[kind])
        drawn = torch.empty_like(target, dtype=torch.float32)
        drawn.uniform_(generator=self._generators[kind])
        one, zero = (share * rate.at(self._place) for rate in (rates.one, rates.zero))
        if one == zero:
            return drawn < one
        return drawn < torch.where(target > 0, one, zero)


def _straight_through(written: Tensor, stored: Tensor) -> Tensor:
    """Return the values of `stored` with the gradient of `written`; both are +1 and -1."""
    # Differences are 0 and 2, and sums are +1 and -1, so nothing is rounded in bfloat16 either.
    return written + (stored - written.detach())
