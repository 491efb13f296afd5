"""Networks with layers of floats on PyTorch, with bit errors in their binary weights and maps.

The weights of the binary layers, and the bits that these layers take, lie in MRAM; layers of
floats, batch norms and the sums between are exact (Tzoufras 2019, section II). The operations are
those of `spinflow.sim.evaluator.Evaluator`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinflow.sim.evaluator.memory import STREAMS, Memory, Workers
from spinflow.sim.evaluator.network import Folding, fold_weights
from spinflow.sim.memories import MemoryOperations, check_images

if TYPE_CHECKING:
    import torch

    from spinflow.model.networks.graph import Layer, XnorSpec
    from spinflow.model.networks.xnor import XnorNetwork

FRAMES_AT_ONCE = 100  # bounds the memory that run() takes
Taps = dict[str, np.ndarray]


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
        """What a network is made of."""
        state = model.state_dict()
        return cls(model.spec, {name: value.cpu().numpy() for name, value in state.items()})

    def model(self) -> XnorNetwork:
        """The network, in eval mode."""
        import torch

        from spinflow.model.networks.build import build

        model: XnorNetwork = build(self.spec)
        model.load_state_dict({name: torch.from_numpy(v.copy()) for name, v in self.values.items()})
        return model.eval()


class XnorEvaluator(MemoryOperations[Memory]):
    """A network whose inner layers are binary, their weights and inputs in MRAM.

    Each binary layer has a memory of weights in the natural order of docs/evaluator.md and a buffer
    of one frame, of the bits that it takes, called after the layer or pool that they come from. A
    map lies in the order (row, column, channel), in words of one bit. Memories are numbered as in
    docs/contracts.md, and so are layers, those of floats too; weights start as 0, errors off.

    Attributes:
        network: what it was made of.
        description: `network`, `input`, `layers` and `memories`, as in accel.json; the weights of a
            layer of floats are null.
        memories: with kind, layer, depth, width, and their bits.
    """

    def __init__(
        self, model: XnorNetwork, stream: str = "hardware", threads: int | None = None
    ) -> None:
        """Takes the network as it is; it is copied.

        `stream` is "hardware" or "fast", `threads` make errors, by default on all cores. Raises
        ValueError for a stream that does not exist.
        """
        from spinflow.model.networks.base import weight_bits

        if stream not in STREAMS:
            raise ValueError(f"there is no stream {stream!r}; the streams are {', '.join(STREAMS)}")
        self.network = XnorParameters.of(model)
        self._model = copy.deepcopy(model).eval()
        spec = model.spec
        pairs = zip(spec.weighted, self._model.matrices(), strict=True)
        self._binary = [(layer, matrix) for layer, matrix in pairs if layer.binary]
        numbers = {layer.name: number for number, layer in enumerate(spec.weighted)}
        self._trained = {}
        for layer, matrix in self._binary:
            bits = weight_bits(layer, matrix).reshape(layer.result[2], -1)
            folding = Folding(1, layer.fan_in)
            self._trained[numbers[layer.name]] = fold_weights(bits, folding)
        weights = [
            (f"{layer.name}.weights", "weights", numbers[layer.name], layer.fan_in, layer.result[2])
            for layer, _ in self._binary
        ]
        maps = [(before.name, layer) for before, layer in pairwise(spec.layers) if layer.binary]
        owner = -1  # number of the layer with weights that a map comes from
        owners = {}
        for layer in spec.layers:
            owner = numbers.get(layer.name, owner)
            owners[layer.name] = owner
        buffers = [
            (f"{name}.buffer", "buffer", owners[name], 1, int(np.prod(layer.source)))
            for name, layer in maps
        ]
        self.description: dict[str, Any] = {
            "network": spec.name,
            "input": {"shape": list(spec.shape), "type": "UINT8"},
            "memories": [
                {
                    "index": index, "name": name, "kind": kind, "layer": number, "width": width,
                    "depth": depth,
                    **({"segments": -(-width // 32)} if kind == "weights" else {}),
                }
                for index, (name, kind, number, width, depth) in enumerate(weights + buffers)
            ],
        }  # fmt: skip
        places = {name: index for index, (name, *_) in enumerate(weights + buffers)}
        self.description["layers"] = [
            {
                "name": layer.name, "op": "max_pool" if layer.op == "pool" else "mvu",
                "shape": list(layer.result), "buffer": places.get(f"{layer.name}.buffer"),
                **({"weights": places.get(f"{layer.name}.weights")} if layer.op != "pool" else {}),
            }
            for layer in spec.layers
        ]  # fmt: skip
        workers = Workers(threads)
        self.memories = [Memory(entry, stream, workers) for entry in self.description["memories"]]
        self._buffers = {
            name: (self.memories[len(weights) + number], layer)
            for number, (name, layer) in enumerate(maps)
        }

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """A binary layer's trained weights as they are written: uint32 (depth, segments).

        `layer` is its number among all layers with weights.
        """
        return self._trained[layer]

    def write_weights(self, memory: int, segments: np.ndarray) -> None:
        """Writes a whole weight memory, uint32 (depth, segments); ValueError for another shape."""
        self._weight_memory(memory, segments).write_rows(segments)

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """What a weight memory holds: uint32 (depth, segments)."""
        return self._weight_memory(memory).read_rows()

    def run(self, images: np.ndarray, taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Runs images (n, pixels), uint8, each in the order (row, column, channel).

        Returns the labels (n,), ties to the lowest, and by name the bits (n, elements) that each
        binary layer takes: as written and, under `name.buffer`, as stored; under the last layer's
        name its sums. Without `taps` the dictionary is empty. Raises ValueError for images of
        another shape or type.
        """
        parts: list[Taps] = []
        sums = self._sums(images, parts if taps else None)
        labels = sums.argmax(axis=1).astype(np.int64)
        if not taps:
            return labels, {}
        seen = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return labels, seen | {self._model.spec.weighted[-1].name: sums}

    def sums(self, images: np.ndarray) -> NDArray[np.float32]:
        """Runs images as `run` does, and returns the last layer's sums, float32 (n, classes)."""
        return self._sums(images, None)

    def _sums(self, images: np.ndarray, parts: list[Taps] | None) -> NDArray[np.float32]:
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


class _Stores:
    """What `XnorNetwork.forward` passes weights and maps through, for some images."""

    def __init__(self, buffers: dict[str, tuple[Memory, Layer]]) -> None:
        self.buffers = buffers
        self.seen: Taps = {}

    def weights(self, _: str, written: torch.Tensor) -> torch.Tensor:
        """The weights as they are: the network has those that the memories hold."""
        return written

    def hidden_map(self, name: str, written: torch.Tensor) -> torch.Tensor:
        """What the buffer gives back of maps of +1 and -1, (n, channels, rows, columns) or flat."""
        import torch

        cells, layer = self.buffers[name]
        rows, columns, channels = layer.source
        ordered = written.reshape(-1, channels, rows, columns).permute(0, 2, 3, 1)
        bits = (ordered > 0).numpy().reshape(-1)
        line = np.zeros(-(-bits.size // 64) + 1, np.uint64)
        line.view(np.uint8)[: -(-bits.size // 8)] = np.packbits(bits, bitorder="little")
        packed = cells.write(line, bits.size).view(np.uint8)
        stored = np.unpackbits(packed, count=bits.size, bitorder="little")
        cells.settle(bits.size)
        self.seen[name] = bits.reshape(-1, cells.size).astype(np.uint8)
        self.seen[f"{name}.buffer"] = stored.reshape(-1, cells.size)
        signs = torch.from_numpy(stored).reshape(ordered.shape).permute(0, 3, 1, 2).float() * 2 - 1
        return signs.reshape(written.shape)
