"""Holds a chain that was read against its source: both compute the same images.

A source computes with floats, the chain with integers. They may differ where a sum lies so near a
threshold that the source's rounding decides (a tie); anything else is a fault of the reading, and
the network is not taken.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from spinflow.hls.foreign.chain import Chain, Integers
from spinflow.hls.foreign.values import Bits, ForeignError
from spinflow.host.core.text import one_line

TIE = 1e-4
"""How near 0 a value before a sign must lie to be a tie: as a part of the largest of its layer, or
of what 1 more in a sum adds, whichever is more."""


@dataclass(frozen=True)
class Places:
    """Where a source has what a chain computes.

    Attributes:
        order: which of a chain's pixels stands where in the input tensor; in their order if None.
        bits: its tensors of bits, by name.
        decision: of a network with one output, from which number on it means label 1.
        unit: how much a sum of the last layer that is larger by 1 adds to its class.
    """

    order: Integers | None = None
    bits: dict[str, Bits] = field(default_factory=dict)
    decision: float = 0.0
    unit: float = 0.0


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
    places: Places | None = None,
) -> Comparison:
    """Execute a source by QONNX, image by image, and compare each layer.

    Args:
        source: the graph that the chain was read from.
        chain: what was read.
        images: pixels as data sets have them, shape (images, pixels).
        numbers: what the source takes for a pixel of each value, shape (256,) or (channels, 256).
        places: where the source has what the chain computes.
    """
    places = places or Places()
    name = _input_of(source)
    output = source.graph.output[0].name
    labels, differences = [], []
    for number, image in enumerate(images[:, None]):
        pixels = _numbers_of(chain.arranged(image), np.atleast_2d(numbers))
        if places.order is not None:
            pixels = pixels.reshape(-1)[places.order]
        context = {name: pixels.astype(np.float32).reshape(source.get_tensor_shape(name))}
        found = _executed(source, context)
        taps: dict[str, Integers] = {}
        sums = chain.run(image, taps)
        labels.append(_label(found[output], chain.classes, places.decision))
        difference = _first_difference(source, chain, found, taps, places)
        if difference is None and chain.labels(sums)[0] != labels[-1]:
            top = np.sort(found[output].reshape(-1).astype(np.float64))
            if len(top) == 1:
                top = np.array([places.decision, *top])
            near = abs(top[-1] - top[-2]) <= TIE * max(np.abs(top).max(), places.unit)
            difference = Difference(0, "the label", 1, 1, bool(near))
        if difference is not None:
            differences.append(replace(difference, image=number))
    return Comparison(np.array(labels), tuple(differences))


def _input_of(model: ModelWrapper) -> str:
    constants = {tensor.name for tensor in model.graph.initializer}
    return str(next(t.name for t in model.graph.input if t.name not in constants))


def _executed(
    source: ModelWrapper, context: dict[str, npt.NDArray[np.float32]]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return all tensors of a graph for one image, by name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of shapes that a file states wrongly
            found: dict[str, npt.NDArray[np.float32]] = execute_onnx(source, context, True)
    except Exception as error:  # QONNX raises whatever its operators and onnxruntime do
        words = one_line(str(error) or type(error).__name__, 120)
        raise ForeignError(f"QONNX cannot execute it, to compare with: {words}") from None
    return found


def _numbers_of(
    images: npt.NDArray[np.uint8], table: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the numbers of pixels, by one table or by one for each channel."""
    if len(table) == 1:
        return np.asarray(table[0][images])
    return np.stack([table[c][images[:, c]] for c in range(images.shape[1])], axis=1)


def _label(output: npt.NDArray[np.float32], classes: int, decision: float) -> int:
    flat = output.reshape(-1)
    if flat.size == classes:
        return int(flat.argmax())
    if flat.size == 1 and output.dtype.kind == "f" and classes == 2:
        return int(flat[0] >= decision)
    return int(flat[0])


def _first_difference(
    source: ModelWrapper,
    chain: Chain,
    found: dict[str, npt.NDArray[np.float32]],
    taps: dict[str, Integers],
    places: Places,
) -> Difference | None:
    for layer in chain.layers[:-1]:
        if layer.source not in taps:
            continue
        ours = taps[layer.source].reshape(-1)
        bits = places.bits.get(layer.source) or Bits(
            np.arange(ours.size), np.ones(1), np.zeros(1), np.zeros(1), ours.size
        )
        theirs = bits.signs(found[layer.source].astype(np.float64))
        wrong = np.flatnonzero(theirs != ours)
        if wrong.size:
            before = source.find_producer(layer.source)
            operand = next(x for x in before.input if source.get_initializer(x) is None)
            values = found[operand].astype(np.float64)
            near = values.size == theirs.size and np.all(
                bits.distances(values)[wrong] <= TIE * max(np.abs(values).max(), bits.unit.max())
            )
            name = getattr(layer, "name", "a max-pool")
            return Difference(0, name, len(wrong), len(ours), bool(near))
    return None
