"""How every program of this repository starts and ends, in any environment.

The exit status is 0 where a program did what it was asked, 1 after an error, 2 after a wrong
command line and 128 + n after signal n, as 130 after Ctrl-C. Every line that says what is wrong
begins with "spinflow: ".

`begin` comes before the imports that take long: from then on Ctrl-C ends a program with one line,
and outputs that are closed, or whose encoding lacks a letter, do no harm. `finish` runs what the
program does and turns each way in which it can fail into one line and an exit status. `Parser` does
so for the command line. All of it is the standard library's: importing it takes no time.
"""

from __future__ import annotations

import argparse
import codecs
import importlib
import logging
import os
import re
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn, TextIO

from spinflow.host.core.errors import SpinflowError

REPOSITORY = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

PROGRAM = "spinflow"
"""What every line that says what is wrong begins with."""

LINE = 290
"""Most characters of a line that says what is wrong."""

_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended", signal.SIGHUP: "hung up"}
_came: list[int] = []  # signals that have asked this program to end

# What a letter becomes where the output's encoding has none; others become escapes as \u2603.
_PLAIN = {
    **{
        "×": "x",
        "–": "-",
        "—": "-",
        "−": "-",
        "±": "+-",
        "µ": "u",
        "μ": "u",
        "…": "...",
        "→": "->",
    },
    **{"·": ".", "≤": "<=", "≥": ">=", "≈": "~", "°": " deg", "²": "^2", "³": "^3", "Δ": "Delta"},
    **{"σ": "sigma", "τ": "tau", "η": "eta", "Ω": "Ohm", "’": "'", "“": '"', "”": '"', "Å": "A"},
}


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP came; code that cleans up after Ctrl-C cleans up after these as well."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of these programs."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what argparse's parser takes."""
        super().__init__(*args, **options)
        # What begins as a negative number is a value and no option, as -1e-3 and -1:1 are.
        self._negative_number_matcher = re.compile(r"-\.?[0-9]")

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse the command line, or tell a shell that asks how the line may go on."""
        if "_ARGCOMPLETE" in os.environ:
            with suppress(ImportError):  # not every installation has it
                importlib.import_module("argcomplete").autocomplete(self)
        return super().parse_args(args, namespace)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse arguments that are not known, by the sub-command that got them."""
        found, others = super().parse_known_args(args, namespace)
        if others:
            self.error(f"unrecognized arguments: {' '.join(others)}")
        return found, others

    def error(self, message: str) -> NoReturn:
        """End the program with one line."""
        complain(f"{message} (see {self.prog} --help)")
        sys.exit(2)


def begin_module() -> None:
    """Call `begin` if `python -m` is just looking for its program; a package calls it at its top.

    A package is imported before the module that is the program and before all that this imports.
    """
    if getattr(sys, "argv", [])[:1] == ["-m"]:
        begin()


def begin() -> None:
    """Ready this process to be a program; called once, before imports that take long.

    Until `finish` runs, and after it, a signal that asks the program to end does so at once: there
    is nothing yet, or no longer, to tidy up. A signal that the parent ignores stays ignored.
    """
    _open_closed_streams()
    for name in "TMPDIR", "TEMP", "TMP":  # tools that are run do not look whether it is there
        if name in os.environ and not os.access(os.environ[name], os.W_OK | os.X_OK):
            del os.environ[name]
    _have_a_home()
    codecs.register_error("spinflow", _plain)
    # torch remarks on a stray CUDA folder, with a line that tells a user of these programs nothing.
    logging.getLogger("torch.utils.cpp_extension").addFilter(
        lambda record: "No CUDA runtime" not in record.getMessage()
    )
    for stream in sys.stdout, sys.stderr:
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="spinflow")  # type: ignore[union-attr] # closed
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    sys.excepthook = _tell_what_is_not_installed


def finish(
    command: Callable[[], int | None],
    expected: Sequence[type[Exception]] = (),
    interrupted: str = "",
) -> int:
    """Run what a program does; print its error as one line.

    Args:
        command: what it does; returns the exit status, None for 0.
        expected: errors with messages for people, besides SpinflowError and OSError.
        interrupted: what a user should know after Ctrl-C, if anything.

    Returns:
        The exit status: 1 after an error, 128 and the signal's number after a signal.
    """
    caught: tuple[type[Exception], ...] = (SpinflowError, *expected)
    with _signals_raise():
        try:
            status = command() or 0
            _flush()
            return status
        except SystemExit as stop:
            if not isinstance(stop.code, str):
                raise
            complain(stop.code)
        except caught as error:
            complain(str(error))
        except BrokenPipeError as error:
            if not _is_reader_gone(1):
                complain(_of_system(error))
                return 1
            _drop(1)
            complain("what reads the output has ended before all was written")
            return 128 + signal.SIGPIPE
        except OSError as error:
            complain(_of_system(error))
        except UnicodeError as error:
            complain(f"a text cannot be read or written in its encoding: {error}")
        except MemoryError:
            complain("there is not enough memory")
        except Terminated as signalled:
            return _say_ended(signalled.number, interrupted)
        except KeyboardInterrupt:
            return _say_ended(signal.SIGINT, interrupted)
        except Exception:
            # Compiled code may make an error of its own of what a signal's handler raised in it.
            if not _came:
                raise
            return _say_ended(_came[-1], interrupted)
        # Output that cannot be written would be tried, and complained about, again at the end.
        try:
            _flush()
        except (OSError, ValueError):
            _drop(1)
        return 1


def _say_ended(number: int, interrupted: str) -> int:
    """Say that a signal has ended the program; return the exit status."""
    complain(f"{_SIGNALS[signal.Signals(number)]}{interrupted and ': '}{interrupted}")
    return 128 + number


def check_signals() -> None:
    """Raise once more what a signal has raised, for where that may have been lost.

    An exception in a finaliser or in a callback of compiled code is only printed, or not even that:
    a program that works for long asks now and then.
    """
    if _came:
        _raise(_came[-1], None)


def complain(text: str) -> None:
    """Print one line that says what is wrong, or what a user should know, as :func:`say`."""
    say(f"{PROGRAM}: {text}")


def say(text: str) -> None:
    """Print one line to the standard error output, if that is open, cut to a readable length."""
    words = " ".join(text.split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    if len(line) > LINE:
        line = f"{line[: LINE // 2]} ... {line[-(LINE // 2 - 5) :]}"
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)


def _of_system(error: OSError) -> str:
    where = error.filename if error.filename is not None else "input/output"
    return f"{os.fsdecode(where) if isinstance(where, bytes) else where}: {error.strerror or error}"


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End the program here and now."""
    with suppress(OSError):
        os.write(2, f"{PROGRAM}: {_SIGNALS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)


def _raise(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(number)


def _tell_what_is_not_installed(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Say in one line that this Python lacks a package; other errors keep their tracebacks."""
    if isinstance(error, ModuleNotFoundError) and error.name and "." not in error.name:
        complain(
            f"{sys.executable} has no package {error.name}: make setup makes .venv, "
            "whose bin/python has what these programs need"
        )
    else:
        sys.__excepthook__(kind, error, trace)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let the signals that end a program raise, in this process and not in forked ones."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _came.clear()
    owner, before = os.getpid(), {}
    for number in _SIGNALS:
        before[number] = signal.getsignal(number)
        if before[number] is signal.SIG_IGN:
            continue
        if number == signal.SIGINT:
            signal.signal(number, _raise)
        else:
            signal.signal(number, lambda n, frame: _in(owner, n, frame))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in(owner: int, number: int, frame: FrameType | None) -> None:
    if os.getpid() == owner:
        _raise(number, frame)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _open_closed_streams() -> None:
    """Connect closed standard streams to nowhere, so that no file opened later becomes one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()


def _have_a_home() -> None:
    """Give a user without a home, as a container may have one, a private folder that is one.

    The data sets' cache, matplotlib, numba and FINN all want to keep something there.
    """
    home = os.path.expanduser("~")
    is_one = os.path.isdir(home) and (home != "/" or os.access(home, os.W_OK))
    if is_one and (os.access(home, os.W_OK) or os.access(REPOSITORY, os.W_OK)):
        return
    import tempfile  # takes a moment, and is hardly ever needed

    try:
        folder = os.path.join(tempfile.gettempdir(), f"spinflow-{os.getuid()}")
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            folder = tempfile.mkdtemp(prefix="spinflow-")
    except OSError:
        return  # what needs it says so
    if not is_one:
        os.environ["HOME"] = folder
        os.environ.setdefault("USER", str(os.getuid()))
    os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(folder, "numba"))
    os.environ.setdefault("MPLCONFIGDIR", os.path.join(folder, "matplotlib"))


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(
        _PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in letters
    ), error.end


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _is_reader_gone(number: int) -> bool:
    poll = select.poll()
    poll.register(number, 0)
    with suppress(OSError):
        return any(event & select.POLLERR for _, event in poll.poll(0))
    return False


def _drop(number: int) -> None:
    """Let what is still to be written to a stream go nowhere."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
