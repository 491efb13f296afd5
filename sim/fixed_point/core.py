"""Fixed-point networks on PyTorch with bit errors in the two's complement of what is stored.

A value is a signed number of 8, 16 or 32 bits in [-1, 1): code / 2^(bits - 1), rounded to the
nearest code, ties to even, and clipped to the ends of the range. Weights and the feature maps
between layers lie in MRAM as such codes (Asano 2024, fig. 6); sums, biases, batch norms and the
last layer's output are exact. The operations are those of every engine.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.description import (
    Block,
    Layer,
    MaxPool,
    Product,
    Shape,
    Stored,
    memories_of,
)
from spinflow.sim.evaluator.memory import PackedMemory, Workers, check_stream
from spinflow.sim.evaluator.together import Held
from spinflow.sim.fixed_point.codes import Codes, line_of_bits
from spinflow.sim.fixed_point.modules import WEIGHTED, Group, Role, groups, role_of
from spinflow.sim.fixed_point.stages import EXACT_TERMS, Pixels, Stages
from spinflow.sim.fixed_point.trials import Trials
from spinflow.sim.memories import MemoryOperations, check_images
from spinflow.sim.protocol import NetworkDescription, Taps

if TYPE_CHECKING:
    import torch

FRAMES_AT_ONCE = 128  # at most so many of them
BLOCK_BYTES = 32 << 20  # of the largest map of the frames that are computed at once, as values


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """What a `FixedPointEvaluator` is made of, to be sent to other processes.

    Attributes:
        modules, bits, shape, name, scale, offset: its arguments.
    """

    modules: tuple[torch.nn.Module, ...]
    bits: int
    shape: tuple[int, ...]
    name: str
    scale: float
    offset: float

    @property
    def weight_bytes(self) -> int:
        """What the codes of all weights take."""
        weighted: list[Any] = [each for each in self.modules if role_of(each) in WEIGHTED]
        return sum(int(each.weight.numel()) for each in weighted) * self.bits // 8

    def arguments(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class FixedPointEvaluator(MemoryOperations[PackedMemory]):
    """A network of PyTorch modules whose weights and feature maps are fixed-point codes in MRAM.

    Weighted modules are Linear and Conv2d; what follows one up to the next (ReLU, batch norm in
    eval mode, pools, Flatten) is computed exactly, and the feature map is stored before the pools
    and Flatten that nothing else follows. Each layer has a memory of weights, and each but the last
    a buffer of one frame; a word is one code, in the order of the PyTorch tensor, least significant
    bit first. Layers, pools and memories are named and numbered as in docs/contracts.md; weights
    start as 0, errors off.

    Attributes:
        network: what it was made of.
        description: `network`, `input`, `layers` and `memories`, as in accel.json. The shape of a
            layer counts codes.
        memories: with kind, layer, depth, width, and their bits.
    """

    def __init__(
        self,
        modules: Iterable[torch.nn.Module],
        *,
        bits: int,
        shape: tuple[int, ...],
        name: str = "quantized",
        scale: float = 1 / 128,
        offset: float = -1.0,
        stream: str = "hardware",
        threads: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Take the modules as they are; they are copied.

        Args:
            modules: a Sequential or a list, ending in the classes' values.
            bits: 8, 16 or 32, of weights and feature maps.
            shape: of an image of UINT8 pixels: (pixels,) or (rows, columns, channels).
            name: of the network, for people.
            scale, offset: the input is pixel * scale + offset, by default in [-1, 1).
            stream: "hardware" or "fast".
            threads: that make errors; by default all cores.
            dtype: in which PyTorch computes. By default float64, or float32 where 8-bit codes sum
                exactly in it. (Products of 32-bit codes round in float64 too.)

        Raises:
            ValueError: there is no such stream or number of bits, or a module cannot be placed.
        """
        import torch

        check_stream(stream)
        self.network = QuantizedNetwork(tuple(modules), bits, tuple(shape), name, scale, offset)
        of_weights = Codes(bits, torch.float64)
        if len(shape) not in (1, 3):
            raise ValueError(f"images are (pixels,) or (rows, columns, channels), not {shape}")
        self.bits, self.shape, self._workers = bits, tuple(shape), Workers(threads)
        of = groups([copy.deepcopy(module).eval() for module in self.network.modules])
        dtype = dtype or _exact_type(bits, of)
        self._codes = Codes(bits, dtype)
        self._trained = []
        for group in of:
            self._trained.append(of_weights.of(group.module.weight.detach().double()).reshape(-1))
            group.to(dtype)
        self.map_names = [*(group.map_name for group in of[:-1]), of[-1].name]
        pixels = Pixels(self.shape, scale, offset, dtype)
        shapes = _map_shapes(of, pixels)
        largest = dtype.itemsize * max(math.prod(shape) for shape in shapes.values())
        self.frames_at_once = max(1, min(FRAMES_AT_ONCE, BLOCK_BYTES // largest))
        self.description = described(self.network, of, shapes)
        self.memories = [PackedMemory(m, stream, self._workers) for m in self.description.memories]
        self.layers = Stages(of, self._codes, pixels, shapes, self._workers)
        self._pixels = math.prod(self.shape)
        self._trials = Trials(self)

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return a layer's trained weights as they are written: uint32 (weights, 1), codes."""
        codes = self._trained[layer]
        return codes.view(codes.dtype.str.replace("i", "u")).astype(np.uint32)[:, None]

    def write_weights(self, memory: int, segments: NDArray[Any]) -> None:
        """Write a whole weight memory, uint32 (weights, 1); ValueError for another shape."""
        cells = self._weight_memory(memory, segments)
        unsigned = np.asarray(segments).reshape(-1).astype(f"<u{self.bits // 8}")
        cells.write(line_of_bits(unsigned), cells.size)
        cells.settle(cells.size)

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """Return what a weight memory holds: uint32 (weights, 1)."""
        cells = self._weight_memory(memory)
        unsigned = cells.packed().view(f"<u{self.bits // 8}")[: cells.depth]
        return unsigned.astype(np.uint32)[:, None]

    def hold(self) -> Held:
        """Return a trial with the memories as they are, which `run_held` runs later."""
        return Held([memory.copied() for memory in self.memories])

    def run_held(self, trials: Sequence[Held], images: NDArray[Any], taps: bool = False) -> None:
        """Run the same images in each of several trials, whose memories go on.

        What comes out is what `run` gives; what no error reaches is computed once.

        Args:
            trials: they get the labels, and with `taps` each feature map.
            images: as of `run`; what is known of them is kept while the same array is given.
            taps: as of `run`.

        Raises:
            ValueError: as of `run`.
        """
        check_images(images, self._pixels)
        self._trials.run(trials, images, taps)

    def run(self, images: NDArray[Any], taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Run images (n, pixels), uint8, each flat in the order of `shape`.

        Returns:
            The labels (n,), ties to the lowest, and by name each feature map (n, elements): as
            written and, under `name.buffer`, as stored, both codes; the last layer's values as
            floats. Without `taps` the dictionary is empty.

        Raises:
            ValueError: images have another shape or type.
        """
        images = check_images(images, self._pixels)
        weights = [
            stage.prepared(self.codes_of(cells))
            for stage, cells in zip(self.layers.stages, self.memories, strict=False)
        ]
        labels, parts = [], []
        for start in range(0, max(len(images), 1), self.frames_at_once):
            seen: Taps = {}
            some = np.ascontiguousarray(images[start : start + self.frames_at_once])
            labels.append(self._run_some(some, weights, seen if taps else None))
            parts.append(seen)
        found = np.concatenate(labels)
        return found, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run_some(
        self, images: NDArray[Any], weights: Sequence[Any], seen: Taps | None
    ) -> NDArray[np.int64]:
        values = images
        stages, names = self.layers.stages, self.map_names
        for number, stage in enumerate(stages):
            written = stage.compute(self.layers.source(number, values), weights[number])
            values = written
            if number + 1 < len(stages):
                values = self.store(self.memories[len(stages) + number], written)
            if seen is None:
                continue
            seen[names[number]] = written.reshape(len(images), -1).copy()
            if number + 1 < len(stages):
                seen[f"{names[number]}.buffer"] = values.reshape(len(images), -1).copy()
        found: NDArray[np.int64] = values.argmax(axis=1).astype(np.int64)
        if seen is not None:
            seen["label"] = found[:, None]
        return found

    def codes_of(self, memory: PackedMemory) -> NDArray[Any]:
        """Return the codes that a weight memory holds, in torch's order; valid until it changes."""
        codes: NDArray[Any] = memory.packed().view(self._codes.type)[: memory.depth]
        return codes

    def trained_codes(self, layer: int) -> NDArray[Any]:
        """Return the codes of a layer's trained weights, flat."""
        return self._trained[layer]

    def store(
        self, memory: PackedMemory, codes: NDArray[Any], passing: bool = False
    ) -> NDArray[Any]:
        """Write codes to a buffer, and return what it gives back.

        Args:
            memory: the buffer.
            codes: of whole frames.
            passing: give back the codes themselves where none erred.
        """
        bits = codes.size * self.bits
        if passing and bits % 64 == 0 and bits:
            line = codes.reshape(-1).view(np.uint64)
            passed = memory.pass_on(line, np.empty_like(line), bits)
            if passed is not None:
                return codes if passed is line else passed.view(codes.dtype).reshape(codes.shape)
        stored = memory.write(line_of_bits(codes), bits).view(codes.dtype)[: codes.size].copy()
        memory.settle(bits)
        return stored.reshape(codes.shape)


def _map_shapes(of: Sequence[Group], pixels: Pixels) -> dict[str, Shape]:
    """Rows, columns and channels of what each layer and pool gives, from a run of one image."""
    import torch

    shapes: dict[str, Shape] = {}

    def note(name: str) -> None:
        if values.ndim == 4:
            shapes[name] = (values.shape[2], values.shape[3], values.shape[1])
        else:
            shapes[name] = (1, 1, values.numel())

    try:
        with torch.no_grad():
            values = pixels.values(np.zeros((1, math.prod(pixels.shape)), np.uint8))
            for group in of:
                for module in (*group.before, group.module):
                    values = module(values)
                note(group.name)
                for module in (*group.exact, *group.after):
                    values = module(values)
                    if role_of(module) is Role.POOL:
                        note(group.pools[0])
    except RuntimeError as error:
        raise ValueError(f"the modules do not take images of {pixels.shape}: {error}") from None
    if values.ndim != 2:
        raise ValueError(f"the last module gives {tuple(values.shape)}, not (n, classes)")
    return shapes


def _exact_type(bits: int, of: Sequence[Group]) -> torch.dtype:
    """The type in which sums are exact, as far as there is one."""
    import torch

    terms = max(group.module.weight[0].numel() for group in of)
    return torch.float32 if bits == 8 and terms <= EXACT_TERMS else torch.float64


def described(
    network: QuantizedNetwork, of: Sequence[Group], shapes: Mapping[str, Shape]
) -> NetworkDescription:
    """Return a network as a bundle would describe it, as far as software reads that.

    Args:
        network: the network.
        of: its layers.
        shapes: what each layer and pool gives, counted in codes.
    """
    stored = []
    for number, group in enumerate(of):
        buffer = None
        if number + 1 < len(of):
            buffer = Block(network.bits, math.prod(shapes[group.map_name]))
        weights = Block(network.bits, group.module.weight.numel())
        owns = group.map_name == group.name
        stored.append(Stored(group.name, weights, buffer if owns else None, number))
        stored += [Stored(pool, None, None if owns else buffer, number) for pool in group.pools]
    memories = memories_of(stored)
    places = {memory.name: memory.index for memory in memories}
    layers: list[Layer] = []
    for number, group in enumerate(of):
        rows, columns, outputs = shapes[group.name]
        inputs = int(group.module.weight[0].numel())
        layers.append(
            Product(
                name=group.name,
                mw=inputs,
                mh=outputs,
                pe=1,
                simd=1,
                pixels=not number,
                threshold=False,
                window=None,
                shape=(rows, columns, outputs),
                weights=number,
                buffer=places.get(f"{group.name}.buffer"),
            )
        )
        layers += [
            MaxPool(pool, rows // shapes[pool][0], shapes[pool], places.get(f"{pool}.buffer"))
            for pool in group.pools
        ]
    return NetworkDescription(network.name, network.shape, tuple(layers), memories)
