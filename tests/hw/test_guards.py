"""Guards of the RTL: parameters that do not fit are refused when a design is elaborated.

A guard is an ``$error`` outside of an assertion. The list below has a bad design for each; which
guards there are is read off the sources.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from spinflow.host.core.sources import REPOSITORY
from spinflow.sim.verilate import GUARDED, reason_of, verilator
from tests.hw import runner
from tests.hw.catalogue import words
from tests.hw.runner import Parameter

BAD: list[tuple[str, Mapping[str, Parameter], str]] = [
    ("accel_shell", {"NumWeights": 0},
     "accel_shell: 0 weight memories and 2 buffers, at least one of each is needed"),
    ("accel_shell", {"NumBuffers": 0},
     "accel_shell: 3 weight memories and 0 buffers, at least one of each is needed"),
    ("core_reset", {"NumResets": 9}, "core_reset: 9 copies of the reset, there are 1 to 8"),
    ("bin_maxpool", {"Rows": 1},
     "bin_maxpool: Size 2 must be at least 2 and fit into the map of 1 x 28"),
    ("bin_maxpool", {"Size": 1},
     "bin_maxpool: Size 1 must be at least 2 and fit into the map of 28 x 28"),
    ("binary_mvu", {"Mw": 10, "Simd": 4},
     "binary_mvu: Simd 4 must divide Mw 10 and Pe 1 must divide Mh 64"),
    ("binary_mvu", {"Mh": 10, "Pe": 4},
     "binary_mvu: Simd 64 must divide Mw 64 and Pe 4 must divide Mh 10"),
    ("binary_mvu", {"InBits": 2}, "binary_mvu: InBits 2 must be 1 or 8"),
    ("binary_mvu", {"OutBits": 2}, "binary_mvu: OutBits 2 must be 1 with thresholds"),
    ("binary_mvu", {"Window": "160'h1", "InBits": 8},
     "binary_mvu: with a Window the inputs are bits, and outputs have thresholds"),
    ("window_padding", {"Mw": 10}, "window_padding: Mw 10 is not a whole number of pixels"),
    ("window_words", {"StrideColumns": 3},
     "window_words: windows of 3 x 3, steps of 1 x 3: no cover of 5 x 5"),
    ("window_at_once", {"KernelRows": 1, "KernelColumns": 1},
     "window_at_once: windows of 1 x 1, steps of 1 x 1: no cover of 5 x 5"),
    ("window_at_once", {"StrideRows": 3},
     "window_at_once: windows of 3 x 3, steps of 3 x 1: no cover of 5 x 5"),
    ("buffer_mem", {"Depth": 1}, "buffer_mem: Depth 1 is below 2"),
    ("buffer_mem", {"Width": 256},
     "buffer_mem: Width 256 is above 255, what a counter increment can hold"),
    ("coded_weights", {"Data": 2048, "Word": 8},
     "coded_weights: 256 code words are above 255, what a counter increment can hold"),
    ("secded_decode", {"Columns": "40'hB557C9BB26"},
     "secded_decode: Columns must differ and have 3 ones or more, an odd number"),
    ("class_scores", {"Pe": 3}, "class_scores: Pe 3 must divide Labels 10"),
    ("class_scores", {"Shift": 3}, "class_scores: ScoreBits 9 is below the bits of gains 0, "
     "offsets 8 or sums 10"),
    ("error_write", {"Width": 256},
     "error_write: Width 256 is above 255, what a counter increment can hold"),
    ("fold_input", {"Sf": 2, "Wait": 4},
     "fold_input: a frame of 2 words is written over within a wait of 4"),
    ("less_than", {"Width": 7}, "less_than: Width 7 must be even"),
    ("label_select", {"Labels": 10, "Pe": 3},
     "label_select: Pe 3 must divide Labels 10, which must be at most 65536"),
    ("label_select", {"Labels": 65537},
     "label_select: Pe 1 must divide Labels 65537, which must be at most 65536"),
    ("memory_regs", {"NumWeights": 60, "NumBuffers": 5},
     "memory_regs: 65 memories, the register map has room for 64"),
    ("run_ahead", {"RunAhead": 12},
     "run_ahead: RunAhead 12 must be a power of two from 2 to 128"),
    ("run_ahead", {"RunAhead": 256},
     "run_ahead: RunAhead 256 must be a power of two from 2 to 128"),
    ("run_ahead", {"Ports": 8}, "run_ahead: Ports 8 must be from 1 to 7"),
    ("stream_fifo", {"Depth": 12}, "stream_fifo: Depth 12 is not a power of two of at least 2"),
    ("stream_fifo", {"Depth": 1}, "stream_fifo: Depth 1 is not a power of two of at least 2"),
    ("stream_narrow", {"Ratio": 1}, "stream_narrow: Ratio 1 is below 2"),
    ("stream_pad", {"Rows": 0}, "stream_pad: a map of 0 x 4 pixels of 1 words is empty"),
    ("frame_trim", {"OutBits": 24},
     "frame_trim: 5 words of 24 bits: at least 1, and 2 or more must fill 32 bits"),
    ("stream_crop", {"OutRows": 5, "OutColumns": 5},
     "stream_crop: 5 x 5 of a map of 5 x 5 is not a part of it"),
    ("stream_crop", {"OutRows": 6}, "stream_crop: 6 x 4 of a map of 5 x 5 is not a part of it"),
    ("frame_trim", {"Words": 0},
     "frame_trim: 0 words of 8 bits: at least 1, and 2 or more must fill 32 bits"),
    ("stream_widen", {"Ratio": 1}, "stream_widen: Ratio 1 is below 2"),
    ("weight_decode", {"NumWeights": 1, "Width": words([32]), "Depth": words([4]),
                       "Base": words([0x2008]), "Stride": words([4])},
     "weight_decode: Base 2008 of memory 0 is not a multiple of its window's size 10"),
    ("weight_mem", {"Depth": 65537}, "weight_mem: Depth 65537 is above 65536"),
    ("weight_mem", {"Width": 18433}, "weight_mem: Width 18433 is above 18432"),
]  # fmt: skip
"""A module, parameters that it refuses, and what it says of them; of others it takes defaults."""

ERROR = re.compile(r'(\belse\s+)?\$error\(\s*"((?:[^"\\]|\\.)*)"')
"""An $error: whether it is an assertion's, and what it says."""


def guards(source: str) -> list[str]:
    """What the guards of a module say, as they are written."""
    return [text for otherwise, text in ERROR.findall(source) if not otherwise]


def said_by(guard: str, message: str) -> bool:
    """Whether a guard says this: each of its places for a number holds one."""
    parts = re.split(r"%0[dh]", guard)
    return re.fullmatch(r"-?[0-9a-f]+".join(map(re.escape, parts)), message) is not None


def elaborated(top: str, parameters: Mapping[str, Parameter]) -> subprocess.CompletedProcess[str]:
    """What Verilator says with the warnings that every build of ours lets pass."""
    command = [
        *[str(verilator()), "--lint-only", *GUARDED, "--top-module", top],
        *(f"-G{name}={value}" for name, value in parameters.items()),
        *map(str, runner.sources()),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("top", "parameters", "message"), BAD, ids=[f"{bad[0]}: {bad[2][:40]}" for bad in BAD]
)
def test_bad_parameters(top: str, parameters: Mapping[str, Parameter], message: str) -> None:
    """Elaboration stops with exactly the module's own message, which people then see."""
    result = elaborated(top, parameters)
    assert result.returncode != 0
    said = re.findall(r"^%Error-USERERROR: \S+: (.*)$", result.stderr, re.MULTILINE)
    assert set(said) == {message}, result.stderr
    assert reason_of(result.stderr) == f"the RTL refuses this design: {message}"


def test_good_parameters() -> None:
    """The same way of asking accepts what is right."""
    result = elaborated("binary_mvu", {"Mw": 12, "Simd": 4, "Mh": 10, "Pe": 5})
    assert result.returncode == 0, result.stderr


def test_every_guard_has_its_bad_design() -> None:
    """A new guard is found in the sources, and a line of the list belongs to a guard."""
    known = [
        (path.stem, guard)
        for path in sorted(runner.RTL.glob("*.sv"))
        for guard in guards(path.read_text(encoding="utf-8"))
    ]
    assert len(known) >= 21
    messages = [message for _, _, message in BAD]
    untested = [guard for _, guard in known if not any(said_by(guard, m) for m in messages)]
    assert not untested
    for message in messages:
        assert any(said_by(guard, message) for _, guard in known), message
    assert all(guard.startswith(f"{module}: ") for module, guard in known)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('if (A < 1) begin : gen_bad\n  $error("m: A %0d is below 1",\n  A);\nend', 1),
        ('assert property (@(posedge clk_i) ok)\n  else $error("m: not ok");', 0),
        ('a else $error("m: a");\nif (B) $error("m: b");', 1),
    ],
)
def test_a_guard_is_no_assertion(source: str, found: int) -> None:
    """What the list of guards is read from."""
    assert len(guards(source)) == found


def test_one_place_says_what_verilator_lets_pass() -> None:
    """No other file has a flag that would make guards mere warnings."""
    flag = "-Wno-" + "fatal"
    files = [path for room in ("hls", "hw", "sim", "tests", "tools", "host") for path in
             sorted((REPOSITORY / room).rglob("*.py"))]  # fmt: skip
    with_flag = [path for path in files if flag in path.read_text(encoding="utf-8")]
    assert with_flag == [Path(REPOSITORY / "sim" / "verilate.py")]
