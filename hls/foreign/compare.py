"""Holds a chain that was read against its source: both compute the same images.

A source computes with floats, the chain with integers. They may differ where a sum lies so near a
threshold that the source's rounding decides (a tie); anything else is a fault of the reading, and
the network is not taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from spinflow.hls.foreign.chain import Chain, Integers

TIE = 1e-4
"""How near 0 a value before a sign must lie, as a part of the largest of its layer, to be a tie."""


@dataclass(frozen=True)
class Difference:
    """Where source and chain part.

    Attributes:
        image: number of the image, from 0.
        layer: the first layer whose results differ.
        wrong: how many of the layer's results differ.
        total: how many it has.
        ties: whether all of them are ties.
    """

    image: int
    layer: str
    wrong: int
    total: int
    ties: bool

    def __str__(self) -> str:
        return (
            f"image {self.image}: {self.layer} differs from the source in {self.wrong} of "
            f"{self.total} results"
        )


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        labels: the source's label of each image, shape (images,).
        differences: of images whose results differ somewhere, the first layer of each.
    """

    labels: Integers
    differences: tuple[Difference, ...]

    @property
    def faults(self) -> tuple[Difference, ...]:
        """The differences that are no ties."""
        return tuple(each for each in self.differences if not each.ties)


def with_qonnx(
    source: ModelWrapper,
    chain: Chain,
    images: npt.NDArray[np.uint8],
    numbers: npt.NDArray[np.float64],
) -> Comparison:
    """Execute a source by QONNX, image by image, and compare each layer.

    Args:
        source: the graph that the chain was read from.
        chain: what was read.
        images: pixels as data sets have them, shape (images, pixels).
        numbers: what the source takes for a pixel of each value, shape (256,) or (channels, 256).
    """
    name = _input_of(source)
    output = source.graph.output[0].name
    labels, differences = [], []
    for number, image in enumerate(images[:, None]):
        arranged = chain.arranged(image)
        table = np.atleast_2d(numbers)
        channels = arranged.shape[1] if len(table) > 1 else 1
        pixels = (
            np.stack([table[c][arranged[:, c]] for c in range(channels)], axis=1)
            if (channels > 1)
            else table[0][arranged]
        )
        context = {name: pixels.astype(np.float32).reshape(source.get_tensor_shape(name))}
        found = execute_onnx(source, context, return_full_exec_context=True)
        taps: dict[str, Integers] = {}
        sums = chain.run(image, taps)
        labels.append(_label(found[output], chain.classes))
        difference = _first_difference(number, source, chain, found, taps)
        if difference is None and chain.labels(sums)[0] != labels[-1]:
            top = np.sort(found[output].reshape(-1).astype(np.float64))
            near = len(top) > 1 and top[-1] - top[-2] <= TIE * np.abs(top).max()
            difference = Difference(number, "the label", 1, 1, bool(near))
        if difference is not None:
            differences.append(difference)
    return Comparison(np.array(labels), tuple(differences))


def _input_of(model: ModelWrapper) -> str:
    constants = {tensor.name for tensor in model.graph.initializer}
    return str(next(t.name for t in model.graph.input if t.name not in constants))


def _label(output: npt.NDArray[np.float32], classes: int) -> int:
    flat = output.reshape(-1)
    return int(flat.argmax()) if flat.size == classes else int(flat[0])


def _first_difference(
    image: int,
    source: ModelWrapper,
    chain: Chain,
    found: dict[str, npt.NDArray[np.float32]],
    taps: dict[str, Integers],
) -> Difference | None:
    for layer in chain.layers[:-1]:
        if not layer.source or layer.source not in taps:
            continue
        theirs = np.sign(found[layer.source].astype(np.float64)).reshape(-1)
        theirs[theirs == 0] = -1
        ours = taps[layer.source].reshape(-1)
        wrong = np.flatnonzero(theirs != ours)
        if wrong.size:
            before = source.find_producer(layer.source)
            values = found[before.input[0]].astype(np.float64).reshape(-1)
            near = values.size == theirs.size and np.all(
                np.abs(values[wrong]) <= TIE * np.abs(values).max()
            )
            name = getattr(layer, "name", "a max-pool")
            return Difference(image, name, len(wrong), len(ours), bool(near))
    return None
