"""finn-plus's own flow, step by step, from QONNX to a folded graph of RTL layers.

The steps are FINN's where FINN has one; between them stand Spinflow's, which let the ops of
`spinflow.hls.ops` into the graph, fold, and refuse a network that the hardware cannot hold.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import spinflow.hls.ops  # sets FINN up

# isort: split
from finn.builder.build_dataflow import resolve_build_steps
from finn.builder.build_dataflow_config import DataflowBuildConfig, ShellFlowType
from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
from finn.transformation.fpgadataflow.replace_verilog_relpaths import ReplaceVerilogRelPaths
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.insert_topk import InsertTopK

from spinflow.hls import depths as depths_table
from spinflow.hls import folding, graph, network, scores
from spinflow.hls.convolutions import state_convolutions
from spinflow.hls.finn_env import working_in
from spinflow.hls.ops import byte_table, kinds
from spinflow.hls.paths import BuildError, no_such_operator
from spinflow.hls.zero_padding import note_thresholds
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.hw.boards import Board

Step = Callable[[ModelWrapper, DataflowBuildConfig], ModelWrapper]

Known = Callable[[folding.Choice], depths_table.Depths | None]
"""Gives the depths of the buffers that are known for a folding, if they are."""


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
    folding: folding.Choice


def run(
    source: Path,
    work: Path,
    board: Board,
    cycles: int | None,
    *,
    resources: Mapping[str, int] | None = None,
    given: folding.Given | None = None,
    depths: Known | None = None,
    coding: Coding = PLAIN,
) -> Flow:
    """Take a network in QONNX through FINN.

    Args:
        source: the QONNX file; one input of shape (1, pixels) or (1, channels, rows, columns),
            UINT8 values.
        work: folder for what FINN generates and for its log, `finn.log`.
        board: that the accelerator is built for.
        cycles: target, the most cycles a frame may take in any layer; None is the fastest that
            leaves room on the board's part.
        resources: what the part has; the folding is refused if it needs more.
        given: PE and SIMD by layer name that are to be used as they are.
        depths: gives the depths of the buffers that are known for a folding, if they are.
        coding: which memories are coded.

    Raises:
        BuildError: the network has a layer that the hardware does not have, the target cannot be
            met, or FINN failed.
    """
    hardware_models: list[ModelWrapper] = []
    choices: list[folding.Choice] = []

    def keep_hardware_model(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
        hardware_models.append(ModelWrapper(model.model, make_deepcopy=True))
        return model

    def fold(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
        shapes = [replace(shape, coding=coding) for shape in network.layer_shapes(model)]
        pixels = network.pixels(model)
        if cycles is None:
            choice = folding.fastest(shapes, pixels, resources or board.resources, given)
        else:
            choice = folding.choose(shapes, pixels, cycles, resources, given)
        choices.append(choice)
        found = depths(choice) if depths else None
        return network.fold(model, choice, found.words if found else {})

    with working_in(work):
        model = _load(source)
        codes = byte_table.take_off(model)

        def put_table_in_front(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
            if codes is not None:
                byte_table.put_in_front(model, codes)
            return model

        to_hardware = [*_TO_LAYERS, put_table_in_front, *_TO_HARDWARE, keep_hardware_model]
        config = _config(work, board, [*to_hardware, "step_specialize_layers", fold, *_TO_RTL])
        for step in resolve_build_steps(config):
            model = _run_step(step, model, config)
    return Flow(hardware_models[0], model, choices[0])


def _config(work: Path, board: Board, steps: list[Step | str]) -> DataflowBuildConfig:
    return DataflowBuildConfig(
        output_dir=str(work),
        synth_clk_period_ns=1000.0 / board.clock_mhz,
        generate_outputs=[],
        board=board.name,
        fpga_part=board.part,
        shell_flow_type=ShellFlowType.VIVADO_ZYNQ,
        # Thresholds go into the matrix-vector units: a stream of bits instead of accumulators.
        standalone_thresholds=False,
        steps=steps,
    )


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


def _load(path: Path) -> ModelWrapper:
    """Read a QONNX file; refuse one that is damaged or does not take one image."""
    model = ModelWrapper(graph.read(path))
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor.name for tensor in model.graph.input if tensor.name not in constants]
    shapes = [model.get_tensor_shape(name) for name in inputs]
    if len(shapes) != 1 or shapes[0] is None or len(shapes[0]) not in (2, 4) or shapes[0][0] != 1:
        raise BuildError(
            f"{path}: the input has shape {shapes}, expected one of (1, pixels) or "
            "(1, channels, rows, columns)"
        )
    return model


def _state_input_type(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Say what a QONNX file cannot: the pixels are integers from 0 to 255."""
    model.set_tensor_datatype(model.get_first_global_in(), DataType[spinflow.hls.ops.PIXEL_TYPE])
    return model


def _check_sizes(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    graph.check_sizes(model)
    return model


def _take_scores(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Keep scales and additions behind the last matrix, which streamlining would round or move."""
    return scores.take(model)


def _insert_argmax(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(InsertTopK(k=1))


def _infer_ops(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Let each op make its nodes, before FINN makes nodes of its own of the same operators."""
    for kind in kinds().values():
        model = kind.infer(model)
    return model


def _take_pixels_as_they_come(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Let the graph take pixels row by row, channels of a pixel together, as the stream does."""
    first = model.graph.node[0]
    if first.op_type != "Transpose":
        return model
    order = list(helper.get_attribute_value(first.attribute[0]))
    if order != [0, 2, 3, 1]:
        raise no_such_operator("Transpose", "before layer conv0")
    source = model.graph.input[0]
    shape = model.get_tensor_shape(first.output[0])
    for consumer in model.find_consumers(first.output[0]):
        consumer.input[list(consumer.input).index(first.output[0])] = source.name
    model.graph.node.remove(first)
    model.set_tensor_shape(source.name, shape)
    return model


def _round_thresholds(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(RoundAndClipThresholds())


def _check_layers(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    network.check(model)
    return model


def _insert_ops(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Let each op put nodes between the layers, as the buffers are."""
    for kind in kinds().values():
        model = kind.insert(model)
    return model


def _minimize_accumulators(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(MinimizeAccumulatorWidth()).transform(InferDataTypes())


def _connect_ops(model: ModelWrapper, config: DataflowBuildConfig) -> ModelWrapper:
    """Let each op put nodes where widths do not fit, as width converters are."""
    for kind in kinds().values():
        model = kind.connect(model)
    model = model.transform(SpecializeLayers(config._resolve_fpga_part()))
    return model.transform(GiveUniqueNodeNames())


def _make_paths_absolute(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(ReplaceVerilogRelPaths())


_TO_LAYERS: list[Step | str] = [
    "step_qonnx_to_finn",
    _state_input_type,
    "step_tidy_up",
    _check_sizes,
    state_convolutions,
    _take_scores,
    _insert_argmax,
    "step_tidy_up",
    note_thresholds,
    "step_streamline",
    _infer_ops,
    "step_convert_to_hw",
    _take_pixels_as_they_come,
    _round_thresholds,
]
"""From QONNX to FINN's layers."""

_TO_HARDWARE: list[Step | str] = [
    _check_layers,
    _insert_ops,
    "step_create_dataflow_partition",
]
"""From there to a graph of hardware layers."""

_TO_RTL: list[Step | str] = [
    _minimize_accumulators,
    _connect_ops,
    "step_hw_codegen",
    _make_paths_absolute,
]
"""From a folded graph to one whose RTL is there."""
