"""Every block bench with the parameters that it runs with."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.hw import coded, runner


@dataclass(frozen=True)
class Case:
    """A bench on one set of parameters; its module has the bench's name."""

    bench: str
    parameters: Mapping[str, runner.Parameter] = field(default_factory=dict)
    # At the start; not for a module whose assertions no reset holds back, or that has none.
    noise: bool = True

    @property
    def name(self) -> str:
        """The bench and its short parameters, as a word."""
        values = {k: v for k, v in self.parameters.items() if isinstance(v, int)}
        return "-".join([self.bench, *(f"{k}{v}" for k, v in values.items())])

    def environment(self) -> dict[str, str]:
        """The parameters as variables, from which the bench takes them."""
        # Verilog's hexadecimal constants as Python reads them.
        values = {k: re.sub(r"^\d+'h", "0x", str(v)) for k, v in self.parameters.items()}
        return {f"BENCH_{k}": v for k, v in values.items()}

    def build(self, rtl: Path = runner.RTL, flags: Sequence[str] = runner.VERILATOR_FLAGS) -> Path:
        """Compiles the module from the RTL in a folder and returns the folder that it is in."""
        files = needed(self.bench, runner.sources(rtl))
        return runner.build(self.name, self.bench, self.parameters, files, flags)

    def run(
        self,
        rtl: Path = runner.RTL,
        flags: Sequence[str] = runner.VERILATOR_FLAGS,
        extra_env: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """Builds the module from the RTL in a folder and runs its bench.

        Args:
            rtl: the folder.
            flags: for Verilator.
            extra_env: more variables for the bench.
            arguments: for the simulation.
        """
        environment = self.environment() | dict(extra_env or {})
        runner.run(self.build(rtl, flags), self.bench, f"tests.hw.benches.{self.bench}",
                   noise=self.noise, extra_env=environment, arguments=arguments)  # fmt: skip


def needed(top: str, files: list[Path]) -> list[Path]:
    """Of these files the modules that `top` is made of and their packages, in their order."""
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    by_name = {file.stem: file for file in files}
    wanted: set[Path] = set()
    todo = [by_name[top]]
    while todo:
        file = todo.pop()
        if file in wanted:
            continue
        wanted.add(file)
        instances = re.findall(r"^\s*(\w+)\s+(?:#\(|u_\w+\s*\()", texts[file], re.MULTILINE)
        packages = re.findall(r"\b\w+_pkg\b", texts[file])
        todo += [by_name[name] for name in (*instances, *packages) if name in by_name]
    return [file for file in files if file in wanted]


def mvu(mw: int, mh: int, pe: int, simd: int, *, threshold: bool, in_bits: int = 1) -> Case:
    """A matrix-vector unit; its thresholds reach from never to always."""
    rng = random.Random(f"{mw} {mh}")
    least, most = (0, mw) if in_bits == 1 else (-255 * mw, 255 * mw)
    width = (most + 1).bit_length() + (in_bits > 1)
    limits = [
        rng.choice([least, most + 1, (least + most) // 2, rng.randint(least, most + 1)])
        for _ in range(mh)
    ]
    mask = (1 << width) - 1
    packed = sum((limit & mask) << n * width for n, limit in enumerate(limits)) if threshold else 0
    return Case("binary_mvu", {
        "Mw": mw, "Mh": mh, "Pe": pe, "Simd": simd, "InBits": in_bits,
        "HasThreshold": int(threshold),
        "OutBits": 1 if threshold else most.bit_length() + (in_bits > 1),
        "Thresholds": f"{mh * width}'h{packed:x}",
    })  # fmt: skip


def shell(with_errors: int) -> Case:
    """A shell around two weight memories and two buffers."""
    parameters: dict[str, runner.Parameter] = {
        "AddrWidth": 16,
        "NumWeights": 2,
        "NumBuffers": 2,
        "BuildId": "32'hCAFE1234",
        "InBeats": 3,
        "NumResets": 3,
        "Layer": words([0, 1, 0, 3]),
        **windows([40, 5], [6, 9]),
        "Width": words([40, 5, 60, 2]),
        "Depth": words([6, 9, 7, 4]),
    }
    return Case("accel_shell", parameters | ({} if with_errors else {"WithErrors": 0}))


def padded_mvu(
    channels: int,
    mh: int,
    pe: int,
    simd: int,
    *,
    size: tuple[int, int],
    kernel: tuple[int, int] = (3, 3),
    padding: tuple[int, int, int, int] = (1, 1, 1, 1),
    stride: tuple[int, int] = (1, 1),
) -> Case:
    """A matrix-vector unit that leaves out zero padding, of a map of `size` (rows, columns)."""
    mw = kernel[0] * kernel[1] * channels
    width = (2 * mw + 1).bit_length()
    rng = random.Random(f"{mw} {mh}")
    # On the sum and Mw; most of them where random sums are.
    limits = [
        rng.choice([0, 2 * mw + 1, mw, mw + rng.randint(-4, 5), mw + rng.randint(-4, 5)])
        for _ in range(mh)
    ]
    rows, columns = (
        (size[axis] + padding[axis] + padding[axis + 2] - kernel[axis]) // stride[axis] + 1
        for axis in (0, 1)
    )
    window = 0
    for number in (*size, *padding[:2], *kernel, *stride, rows, columns):
        window = window << 16 | number
    return Case("binary_mvu", {
        "Mw": mw, "Mh": mh, "Pe": pe, "Simd": simd, "InBits": 1, "HasThreshold": 1, "OutBits": 1,
        "Thresholds": f"{mh * width}'h{sum(n << i * width for i, n in enumerate(limits)):x}",
        "Window": f"160'h{window:040x}",
    })  # fmt: skip


def engine(weights: int, memories: int, asks: list[int]) -> Case:
    """A draw engine, and for which memories it is asked."""
    return Case("draw_engine", {
        "NumWeights": weights, "NumMems": memories, "NumAsks": len(asks), "Memory": words(asks),
    }, noise=False)  # fmt: skip


def engines(weights: int, memories: int, asks: list[tuple[int, int]]) -> Case:
    """Several draw engines, and of each port its memory and its engine."""
    parameters = engine(weights, memories, [memory for memory, _ in asks]).parameters
    of_ports = [number for _, number in asks]
    more: dict[str, runner.Parameter] = {"NumEngines": max(of_ports) + 1, "Engine": words(of_ports)}
    return Case("draw_engines", {**parameters, **more}, noise=False)


def buffer(
    width: int, depth: int, run_ahead: int = 16, ports: int = 1, *, with_errors: bool = True
) -> Case:
    """A buffer memory."""
    return Case("buffer_mem", {
        "Width": width, "Depth": depth, "RunAhead": run_ahead, "Ports": ports,
        "WithErrors": int(with_errors),
    }, noise=not with_errors)  # fmt: skip


def code(bench: str, data: int, word: int, **more: runner.Parameter) -> Case:
    """A module that encodes or decodes words."""
    return Case(bench, {**coded.parameters(data, word), **more}, noise=False)


def coded_buffer(data: int, word: int, depth: int, *, with_errors: bool = True) -> Case:
    """A buffer memory of coded words."""
    more = {"Depth": depth, "RunAhead": 16, "Ports": 1, "WithErrors": int(with_errors)}
    return code("coded_buffer", data, word, **more)


def pool(rows: int, columns: int, *, folds: int, pe: int, size: int = 2) -> Case:
    """A max-pool of bits."""
    return Case("bin_maxpool", {
        "Rows": rows, "Columns": columns, "Folds": folds, "Pe": pe, "Size": size,
    })  # fmt: skip


def crop(rows: int, columns: int, kept: tuple[int, int], *, folds: int) -> Case:
    """The part of a map that is kept: rows and columns."""
    return Case("stream_crop", {
        "Rows": rows, "Columns": columns, "OutRows": kept[0], "OutColumns": kept[1],
        "Folds": folds, "Bits": 8,
    })  # fmt: skip


def padding(rows: int, columns: int, folds: int, sides: list[int]) -> Case:
    """The padding of a map: top, left, bottom, right."""
    top, left, bottom, right = sides
    return Case("stream_pad", {
        "Rows": rows, "Columns": columns, "Folds": folds, "Bits": 8,
        "Top": top, "Left": left, "Bottom": bottom, "Right": right,
    })  # fmt: skip


def window(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    *,
    bits: int,
    folds: int | None = None,
    block: bool = False,
) -> Case:
    """A sliding window: word by word with its folds, at once without."""
    return Case("window_at_once" if folds is None else "window_words", {
        "Rows": size[0], "Columns": size[1], **({} if folds is None else {"Folds": folds}),
        "Bits": bits, "KernelRows": kernel[0], "KernelColumns": kernel[1],
        "StrideRows": stride[0], "StrideColumns": stride[1], "BlockRam": int(block),
    })  # fmt: skip


def drawn_windows(count: int) -> list[Case]:
    """Some windows of any kind, every other one at once."""
    rng = random.Random("windows")
    cases: list[Case] = []
    while len(cases) < count:
        kernel, stride, out = ((rng.randint(1, 4), rng.randint(1, 4)) for _ in range(3))
        size = tuple((o - 1) * s + k for o, s, k in zip(out, stride, kernel, strict=True))
        folds = None if len(cases) % 2 else rng.randint(1, 4)
        if folds is None and kernel == (1, 1):
            continue
        block = rng.random() < 0.3
        bits = rng.randint(1, 20)
        cases.append(
            window((size[0], size[1]), kernel, stride, bits=bits, folds=folds, block=block)
        )
    return cases


def scores(labels: int, pe: int, in_bits: int, gain_bits: int, offset_bits: int) -> Case:
    """Scores with random gains and offsets; gains of 1, 2 or 4 if they have 0 bits."""
    rng = random.Random(f"scores {labels} {pe} {gain_bits}")
    shift = 0 if gain_bits else labels % 4
    gains = [rng.randrange(1, 1 << gain_bits) if gain_bits else 1 << shift for _ in range(labels)]
    offsets = [rng.getrandbits(offset_bits) for _ in range(labels)]
    most = (1 << in_bits) - 1
    packed = sum(gain << n * gain_bits for n, gain in enumerate(gains)) if gain_bits else 0
    largest = max(g * most + o for g, o in zip(gains, offsets, strict=True))
    return Case("class_scores", {
        "Labels": labels, "Pe": pe, "InBits": in_bits, "ScoreBits": largest.bit_length(),
        "GainBits": gain_bits, "Shift": shift, "Gains": f"{labels * max(gain_bits, 1)}'h{packed:x}",
        "OffsetBits": offset_bits, "Offsets": f"{labels * offset_bits}'h"
        f"{sum(offset << n * offset_bits for n, offset in enumerate(offsets)):x}",
    })  # fmt: skip


def words(values: list[int]) -> str:
    """A packed array of 32-bit numbers, the first one lowest."""
    return f"{32 * len(values)}'h{sum(v << 32 * i for i, v in enumerate(values)):x}"


def windows(widths: list[int], depths: list[int]) -> dict[str, runner.Parameter]:
    """The parameters that describe the weight memories."""
    strides = [4 << (-(-width // 32) - 1).bit_length() for width in widths]
    bases = [0x2000 + 0x1000 * i for i in range(len(widths))]
    return {"Width": words(widths), "Depth": words(depths),
            "Base": words(bases), "Stride": words(strides)}  # fmt: skip


CASES = [
    Case("draw_pipe", noise=False),
    engine(1, 2, [1]),
    engine(3, 5, [4, 3]),
    engine(9, 17, [16, 9, 11, 10, 15]),
    engines(3, 5, [(3, 0), (4, 0), (4, 1)]),
    engines(2, 4, [(2, 0), (3, 2), (2, 1), (2, 2)]),
    Case("stream_fifo", {"Width": 9, "Depth": 8}),
    Case("stream_fifo", {"Width": 1, "Depth": 2}),
    *(
        Case("run_ahead", {"Width": width, "RunAhead": slots, "Ports": ports}, noise=False)
        for width, slots, ports in [
            *[(1, 4, 1), (2, 32, 1), (4, 16, 1), (8, 8, 1), (3, 32, 1), (6, 16, 1), (24, 8, 1)],
            *[(20, 64, 1), (8, 16, 2), (16, 16, 2), (4, 8, 3), (5, 8, 2)],
        ]
    ),
    *(Case("error_write", {"Width": width}) for width in [1, 32, 255]),
    *(
        buffer(width, depth)
        for width, depth in [
            (1, 3),
            (2, 32),
            (8, 7),
            (6, 5),
            (13, 6),
            (4, 40),
            (3, 5),
            (16, 9),
            (1, 2),
            (12, 6),
        ]
    ),
    buffer(4, 10, 64),
    buffer(8, 20, ports=2),
    buffer(5, 11, with_errors=False),
    *(code("secded_encode", *sizes) for sizes in [(8, 8), (11, 4), (70, 35)]),
    *(code("secded_decode", *sizes) for sizes in [(1, 1), (12, 8), (32, 32), (64, 64), (50, 17)]),
    code("coded_weights", 20, 8),
    code("coded_weights", 64, 64),
    coded_buffer(3, 3, 7),
    coded_buffer(20, 10, 5),
    coded_buffer(8, 8, 6, with_errors=False),
    Case("code_counters", {"NumMems": 3, "Codes": words([4, 0, 1])}),
    Case("code_counters", {"NumMems": 2, "Codes": words([0, 0])}),
    *(
        Case("bin_threshold", {"Pe": pe, "InBits": bits, "Threshold": f"{bits + 1}'h{threshold:x}"})
        for pe, bits, threshold in [(4, 8, 128), (1, 8, 256), (3, 5, 1)]
    ),
    *(
        Case("label_select", {"Labels": labels, "Pe": pe, "InBits": bits})
        for labels, pe, bits in [
            *[(10, 1, 7), (10, 5, 11), (256, 2, 4), (10, 10, 7)],
            *[(2, 1, 3), (15, 3, 6), (1000, 125, 12), (1000, 1, 4)],
        ]
    ),
    scores(2, 1, 3, 4, 2),
    scores(10, 1, 7, 6, 9),  # a long table
    scores(15, 5, 11, 3, 12),
    scores(21, 7, 4, 0, 6),
    scores(9, 9, 5, 1, 1),  # a single word, gains of 1
    scores(1000, 125, 12, 10, 14),
    scores(300, 1, 6, 0, 9),
    *(
        Case("stream_widen", {"InBits": bits, "Ratio": ratio})
        for bits, ratio in [(1, 2), (3, 5), (8, 4), (2, 64)]
    ),
    *(
        Case("frame_trim", {"OutBits": bits, "Words": words})
        for bits, words in [(8, 5), (8, 593), (16, 7), (8, 3), (16, 1)]
    ),
    *(
        Case("byte_table", {"Pe": pe, "Codes": f"2048'h{random.Random(pe).getrandbits(2048):x}"})
        for pe in [1, 4]
    ),
    crop(5, 7, (4, 6), folds=2),
    crop(4, 5, (4, 3), folds=1),
    crop(3, 2, (1, 2), folds=1),
    padding(4, 3, 1, [1, 1, 1, 1]),
    padding(3, 4, 2, [2, 0, 0, 3]),
    padding(1, 1, 1, [0, 1, 0, 0]),
    *(
        Case("stream_narrow", {"OutBits": bits, "Ratio": ratio})
        for bits, ratio in [(3, 5), (8, 4), (24, 2)]
    ),
    *(Case("xnor_popcount", {"Width": width}) for width in [1, 49, 64, 200]),
    *(Case("popcount_tree", {"Width": width}) for width in [1, 3, 22, 36, 49, 64, 200, 1024]),
    mvu(16, 4, 1, 4, threshold=True),
    mvu(24, 6, 2, 8, threshold=True),
    mvu(16, 8, 2, 16, threshold=True),  # Sf = 1
    mvu(20, 3, 3, 5, threshold=True),  # Nf = 1
    mvu(7, 2, 2, 7, threshold=True),  # both
    mvu(16, 10, 1, 8, threshold=False),
    mvu(140, 6, 3, 70, threshold=False),  # wide words
    mvu(24, 20, 2, 8, threshold=True),  # a long ROM of thresholds
    mvu(8, 256, 1, 8, threshold=True),  # one in block RAM, a row a cycle
    mvu(260, 2, 1, 130, threshold=True),  # a popcount of three stages
    mvu(27, 8, 4, 3, threshold=True, in_bits=8),
    mvu(25, 4, 4, 5, threshold=True, in_bits=8),  # Nf = 1
    mvu(27, 6, 3, 27, threshold=True, in_bits=8),  # Sf = 1, three levels of groups
    mvu(8, 18, 2, 1, threshold=True, in_bits=8),  # single pixels, a long ROM
    mvu(4, 1, 1, 4, threshold=True, in_bits=8),  # one output
    mvu(14, 4, 2, 7, threshold=False, in_bits=8),
    padded_mvu(4, 6, 2, 4, size=(3, 4)),  # a fold is a pixel
    # A fold is a part of a pixel.
    padded_mvu(6, 4, 1, 2, size=(2, 3), kernel=(2, 3), padding=(1, 2, 1, 0)),
    padded_mvu(5, 4, 2, 15, size=(4, 3)),  # a fold is a row of the window
    # Parts of two pixels, Nf = 1.
    padded_mvu(4, 2, 2, 6, size=(3, 3), padding=(2, 0, 1, 2), stride=(1, 2)),
    # Sf = 1, a long ROM.
    padded_mvu(3, 20, 2, 27, size=(5, 4), padding=(1, 1, 0, 0), stride=(2, 2)),
    # Single inputs.
    padded_mvu(7, 3, 3, 1, size=(2, 2), kernel=(1, 2), padding=(0, 1, 0, 1)),
    padded_mvu(32, 2, 1, 144, size=(3, 3)),  # a popcount of three stages
    # Sf = Nf = 1.
    padded_mvu(2, 4, 4, 50, size=(3, 6), kernel=(5, 5), padding=(2, 2, 2, 2)),
    pool(4, 6, folds=2, pe=8),
    pool(5, 7, folds=3, pe=3),
    pool(2, 2, folds=1, pe=1),
    pool(3, 5, folds=1, pe=12),
    pool(7, 8, folds=2, pe=4, size=3),
    pool(4, 4, folds=4, pe=1, size=4),
    *(
        Case("weight_mem", {"Width": width, "Depth": depth}, noise=False)
        for width, depth in [(5, 7), (40, 12), (64, 1), (100, 70), (144, 65), (650, 3)]
    ),
    Case("block_ram", {"Width": 9, "Depth": 70}, noise=False),
    Case("block_ram", {"Width": 36, "Depth": 1200}, noise=False),  # in two parts
    Case("block_ram", {"Width": 3, "Depth": 5, "HasInit": 1, "Init": "15'h5AC3"}, noise=False),
    window((5, 5), (3, 3), bits=16, folds=2),
    window((3, 3), (3, 3), bits=4, folds=4),  # one window
    window((4, 9), (2, 5), (2, 1), bits=8, folds=1),
    window((8, 8), (2, 2), (3, 3), bits=5, folds=1),  # a step beyond the kernel
    window((7, 7), (1, 1), (2, 2), bits=3, folds=2),  # single pixels
    window((1, 14), (1, 2), (1, 3), bits=8, folds=1),
    window((12, 1), (3, 1), bits=8, folds=3),
    window((11, 11), (5, 5), (3, 3), bits=2, folds=1),
    window((6, 8), (2, 2), (2, 2), bits=12, folds=3),
    window((9, 7), (3, 3), (2, 2), bits=8, folds=2),
    window((13, 5), (1, 2), (4, 3), bits=8, folds=2),
    window((4, 70), (3, 3), bits=6, folds=1),  # a depth that is no power of two
    window((5, 9), (3, 3), bits=8, folds=1, block=True),
    window((6, 5), (3, 3), (3, 2), bits=9, folds=3, block=True),
    window((5, 5), (3, 3), bits=8),
    window((6, 9), (2, 5), (2, 1), bits=3),
    window((8, 8), (2, 2), (3, 3), bits=5),
    window((5, 1), (3, 1), bits=8),
    window((1, 9), (1, 3), (1, 2), bits=8),
    window((7, 3), (3, 3), (2, 1), bits=4),  # a kernel as wide as the map
    # One row, and one column, with a stride that leads out of it.
    window((1, 8), (1, 2), (2, 3), bits=8),
    window((8, 1), (2, 1), (3, 2), bits=8),
    window((1, 8), (1, 2), (2, 3), bits=8, folds=1),
    window((8, 1), (2, 1), (3, 2), bits=8, folds=1),
    window((6, 12), (3, 3), bits=8, block=True),
    window((5, 8), (3, 4), bits=8, block=True),  # the shortest line in block RAM
    *drawn_windows(8),
    Case("weight_port", {"AddrWidth": 16, "NumWeights": 2, **windows([40, 5], [6, 9])}),
    Case("weight_port", {"AddrWidth": 16, "NumWeights": 3, **windows([96, 32, 1], [3, 4, 5])}),
    Case(
        "weight_port",
        {"AddrWidth": 16, "NumWeights": 4, **windows([288, 144, 1, 203], [5, 3, 2, 8])},
    ),
    Case(
        "weight_port",
        {
            "AddrWidth": 20,
            "NumWeights": 2,
            "Width": words([3, 40]),
            "Depth": words([65536, 300]),
            "Base": words([0x40000, 0x2000]),
            "Stride": words([4, 8]),
        },
    ),
    Case("axil_slave", {"AddrWidth": 10}),
    Case("counter_bank", {"NumWeights": 3, "NumBuffers": 2, "BufferWidth": words([32, 3])}),
    Case("counter_bank", {"NumWeights": 1, "NumBuffers": 1, "BufferWidth": words([255])}),
    Case("counter_bank", {"NumWeights": 5, "NumBuffers": 3, "BufferWidth": words([1, 8, 2])}),
    Case(
        "memory_regs",
        {
            "NumWeights": 3,
            "NumBuffers": 2,
            "Layer": words([0, 1, 255, 0, 129]),
            "Width": words([40, 64, 70000, 2, 3]),
            "Depth": words([512, 6, 70000, 512, 9]),
        },
    ),
    # As many memories as the register map has room for.
    Case(
        "memory_regs",
        {
            "NumWeights": 33,
            "NumBuffers": 31,
            "Layer": words([*range(33), *range(31)]),
            "Width": words([5 * n + 1 for n in range(64)]),
            "Depth": words([3 * n + 2 for n in range(64)]),
        },
    ),
    Case("event_total"),
    Case("frame_times", {"Width": 7, "OpenWidth": 6}),
    Case("frame_times", {"Width": 10, "OpenWidth": 8}),
    Case("frame_io", {"InBeats": 1}),
    Case("frame_io", {"InBeats": 5}),
    *(shell(with_errors) for with_errors in (1, 0)),
]
