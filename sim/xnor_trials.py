"""Many trials of a network with layers of floats on the same images.

Up to the first layer of which a trial changes a weight or a bit that it takes, all is as without
errors, and is computed once for all trials. Blocks of images are the outer loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.blocks import Kept, shared_draws, starts
from spinflow.sim.evaluator.memory import PackedMemory
from spinflow.sim.evaluator.together import Held
from spinflow.sim.protocol import Taps

if TYPE_CHECKING:
    import torch

    from spinflow.model.networks.graph import Layer
    from spinflow.model.networks.xnor import XnorNetwork

KEPT_BYTES = 256 << 20
"""Of blocks without errors that are kept for the trials that come later."""


@dataclass(frozen=True, eq=False)
class Written:
    """Maps of bits as a buffer takes them.

    Attributes:
        line: in words of 64 bits, with one to spare.
        bits: how many they are.
    """

    line: NDArray[np.uint64]
    bits: int

    @classmethod
    def of(cls, layer: Layer, signs: torch.Tensor) -> Written:
        """Take maps of +1 and -1, in torch's order or flat, that a layer takes."""
        rows, columns, channels = layer.source
        ordered = signs.reshape(-1, channels, rows, columns).permute(0, 2, 3, 1)
        bits = (ordered > 0).numpy().reshape(-1)
        line = np.zeros(-(-bits.size // 64) + 1, np.uint64)
        line.view(np.uint8)[: -(-bits.size // 8)] = np.packbits(bits, bitorder="little")
        return cls(line, bits.size)

    def stored(self, cells: PackedMemory) -> NDArray[np.uint64] | None:
        """Write them, and return what is stored then; None if it is the same."""
        words = -(-self.bits // 64)
        target = self.line[:words]
        if self.bits and self.bits % 64 == 0:
            passed = cells.pass_on(target, np.empty_like(target), self.bits)
            if passed is not None:
                return None if passed is target else passed
        stored = cells.write(self.line, self.bits).view(np.uint32)
        found = np.zeros_like(target)
        found.view(np.uint32)[: -(-self.bits // 32)] = stored[: -(-self.bits // 32)]
        cells.settle(self.bits)
        return None if np.array_equal(self.flat(found), self.flat(target)) else found

    def flat(self, line: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return the bits of a line as 0 and 1."""
        return np.unpackbits(line.view(np.uint8), count=self.bits, bitorder="little")


def signs_of(bits: NDArray[np.uint8], layer: Layer, shape: torch.Size) -> torch.Tensor:
    """Return stored bits as maps of +1 and -1 of a shape, in torch's order or flat."""
    import torch

    rows, columns, channels = layer.source
    signs = torch.from_numpy(bits).reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)
    return (signs.float() * 2 - 1).reshape(shape)


@dataclass(eq=False)
class _Clean:
    """A layer without errors on a block of images: what it gives, and the bits that it takes."""

    given: torch.Tensor
    shape: torch.Size
    taken: Written | None

    @property
    def bytes(self) -> int:
        """What it takes."""
        return self.given.nbytes + (self.taken.line.nbytes if self.taken is not None else 0)


class XnorTrials:
    """Trials of one network on the same images.

    Args:
        model: the network, whose weights are changed.
        exact: of each place of a binary layer, its weights without errors, as memories hold them.
        memories: of the same places, the indices of weights and buffer.
        at_once: images that are computed at once.
    """

    def __init__(
        self,
        model: XnorNetwork,
        exact: Mapping[int, NDArray[np.uint8]],
        memories: Mapping[int, tuple[int, int]],
        at_once: int,
    ) -> None:
        self._model, self._exact, self._memories = model, exact, memories
        self._at_once = at_once
        self._layers = model.spec.layers
        self._weighted = {layer.name: n for n, layer in enumerate(model.spec.weighted)}
        self._weights = {place: self._weight(place, bits).clone() for place, bits in exact.items()}
        self._kept = Kept(
            KEPT_BYTES, self._without_errors, lambda clean: sum(each.bytes for each in clean)
        )

    def _weight(self, place: int, bits: NDArray[np.uint8]) -> Any:
        """A binary layer's weights as torch takes them; valid until the next ones."""
        import torch

        from spinflow.model.networks.base import set_weight_bits

        layer = self._layers[place]
        matrix = self._model.matrices()[self._weighted[layer.name]]
        with torch.no_grad():
            set_weight_bits(layer, matrix, bits.reshape(layer.weight_shape))
            return self._model.weight_of(place)

    def run(self, trials: Sequence[Held], images: NDArray[Any], taps: bool) -> None:
        """Run images; labels and taps are added to the trials, whose memories go on."""
        import torch

        self._kept.begin(images)
        for start in starts(images, self._at_once):
            with torch.no_grad(), shared_draws(trials):
                clean = self._kept.block(start, images[start : start + self._at_once])
                for trial in trials:
                    self._run(trial, clean, taps)

    def _without_errors(self, images: NDArray[Any]) -> list[_Clean]:
        from spinflow.model.networks.base import PIXEL_OFFSET, PIXEL_SCALE, to_input

        x = to_input(self._model.spec, images) * PIXEL_SCALE + PIXEL_OFFSET
        found = []
        for place, layer in enumerate(self._layers):
            x = self._model.taken(place, x)
            taken = Written.of(layer, x) if place in self._exact else None
            shape = x.shape
            weight = self._weights.get(place)
            if weight is None:
                weight = self._model.weight_of(place)
            x = self._model.given(place, x, weight)
            found.append(_Clean(x, shape, taken))
        return found

    def _run(self, trial: Held, clean: Sequence[_Clean], taps: bool) -> None:
        x, same = clean[0].given, True  # whether all up to here is as without errors
        seen: Taps = {}
        for place, known in enumerate(clean):
            if place in self._exact:
                x, same = self._binary(trial, place, known, None if same else x, seen)
            elif same:
                x = known.given
            else:
                x = self._model.taken(place, x)
                x = self._model.given(place, x, self._model.weight_of(place))
        sums = x.flatten(1).numpy()
        trial.labels.append(sums.argmax(axis=1).astype(np.int64))
        if taps:
            trial.taps.append(seen | {self._model.spec.weighted[-1].name: sums.copy()})

    def _binary(
        self, trial: Held, place: int, known: _Clean, x: torch.Tensor | None, seen: Taps
    ) -> tuple[torch.Tensor, bool]:
        """What a binary layer gives, and whether it is as without errors; None: its input is."""
        layer, before = self._layers[place], self._layers[place - 1].name
        weights, buffer = (trial.memories[index] for index in self._memories[place])
        written, shape = known.taken, known.shape
        if x is not None:
            x = self._model.taken(place, x)
            written, shape = Written.of(layer, x), x.shape
        assert written is not None
        stored = written.stored(buffer)
        bits = written.flat(written.line if stored is None else stored)
        seen[before] = written.flat(written.line).reshape(-1, buffer.size)
        seen[f"{before}.buffer"] = bits.reshape(-1, buffer.size)
        exact = self._has_exact(trial, place, weights)
        if x is None and stored is None and exact:
            return known.given, True
        weight = self._weights[place] if exact else self._weight(place, weights.bits)
        return self._model.given(place, signs_of(bits, layer, shape), weight), False

    def _has_exact(self, trial: Held, place: int, weights: PackedMemory) -> bool:
        if weights.index not in trial.exact:
            same = np.array_equal(weights.bits.reshape(-1), self._exact[place].reshape(-1))
            trial.exact[weights.index] = same
        return trial.exact[weights.index]
