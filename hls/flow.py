"""finn-plus's own flow, step by step, from QONNX to a folded graph of RTL layers.

The steps are FINN's where FINN has one; between them stand ours, which put the argmax and the MRAM
buffers in, fold, and refuse a network that the hardware cannot hold.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hls.ops  # sets FINN up

# isort: split
import numpy as np
from finn.builder.build_dataflow import resolve_build_steps
from finn.builder.build_dataflow_config import DataflowBuildConfig, ShellFlowType
from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
from finn.transformation.fpgadataflow.replace_verilog_relpaths import ReplaceVerilogRelPaths
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.insert_topk import InsertTopK

from hls import folding
from hls.common import BuildError
from hls.finn_env import working_in

Step = Callable[[ModelWrapper, DataflowBuildConfig], ModelWrapper]


@dataclass(frozen=True)
class Flow:
    """What FINN made of a network.

    Attributes:
        hardware: the hardware layers before folding, with the buffers; what FINN executes as the
            golden reference.
        dataflow: the same layers, specialised to RTL, folded, with width converters.
    """

    hardware: ModelWrapper
    dataflow: ModelWrapper


def run(network: Path, work: Path, board: dict[str, Any], cycles: int) -> Flow:
    """Take a network in QONNX through FINN.

    Args:
        network: the QONNX file; one input of shape (1, pixels), UINT8 values.
        work: folder for what FINN generates and for its log, `finn.log`.
        board: the table `board` of board.toml.
        cycles: target, the most cycles a frame may take in any layer.

    Raises:
        BuildError: the network has a layer that the hardware does not have, the target cannot be
            met, or FINN failed.
    """
    hardware_models: list[ModelWrapper] = []

    def keep_hardware_model(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
        hardware_models.append(ModelWrapper(model.model, make_deepcopy=True))
        return model

    def fold(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
        return _fold(model, cycles)

    config = DataflowBuildConfig(
        output_dir=str(work),
        synth_clk_period_ns=1000.0 / board["clock_mhz"],
        generate_outputs=[],
        board=board["name"],
        fpga_part=board["part"],
        shell_flow_type=ShellFlowType.VIVADO_ZYNQ,
        # Thresholds go into the matrix-vector units: a stream of bits instead of accumulators.
        standalone_thresholds=False,
        steps=[
            "step_qonnx_to_finn",
            _state_input_type,
            "step_tidy_up",
            _insert_argmax,
            "step_tidy_up",
            "step_streamline",
            "step_convert_to_hw",
            _round_thresholds,
            _check_layers,
            _insert_buffers,
            "step_create_dataflow_partition",
            keep_hardware_model,
            "step_specialize_layers",
            fold,
            _minimize_accumulators,
            _insert_width_converters,
            "step_hw_codegen",
            _make_paths_absolute,
        ],
    )
    with working_in(work):
        model = _load(network)
        for step in resolve_build_steps(config):
            model = _run_step(step, model, config)
    return Flow(hardware_models[0], model)


def _run_step(step: Step, model: ModelWrapper, config: DataflowBuildConfig) -> ModelWrapper:
    try:
        return step(model, config)
    except BuildError:
        raise
    except Exception as error:
        traceback.print_exc()  # into finn.log
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        name = getattr(step, "__name__", "step")
        raise BuildError(f"FINN's {name} failed: {first_line} (all of it in finn.log)") from error


def _load(network: Path) -> ModelWrapper:
    """Read a QONNX file; refuse one that is damaged or does not take one row of pixels."""
    try:
        model = ModelWrapper(str(network))
    except Exception as error:  # protobuf and onnx raise classes of their own
        raise BuildError(f"{network} cannot be read: {type(error).__name__}") from error
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor.name for tensor in model.graph.input if tensor.name not in constants]
    shapes = [model.get_tensor_shape(name) for name in inputs]
    if len(shapes) != 1 or shapes[0] is None or len(shapes[0]) != 2 or shapes[0][0] != 1:
        raise BuildError(f"{network}: the input has shape {shapes}, expected one of (1, pixels)")
    return model


def _state_input_type(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Say what a QONNX file cannot: the pixels are integers from 0 to 255."""
    model.set_tensor_datatype(model.get_first_global_in(), DataType["UINT8"])
    return model


def _insert_argmax(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(InsertTopK(k=1))


def _round_thresholds(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(RoundAndClipThresholds())


def _check_layers(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Refuse all but: a one-bit threshold, binary layers with thresholds, a last one, an argmax."""
    nodes = list(model.graph.node)
    layers = 0
    for node in nodes:
        if node.domain != hls.ops.ABSTRACT_DOMAIN:
            place = f"after layer fc{layers - 1}" if layers else "before layer fc0"
            raise BuildError(f"operator {node.op_type} {place} cannot be mapped to hardware")
        if node.op_type == "MVAU":
            if not getCustomOp(node).get_nodeattr("binaryXnorMode"):
                raise BuildError(f"layer fc{layers} is not binary in its weights and inputs")
            layers += 1
    expected = ["Thresholding", *["MVAU"] * layers, "LabelSelect"]
    if layers == 0 or [node.op_type for node in nodes] != expected:
        names = ", ".join(node.op_type for node in nodes)
        raise BuildError(f"the network is not a binary perceptron; FINN's layers are {names}")
    for number, node in enumerate(nodes[1:-1]):
        last = number == layers - 1
        if bool(getCustomOp(node).get_nodeattr("noActivation")) != last:
            what = "ends in a threshold" if last else "has no threshold"
            raise BuildError(f"layer fc{number} {what}")
        if not last:
            steps = model.get_tensor_shape(node.input[2])[1]
            if steps != 1:
                raise BuildError(f"layer fc{number} has {steps} thresholds, expected one")
    values = np.unique(model.get_initializer(nodes[0].input[1]))
    if len(values) != 1:
        raise BuildError("the input needs one threshold for all its pixels")
    return model


def _insert_buffers(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Put an MRAMBuffer after each hidden layer."""
    for node in [node for node in model.graph.node if node.op_type == "MVAU"][:-1]:
        feature_map = node.output[0]
        layer = getCustomOp(node)
        shape = model.get_tensor_shape(feature_map)
        kept = f"{feature_map}_buffer"
        for consumer in model.find_consumers(feature_map):
            consumer.input[list(consumer.input).index(feature_map)] = kept
        buffer = helper.make_node(
            "MRAMBuffer",
            [feature_map],
            [kept],
            domain=hls.ops.ABSTRACT_DOMAIN,
            backend="fpgadataflow",
            name=f"MRAMBuffer_{node.name}",
            NumChannels=layer.get_nodeattr("MH"),
            PE=layer.get_nodeattr("PE"),
            dataType=layer.get_nodeattr("outputDataType"),
            numInputVectors=layer.get_nodeattr("numInputVectors"),
        )
        model.graph.value_info.append(helper.make_tensor_value_info(kept, TensorProto.FLOAT, shape))
        model.graph.node.insert(list(model.graph.node).index(node) + 1, buffer)
    return model.transform(GiveUniqueNodeNames()).transform(InferDataTypes())


def _fold(model: ModelWrapper, cycles: int) -> ModelWrapper:
    """Set PE and SIMD of each layer, and its buffer to match."""
    source, *rest = [getCustomOp(node) for node in model.graph.node]
    layers = [op for op in rest if isinstance(op, hls.ops.MVAU_rtl)]
    shapes = [
        folding.LayerShape(
            name=f"fc{number}",
            mw=layer.get_nodeattr("MW"),
            mh=layer.get_nodeattr("MH"),
            buffered=number < len(layers) - 1,
        )
        for number, layer in enumerate(layers)
    ]
    chosen = iter(folding.choose(shapes, source.get_nodeattr("NumChannels"), cycles))
    source.set_nodeattr("PE", folding.INPUT_PE)
    current = folding.Folding(1, 1, 0)
    for op in rest:
        if isinstance(op, hls.ops.MVAU_rtl):
            current = next(chosen)
            op.set_nodeattr("SIMD", current.simd)
        op.set_nodeattr("PE", current.pe)
        if isinstance(op, hls.ops.MRAMBuffer_rtl):
            op.set_nodeattr("Depth", op.get_nodeattr("NumChannels") // current.pe)
            op.set_nodeattr("Lanes", current.lanes)
    return model


def _minimize_accumulators(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(MinimizeAccumulatorWidth()).transform(InferDataTypes())


def _insert_width_converters(model: ModelWrapper, config: DataflowBuildConfig) -> ModelWrapper:
    model = model.transform(InsertDWC())
    model = model.transform(SpecializeLayers(config._resolve_fpga_part()))
    return model.transform(GiveUniqueNodeNames())


def _make_paths_absolute(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(ReplaceVerilogRelPaths())
