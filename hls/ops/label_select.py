"""The number of the largest sum, ties to the lowest: the module `label_select`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
from finn.custom_op.fpgadataflow.labelselect import LabelSelect
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls.ops.base import Module, Place, Walk
from spinflow.hls.ops.text import stream_ports, sv_instance
from spinflow.host.core import description
from spinflow.host.core.description import Tap


class LabelSelect_rtl(Module, LabelSelect, RTLBackend):
    """The argmax at the end of a network."""

    abstract = LabelSelect
    title = "argmax"
    is_boundary = True
    gives_label = True
    rtl_module = "label_select"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**LabelSelect.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    def name(self, walk: Walk) -> str:
        """Return "label"."""
        return "label"

    def layer(self, walk: Walk, name: str) -> description.LabelSelect:
        """Return the last layer."""
        return description.LabelSelect(name, self.get_nodeattr("Labels"))

    def describe(self, layer: description.Layer) -> str:
        """Return of how many it selects."""
        return f"the largest of {self.get_nodeattr('Labels')}"

    def tap(self, place: Place) -> Tap:
        """Return the label: one number a frame."""
        return replace(super().tap(place), elements=1, per_word=1)

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the selector."""
        parameters = {
            "Labels": self.get_nodeattr("Labels"),
            "Pe": self.get_nodeattr("PE"),
            "InBits": self.get_input_datatype().bitwidth(),
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))
