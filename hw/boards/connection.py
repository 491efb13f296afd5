"""One ssh connection to a board, over which any number of commands go: one password for all.

The connection is ssh's own ControlMaster, with its socket in a private folder that goes away with
it. ssh does all the talking, so whatever ssh_config says of a board holds.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from spinflow.hw.boards.facts import BoardError

_SIGNS = r"""[^\s'"`$\\;&<>|(){}*?!#@,]"""
_LOGIN = re.compile(rf"(?!-)(?:(?P<user>{_SIGNS}+)@)?(?!-)(?P<host>{_SIGNS}+)\Z")

_SOCKET_PATH = 80
"""Most characters of a socket's path with what ssh adds while it makes it (108 in all)."""

_OPTIONS = {
    "ServerAliveInterval": "15",  # a connection that is lost ends within a minute
    "ServerAliveCountMax": "4",
    "ClearAllForwardings": "yes",  # what ssh_config forwards would be forwarded by every command
    "RemoteCommand": "none",
    "RequestTTY": "no",
}


def destination(target: str) -> str:
    """Return what ssh is to be given for TARGET.

    Args:
        target: [user@]host, where host is a name, an address, an IPv6 address with or without
            brackets, or any Host of ssh_config.

    Raises:
        BoardError: it is none, or could be taken for an option or by a shell.
    """
    match = _LOGIN.match(target)
    if not match or not target.isprintable():
        raise BoardError(
            f"TARGET={target[:80]}: must be user@host or a Host of your ssh_config, as "
            "xilinx@pynq, xilinx@192.168.2.99 or pynq"
        )
    host = match["host"]
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return f"{match['user']}@{host}" if match["user"] else host


class Connection:
    """A connection to a board, made at the start of a with block and closed at its end.

    Args:
        target: as for `destination`.
        is_dry: only print the commands.
    """

    def __init__(self, target: str, is_dry: bool = False) -> None:
        self.target = destination(target)
        self.is_dry = is_dry
        self._folder = Path("/tmp/spinflow-connection")

    def __enter__(self) -> Connection:
        if self.is_dry:
            print(shlex.join(self._master()))
            return self
        if shutil.which("ssh") is None:
            raise BoardError("ssh is not on PATH: install it to reach a board (openssh-client)")
        self._folder = Path(tempfile.mkdtemp(prefix="spinflow-"))
        if len(str(self._folder)) > _SOCKET_PATH:
            self._folder.rmdir()
            self._folder = Path(tempfile.mkdtemp(prefix="spinflow-", dir="/tmp"))
        try:
            status = subprocess.run(self._master(), check=False).returncode
            if status:
                raise BoardError(
                    f"TARGET={self.target}: no connection (ssh ended with exit status {status}): "
                    "is the board on, and the name right? What ssh said is above"
                )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        close = [*self._ssh(), "-O", "exit", "--", self.target]
        if self.is_dry:
            print(shlex.join(close))
            return
        subprocess.run(close, stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ssh(self) -> list[str]:
        return ["ssh", "-S", str(self._folder / "socket")]

    def _master(self) -> list[str]:
        options = [word for name, value in _OPTIONS.items() for word in ("-o", f"{name}={value}")]
        return [*self._ssh(), "-M", "-N", "-f", *options, "--", self.target]

    def _command(self, script: str, terminal: bool) -> list[str]:
        # Nobody can answer a question of sudo's or stop a program without a terminal.
        is_asked = terminal and (self.is_dry or (sys.stdin is not None and sys.stdin.isatty()))
        return [
            *[*self._ssh(), "-o", "ControlMaster=no", "-o", "RemoteCommand=none"],
            *[*(["-t"] if is_asked else []), "--", self.target, script],
        ]

    def run(self, script: str) -> int:
        """Run a script of the board's shell with its outputs here; return its exit status."""
        command = self._command(script, terminal=True)
        if self.is_dry:
            print(shlex.join(command))
            return 0
        return subprocess.run(command, check=False).returncode

    def send(self, script: str, write: Callable[[IO[bytes]], None], what: str) -> str:
        """Run a script that reads what is sent to it; return what it prints.

        Args:
            script: of the board's shell.
            write: writes to the stream that the script reads.
            what: is sent, in words.

        Raises:
            BoardError: the script failed.
        """
        command = self._command(script, terminal=False)
        if self.is_dry:
            print(f"# reads {what}\n{shlex.join(command)}")
            return ""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None and process.stdout is not None
        try:
            try:
                write(process.stdin)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it has ended: its exit status says how
            output = process.stdout.read()
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if status:
            raise BoardError(f"the board did not take {what} (exit status {status}); see above")
        return output.decode("utf-8", "replace")

    def fetch(self, script: str, limit: int) -> bytes | None:
        """Run a script; return what it prints, None if it failed.

        Args:
            script: of the board's shell.
            limit: most bytes that are taken.

        Raises:
            BoardError: there are more.
        """
        command = self._command(script, terminal=False)
        if self.is_dry:
            print(shlex.join(command))
            return None
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            output = process.stdout.read(limit + 1)
            if len(output) > limit:
                raise BoardError(f"the board sends more than {limit >> 20} MB")
            return output if process.wait() == 0 else None
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
