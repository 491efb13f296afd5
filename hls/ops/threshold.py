"""The threshold that makes bits of the pixels: the module `bin_threshold`."""

from __future__ import annotations

from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow.rtl as rtl_ops
import numpy as np
import numpy.typing as npt
from finn.custom_op.fpgadataflow.thresholding import Thresholding
from finn.util.exception import FINNUserError
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.ops.base import BINARY_TYPES, Module, Place, Walk, Where
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.hls.paths import BuildError
from spinflow.host.core import description


class Thresholding_rtl(Module, rtl_ops.Thresholding_rtl):
    """One threshold, the same for all channels, to one bit.

    FINN knows the node by its name, so this class keeps it; nodes with more steps stay FINN's.
    """

    abstract = Thresholding
    title = "pixels to bits"
    is_boundary = True
    rtl_module = "bin_threshold"

    @property
    def is_ours(self) -> bool:
        """Whether there is one threshold, to one bit."""
        return bool(
            self.get_nodeattr("numSteps") == 1
            and self.get_nodeattr("outputDataType") in BINARY_TYPES
        )

    @classmethod
    def check(cls, model: ModelWrapper, node: Any, where: Where) -> None:
        """Refuse one that is not of the input, and one that is not the same for all pixels."""
        if not where.is_first:
            raise BuildError(
                f"a threshold {where.words} is not next to a matrix: each threshold must come "
                "right after its matrix"
            )
        if len(np.unique(model.get_initializer(node.input[1]))) != 1:
            raise BuildError("the pixels have different thresholds: the input needs one for all")

    def get_folded_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape in words of PE pixels, which need not be the channels of one."""
        pe = int(self.get_nodeattr("PE"))
        return (1, self._pixels() // pe, pe)

    def _pixels(self) -> int:
        return int(np.prod(self.get_normal_input_shape()))

    def threshold(self, model: ModelWrapper) -> int:
        """Return the least input that gives a 1.

        Raises:
            FINNUserError: the channels have different thresholds, or one below 0.
        """
        values = np.unique(np.ceil(model.get_initializer(self.onnx_node.input[1])))
        if len(values) != 1 or values[0] < 0:
            raise FINNUserError("the input needs one threshold, at least 0, for all its channels")
        limit = int(self.get_input_datatype().max()) + 1
        return min(int(values[0]), limit)

    def name(self, walk: Walk) -> str:
        """Return "input"."""
        return "input"

    def layer(self, walk: Walk, name: str) -> description.Threshold:
        """Return the layer in front of all weights."""
        return description.Threshold(name, self._pixels(), self.get_nodeattr("PE"))

    def describe(self, layer: description.Layer) -> str:
        """Return the pixels, and how many of them in a cycle."""
        return f"{self._pixels()} pixels to bits, {self.get_nodeattr('PE')} a cycle"

    def arrays(self, model: ModelWrapper, number: int) -> dict[str, npt.NDArray[Any]]:
        """Return the threshold."""
        return {"threshold.input": np.array([self.threshold(model)], np.int32)}

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the comparator."""
        in_bits = self.get_input_datatype().bitwidth()
        parameters = {
            "Pe": self.get_nodeattr("PE"),
            "InBits": in_bits,
            "Threshold": f"{in_bits + 1}'d{self.threshold(model)}",
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))
