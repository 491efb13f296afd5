"""Scores of classes: what a network makes of its last sums before the largest one is the label.

A score is ``gain * sum + offset`` with a gain and an offset of each class, as a scale, a bias or a
batch norm behind the last matrix gives. Labels depend on the order of scores only, so constants are
brought to the least whole numbers that give the same order. All of this is exact: constants are
taken as the fractions that floats are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.paths import BuildError

LIMIT = 1 << 24
"""No score is larger: up to it, float32, in which a QONNX file is executed, holds whole numbers."""

_PROPERTY = "spinflow.scores"
_AFFINE = ("Mul", "Div", "Add", "Sub")


@dataclass(frozen=True)
class Scores:
    """A gain and an offset for each class, whole numbers, gains of at least 1."""

    gain: tuple[int, ...]
    offset: tuple[int, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the largest score is that of the largest sum."""
        return set(self.gain) == {1} and len(set(self.offset)) == 1

    @property
    def shift(self) -> int | None:
        """The power of two that all gains are; None if they are not."""
        first = self.gain[0]
        same = set(self.gain) == {first} and first & (first - 1) == 0
        return first.bit_length() - 1 if same else None

    def largest(self, sums: int) -> int:
        """Return the largest magnitude of a score where those of sums are up to ``sums``."""
        return max(g * sums + abs(o) for g, o in zip(self.gain, self.offset, strict=True))


def take(model: ModelWrapper) -> ModelWrapper:
    """Take the scales and additions behind the last matrix off a graph and keep them beside it.

    The graph then ends in the sums, or in a TopK of them. :func:`kept` gives what was taken.

    Raises:
        BuildError: a class is scaled by 0 or less, or the scores are no whole multiples of one
            number below the limit.
    """
    end = model.find_producer(model.graph.output[0].name)
    has_topk = end is not None and end.op_type == "TopK"
    tensor = end.input[0] if has_topk else model.graph.output[0].name
    classes = int(model.get_tensor_shape(tensor)[-1])
    chain = []
    source = tensor
    while (step := _step(model, source, classes)) is not None:
        chain.append(step)
        source = step[1]
    if not chain:
        return model
    gain, offset = [Fraction(1)] * classes, [Fraction(0)] * classes
    for _, _, factors, summands in reversed(chain):
        gain = [g * f for g, f in zip(gain, factors, strict=True)]
        offset = [o * f + s for o, f, s in zip(offset, factors, summands, strict=True)]
    found = whole(gain, offset)
    for node, *_ in chain:
        model.graph.node.remove(node)
    if has_topk:
        end.input[0] = source
    else:
        model.find_producer(source).output[0] = tensor
    if not found.is_plain:
        model.set_metadata_prop(_PROPERTY, json.dumps([found.gain, found.offset]))
    return model


def kept(model: ModelWrapper) -> Scores | None:
    """Return the scores that :func:`take` kept of a graph, of sums of +1 and -1; None if none."""
    text = model.get_metadata_prop(_PROPERTY)
    if text is None:
        return None
    gain, offset = json.loads(text)
    return Scores(tuple(gain), tuple(offset))


def _step(
    model: ModelWrapper, tensor: str, classes: int
) -> tuple[Any, str, list[Fraction], list[Fraction]] | None:
    """Return the node that makes a tensor if it scales or adds, with its source and constants."""
    node = model.find_producer(tensor)
    if node is None or node.op_type not in _AFFINE:
        return None
    constants = [model.get_initializer(name) for name in node.input]
    if sum(value is not None for value in constants) != 1:
        return None
    place = 0 if constants[0] is not None else 1
    value = constants[place]
    if value.size not in (1, classes) or (value.size > 1 and value.shape[-1] != classes):
        return None
    source = node.input[1 - place]
    if len(model.find_consumers(source)) != 1 or (node.op_type == "Div" and place == 0):
        return None
    numbers = [Fraction(float(v)) for v in np.broadcast_to(value.reshape(-1), classes)]
    one, zero = [Fraction(1)] * classes, [Fraction(0)] * classes
    if node.op_type == "Div":
        if not all(numbers):
            return None
        return node, source, [1 / n for n in numbers], zero
    if node.op_type == "Mul":
        return node, source, numbers, zero
    if node.op_type == "Add":
        return node, source, one, numbers
    if place == 0:
        return node, source, [-n for n in one], numbers
    return node, source, one, [-n for n in numbers]


def whole(gain: Sequence[Fraction], offset: Sequence[Fraction]) -> Scores:
    """Return gains and offsets as the least whole numbers that are in the same proportion.

    Raises:
        BuildError: a gain is not above 0, or the numbers are above the limit.
    """
    bad = next((number for number, value in enumerate(gain) if value <= 0), None)
    if bad is not None:
        raise BuildError(
            f"the score of class {bad} is its sum times {float(gain[bad]):g}: the hardware takes "
            "factors above 0; turn the signs of that class's weights and its factor"
        )
    if len(set(offset)) == 1:
        offset = [Fraction(0)] * len(offset)
    numbers = [*gain, *offset]
    unit = math.lcm(*(value.denominator for value in numbers))
    integers = [int(value * unit) for value in numbers]
    common = math.gcd(*integers)
    integers = [value // common for value in integers]
    if max(map(abs, integers)) > LIMIT:
        raise BuildError(
            "the factors and summands behind the last layer are no whole multiples of one number: "
            f"whole numbers up to {LIMIT} are needed; spinflow import rounds them"
        )
    return Scores(tuple(integers[: len(gain)]), tuple(integers[len(gain) :]))


def of_popcounts(scores: Scores, inputs: int) -> Scores:
    """Return the scores of numbers of agreeing bits that have the order of those of their sums.

    A sum of ``inputs`` products of +1 and -1 is twice the number of agreeing bits less ``inputs``.
    Equal gains become a power of two, which costs no multiplier: then scores compare the number of
    agreeing bits plus a whole number, and in a tie the rank of what is left of the offset.

    Raises:
        BuildError: a score can be above the limit.
    """
    if scores.largest(inputs) > LIMIT:
        raise BuildError(
            f"a score can reach {scores.largest(inputs)}: at most {LIMIT} are handled; spinflow "
            "import rounds factors and summands"
        )
    gain = [2 * g for g in scores.gain]
    offset = [o - g * inputs for g, o in zip(scores.gain, scores.offset, strict=True)]
    least = min(offset)
    offset = [value - least for value in offset]
    if len(set(gain)) == 1:
        left = sorted({value % gain[0] for value in offset})
        rank = {value: number for number, value in enumerate(left)}
        equal = 1 << (len(left) - 1).bit_length()
        offset = [value // gain[0] * equal + rank[value % gain[0]] for value in offset]
        gain = [equal] * len(gain)
        least = min(offset)
        return Scores(tuple(gain), tuple(value - least for value in offset))
    common = math.gcd(*gain, *offset)
    return Scores(tuple(g // common for g in gain), tuple(o // common for o in offset))
