"""Builds error_loop.cpp around a Verilated drawn_buffer and calls it: some 5e6 draws a second."""

from __future__ import annotations

import ctypes
import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.hw import runner
from tests.hw.catalogue import needed

SOURCE = Path(__file__).with_suffix(".cpp")
WIDTH = 64
PARAMETERS = {"Width": WIDTH, "Depth": 32}
TOP = Path(__file__).with_name("drawn_buffer.sv")
CXX_FLAGS = f"-O3 -march=native -fPIC -DDEPTH={PARAMETERS['Depth']}"


class RawTotals(ctypes.Structure):
    """Totals of error_loop.cpp."""

    _fields_ = [
        ("written", ctypes.c_uint64 * 2),
        ("switched", ctypes.c_uint64 * 2),
        ("errors", ctypes.c_uint64 * 2),
        ("counted_written", ctypes.c_uint64),
        ("counted_switched", ctypes.c_uint64),
        ("counted_errors", ctypes.c_uint64 * 2),
    ]


@dataclass
class Totals:
    """What was seen by target bit (0, 1), and the wrong bits of every word, if asked for."""

    written: list[int]
    switched: list[int]
    errors: list[int]
    words: npt.NDArray[np.uint64]


def write(
    mode: int, rates: tuple[int, int], seed: int, words: int, *, keep: bool = False
) -> Totals:
    """Writes random words of 64 bits; `rates` are the thresholds for a target of 0 and of 1.

    The module's own counters are checked against what was seen at its ports.
    """
    raw = RawTotals()
    wrong = np.zeros(words if keep else 0, np.uint64)
    library().error_loop(
        mode, rates[1], rates[0], seed, ctypes.c_uint64(0x9E37_79B9_7F4A_7C15 ^ seed),
        ctypes.c_uint64(words), ctypes.byref(raw),
        wrong.ctypes.data_as(ctypes.c_void_p) if keep else None,
    )  # fmt: skip
    assert raw.counted_written == sum(raw.written) == WIDTH * words
    assert raw.counted_switched == sum(raw.switched)
    assert list(raw.counted_errors) == list(raw.errors)
    return Totals(list(raw.written), list(raw.switched), list(raw.errors), wrong)


@functools.cache
def library() -> ctypes.CDLL:
    """The shared library, built if need be."""
    files = needed("drawn_buffer", [*runner.sources(), TOP])
    flags = ["--no-assert", CXX_FLAGS]
    name = runner.fingerprint("drawn_buffer", PARAMETERS, [*files, SOURCE], flags)
    folder = runner.BUILDS / f"error_loop-{name}"
    with runner.locked(folder):
        if not (folder / "error_loop.so").exists():
            command = [
                str(runner.verilator()), "--cc", "--exe", "--build", "--no-assert", "-O3",
                "--top-module", "drawn_buffer", "--Mdir", str(folder), "-o", "new.so",
                *(f"-G{key}={value}" for key, value in PARAMETERS.items()),
                "-CFLAGS", CXX_FLAGS, "-LDFLAGS", "-shared",
                "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include", "-MAKEFLAGS", "CFG_GCH_IF_CLANG=",
                "-MAKEFLAGS", "OPT_FAST=-O3",
                str(runner.LINT), *map(str, files), str(SOURCE),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            (folder / "new.so").rename(folder / "error_loop.so")
    return ctypes.CDLL(str(folder / "error_loop.so"))
