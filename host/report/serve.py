"""A local page of a folder of results that follows a running sweep: ``spinflow serve FOLDER``.

The page is that of a report, made of the rows that are there; a script in it asks once a second
whether there are more. It is for this machine alone: only loopback addresses are taken, a request
must name one as its host (so that no page from elsewhere reaches it under a name of its own), and
only the files of results that the folder had when asked are given, by their exact names.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import socket
import sys
import threading
from collections.abc import Sequence
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from spinflow.host.core import start
from spinflow.host.core.errors import InputError, SpinflowError
from spinflow.host.core.options import whole
from spinflow.host.core.reading import read_bytes
from spinflow.host.report.page import body, document
from spinflow.host.report.summary import Group, summarise
from spinflow.host.sweep import under_way
from spinflow.host.sweep.progress import duration
from spinflow.host.sweep.results import is_held, read
from spinflow.host.sweep.row import MOST_BYTES

PORT = 8765
RESULTS = "results.csv"
TYPES = {RESULTS: "text/csv", "summary.json": "application/json", "report.html": "text/html"}
"""What is given of a folder, and of those in it that lie one deep, as several networks' do."""


class Followed:
    """The results in a folder, read anew when a file of them has changed.

    Args:
        folder: the folder, or one that holds those of several networks.

    Raises:
        InputError: it is no folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder; give that of a sweep's --out, as {Path('out/run')}"
            )
        self._folder = folder
        self._lock = threading.Lock()
        self._seen = ""
        self._groups: list[Group] = []
        self._body = ""

    def files(self) -> dict[str, Path]:
        """Return the files of results by their names below the folder; links are none of them."""
        inner = [place for place in sorted(self._folder.iterdir()) if _is_plain_folder(place)]
        return {
            path.relative_to(self._folder).as_posix(): path
            for place in (self._folder, *inner)
            for name in TYPES
            if (path := place / name).is_file() and not path.is_symlink()
        }

    def state(self) -> tuple[str, str, list[Group]]:
        """Return what the page shows: a name of this version of it, its content, its points."""
        files = self.files()
        names = [
            f"{name} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
            for name, path in files.items()
            for status in [path.stat()]
        ]
        version = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
        with self._lock:  # of two pages that ask, one reads
            if version != self._seen:
                self._body, self._groups = _content(files)
                self._seen = version
            return self._seen, self._body, self._groups

    def progress(self) -> list[dict[str, Any]]:
        """Return how far each sweep is: words, and the trials done and planned where known."""
        found = []
        for name, path in self.files().items():
            if path.name != RESULTS:
                continue
            at = under_way.read(path) if is_held(path) else None
            words = "no sweep is writing here"
            if is_held(path):
                words = "a sweep is writing here"
            if at is not None:
                words = f"{at.done} of {at.planned}{' or more' if at.is_bound else ''} trials"
                if at.left_s is not None:
                    bound = "at least" if at.is_bound else "about"
                    words += f", {bound} {duration(at.left_s)} left"
            found.append(
                {
                    "words": f"{name}: {words}",
                    "done": at.done if at else None,
                    "planned": at.planned if at else None,
                }
            )
        return found


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _content(files: dict[str, Path]) -> tuple[str, list[Group]]:
    """Return the content of the page and its points, from the rows that are there."""
    groups: list[Group] = []
    wrong = ""
    try:
        rows = [row for path in files.values() if path.name == RESULTS for row in read(path)]
        groups = summarise(rows) if rows else []
    except SpinflowError as error:
        wrong = str(error)
    links = ", ".join(f'<a href="/{quote(name)}">{escape(name)}</a>' for name in files)
    main = body(groups, still=False) if groups else "<h1>No finished row yet</h1>\n"
    if wrong:
        main += f'<p class="wrong">{escape(wrong)}</p>\n'
    return f'{main}<p class="files">Files: {links or "none yet"}</p>\n', groups


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; what is served is the server's."""

    server: _Server
    server_version, sys_version = "spinflow", ""
    timeout = 30  # a connection that says nothing is not kept

    def do_GET(self) -> None:
        """Give the page, its state, or a file of results."""
        if self.headers.get("Host") not in self.server.names:
            self._give(403, "text/plain", b"another host is named\n")
            return
        asked = urlsplit(self.path)
        path = unquote(asked.path).removeprefix("/")
        followed = self.server.followed
        try:
            if path == "":
                version, content, groups = followed.state()
                self._give(200, "text/html", _page(version, content, groups).encode())
            elif path == "state":
                self._give(200, "application/json", self._state(asked.query))
            elif (file := followed.files().get(path)) is not None:
                data = read_bytes(file, MOST_BYTES)
                self._give(200, TYPES[file.name], data)
            else:
                self._give(404, "text/plain", b"there is no such file of results\n")
        except (SpinflowError, OSError) as error:  # as when the folder is gone meanwhile
            if not isinstance(error, ConnectionError):
                self._give(500, "text/plain", f"{error}\n".encode())

    def do_HEAD(self) -> None:
        """Give the head of what `do_GET` gives."""
        self.do_GET()

    def _state(self, query: str) -> bytes:
        version, content, _ = self.server.followed.state()
        since = parse_qs(query).get("since", [""])[0]
        return json.dumps(
            {
                "version": version,
                "body": None if since == version else content,
                "progress": self.server.followed.progress(),
            }
        ).encode()

    def _give(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": "frame-ancestors 'none'",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *values: Any) -> None:
        """Say nothing of requests."""


def _page(version: str, content: str, groups: Sequence[Group]) -> str:
    return document(
        groups,
        f'<div class="live" id="live" data-version="{version}" role="status"></div>\n'
        f"<main>{content}</main>\n",
        ["live.js"],
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, followed: Followed, address: str, port: int) -> None:
        self.followed = followed
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, port), _Handler)
        self.port = int(self.server_address[1])
        self.place = f"[{address}]" if ":" in address else address
        self.names = {f"{name}:{self.port}" for name in (self.place, "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a connection that its other end closed go without a word."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def serve(folder: Path, address: str, port: int) -> None:
    """Serve a folder of results until this program is asked to end.

    Args:
        folder: of the results.
        address: a loopback address.
        port: of this machine; 0 takes any that is free.

    Raises:
        InputError: no such folder, or the port is taken.
    """
    followed = Followed(folder)
    try:
        server = _Server(followed, address, port)
    except OSError as error:
        raise InputError(
            f"port {port} of {address} cannot be had: {error.strerror}; choose another with "
            "--port, or --port 0 for any that is free"
        ) from None
    with server:
        print(f"{folder} is at http://{server.place}:{server.port}/ until Ctrl-C", flush=True)
        server.serve_forever()


def loopback(text: str) -> str:
    """Return the address that an option names, if it is one that only this machine reaches."""
    address = "127.0.0.1" if text == "localhost" else text
    try:
        is_ours = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_ours = False
    if not is_ours:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no loopback address: the page is for this machine alone; from another, "
            f"ssh -L {PORT}:127.0.0.1:{PORT} leads to it"
        )
    return address


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow serve",
        description="Show a folder of results as a local page that follows a running sweep.",
        epilog="example: spinflow serve out/run",
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("out/run"),
        help="folder of the results (default %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=whole(0, 65535),
        default=PORT,
        help="port of this machine; 0 takes any that is free (default %(default)s)",
    )
    parser.add_argument(
        "--address",
        type=loopback,
        default="127.0.0.1",
        help="loopback address (default %(default)s)",
    )
    options = parser.parse_args(arguments)
    return start.finish(lambda: serve(options.folder, options.address, options.port))


if __name__ == "__main__":
    sys.exit(main())
