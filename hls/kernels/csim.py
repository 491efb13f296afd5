"""C simulation of a kernel with g++, as Vitis HLS does it: compile a block with its bench, run it.

The headers ap_int.h and hls_stream.h are AMD's, under the Apache licence, as the package hls4ml
carries them. Nothing of it is imported; where it is installed is all that is asked.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from spinflow.hls.kernels.catalogue import FOLDER, Kernel
from spinflow.hls.kernels.vectors import Parameters, Vectors
from spinflow.hls.paths import BuildError

INPUTS, OUTPUTS, EXPECTED = "inputs.txt", "outputs.txt", "expected.txt"
"""Files of a run, beside `parameters.h`."""

PARAMETERS = "parameters.h"

FLAGS = (
    "-std=c++14",
    "-O1",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
    "-Wno-maybe-uninitialized",
    "-Wno-uninitialized",
)
"""Of the compiler. Pragmas are for Vitis HLS; the headers leave a number without a value as is."""


def headers() -> Path:
    """Return the folder of ap_int.h and hls_stream.h.

    Raises:
        BuildError: hls4ml is not installed.
    """
    found = importlib.util.find_spec("hls4ml")
    for place in (found.submodule_search_locations or []) if found else []:
        folder = Path(place) / "templates" / "vivado" / "ap_types"
        if (folder / "ap_int.h").exists() and (folder / "hls_stream.h").exists():
            return folder
    raise BuildError(
        "ap_int.h and hls_stream.h are not here: they come with the package hls4ml, by make setup, "
        "or by pip install --no-deps 'hls4ml==1.3.0'"
    )


def header(kernel: Kernel, parameters: Parameters, vectors: Vectors) -> str:
    """Return the text of parameters.h."""
    lines = [
        f"// Parameters of {kernel.top}, written by spinflow hls-kernel.",
        "",
        "#pragma once",
        "",
    ]
    for name, value in parameters.items():
        shown = str(bool(value)).lower() if name.startswith("Has") else value
        lines.append(f"constexpr {'bool' if name.startswith('Has') else 'int'} {name} = {shown};")
    for name, values in vectors.tables.items():
        lines.append(f"#define {name} {{{', '.join(map(str, values))}}}")
    return "\n".join(lines) + "\n"


def prepare(kernel: Kernel, parameters: Parameters, vectors: Vectors, work: Path) -> None:
    """Write the files of a run into a folder: parameters.h, inputs and what is expected."""
    work.mkdir(parents=True, exist_ok=True)
    (work / PARAMETERS).write_text(header(kernel, parameters, vectors), encoding="ascii")
    (work / INPUTS).write_text(vectors.text(lambda case: case.inputs), encoding="ascii")
    (work / EXPECTED).write_text(vectors.text(lambda case: case.expected), encoding="ascii")


def compiled(kernel: Kernel, work: Path, kernels: Path = FOLDER) -> Path:
    """Compile the bench of a prepared folder; return the program.

    Args:
        kernel: of `kernels`.
        work: the folder, which gets the program.
        kernels: folder of the sources.

    Raises:
        BuildError: there is no g++, or no header, or it does not compile.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        raise BuildError("g++ is not on PATH: install it (on Debian: apt-get install g++)")
    program = work / f"{kernel.name}_bench"
    command = [compiler, *FLAGS, "-isystem", str(headers())]
    command += [f"-I{folder}" for folder in (work, kernels, kernels / "top", kernels / "bench")]
    command += [str(kernels / "top" / f"{kernel.top}.cpp")]
    command += [str(kernels / "bench" / f"{kernel.name}_bench.cpp"), "-o", str(program)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), "no message")
        raise BuildError(f"g++ does not compile {kernel.name}: {first}")
    return program


def run(program: Path, work: Path) -> str:
    """Run a bench on a prepared folder; return what it says.

    Raises:
        BuildError: what came of a case is not what is expected.
    """
    return _run(program, work, INPUTS, OUTPUTS, EXPECTED)[-1]


def answers(program: Path, cases: Sequence[Sequence[int]], work: Path) -> list[list[int]]:
    """Run a bench on cases of one's own; return what it writes for each.

    Args:
        program: of `compiled`.
        cases: the numbers of each, as the bench in `bench/` wants them.
        work: the folder, whose inputs and outputs are replaced.

    Raises:
        BuildError: a case has too few numbers or too many.
    """
    lines = [" ".join(f"{number:x}" for number in case) for case in cases]
    (work / INPUTS).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    _run(program, work, INPUTS, OUTPUTS)
    return read(work)


def read(work: Path) -> list[list[int]]:
    """Return the numbers that a bench wrote for each case."""
    lines = (work / OUTPUTS).read_text(encoding="ascii").splitlines()
    return [[int(number, 16) for number in line.split()] for line in lines]


def _run(program: Path, work: Path, *files: str) -> list[str]:
    command = [str(program.resolve()), *files]
    done = subprocess.run(
        command, cwd=work, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        said = (done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BuildError(f"{program.name} in {work}: {said}")
    return done.stdout.strip().splitlines()
