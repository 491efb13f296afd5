"""Networks with layers of floats on PyTorch, with bit errors in their binary weights and maps.

The weights of the binary layers, and the bits that these layers take, lie in MRAM; layers of
floats, batch norms and the sums between are exact (Tzoufras 2019, section II). The operations are
those of `spinflow.sim.evaluator.Evaluator`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.description import (
    Block,
    MaxPool,
    Product,
    Stored,
    Window,
    memories_of,
)
from spinflow.sim.evaluator.folding import Folding, fold_weights
from spinflow.sim.evaluator.memory import PackedMemory, Workers, check_stream
from spinflow.sim.evaluator.together import Held
from spinflow.sim.memories import MemoryOperations, check_images
from spinflow.sim.protocol import NetworkDescription, Taps
from spinflow.sim.xnor_trials import Written, XnorTrials, signs_of

if TYPE_CHECKING:
    import torch

    from spinflow.model.networks.graph import Layer, XnorSpec
    from spinflow.model.networks.xnor import XnorNetwork

FRAMES_AT_ONCE = 100  # bounds the memory that run() takes


@dataclass(frozen=True, eq=False)
class XnorParameters:
    """What an `XnorEvaluator` is made of, to be sent to other processes.

    Attributes:
        spec: of the network.
        values: the parameters and statistics, as torch's `state_dict` names them.
    """

    spec: XnorSpec
    values: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, model: XnorNetwork) -> XnorParameters:
        """Return what a network is made of."""
        state = model.state_dict()
        return cls(model.spec, {name: value.cpu().numpy() for name, value in state.items()})

    def model(self) -> XnorNetwork:
        """Return the network, in eval mode."""
        import torch

        from spinflow.model.networks.build import build

        model: XnorNetwork = build(self.spec)
        model.load_state_dict({name: torch.from_numpy(v.copy()) for name, v in self.values.items()})
        return model.eval()


class XnorEvaluator(MemoryOperations[PackedMemory]):
    """A network whose inner layers are binary, their weights and inputs in MRAM.

    Each binary layer has a memory of weights in the natural order of docs/evaluator.md and a buffer
    of one frame, of the bits that it takes, called after the layer or pool that they come from. A
    map lies in the order (row, column, channel), in words of one bit. Memories are numbered as in
    docs/contracts.md, and so are layers, those of floats too; weights start as 0, errors off.

    Attributes:
        network: what it was made of.
        description: what software needs to know of it; a layer of floats has the memory NOWHERE.
        memories: with their stored bits.
    """

    def __init__(
        self, model: XnorNetwork, stream: str = "hardware", threads: int | None = None
    ) -> None:
        """Take a network as it is; it is copied.

        Args:
            model: the network.
            stream: "hardware" or "fast".
            threads: that make errors; by default one for each core.

        Raises:
            ValueError: there is no such stream, or less than one thread is asked for.
        """
        check_stream(stream)
        self.network = XnorParameters.of(model)
        self._model = copy.deepcopy(model).eval()
        spec = model.spec
        pairs = zip(spec.weighted, self._model.matrices(), strict=True)
        self._binary = [(layer, matrix) for layer, matrix in pairs if layer.binary]
        self._trained = self._trained_weights()
        self.description = described(spec)
        workers = Workers(threads)
        self.memories = [PackedMemory(m, stream, workers) for m in self.description.memories]
        by_name = {memory.name: memory for memory in self.memories}
        self._trials: XnorTrials | None = None
        self._buffers = {
            before.name: (by_name[f"{before.name}.buffer"], layer)
            for before, layer in pairwise(spec.layers)
            if layer.binary
        }

    def _trained_weights(self) -> dict[int, NDArray[np.uint32]]:
        """The words of each binary layer, by its number among all layers with weights."""
        from spinflow.model.networks.base import weight_bits

        numbers = {layer.name: n for n, layer in enumerate(self._model.spec.weighted)}
        found = {}
        for layer, matrix in self._binary:
            bits = weight_bits(layer, matrix).reshape(layer.result[2], -1)
            found[numbers[layer.name]] = fold_weights(bits, Folding(1, layer.fan_in))
        return found

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return a binary layer's trained weights as they are written: uint32 (depth, segments).

        Args:
            layer: its number among all layers with weights.
        """
        return self._trained[layer]

    def write_weights(self, memory: int, segments: NDArray[Any]) -> None:
        """Write a whole weight memory, uint32 (depth, segments); ValueError for another shape."""
        self._weight_memory(memory, segments).write_rows(segments)

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """Return what a weight memory holds: uint32 (depth, segments)."""
        return self._weight_memory(memory).read_rows()

    def run(self, images: NDArray[Any], taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Run images (n, pixels), uint8, each in the order (row, column, channel).

        Returns:
            The labels (n,), ties to the lowest, and by name the bits (n, elements) that each
            binary layer takes: as written and, under `name.buffer`, as stored; under the last
            layer's name its sums. Without `taps` the dictionary is empty.

        Raises:
            ValueError: images have another shape or type.
        """
        parts: list[Taps] = []
        sums = self._sums(images, parts if taps else None)
        labels = sums.argmax(axis=1).astype(np.int64)
        if not taps:
            return labels, {}
        seen = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return labels, seen | {self._model.spec.weighted[-1].name: sums}

    def hold(self) -> Held:
        """Return a trial with the memories as they are, which `run_held` runs later."""
        return Held([memory.copied() for memory in self.memories])

    def run_held(self, trials: Sequence[Held], images: NDArray[Any], taps: bool = False) -> None:
        """Run the same images in each of several trials, whose memories go on.

        What comes out is what `run` gives; what no error reaches is computed once.

        Args:
            trials: they get the labels, and with `taps` each boundary.
            images: as of `run`; what is known of them is kept while the same array is given.
            taps: as of `run`.

        Raises:
            ValueError: as of `run`.
        """
        check_images(images, self._model.spec.pixels)
        if self._trials is None:
            self._trials = self._made_trials()
        self._trials.run(trials, images, taps)

    def _made_trials(self) -> XnorTrials:
        layers = self._model.spec.layers
        exact, places = {}, {}
        by_name = {memory.name: memory for memory in self.memories}
        for place, layer in enumerate(layers):
            if not layer.binary:
                continue
            weights = by_name[f"{layer.name}.weights"]
            trained = weights.empty()
            trained.write_rows(self._trained[weights.layer])
            exact[place] = trained.bits
            places[place] = weights.index, by_name[f"{layers[place - 1].name}.buffer"].index
        return XnorTrials(self._model, exact, places, FRAMES_AT_ONCE)

    def sums(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Run images as `run` does, and return the last layer's sums, float32 (n, classes)."""
        return self._sums(images, None)

    def _sums(self, images: NDArray[Any], parts: list[Taps] | None) -> NDArray[np.float32]:
        import torch

        from spinflow.model.networks.base import set_weight_bits, to_input

        spec = self._model.spec
        images = check_images(images, spec.pixels)
        for number, (layer, matrix) in enumerate(self._binary):
            set_weight_bits(layer, matrix, self.memories[number].bits.reshape(layer.weight_shape))
        found = []
        with torch.no_grad():
            for start in range(0, max(len(images), 1), FRAMES_AT_ONCE):
                stores = _Stores(self._buffers)
                some = images[start : start + FRAMES_AT_ONCE]
                found.append(self._model(to_input(spec, some), stores).numpy())
                if parts is not None:
                    parts.append(stores.seen)
        return np.concatenate(found)


NOWHERE = -1
"""The index of the memory of a layer whose weights are floats, which lie in none."""


def described(spec: XnorSpec) -> NetworkDescription:
    """Return a network as a bundle would describe it, as far as software reads that."""
    taken = {before.name: layer for before, layer in pairwise(spec.layers) if layer.binary}
    numbers = {layer.name: number for number, layer in enumerate(spec.weighted)}
    stored = []
    number = -1  # of the layer with weights that a map comes from
    for layer in spec.layers:
        number = numbers.get(layer.name, number)
        weights = buffer = None
        if layer.binary and layer.name in numbers:
            weights = Block(layer.fan_in, layer.result[2])
        if layer.name in taken:
            buffer = Block(1, math.prod(taken[layer.name].source))
        stored.append(Stored(layer.name, weights, buffer, number))
    memories = memories_of(stored)
    places = {memory.name: memory.index for memory in memories}
    layers = tuple(
        _weight_layer(layer, places) if layer.name in numbers else _pool(layer, places)
        for layer in spec.layers
    )
    return NetworkDescription(spec.name, tuple(spec.shape), layers, memories)


def _weight_layer(layer: Layer, places: dict[str, int]) -> Product:
    window = None
    if layer.kernel > 1:
        window = Window(
            layer.source, (layer.kernel,) * 2, (layer.stride,) * 2, (layer.padding,) * 4
        )
    return Product(
        name=layer.name,
        mw=layer.fan_in,
        mh=layer.result[2],
        pe=1,
        simd=layer.fan_in,
        pixels=layer.pixels,
        threshold=layer.sign,
        window=window,
        shape=layer.result,
        weights=places.get(f"{layer.name}.weights", NOWHERE),
        buffer=places.get(f"{layer.name}.buffer"),
    )


def _pool(layer: Layer, places: dict[str, int]) -> MaxPool:
    return MaxPool(layer.name, layer.kernel, layer.result, places.get(f"{layer.name}.buffer"))


class _Stores:
    """What `XnorNetwork.forward` passes weights and maps through, for some images."""

    def __init__(self, buffers: dict[str, tuple[PackedMemory, Layer]]) -> None:
        self.buffers = buffers
        self.seen: Taps = {}

    def weights(self, _: str, written: torch.Tensor) -> torch.Tensor:
        """Return the weights as they are: the network has those that the memories hold."""
        return written

    def hidden_map(self, name: str, written: torch.Tensor) -> torch.Tensor:
        """Return what the buffer gives back of maps of +1 and -1, in torch's order or flat."""
        cells, layer = self.buffers[name]
        taken = Written.of(layer, written)
        stored = taken.stored(cells)
        bits = taken.flat(taken.line if stored is None else stored)
        self.seen[name] = taken.flat(taken.line).reshape(-1, cells.size)
        self.seen[f"{name}.buffer"] = bits.reshape(-1, cells.size)
        return signs_of(bits, layer, written.shape)
