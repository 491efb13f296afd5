"""The results file: whole rows only, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spinflow.host.core.errors import ResultsError
from spinflow.host.sweep.results import COLUMNS, Key, ResultsFile, read
from tests import processes
from tests.host.rows import row

IDENTITY = row().key.identity
REPOSITORY = Path(__file__).parents[2]

# Appends the rows of repeats 0 to n - 1 that are missing, as a sweep does.
WRITER = """
import sys
from pathlib import Path
from spinflow.host.sweep.results import ResultsFile
from tests.host.rows import row
with ResultsFile(Path(sys.argv[1]), row().key.identity) as results:
    print("open", flush=True)
    for repeat in range(int(sys.argv[2])):
        if row(repeat=repeat).key not in results:
            results.append(row(repeat=repeat, energy_j=repeat / 7))
"""


def writer(path: Path, rows: int) -> subprocess.Popen[str]:
    return processes.start(
        [sys.executable, "-c", WRITER, str(path), str(rows)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_first_columns_are_the_promised_ones() -> None:
    promised = (
        "network, memory, mode, rate, background, repeat, seed, images, accuracy, bits_written, "
        "errors, energy_j, cycles, build_id"
    )
    assert ", ".join(COLUMNS).startswith(promised)


def test_rows_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.csv"
    rows = [row(repeat=n, accuracy=1 / (n + 3), rate=2.0**-32 * n) for n in range(5)]
    with ResultsFile(path, IDENTITY) as results:
        for each in rows:
            results.append(each)
    assert read(path) == rows
    with ResultsFile(path, IDENTITY) as results:
        assert results.rows == rows
        assert rows[3].key in results
        assert row(repeat=99).key not in results


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY) as results:
        for repeat in range(3):
            results.append(row(repeat=repeat))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert len(read(path)) == 2  # a reader counts whole rows only
    with ResultsFile(path, IDENTITY) as results:
        assert len(results.rows) == 2
        results.append(row(repeat=2))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("length", [0, 1, 50])
def test_a_torn_header_is_written_again(tmp_path: Path, length: int) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY):
        pass
    header = path.read_bytes()
    path.write_bytes(header[:length])
    with ResultsFile(path, IDENTITY) as results:
        results.append(row())
    assert path.read_bytes() == header + row().line().encode()


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed_it_has_every_row_once(tmp_path: Path) -> None:
    path, count = tmp_path / "results.csv", 1500
    chance = random.Random(7)
    kills = 0
    while kills < 5 or not read(path):
        process = writer(path, count)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.02))
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        process.communicate()
        if len(read(path)) < count:
            kills += killed
        else:  # it came after the last row: that was no kill, and the next run needs rows to do
            path.unlink()
    process = writer(path, count)
    assert process.communicate()[1] == ""
    assert [each.repeat for each in read(path)] == list(range(count))
    assert [each.energy_j for each in read(path)] == [n / 7 for n in range(count)]


def test_a_full_disk_gives_one_line_and_leaves_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY) as results:
        results.append(row(repeat=0))
    size = path.stat().st_size
    # The system writes as much of a line as the limit leaves room for, as on a full disk.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ResultsFile(path, IDENTITY) as results:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + len(row().line()) * 3 // 2, limits[1]))
        try:
            with pytest.raises(ResultsError, match="could not be written") as caught:
                for repeat in range(1, 10):
                    results.append(row(repeat=repeat))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    written = read(path)
    assert [each.repeat for each in written] == list(range(len(written)))
    assert len(written) == 2
    assert path.read_bytes().endswith(b"\n")
    with ResultsFile(path, IDENTITY) as results:
        results.append(row(repeat=2))
    assert len(read(path)) == 3


def test_a_disk_without_room_for_the_header_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(ResultsError, match="could not be written"):
            ResultsFile(path, IDENTITY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b""


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(ResultsError, match="not a regular file"):
        ResultsFile(Path("/dev/full"), IDENTITY)


@pytest.mark.parametrize(
    "change",
    [
        {"network": "mlp-mnist"},
        {"build_id": 1},
        {"images": 100},
        {"image_set": "ba9876543210"},
        {"backend": "board"},
    ],
)
def test_results_of_something_else_are_refused_and_kept(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY) as results:
        results.append(row())
    content = path.read_bytes()
    with pytest.raises(ResultsError, match="holds results of tfc-mnist"):
        ResultsFile(path, row(**change).key.identity)
    assert path.read_bytes() == content


def test_other_columns_and_damaged_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("network,accuracy\ntfc-mnist,0.9\n")
    with pytest.raises(ResultsError, match="columns"):
        ResultsFile(path, IDENTITY)
    path.write_text("a photograph")
    with pytest.raises(ResultsError, match="not a results file"):
        ResultsFile(path, IDENTITY)
    header = ",".join(COLUMNS) + "\n"
    path.write_text(header + row().line().replace("0.93", "good"))
    with pytest.raises(ResultsError, match="line 2 is damaged"):
        ResultsFile(path, IDENTITY)
    path.write_text(header + row().line() + row().line())
    with pytest.raises(ResultsError, match="line 3 repeats the trial of line 2"):
        ResultsFile(path, IDENTITY)
    with pytest.raises(ResultsError, match="No such file"):
        read(tmp_path / "nothing.csv")


def test_two_sweeps_cannot_write_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY):
        process = writer(path, 1)
        assert "another sweep is writing" in process.communicate()[1]
    assert read(path) == []


def test_a_file_in_use_is_not_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY) as results:
        results.append(row())
        with pytest.raises(ResultsError, match=rf"another sweep .* process {os.getpid()}: "):
            ResultsFile(path, row(build_id=1).key.identity, aside=True)
        results.append(row(repeat=1))
    assert os.listdir(tmp_path) == ["results.csv"] and len(read(path)) == 2


@pytest.mark.parametrize("what", ["removed", "replaced", "changed"])
def test_a_file_that_is_no_longer_ours_is_not_written_to(tmp_path: Path, what: str) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY) as results:
        results.append(row())
        content = path.read_bytes()
        if what != "changed":
            path.rename(tmp_path / "elsewhere.csv")
        if what != "removed":
            path.write_bytes(content[:-1])
        with pytest.raises(ResultsError, match=f"was {what}"):
            results.append(row(repeat=1))
        assert len(results.rows) == 1


def test_a_sweep_that_comes_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "results.csv"
    with pytest.raises(ZeroDivisionError), ResultsFile(path, IDENTITY):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
    with pytest.raises(ZeroDivisionError), ResultsFile(path, IDENTITY) as results:
        results.append(row())
        raise ZeroDivisionError
    assert read(path) == [row()]


def test_a_folder_that_cannot_be_written_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot be opened"):
        ResultsFile(tmp_path / "file" / "results.csv", IDENTITY)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "change", [{"network": "mlp-mnist"}, {"build_id": 1}, {"backend": "evaluator"}]
)
def test_results_of_another_sweep_can_be_set_aside(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "results.csv"
    old = row()
    for number in range(2):
        with ResultsFile(path, IDENTITY) as results:
            results.append(old)
        with ResultsFile(path, IDENTITY, aside=True) as results:
            assert results.moved is None and results.rows == [old]
        with ResultsFile(path, row(**change).key.identity, aside=True) as results:
            assert results.rows == [] and results.moved is not None
            assert read(results.moved) == [old]
        assert len(os.listdir(tmp_path)) == number + 2  # an earlier one is not overwritten
        path.unlink()


def test_results_of_another_grid_are_refused_or_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    with ResultsFile(path, IDENTITY) as results:
        results.append(row())
        results.append(row(rate=0.02))
    content = path.read_bytes()

    def wanted(key: Key) -> bool:
        return key.rate == 0.01

    with pytest.raises(ResultsError, match=r"1 rows of another grid, the first of .* rate 0\.02"):
        ResultsFile(path, IDENTITY, wanted)
    assert path.read_bytes() == content
    with ResultsFile(path, IDENTITY, wanted, aside=True) as results:
        assert results.moved is not None and results.moved.read_bytes() == content
    assert read(path) == []


def test_results_of_another_version_can_be_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    header = ",".join(COLUMNS[:23]) + "\n"
    path.write_text(header)
    with pytest.raises(ResultsError, match="not those of this version"):
        ResultsFile(path, IDENTITY)
    with ResultsFile(path, IDENTITY, aside=True) as results:
        assert results.moved is not None and results.moved.read_text() == header
    path.write_text("a photograph\n")
    with pytest.raises(ResultsError, match="its columns are not those"):
        ResultsFile(path, IDENTITY, aside=True)
    assert path.read_text() == "a photograph\n"
