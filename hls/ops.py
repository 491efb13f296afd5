"""Spinflow's layers as FINN custom ops: the RTL modules of `hw/rtl`, one instance a node.

`register()` puts them where FINN looks ops up, so that its own transformations specialise, fold and
generate them. They compute in Python as FINN's ops do; in hardware each is one module of `hw/rtl`,
and `instance()` writes the SystemVerilog that places it. MVAU and Thresholding keep FINN's names,
because FINN knows nodes by name, and leave to FINN whatever is not binary.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow as abstract_ops
import finn.custom_op.fpgadataflow.rtl as rtl_ops
import numpy as np
import numpy.typing as npt
from finn.custom_op.fpgadataflow.convolutioninputgenerator import (
    ConvolutionInputGenerator as FinnConvolutionInputGenerator,
)
from finn.custom_op.fpgadataflow.fmpadding import FMPadding
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.custom_op.fpgadataflow.labelselect import LabelSelect
from finn.custom_op.fpgadataflow.matrixvectoractivation import MVAU
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from finn.custom_op.fpgadataflow.streamingdatawidthconverter import StreamingDataWidthConverter
from finn.custom_op.fpgadataflow.thresholding import Thresholding
from finn.transformation.fpgadataflow import specialize_layers
from finn.util.exception import FINNUserError
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import add_op_to_domain, getCustomOp

from spinflow.hls.folding import RUN_AHEAD
from spinflow.hls.paths import RTL

ABSTRACT_DOMAIN = "finn.custom_op.fpgadataflow"
RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"

BINARY_TYPES = ("BINARY", "BIPOLAR")
PIXEL_TYPE = "UINT8"
MAX_PIXEL = 255


@dataclass(frozen=True)
class Place:
    """Where a node sits in the top module.

    Attributes:
        name: of the instance, without its prefix `u_`.
        source, sink: prefixes of the streams it reads and writes.
        memory: number of its memory among those of its kind; None if it has none.
    """

    name: str
    source: str
    sink: str
    memory: int | None = None


def sv_instance(module: str, name: str, parameters: dict[str, Any], ports: dict[str, str]) -> str:
    """Return a module instance with named connections, aligned, indented by two spaces."""

    def block(entries: dict[str, Any]) -> str:
        width = max(len(entry) for entry in entries)
        return ",\n".join(f"    .{entry:<{width}} ({value})" for entry, value in entries.items())

    head = f"  {module}"
    if parameters:
        head += f" #(\n{block(parameters)}\n  )"
    return f"{head} u_{name} (\n{block(ports)}\n  );\n"


def stream_ports(place: Place) -> dict[str, str]:
    """Return the clock, the reset and both streams of one of our stream modules."""
    return {
        "clk_i": "aclk",
        "rst_ni": "core_rst_n",
        "in_data_i": f"{place.source}_data",
        "in_valid_i": f"{place.source}_valid",
        "in_ready_o": f"{place.source}_ready",
        "out_data_o": f"{place.sink}_data",
        "out_valid_o": f"{place.sink}_valid",
        "out_ready_i": f"{place.sink}_ready",
    }


def finn_instance(op: Any, place: Place) -> str:
    """Return the instance of a module that FINN generated."""
    ports = {
        "ap_clk": "aclk",
        "ap_rst_n": "core_rst_n",
        "in0_V_TDATA": f"{place.source}_data",
        "in0_V_TVALID": f"{place.source}_valid",
        "in0_V_TREADY": f"{place.source}_ready",
        "out0_V_TDATA": f"{place.sink}_data",
        "out0_V_TVALID": f"{place.sink}_valid",
        "out0_V_TREADY": f"{place.sink}_ready",
    }
    return sv_instance(op.get_nodeattr("gen_top_module"), place.name, {}, ports)


class InTop:
    """What the top module asks of an op beside its instance."""

    title: ClassVar[str]
    """What it does, in a few words: heading of its section in the top module."""

    def constants(self, model: ModelWrapper, place: Place) -> str:
        """Return what the package of thresholds holds of it."""
        return ""

    def declarations(self, place: Place, memory: Any) -> str:
        """Return what stands before the instance: wires, and the memory that it reads.

        Args:
            place: where the node sits.
            memory: its memory in the plan, None if it has none.
        """
        return ""


class SpinflowRTL(InTop, RTLBackend):
    """A node that is one instance of a module in `hw/rtl`: no file is generated for it."""

    rtl_module: str

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Note the module's name and where FINN looks for generated code."""
        folder = self.get_nodeattr("code_gen_dir_ipgen")
        self.set_nodeattr("gen_top_module", self.rtl_module)
        self.set_nodeattr("ipgen_path", folder)
        self.set_nodeattr("ip_path", folder)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Return the module's file."""
        source = Path(f"{self.rtl_module}.sv")
        return [str(RTL / source if abspath else source)]

    def code_generation_ipi(self) -> list[str]:
        """Refuse: spinflow.hls.top makes the top module, not Vivado's IP integrator."""
        raise FINNUserError(f"{self.onnx_node.name} is stitched by spinflow.hls.top, not by Vivado")

    @abstractmethod
    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the SystemVerilog that places this node."""


class MVAU_rtl(rtl_ops.MVAU_rtl, SpinflowRTL):
    """Binary matrix-vector unit with its thresholds: the module `binary_mvu`.

    Its weights are +1 and -1, its inputs bits (binaryXnorMode) or pixels. Other nodes stay FINN's.
    """

    title = "binary matrix with its weights"
    rtl_module = "binary_mvu"

    @property
    def is_xnor(self) -> bool:
        """Whether the inputs are bits."""
        return bool(self.get_nodeattr("binaryXnorMode"))

    @property
    def is_binary(self) -> bool:
        """Whether this node is ours."""
        return takes_pixels(self) or self.is_xnor

    @property
    def windows(self) -> int:
        """Return the vectors of a frame: the pixels of a convolution's output map, else 1."""
        return int(np.prod(self.get_nodeattr("numInputVectors")))

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a layer is specialised."""
        if self.is_binary:
            MVAU.execute_node(self, context, graph)
        else:
            super().execute_node(context, graph)

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Generate nothing for a binary layer; else as FINN does."""
        backend = SpinflowRTL if self.is_binary else rtl_ops.MVAU_rtl
        backend.generate_hdl(self, model, fpgapart, clk)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Return the module's files."""
        backend = SpinflowRTL if self.is_binary else rtl_ops.MVAU_rtl
        files: list[str] = backend.get_rtl_file_list(self, abspath)
        return files

    def minimize_accumulator_width(self, model: ModelWrapper, datatype_only: bool = False) -> Any:
        """Set the accumulator to a popcount of 0 to MW, or to the sum of MW pixels and signs.

        FINN takes the range of +1/-1 weights on 0/1 inputs, which a popcount can leave; and errors
        in the weights can bring about any sum.
        """
        if not self.is_binary:
            return super().minimize_accumulator_width(model, datatype_only)
        mw = self.get_nodeattr("MW")
        if self.is_xnor:
            accumulator = DataType[f"UINT{mw.bit_length()}"]
        else:
            accumulator = DataType[f"INT{(MAX_PIXEL * mw).bit_length() + 1}"]
        self.set_nodeattr("accDataType", accumulator.name)
        if self.get_nodeattr("noActivation"):
            self.set_nodeattr("outputDataType", accumulator.name)
        return accumulator

    def weight_matrix(self, model: ModelWrapper) -> npt.NDArray[np.uint8]:
        """Return the weights as 0 (-1) and 1 (+1), shape (MW, MH)."""
        matrix = model.get_initializer(self.onnx_node.input[1])
        if self.get_input_datatype(1) == DataType["BIPOLAR"]:
            matrix = (matrix + 1) / 2
        return np.asarray(matrix).astype(np.uint8)

    def thresholds(self, model: ModelWrapper) -> npt.NDArray[np.int32] | None:
        """Return each output's threshold, shape (MH,); None without activation.

        On bits it is in [0, MW+1], on pixels in [-255*MW, 255*MW+1].
        """
        if self.get_nodeattr("noActivation"):
            return None
        mw, mh = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        low, high = (0, mw) if self.is_xnor else (-MAX_PIXEL * mw, MAX_PIXEL * mw)
        thresholds = np.ceil(model.get_initializer(self.onnx_node.input[2]))
        return np.broadcast_to(np.clip(thresholds[:, 0], low, high + 1), mh).astype(np.int32)

    def declarations(self, place: Place, memory: Any) -> str:
        """Return the weight memory and its wires."""
        wires = f"{place.name}_mem"
        address_bits = max(1, (memory.depth - 1).bit_length())
        ports = {
            "clk_i": "aclk",
            "rd_en_i": f"{wires}_en",
            "rd_addr_i": f"{wires}_addr",
            "rd_data_o": f"{wires}_rdata",
            "host_en_i": f"weight_en[{memory.index}]",
            "host_i": "weight_req",
            "host_rdata_o": f"weight_rdata[{memory.index}]",
        }
        parameters = {"Width": memory.width, "Depth": memory.depth}
        return f"""\
  logic {wires}_en;
  logic [{address_bits - 1}:0] {wires}_addr;
  logic [{memory.width - 1}:0] {wires}_rdata;

{sv_instance("weight_mem", f"{place.name}_weights", parameters, ports)}
"""

    def constants(self, model: ModelWrapper, place: Place) -> str:
        """Return the thresholds as a constant; empty without activation."""
        thresholds = self.thresholds(model)
        if thresholds is None:
            return ""
        mw, mh = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        if self.is_xnor:
            bits, what = (mw + 1).bit_length(), "popcount"
            texts = [f"{bits}'d{value}" for value in thresholds]
        else:
            bits, what = (MAX_PIXEL * mw + 1).bit_length() + 1, "sum"
            signs = ["-" if value < 0 else "" for value in thresholds]
            texts = [f"{s}{bits}'sd{abs(v)}" for s, v in zip(signs, thresholds, strict=True)]
        return (
            f"  // Least {what} for a 1, output {mh - 1} first.\n"
            f"  localparam logic [{mh * bits - 1}:0] {constant_name(place)} = {{\n"
            f"{wrap(texts[::-1])}\n  }};\n"
        )

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the unit; its thresholds are in their package."""
        parameters: dict[str, Any] = {
            "Mw": self.get_nodeattr("MW"),
            "Mh": self.get_nodeattr("MH"),
            "Pe": self.get_nodeattr("PE"),
            "Simd": self.get_nodeattr("SIMD"),
            "InBits": 1 if self.is_xnor else DataType[PIXEL_TYPE].bitwidth(),
        }
        if self.get_nodeattr("noActivation"):
            parameters |= {"HasThreshold": "1'b0", "OutBits": self.get_output_datatype().bitwidth()}
        else:
            parameters |= {"HasThreshold": "1'b1", "OutBits": 1, "Thresholds": constant_name(place)}
        ports = stream_ports(place) | {
            "mem_en_o": f"{place.name}_mem_en",
            "mem_addr_o": f"{place.name}_mem_addr",
            "mem_rdata_i": f"{place.name}_mem_rdata",
        }
        return sv_instance(self.rtl_module, place.name, parameters, ports)


def constant_name(place: Place) -> str:
    """Return the name of a layer's thresholds in their package."""
    return f"{place.name.capitalize()}Thresholds"


def takes_pixels(mvau: Any) -> bool:
    """Return whether a matrix has weights +1 and -1 and takes pixels."""
    return (
        mvau.get_nodeattr("weightDataType") == "BIPOLAR"
        and mvau.get_nodeattr("inputDataType") == PIXEL_TYPE
    )


class Thresholding_rtl(rtl_ops.Thresholding_rtl, SpinflowRTL):
    """One threshold, the same for all channels, to one bit: the module `bin_threshold`.

    Nodes with more steps stay FINN's.
    """

    title = "pixels to bits"
    rtl_module = "bin_threshold"

    @property
    def is_binary(self) -> bool:
        """Whether this node is ours."""
        return (
            self.get_nodeattr("numSteps") == 1
            and self.get_nodeattr("outputDataType") in BINARY_TYPES
        )

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a layer is specialised."""
        if self.is_binary:
            Thresholding.execute_node(self, context, graph)
        else:
            super().execute_node(context, graph)

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Generate nothing for one threshold; else as FINN does."""
        backend = SpinflowRTL if self.is_binary else rtl_ops.Thresholding_rtl
        backend.generate_hdl(self, model, fpgapart, clk)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Return the module's files."""
        backend = SpinflowRTL if self.is_binary else rtl_ops.Thresholding_rtl
        files: list[str] = backend.get_rtl_file_list(self, abspath)
        return files

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

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the comparator."""
        in_bits = self.get_input_datatype().bitwidth()
        parameters = {
            "Pe": self.get_nodeattr("PE"),
            "InBits": in_bits,
            "Threshold": f"{in_bits + 1}'d{self.threshold(model)}",
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


class LabelSelect_rtl(LabelSelect, SpinflowRTL):
    """The number of the largest value, ties to the lowest: the module `label_select`."""

    title = "argmax"
    rtl_module = "label_select"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**LabelSelect.get_nodeattr_types(self), **SpinflowRTL.get_nodeattr_types(self)}

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a layer is specialised."""
        LabelSelect.execute_node(self, context, graph)

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the selector."""
        parameters = {
            "Labels": self.get_nodeattr("Labels"),
            "Pe": self.get_nodeattr("PE"),
            "InBits": self.get_input_datatype().bitwidth(),
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


class StreamingDataWidthConverter_rtl(rtl_ops.StreamingDataWidthConverter_rtl, SpinflowRTL):
    """Several words into one, or one into several: `stream_widen` and `stream_narrow`.

    Converters by a broken ratio stay FINN's.
    """

    title = "width converter"

    @property
    def rtl_module(self) -> str | None:  # type: ignore[override]
        """Name of our module; None if the converter is FINN's."""
        in_bits, out_bits = self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth")
        if out_bits > in_bits and out_bits % in_bits == 0:
            return "stream_widen"
        if in_bits > out_bits and in_bits % out_bits == 0:
            return "stream_narrow"
        return None

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a layer is specialised."""
        StreamingDataWidthConverter.execute_node(self, context, graph)

    def get_exp_cycles(self) -> int:
        """Return the words of a frame on the side that has more of them."""
        bits = int(np.prod(self.get_nodeattr("inShape"))) * self.get_input_datatype().bitwidth()
        return bits // min(self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth"))

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Generate nothing for a whole ratio; else as FINN does."""
        backend = SpinflowRTL if self.rtl_module else rtl_ops.StreamingDataWidthConverter_rtl
        backend.generate_hdl(self, model, fpgapart, clk)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Return the module's files."""
        backend = SpinflowRTL if self.rtl_module else rtl_ops.StreamingDataWidthConverter_rtl
        files: list[str] = backend.get_rtl_file_list(self, abspath)
        return files

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return our converter, or FINN's generated one."""
        in_bits, out_bits = self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth")
        if self.rtl_module is None:
            return finn_instance(self, place)
        if self.rtl_module == "stream_widen":
            parameters = {"InBits": in_bits, "Ratio": out_bits // in_bits}
        else:
            parameters = {"OutBits": out_bits, "Ratio": in_bits // out_bits}
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


class ConvolutionInputGenerator(FinnConvolutionInputGenerator):
    """FINN's sliding window, which it executes for one image, here for any number."""

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Let FINN compute image by image."""
        source, sink = self.onnx_node.input[0], self.onnx_node.output[0]
        images = context[source]
        windows = []
        for image in images:
            one = {source: image[np.newaxis], sink: context[sink][:1]}
            super().execute_node(one, graph)
            windows.append(one[sink])
        context[sink] = np.concatenate(windows)


class ConvolutionInputGenerator_rtl(InTop, rtl_ops.ConvolutionInputGenerator_rtl):
    """FINN's sliding window in hardware: its module, our instance."""

    title = "sliding window"

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a layer is specialised."""
        FinnConvolutionInputGenerator.execute_node(self, context, graph)

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the generated module's instance."""
        return finn_instance(self, place)


class FMPadding_rtl(rtl_ops.FMPadding_rtl, SpinflowRTL):
    """Padding of a map: the module `stream_pad`. Bits are padded with 0, which is -1.

    FINN's own module gives the padding of the next frame before that has come. A layer would begin
    to work on it with weights that the host may be about to change.
    """

    title = "padding"
    rtl_module = "stream_pad"

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python, as FINN does before a layer is specialised."""
        FMPadding.execute_node(self, context, graph)

    def generate_hdl(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """Generate nothing."""
        SpinflowRTL.generate_hdl(self, model, fpgapart, clk)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Return the module's file."""
        return SpinflowRTL.get_rtl_file_list(self, abspath)

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the padding."""
        rows, columns = self.get_nodeattr("ImgDim")
        top, left, bottom, right = self.get_nodeattr("Padding")
        parameters = {
            "Rows": rows,
            "Columns": columns,
            "Folds": self.get_nodeattr("NumChannels") // self.get_nodeattr("SIMD"),
            "Bits": self.get_instream_width(),
            "Top": top,
            "Left": left,
            "Bottom": bottom,
            "Right": right,
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


class BinaryMaxPool(HWCustomOp):
    """Square max-pool of a map of bits, windows side by side: the OR of each window."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes: ImgDim is rows and columns of the input."""
        return {
            **super().get_nodeattr_types(),
            "ImgDim": ("ints", True, []),
            "NumChannels": ("i", True, 0),
            "PE": ("i", True, 0),
            "Size": ("i", True, 0),
            "dataType": ("s", True, ""),
        }

    def get_normal_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the map's shape, channels last."""
        return (1, *self.get_nodeattr("ImgDim"), self.get_nodeattr("NumChannels"))

    def get_normal_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the pooled map's shape."""
        size = self.get_nodeattr("Size")
        return (
            1,
            *(side // size for side in self.get_nodeattr("ImgDim")),
            self.get_nodeattr("NumChannels"),
        )

    def get_folded_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the map's shape in words of PE channels."""
        return self._fold(self.get_normal_input_shape())

    def get_folded_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the pooled map's shape in words of PE channels."""
        return self._fold(self.get_normal_output_shape())

    def _fold(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        pe = self.get_nodeattr("PE")
        return (*shape[:-1], shape[-1] // pe, pe)

    def get_input_datatype(self, ind: int = 0) -> Any:
        """Return the type of one channel."""
        return DataType[self.get_nodeattr("dataType")]

    def get_output_datatype(self, ind: int = 0) -> Any:
        """Return the type of one channel."""
        return self.get_input_datatype()

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return int(self.get_nodeattr("PE"))

    def get_outstream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return self.get_instream_width()

    def get_exp_cycles(self) -> int:
        """Return the words of an input frame: one comes a cycle."""
        return int(np.prod(self.get_folded_input_shape()[:-1]))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Hand the type of the input on to the output."""
        datatype = model.get_tensor_datatype(self.onnx_node.input[0])
        self.set_nodeattr("dataType", datatype.name)
        model.set_tensor_datatype(self.onnx_node.output[0], datatype)

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Take the largest value of each window, of any number of images."""
        feature_map = context[self.onnx_node.input[0]]
        images, rows, columns, channels = feature_map.shape
        size = self.get_nodeattr("Size")
        windows = feature_map.reshape(images, rows // size, size, columns // size, size, channels)
        context[self.onnx_node.output[0]] = windows.max(axis=(2, 4))


class BinaryMaxPool_rtl(BinaryMaxPool, SpinflowRTL):
    """The max-pool in hardware: the module `bin_maxpool`."""

    title = "max-pool"
    rtl_module = "bin_maxpool"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**BinaryMaxPool.get_nodeattr_types(self), **SpinflowRTL.get_nodeattr_types(self)}

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute in Python."""
        BinaryMaxPool.execute_node(self, context, graph)

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the max-pool."""
        rows, columns = self.get_nodeattr("ImgDim")
        pe = self.get_nodeattr("PE")
        parameters = {
            "Rows": rows,
            "Columns": columns,
            "Folds": self.get_nodeattr("NumChannels") // pe,
            "Pe": pe,
            "Size": self.get_nodeattr("Size"),
        }
        return sv_instance(self.rtl_module, place.name, parameters, stream_ports(place))


class MRAMBuffer(HWCustomOp):
    """A feature map kept in MRAM on its way to the next layer; without errors the identity.

    It stands right after the layer that makes the feature map, before any width converter.
    """

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes: Depth in words of PE bits, Lanes draws every Interval."""
        return {
            **super().get_nodeattr_types(),
            "NumChannels": ("i", True, 0),
            "PE": ("i", True, 0),
            "Depth": ("i", False, 0),
            "Lanes": ("i", False, 1),
            "Interval": ("i", False, 1),
            "RunAhead": ("i", False, RUN_AHEAD),
            "dataType": ("s", True, ""),
            "numInputVectors": ("ints", False, [1]),
        }

    def get_normal_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the feature map's shape, channels last."""
        return (*self.get_nodeattr("numInputVectors"), self.get_nodeattr("NumChannels"))

    def get_normal_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape of the input."""
        return self.get_normal_input_shape()

    def get_folded_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the shape in words of PE channels."""
        pe = self.get_nodeattr("PE")
        return (
            *self.get_nodeattr("numInputVectors"),
            self.get_nodeattr("NumChannels") // pe,
            pe,
        )

    def get_folded_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return the folded shape of the input."""
        return self.get_folded_input_shape()

    def get_input_datatype(self, ind: int = 0) -> Any:
        """Return the type of one channel."""
        return DataType[self.get_nodeattr("dataType")]

    def get_output_datatype(self, ind: int = 0) -> Any:
        """Return the type of one channel."""
        return self.get_input_datatype()

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return int(self.get_input_datatype().bitwidth() * self.get_nodeattr("PE"))

    def get_outstream_width(self, ind: int = 0) -> int:
        """Return the bits of a word."""
        return self.get_instream_width()

    def get_exp_cycles(self) -> int:
        """Return the words of a frame: one passes a cycle."""
        return int(np.prod(self.get_folded_output_shape()[:-1]))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """Hand the type of the input on to the output."""
        datatype = model.get_tensor_datatype(self.onnx_node.input[0])
        self.set_nodeattr("dataType", datatype.name)
        model.set_tensor_datatype(self.onnx_node.output[0], datatype)

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Pass the feature map on."""
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]]


class MRAMBuffer_rtl(MRAMBuffer, SpinflowRTL):
    """The buffer in hardware: the module `buffer_mem`."""

    title = "feature map in MRAM"
    rtl_module = "buffer_mem"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of the layer and of its backend."""
        return {**MRAMBuffer.get_nodeattr_types(self), **SpinflowRTL.get_nodeattr_types(self)}

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Pass the feature map on."""
        MRAMBuffer.execute_node(self, context, graph)

    def instance(self, model: ModelWrapper, place: Place) -> str:
        """Return the buffer with its configuration and its counters."""
        parameters = {
            "Width": self.get_instream_width(),
            "Depth": self.get_nodeattr("Depth"),
            "Lanes": self.get_nodeattr("Lanes"),
            "Interval": self.get_nodeattr("Interval"),
            "RunAhead": self.get_nodeattr("RunAhead"),
            "WithErrors": "WithErrors",
        }
        ports = stream_ports(place) | {
            "cfg_i": f"buffer_cfg[{place.memory}]",
            "restart_i": f"buffer_restart[{place.memory}]",
            "count_o": f"buffer_count[{place.memory}]",
            "stall_o": f"buffer_stall[{place.memory}]",
        }
        return sv_instance(self.rtl_module, place.name, parameters, ports)


def register() -> None:
    """Make FINN find these ops and choose the RTL one for every binary matrix."""
    for op in (MRAMBuffer, BinaryMaxPool, ConvolutionInputGenerator):
        abstract_ops.custom_op[op.__name__] = op
        add_op_to_domain(ABSTRACT_DOMAIN, op)
    for op in (
        MVAU_rtl,
        Thresholding_rtl,
        LabelSelect_rtl,
        StreamingDataWidthConverter_rtl,
        ConvolutionInputGenerator_rtl,
        FMPadding_rtl,
        BinaryMaxPool_rtl,
        MRAMBuffer_rtl,
    ):
        rtl_ops.custom_op[op.__name__] = op
        add_op_to_domain(RTL_DOMAIN, op)
    specialize_layers._determine_impl_style = _implementation_style


_finn_implementation_style = specialize_layers._determine_impl_style


def _implementation_style(node: Any, fpgapart: str, model: ModelWrapper) -> str:
    if node.op_type == "MVAU":
        op = getCustomOp(node)
        if op.get_nodeattr("binaryXnorMode") or takes_pixels(op):
            return "rtl"
    style: str = _finn_implementation_style(node, fpgapart, model)
    return style


def wrap(items: list[str], indent: str = "    ", columns: int = 100) -> str:
    """Join items with commas in lines of limited length."""
    lines, line = [], indent
    for item in [*(f"{item}," for item in items[:-1]), items[-1]]:
        if len(line) + len(item) > columns and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += f"{item} "
    return "\n".join([*lines, line.rstrip()])


register()
