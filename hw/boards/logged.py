"""Runs a tool whose output goes to a file, and finds in it why the tool failed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def run(command: Sequence[str], work: Path, log: Path, tool: str) -> str | None:
    """Run a tool in a folder; all that it says goes to a file.

    Args:
        command: to run, without a shell.
        work: the folder.
        log: the file.
        tool: what people call it.

    Returns:
        None if it ended well, else the reason and where the output lies, in one line.
    """
    with log.open("w", encoding="utf-8") as output:
        status = subprocess.run(
            command,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if not status:
        return None
    return f"{reason(log.read_text(encoding='utf-8', errors='replace'), tool)} ({log})"


def reason(output: str, tool: str) -> str:
    """Return the line of a tool's output that says why it failed.

    The scripts of this repository say so themselves, in a line that begins with "spinflow: ";
    Vivado and Vitis HLS begin theirs with "ERROR: ".
    """
    lines = output.splitlines()
    for beginning in ("spinflow: ", "ERROR: "):
        for line in lines:
            if line.startswith(beginning):
                return line.removeprefix("spinflow: ")
    last = next((line for line in reversed(lines) if line.strip()), "no message")
    return f"{tool} failed: {last}"
