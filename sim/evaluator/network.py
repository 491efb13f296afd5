"""A binary network as plain data: what the evaluator computes, in which order its bits are stored.

The order of a weight memory is that of docs/contracts.md with the layer's folding; a layer that is
on no board has the natural one, PE = 1 and SIMD = all its inputs: outputs one after the other,
within an output its inputs, for a convolution (row, column, channel). A buffer takes its map in the
order of the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core.arrays import Arrays
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import Block, Stored, memories_of, recoded
from spinflow.sim.evaluator import layers as _kinds  # noqa: F401 - its files enter their kinds
from spinflow.sim.evaluator.layers.base import (
    OF_DESCRIPTION,
    OF_SPEC,
    Buffer,
    Contents,
    Layer,
    Map,
    Step,
    Trained,
    Values,
)
from spinflow.sim.evaluator.layers.label import Label
from spinflow.sim.protocol import Described, NetworkDescription


@dataclass(frozen=True)
class Network:
    """A network on images of UINT8 pixels.

    Attributes:
        name: for people.
        shape: of an image: (pixels,) or (rows, columns, channels).
        layers: in order; the last is a Label.
    """

    name: str
    shape: tuple[int, ...]
    layers: tuple[Layer, ...]


def plan(network: Network) -> list[Step]:
    """Return the layers with their shapes.

    Raises:
        ValueError: a layer does not fit; the message names the first.
    """
    shape = network.shape
    if len(shape) not in (1, 3) or min(shape) < 1:
        raise ValueError(f"{network.name}: images are (pixels,) or (rows, columns, channels)")
    at = Map((shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, shape[0]), Values.PIXELS)
    steps: list[Step] = []
    names: set[str] = set()
    for layer in network.layers:
        try:
            if layer.name in names:
                raise ValueError("the name is taken")
            result = _result(layer, at)
        except ValueError as error:
            raise ValueError(f"{network.name}, layer {layer.name}: {error}") from None
        names.add(layer.name)
        steps.append(Step(layer, at.shape, result.shape, at.values is Values.PIXELS))
        at = result
    if at.values is not Values.LABELS:
        raise ValueError(f"{network.name}: the last layer is to be a label")
    return steps


def _result(layer: Layer, source: Map) -> Map:
    """What a layer gives; ValueError says why it takes no such input."""
    if (source.values is Values.SUMS) != (Values.SUMS in layer.takes):
        raise ValueError(Label.refusal)
    if source.values not in layer.takes:
        raise ValueError(layer.refusal)
    result = layer.result(source)
    if min(result.shape) < 1:
        raise ValueError(f"a map of {source.shape} leaves nothing")
    return result


def described(
    network: Network, steps: Sequence[Step], coding: Coding = PLAIN
) -> NetworkDescription:
    """Return a network without a bundle as a bundle would describe it.

    Args:
        network: the network.
        steps: its layers with their shapes, of `plan`.
        coding: which memories are coded. A coded buffer has a word for each pixel.
    """
    stored = []
    for step in steps:
        layer, order = step.layer, step.layer.order()
        weights = buffer = None
        if order is not None:
            weights = Block(order.pe * order.simd, len(layer.trained()))
        behind = layer.buffer_behind(step.result)
        if behind is not None:
            buffer = Block(behind.width, behind.depth)
            rows, columns, channels = step.result
            if coding.buffers and behind == Buffer(rows * columns * channels, 1):
                buffer = Block(channels, rows * columns)
        stored.append(Stored(layer.name, weights, buffer))
    memories = memories_of(stored)
    memories = recoded(memories, coding.codes(memories))
    numbers = {memory.name: memory.index for memory in memories}
    return NetworkDescription(
        network=network.name,
        shape=network.shape,
        layers=tuple(
            step.layer.described(
                step,
                numbers.get(f"{step.layer.name}.weights", 0),
                numbers.get(f"{step.layer.name}.buffer"),
            )
            for step in steps
        ),
        memories=memories,
    )


def of_bundle(description: Described, arrays: Arrays) -> Network:
    """Return the network of a bundle.

    Args:
        description: of the bundle.
        arrays: the contents of its arrays.npz.

    Raises:
        ValueError: the evaluator does not know the kind of a layer.
    """
    contents = Contents(description.memories, arrays)
    layers = tuple(
        OF_DESCRIPTION.of(type(layer), layer.name)(layer, contents) for layer in description.layers
    )
    return Network(description.network, description.shape, layers)


def of_model(model: Any) -> Network:
    """Return the network of a trained `spinflow.model.networks.binary` network, in natural order.

    As in the accelerator, buffers lie behind hidden layers, where a pool follows behind the pool.
    """
    spec = model.spec
    weighted = spec.weighted
    signed = [layer.name for layer in weighted if layer.sign]
    inner = {layer.name for layer in weighted[1:]}
    trained = Trained(
        spec=spec,
        bits=dict(zip([layer.name for layer in weighted], model.bits(), strict=True)),
        thresholds=dict(zip(signed, model.thresholds(), strict=True)),
        stored=frozenset(
            before.name for before, after in pairwise(spec.layers) if after.name in inner
        ),
    )
    layers = tuple(OF_SPEC.of(layer.op, layer.name)(layer, trained) for layer in spec.layers)
    return Network(spec.name, tuple(spec.shape), (*layers, Label()))


def fold_batch_norm(
    gain: NDArray[Any], offset: NDArray[Any], mean: NDArray[Any], fan_in: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return batch norm and sign as integer comparisons: thresholds and inverted of a layer.

    The output is +1 where gain * (sum - mean) + offset >= 0, with the sum of `fan_in` terms of +1
    and -1. float64 decides.

    Args:
        gain: the slope over the deviation, (MH,).
        offset: of the batch norm, (MH,).
        mean: of the sums, (MH,).
        fan_in: terms of a sum.
    """
    gain, offset, mean = (np.asarray(value, dtype=np.float64) for value in (gain, offset, mean))
    constant = gain == 0
    edge = (mean - offset / np.where(constant, 1, gain) + fan_in) / 2  # in agreeing bits
    inverted = gain < 0
    # With a negative gain the output is 1 up to the edge: not from the next integer on.
    thresholds = np.where(inverted, np.floor(edge) + 1, np.ceil(edge))
    thresholds = np.where(constant, np.where(offset >= 0, 0, fan_in + 1), thresholds)
    return np.clip(thresholds, 0, fan_in + 1).astype(np.int32), inverted
