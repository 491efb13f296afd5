"""Convolutions that pad bits with 0: what FINN's graph cannot say of them, past its own steps.

Bits are +1 and -1, and a stream of them has no third value: the padding comes as -1. So a padded
place must be told from the map, and left out of the sum. FINN knows only convolutions of bits
whose padding is -1 (:mod:`spinflow.hls.convolutions`), and of the number of agreeing bits, which
is half the sum where no place is left out; where one is, sums are even and odd. So each such
convolution's window and its thresholds on the sum itself are noted here before FINN counts
agreeing bits, in the graph's metadata, and are taken up by the op of the matrix afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import numpy as np
import numpy.typing as npt
from finn.builder.build_dataflow_config import DataflowBuildConfig
from finn.transformation.streamline import Streamline
from finn.transformation.streamline.absorb import AbsorbScalarBiasIntoMultiThreshold
from qonnx.core.modelwrapper import ModelWrapper

NOTE = "spinflow.zero_padding"
"""The entry of the graph's metadata; without it no convolution pads bits with 0."""

LAYERS = ("Conv", "MatMul", "Gemm")
"""Operators that become weight layers, by which these are numbered."""


@dataclass(frozen=True)
class ZeroPadding:
    """The window of a convolution that pads bits with 0; pairs are (rows, columns).

    Attributes:
        size: of the map without its padding.
        kernel, stride: of the window.
        padding: top, left, bottom, right.
    """

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]

    @classmethod
    def of(cls, numbers: Sequence[int]) -> ZeroPadding:
        """Return it from its numbers in a row, as an attribute of a node holds them."""
        n = [int(number) for number in numbers]
        return cls((n[0], n[1]), (n[2], n[3]), (n[4], n[5]), (n[6], n[7], n[8], n[9]))

    @property
    def numbers(self) -> list[int]:
        """Its numbers in a row."""
        return [*self.size, *self.kernel, *self.stride, *self.padding]

    @property
    def windows(self) -> tuple[int, int]:
        """Rows and columns of the output map."""
        top, left, bottom, right = self.padding
        return (
            (self.size[0] + top + bottom - self.kernel[0]) // self.stride[0] + 1,
            (self.size[1] + left + right - self.kernel[1]) // self.stride[1] + 1,
        )

    def counted(self) -> npt.NDArray[np.bool_]:
        """Return which places of each window lie in the map.

        Its shape is (output rows, output columns, kernel rows, kernel columns).
        """
        inside = []
        for axis in (0, 1):
            first = np.arange(self.windows[axis]) * self.stride[axis] - self.padding[axis]
            place = first[:, np.newaxis] + np.arange(self.kernel[axis])
            inside.append((place >= 0) & (place < self.size[axis]))
        rows, columns = inside
        counted: npt.NDArray[np.bool_] = rows[:, None, :, None] & columns[None, :, None, :]
        return counted


def note(model: ModelWrapper, found: dict[int, ZeroPadding]) -> None:
    """Note the convolutions that pad bits with 0, by their number among the weight layers."""
    entries = {str(number): {"window": window.numbers} for number, window in found.items()}
    if entries or model.get_metadata_prop(NOTE) is not None:
        model.set_metadata_prop(NOTE, json.dumps(entries))


def note_thresholds(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Note the thresholds of the convolutions that pad bits with 0, on the sum of +1, -1 and 0.

    They are read off a copy of the graph, taken as far as FINN has it before it counts bits.
    """
    entries = _entries(model)
    if not entries:
        return model
    copy = ModelWrapper(model.model, make_deepcopy=True)
    copy = copy.transform(AbsorbScalarBiasIntoMultiThreshold()).transform(Streamline())
    layers = [node for node in copy.graph.node if node.op_type in LAYERS]
    for number, entry in entries.items():
        behind = copy.find_consumers(layers[int(number)].output[0]) or []
        if len(behind) == 1 and behind[0].op_type == "MultiThreshold":
            thresholds = np.ceil(copy.get_initializer(behind[0].input[1])[:, 0])
            entry["thresholds"] = thresholds.astype(float).tolist()
    model.set_metadata_prop(NOTE, json.dumps(entries))
    return model


def noted(model: ModelWrapper) -> dict[int, tuple[ZeroPadding, npt.NDArray[np.float32] | None]]:
    """Return what was noted by the number of the weight layer: the window, and the thresholds.

    Thresholds have the shape (1,) or (outputs,); None of a layer whose sums no threshold follows.
    """
    found = {}
    for number, entry in _entries(model).items():
        thresholds = entry.get("thresholds")
        if thresholds is not None:
            thresholds = np.array(thresholds, np.float32)
        found[int(number)] = (ZeroPadding.of(entry["window"]), thresholds)
    return found


def _entries(model: ModelWrapper) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads(model.get_metadata_prop(NOTE) or "{}")
    return entries
