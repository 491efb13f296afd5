"""`spinflow serve`: what it gives and refuses, and a page that follows a sweep."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from spinflow.host.report import serve
from spinflow.host.report.report import summarise, write
from spinflow.host.sweep import under_way
from spinflow.host.sweep.results import ResultsFile, Row
from spinflow.host.sweep.under_way import UnderWay
from tests import processes
from tests.host.rows import row
from tests.host.test_report import ROWS, curve
from tests.page.chromium import Page

ROOT = Path(__file__).resolve().parents[2]


def results(folder: Path, rows: list[Row]) -> None:
    with ResultsFile(folder / "results.csv", rows[0].key.identity) as file:
        for each in rows:
            if each.key not in file:
                file.append(each)


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serve a folder in this process; gives the port."""
    server = serve._Server(serve.Followed(folder), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


Get = Callable[..., HTTPResponse]


@pytest.fixture
def get(tmp_path: Path) -> Iterator[Get]:
    folder = tmp_path / "run"
    results(folder, ROWS)
    write(summarise(ROWS), folder)
    (folder / "other.txt").write_text("not a file of results")
    (tmp_path / "results.csv").write_text("above the folder")
    (folder / "inner").mkdir()
    (folder / "inner" / "summary.json").write_text("{}")
    (folder / "inner" / "report.html").symlink_to("/etc/passwd")
    (folder / "linked").symlink_to(tmp_path)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "results.csv").write_text("hidden")
    with served(folder) as port:

        def ask(path: str, method: str = "GET", **headers: str) -> HTTPResponse:
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(method, path, headers=headers)
            return connection.getresponse()

        yield ask


def test_files_of_results_are_given_as_they_are(get: Get, tmp_path: Path) -> None:
    for name, kind in (("results.csv", "text/csv"), ("report.html", "text/html")):
        answer = get(f"/{name}")
        assert answer.read() == (tmp_path / "run" / name).read_bytes()
        assert answer.getheader("Content-Type", "").startswith(kind)
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert get("/inner/summary.json").read() == b"{}"
    head = get("/results.csv", "HEAD")
    assert int(head.getheader("Content-Length", "")) > 1000 and head.read() == b""


@pytest.mark.parametrize(
    "path",
    [
        "/../results.csv", "/%2e%2e/results.csv", "/..%2fresults.csv",
        "/inner/../../results.csv", "/inner/%2e%2e/%2e%2e/results.csv", "/etc/passwd",
        "//etc/passwd", "/inner/report.html", "/linked/results.csv", "/.hidden/results.csv",
        "/other.txt", "/inner", "/inner/", "/results.csv%00", "/%00", "/results.csv/",
        "/./results.csv", "/RESULTS.CSV", "/.progress.json",
    ],
)  # fmt: skip
def test_nothing_else_is_given(path: str, get: Get) -> None:
    answer = get(path)
    assert answer.status == 404
    assert b"root:" not in answer.read()


def test_another_name_of_this_machine_is_refused(get: Get) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1", ""):
        answer = get("/results.csv", Host=host)
        assert answer.status == 403 and b"network" not in answer.read()
    for method in ("POST", "PUT", "DELETE"):
        assert get("/", method).status == 501


def test_the_state_says_what_is_new(get: Get, tmp_path: Path) -> None:
    state = json.loads(get("/state").read())
    assert "tfc-mnist" in state["body"] and 'class="points"' in state["body"]
    assert state["progress"] == [
        {"words": "results.csv: no sweep is writing here", "done": None, "planned": None}
    ]
    assert json.loads(get(f"/state?since={state['version']}").read())["body"] is None
    results(tmp_path / "run", [*ROWS, row(repeat=7, rate=0.5, rate0=0.5)])
    later = json.loads(get(f"/state?since={state['version']}").read())
    assert later["version"] != state["version"] and ">0.5<" in later["body"]


def test_a_damaged_file_is_said_on_the_page(get: Get, tmp_path: Path) -> None:
    (tmp_path / "run" / "results.csv").write_text("<script>alert(1)</script>\n")
    body = json.loads(get("/state").read())["body"]
    assert "its columns are not those of this version" in body and "<script>alert" not in body


def test_how_far_a_sweep_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "_EVERY_S", 1e9)
    path = tmp_path / "results.csv"
    results(tmp_path, ROWS)
    followed = serve.Followed(tmp_path)
    note = under_way.Note(path)
    note(UnderWay(3, 10, 75.0, False))
    assert "no sweep is writing here" in followed.progress()[0]["words"]  # left by a killed one
    with open(path, encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert followed.progress() == [
            {"words": "results.csv: 3 of 10 trials, about 75 s left", "done": 3, "planned": 10}
        ]
        note(UnderWay(4, 10, 1.0, False))  # too soon: not written
        assert under_way.read(path) == UnderWay(3, 10, 75.0, False)
        for text in ("", "{}", "[1]", '{"done": -1, "planned": 2, "left_s": null, "is_bound": 1}'):
            (tmp_path / under_way.NAME).write_text(text)
            assert followed.progress()[0]["words"] == "results.csv: a sweep is writing here"
    note.close()
    assert sorted(os.listdir(tmp_path)) == ["results.csv"]


# --- the command ----------------------------------------------------------------------------------


def start(*words: str) -> subprocess.Popen[str]:
    return processes.start(
        ["env", "--default-signal=INT", sys.executable, "-m", "spinflow", "serve", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    process = start(str(tmp_path), "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r" is at http://127\.0\.0\.1:(\d+)/ until Ctrl-C", line)
    assert found, line
    with socket.create_connection(("127.0.0.1", int(found[1]))):  # even with a connection open
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "spinflow: interrupted\n")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--address", "0.0.0.0"], 2, "'0.0.0.0' is no loopback address"),
        (["--address", "192.168.2.1"], 2, "'192.168.2.1' is no loopback address"),
        (["--address", "example.org"], 2, "'example.org' is no loopback address"),
        (["--address", "::"], 2, "'::' is no loopback address"),
        (["--port", "65536"], 2, "a whole number from 0 to 65535 is expected"),
        (["nowhere"], 1, "nowhere: no such folder; give that of a sweep's --out"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = serve.main(words)
    except SystemExit as stop:
        found = int(stop.code or 0)
    assert found == status
    err = capsys.readouterr().err
    assert said in err and err.startswith("spinflow: ") and err.count("\n") == 1 and len(err) < 300


def test_a_port_that_is_taken_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert serve.main([str(tmp_path), "--port", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"spinflow: port {port} of 127.0.0.1 cannot be had: Address already in use; choose another "
        "with --port, or --port 0 for any that is free\n"
    )


def test_loopback_addresses_are_taken() -> None:
    for text, address in (("localhost", "127.0.0.1"), ("127.8.0.1", "127.8.0.1"), ("::1", "::1")):
        assert serve.loopback(text) == address


# --- the page -------------------------------------------------------------------------------------


def points(tab: Page) -> int:
    return int(tab.js("document.querySelectorAll('.canvas [data-point]').length"))


def test_the_page_follows_a_sweep(tab: Page, tmp_path: Path) -> None:
    with served(tmp_path) as port:
        tab.open(f"http://127.0.0.1:{port}/")
        assert "No finished row yet" in tab.js("document.body.innerText")
        first = curve({0.0: 0.95, 1e-3: 0.948})
        with ResultsFile(tmp_path / "results.csv", first[0].key.identity) as file:
            for each in first:
                file.append(each)
            under_way.Note(file.path)(UnderWay(10, 20, 60.0, False))
            words = "10 of 20 trials, about 60 s left"
            tab.wait(lambda: points(tab) == 2 and words in tab.js("live.innerText"))
            assert tab.js("document.querySelector('progress').value") == 10
            # What a reader chose outlives the rows that come.
            tab.choose("select[data-axis=x]", "saving")
            tab.click("th[data-sort=accuracy] button")
            tab.js("document.querySelector('select').dataset.mark = 'same'")
            for each in curve({1e-2: 0.94}) + curve({1e-2: 0.9}, memory="buffers"):
                file.append(each)
            tab.wait(lambda: points(tab) == 4)
        assert tab.js("document.querySelector('.canvas .title').textContent") == (
            "saved write energy [%]"
        )
        assert tab.js("document.querySelectorAll('.legend button').length") == 2
        assert tab.js("document.querySelectorAll('table.points').length") == 1
        assert tab.js("document.querySelector('td:nth-child(7)').textContent") == "90.00"
        assert "errors of 1e-3 in the weights" in tab.js("document.body.innerText")
        tab.wait(lambda: "no sweep is writing here" in tab.js("live.innerText"))
        asked = {address.partition("?")[0] for address in tab.requests}
        assert asked == {f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}/state"}
        assert not tab.problems
    tab.wait(lambda: "does not answer" in tab.js("live.innerText"))
    assert points(tab) == 4
