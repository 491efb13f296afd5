"""The walk along a foreign graph: where it is, what it has found, and how it asks for constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.foreign.chain import Matrix, Pool
from spinflow.hls.foreign.values import Bits, Floats, ForeignError, Value


class Walk:
    """What was found so far.

    Attributes:
        model: the graph.
        layers: those that are known.
        threshold: least pixel, or code of one, that is +1, if pixels become bits.
        codes: what a pixel of each value is replaced by, if they are replaced.
        notes: what a user should look at.
        sources: the tensors that hold bits, by name.
        before: the shape of the map that a convolution takes, by its name.
    """

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.layers: list[Matrix | Pool] = []
        self.threshold: int | None = None
        self.codes: npt.NDArray[np.uint8] | None = None
        self.notes: list[str] = []
        self.sources: dict[str, Bits] = {}
        self.before: dict[str, tuple[int, ...]] = {}
        self._counts = {"conv": 0, "fc": 0}

    @property
    def place(self) -> str:
        """Where the walk is, in words."""
        last = next((x for x in reversed(self.layers) if isinstance(x, Matrix)), None)
        return f"after {last.name}" if last else "before the first layer"

    def refuse(self, what: str) -> ForeignError:
        """Return the error of something at this place."""
        return ForeignError(f"{self.place}: {what}")

    def name(self, kind: str) -> str:
        """Return the name of the next layer of a kind, "conv" or "fc"."""
        number = self._counts[kind]
        self._counts[kind] += 1
        return f"{kind}{number}"

    def made_dense(self, place: int, layer: Matrix) -> Matrix:
        """Put a dense layer in the place of the last convolution; return it, named anew."""
        self._counts["conv"] -= 1
        self.layers[place] = replace(layer, name=self.name("fc"))
        made = self.layers[place]
        assert isinstance(made, Matrix)
        return made

    def last_matrix(self) -> tuple[int, Matrix]:
        """Return the last layer of weights, and its place among the layers."""
        for place in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[place]
            if isinstance(layer, Matrix):
                return place, layer
        raise AssertionError("sums without a layer")

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Return a tensor's shape with the batch.

        Raises:
            ForeignError: it is not known.
        """
        found = self.model.get_tensor_shape(tensor)
        if found is None:
            raise self.refuse("a shape that depends on the data: export it with fixed shapes")
        return tuple(int(size) for size in found)

    def constant(self, node: NodeProto, place: int, what: str) -> npt.NDArray[Any]:
        """Return an operand that must be constant."""
        name = node.input[place] if len(node.input) > place else ""
        found = self.model.get_initializer(name) if name else None
        if found is None:
            raise self.refuse(
                f"{what} of {node.op_type} is no constant; numbers that are given work, and "
                "branches have no place in the hardware"
            )
        return np.asarray(found)

    def by_channel(self, node: NodeProto, constant: npt.NDArray[Any], value: Value) -> Floats:
        """Return a constant as a number for each channel of what the tensor is a function of."""
        shape = (1, *value.index.shape)
        constant = np.asarray(constant, np.float64)
        try:
            spread = np.broadcast_to(constant, shape)[0].reshape(-1)
        except ValueError:
            raise self.refuse(
                f"{node.op_type} has a constant of the shape {constant.shape} for {shape}"
            ) from None
        channels = value.index.reshape(-1) // value.per_channel
        found = np.zeros(value.channels)
        found[channels] = spread
        if not np.array_equal(found[channels], spread):
            raise self.refuse(
                f"{node.op_type} differs between positions of a channel; a number for each channel "
                "works"
            )
        return found


def settings_of(node: NodeProto) -> dict[str, Any]:
    """Return a node's attributes by name."""
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


Step = Callable[[Walk, NodeProto, Value], Value]
"""What a node does to what is known of the tensor that it takes."""
