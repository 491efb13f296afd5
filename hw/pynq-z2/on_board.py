"""Readies a board's Python for Spinflow; run there as root, in pynq's environment, by deploy.py.

Checks Python, pynq and the kind of board, and installs what is missing of NEEDED with pip. What
pynq brought is never replaced. Any Python 3 must be able to read this file.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from importlib import metadata

OLDEST_PYTHON = (3, 10)
PYNQ = ("3.0", "3.1")
NEEDED = ("scipy", "tqdm", "matplotlib")


class BoardError(Exception):
    """Something about this board that the user can act on; the message is one line."""


def release(version):
    """Return the first two numbers of a version, as 3.0 of 3.0.1."""
    return ".".join(version.split(".")[:2])


def check(board):
    """Raise BoardError unless this is such a board with a pynq that the driver knows."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise BoardError(
            f"Python {python()} is too old, 3.10 or newer is needed: use a PYNQ image of version "
            "3.0.1 or 3.1"
        )
    found = os.environ.get("BOARD", board)
    if found.lower() != board.lower():
        raise BoardError(f"this is a {found}, the bundle is for a {board}")
    try:
        pynq = metadata.version("pynq")
    except metadata.PackageNotFoundError:
        raise BoardError(
            f"{sys.executable} has no pynq: run this in pynq's environment, on a PYNQ image"
        ) from None
    if release(pynq) not in PYNQ:
        raise BoardError(
            f"pynq {pynq} is not known to the driver: use a PYNQ image with pynq "
            + " or ".join(PYNQ)
        )


def python():
    """Return the version of this Python, as 3.10."""
    return ".".join(map(str, sys.version_info[:2]))


def install():
    """Install what is missing; return its names."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return missing
    # The numpy that pynq was built with stays. A board is no place to compile scipy.
    numpy = "numpy==" + metadata.version("numpy")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    if subprocess.run([*command, numpy, *missing], check=False).returncode:
        packages = " ".join("python3-" + name for name in missing)
        raise BoardError(
            f"pip cannot install {' '.join(missing)}: connect the board to the internet, or "
            f"install {packages} there with apt-get, and run make deploy again"
        )
    return missing


def main():
    """Check and install; return the exit status."""
    parser = argparse.ArgumentParser(description="Ready a board's Python for Spinflow.")
    parser.add_argument("--board", required=True, help="what the bundle is for, as Pynq-Z2")
    try:
        check(parser.parse_args().board)
        installed = install()
    except BoardError as error:
        print(f"spinflow: {error}", file=sys.stderr)
        return 1
    print(
        f"board: Python {python()}, pynq {metadata.version('pynq')}, "
        f"installed: {', '.join(installed) or 'nothing'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
