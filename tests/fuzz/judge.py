"""Runs a program on a mutated input and says whether it took it as a program for people should.

A refusal is right when the exit status is not 0, one line under 300 characters says why, nothing is
written, and all of it takes under 20 s and 2 GB. An input that is taken must give the results that
the unmutated one gives. Anything else is a fault: a traceback above all.

Each case runs in a forked copy of this process, in which the program is imported already, so a case
costs what it does and not what an interpreter's start costs.
"""

from __future__ import annotations

import hashlib
import os
import re
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 20.0  # of processor time, which a busy machine does not change
PATIENCE = 10 * SECONDS  # of wall clock: a case that waits for ever is ended then
MEMORY = 2 * 2**30  # bytes, resident
LINE = 300  # characters

_SPARE = 6 * 2**30  # bytes of addresses that a case may add: past it allocations fail

Main = Callable[[list[str]], "int | None"]


@dataclass(frozen=True)
class Outcome:
    """What a program did.

    Attributes:
        status: exit status, negative for the signal that ended it.
        out: what it printed on the standard output.
        err: what it printed on the standard error output.
        seconds: processor time.
        peak: most bytes resident.
        written: files that are not as they were before, relative to the folder.
    """

    status: int
    out: str
    err: str
    seconds: float
    peak: int
    written: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the program said no."""
        return self.status != 0

    def fault(self) -> str | None:
        """Return what is wrong with how the input was refused or taken, None if nothing is.

        Whether the results of an input that was taken are right is for the caller to say.
        """
        if self.status == -signal.SIGALRM:
            return f"did not end in {PATIENCE:.0f} s"
        if self.seconds > SECONDS:
            return f"took {self.seconds:.0f} s"
        if self.peak > MEMORY:
            return f"took {self.peak / 2**20:.0f} MB"
        if "Traceback (most recent call last)" in self.err + self.out:
            return f"a traceback: {self.err.strip().splitlines()[-1]}"
        if self.status < 0:
            return f"died of signal {-self.status}"
        if not self.refused:
            return None
        lines = [line for line in self.err.splitlines() if line.strip()]
        if len(lines) != 1:
            return f"refused in {len(lines)} lines: {self.err[:400]!r}"
        if len(lines[0]) >= LINE:
            return f"refused in a line of {len(lines[0])} characters: {lines[0]!r}"
        if not re.search(r"\w{3}", lines[0]) or not lines[0].isprintable():
            return f"refused in a line that nobody can read: {lines[0]!r}"
        # A log that the line sends its reader to is part of the answer.
        unsaid = [name for name in self.written if Path(name).name not in lines[0]]
        if unsaid:
            return f"refused, but wrote {', '.join(unsaid)}"
        return None


def run(main: Main, arguments: Sequence[str], folder: Path) -> Outcome:
    """Run a program's main function in a process of its own.

    Args:
        main: takes the command line's arguments and returns the exit status.
        arguments: of the command line.
        folder: where it runs; what it writes in there is seen.
    """
    before = _contents(folder)
    out, err = (folder.parent / f"{folder.name}.{name}" for name in ("out", "err"))
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _become(main, list(arguments), folder, out, err)  # does not return
    _, status, usage = os.wait4(child, 0)
    outcome = Outcome(
        status=os.waitstatus_to_exitcode(status),
        out=out.read_text(encoding="utf-8", errors="replace"),
        err=err.read_text(encoding="utf-8", errors="replace"),
        seconds=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss * 1024,
        written=_changed(before, _contents(folder)),
    )
    out.unlink()
    err.unlink()
    return outcome


def _become(main: Main, arguments: list[str], folder: Path, out: Path, err: Path) -> None:
    """Be the program: its outputs, its folder and its limits; end the process."""
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        os.chdir(folder)
        for number, path in ((1, out), (2, err)):
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(opened, number)
        # pytest has its own sys.stdout in the parent.
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        limit = _addresses() + _SPARE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            status = main(arguments) or 0
        except SystemExit as stop:
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _addresses() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _contents(folder: Path) -> dict[str, str]:
    """Return a digest of every file below a folder, by path; of what is no plain file its kind."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "special"
    return found


def _changed(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    return tuple(
        name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)
    )
