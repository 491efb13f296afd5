"""What nodes of a map of bits have in common: a max-pool, a crop, a buffer.

It is no op of its own, and stands before FINN's class among the bases.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper


class MapNode:
    """A node that takes and gives a map, channels last, in words of PE channels, one a cycle.

    Its attributes PE and dataType are the channels of a word and the type of one.
    """

    onnx_node: Any
    get_nodeattr: Any
    set_nodeattr: Any
    get_normal_input_shape: Any

    def get_normal_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape of the input."""
        return tuple(self.get_normal_input_shape())

    def get_folded_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the input's shape in words of PE channels."""
        return self._fold(self.get_normal_input_shape())

    def get_folded_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the output's shape in words of PE channels."""
        return self._fold(self.get_normal_output_shape())

    def _fold(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        pe = self.get_nodeattr("PE")
        return (*shape[:-1], shape[-1] // pe, pe)

    def get_input_datatype(self, ind: int = 0) -> Any:
        """Return the type of one channel."""
        return DataType[self.get_nodeattr("dataType")]

    def get_output_datatype(self, ind: int = 0) -> Any:
        """Return the type of one channel."""
        return self.get_input_datatype()

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return int(self.get_input_datatype().bitwidth() * self.get_nodeattr("PE"))

    def get_outstream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return self.get_instream_width()

    def get_exp_cycles(self) -> int:
        """Return the words of an input frame: one comes a cycle."""
        return int(np.prod(self.get_folded_input_shape()[:-1]))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Hand the type of the input on to the output."""
        datatype = model.get_tensor_datatype(self.onnx_node.input[0])
        self.set_nodeattr("dataType", datatype.name)
        model.set_tensor_datatype(self.onnx_node.output[0], datatype)
