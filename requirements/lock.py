"""Makes the lock files anew: `python requirements/lock.py [NAME ...]`, with uv on PATH.

NAME.in, NAME.overrides.txt if there is one, and overrides.txt give NAME.lock: every package with
its exact version and the SHA-256 of every file in which that version is published, for whatever
machine. pip installs it with --require-hashes and resolves nothing. Versions that a lock has
already stay unless the .in file
asks for another; `--upgrade` takes the newest of all.

The torch of pc.lock is PyTorch's CPU wheel where one is offered, PyPI's wheel where not.
hashes.txt holds the hashes of files that PyPI does not have. PyPI's wheel needs CUDA's libraries to
be imported: they are in cuda.lock, which is installed only where torch does not do without.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PYTHONS = {"board": "3.10"}
"""Python of an environment, where it is not that of the others."""
PYTHON = "3.11"

CUDA = re.compile(r"(nvidia-|cuda-|triton\b)")
UNUSED = re.compile(r"(torchvision|h5py|pydigitalwavetools|quantizers)\b")
"""Packages that others ask for and that nothing here imports; of hls4ml only headers are read."""

HEADER = """\
# Made by requirements/lock.py, which says how. Install it with
#     pip install --no-deps --require-hashes -r requirements/{name}.lock
"""


def entries(text: str) -> list[str]:
    """Return the entries of a lock file, a package with its hashes each."""
    lines = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    return re.findall(r"^\S+==.*(?:\n +--hash=.*)*", lines, re.M)


def compiled(name: str, upgrade: bool) -> list[str]:
    """Let uv resolve NAME.in; return the entries of the lock.

    Args:
        name: of the environment.
        upgrade: whether versions that the lock has may become newer without need.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lock"
        before = [FOLDER / f"{name}.lock", FOLDER / "cuda.lock"]
        if not upgrade:  # uv keeps the versions that it finds there
            out.write_text("".join(p.read_text() for p in before if p.exists()), encoding="utf-8")
        command = ["uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
        command += ["--no-annotate", "--python-version", PYTHONS.get(name, PYTHON)]
        for overrides in [*sorted(FOLDER.glob(f"{name}.overrides.txt")), FOLDER / "overrides.txt"]:
            command += ["--override", str(overrides)]
        command += ["--output-file", str(out)]
        subprocess.run([*command, str(FOLDER / f"{name}.in")], check=True)
        return entries(out.read_text(encoding="utf-8"))


def with_more_hashes(entry: str) -> str:
    """Return an entry with the hashes that hashes.txt has for it."""
    name = entry.split(maxsplit=1)[0]
    listed = (FOLDER / "hashes.txt").read_text(encoding="utf-8").splitlines()
    more = [line.split()[1] for line in listed if line.split()[:1] == [name]]
    kept = [part for part in entry.split() if part.startswith("--hash=")]
    marker = entry.split("\n", maxsplit=1)[0].removesuffix(" \\")
    return " \\\n".join([marker, *(f"    {part}" for part in sorted({*kept, *more}))])


def write(name: str, found: list[str]) -> None:
    """Write a lock file."""
    text = HEADER.format(name=name) + "".join(f"{entry}\n" for entry in found)
    (FOLDER / f"{name}.lock").write_text(text, encoding="utf-8")


def lock(name: str, upgrade: bool) -> None:
    """Make the lock of an environment, and that of CUDA with the one that has torch."""
    found = compiled(name, upgrade)
    write(name, [with_more_hashes(e) for e in found if not (CUDA.match(e) or UNUSED.match(e))])
    if any(entry.startswith("torch==") for entry in found):
        write("cuda", [entry for entry in found if CUDA.match(entry)])


if __name__ == "__main__":
    chosen = [word for word in sys.argv[1:] if word != "--upgrade"]
    for one in chosen or sorted(path.stem for path in FOLDER.glob("*.in")):
        lock(one, "--upgrade" in sys.argv)
