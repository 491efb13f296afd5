"""finn-plus's own flow, step by step, from QONNX to a folded graph of RTL layers.

The steps are FINN's where FINN has one; between them stand ours, which put the argmax, the
max-pools of bits and the MRAM buffers in, fold, and refuse a network that the hardware cannot hold.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spinflow.hls.ops  # sets FINN up

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

from spinflow.hls import depths as depths_table
from spinflow.hls import folding, graph
from spinflow.hls.finn_env import working_in
from spinflow.hls.paths import BuildError
from spinflow.hw.boards import Board

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
    folding: folding.Choice


def run(
    network: Path,
    work: Path,
    board: Board,
    cycles: int,
    *,
    resources: Mapping[str, int] | None = None,
    given: Mapping[str, Mapping[str, int]] | None = None,
    depths: Callable[[folding.Choice], depths_table.Depths | None] | None = None,
) -> Flow:
    """Take a network in QONNX through FINN.

    Args:
        network: the QONNX file; one input of shape (1, pixels) or (1, channels, rows, columns),
            UINT8 values.
        work: folder for what FINN generates and for its log, `finn.log`.
        board: that the accelerator is built for.
        cycles: target, the most cycles a frame may take in any layer.
        resources: what the part has; the folding is refused if it needs more.
        given: PE and SIMD by layer name that are to be used as they are.
        depths: gives the depths of the buffers that are known for a folding, if they are.

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
        shapes = layer_shapes(model)
        choices.append(folding.choose(shapes, _pixels(model), cycles, resources, given))
        found = depths(choices[0]) if depths else None
        return _fold(model, choices[0], found.words if found else {})

    config = DataflowBuildConfig(
        output_dir=str(work),
        synth_clk_period_ns=1000.0 / board.clock_mhz,
        generate_outputs=[],
        board=board.name,
        fpga_part=board.part,
        shell_flow_type=ShellFlowType.VIVADO_ZYNQ,
        # Thresholds go into the matrix-vector units: a stream of bits instead of accumulators.
        standalone_thresholds=False,
        steps=[
            "step_qonnx_to_finn",
            _state_input_type,
            "step_tidy_up",
            _check_sizes,
            _state_convolutions,
            _insert_argmax,
            "step_tidy_up",
            "step_streamline",
            _infer_max_pools,
            "step_convert_to_hw",
            _take_pixels_as_they_come,
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
    return Flow(hardware_models[0], model, choices[0])


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
    """Read a QONNX file; refuse one that is damaged or does not take one image."""
    model = ModelWrapper(graph.read(network))
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor.name for tensor in model.graph.input if tensor.name not in constants]
    shapes = [model.get_tensor_shape(name) for name in inputs]
    if len(shapes) != 1 or shapes[0] is None or len(shapes[0]) not in (2, 4) or shapes[0][0] != 1:
        raise BuildError(
            f"{network}: the input has shape {shapes}, expected one of (1, pixels) or "
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


def _state_convolutions(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Write out what ONNX lets a convolution leave away, and put padding into it.

    From here on a convolution's padding is 0. On bits that stands for -1, which it becomes when
    FINN makes -1 and +1 to 0 and 1; so a network has to pad bits with -1 before the convolution.
    """
    for number, node in enumerate(model.get_nodes_by_op_type("Conv")):
        layer = f"conv{number}"
        defaults = {
            "kernel_shape": list(model.get_tensor_shape(node.input[1]))[2:],
            "strides": [1, 1],
            "pads": [0, 0, 0, 0],
            "dilations": [1, 1],
            "group": 1,
        }
        stated = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if stated.get("auto_pad", b"NOTSET") != b"NOTSET":
            raise BuildError(f"layer {layer} leaves its padding open; it must be given in numbers")
        attributes = {name: stated.get(name, default) for name, default in defaults.items()}
        if attributes["group"] != 1 or list(attributes["dilations"]) != [1, 1]:
            raise BuildError(f"layer {layer} has groups or dilation, which the hardware does not")
        if len(node.input) > 2:
            raise BuildError(f"layer {layer} has a bias; a threshold makes it superfluous")
        bits = model.get_tensor_datatype(node.input[0]) != DataType[spinflow.hls.ops.PIXEL_TYPE]
        if any(attributes["pads"]) and bits:
            raise BuildError(f"layer {layer} pads bits with 0; they are +1 or -1: pad with -1")
        pad = model.find_producer(node.input[0])
        if pad is not None and pad.op_type == "Pad":
            attributes["pads"] = _padding(model, pad, layer, -1 if bits else 0)
            node.input[0] = pad.input[0]
            model.graph.node.remove(pad)
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(*item) for item in attributes.items())
    for node in model.get_nodes_by_op_type("MaxPool"):
        if not any(attribute.name == "pads" for attribute in node.attribute):
            node.attribute.append(helper.make_attribute("pads", [0, 0, 0, 0]))
    return model


def _padding(model: ModelWrapper, pad: Any, layer: str, expected: int) -> list[int]:
    """Return top, left, bottom and right of a Pad node before a layer."""
    stated = {a.name: helper.get_attribute_value(a) for a in pad.attribute}
    amounts = model.get_initializer(pad.input[1])
    value = model.get_initializer(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else 0
    if stated.get("mode", b"constant") != b"constant" or amounts is None or value is None:
        raise BuildError(f"layer {layer} has padding that is not constant")
    if np.any(value != expected):
        what = "pixels are padded with 0" if expected == 0 else "bits are padded with -1"
        raise BuildError(f"layer {layer} pads with {np.asarray(value).item():g}; {what}")
    before, after = np.split(amounts.astype(int), 2)
    if len(before) != 4 or before[:2].any() or after[:2].any() or amounts.min() < 0:
        raise BuildError(f"layer {layer} pads other than at the edges of the map")
    return [int(side) for side in (*before[2:], *after[2:])]


def _insert_argmax(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(InsertTopK(k=1))


def _infer_max_pools(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Make each max-pool of bits one node, before FINN makes a sliding window and a pool of it."""
    for node in model.get_nodes_by_op_type("MaxPoolNHWC"):
        layers = _weight_layers_before(model, node)
        place = f"max-pool after layer conv{layers - 1}"
        source, sink = node.input[0], node.output[0]
        _, rows, columns, channels = model.get_tensor_shape(source)
        stated = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        size, *other = {*stated["kernel_shape"], *stated["strides"]}
        if str(model.get_tensor_datatype(source)) not in spinflow.hls.ops.BINARY_TYPES:
            raise BuildError(f"{place}: only maps of bits are pooled, after their threshold")
        if other or any(stated.get("pads", [])) or rows % size or columns % size:
            raise BuildError(
                f"{place}: windows must be square, side by side, and fill the {rows} x {columns} "
                "map without padding"
            )
        pool = helper.make_node(
            "BinaryMaxPool",
            [source],
            [sink],
            domain=spinflow.hls.ops.ABSTRACT_DOMAIN,
            backend="fpgadataflow",
            name=f"BinaryMaxPool_{node.name}",
            ImgDim=[rows, columns],
            NumChannels=channels,
            PE=1,
            Size=size,
            dataType=model.get_tensor_datatype(source).name,
        )
        model.graph.node.insert(list(model.graph.node).index(node), pool)
        model.graph.node.remove(node)
    return model.transform(InferDataTypes())


def _weight_layers_before(model: ModelWrapper, node: Any) -> int:
    nodes = list(model.graph.node)
    return sum("MatMul" in other.op_type for other in nodes[: nodes.index(node)])


def _take_pixels_as_they_come(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Let the graph take pixels row by row, channels of a pixel together, as the stream does."""
    first = model.graph.node[0]
    if first.op_type != "Transpose":
        return model
    order = list(helper.get_attribute_value(first.attribute[0]))
    if order != [0, 2, 3, 1]:
        raise BuildError("operator Transpose before layer conv0 cannot be mapped to hardware")
    source = model.graph.input[0]
    shape = model.get_tensor_shape(first.output[0])
    for consumer in model.find_consumers(first.output[0]):
        consumer.input[list(consumer.input).index(first.output[0])] = source.name
    model.graph.node.remove(first)
    model.set_tensor_shape(source.name, shape)
    return model


def _round_thresholds(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(RoundAndClipThresholds())


def weight_layers(model: ModelWrapper) -> dict[str, Any]:
    """Return the weight layers of a graph of hardware layers: conv0, conv1, ..., fc0, ..."""
    layers: dict[str, Any] = {}
    for node in model.graph.node:
        if node.op_type in ("MVAU", "MVAU_rtl"):
            op = getCustomOp(node)
            kind = "conv" if len(op.get_nodeattr("numInputVectors")) > 1 else "fc"
            number = sum(name.startswith(kind) for name in layers)
            layers[f"{kind}{number}"] = op
    return layers


MAPPED = {
    "Thresholding",
    "FMPadding",
    "ConvolutionInputGenerator",
    "MVAU",
    "BinaryMaxPool",
    "LabelSelect",
}
"""The operators of FINN's that can be in a network."""


def _check_layers(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Refuse all but: binary layers with thresholds, a last one without, an argmax.

    A perceptron begins with a threshold of its pixels, a convolutional network with a convolution.
    """
    nodes = list(model.graph.node)
    layers = weight_layers(model)
    matrices = iter(layers.items())
    places = []
    place = "before the first layer"
    for node in nodes:
        places.append(place)
        if node.op_type == "MVAU":
            place = f"after layer {next(matrices)[0]}"
    # What FINN itself could not map says more than what it made of its neighbours.
    foreign = [node.domain != spinflow.hls.ops.ABSTRACT_DOMAIN for node in nodes]
    unmapped = [node.op_type not in MAPPED for node in nodes]
    for refused in (foreign, unmapped):
        if any(refused):
            first = refused.index(True)
            raise BuildError(
                f"operator {nodes[first].op_type} {places[first]} cannot be mapped to hardware"
            )
    matrices = iter(layers.items())
    for node, place in zip(nodes, places, strict=True):
        if node.op_type == "MVAU":
            name, op = next(matrices)
            _check_matrix(model, node, name, op, list(layers))
        elif node.op_type == "Thresholding" and node is not nodes[0]:
            raise BuildError(f"a threshold {place} stands alone: it must follow its matrix")
    kinds = [node.op_type for node in nodes]
    if not layers or kinds[-1] != "LabelSelect":
        raise BuildError(f"the network is not a binary classifier; FINN's layers are {kinds}")
    if kinds[0] == "Thresholding":
        if len(np.unique(model.get_initializer(nodes[0].input[1]))) != 1:
            raise BuildError("the input needs one threshold for all its pixels")
        if "conv0" in layers:
            raise BuildError("a convolutional network takes its pixels without a threshold")
    return model


def _check_matrix(model: ModelWrapper, node: Any, name: str, op: Any, layers: list[str]) -> None:
    pixels = spinflow.hls.ops.takes_pixels(op) and name == "conv0"
    if not (pixels or op.get_nodeattr("binaryXnorMode")):
        raise BuildError(f"layer {name} is not binary in its weights and inputs")
    last = name == layers[-1]
    if bool(op.get_nodeattr("noActivation")) != last:
        raise BuildError(f"layer {name} {'ends in a threshold' if last else 'has no threshold'}")
    if last and name.startswith("conv"):
        raise BuildError(f"layer {name} is the last, which must be fully connected")
    if not last:
        steps = model.get_tensor_shape(node.input[2])[1]
        if steps != 1:
            raise BuildError(f"layer {name} has {steps} thresholds, expected one")


def _insert_buffers(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    """Put an MRAMBuffer after each hidden layer, after its max-pool where it has one."""
    for node in [node for node in model.graph.node if node.op_type == "MVAU"][:-1]:
        layer = getCustomOp(node)
        last = node
        (follower,) = model.find_consumers(node.output[0])
        if follower.op_type == "BinaryMaxPool":
            last = follower
        feature_map = last.output[0]
        shape = model.get_tensor_shape(feature_map)
        kept = f"{feature_map}_buffer"
        for consumer in model.find_consumers(feature_map):
            consumer.input[list(consumer.input).index(feature_map)] = kept
        buffer = helper.make_node(
            "MRAMBuffer",
            [feature_map],
            [kept],
            domain=spinflow.hls.ops.ABSTRACT_DOMAIN,
            backend="fpgadataflow",
            name=f"MRAMBuffer_{node.name}",
            NumChannels=layer.get_nodeattr("MH"),
            PE=layer.get_nodeattr("PE"),
            dataType=layer.get_nodeattr("outputDataType"),
            numInputVectors=list(shape[:-1]),
        )
        model.graph.value_info.append(helper.make_tensor_value_info(kept, TensorProto.FLOAT, shape))
        model.graph.node.insert(list(model.graph.node).index(last) + 1, buffer)
    return model.transform(GiveUniqueNodeNames()).transform(InferDataTypes())


def _pixels(model: ModelWrapper) -> int:
    """Return the bytes of an input frame."""
    return int(np.prod(model.get_tensor_shape(model.get_first_global_in())))


def layer_shapes(model: ModelWrapper) -> list[folding.LayerShape]:
    """Return what the folding has to know of each weight layer of a graph of hardware layers."""
    layers = weight_layers(model)
    shapes = []
    for number, (name, op) in enumerate(layers.items()):
        window = None
        if name.startswith("conv"):
            generator = _window_of(model, op)
            if generator is None:
                _, rows, columns = op.get_nodeattr("numInputVectors")
                window = folding.Window(rows, columns, op.get_nodeattr("MW"), 1, 1)
            else:
                rows, columns = generator.get_nodeattr("IFMDim")
                kernel_rows, kernel_columns = generator.get_nodeattr("ConvKernelDim")
                stride_rows, stride_columns = generator.get_nodeattr("Stride")
                window = folding.Window(
                    rows,
                    columns,
                    generator.get_nodeattr("IFMChannels"),
                    kernel_rows,
                    kernel_columns,
                    stride_rows,
                    stride_columns,
                )
        follower = model.find_consumers(op.onnx_node.output[0])[0]
        pooled = follower.op_type.startswith("BinaryMaxPool")
        shapes.append(
            folding.LayerShape(
                name=name,
                mw=op.get_nodeattr("MW"),
                mh=op.get_nodeattr("MH"),
                buffered=number < len(layers) - 1,
                window=window,
                in_bits=op.get_input_datatype().bitwidth(),
                pool=getCustomOp(follower).get_nodeattr("Size") if pooled else 1,
            )
        )
    return shapes


def _window_of(model: ModelWrapper, layer: Any) -> Any:
    """Return the sliding window before a layer, or None."""
    producer = model.find_producer(layer.onnx_node.input[0])
    if producer is not None and producer.op_type.startswith("ConvolutionInputGenerator"):
        return getCustomOp(producer)
    return None


def _fold(model: ModelWrapper, choice: folding.Choice, depths: Mapping[str, int]) -> ModelWrapper:
    """Set PE and SIMD of each layer, and what stands before and behind it to match."""
    layers = weight_layers(model)
    names = {op.onnx_node.name: name for name, op in layers.items()}
    current = folding.Folding(folding.INPUT_PE, 1)
    name = ""
    for node in model.graph.node:
        op = getCustomOp(node)
        if node.name in names:
            name = names[node.name]
            current = choice.layers[name]
            op.set_nodeattr("SIMD", current.simd)
            _fold_window(model, op, current)
        if isinstance(op, spinflow.hls.ops.MRAMBuffer_rtl):
            words = int(np.prod(op.get_nodeattr("numInputVectors")))
            words *= op.get_nodeattr("NumChannels") // current.pe
            op.set_nodeattr("Lanes", current.lanes)
            op.set_nodeattr("Interval", current.interval)
            op.set_nodeattr("RunAhead", current.run_ahead)
            op.set_nodeattr("Depth", depths.get(name, min(words, depths_table.SAFE_DEPTH)))
        if not isinstance(
            op, (spinflow.hls.ops.ConvolutionInputGenerator_rtl, spinflow.hls.ops.FMPadding_rtl)
        ):
            op.set_nodeattr("PE", current.pe)
        if isinstance(op, spinflow.hls.ops.LabelSelect_rtl):
            op.set_nodeattr("PE", current.pe)
    return model


def _fold_window(model: ModelWrapper, layer: Any, chosen: folding.Folding) -> None:
    """Fold the sliding window of a convolution and the padding before it."""
    window = _window_of(model, layer)
    if window is None:
        return
    window.set_nodeattr("SIMD", chosen.window_simd)
    window.set_nodeattr("parallel_window", int(chosen.parallel))
    padding = model.find_producer(window.onnx_node.input[0])
    if padding is not None and padding.op_type.startswith("FMPadding"):
        getCustomOp(padding).set_nodeattr("SIMD", chosen.window_simd)


def _minimize_accumulators(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(MinimizeAccumulatorWidth()).transform(InferDataTypes())


def _insert_width_converters(model: ModelWrapper, config: DataflowBuildConfig) -> ModelWrapper:
    model = _split_broken_ratios(_insert_beat_converter(model).transform(InsertDWC()))
    model = model.transform(SpecializeLayers(config._resolve_fpga_part()))
    return model.transform(GiveUniqueNodeNames())


def _insert_beat_converter(model: ModelWrapper) -> ModelWrapper:
    """Put a converter before a first layer that does not take words of one beat."""
    first = model.graph.node[0]
    width = getCustomOp(first).get_instream_width()
    if width == folding.BEAT_BITS:
        return model
    source, taken = first.input[0], f"{first.input[0]}_words"
    shape = model.get_tensor_shape(source)
    converter = helper.make_node(
        "StreamingDataWidthConverter",
        [source],
        [taken],
        domain=spinflow.hls.ops.ABSTRACT_DOMAIN,
        backend="fpgadataflow",
        name="StreamingDataWidthConverter_beats",
        inShape=shape,
        outShape=shape,
        inWidth=folding.BEAT_BITS,
        outWidth=width,
        dataType=spinflow.hls.ops.PIXEL_TYPE,
    )
    first.input[0] = taken
    model.graph.node.insert(0, converter)
    model.graph.value_info.append(helper.make_tensor_value_info(taken, TensorProto.FLOAT, shape))
    model.set_tensor_datatype(taken, DataType[spinflow.hls.ops.PIXEL_TYPE])
    return model


def _split_broken_ratios(model: ModelWrapper) -> ModelWrapper:
    """Convert between widths of which neither divides the other in two steps, through both."""
    for node in model.get_nodes_by_op_type("StreamingDataWidthConverter"):
        op = getCustomOp(node)
        in_bits, out_bits = op.get_nodeattr("inWidth"), op.get_nodeattr("outWidth")
        both = math.lcm(in_bits, out_bits)
        if both in (in_bits, out_bits) or both > folding.MOST_JOINED_BITS:
            continue
        sink, joined = node.output[0], f"{node.output[0]}_joined"
        shape = model.get_tensor_shape(sink)
        second = helper.make_node(
            "StreamingDataWidthConverter",
            [joined],
            [sink],
            domain=spinflow.hls.ops.ABSTRACT_DOMAIN,
            backend="fpgadataflow",
            name=f"{node.name}_second",
            inShape=shape,
            outShape=shape,
            inWidth=both,
            outWidth=out_bits,
            dataType=op.get_nodeattr("dataType"),
        )
        node.output[0] = joined
        op.set_nodeattr("outWidth", both)
        joined_info = helper.make_tensor_value_info(joined, TensorProto.FLOAT, shape)
        model.graph.value_info.append(joined_info)
        model.graph.node.insert(list(model.graph.node).index(node) + 1, second)
        model.set_tensor_datatype(joined, DataType[op.get_nodeattr("dataType")])
    return model


def _make_paths_absolute(model: ModelWrapper, _: DataflowBuildConfig) -> ModelWrapper:
    return model.transform(ReplaceVerilogRelPaths())
