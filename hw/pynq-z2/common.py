"""What the board's scripts share: errors, and what they read of a bundle and of board.toml.

The scripts of this folder need Python 3.11 and nothing else, so that they run beside Vivado.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomllib

FOLDER = Path(__file__).resolve().parent
REPO = FOLDER.parents[1]

# They are programs of their own, not a package: the repository's packages are found from here.
if str(REPO) not in sys.path:
    sys.path.append(str(REPO))

from host import description, handover
from host.errors import HostError
from host.plain import digest_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")

BoardError = HostError
"""Something that the user can act on; the message is one line. Bundles' errors are of the kind."""


def read_board(path: Path = FOLDER / "board.toml") -> dict[str, Any]:
    """Return the tables of board.toml."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_description(bundle: Path) -> dict[str, Any]:
    """Return a bundle's accel.json.

    Raises:
        BundleError: there is none, or something in it is not as it must be.
    """
    return description.read(bundle).document


def check_files(bundle: Path) -> None:
    """Check each file that accel.json lists against its SHA-256.

    Raises:
        BundleError: one is missing or differs.
    """
    description.read(bundle).check_files()


def read_handover(bundle: Path) -> handover.Handover:
    """Return what a bundle's handover file says, checked against its accel.json.

    Raises:
        BundleError: it is damaged, or they differ.
    """
    described = description.read(bundle)
    path = bundle / "accel.hwh"
    found = handover.read(path, described.content(path.name))
    handover.check(found, described, path)
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return digest_of(path, description.BINARY_LIMIT)


def run(job: Callable[[], None]) -> int:
    """Run a script's job; print its error as one line. Return the exit status."""
    try:
        job()
    except HostError as error:
        print(f"spinflow: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"spinflow: {error.filename or 'input/output'}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("spinflow: interrupted", file=sys.stderr)
        return 130
    return 0
