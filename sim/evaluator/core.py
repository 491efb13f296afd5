"""The evaluator: the emulator's operations on packed bits, compiled, on all cores.

With the hardware's random stream it agrees with the emulator and the RTL in every bit.
docs/evaluator.md says more.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import arrays
from spinflow.host.core import description as descriptions
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import recoded
from spinflow.host.core.secded import encode_segments
from spinflow.sim.evaluator.layers.base import Place
from spinflow.sim.evaluator.memory import PackedMemory, Workers, check_stream
from spinflow.sim.evaluator.network import Network, described, of_bundle, of_model, plan
from spinflow.sim.evaluator.together import Held, Together
from spinflow.sim.memories import MemoryOperations, check_images
from spinflow.sim.protocol import Described, Taps

BLOCK_BYTES = 8 << 20  # of the largest map of the frames that are computed at once
BLOCK_FRAMES = 16384  # at most so many of them


class Evaluator(MemoryOperations[PackedMemory]):
    """The accelerator of a network, fast. Memories go by their index; weights start as 0.

    Attributes:
        description: a bundle's accel.json; for another network the part that software reads.
        memories: with kind, layer, depth, width, and their bits.
    """

    def __init__(
        self,
        network: Network,
        description: Described | None = None,
        stream: str = "hardware",
        threads: int | None = None,
        coding: Coding = PLAIN,
    ) -> None:
        """See from_bundle and from_network.

        Raises:
            ValueError: layers do not fit each other, there is no such stream, or less than one
                thread is asked for.
        """
        check_stream(stream)
        self.network = network
        workers = Workers(threads)
        steps = plan(network)
        self.description = described(network, steps, coding) if description is None else description
        self.memories = [PackedMemory(m, stream, workers) for m in self.description.memories]
        by_name = {memory.name: memory for memory in self.memories}
        self.stages = []
        for step in steps:
            weights, buffer = (by_name.get(f"{step.layer.name}.{k}") for k in ("weights", "buffer"))
            self.stages.append(step.layer.stage(step, Place(workers, weights, buffer)))
        self._together: Together | None = None
        self._trained = []
        for step in steps:
            if step.layer.order() is not None:
                code = by_name[f"{step.layer.name}.weights"].info.code
                rows = step.layer.trained()
                self._trained.append(rows if code is None else encode_segments(code, rows))
        self.pixels = int(np.prod(network.shape))
        largest = max([self.pixels, *(stage.bytes_a_frame for stage in self.stages)])
        self.frames_at_once = max(1, min(BLOCK_FRAMES, BLOCK_BYTES // largest))

    @classmethod
    def from_bundle(
        cls,
        path: str | os.PathLike[str],
        stream: str = "hardware",
        threads: int | None = None,
        coding: Coding = PLAIN,
    ) -> Evaluator:
        """Return the evaluator of a bundle, with its memories and its folding.

        Args:
            path: the bundle's folder.
            stream: "hardware", bit for bit the accelerator's, or "fast", of the same distribution.
            threads: by default one for each core.
            coding: which memories are coded, of a bundle that was built without.

        Raises:
            BundleError: the bundle is not whole.
            ValueError: as of the constructor.
        """
        described = descriptions.read(path)
        described.check_files()
        network = of_bundle(described, arrays.read_arrays(described))
        if coding != PLAIN:
            memories = recoded(described.memories, coding.codes(described.memories))
            described = replace(described, memories=memories)
        return cls(network, described, stream, threads)

    @classmethod
    def from_network(
        cls, network: Any, stream: str = "hardware", threads: int | None = None, **options: Any
    ) -> Any:
        """Return the evaluator of a network without a bundle, memories in the natural order.

        Args:
            network: the name of a trained network of the zoo, a network of any kind of
                `spinflow.model.networks`, a `Network`, what another evaluator has as its `network`,
                or a list of PyTorch modules.
            stream: "hardware" or "fast".
            threads: by default one for each core.
            options: `coding` of a binary network: which memories are coded; bits, shape, more:
                by which PyTorch modules become fixed point.

        Returns:
            For fixed point a `sim.fixed_point.FixedPointEvaluator`, for a network with layers of
            floats a `sim.xnor.XnorEvaluator`; both have the same operations.

        Raises:
            ValueError: the name is unknown, or as of the constructors.
        """
        if isinstance(network, str):
            from spinflow.model.store import load_trained

            network = load_trained(network)
        if isinstance(network, Network):
            return cls(network, None, stream, threads, **options)
        if hasattr(network, "spec") and hasattr(network, "thresholds"):
            return cls(of_model(network), None, stream, threads, **options)
        if options.pop("coding", PLAIN) != PLAIN:
            raise ValueError(
                "a coding is given, and only binary networks have memories that are coded"
            )
        from spinflow.sim.fixed_point import FixedPointEvaluator, QuantizedNetwork
        from spinflow.sim.xnor import XnorEvaluator, XnorParameters

        if isinstance(network, XnorParameters):
            return XnorEvaluator(network.model(), stream, threads)
        if isinstance(network, QuantizedNetwork):
            return FixedPointEvaluator(**network.arguments(), stream=stream, threads=threads)
        if hasattr(network, "plain_modules"):
            spec = network.spec
            options |= {"bits": spec.bits, "shape": spec.shape, "name": spec.name}
            network = network.plain_modules()
        elif hasattr(network, "spec"):
            return XnorEvaluator(network, stream, threads)
        return FixedPointEvaluator(network, stream=stream, threads=threads, **options)

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return the trained weights of a layer as they are written: uint32 (depth, segments)."""
        return self._trained[layer]

    def write_weights(self, memory: int, segments: NDArray[Any]) -> None:
        """Write a whole weight memory, uint32 (depth, segments), as over AXI-Lite.

        Bits beyond the word's width are ignored.

        Raises:
            ValueError: the segments have another shape.
        """
        self._weight_memory(memory, segments).write_rows(segments)

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """Return what a weight memory holds: uint32 (depth, segments)."""
        return self._weight_memory(memory).read_rows()

    def hold(self) -> Held:
        """Return a trial with the memories as they are, which `run_held` runs later."""
        return Held([memory.copied() for memory in self.memories])

    def run_held(self, trials: Sequence[Held], images: NDArray[Any], taps: bool = False) -> None:
        """Run the same images in each of several trials, whose memories go on.

        What comes out is what `run` gives, at the cost of what errors change: the layers without
        errors are computed once.

        Args:
            trials: they get the labels, and with `taps` each layer boundary.
            images: as of `run`; what is known of them is kept while the same array is given.
            taps: as of `run`.

        Raises:
            ValueError: as of `run`.
        """
        if self._together is None:
            self._together = Together(self)
        self._together.run(trials, images, taps)

    def run(self, images: NDArray[Any], taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Run images (n, pixels), uint8; maps of (rows, columns, channels) are flat in this order.

        Returns:
            The labels (n,) and, by tap name, each layer boundary's values (n, elements): bits as 0
            and 1, sums as popcounts (of UINT8 input, as signed sums). Without `taps` the
            dictionary is empty, and nothing is kept.

        Raises:
            ValueError: images have another shape or type.
        """
        images = np.ascontiguousarray(check_images(images, self.pixels))
        labels = np.empty(len(images), np.int64)
        parts: list[Taps] = []
        for stage in self.stages:
            stage.prepare()
            if stage.weights is not None:
                stage.weights.count_reads(len(images) * stage.pixels)
        for start in range(0, max(len(images), 1), self.frames_at_once):
            values = images[start : start + self.frames_at_once]
            frames = len(values)
            seen: Taps = {}
            for stage in self.stages:
                values = stage.compute(values, frames)
                if taps:
                    seen[stage.step.layer.name] = stage.tap(values, frames)
                if stage.buffer is not None:
                    values = stage.store(values, stage.buffer, frames)
                    if taps:
                        seen[f"{stage.step.layer.name}.buffer"] = stage.tap(values, frames)
            labels[start : start + frames] = values[:frames, 0]
            parts.append(seen)
        if not taps:
            return labels, {}
        return labels, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
