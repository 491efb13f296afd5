"""Reads a chain of binary layers from a QONNX graph, whatever its exporter's habits are.

The graph is followed from its input. Of the tensor at hand is known what its elements are before
scales and offsets (pixels, bits or sums of products), which function of them it holds, and where
each element comes from. So scales, batch norms, reshapes and transposes cost nothing: they change
what is known, until a sign makes bits of it. What has no place in such a chain is refused by the
layer's name, with what would work.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.foreign import pooling, products, quantisers, scaling, shaping
from spinflow.hls.foreign.chain import PIXEL_CODES, Chain, Integers, Matrix
from spinflow.hls.foreign.compare import Places
from spinflow.hls.foreign.loading import load
from spinflow.hls.foreign.scores import with_scores
from spinflow.hls.foreign.values import Floats, ForeignError, Value, counted
from spinflow.hls.foreign.walk import Step, Walk, settings_of
from spinflow.host.core.text import one_line

__all__ = ["ForeignError", "Reading", "read"]

DROPPED = ("Identity", "Dropout", "Cast")
"""Operators that change no value."""

AT_THE_END = ("Softmax", "LogSoftmax", "Sigmoid")
"""Operators that keep the order of the classes, and have a place at the end only."""

LABELS = ("TopK", "ArgMax")
"""Operators that make the label; what follows them is not looked at."""

STEPS: dict[str, Step] = {
    **shaping.STEPS,
    **scaling.STEPS,
    **quantisers.STEPS,
    **products.STEPS,
    **pooling.STEPS,
}

REMEDIES = {
    "Gather": "a constant of 256 numbers at the input works",
    "ConvTranspose": "a plain convolution works",
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "fully connected and convolutional layers work"),
    **dict.fromkeys(("Concat", "Split", "Slice"), "branches and parts of maps have none either"),
    **dict.fromkeys(("Trunc", "QuantAvgPool2d"), "max-pools, and averages without rounding, work"),
}


def read(path: Path, numbers: Floats | None = None) -> Reading:
    """Read a network from a QONNX file.

    Args:
        path: the file.
        numbers: what the network expects for a pixel of each value 0 to 255, shape (256,) or
            (channels, 256); the pixels themselves if None.

    Raises:
        ForeignError: it cannot be taken.
        BuildError: the file is no whole graph.
    """
    codes = np.arange(PIXEL_CODES, dtype=np.float64)
    return Reading(load(path), codes if numbers is None else numbers)


class Reading:
    """The reading of one graph.

    Attributes:
        model: the graph, as it is executed for comparison.
        chain: what was read.
        places: where the graph holds what the chain computes.
        notes: what a user should look at.
    """

    def __init__(self, model: ModelWrapper, numbers: Floats) -> None:
        self.model = model
        self._numbers = np.atleast_2d(numbers)
        self._walk = Walk(model)
        self._decision = self._unit = 0.0
        self._shape, self._order = self._input()
        self.chain = self._follow()
        self.places = Places(self._order, self._walk.sources, self._decision, self._unit)
        self.notes = self._walk.notes

    def _input_name(self) -> str:
        constants = {tensor.name for tensor in self.model.graph.initializer}
        inputs = [t.name for t in self.model.graph.input if t.name not in constants]
        if len(inputs) != 1:
            raise ForeignError(f"it has {len(inputs)} inputs; one, of the pixels, is expected")
        return str(inputs[0])

    def _input(self) -> tuple[tuple[int, ...], Integers]:
        """Return the input's shape, and which of its numbers stands where in the tensor."""
        shape = self._walk.shape(self._input_name())
        if shape[0] != 1 or len(shape) not in (2, 3, 4):
            raise ForeignError(
                f"its input has the shape {shape}; (1, inputs) or (1, channels, rows, columns) "
                "is expected: export it for one image"
            )
        inner = shape[1:]
        if len(inner) == 3 and inner[2] in (1, 3) and inner[0] not in (1, 3):
            planes = (inner[2], inner[0], inner[1])
            return planes, counted(planes).transpose(1, 2, 0)
        if len(inner) == 2:
            return (1, *inner), counted(inner)
        return inner, counted(inner)

    def _follow(self) -> Chain:
        inner = self._shape
        if len(inner) == 1 and len(self._numbers) > 1:
            raise ForeignError("numbers for each channel need an input of (1, channels, ...)")
        channels = inner[0] if len(inner) == 3 else 1
        if len(self._numbers) not in (1, channels):
            raise ForeignError(
                f"--input has numbers for {len(self._numbers)} channels, and its images {channels}"
            )
        table = np.broadcast_to(self._numbers, (channels, PIXEL_CODES))
        value = Value("pixels", self._order, inner, table)
        for node in self._path(self._input_name()):
            value = self._step(node, value)
        return self._chain(value)

    def _path(self, name: str) -> list[NodeProto]:
        """Return the nodes from the input to the output, or to the label; refuse a fork."""
        found: list[NodeProto] = []
        outputs = {tensor.name for tensor in self.model.graph.output}
        while name not in outputs:
            users = self.model.find_consumers(name) or []
            if len(users) != 1:
                raise ForeignError(
                    f"{self._after(found)}: {len(users)} operators take one tensor, and branches "
                    "have no place in the hardware: a plain chain of layers works"
                )
            (node,) = users
            if node.op_type in LABELS:
                self._check_label(node, found)
                return found
            found.append(node)
            name = node.output[0]
        if len(outputs) > 1:
            raise ForeignError(f"it has {len(outputs)} outputs; one, of the classes, is expected")
        return found

    def _after(self, path: list[NodeProto]) -> str:
        """Return in words where a path has come to, by the names that layers will have."""
        kinds = [
            "conv" if n.op_type == "Conv" else "fc" for n in path if n.op_type in products.STEPS
        ]
        return f"after {kinds[-1]}{kinds.count(kinds[-1]) - 1}" if kinds else "at the input"

    def _check_label(self, node: NodeProto, path: list[NodeProto]) -> None:
        settings = settings_of(node)
        most = settings.get("largest", 1) and not settings.get("select_last_index", 0)
        rank = len(self._walk.shape(node.input[0]))
        axis = settings.get("axis", -1 if node.op_type == "TopK" else 0) % rank
        if not most or axis == 0 or (node.op_type == "ArgMax" and axis != 1 and rank == 2):
            raise ForeignError(
                f"{self._after(path)}: {node.op_type} of something else than the largest of the "
                "classes: the first of the largest works"
            )

    def _step(self, node: NodeProto, value: Value) -> Value:
        op = node.op_type
        if op in DROPPED:
            return self._cast(node, value) if op == "Cast" else value
        if value.ended:
            raise self._walk.refuse(
                f"{value.ended} before the end, as attention has it; at the end it works"
            )
        if op in AT_THE_END:
            self._decision = 0.5 if op == "Sigmoid" else self._decision
            return replace(value, ended=op)
        if op == "Gather" and value.kind == "pixels":
            return self._gathered(node, value)
        if value.margin is not None and op not in ("Conv", "Im2Col"):
            raise self._walk.refuse(f"padding before {op}; right before a convolution it works")
        if value.window is not None and op not in ("MatMul", "XnorPopcountMatMul"):
            raise self._walk.refuse(f"Im2Col before {op}; right before a MatMul it works")
        if op in STEPS:
            try:
                return STEPS[op](self._walk, node, value)
            except (ValueError, IndexError, KeyError, TypeError) as error:
                # numpy's, of attributes and constants that do not go together
                raise self._walk.refuse(
                    f"{op} with sizes that do not go together: {one_line(str(error), 100)}"
                ) from None
        remedy = REMEDIES.get(op, "layers of ±1, batch norm, sign, max-pool and reshape work")
        raise self._walk.refuse(f"operator {op} has no place in the hardware; {remedy}")

    def _cast(self, node: NodeProto, value: Value) -> Value:
        """Follow a Cast; one of pixels to whole numbers cuts what is behind the point off."""
        whole = settings_of(node)["to"] not in (1, 10, 11, 16)
        if not whole or value.kind == "bits":
            return value
        if value.kind != "pixels":
            raise self._walk.refuse("a Cast of sums to whole numbers; none works")
        assert value.table is not None
        return replace(value, table=np.trunc(value.table))

    def _gathered(self, node: NodeProto, value: Value) -> Value:
        """Follow a table of numbers that pixels are looked up in."""
        numbers = self._walk.constant(node, 0, "the table").astype(np.float64)
        assert value.table is not None
        places = value.table.astype(np.int64)
        settings = settings_of(node)
        if numbers.ndim != 1 or settings.get("axis", 0) or not np.array_equal(places, value.table):
            raise self._walk.refuse("a Gather of something else than one table by whole pixels")
        if places.min() < -len(numbers) or places.max() >= len(numbers):
            raise self._walk.refuse(f"a table of {len(numbers)} numbers; one for each pixel works")
        return replace(value, table=numbers[places])

    # --- the end ----------------------------------------------------------------------------------

    def _chain(self, final: Value) -> Chain:
        walk = self._walk
        last = walk.layers[-1] if walk.layers else None
        if final.clipper and final.kind == "sums":
            raise walk.refuse(
                f"operator {final.clipper} has no place in the hardware; a sign (Brevitas: "
                "QuantIdentity with bit_width=1) works in its place"
            )
        if isinstance(last, Matrix) and len(last.weights) == 1 and final.kind in ("sums", "bits"):
            return self._decided(last, final)
        if final.kind != "sums" or not isinstance(last, Matrix) or last.is_convolution:
            raise walk.refuse(
                f"it ends with {final.kind}; a fully connected last layer that gives a number for "
                "each class is expected, or an average of the whole map behind a convolution"
            )
        gain, offset = final.affine
        if np.any(gain == 0):
            raise ForeignError(
                f"{last.name}, the last layer, multiplies class {int(np.argmin(np.abs(gain)))} by "
                "0, so it does not depend on the image: scales other than 0 work"
            )
        self._unit = float(np.abs(gain).max())
        order = final.index.reshape(-1)
        gain, offset = gain[order], offset[order]
        weights = (last.weights * np.sign(gain)[:, None])[order].astype(np.int8)
        walk.layers[-1] = replace(last, weights=weights)
        return with_scores(self._made(), np.abs(gain), offset)

    def _decided(self, last: Matrix, final: Value) -> Chain:
        """Make two classes of one output: 1 where it is 0 or more.

        With s the sum and T the threshold, class 1 has the sum s and class 0 the sum -s. Class 0 is
        the first, so it also wins where both are equal; with 2 T - 1 added to it, which is odd,
        s > -s + 2 T - 1 if 2 s >= 2 T, which is s >= T.
        """
        if final.kind == "sums":
            self._unit = float(np.abs(final.affine[0]).max())
            node = NodeProto(op_type="BipolarQuant", output=["decision"])
            one = np.ones(1)
            sign = quantisers.Sign(one, np.zeros(1))
            quantisers.signs(self._walk, node, replace(final, ended=""), sign)
            self._walk.notes.append("its one output is taken as label 1 where it is 0 or more")
        else:
            middle = float(final.affine[1][0])
            self._decision = 1 / (1 + np.exp(-middle)) if final.ended == "Sigmoid" else middle
        layer = self._walk.layers[-1]
        assert isinstance(layer, Matrix) and layer.thresholds is not None
        if layer.is_convolution:
            raise self._walk.refuse("it ends with a convolution; a fully connected layer works")
        weights = np.concatenate([-layer.weights, layer.weights])
        edge = 2 * int(layer.thresholds[0]) - 1
        offsets = np.array([max(edge, 0), max(-edge, 0)], np.int64)
        if final.kind == "bits" and final.affine[0][0] < 0:
            # Its bit of +1 stands for the lower number, label 0: both classes change places.
            weights, offsets = weights[::-1], offsets[::-1]
        self._walk.layers[-1] = replace(layer, weights=weights, thresholds=None)
        return replace(self._made(), offsets=offsets)

    def _made(self) -> Chain:
        walk = self._walk
        codes: npt.NDArray[Any] | None = walk.codes
        layers = tuple(walk.layers)
        return Chain(self._shape, walk.threshold, codes, layers, notes=tuple(walk.notes))
