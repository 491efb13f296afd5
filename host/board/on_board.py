"""Readies a board's Python for Spinflow: deploying runs it there as root, in pynq's environment.

Checks Python, pynq and the kind of board, installs what is missing of NEEDED with pip, and moves
what was copied aside into its place. What pynq brought is never replaced. It runs before the rest
of this package is known to: it must work alone, and every Python since 3.6 must be able to read it.
"""

import argparse
import filecmp
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from typing import Iterable  # noqa: UP035 - Python 3.6 has no other

OLDEST_PYTHON = (3, 10)
PYNQ_VERSIONS = ("3.0.1", "3.1")
NEEDED = ("scipy", "tqdm")
PARTS = ("spinflow.py", "host")  # the package, as far as a board runs it
NOTEBOOKS = "notebooks"
BEFORE = "before"  # among them, where those lie that were replaced


class BoardError(Exception):
    """Something about this board that the user can act on; the message is one line."""


def knows_pynq(version: str, versions: Iterable[str] = PYNQ_VERSIONS) -> bool:
    """Return whether a version of pynq is one of some; 3.1 stands for 3.1.2 as well.

    PYNQ_VERSIONS are those that the driver stands on.
    """
    return any(re.match(re.escape(one) + r"(\.[0-9]+)?\b", version) for one in versions)


def listed(versions: Iterable[str] = PYNQ_VERSIONS) -> str:
    """Return versions for people, as 3.0.1 or 3.1."""
    return " or ".join(versions)


def check(board: str, versions: Iterable[str] = PYNQ_VERSIONS) -> None:
    """Raise BoardError unless this is such a board with one of these versions of pynq."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise BoardError(
            f"Python {python()} is too old, 3.10 or newer is needed: use a PYNQ image of version "
            + listed(versions)
        )
    found = os.environ.get("BOARD", board)
    if found.lower() != board.lower():
        raise BoardError(f"this is a {found}, the bundle is for a {board}")
    pynq = version("pynq")
    if pynq is None:
        raise BoardError(
            f"{sys.executable} has no pynq: run this in pynq's environment, on a PYNQ image"
        )
    if not knows_pynq(pynq, versions):
        raise BoardError(
            f"pynq {pynq} is not known to the driver: use a PYNQ image with pynq "
            + listed(versions)
        )


def python() -> str:
    """Return the version of this Python, as 3.10."""
    return ".".join(map(str, sys.version_info[:2]))


def version(package: str) -> "str | None":
    """Return the version of an installed package, None if it is not installed."""
    from importlib import metadata  # Pythons that are too old do not have it

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def install() -> "list[str]":
    """Install what is missing; return its names."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return missing
    # The numpy that pynq was built with stays. A board is no place to compile scipy.
    numpy = f"numpy=={version('numpy')}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
    if subprocess.run([*command, numpy, *missing], check=False).returncode:
        packages = " ".join("python3-" + name for name in missing)
        raise BoardError(
            f"pip cannot install {' '.join(missing)}: connect the board to the internet, or "
            f"install {packages} there with apt-get, and run make deploy again"
        )
    return missing


def keep_others(old: str, new: str) -> None:
    """Give the files of a folder that another has not of the same name to that other, too."""
    if os.path.isdir(old) and os.path.isdir(new):
        for name in os.listdir(old):
            source, target = os.path.join(old, name), os.path.join(new, name)
            if os.path.isdir(source) and not os.path.lexists(target):
                shutil.copytree(source, target)
            elif not os.path.lexists(target):
                os.link(source, target)


def keep_notebooks(old: str, new: str) -> None:
    """Give a new folder of notebooks what somebody worked on in the old one.

    Notebooks of other names stay what they are; one that is replaced goes to BEFORE, if it differs.
    """
    if not (os.path.isdir(old) and os.path.isdir(new)):
        return
    replaced = [name for name in os.listdir(new) if os.path.isfile(os.path.join(old, name))]
    keep_others(old, new)
    before = os.path.join(new, BEFORE)
    for name in replaced:
        source = os.path.join(old, name)
        if not filecmp.cmp(source, os.path.join(new, name), shallow=False):
            os.makedirs(before, exist_ok=True)
            shutil.copy2(source, os.path.join(before, name))


def move_into_place(new: str) -> None:
    """Move PARTS, notebooks and build/NETWORK/ of a folder to where the folder lies, or nothing.

    What was there before goes away, but for files in build/NETWORK/data/ that are not replaced, and
    for notebooks, which people work on.
    """
    place = os.path.dirname(os.path.abspath(new))
    parts = [*PARTS, *([NOTEBOOKS] if os.path.isdir(os.path.join(new, NOTEBOOKS)) else [])]
    parts += [os.path.join("build", name) for name in os.listdir(os.path.join(new, "build"))]
    for part in parts:
        keep_others(os.path.join(place, part, "data"), os.path.join(new, part, "data"))
    keep_notebooks(os.path.join(place, NOTEBOOKS), os.path.join(new, NOTEBOOKS))
    os.makedirs(os.path.join(place, "build"), exist_ok=True)
    # Between these steps the board would have a driver of one deployment and a bundle of another.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    done = []
    try:
        for part in parts:
            target, old = os.path.join(place, part), os.path.join(new, part + ".old")
            if os.path.lexists(target):
                os.rename(target, old)
                done.append((old, target))
            os.rename(os.path.join(new, part), target)
            done.append((target, os.path.join(new, part)))
    except OSError:
        for there, back in reversed(done):
            os.rename(there, back)
        raise
    shutil.rmtree(new, ignore_errors=True)


def main() -> int:
    """Check, install and move; return the exit status."""
    parser = argparse.ArgumentParser(description="Ready a board's Python for Spinflow.")
    parser.add_argument("--board", required=True, help="name of the board that it must be")
    parser.add_argument("--pynq", nargs="+", default=PYNQ_VERSIONS, help="versions of pynq")
    parser.add_argument("--place", help="folder whose contents are moved to where it lies")
    options = parser.parse_args()
    try:
        check(options.board, options.pynq)
        installed = install()
        if options.place:
            move_into_place(options.place)
    except BoardError as error:
        print(f"spinflow: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"spinflow: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("spinflow: interrupted", file=sys.stderr)
        return 130
    print(
        f"board: Python {python()}, pynq {version('pynq')}, "
        f"installed: {', '.join(installed) or 'nothing'}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
