"""Files that somebody gave: only plain ones of a sensible size are read, whatever stands there."""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spinflow.host.core.errors import HostError, InputError, ResultsError
from spinflow.host.core.options import whole
from spinflow.host.core.reading import gunzipped, read_bytes, read_json, read_text
from spinflow.host.core.text import one_line
from spinflow.host.report import report
from spinflow.host.sweep import statistics
from spinflow.host.sweep.results import COLUMNS, read
from tests.host.rows import row


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (lambda path: None, "No such file"),
        (Path.mkdir, "a folder, a plain file is expected"),
        (os.mkfifo, "a FIFO, a plain file is expected"),
        (lambda path: path.symlink_to("/dev/zero"), "a device or socket, a plain file"),
        (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
        (lambda path: path.write_bytes(bytes(11)), "more than 10 bytes"),
    ],
)
def test_what_is_no_file_of_its_kind(
    tmp_path: Path, put: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "file"
    put(path)
    with pytest.raises(ResultsError, match=message) as caught:
        read_bytes(path, 10, ResultsError)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_path_with_a_null_character() -> None:
    with pytest.raises(ValueError, match="it holds a null character"):
        read_bytes(Path("a\0b"), 10, ValueError)


def test_text_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"ab\xff")
    with pytest.raises(InputError, match=r"not a text in UTF-8 \(byte 2\)"):
        read_text(path, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged, not JSON"),
        ('{"a": NaN}', "NaN is not a number"),
        ("[1]", "a list, a JSON object is expected"),
        ('{"a":' * 100000, "damaged, not JSON"),
    ],
)
@pytest.mark.parametrize("kind", [InputError, ValueError])
def test_json_that_is_none(tmp_path: Path, text: str, message: str, kind: type[Exception]) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(kind, match=message) as caught:
        read_json(path, 1 << 20, kind)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_unpacks_to_more_than_its_kind_has(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 26)))
    with gunzipped(path, 1 << 26) as stream:
        assert len(stream.read()) == 1 << 26
    with (
        pytest.raises(InputError, match="unpacks to more than 1 MiB"),
        gunzipped(path, 1 << 20) as stream,
    ):
        stream.read()


def test_quoted_texts_are_one_line() -> None:
    assert one_line("a\nb\x1b[31m\ud800", 100) == "a b\\x1b[31m\\ud800"
    assert len(one_line("x" * 5000, 60)) <= 60
    with pytest.raises(Exception, match="a whole number from 1 to 9 is expected"):
        whole(1, 9)("1e3")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("accuracy", "inf", "accuracy is 'inf', a number from 0 to 1 is expected"),
        ("accuracy", "nan", "a number from 0 to 1 is expected"),
        ("images", "0", "images is '0', a whole number from 1"),
        ("energy_j", f"1{'0' * 400}", "energy_j is '1000"),
        ("mode", "$\\frac{$", "cannot be a mode"),
        ("errors", "7", "7 errors are not the sum of 300 on ones and 301 on zeros"),
        ("clock_mhz", "1_0", "clock_mhz is '1_0'"),
        ("rate", "1e-300", "the smallest rate of a register is 2\\^-32"),
    ],
)
def test_cells_that_cannot_be(tmp_path: Path, column: str, cell: str, message: str) -> None:
    cells = row().line().strip().split(",")
    cells[COLUMNS.index(column)] = cell
    path = tmp_path / "results.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{','.join(cells)}\n")
    with pytest.raises(ResultsError, match=message) as caught:
        read(path)
    assert "line 2 is damaged" in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("accuracy", [math.inf, math.nan, -0.1, 1.1])
def test_intervals_of_what_is_no_accuracy(accuracy: float) -> None:
    for function in (statistics.wilson_interval, lambda a, n: statistics.mean_interval([a, a], n)):
        with pytest.raises(HostError, match="must be from 0 to 1"):
            function(accuracy, 100)


def test_dollar_signs_in_a_picture_are_no_formula() -> None:
    rows = [
        row(rate=rate, rate0=rate, mode=mode) for rate in (0.0, 0.1) for mode in ("$\\frac{$", "b")
    ]
    assert "<svg" in report.page(report.summarise(rows))
