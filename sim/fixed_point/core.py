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
from spinflow.sim.fixed_point.modules import Group, Role, groups, role_of
from spinflow.sim.memories import MemoryOperations, check_images
from spinflow.sim.protocol import NetworkDescription, Taps

if TYPE_CHECKING:
    import torch

FRAMES_AT_ONCE = 128  # bounds the memory that run() takes
EXACT_TERMS = 1024  # so many products of 8-bit codes sum exactly in float32


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
        check_stream(stream)
        self.network = QuantizedNetwork(tuple(modules), bits, tuple(shape), name, scale, offset)
        self._code_type, self._torch_code = _code_types(bits)
        if len(shape) not in (1, 3):
            raise ValueError(f"images are (pixels,) or (rows, columns, channels), not {shape}")
        self.bits, self.shape = bits, shape
        self._scale, self._offset = scale, offset
        self._groups = groups([copy.deepcopy(module).eval() for module in self.network.modules])
        self._dtype = dtype or _exact_type(bits, self._groups)
        self._trained = []
        for group in self._groups:
            self._trained.append(self._codes(group.module.weight.detach().double()))
            group.to(self._dtype)
        workers = Workers(threads)
        self.description = described(self.network, self._groups, self._map_shapes())
        self.memories = [PackedMemory(m, stream, workers) for m in self.description.memories]

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return a layer's trained weights as they are written: uint32 (weights, 1), codes."""
        codes = self._trained[layer].reshape(-1)
        return codes.view(codes.dtype.str.replace("i", "u")).astype(np.uint32)[:, None]

    def write_weights(self, memory: int, segments: NDArray[Any]) -> None:
        """Write a whole weight memory, uint32 (weights, 1); ValueError for another shape."""
        cells = self._weight_memory(memory, segments)
        unsigned = np.asarray(segments).reshape(-1).astype(f"<u{self.bits // 8}")
        cells.write(_line(unsigned), cells.size)
        cells.settle(cells.size)

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """Return what a weight memory holds: uint32 (weights, 1)."""
        cells = self._weight_memory(memory)
        unsigned = cells.packed().view(f"<u{self.bits // 8}")[: cells.depth]
        return unsigned.astype(np.uint32)[:, None]

    def run(self, images: NDArray[Any], taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Run images (n, pixels), uint8, each flat in the order of `shape`.

        Returns:
            The labels (n,), ties to the lowest, and by name each feature map (n, elements): as
            written and, under `name.buffer`, as stored, both codes; the last layer's values as
            floats. Without `taps` the dictionary is empty.

        Raises:
            ValueError: images have another shape or type.
        """
        import torch

        images = check_images(images, int(np.prod(self.shape)))
        with torch.no_grad():
            for number, group in enumerate(self._groups):
                cells = self.memories[number]
                codes = cells.packed().view(self._code_type)[: cells.depth].copy()
                group.module.weight.copy_(self._values(codes, group.module.weight.shape))
            parts = [
                self._run_some(images[start : start + FRAMES_AT_ONCE], taps)
                for start in range(0, max(len(images), 1), FRAMES_AT_ONCE)
            ]
        labels = np.concatenate([part["label"] for part in parts])[:, 0]
        if not taps:
            return labels, {}
        return labels, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _codes(self, values: torch.Tensor) -> NDArray[Any]:
        """Values as codes of the same shape."""
        limit = 2.0 ** (self.bits - 1)
        # The largest 32-bit code is exact in float64 only.
        exact = values.double() if self.bits == 32 else values
        codes = (exact * limit).round_().clamp_(-limit, limit - 1)
        found: NDArray[Any] = codes.to(self._torch_code).numpy()
        return found

    def _values(self, codes: NDArray[Any], shape: Any) -> torch.Tensor:
        """Codes as the values that they stand for."""
        import torch

        return torch.from_numpy(codes).reshape(shape).to(self._dtype) * 2.0 ** (1 - self.bits)

    def _input(self, images: NDArray[Any]) -> torch.Tensor:
        import torch

        values = torch.from_numpy(images).to(self._dtype) * self._scale + self._offset
        if len(self.shape) == 3:
            return values.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        return values

    def _map_shapes(self) -> dict[str, Shape]:
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
                values = self._input(np.zeros((1, int(np.prod(self.shape))), np.uint8))
                for group in self._groups:
                    for module in (*group.before, group.module):
                        values = module(values)
                    note(group.name)
                    for module in (*group.exact, *group.after):
                        values = module(values)
                        if role_of(module) is Role.POOL:
                            note(group.pools[0])
        except RuntimeError as error:
            raise ValueError(f"the modules do not take images of {self.shape}: {error}") from None
        if values.ndim != 2:
            raise ValueError(f"the last module gives {tuple(values.shape)}, not (n, classes)")
        return shapes

    def _run_some(self, images: NDArray[Any], taps: bool) -> Taps:
        seen: Taps = {}
        values = self._input(images)
        for number, group in enumerate(self._groups):
            for module in (*group.before, group.module, *group.exact):
                values = module(values)
            if number + 1 == len(self._groups):
                break
            codes = self._codes(values)
            cells = self.memories[len(self._groups) + number]
            bits = codes.size * self.bits
            stored = cells.write(_line(codes), bits).view(self._code_type)[: codes.size]
            stored = stored.copy().reshape(codes.shape)
            cells.settle(bits)
            if taps:
                seen[group.map_name] = codes.reshape(len(images), -1)
                seen[f"{group.map_name}.buffer"] = stored.reshape(len(images), -1)
            values = self._values(stored, stored.shape)
            for module in group.after:
                values = module(values)
        for module in self._groups[-1].after:
            values = module(values)
        result = values.numpy()
        if taps:
            seen[self._groups[-1].name] = result.copy()
        seen["label"] = result.argmax(axis=1).astype(np.int64)[:, None]
        return seen


def _code_types(bits: int) -> tuple[np.dtype[Any], torch.dtype]:
    """The types of codes in numpy and in torch; ValueError for another number of bits."""
    import torch

    codes = {8: torch.int8, 16: torch.int16, 32: torch.int32}
    if bits not in codes:
        raise ValueError(f"{bits} bits: fixed point has {', '.join(map(str, codes))}")
    return np.dtype(f"<i{bits // 8}"), codes[bits]


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


def _line(codes: NDArray[Any]) -> NDArray[np.uint64]:
    """Codes as one line of bits in 64-bit words, with a word to spare."""
    raw = np.ascontiguousarray(codes).view(np.uint8).reshape(-1)
    line = np.zeros(-(-raw.size // 8) + 1, np.uint64)
    line.view(np.uint8)[: raw.size] = raw
    return line
