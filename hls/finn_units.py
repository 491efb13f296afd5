"""A network as FINN's own HLS units.

The same network with the same folding, but of the layers that FINN has in C++ in place of ours: for
whoever has Vitis and wants to compare, or has no use for write errors. FINN makes C++ and Tcl of
each layer here; Vitis HLS and FINN's later steps make IPs and a bitstream of them elsewhere. There
is no buffer between layers and no memory that errs.

It runs in a process of its own: where the ops of `spinflow.hls.ops` are known, FINN takes those.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spinflow.hls.finn_env import working_in  # sets FINN up

# isort: split
from finn.builder.build_dataflow import resolve_build_steps
from finn.builder.build_dataflow_config import DataflowBuildConfig, ShellFlowType
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.insert_topk import InsertTopK

from spinflow.hls import graph
from spinflow.hls.paths import BUILD, BuildError
from spinflow.host.core.description import Description, LabelSelect, Product, Threshold

Step = Callable[[ModelWrapper, DataflowBuildConfig], ModelWrapper]

MODEL, LOG = "hls.onnx", "finn.log"


def write(described: Description, out: Path) -> list[str]:
    """Make C++ and Tcl of a bundle's network.

    Args:
        described: the bundle; `model.onnx` is in its folder, or in build/NETWORK.
        out: a folder that is made anew: a folder of sources for each layer, and `hls.onnx`, the
            graph that FINN's steps from `step_hw_ipgen` on take.

    Returns:
        FINN's names of the layers, such as MVAU_hls_0.

    Raises:
        BuildError: the network is not of fully connected layers of bits or not to be found, the
            folder is another's, or FINN failed.
    """
    _check(described)
    source = _source(described)
    if out.exists() and not (out / LOG).exists() and (not out.is_dir() or any(out.iterdir())):
        raise BuildError(f"{out} is there already and was not made by this command: name another")
    shutil.rmtree(out, ignore_errors=True)
    with working_in(out.resolve()):
        model = ModelWrapper(graph.read(source))
        steps = [*_TO_LAYERS, _folded_as(described), "step_minimize_bit_width", "step_hw_codegen"]
        config = _config(described, out, steps)
        for step in resolve_build_steps(config):
            try:
                model = step(model, config)
            except Exception as error:
                first = (str(error).splitlines() or [type(error).__name__])[0]
                name = getattr(step, "__name__", "step")
                raise BuildError(f"FINN's {name} failed: {first} ({out / LOG})") from error
        model.save(str(out / MODEL))
    return [node.name for node in model.graph.node]


def _source(described: Description) -> Path:
    """Return the network's ONNX file: a bundle that was built with --out lies elsewhere."""
    folders = (described.folder, BUILD / described.network)
    for path in (folder / "model.onnx" for folder in folders):
        if path.is_file():
            return path.resolve()
    raise BuildError(
        f"no model.onnx in {described.folder} or in {folders[1]}: "
        f"spinflow export {described.network} makes it"
    )


def _check(described: Description) -> None:
    """Refuse what FINN's units would compute in another way or not at all."""
    for layer in described.layers:
        plain = isinstance(layer, Product) and layer.window is None and not layer.pixels
        labels = isinstance(layer, LabelSelect) and not layer.scores
        if not (plain or labels or isinstance(layer, Threshold)):
            raise BuildError(
                f"layer {layer.name} of {described.network}: only fully connected layers of bits "
                "are written as FINN's HLS units, without scores"
            )


def _config(described: Description, out: Path, steps: list[Step | str]) -> DataflowBuildConfig:
    return DataflowBuildConfig(
        output_dir=str(out.resolve()),
        synth_clk_period_ns=1000.0 / described.clock_mhz,
        generate_outputs=[],
        board=described.board,
        fpga_part=described.part,
        shell_flow_type=ShellFlowType.VIVADO_ZYNQ,
        standalone_thresholds=False,
        target_fps=1,  # it wants one; the folding is the bundle's
        steps=steps,
    )


def _state_input_type(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    model.set_tensor_datatype(model.get_first_global_in(), DataType["UINT8"])
    return model


def _insert_argmax(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(InsertTopK(k=1))


def _prefer_hls(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    for node in model.graph.node:
        getCustomOp(node).set_nodeattr("preferred_impl_style", "hls")
    return model


def _folded_as(described: Description) -> Step:
    """A step that gives each layer the bundle's PE and SIMD, and weights that can be written."""
    products = [layer for layer in described.layers if isinstance(layer, Product)]
    first = [layer for layer in described.layers if isinstance(layer, Threshold)]

    def fold(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
        matrices = [getCustomOp(node) for node in model.graph.node if node.op_type == "MVAU_hls"]
        for matrix, layer in zip(matrices, products, strict=True):
            _set(matrix, PE=layer.pe, SIMD=layer.simd, runtime_writeable_weights=1)
        for node in model.graph.node:
            if node.op_type == "Thresholding_hls" and first:
                _set(getCustomOp(node), PE=first[0].pe)
        return model

    return fold


def _set(op: Any, **values: int) -> None:
    for name, value in values.items():
        op.set_nodeattr(name, value)


_TO_LAYERS: list[Step | str] = [
    "step_qonnx_to_finn",
    _state_input_type,
    "step_tidy_up",
    _insert_argmax,
    "step_tidy_up",
    "step_streamline",
    "step_convert_to_hw",
    "step_create_dataflow_partition",
    _prefer_hls,
    "step_specialize_layers",
]
"""From QONNX to FINN's layers in C++: what FINN does by itself, but for the preference."""
