"""What is where on a board, and the commands of its shell that reach it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

FOLDER_THERE = "spinflow"
"""Everything is in this folder, which lies in one of those that the board's image shows."""


def at_place(folders: Sequence[str], script: str, having: str = "") -> str:
    """Return a script of the board's shell that runs in spinflow/ there.

    Args:
        folders: where spinflow/ may be, the first one that is there and can be written; the home
            of the user if none is.
        script: what to run.
        having: only in a place where spinflow/ has this; the exit status is 3 if none has.
    """
    if having:
        test, none = f'[ -e "$d/{FOLDER_THERE}/{having}" ]', "exit 3"
    else:
        test, none = '[ -d "$d" ] && [ -w "$d" ]', 'd="$HOME"'
    places = " ".join(f'"{folder}"' for folder in [*folders, "$HOME"])
    return (
        f"for d in {places} ''; do "
        f'if [ -z "$d" ]; then {none}; elif {test}; then break; fi; done; '
        f'mkdir -p "$d/{FOLDER_THERE}" && cd "$d/{FOLDER_THERE}" && {{ {script}; }}'
    )


def as_root(command: str) -> str:
    """Return a command for the board's shell that runs as root in pynq's environment.

    Loading a bitstream needs root; a login shell reads /etc/profile.d, where PYNQ's images set
    their environment.
    """
    return f"sudo bash -lc {shlex.quote(command)}"


def selftest(target: str, place: str, network: str) -> str:
    """Return the command of this PC that tests the accelerator on the board."""
    check = f"python3 -m spinflow selftest --bundle build/{network}"
    return shlex.join(["ssh", "-t", target, f"cd {shlex.quote(place)} && {as_root(check)}"])
