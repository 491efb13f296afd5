"""A bundle from elsewhere: a sweep in software runs no code of it and writes nothing outside."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.core.errors import HostError
from spinflow.host.core.sources import REPOSITORY, source_files
from spinflow.host.core.test_sets import TestSet
from spinflow.sim import engines, sweep
from spinflow.sim.sweeps import jobs
from tests.fuzz import bundles

SOURCE = """
#include <cstdio>
__attribute__((constructor)) static void loaded() {
  if (std::FILE *file = std::fopen(MARK, "w")) std::fclose(file);
}
"""


class Trap:
    """What unpickles to a file that is written."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def foreign(bundle_folder: Path, tmp_path: Path) -> Path:
    """A bundle with right sums whose library leaves a mark when it is loaded."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    for name in ("arrays.npz", "golden.npz", "accel.hwh"):
        shutil.copy(bundle_folder / name, folder)
    library = folder / "libaccel.so"
    (tmp_path / "trap.cpp").write_text(SOURCE)
    mark = f'-DMARK="{tmp_path / "mark"}"'
    command = ["g++", "-shared", "-fPIC", mark, str(tmp_path / "trap.cpp"), "-o", str(library)]
    subprocess.run(command, check=True)
    described = json.loads((bundle_folder / "accel.json").read_text())
    described["simulator"]["sha256"] = hashlib.sha256(library.read_bytes()).hexdigest()
    tests = bundles.golden_tests((folder / "golden.npz").read_bytes())
    (folder / "test.npz").write_bytes(tests)
    described["files"]["test.npz"] = hashlib.sha256(tests).hexdigest()
    (folder / "accel.json").write_text(json.dumps(described))
    return folder


def swept(folder: Path, *options: str) -> int:
    out = folder.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    return sweep.main(
        [
            *("--bundle", str(folder), "--images", "4"),
            *("--memory", "all", "--rates", "0.1", "--repeats", "2"),
            *("--out", str(out), *options),
        ]
    )


def described(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a bundle's description."""
    content = json.loads((folder / "accel.json").read_text())
    change(content)
    (folder / "accel.json").write_text(json.dumps(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--workers", "2"),
        ("--workers", "1", "--on", "emulator"),
    ],
    ids=" ".join,
)
def test_a_sweep_in_software_loads_no_library(foreign: Path, options: tuple[str, ...]) -> None:
    mark = foreign.parent / "mark"
    assert swept(foreign, *options) == 0
    assert not mark.exists()
    # The trap is one: whoever loads the library springs it.
    load = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    subprocess.run([sys.executable, "-c", load, str(foreign / "libaccel.so")], check=True)
    assert mark.exists()


@pytest.mark.parametrize("on", engines.SOFTWARE)
def test_arrays_are_never_unpickled(
    foreign: Path, on: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = foreign.parent / "mark"
    with np.load(foreign / "arrays.npz") as stored:
        arrays: dict[str, Any] = dict(stored)
    arrays["weights.0"] = np.array([[Trap(mark)]], object)
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    (foreign / "arrays.npz").write_bytes(packed.getvalue())
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    described(foreign, lambda d: d["files"].update({"arrays.npz": digest}))
    assert swept(foreign, "--workers", "1", "--on", on) == 1
    said = capsys.readouterr().err
    assert "a member holds objects, which are never loaded" in said and said.count("\n") == 1
    assert not mark.exists()
    np.load(io.BytesIO(packed.getvalue()), allow_pickle=True)["weights.0"]
    assert mark.exists()  # the trap is one


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/../{}", "a/../../x", "sub/x", "..", "", "accel.jso"]
)
def test_no_file_is_written_by_a_name_of_the_bundle(
    foreign: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = foreign.parent / "x"
    victim.write_text("the user's own")
    name = name.format(str(victim)[1:])
    described(foreign, lambda d: d["files"].update({name: hashlib.sha256(b"").hexdigest()}))
    before = sorted(foreign.parent.rglob("*"))
    assert swept(foreign, "--workers", "1") == 1
    said = capsys.readouterr().err
    assert "accel.json: files has an unknown key" in said and said.count("\n") == 1
    assert victim.read_text() == "the user's own"
    assert sorted(foreign.parent.rglob("*")) == before
    # A worker trusts no name of a job either.
    tests = TestSet(np.zeros((1, 784), np.uint8), np.zeros(1, np.uint8), "")
    with pytest.raises(HostError, match="which no bundle has"):
        jobs.Job({name: b"overwritten"}, None, "x", tests, "emulator").device()
    assert victim.read_text() == "the user's own"


def bomb(name: str, size: int) -> bytes:
    """An archive of few bytes whose member unpacks to many."""
    packed = io.BytesIO()
    archive = zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        text = claimed("(256, 7)")
        member.write(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text)
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))
    return packed.getvalue()


def directory(members: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(members):
            archive.writestr(f"{number}.npy", b"")
    return packed.getvalue()


def header(text: bytes) -> bytes:
    """An archive whose member claims something in its header."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        size = len(text).to_bytes(2, "little")
        archive.writestr("weights.0.npy", b"\x93NUMPY\1\0" + size + text)
    return packed.getvalue()


def claimed(shape: str, kind: str = "<u4") -> bytes:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()


ARCHIVES: list[tuple[Callable[[], bytes], str]] = [
    (lambda: b"", "it is not an npz archive"),
    (lambda: b"PK\3\4" + bytes(100), "it is not an npz archive"),
    (lambda: bomb("weights.0", 1 << 26), "weights.0 has 8193 bytes, which does not fit its shape"),
    (lambda: directory(5000), "its directory is larger than 65536 bytes"),
    (lambda: directory(2), "it holds '0.npy', which does not belong there"),
    (lambda: header(claimed("(1000000000000, 7)")), "it must be uint32 of shape (256, 7)"),
    (lambda: header(claimed("(256, 7)")), "weights.0 has 72 bytes, which does not fit its shape"),
    (lambda: header(claimed("(256, 7)", "<f4")), "weights.0 is <f4 of shape (256, 7): it must"),
    (lambda: header(claimed("(256, 7)", "|O")), "holds objects, which are never loaded"),
    (lambda: header(claimed("(256, -7)")), "the header of a member is not that"),
    (lambda: header(b"(" * 900 + b"\n"), "the header of a member is not that"),
    (lambda: header(b"__import__('os').abort()\n"), "the header of a member is not that"),
    (lambda: header(bytes(5000)), "the header of a member has 5010 bytes"),
]


@pytest.mark.parametrize(("make", "line"), ARCHIVES)
def test_an_archive_can_neither_fill_the_memory_nor_name_its_types(
    foreign: Path, make: Callable[[], bytes], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = make()
    (foreign / "arrays.npz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    described(foreign, lambda d: d["files"].update({"arrays.npz": digest}))
    assert swept(foreign, "--workers", "1", "--on", "emulator") == 1
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1 and len(said) < 300


def test_sources_of_a_foreign_bundle_are_its_own_and_ours(bundle_folder: Path) -> None:
    allowed = {bundle_folder / "rtl", REPOSITORY / "hw/rtl", REPOSITORY / "build/regs"}
    assert {path.parent for path in source_files(bundle_folder)} == allowed
