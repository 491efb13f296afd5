"""Fixed-point networks on PyTorch with bit errors in the two's complement of what is stored.

A value is a signed number of 8, 16 or 32 bits in [-1, 1): code / 2^(bits - 1), rounded to the
nearest code, ties to even, and held at the ends of the range. Weights and the feature maps between
layers lie in MRAM as such codes (Asano 2024, fig. 6); sums, biases, batch norms and the last
layer's output are exact. The operations are those of `spinflow.sim.evaluator.Evaluator`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.memory import STREAMS, Memory, Workers
from spinflow.sim.memories import MemoryOperations, check_images

if TYPE_CHECKING:
    import torch

CODES = {8: np.int8, 16: np.int16, 32: np.int32}
FRAMES_AT_ONCE = 128  # bounds the memory that run() takes
EXACT_TERMS = 1024  # so many products of 8-bit codes sum exactly in float32
Taps = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """What a `QuantizedEvaluator` is made of, to be sent to other processes.

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


class QuantizedEvaluator(MemoryOperations[Memory]):
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
        """Takes the modules as they are; they are copied.

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

        Raises ValueError for another number of bits, for modules that cannot be placed and for a
        stream that does not exist.
        """
        import torch

        if bits not in CODES:
            raise ValueError(f"{bits} bits: fixed point has {', '.join(map(str, CODES))}")
        if stream not in STREAMS:
            raise ValueError(f"there is no stream {stream!r}; the streams are {', '.join(STREAMS)}")
        if len(shape) not in (1, 3):
            raise ValueError(f"images are (pixels,) or (rows, columns, channels), not {shape}")
        self.bits, self.shape = bits, shape
        self._scale, self._offset = scale, offset
        self.network = QuantizedNetwork(tuple(modules), bits, tuple(shape), name, scale, offset)
        self._groups = _groups([copy.deepcopy(module).eval() for module in self.network.modules])
        terms = max(group.module.weight[0].numel() for group in self._groups)
        if dtype is None:
            dtype = torch.float32 if bits == 8 and terms <= EXACT_TERMS else torch.float64
        self._dtype = dtype
        self._trained = []
        for group in self._groups:
            self._trained.append(self._codes(group.module.weight.detach().double()))
            for module in (group.module, *group.before, *group.exact, *group.after):
                module.to(dtype)
        workers = Workers(threads)
        shapes = self._map_shapes()
        hidden = self._groups[:-1]
        places = [
            (group.name, "weights", number, group.module.weight.numel())
            for number, group in enumerate(self._groups)
        ] + [
            (group.map_name, "buffer", number, int(np.prod(shapes[group.map_name])))
            for number, group in enumerate(hidden)
        ]
        self.description: dict[str, Any] = {
            "network": name,
            "input": {"shape": list(shape), "type": "UINT8"},
            "memories": [
                {
                    "index": index, "name": f"{layer}.{kind}", "kind": kind, "layer": number,
                    "width": bits, "depth": depth,
                    **({"segments": 1} if kind == "weights" else {}),
                }
                for index, (layer, kind, number, depth) in enumerate(places)
            ],
        }  # fmt: skip
        buffers = {group.map_name: len(self._groups) + i for i, group in enumerate(hidden)}
        self.description["layers"] = [
            {
                "name": layer, "op": "mvu" if weights is not None else "max_pool",
                "shape": shapes[layer], "buffer": buffers.get(layer),
                **({"weights": weights} if weights is not None else {}),
            }
            for number, group in enumerate(self._groups)
            for layer, weights in ((group.name, number), *((pool, None) for pool in group.pools))
        ]  # fmt: skip
        self.memories = [Memory(entry, stream, workers) for entry in self.description["memories"]]

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """A layer's trained weights as they are written: uint32 (weights, 1), the codes' bits."""
        codes = self._trained[layer].reshape(-1)
        return codes.view(codes.dtype.str.replace("i", "u")).astype(np.uint32)[:, None]

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        """Writes a whole weight memory, uint32 (weights, 1); ValueError for another shape."""
        cells = self._weight_memory(memory, segments)
        unsigned = np.asarray(segments).reshape(-1).astype(f"<u{self.bits // 8}")
        cells.write(_line(unsigned), cells.size)
        cells.settle(cells.size)

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """What a weight memory holds: uint32 (weights, 1)."""
        cells = self._weight_memory(memory)
        unsigned = cells.packed().view(f"<u{self.bits // 8}")[: cells.depth]
        return unsigned.astype(np.uint32)[:, None]

    def run(self, images: np.ndarray, taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Runs images (n, pixels), uint8, each flat in the order of `shape`.

        Returns the labels (n,), ties to the lowest, and by name each feature map (n, elements): as
        written and, under `name.buffer`, as stored, both codes; the last layer's values as
        floats. Without `taps` the dictionary is empty. Raises ValueError for images of another
        shape or type.
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

    @property
    def _code_type(self) -> Any:
        return np.dtype(CODES[self.bits]).newbyteorder("<")

    def _codes(self, values: torch.Tensor) -> NDArray[Any]:
        """Values as codes of the same shape."""
        import torch

        limit = 2.0 ** (self.bits - 1)
        # The largest 32-bit code is exact in float64 only.
        exact = values.double() if self.bits == 32 else values
        codes = (exact * limit).round_().clamp_(-limit, limit - 1)
        return codes.to(getattr(torch, f"int{self.bits}")).numpy()

    def _values(self, codes: NDArray[Any], shape: Any) -> torch.Tensor:
        """Codes as the values that they stand for."""
        import torch

        return torch.from_numpy(codes).reshape(shape).to(self._dtype) * 2.0 ** (1 - self.bits)

    def _input(self, images: np.ndarray) -> torch.Tensor:
        import torch

        values = torch.from_numpy(images).to(self._dtype) * self._scale + self._offset
        if len(self.shape) == 3:
            return values.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        return values

    def _map_shapes(self) -> dict[str, list[int]]:
        """Rows, columns and channels of what each layer and pool gives, from a run of one image."""
        import torch

        shapes: dict[str, list[int]] = {}

        def note(name: str) -> None:
            shapes[name] = [*values.shape[2:], values.shape[1]] if values.ndim == 4 else []
            shapes[name] = shapes[name] or [1, 1, values.numel()]

        try:
            with torch.no_grad():
                values = self._input(np.zeros((1, int(np.prod(self.shape))), np.uint8))
                for group in self._groups:
                    for module in (*group.before, group.module):
                        values = module(values)
                    note(group.name)
                    for module in (*group.exact, *group.after):
                        values = module(values)
                        if isinstance(module, _pools()):
                            note(group.pools[0])
        except RuntimeError as error:
            raise ValueError(f"the modules do not take images of {self.shape}: {error}") from None
        if values.ndim != 2:
            raise ValueError(f"the last module gives {tuple(values.shape)}, not (n, classes)")
        return shapes

    def _run_some(self, images: np.ndarray, taps: bool) -> Taps:
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


class _Group:
    """A weighted module, what is exact around it, and what reads its stored feature map.

    Attributes:
        name: of the layer.
        pools: the name of the pools behind it, if there are any: all have one.
        map_name: what its feature map is called after: the pools, if the map is stored behind one.
    """

    def __init__(self, name: str, module: Any, before: list[Any]) -> None:
        self.name, self.module, self.before = name, module, before
        self.exact: list[Any] = []
        self.after: list[Any] = []

    @property
    def pools(self) -> list[str]:
        """See the class."""
        there = any(isinstance(module, _pools()) for module in (*self.exact, *self.after))
        return [f"pool{self.name.removeprefix('conv')}"] if there else []

    @property
    def map_name(self) -> str:
        """See the class."""
        pooled = any(isinstance(module, _pools()) for module in self.exact)
        return self.pools[0] if pooled else self.name

    def follow(self, module: Any, reads: bool) -> None:
        """Append a module behind the weights; one that does not only read moves the store."""
        self.after.append(module)
        if not reads:
            self.exact += self.after
            self.after = []


def _pools() -> tuple[type, ...]:
    from torch import nn

    return (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


def _groups(modules: list[torch.nn.Module]) -> list[_Group]:
    """The modules by layer; ValueError names one that cannot be placed."""
    from torch import nn

    readers = (*_pools(), nn.Flatten)
    exact = (nn.ReLU, nn.Hardtanh, nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity, nn.Dropout)
    groups: list[_Group] = []
    first: list[Any] = []
    numbers = {"conv": 0, "fc": 0}
    for number, module in enumerate(modules):
        if isinstance(module, nn.Linear | nn.Conv2d):
            kind = "fc" if isinstance(module, nn.Linear) else "conv"
            groups.append(_Group(f"{kind}{numbers[kind]}", module, first if not groups else []))
            numbers[kind] += 1
        elif not isinstance(module, readers + exact):
            raise ValueError(f"module {number}, {type(module).__name__}, cannot be quantized")
        elif not groups:
            first.append(module)
        else:
            groups[-1].follow(module, reads=isinstance(module, readers))
    if not groups:
        raise ValueError("no module has weights: a network needs a Linear or a Conv2d")
    return groups


def _line(codes: NDArray[Any]) -> NDArray[np.uint64]:
    """Codes as one line of bits in 64-bit words, with a word to spare."""
    raw = np.ascontiguousarray(codes).view(np.uint8).reshape(-1)
    line = np.zeros(-(-raw.size // 8) + 1, np.uint64)
    line.view(np.uint8)[: raw.size] = raw
    return line
