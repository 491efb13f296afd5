"""Files of cell maps and of faults: what was written is read, and what is wrong is one line."""

from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinflow.host.core import cell_files, faults
from spinflow.host.core.cells import CellMap, CellRates, rates_of, thresholds_of
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.errors import InputError
from spinflow.host.core.packing import words_of
from tests.fuzz import mutate

ENDS = st.sampled_from([0, 1, 2**24, 2**31, 2**32 - 2, 2**32 - 1])
THRESHOLDS = st.one_of(ENDS, st.integers(0, 2**32 - 1))


@st.composite
def maps(draw: st.DrawFn) -> CellMap:
    """A map of one to three small memories, mostly of few rates."""
    memories = {}
    for number in range(draw(st.integers(1, 3))):
        shape = draw(st.integers(1, 6)), draw(st.integers(1, 9))
        some = draw(st.lists(THRESHOLDS, min_size=1, max_size=3))
        cells = [
            draw(st.lists(values, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
            for values in (st.sampled_from(some), st.sampled_from(some), st.integers(0, 2))
        ]
        one, zero, stuck = (np.array(each).reshape(shape) for each in cells)
        memories[f"fc{number}.weights"] = CellRates(
            one.astype(np.uint32), zero.astype(np.uint32), stuck.astype(np.uint8)
        )
    text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
    return CellMap("some-network", memories, draw(text), "")


def same(one: CellMap, other: CellMap) -> bool:
    return one.digest == other.digest and all(
        np.array_equal(getattr(cells, name), getattr(other.memories[memory], name))
        for memory, cells in one.memories.items()
        for name in ("threshold1", "threshold0", "stuck")
    )


def infos(cell_map: CellMap) -> list[MemoryInfo]:
    return [
        MemoryInfo(number, name, "weights", number, cells.shape[1], cells.shape[0])
        for number, (name, cells) in enumerate(cell_map.memories.items())
    ]


CHECKS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@CHECKS
@given(found=maps())
def test_npz_is_read_as_it_was_written(tmp_path: Path, found: CellMap) -> None:
    path = tmp_path / "map.npz"
    cell_files.write(path, found)
    content = path.read_bytes()
    read = cell_files.read(path)
    assert same(found, read)
    assert (read.network, read.about) == (found.network, found.about)
    cell_files.write(path, read)
    assert path.read_bytes() == content


@CHECKS
@given(found=maps())
def test_csv_is_the_same_map(tmp_path: Path, found: CellMap) -> None:
    path = tmp_path / "map.csv"
    path.write_text("".join(cell_files.to_csv(found)), encoding="utf-8")
    assert same(found, cell_files.from_csv(path, found.network, infos(found), ""))


@given(st.lists(THRESHOLDS, min_size=1))
def test_rates_and_thresholds_are_one(values: list[int]) -> None:
    limits = np.array(values, np.uint32)
    assert np.array_equal(thresholds_of(rates_of(limits)), limits)


def test_rates_of_others_fit_in(tmp_path: Path) -> None:
    """float32 of another program, and faults of a block RAM: two bits that fall, one that is 1."""
    rates = np.array([[0.25, 0.0, 1.0]], np.float32)
    np.savez(tmp_path / "map.npz", **(GOOD | {"fc0.weights.rate1": rates}))
    cells = cell_files.read(tmp_path / "map.npz").memories["fc0.weights"]
    assert cells.threshold1.tolist() == cells.threshold0.tolist() == [[2**30, 0, 2**32 - 1]]
    assert not cells.stuck.any()
    path = tmp_path / "bram.csv"
    path.write_text(
        "memory,word,bit,rate1,rate0,stuck\nfc0.weights,0,1,1,0,\nfc0.weights,1,0,0.5,,\n"
        "fc0.weights,1,2,,,1\n"
    )
    memory = MemoryInfo(0, "fc0.weights", "weights", 0, 3, 2)
    cells = cell_files.from_csv(path, "n", [memory], "").memories["fc0.weights"]
    assert rates_of(cells.threshold1).tolist() == [[0, 1, 0], [0.5, 0, 0]]
    assert not cells.threshold0.any()
    assert cells.stuck.tolist() == [[0, 0, 0], [0, 0, 2]]


GOOD: dict[str, Any] = {"network": np.array("n"), "fc0.weights.rate1": np.zeros((2, 3))}
BAD_ARRAYS = [
    ({"fc0.weights.rate1": np.full((2, 3), 1.5)}, "not from 0 to 1"),
    ({"fc0.weights.rate1": np.full((2, 3), np.nan)}, "not from 0 to 1"),
    ({"fc0.weights.rate1": np.zeros(3)}, r"must be \(depth, width\)"),
    ({"fc0.weights.rate1": np.zeros((2, 3), np.int64)}, "must be <f4 or <f8"),
    ({"fc0.weights.threshold1": np.zeros((2, 3), np.uint32)}, "give one of them"),
    ({"fc0.weights.rate0": np.zeros((3, 2))}, "different shapes"),
    ({"fc0.weights.stuck": np.full((2, 3), 3, np.uint8)}, "must be 0, 1"),
    ({"fc1.weights.rate0": np.zeros((2, 3))}, "neither rate1 nor threshold1"),
    ({"other": np.zeros((2, 3))}, "does not belong there"),
    ({"network": np.array("")}, "must name its network"),
    ({"network": np.array("a\nb")}, "must be one line"),
    ({"about": np.array("a" * 501)}, "must be one line of at most 500 characters"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_ARRAYS)
def test_a_wrong_npz_is_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "map.npz"
    np.savez(path, **GOOD)
    cell_files.read(path)
    np.savez(path, **(GOOD | changes))
    with pytest.raises(InputError, match=message) as caught:
        cell_files.read(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_no_map_is_written_that_is_not_read(tmp_path: Path) -> None:
    zeros = (np.zeros((2, 3), kind) for kind in (np.uint32, np.uint32, np.uint8))
    good = CellMap("n", {"fc0.weights": CellRates(*zeros)}, "a" * 500)
    path = tmp_path / "map.npz"
    wrong: list[dict[str, Any]] = [
        {"about": "a" * 501}, {"condition": "a\nb"}, {"network": "\x1b[2J"},
    ]  # fmt: skip
    for changes in wrong:
        with pytest.raises(InputError, match="one line of at most 500 characters expected"):
            cell_files.write(path, replace(good, **changes))
        assert not path.exists()
    cell_files.write(path, good)
    assert cell_files.read(path).about == good.about


HEAD = "memory,word,bit,rate1,rate0,stuck\n"
BAD_LINES = [
    ("memory,word\n", "line 1: the first line must be"),
    (HEAD, "no line of a cell"),
    (HEAD + "fc1.weights,0,0,1,1,\n", "line 2: there is no memory 'fc1.weights'"),
    (HEAD + "fc0.weights,2,0,1,1,\n", "line 2: word is '2'"),
    (HEAD + "fc0.weights,0,-1,1,1,\n", "line 2: bit is '-1'"),
    (HEAD + "fc0.weights,0,,1,1,\n", "line 2: bit is ''"),
    (HEAD + "fc0.weights,0,0,2,1,\n", "line 2: a rate is '2'"),
    (HEAD + "fc0.weights,0,0,nan,1,\n", "line 2: a rate is 'nan'"),
    (HEAD + "fc0.weights,0,0,1,1,2\n", "line 2: stuck is '2'"),
    (HEAD + "fc0.weights,0,0,1,1\n", "line 2: 5 cells"),
    (HEAD + "fc0.weights,0,0,1,1,\nfc0.weights,,,0,0,\n", "line 3: .*must come first"),
    (HEAD + "fc0.weights,,,1,1,\nfc0.weights,,,0,0,\n", "line 3: .*and once"),
    (HEAD + "fc0.weights,1,2,1,1,1\nfc0.weights,01,2,,,\n", "line 3: word 01, bit 2 .* before"),
    (HEAD + 'fc0.weights,0,0,"1,1,\n', "line"),
]


@pytest.mark.parametrize(("text", "message"), BAD_LINES)
def test_a_wrong_csv_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.csv"
    path.write_text(text)
    memory = MemoryInfo(0, "fc0.weights", "weights", 0, 3, 2)
    with pytest.raises(InputError, match=message) as caught:
        cell_files.from_csv(path, "n", [memory], "")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_map_of_other_memories_is_refused() -> None:
    shape = 2, 3
    cells = CellRates(*(np.zeros(shape, kind) for kind in (np.uint32, np.uint32, np.uint8)))
    found = CellMap("n", {"fc0.weights": cells})
    found.check([MemoryInfo(0, "fc0.weights", "weights", 0, 3, 2)], "n")
    for memory, network, message in (
        (MemoryInfo(0, "fc0.weights", "weights", 0, 3, 2), "m", "is of n, not of m"),
        (MemoryInfo(0, "fc1.weights", "weights", 0, 3, 2), "n", "has no fc1.weights"),
        (MemoryInfo(0, "fc0.weights", "weights", 0, 2, 3), "n", "2 words of 3 bits"),
    ):
        with pytest.raises(InputError, match=message):
            found.check([memory], network)


def test_a_file_that_changes_under_a_sweep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    np.savez(path, **GOOD)
    digest = cell_files.read(path).digest
    np.savez(path, **(GOOD | {"fc0.weights.rate1": np.ones((2, 3))}))
    with pytest.raises(InputError, match="was changed"):
        cell_files.read_again(path, digest)


def test_faults_are_replayed_where_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    memory = MemoryInfo(0, "fc0.weights", "weights", 0, 5, 7)
    target, stored = rng.integers(0, 2, (2, 7, 5), np.uint8)
    path = tmp_path / "faults.npz"
    faults.write(path, "n", [faults.faults_of(memory, target, stored)])
    network, found = faults.read(path)
    weights = {memory.name: words_of(target)}
    cells = faults.replayed(path, network, [memory], weights, found).memories["fc0.weights"]
    assert np.array_equal(np.where(cells.stuck, cells.stuck == 2, target), stored)
    assert np.array_equal(cells.stuck != 0, target != stored)


def test_no_fault_is_a_list_too(tmp_path: Path) -> None:
    memory = MemoryInfo(0, "fc0.weights", "weights", 0, 5, 7)
    bits = np.ones((7, 5), np.uint8)
    path = tmp_path / "faults.npz"
    faults.write(path, "n", [faults.faults_of(memory, bits, bits)])
    network, found = faults.read(path)
    weights = {memory.name: words_of(bits)}
    cells = faults.replayed(path, network, [memory], weights, found).memories[memory.name]
    assert cells.mean_rates == (0.0, 0.0) and cells.shape == (7, 5)


LIST: dict[str, Any] = {
    "network": np.array("n"),
    "memories": np.array(["fc0.weights"]),
    "memory": np.zeros(2, np.uint8),
    "cell": np.array([1, 4]),
    "write": np.zeros(2, np.int64),
    "target": np.array([0, 1], np.uint8),
    "stored": np.array([1, 0], np.uint8),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memories": np.array(["fc0.weights"] * 2)}, "a memory is named twice"),
        ({"memory": np.array([0, 1], np.uint8)}, "memory holds 1, which no name is for"),
        ({"stored": np.array([1, 1], np.uint8)}, "stored the other one"),
        ({"cell": np.array([1, 6])}, "is not below 6"),
        ({"cell": np.array([4, 4])}, "two faults"),
        ({"target": np.ones(2, np.uint8), "stored": np.zeros(2, np.uint8)}, "other weights"),
    ],
)
def test_a_list_that_is_none_of_the_weights_is_one_line(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Of another training the cells would be stuck at what is right there."""
    memory = MemoryInfo(0, "fc0.weights", "weights", 0, 3, 2)
    weights = {memory.name: words_of(np.array([[0, 0, 0], [0, 1, 0]], np.uint8))}
    path = tmp_path / "faults.npz"
    for lines, refused in (LIST, False), (LIST | changes, True):
        np.savez(path, **lines)
        with pytest.raises(InputError, match=message) if refused else nullcontext():
            faults.replayed(path, "n", [memory], weights, faults.read(path)[1])


def test_faults_that_no_map_can_say_are_refused(tmp_path: Path) -> None:
    memory = MemoryInfo(0, "fc0.buffer", "buffer", 0, 2, 3)
    words = np.zeros((7, 2), np.uint8)
    other = words.copy()
    other[[1, 4], [0, 1]] = 1
    path = tmp_path / "faults.npz"
    faults.write(path, "n", [faults.faults_of(memory, words, other)])
    network, found = faults.read(path)
    assert found[0].cell.tolist() == [2, 3] and found[0].write.tolist() == [1, 4]
    with pytest.raises(InputError, match="is a buffer"):
        faults.replayed(path, network, [memory], {}, found)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        faults.read(path)


@pytest.mark.parametrize("kind", ["npz", "csv", "faults"])
def test_damaged_files_are_one_line(tmp_path: Path, kind: str) -> None:
    """Bytes and lines changed at random: a map, or one line."""
    rng = random.Random(1)
    shape = 3, 4
    limits = np.arange(12, dtype=np.uint32).reshape(shape) << np.uint32(20)
    found = CellMap("n", {"fc0.weights": CellRates(limits, limits, np.eye(3, 4, dtype=np.uint8))})
    memory = MemoryInfo(0, "fc0.weights", "weights", 0, 4, 3)
    weights = {memory.name: words_of(np.ones(shape, np.uint8))}
    path = tmp_path / f"file.{kind}"
    if kind == "npz":
        cell_files.write(path, found)
    elif kind == "csv":
        path.write_text("".join(cell_files.to_csv(found)))
    else:
        bits = np.ones(shape, np.uint8)
        faults.write(path, "n", [faults.faults_of(memory, bits, np.eye(3, 4, dtype=np.uint8))])
    content, refused = path.read_bytes(), 0
    for _ in range(300):
        path.write_bytes(mutate.data(rng, content))
        try:
            if kind == "npz":
                cell_files.read(path).check([memory], "n")
            elif kind == "csv":
                cell_files.from_csv(path, "n", [memory], "")
            else:
                faults.replayed(path, "n", [memory], weights, faults.read(path)[1])
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 300
    assert refused > 100
