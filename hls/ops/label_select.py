"""The number of the largest score, ties to the lowest: the module `label_select`.

A score is a sum, or, with a gain and an offset of each class, what `class_scores` makes of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow.labelselect as finn_label_select
import numpy as np
import numpy.typing as npt
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from finn.transformation.fpgadataflow.convert_to_hw.label_select import InferLabelSelectLayer
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from spinflow.hls import scores
from spinflow.hls.cost import NOTHING, Cost, block_ram
from spinflow.hls.ops.base import Module, Place, Walk, Where
from spinflow.hls.ops.text import stream_ports, sv_instance, wrap
from spinflow.hls.paths import BuildError
from spinflow.hls.scores import Scores
from spinflow.hls.shapes import Folding, LayerShape
from spinflow.host.core import description
from spinflow.host.core.description import LABEL_BITS, MOST_CLASSES, MemoryInfo, Tap

# LUTs of scores. A product of a sum and its gain takes a DSP48, which adds the offset as well.
CONTROL = 20.0
SUM_BIT = 1.0  # one bit of a score where gains are equal: the addition of its offset
ROM_BIT = 2.0  # one bit of gains and offsets, 64 deep

ROM_BLOCK_WORDS = 256
"""Gains and offsets of at least so many words are in block RAM."""


class LabelSelect(finn_label_select.LabelSelect):
    """FINN's argmax, of scores if there are a gain and an offset for each class."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return FINN's attributes, and the scores: whole numbers by class, none without."""
        return {
            **super().get_nodeattr_types(),
            "Gain": ("ints", False, []),
            "Offset": ("ints", False, []),
        }

    @property
    def scores(self) -> Scores | None:
        """How scores are made of the values that it takes."""
        gain, offset = self.get_nodeattr("Gain"), self.get_nodeattr("Offset")
        return Scores(tuple(gain), tuple(offset)) if len(gain) else None

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute the labels in Python."""
        found = self.scores
        if found is None:
            super().execute_node(context, graph)
            return
        node = self.onnx_node
        values = np.asarray(context[node.input[0]]).astype(np.int64)
        labels = (values * np.array(found.gain) + np.array(found.offset)).argmax(axis=-1)
        shape = context[node.output[0]].shape
        context[node.output[0]] = labels.astype(np.float32).reshape(shape)


class LabelSelect_rtl(Module, LabelSelect, RTLBackend):
    """The argmax at the end of a network."""

    abstract = LabelSelect
    title = "argmax"
    order = 9
    is_boundary = True
    gives_label = True
    rtl_module = "label_select"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**LabelSelect.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    @classmethod
    def infer(cls, model: ModelWrapper) -> ModelWrapper:
        """Make the node of a TopK, with the scores that were taken off the graph."""
        model = model.transform(InferLabelSelectLayer())
        found = scores.kept(model)
        for node in model.get_nodes_by_op_type("LabelSelect"):
            op = getCustomOp(node)
            op.set_nodeattr("outputDataType", f"UINT{LABEL_BITS}")
            model.set_tensor_datatype(node.output[0], DataType[f"UINT{LABEL_BITS}"])
            if found is None:
                continue
            before = model.find_producer(node.input[0])
            if before is not None and before.op_type == "XnorPopcountMatMul":
                inputs = model.get_tensor_shape(before.input[1])[0]
                found = scores.of_popcounts(found, inputs)
            if not found.is_plain:
                op.set_nodeattr("Gain", list(found.gain))
                op.set_nodeattr("Offset", list(found.offset))
        return model

    @classmethod
    def check(cls, model: ModelWrapper, node: Any, where: Where) -> None:
        """Refuse more classes than a label has room for, and a single one."""
        classes = getCustomOp(node).get_nodeattr("Labels")
        if not 2 <= classes <= MOST_CLASSES:
            raise BuildError(
                f"layer {where.layers[-1]} gives {classes} scores: a label needs 2 to "
                f"{MOST_CLASSES} classes"
                if where.layers
                else f"{classes} classes: a label needs 2 to {MOST_CLASSES}"
            )

    def extend(self, shape: LayerShape) -> LayerShape:
        """Give the last layer the bits of its gains and offsets."""
        return replace(shape, gain_bits=self._gain_bits, offset_bits=self._offset_bits)

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return the cost of making scores; that of the argmax is small."""
        if not layer.offset_bits:
            return NOTHING
        rows = layer.mh // folding.pe
        width = folding.pe * (layer.gain_bits + layer.offset_bits)
        lut, table, dsp = CONTROL, NOTHING, 0.0
        if layer.gain_bits:
            dsp = folding.pe
        else:
            lut += SUM_BIT * folding.pe * max(layer.mw.bit_length(), layer.offset_bits)
        if rows >= ROM_BLOCK_WORDS:
            table = block_ram(width, rows)
        elif rows > 1:
            lut += ROM_BIT * width * rows / 64
        return Cost(lut, 0.0, dsp) + table

    def name(self, walk: Walk) -> str:
        """Return "label"."""
        return "label"

    def layer(self, walk: Walk, name: str) -> description.LabelSelect:
        """Return the last layer."""
        return description.LabelSelect(
            name, self.get_nodeattr("Labels"), scores=self.scores is not None
        )

    def describe(self, layer: description.Layer) -> str:
        """Return of how many it selects."""
        what = "sums" if self.scores is None else "scores"
        return f"the largest of {self.get_nodeattr('Labels')} {what}"

    def arrays(self, model: ModelWrapper, number: int) -> dict[str, npt.NDArray[Any]]:
        """Return the gains and the offsets of the classes, if there are any."""
        found = self.scores
        if found is None:
            return {}
        return {
            "gain.label": np.array(found.gain, np.int32),
            "offset.label": np.array(found.offset, np.int32),
        }

    def tap(self, place: Place) -> Tap:
        """Return the label: one number a frame."""
        return replace(super().tap(place), elements=1, per_word=1)

    @property
    def _gain_bits(self) -> int:
        """Bits of a gain in the table; 0 if all are one power of two, or there are none."""
        found = self.scores
        return 0 if found is None or found.shift is not None else max(found.gain).bit_length()

    @property
    def _offset_bits(self) -> int:
        """Bits of an offset; 0 without scores."""
        found = self.scores
        return 0 if found is None else max(1, max(found.offset).bit_length())

    @property
    def _score_bits(self) -> int:
        """Bits of a score, or of a sum where there are no scores."""
        found, bits = self.scores, self.get_input_datatype().bitwidth()
        if found is None:
            return int(bits)
        return found.largest(int(self.get_input_datatype().max())).bit_length()

    def constants(self, model: ModelWrapper, place: Place) -> str:
        """Return the gains and the offsets as constants; empty without scores."""
        found = self.scores
        if found is None:
            return ""
        tables = []
        for what, bits, values in (
            ("Factor", self._gain_bits, found.gain),
            ("Summand", self._offset_bits, found.offset),
        ):
            if bits:
                name = f"{place.name.capitalize()}{'Gains' if what == 'Factor' else 'Offsets'}"
                texts = [f"{bits}'d{value}" for value in values[::-1]]
                tables.append(
                    f"  // {what} of each class's sum, class {len(values) - 1} first.\n"
                    f"  localparam logic [{len(values) * bits - 1}:0] {name} = {{\n"
                    f"{wrap(texts)}\n  }};\n"
                )
        return "\n".join(tables)

    def declarations(self, place: Place, memory: MemoryInfo | None) -> str:
        """Return the stream of scores and what makes it; nothing without scores."""
        found = self.scores
        if found is None:
            return ""
        scores_of = replace(place, sink=f"{place.name}_scores")
        bits = 8 * -(-self.get_nodeattr("PE") * self._score_bits // 8)
        parameters = {
            "Labels": self.get_nodeattr("Labels"),
            "Pe": self.get_nodeattr("PE"),
            "InBits": self.get_input_datatype().bitwidth(),
            "ScoreBits": self._score_bits,
        }
        if found.shift is not None:
            parameters["Shift"] = found.shift
        else:
            gains = f"{place.name.capitalize()}Gains"
            parameters |= {"GainBits": self._gain_bits, "Gains": gains}
        offsets = f"{place.name.capitalize()}Offsets"
        parameters |= {"OffsetBits": self._offset_bits, "Offsets": offsets}
        return f"""\
  logic [{bits - 1}:0] {scores_of.sink}_data;
  logic {scores_of.sink}_valid, {scores_of.sink}_ready;

{sv_instance("class_scores", scores_of.sink, parameters, stream_ports(scores_of))}
"""

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the selector."""
        if self.scores is not None:
            place = replace(place, source=f"{place.name}_scores")
        parameters = {
            "Labels": self.get_nodeattr("Labels"),
            "Pe": self.get_nodeattr("PE"),
            "InBits": self._score_bits,
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))
