"""The ops of the hardware: one file each, found by the build, named nowhere else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from spinflow.hls.ops import ABSTRACT_DOMAIN, find_kind, kind_of, kinds
from spinflow.hls.ops.base import Module
from spinflow.hls.paths import REPO, RTL, BuildError
from tests.hls.networks import perceptron

OPS = REPO / "hls" / "ops"
SHARED = {"__init__", "base", "kinds", "map_node", "text"}


def test_each_file_is_one_op():
    files = {path.stem for path in OPS.glob("*.py")} - SHARED
    by_file = {cls.__module__.rpartition(".")[2]: cls for cls in kinds().values()}
    assert set(by_file) == files and len(by_file) == len(kinds())


def test_every_op_has_its_module():
    modules = [cls.rtl_module for cls in kinds().values() if issubclass(cls, Module)]
    named = [module for module in modules if isinstance(module, str)]
    assert len(named) >= 5
    for module in named:
        assert (RTL / f"{module}.sv").is_file()


def test_only_an_op_s_own_file_names_it():
    """What would have to name an op elsewhere is a question to ask it."""
    names = re.compile(rf"\b({'|'.join(kinds())})(_rtl)?\b")
    home = {name: cls.__module__.rpartition(".")[2] for name, cls in kinds().items()}
    found = [
        f"{path.relative_to(REPO)} names {name}"
        for path in sorted((REPO / "hls").rglob("*.py"))
        for name, _ in names.findall(path.read_text())
        # The typed description has a layer of this name, too.
        if path.stem != home[name] and name != "LabelSelect"
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("op_type", ["StreamingFIFO", "StreamingFIFO_rtl", "Elu"])
def test_an_op_that_the_hardware_does_not_have_is_refused_by_name(op_type):
    node = helper.make_node(op_type, ["x"], ["y"], domain=ABSTRACT_DOMAIN)
    assert find_kind(node) is None
    with pytest.raises(BuildError, match=rf"operator {op_type} after layer fc1 cannot be mapped"):
        kind_of(node, "after layer fc1")


def test_a_node_of_the_same_name_in_another_domain_is_not_ours():
    node = helper.make_node("MVAU", ["x"], ["y"], domain="com.example")
    with pytest.raises(BuildError, match="operator MVAU cannot be mapped to hardware"):
        kind_of(node)


DELAY = '''
"""A stage that hands its words on later: the module `delay`."""

import spinflow.hls.finn_env

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from onnx import TensorProto, helper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.infer_datatypes import InferDataTypes

from spinflow.hls.cost import Cost
from spinflow.hls.ops.base import ABSTRACT_DOMAIN, Module
from spinflow.hls.ops.mram_buffer import MRAMBuffer
from spinflow.hls.ops.text import stream_ports, sv_instance


class Delay(MRAMBuffer):
    """In Python it does as much as a buffer without errors."""


class Delay_rtl(Module, Delay, RTLBackend):
    abstract = Delay
    title = "delay of the sums"
    is_mapped = False
    rtl_module = "delay"

    def get_nodeattr_types(self):
        return {**Delay.get_nodeattr_types(self), **RTLBackend.get_nodeattr_types(self)}

    @classmethod
    def insert(cls, model):
        label = model.graph.node[-1]
        sums = label.input[0]
        shape = model.get_tensor_shape(sums)
        node = helper.make_node(
            "Delay", [sums], ["delayed"], domain=ABSTRACT_DOMAIN, backend="fpgadataflow",
            name="Delay_0", NumChannels=shape[-1], PE=1, numInputVectors=shape[:-1],
            dataType=model.get_tensor_datatype(sums).name,
        )
        label.input[0] = "delayed"
        info = helper.make_tensor_value_info("delayed", TensorProto.FLOAT, shape)
        model.graph.value_info.append(info)
        model.graph.node.insert(len(model.graph.node) - 1, node)
        return model.transform(InferDataTypes())

    @staticmethod
    def cost(layer, folding):
        return Cost(lut=0.0 if layer.buffered else 1000.0)

    def name(self, walk):
        return f"{walk.layer}_delay"

    def instance(self, model, place):
        bits = {"Bits": self.get_outstream_width_padded()}
        return sv_instance("delay", place.name, bits, stream_ports(place))
'''

MODULE = """
module delay #(parameter int unsigned Bits = 1) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic [Bits-1:0] in_data_i,
  input  logic            in_valid_i,
  output logic            in_ready_o,
  output logic [Bits-1:0] out_data_o,
  output logic            out_valid_o,
  input  logic            out_ready_i
);
  assign {out_data_o, out_valid_o, in_ready_o} = {in_data_i, in_valid_i, out_ready_i};
endmodule
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources that a build takes, to which a file may be added."""
    for room in ("host", "hls", "hw", "build/regs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPO / room, tmp_path / room, ignore=ignored)
    shutil.copyfile(REPO / "spinflow.py", tmp_path / "spinflow.py")
    return tmp_path


@pytest.mark.slow
def test_an_op_is_one_file_and_its_module(bundle, copy):
    (copy / "hls" / "ops" / "delay.py").write_text(DELAY)
    (copy / "hw" / "rtl" / "delay.sv").write_text(MODULE)
    folder = perceptron(48, 24, 16, 5).save(copy / "build" / "tiny")
    subprocess.run(
        [sys.executable, "-m", "spinflow.hls.build", "tiny", "--cycles", "16"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        check=True,
    )
    top = (folder / "rtl" / "accel.sv").read_text()
    assert "delay of the sums" in top and "u_fc2_delay (" in top and ".Bits (" in top
    assert "hw/rtl/delay.sv" in (folder / "rtl" / "files.f").read_text().split()
    made, before = json.loads((folder / "accel.json").read_text()), bundle.accel
    # It is part of the last layer's cost, and nothing else that is known of the network changes.
    costs = [entry["folding"]["layers"]["fc2"]["estimate"]["LUT"] for entry in (made, before)]
    assert costs[0] == costs[1] + 1000
    assert made["build_id"] != before["build_id"]
    for key in ("layers", "memories", "cycles_per_frame"):
        assert made[key] == before[key]
    with np.load(folder / "golden.npz") as golden:
        for name, values in bundle.golden.items():
            np.testing.assert_array_equal(golden[name], values)
