"""Sweeps on Dask clusters of real processes: the local file, or one line on what is wrong."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from spinflow.sim.sweep import main
from tests import processes
from tests.sim.clusters import REPOSITORY, Cluster, free_port

pytestmark = pytest.mark.slow

BUNDLE = REPOSITORY / "build" / "tfc-mnist"
SHORT = [
    *["--bundle", str(BUNDLE), "--images", "20", "--repeats", "4", "--memory", "weights"],
    *["--rates", "0.05", "0.1"],
]
# Trials that take long enough for something to happen meanwhile.
LONG = [
    *["--bundle", str(BUNDLE), "--images", "200", "--repeats", "15", "--on", "emulator"],
    *["--rates", "0.01", "0.1", "--memory", "weights", "buffers"],
]
FULL = os.environ.get("SPINFLOW_FULL") == "1"
full = pytest.mark.skipif(not FULL, reason="starts many processes: SPINFLOW_FULL=1 runs it")
PATIENT = ["--patience", "60"]

Undisturbed = Callable[[list[str]], bytes]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The file of a sweep in this process."""
    found: dict[str, bytes] = {}

    def file(options: list[str]) -> bytes:
        name = " ".join(options)
        if name not in found:
            folder = tmp_path_factory.mktemp("undisturbed")
            assert main([*options, "--workers", "1", "--out", str(folder)]) == 0
            found[name] = (folder / "results.csv").read_bytes()
        return found[name]

    return file


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with a worker that finds this repository, for tests that leave it as it is."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.add_worker()
        yield cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without workers."""
    with Cluster(tmp_path / "cluster") as running:
        yield running


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spinflow.sim.sweep", *map(str, arguments)]
    return processes.start(
        command, cwd=REPOSITORY, text=True, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


def rows_of(path: Path) -> int:
    return max(path.read_bytes().count(b"\n") - 1, 0) if path.exists() else 0


def wait_for_rows(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while rows_of(path) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.005)


def lines_of(process: subprocess.Popen[str]) -> list[str]:
    """What a sweep says that ends: its lines, without the bar."""
    text = process.communicate(timeout=120)[1]
    lines = [line.rpartition("\r")[2] for line in text.splitlines()]
    return [line for line in lines if line and "rows go to" not in line and "trials [" not in line]


def expect_one_line(process: subprocess.Popen[str], wanted: str) -> None:
    lines = lines_of(process)
    assert process.returncode == 1
    assert len(lines) == 1 and len(lines[0]) < 300, lines
    assert re.search(wanted, lines[0]), lines


def expect_it_goes_on(options: list[str], out: Path, whole: bytes) -> None:
    """What a sweep left is a beginning of the file, and the same sweep comes to the whole."""
    content = (out / "results.csv").read_bytes() if (out / "results.csv").exists() else b""
    assert whole.startswith(content) and content != whole
    assert main([*options, "--workers", "1", "--out", str(out)]) == 0
    assert (out / "results.csv").read_bytes() == whole


def test_a_cluster_gives_the_local_file(
    shared: Cluster, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    where = ["--scheduler", shared.address, *PATIENT]
    assert main([*SHORT, *where, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "results.csv").read_bytes() == undisturbed(SHORT)


@full
def test_two_sweeps_of_one_network_share_a_cluster(
    shared: Cluster, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The end of the first does not take the network from the second."""
    where = ["--scheduler", shared.address, *PATIENT]
    both = [start(*LONG, *where, "--out", tmp_path / "long"),
            start(*LONG[:-6], "--rates", "0.1", *where, "--repeats", "2",
                  "--on", "emulator", "--out", tmp_path / "short")]  # fmt: skip
    for process in both[::-1]:
        assert lines_of(process) == [] and process.returncode == 0
    assert (tmp_path / "long" / "results.csv").read_bytes() == undisturbed(LONG)


def listener(answer: bytes) -> Iterator[str]:
    """The address of a program that is no scheduler: it answers with this, or not at all."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        kept = []

        def serve() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                    kept.append(connection)
                    connection.sendall(answer)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("closed", "Connection refused"),
        pytest.param("silent", "does not speak as Dask does|Timed out", marks=full),
        pytest.param("web", "does not speak as Dask does|Unable to allocate|Timed out", marks=full),
        pytest.param("nonsense://x", "an address is tcp://HOST:PORT", marks=full),
        pytest.param("tcp://127.0.0.1", "an address is tcp://HOST:PORT", marks=full),
        pytest.param("tcp://no-host.invalid:8786", "not known|resolution|address", marks=full),
    ],
)
def test_what_is_no_scheduler_gets_one_line(tmp_path: Path, kind: str, line: str) -> None:
    servers = {"silent": listener(b""), "web": listener(b"HTTP/1.0 400 Bad Request\r\n\r\n")}
    server = servers.get(kind)
    address = next(server) if server else kind
    if kind == "closed":
        address = f"tcp://127.0.0.1:{free_port()}"
    process = start(*SHORT, "--scheduler", address, "--patience", "1", "--out", tmp_path / "out")
    expect_one_line(process, f"no Dask scheduler answers at {re.escape(address)}: .*({line})")
    assert not (tmp_path / "out").exists()


@full
def test_a_scheduler_without_workers_gets_one_line(cluster: Cluster, tmp_path: Path) -> None:
    where = ["--scheduler", cluster.address, "--patience", "3"]
    process = start(*SHORT, *where, "--out", tmp_path / "out")
    expect_one_line(process, "has no worker: start some with `dask worker")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=full)], ids=["dies", "hangs"]
)
def test_a_scheduler_that_is_gone_midway_gets_one_line(
    cluster: Cluster, undisturbed: Undisturbed, tmp_path: Path, how: signal.Signals
) -> None:
    cluster.add_worker()
    out = tmp_path / "out"
    process = start(*LONG, "--scheduler", cluster.address, *PATIENT[:1], "60", "--out", out)
    wait_for_rows(out / "results.csv", 3, process)
    os.kill(cluster.scheduler.pid, how)
    expect_one_line(process, "the Dask scheduler at tcp://.* is gone .*the same command goes on")
    expect_it_goes_on(LONG, out, undisturbed(LONG))


# --- workers that are not as this machine --------------------------------------------------------


def another_source(folder: Path, changed: str) -> Path:
    """A copy of what a worker imports, with one file changed."""
    for name in ("host", "sim", "model"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("zoo", "__pycache__")
        )
    shutil.copy(REPOSITORY / "spinflow.py", folder)
    assert (folder / changed).is_file()
    with open(folder / changed, "a") as file:
        file.write("\n# another\n")
    return folder


# What a worker says of itself, changed. (Dask runs such a file twice.)
PYTHON = """
import distributed.versions as versions
before = getattr(versions, "before", versions.get_system_info)
versions.before = before
versions.get_system_info = lambda: {**before(), "python": "3.9.2.final.0"}
"""
PACKAGE = """
from importlib import metadata
import distributed.versions as versions
before = getattr(metadata, "before", metadata.version)
metadata.before = before
metadata.version = versions.version = lambda name: "1.0.1" if name == "{name}" else before(name)
versions._version_cached.cache_clear()
"""


def test_a_worker_that_lacks_the_package_gets_one_line(cluster: Cluster, tmp_path: Path) -> None:
    worker = cluster.add_worker(path=None)
    process = start(*SHORT, "--scheduler", cluster.address, *PATIENT, "--out", tmp_path / "out")
    expect_one_line(
        process, r"the worker tcp://.* cannot import Spinflow \(No module named 'spinflow"
    )
    assert not (tmp_path / "out").exists()
    assert worker.poll() is None  # others may need it


@pytest.mark.parametrize(
    ("preload", "line"),
    [
        (PYTHON, r"the worker tcp://.* has Python 3\.9, this machine 3\."),
        *(pytest.param(PACKAGE.format(name=name), rf"has {name} 1\.0\.1, this machine ", marks=full)
          for name in ("numpy", "numba", "distributed")),
    ],
    ids=["Python", "numpy", "numba", "distributed"],
)  # fmt: skip
def test_a_worker_with_other_versions_gets_one_line(
    cluster: Cluster, tmp_path: Path, preload: str, line: str
) -> None:
    cluster.add_worker(preload=preload)
    process = start(*SHORT, "--scheduler", cluster.address, *PATIENT, "--out", tmp_path / "out")
    expect_one_line(process, line)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changed",
    [
        "model/networks/xnor.py",
        *(pytest.param(name, marks=full) for name in ("sim/kinds.py", "host/sweep/aging.py")),
    ],
)
def test_a_worker_with_another_source_gets_one_line(
    cluster: Cluster, tmp_path: Path, changed: str
) -> None:
    cluster.add_worker(path=another_source(tmp_path / "source", changed))
    process = start(*SHORT, "--scheduler", cluster.address, *PATIENT, "--out", tmp_path / "out")
    expect_one_line(process, "the worker tcp://.* runs another version of Spinflow")
    assert not (tmp_path / "out").exists()


@full
def test_a_worker_that_joins_late_works_if_it_is_alike_and_ends_the_sweep_if_not(
    cluster: Cluster, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    cluster.add_worker()
    out = tmp_path / "out"
    where = ["--scheduler", cluster.address, *PATIENT]
    process = start(*LONG, *where, "--out", out)
    wait_for_rows(out / "results.csv", 2, process)
    cluster.add_worker()
    assert lines_of(process) == [] and process.returncode == 0
    assert (out / "results.csv").read_bytes() == undisturbed(LONG)

    out = tmp_path / "other"
    source = another_source(tmp_path / "source", "model/networks.py")
    longer = [*LONG, "--repeats", "60"]
    process = start(*longer, *where, "--out", out)
    wait_for_rows(out / "results.csv", 2, process)
    cluster.add_worker(path=source, wait=False)
    expect_one_line(process, "the worker tcp://.* runs another version of Spinflow")
    assert rows_of(out / "results.csv") >= 2
    expect_it_goes_on(longer, out, undisturbed(longer))


# --- workers that die ----------------------------------------------------------------------------


def test_a_killed_worker_loses_nothing(
    cluster: Cluster, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    for _ in range(2):
        cluster.add_worker()
    process = start(*LONG, "--scheduler", cluster.address, *PATIENT, "--out", tmp_path / "out")
    wait_for_rows(tmp_path / "out" / "results.csv", 5, process)
    os.killpg(cluster.workers[0].pid, signal.SIGKILL)
    assert lines_of(process) == [] and process.returncode == 0
    assert (tmp_path / "out" / "results.csv").read_bytes() == undisturbed(LONG)


@full
def test_a_cluster_whose_workers_are_all_gone_gets_one_line(
    cluster: Cluster, undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add_worker()
    out = tmp_path / "out"
    patience = [*PATIENT[:1], "10"]
    process = start_impatient(*LONG, "--scheduler", cluster.address, *patience, "--out", out)
    wait_for_rows(out / "results.csv", 3, process)
    os.killpg(cluster.workers[0].pid, signal.SIGKILL)
    expect_one_line(process, "does not go on: no worker is left")
    expect_it_goes_on(LONG, out, undisturbed(LONG))


def start_impatient(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start a sweep that does not wait for workers to be started again."""
    code = (
        "import sys; from spinflow.sim.sweeps import cluster; cluster.RESTART_S = 1.0; "
        "from spinflow.sim.sweep import main; sys.exit(main(sys.argv[1:]))"
    )
    return processes.start(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY, text=True, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


HUNGRY = """
import spinflow.sim.sweep
import spinflow.sim.sweeps.workers
before = spinflow.sim.sweeps.workers.measure_some
kept = []
def hungry(*arguments):
    kept.append(bytearray(b"x" * (1 << 30)))
    import time; time.sleep(20)
    return before(*arguments)
spinflow.sim.sweeps.workers.measure_some = hungry
"""


@full
def test_workers_that_run_out_of_memory_get_one_line(
    cluster: Cluster, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The nanny ends a worker that takes more than it may, and so it ends the next."""
    cluster.add_worker("--memory-limit", "700MB", nanny=True, preload=HUNGRY)
    out = tmp_path / "out"
    process = start(*SHORT, "--scheduler", cluster.address, *PATIENT, "--out", out)
    expect_one_line(process, "workers at tcp://.* died of one trial, .*is there memory for it")
    expect_it_goes_on(SHORT, out, undisturbed(SHORT))


@full
def test_a_worker_that_is_paused_for_want_of_memory_does_not_hold_a_sweep_for_ever(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Above 80 % of its limit a worker starts nothing, and says so to the scheduler alone."""
    cluster.add_worker("--memory-limit", "10MB")
    patience = [*PATIENT[:1], "5"]
    process = start_impatient(
        *SHORT, "--scheduler", cluster.address, *patience, "--out", tmp_path / "out"
    )
    expect_one_line(process, "does not go on: all workers are paused, being short of memory")


# --- interruptions -------------------------------------------------------------------------------


def test_an_interrupted_sweep_says_so_and_leaves_the_cluster_as_it_was(
    shared: Cluster, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    for attempt in range(5):  # on a busy machine the sweep may be done before the signal is let go
        out = tmp_path / f"out{attempt}"
        process = start(*LONG, "--scheduler", shared.address, *PATIENT, "--out", out)
        wait_for_rows(out / "results.csv", 1, process)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        lines = lines_of(process)
        if process.returncode:
            break
    assert process.returncode == 130
    assert len(lines) == 1 and lines[0].startswith("spinflow: interrupted: "), lines
    assert shared.workers[0].poll() is None
    where = ["--scheduler", shared.address, *PATIENT]
    content = (out / "results.csv").read_bytes()
    assert undisturbed(LONG).startswith(content) and content.endswith(b"\n")
    assert main([*LONG, *where, "--out", str(out)]) == 0
    assert (out / "results.csv").read_bytes() == undisturbed(LONG)


# --- certificates --------------------------------------------------------------------------------


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority (ca), a certificate of it (own) and one of nobody's (other), each with a key."""
    folder = tmp_path_factory.mktemp("certificates")
    new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "other"):
        files = ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
        openssl(*new, "-x509", "-subj", f"/CN={name}", *files)
    request = folder / "own.csr"
    openssl(*new, "-subj", "/CN=own", "-keyout", folder / "own.key", "-out", request)
    openssl(
        *["x509", "-req", "-in", request, "-out", folder / "own.pem", "-days", "2"],
        *["-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial"],
    )
    locked = ["rsa", "-aes128", "-passout", "pass:secret", "-in", folder / "own.key"]
    openssl(*locked, "-out", folder / "locked.key")
    (folder / "empty.pem").write_text("")
    return folder


def tls(folder: Path, ca: str = "ca", cert: str = "own", key: str = "own") -> list[str]:
    return [
        *["--tls-ca-file", str(folder / f"{ca}.pem"), "--tls-cert", str(folder / f"{cert}.pem")],
        *["--tls-key", str(folder / f"{key}.key")],
    ]


def test_a_cluster_with_certificates(
    certificates: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    with Cluster(tmp_path / "cluster", tls(certificates)) as cluster:
        assert cluster.address.startswith("tls://")
        cluster.add_worker()
        where = ["--scheduler", cluster.address]
        options = [*SHORT, *where, *PATIENT, *tls(certificates), "--out", str(tmp_path / "out")]
        assert main(options) == 0
        assert (tmp_path / "out" / "results.csv").read_bytes() == undisturbed(SHORT)
        wrongs = [
            [*where, *tls(certificates, "other")],  # of the cluster's authority we know nothing
            [*where, *tls(certificates, "ca", "other", "other")],  # and it nothing of ours
            ["--scheduler", cluster.address.replace("tls", "tcp")],
        ]
        for wrong in wrongs if FULL else wrongs[:1]:
            process = start(*SHORT, *wrong, "--patience", "5", "--out", tmp_path / "no")
            expect_one_line(process, "no Dask scheduler answers at t..://127.0.0.1")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda options: options[2:], "--tls-ca-file is missing"),
        (lambda options: options[:2], "--tls-cert is missing"),
        (lambda options: options[:4], "--tls-key is missing"),
        (lambda options: [*options[:1], "/no/ca.pem", *options[2:]],
         "--tls-ca-file /no/ca.pem: No such file"),
        (lambda options: [*options[:5], "/no/own.key"], "--tls-key /no/own.key: No such file"),
        (lambda options: [*options[:5], "/"], "--tls-key /: Is a directory"),
        (lambda options: [o.replace("ca.pem", "empty.pem") for o in options], "no certificate"),
        (lambda options: [o.replace("own.pem", "empty.pem") for o in options],
         "no certificate and its key in PEM"),
        (lambda options: [o.replace("own.pem", "other.pem") for o in options],
         "no certificate and its key in PEM"),
        (lambda options: [o.replace("own.key", "locked.key") for o in options],
         "no certificate and its key in PEM without a password"),
    ],
)  # fmt: skip
def test_certificates_that_are_none_get_one_line(
    certificates: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    change: Callable[[list[str]], list[str]], line: str,
) -> None:  # fmt: skip
    where = ["--scheduler", "tls://127.0.0.1:8786", "--out", str(tmp_path / "out")]
    assert main([*SHORT, *where, *change(tls(certificates))]) == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and line in text and len(text) < 300 + len(str(certificates)) * 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", [[], ["--scheduler", "tcp://127.0.0.1:8786"]])
def test_certificates_without_tls_get_one_line(
    certificates: Path, capsys: pytest.CaptureFixture[str], where: list[str]
) -> None:
    assert main([*SHORT, *where, *tls(certificates)]) == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "it goes with --scheduler tls://" in text
