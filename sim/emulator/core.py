"""The emulator: it offers what the hardware offers, from a bundle.

That is error modes for each memory, weights written through the error-making port, images in,
labels and every layer boundary out, counters, soft reset. It needs numpy alone (1.21 to 2.4) and
has no notion of time: the contracts make every stored bit a function of its seed and position, so
backpressure changes nothing.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import arrays
from spinflow.host.core import description as descriptions
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import recoded
from spinflow.host.core.packing import bits_of, words_of
from spinflow.host.core.secded import encode_segments
from spinflow.sim.emulator.layers import stages
from spinflow.sim.emulator.memory import EmulatedMemory
from spinflow.sim.memories import MemoryOperations, check_images
from spinflow.sim.protocol import Taps

# These two bound the memory that run() takes, whatever the number of images.
IMAGES_AT_ONCE = 256
INPUTS_AT_ONCE = 1 << 24  # of a layer: windows overlap, so a convolution has more than its map


class Emulator(MemoryOperations[EmulatedMemory]):
    """The accelerator of one bundle.

    Memories go by their index in accel.json. Weights start as 0, errors off.

    Attributes:
        description: of the bundle.
        memories: with their stored bits.
    """

    def __init__(self, bundle: str | os.PathLike[str], coding: Coding = PLAIN) -> None:
        """Read a bundle.

        Args:
            bundle: its folder.
            coding: which memories are coded, of a bundle that was built without.

        Raises:
            BundleError: it is not whole.
            ValueError: it has a kind of layer that the emulator does not compute.
        """
        self.description = descriptions.read(bundle)
        self.description.check_files()
        self._arrays = arrays.read_arrays(self.description)
        codes = coding.codes(self.description.memories)
        memories = recoded(self.description.memories, codes)
        self.description = replace(self.description, memories=memories)
        for memory in memories:
            if memory.is_weights and memory.name in codes:
                name = f"weights.{memory.layer}"
                self._arrays[name] = encode_segments(codes[memory.name], self._arrays[name])
        self.memories = [EmulatedMemory(memory) for memory in memories]
        self._stages = stages(self.description, self._arrays, self.memories)
        most = max(stage.inputs for stage in self._stages)
        self._images_at_once = max(1, min(IMAGES_AT_ONCE, INPUTS_AT_ONCE // most))

    def weights(self, layer: int) -> NDArray[np.uint32]:
        """Return the trained weights of a layer as they are written: uint32 (depth, segments)."""
        return self._arrays[f"weights.{layer}"]

    def write_weights(self, memory: int, segments: NDArray[Any]) -> None:
        """Write a whole weight memory word by word, least significant segment first.

        Args:
            memory: its number.
            segments: uint32 (depth, segments), as over AXI-Lite; bits beyond the word's width are
                ignored.

        Raises:
            ValueError: the segments have another shape.
        """
        cells = self._weight_memory(memory, segments)
        cells.write(bits_of(segments, cells.width))

    def read_weights(self, memory: int) -> NDArray[np.uint32]:
        """Return what a weight memory holds: uint32 (depth, segments)."""
        return words_of(self._weight_memory(memory).bits)

    def run(self, images: NDArray[Any], taps: bool = True) -> tuple[NDArray[np.int64], Taps]:
        """Run images (n, pixels), uint8, maps flat in the order (row, column, channel).

        Returns:
            The labels (n,) and, by tap name, each layer boundary's values (n, elements): bits as 0
            and 1, accumulators as popcounts (of pixels, as signed sums). Without `taps` the
            dictionary is empty.

        Raises:
            ValueError: images have another shape or type.
        """
        images = check_images(images, math.prod(self.description.shape))
        for stage in self._stages:
            stage.prepare()
        parts = []
        for start in range(0, max(len(images), 1), self._images_at_once):
            part = self._run_some(images[start : start + self._images_at_once])
            parts.append(part if taps else {"label": part["label"]})
        seen = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return seen["label"][:, 0], seen if taps else {}

    def _run_some(self, images: NDArray[Any]) -> Taps:
        taps: Taps = {}
        values = images
        for stage in self._stages:
            values = stage.compute(values)
            taps[stage.name] = values
            if stage.buffer is not None:
                words = values.reshape(-1, stage.buffer.info.data_width)
                values = stage.buffer.pass_on(words).reshape(values.shape)
                taps[f"{stage.name}.buffer"] = values
        return taps
