"""A binary matrix with its weights and thresholds: the module `binary_mvu`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow.matrixvectoractivation as finn_ops
import finn.custom_op.fpgadataflow.rtl as rtl_ops
import numpy as np
import numpy.typing as npt
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from spinflow.hls.cost import MEMORY_REGISTERS, Cost, block_ram, decoder, lut_ram
from spinflow.hls.ops.base import PIXEL_TYPE, Module, Place, Walk, Where
from spinflow.hls.ops.text import code_parameters, stream_ports, sv_instance, wrap
from spinflow.hls.paths import BuildError
from spinflow.hls.shapes import Folding, LayerShape, Window
from spinflow.hls.zero_padding import ZeroPadding, noted
from spinflow.host.core import description
from spinflow.host.core.description import Block, MemoryInfo
from spinflow.host.core.packing import pack_weights

MAX_PIXEL = 255

# LUTs.
XNOR = 1.05  # one bit of a product with its share of the compressor tree
PIXEL = 7.7  # one pixel times +1 or -1: a third of a choice of four sums, and of an addition
PIXEL_SUMS = 20.0  # its share of the four sums, once for all outputs
ROW = 32.0  # accumulator, comparison and threshold of one output
UNIT = 70.0  # control and output FIFO
WEIGHT_BIT = 0.33  # one bit of a weight word: the host's way in and out, by columns
SHALLOW_WEIGHT_BIT = 0.15  # the same in LUT RAM
PADDING = 15.0  # which places of a window are padded, where bits are padded with 0
PADDED_ROW = 0.5  # leaving out a fold that is padding as a whole, of one output
PADDED_BIT = 0.53  # leaving out a part of a fold, one bit of a product
ROM_BIT = 1.0  # one bit of thresholds, 64 deep

SHALLOW_WORDS = 64
"""A weight memory of at most so many words is LUT RAM."""

COLUMN_BITS, MAIN_BITS = 72, 64
"""Bits of a column of a weight memory, and those of them that are filled first."""

MOST_COLUMNS, MOST_WORDS = 256, 1 << 16
"""Columns of a word and words that `weight_mem` takes."""

MOST_CODE_WORDS = 255
"""Code words of a word that `coded_weights` counts (spinflow_pkg::MaxCountedWidth)."""

ROM_BLOCK_WORDS = 256
"""Thresholds of at least so many words are in block RAM (`row_rom`)."""

ZERO_PADDING: dict[str, Any] = {"zeroPadding": ("ints", False, [])}
"""The attribute of a matrix of bits whose window is padded with 0: the numbers of a
:class:`ZeroPadding`; without them nothing is left out of its sums."""


class MVAU(finn_ops.MVAU):
    """FINN's matrix, and one of bits that leaves padded places out of its sums.

    Of such a one the thresholds are on the sum of +1 and -1, not on the number of agreeing bits.
    """

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of FINN's, and which places are padded."""
        return {**super().get_nodeattr_types(), **ZERO_PADDING}

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Compute as FINN does, or without the padded places."""
        padding = zero_padding(self)
        if padding is None:
            # Not by super: specialised nodes, which are FINN's own by another line, come here, too.
            finn_ops.MVAU.execute_node(self, context, graph)
            return
        source, matrix, limits = (context[name] for name in self.onnx_node.input)
        channels = int(self.get_nodeattr("MW") // np.prod(padding.kernel))
        counted = np.repeat(padding.counted().reshape(*padding.windows, -1), channels, axis=-1)
        signed = (2 * source.reshape(len(source), *counted.shape) - 1) * counted
        bits = np.matmul(signed, 2 * matrix - 1) >= limits[:, 0]
        bipolar = self.get_output_datatype() == DataType["BIPOLAR"]
        values = 2 * bits - 1 if bipolar else bits
        name = self.onnx_node.output[0]
        context[name] = values.astype(np.float32).reshape(context[name].shape)


class MVAU_rtl(Module, rtl_ops.MVAU_rtl):
    """Binary matrix-vector unit with its thresholds.

    Its weights are +1 and -1, its inputs bits (binaryXnorMode) or pixels. FINN knows the node by
    its name, so this class keeps it; other nodes stay FINN's.
    """

    abstract = MVAU
    title = "binary matrix with its weights"
    order = 2
    is_boundary = True
    begins_layer = True
    memory = "weights"
    rtl_module = "binary_mvu"

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the attributes of FINN's, and which places are padded with 0."""
        return {**super().get_nodeattr_types(), **ZERO_PADDING}

    @property
    def is_xnor(self) -> bool:
        """Whether the inputs are bits."""
        return bool(self.get_nodeattr("binaryXnorMode"))

    @property
    def is_ours(self) -> bool:
        """Whether the weights and inputs are ones that `binary_mvu` takes."""
        return self.must_be_rtl(self)

    @classmethod
    def must_be_rtl(cls, op: Any) -> bool:
        """Return whether a matrix is binary."""
        return bool(op.get_nodeattr("binaryXnorMode")) or takes_pixels(op)

    @classmethod
    def check(cls, model: ModelWrapper, node: Any, where: Where) -> None:
        """Refuse a matrix that is not binary, or whose thresholds are not as its place asks."""
        op, name = getCustomOp(node), where.layer
        if not (op.get_nodeattr("binaryXnorMode") or (takes_pixels(op) and where.is_first_layer)):
            weights, inputs = (op.get_nodeattr(f"{of}DataType") for of in ("weight", "input"))
            raise BuildError(
                f"layer {name} has {weights} weights on {inputs} inputs; the hardware takes ones "
                "of ±1 on bits, and in the first layer on pixels: retrain with weight_bit_width=1 "
                "and a sign before each layer"
            )
        if bool(op.get_nodeattr("noActivation")) != where.is_last_layer:
            raise BuildError(
                f"layer {name} ends in a threshold: the last layer must give sums, of which the "
                "largest is the label"
                if where.is_last_layer
                else f"layer {name} has no threshold: every layer but the last must give bits"
            )
        if where.is_last_layer:
            if layer_prefix(op) == "conv":
                raise BuildError(f"layer {name} is the last one, which must be fully connected")
            return
        steps = model.get_tensor_shape(node.input[2])[1]
        if steps != 1:
            raise BuildError(
                f"layer {name} has {steps} thresholds for each output: one is needed, as of a sign"
            )

    @classmethod
    def insert(cls, model: ModelWrapper) -> ModelWrapper:
        """Take up what was noted of convolutions that pad bits with 0."""
        matrices = [node for node in model.graph.node if node.op_type == MVAU.__name__]
        for number, (padding, thresholds) in noted(model).items():
            if thresholds is None:
                raise BuildError(
                    f"the convolution that is weight layer {number} pads bits with 0, but no "
                    "threshold comes right after it: a batch norm and a sign are needed there"
                )
            node = matrices[number]
            op, name = getCustomOp(node), node.input[2]
            mw = op.get_nodeattr("MW")
            counts = np.ceil((np.clip(thresholds, -mw, mw + 2) + mw) / 2)
            if np.any(counts != np.clip(model.get_initializer(name)[:, 0], 0, mw + 1)):
                raise BuildError(f"FINN's thresholds of weight layer {number} are not as noted")
            op.set_nodeattr("zeroPadding", padding.numbers)
            model.set_initializer(name, thresholds.reshape(-1, 1))
            model.set_tensor_datatype(name, DataType["INT32"])
        return model

    def minimize_accumulator_width(self, model: ModelWrapper, datatype_only: bool = False) -> Any:
        """Set the accumulator to a popcount of 0 to MW, or to the sum of MW pixels or signs.

        FINN takes the range of +1/-1 weights on 0/1 inputs, which a popcount can leave; and errors
        in the weights can bring about any sum.
        """
        if not self.is_ours:
            return super().minimize_accumulator_width(model, datatype_only)
        mw = self.get_nodeattr("MW")
        if zero_padding(self) is not None:
            accumulator = DataType[f"INT{mw.bit_length() + 1}"]
        elif self.is_xnor:
            accumulator = DataType[f"UINT{mw.bit_length()}"]
        else:
            accumulator = DataType[f"INT{(MAX_PIXEL * mw).bit_length() + 1}"]
        self.set_nodeattr("accDataType", accumulator.name)
        if self.get_nodeattr("noActivation"):
            self.set_nodeattr("outputDataType", accumulator.name)
        return accumulator

    def extend(self, shape: LayerShape) -> LayerShape:
        """Give the layer its matrix; a kernel of one pixel has no sliding window in FINN."""
        window = shape.window
        if window is None and layer_prefix(self) == "conv":
            _, rows, columns = self.get_nodeattr("numInputVectors")
            window = Window(rows, columns, self.get_nodeattr("MW"), 1, 1)
        return replace(
            shape,
            mw=self.get_nodeattr("MW"),
            mh=self.get_nodeattr("MH"),
            in_bits=self.get_input_datatype().bitwidth(),
            window=window,
            zero_padded=zero_padding(self) is not None,
        )

    @staticmethod
    def cycles(layer: LayerShape, folding: Folding, before: int | None) -> int:
        """Return the cycles that a frame takes in the unit alone."""
        return layer.windows * (layer.mw // folding.simd) * (layer.mh // folding.pe)

    @staticmethod
    def cost(layer: LayerShape, folding: Folding) -> Cost:
        """Return the cost of the unit, its thresholds and its weight memory."""
        pe, simd = folding.pe, folding.simd
        sf = layer.mw // simd
        lut = UNIT + ROW * pe
        most = layer.mw
        if layer.zero_padded and layer.window is not None:
            most *= 2  # sums are counted in halves
            whole = layer.window.channels % simd == 0
            lut += PADDING + (PADDED_ROW if whole else PADDED_BIT * simd) * pe
        if layer.in_bits == 1:
            lut += XNOR * pe * simd
        else:
            lut += PIXEL * pe * simd + PIXEL_SUMS * simd
        ram = 0.0
        if layer.buffered:
            rom = threshold_rom(pe * most.bit_length(), layer.mh // pe)
            lut, ram = lut + rom.lut, rom.ramb36
        if sf > 1:
            lut += lut_ram(simd * layer.in_bits, 2 * sf)
        code = layer.coding.code("weights", pe * simd)
        width = pe * simd if code is None else code.width
        weights = weight_memory(width, sf * (layer.mh // pe))
        lut += weights.lut + MEMORY_REGISTERS + decoder(code)
        return Cost(lut, weights.ramb36 + ram)

    def fold(self, folding: Folding, depth: int | None) -> None:
        """Take over PE and SIMD."""
        self.set_nodeattr("PE", folding.pe)
        self.set_nodeattr("SIMD", folding.simd)

    def name(self, walk: Walk) -> str:
        """Return the layer's name."""
        return walk.layer

    def pass_cycles(self) -> int:
        """Return 0: the folding counts the cycles of a matrix."""
        return 0

    def layer(self, walk: Walk, name: str) -> description.Product:
        """Return the weight layer, with the window that slides before it."""
        rows, columns = ([*self.get_nodeattr("numInputVectors"), 1, 1])[1:3]
        mw, mh = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        window, walk.window = walk.window, None
        if window is None and layer_prefix(self) == "conv":
            window = description.Window((rows, columns, mw), (1, 1), (1, 1), (0, 0, 0, 0))
        if window is not None and (not self.is_xnor or zero_padding(self) is not None):
            window = replace(window, padding_value=0)
        return description.Product(
            name=name,
            mw=mw,
            mh=mh,
            pe=self.get_nodeattr("PE"),
            simd=self.get_nodeattr("SIMD"),
            pixels=not self.is_xnor,
            threshold=not self.get_nodeattr("noActivation"),
            window=window,
            shape=(rows, columns, mh),
            weights=0,
            buffer=None,
        )

    def describe(self, layer: description.Layer) -> str:
        """Return the size of the matrix, and how it is folded."""
        assert isinstance(layer, description.Product)
        bits = "pixels" if layer.pixels else "bits"
        inputs = f"{layer.mw} {bits}"
        if layer.window is not None:
            rows, columns, _ = layer.shape
            height, width = layer.window.kernel
            channels = layer.window.input[2]
            inputs = f"{height} x {width} x {channels} {bits}, {rows} x {columns} times"
        return f"{layer.mh} outputs of {inputs}; PE {layer.pe}, SIMD {layer.simd}"

    def block(self) -> Block:
        """Return the size of the weight memory, and the tensor that it holds."""
        width = self.get_nodeattr("PE") * self.get_nodeattr("SIMD")
        return Block(width, self.calc_wmem(), self.onnx_node.input[1])

    def arrays(self, model: ModelWrapper, number: int) -> dict[str, npt.NDArray[Any]]:
        """Return the thresholds, and the weights in the order of their memory."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        thresholds = self.thresholds(model)
        if thresholds is not None:
            arrays[f"threshold.{number}"] = thresholds
        arrays[f"weights.{number}"] = pack_weights(
            self.weight_matrix(model), self.get_nodeattr("PE"), self.get_nodeattr("SIMD")
        )
        return arrays

    def weight_matrix(self, model: ModelWrapper) -> npt.NDArray[np.uint8]:
        """Return the weights as 0 (-1) and 1 (+1), shape (MW, MH)."""
        matrix = model.get_initializer(self.onnx_node.input[1])
        if self.get_input_datatype(1) == DataType["BIPOLAR"]:
            matrix = (matrix + 1) / 2
        return np.asarray(matrix).astype(np.uint8)

    def thresholds(self, model: ModelWrapper) -> npt.NDArray[np.int32] | None:
        """Return each output's threshold, shape (MH,); None without activation.

        On bits it is in [0, MW+1], with zero padding in [-MW, MW+1]; on pixels it is in
        [-255*MW, 255*MW+1].
        """
        if self.get_nodeattr("noActivation"):
            return None
        mw, mh = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        high = mw if self.is_xnor else MAX_PIXEL * mw
        low = 0 if self.is_xnor and zero_padding(self) is None else -high
        thresholds = np.ceil(model.get_initializer(self.onnx_node.input[2]))
        return np.broadcast_to(np.clip(thresholds[:, 0], low, high + 1), mh).astype(np.int32)

    def declarations(self, place: Place, memory: MemoryInfo | None) -> str:
        """Return the weight memory and its wires."""
        assert memory is not None
        wires = f"{place.name}_mem"
        address_bits = max(1, (memory.depth - 1).bit_length())
        ports = {
            "clk_i": "aclk",
            "rd_en_i": f"{wires}_en",
            "rd_addr_i": f"{wires}_addr",
            "rd_data_o": f"{wires}_{'rdata' if place.code is None else 'coded'}",
            "host_en_i": f"weight_en[{memory.index}]",
            "host_i": "weight_req",
            "host_rdata_o": f"weight_rdata[{memory.index}]",
        }
        parameters = {"Width": memory.width, "Depth": memory.depth}
        padding, window = zero_padding(self), ""
        if padding is not None:
            constant = f"spinflow_pkg::window_t {window_name(place)}"
            window = f"  localparam {constant} = {_window(padding)};\n\n"
        return f"""\
{window}  logic {wires}_en;
  logic [{address_bits - 1}:0] {wires}_addr;
  logic [{memory.data_width - 1}:0] {wires}_rdata;
{_decoder(place, memory)}
{sv_instance("weight_mem", f"{place.name}_weights", parameters, ports)}
"""

    def constants(self, model: ModelWrapper, place: Place) -> str:
        """Return the thresholds as a constant; empty without activation."""
        thresholds = self.thresholds(model)
        if thresholds is None:
            return ""
        mw, mh = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        if zero_padding(self) is not None:
            bits, what = (2 * mw + 1).bit_length(), f"sum + {mw}"
            texts = [f"{bits}'d{value + mw}" for value in thresholds]
        elif self.is_xnor:
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
        if zero_padding(self) is not None:
            parameters["Window"] = window_name(place)
        if place.code is not None:
            parameters["MemLatency"] = "WeightLatency + DecodeLatency"
        ports = stream_ports(place) | {
            "mem_en_o": f"{place.name}_mem_en",
            "mem_addr_o": f"{place.name}_mem_addr",
            "mem_rdata_i": f"{place.name}_mem_rdata",
        }
        return sv_instance(self.rtl_module, place.name, parameters, ports)


def _decoder(place: Place, memory: MemoryInfo) -> str:
    """Return the decoder of a weight memory with its wires; empty where words are not coded."""
    if place.code is None:
        return ""
    wires = f"{place.name}_mem"
    ports = {
        "clk_i": "aclk",
        "rst_ni": place.reset_wire,
        "rd_en_i": f"{wires}_en",
        "coded_i": f"{wires}_coded",
        "data_o": f"{wires}_rdata",
        "count_o": f"code_count[{memory.index}]",
    }
    decoder = sv_instance(
        "coded_weights", f"{place.name}_decoder", code_parameters(place.code), ports
    )
    return f"  logic [{memory.width - 1}:0] {wires}_coded;\n\n{decoder}"


def zero_padding(mvau: Any) -> ZeroPadding | None:
    """Return the window of a matrix that leaves padded places out of its sums; None of others."""
    numbers = mvau.get_nodeattr("zeroPadding")
    return ZeroPadding.of(numbers) if len(numbers) else None


def _window(padding: ZeroPadding) -> str:
    """Return the windows as the `window_t` of `binary_mvu`."""
    fields = {
        "map": padding.size,
        "kernel": padding.kernel,
        "stride": padding.stride,
        "out": padding.windows,
    }
    texts = [f"top: {padding.padding[0]}", f"left: {padding.padding[1]}"]
    for name, (rows, columns) in fields.items():
        texts += [f"{name}_rows: {rows}", f"{name}_columns: {columns}"]
    return f"'{{\n{wrap(texts)}\n  }}"


def takes_pixels(mvau: Any) -> bool:
    """Return whether a matrix has weights +1 and -1 and takes pixels."""
    return bool(
        mvau.get_nodeattr("weightDataType") == "BIPOLAR"
        and mvau.get_nodeattr("inputDataType") == PIXEL_TYPE
    )


def layer_prefix(mvau: Any) -> str:
    """Return what the name of a weight layer begins with: conv or fc."""
    return "conv" if len(mvau.get_nodeattr("numInputVectors")) > 1 else "fc"


def constant_name(place: Place) -> str:
    """Return the name of a layer's thresholds in their package."""
    return f"{place.name.capitalize()}Thresholds"


def window_name(place: Place) -> str:
    """Return the name of a layer's windows in the top module."""
    return f"{place.name.capitalize()}Windows"


def weight_memory(width: int, depth: int) -> Cost:
    """Return the cost of a weight memory."""
    if depth <= SHALLOW_WORDS:
        return Cost(SHALLOW_WEIGHT_BIT * width + lut_ram(width, depth))
    columns = Cost(WEIGHT_BIT * width)
    for column in _columns(width):
        columns += block_ram(column, depth)
    return columns


def _columns(width: int) -> list[int]:
    """Return the bits of each column of a weight memory, as `weight_mem` cuts its words."""
    count = -(-width // COLUMN_BITS)
    main = min(width, MAIN_BITS * count)
    spare = COLUMN_BITS - MAIN_BITS
    return [
        min(main - MAIN_BITS * column, MAIN_BITS)
        + max(0, min(width - main - spare * column, spare))
        for column in range(count)
    ]


def check_weight_memory(memory: MemoryInfo) -> None:
    """Raise BuildError unless `weight_mem`, and `coded_weights` behind it, can hold a memory."""
    most_bits = MOST_COLUMNS * COLUMN_BITS
    if memory.width > most_bits:
        raise BuildError(
            f"{memory.name} has words of {memory.width} bits, a weight memory takes at most "
            f"{most_bits}: more cycles a frame are needed"
        )
    if memory.depth > MOST_WORDS:
        raise BuildError(
            f"{memory.name} has {memory.depth} words, a weight memory takes at most {MOST_WORDS}: "
            "fewer cycles a frame are needed"
        )
    if memory.code is not None and memory.code.words > MOST_CODE_WORDS:
        raise BuildError(
            f"a word of {memory.name} has {memory.code.words} code words, a decoder counts at most "
            f"{MOST_CODE_WORDS}: a larger --ecc-word or more cycles a frame are needed"
        )


def threshold_rom(width: int, depth: int) -> Cost:
    """Return the cost of a unit's thresholds, ``width`` bits for its outputs at once."""
    if depth < ROM_BLOCK_WORDS:
        return Cost(ROM_BIT * width * depth / 64)
    return block_ram(width, depth)
