"""SECDED: every single and double error of every code, what three do, and the description."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest

from spinflow.host.board.selftest import codes as selftest_codes
from spinflow.host.core.cells import CellMap, CellRates
from spinflow.host.core.coding import PLAIN, Coding, add_options, arguments, chosen
from spinflow.host.core.description import Block, Code, Stored, coded, memories_of, recoded
from spinflow.host.core.description.codes import check_bits, columns
from spinflow.host.core.errors import InputError
from spinflow.host.core.packing import bits_of, words_of
from spinflow.host.core.secded import counts_of, decode, decode_segments, encode, encode_segments
from spinflow.host.mtj.ecc import Secded
from spinflow.sim.emulator.memory import EmulatedMemory

# A code word alone, several with a shorter last one, and the widths that builds use.
CODES = [
    Code(1, 1), Code(3, 3), Code(8, 8), Code(11, 4), Code(16, 16), Code(26, 26), Code(32, 32),
    Code(64, 64), Code(50, 17), Code(120, 120), Code(128, 128),
]  # fmt: skip


def words(code: Code, count: int) -> np.ndarray:
    return np.random.default_rng(code.width).integers(0, 2, (count, code.data)).astype(np.uint8)


def places_of(code: Code, number: int) -> list[int]:
    """The stored bits of one code word."""
    data = range(number * code.word, min(code.data, (number + 1) * code.word))
    checks = range(code.data + number * code.check, code.data + (number + 1) * code.check)
    return [*data, *checks]


def spoilt(code: Code, errors: Sequence[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Random words and what is stored of them, with these bits of each wrong."""
    data = words(code, len(errors))
    stored = encode(code, data)
    for row, bits in enumerate(errors):
        stored[row, list(bits)] ^= 1
    return data, stored


@pytest.mark.parametrize("code", CODES, ids=str)
def test_columns(code: Code) -> None:
    found = columns(code.word)
    assert len(found) == len(set(found)) == code.word
    assert all(column.bit_count() % 2 and column.bit_count() >= 3 for column in found)
    loads = [sum(column >> row & 1 for column in found) for row in range(code.check)]
    assert max(loads) - min(loads) <= 1
    assert code.check == check_bits(code.word) == Secded(code.word).check_bits


@pytest.mark.parametrize("code", CODES, ids=str)
def test_no_error_and_every_single_one(code: Code) -> None:
    data = words(code, 20)
    read = decode(code, encode(code, data))
    np.testing.assert_array_equal(read.bits, data)
    assert not read.corrected.any() and not read.detected.any()
    data, stored = spoilt(code, [(place,) for place in range(code.width)])
    read = decode(code, stored)
    np.testing.assert_array_equal(read.bits, data)
    assert not read.detected.any()
    for number in range(code.words):
        hit = np.isin(np.arange(code.width), places_of(code, number))
        np.testing.assert_array_equal(read.corrected[:, number], hit)
    counted = counts_of(read)
    assert (counted.read, counted.corrected) == (code.words * code.width, code.width)


@pytest.mark.parametrize("code", CODES, ids=str)
def test_every_double_error(code: Code) -> None:
    """Two in a code word are detected and left as they are; one in each of two are corrected."""
    for number in range(code.words):
        pairs = list(combinations(places_of(code, number), 2))
        _, stored = spoilt(code, pairs)
        read = decode(code, stored)
        assert read.detected[:, number].all()
        assert read.detected.sum() == len(pairs) and not read.corrected.any()
        np.testing.assert_array_equal(read.bits, stored[:, : code.data])
    apart = [
        (a, b)
        for one, other in combinations(range(code.words), 2)
        for a in places_of(code, one)
        for b in places_of(code, other)
    ]
    if apart:
        data, stored = spoilt(code, apart)
        np.testing.assert_array_equal(decode(code, stored).bits, data)


@pytest.mark.parametrize(("word", "wrong"), [(8, 220), (16, 1008), (32, 5452), (64, 33568)])
def test_three_errors_can_look_like_one(word: int, wrong: int) -> None:
    """How many of all triples make the decoder flip a fourth bit (docs/ecc.md); none is missed."""
    code = Code(word, word)
    triples = list(combinations(range(code.width), 3))
    stored = np.zeros((len(triples), code.width), np.uint8)
    np.put_along_axis(stored, np.array(triples), 1, axis=1)
    read = decode(code, stored)
    assert (read.corrected | read.detected).all()
    assert int(read.corrected.sum()) == wrong


def test_segments() -> None:
    code = Code.of(70, 32)
    assert (code.word, code.words, code.width) == (24, 3, 70 + 3 * 6)
    data = words(code, 9)
    segments = encode_segments(code, words_of(data))
    assert segments.shape == (9, 3)
    np.testing.assert_array_equal(bits_of(segments, code.width), encode(code, data))


@pytest.mark.parametrize("code", CODES, ids=str)
def test_what_the_self_test_spoils(code: Code) -> None:
    """One or two bits of each code word, each of them in its turn."""
    data = words(code, code.word + code.check)
    stored = encode(code, data)
    one, two = (decode(code, selftest_codes.spoilt(code, stored, errors)) for errors in (1, 2))
    np.testing.assert_array_equal(one.bits, data)
    assert one.corrected.all() and two.detected.all()
    turned = selftest_codes.spoilt(code, stored, 1) ^ stored
    assert turned.any(axis=0).all() and (turned.sum(axis=1) == code.words).all()


def test_segments_are_read_as_words_are() -> None:
    code = Code.of(70, 32)
    data, stored = spoilt(code, [(), (3,), (69,), (75,), (3, 40)])
    np.testing.assert_array_equal(decode_segments(code, words_of(stored)), words_of(data))
    with pytest.raises(ValueError, match=r"words of 88 bits expected, not of shape \(5, 2\)"):
        decode_segments(code, words_of(data)[:, :2])


def test_a_coded_memory_is_not_coded_again() -> None:
    (memory,) = memories_of([Stored("a", Block(64, 8).coded(Code(64, 32)))])
    assert Coding(buffers=32).codes([memory]) == {}
    with pytest.raises(InputError, match=r"a\.weights is coded in the bundle already"):
        Coding(weights=32).codes([memory])


def test_a_map_of_cells_is_refused() -> None:
    (memory,) = memories_of([Stored("a", Block(4, 2).coded(Code(4, 4)))])
    cells = np.zeros((2, 8), np.uint32)
    rates = CellRates(cells, cells, cells.astype(np.uint8))
    with pytest.raises(InputError, match=r"a\.weights has check bits"):
        CellMap("n", {"a.weights": rates}).check([memory], "n")
    with pytest.raises(InputError, match=r"a\.weights has check bits"):
        EmulatedMemory(memory).set_cells(rates)


def test_which_memories_are_coded() -> None:
    stored = [Stored("a", Block(64, 8), Block(4, 10)), Stored("b", Block(16, 4))]
    plain = memories_of(stored)
    codes = Coding(weights=32).codes(plain)
    assert codes == {"a.weights": Code(64, 32), "b.weights": Code(16, 16)}
    found = memories_of(coded(stored, codes))
    assert [memory.width for memory in found] == [64 + 2 * 7, 16 + 6, 4]
    assert [memory.data_width for memory in found] == [64, 16, 4]
    assert found[0].segments == 3 and found[1].base > found[0].base
    assert [memory.width for memory in recoded(plain, codes)] == [78, 22, 4]
    assert found[0].as_json()["code"] == {"scheme": "secded", "data": 64, "word": 32}
    assert "code" not in found[2].as_json()


def test_options_of_a_code_go_with_one() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert chosen(parser.parse_args([])) == PLAIN and not arguments(parser.parse_args([]))
    found = parser.parse_args(["--ecc", "secded", "--ecc-memories", "buffers"])
    assert chosen(found) == Coding(0, 64)
    assert chosen(parser.parse_args(arguments(found))) == Coding(0, 64)
    for words in (["--ecc-word", "32"], ["--ecc-memories", "all"]):
        with pytest.raises(InputError, match=f"^{words[0]} goes with --ecc secded$"):
            chosen(parser.parse_args(words))
