"""Every access of the driver is a whole word, each once and in order, on every PC."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from spinflow.host.board import window
from spinflow.host.board.driver import Accelerator
from spinflow.host.board.selftest import Selftest, read_golden
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import DeviceError
from spinflow.sim.board import Bus

Access = tuple[str, int, int]  # kind, address, strobe


class Recorder:
    """A window that takes nothing but index arrays, and notes each word as a board would see it."""

    def __init__(self, words: int) -> None:
        self.words = np.zeros(words, np.uint32)
        self.seen: list[tuple[str, int]] = []
        self.calls = 0

    def note(self, kind: str, key: object) -> None:
        assert isinstance(key, np.ndarray) and key.ndim == 1, f"{type(key)} as index"
        # Only of this type numpy takes its loop of aligned items without a copy of the indices.
        assert key.dtype == np.intp and key.flags.c_contiguous
        self.seen += [(kind, int(place)) for place in key]
        self.calls += 1

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint32]:
        self.note("read", key)
        return self.words[key]

    def __setitem__(self, key: Any, values: Any) -> None:
        self.note("write", key)
        assert values.dtype == np.uint32 and values.shape == key.shape and values.flags.c_contiguous
        self.words[key] = values


@pytest.mark.parametrize("count", [0, 1, 7, window.WORDS_AT_ONCE, 2 * window.WORDS_AT_ONCE + 3])
def test_words_go_one_by_one(count: int) -> None:
    rng = np.random.default_rng(count)
    recorder = Recorder(3 * count + 5)
    places = rng.permutation(len(recorder.words))[:count]
    words = rng.integers(0, 1 << 32, count, dtype=np.uint32)
    window.put(recorder, places, words)
    np.testing.assert_array_equal(window.get(recorder, places), words)
    assert recorder.seen == [(kind, int(p)) for kind in ("write", "read") for p in places]
    assert recorder.calls == 2 * -(-count // window.WORDS_AT_ONCE)


def test_shapes_and_order_of_rows() -> None:
    recorder = Recorder(64)
    places = np.array([[40, 41], [8, 9], [16, 17]], np.uint16)
    words = np.arange(12, dtype=np.uint32).reshape(3, 4)[:, ::2]  # not contiguous
    window.put(recorder, places, words)
    assert [place for _, place in recorder.seen] == [40, 41, 8, 9, 16, 17]
    np.testing.assert_array_equal(window.get(recorder, places), words)
    with pytest.raises(ValueError, match="5 words for 6 places"):
        window.put(recorder, places, np.arange(5, dtype=np.uint32))


@pytest.fixture
def accesses(monkeypatch: pytest.MonkeyPatch) -> list[Access]:
    """Every access that reaches the virtual board's bus, from here on."""
    seen: list[Access] = []
    read, write, write_part = Bus.read, Bus.write, Bus.write_part

    def noted_read(self: Bus, address: int, count: int, stride: int) -> npt.NDArray[Any]:
        seen.extend(("read", address + stride * n, 0xF) for n in range(count))
        return read(self, address, count, stride)

    def noted_write(self: Bus, address: int, values: npt.NDArray[Any], stride: int) -> None:
        seen.extend(("write", address + stride * n, 0xF) for n in range(len(values)))
        write(self, address, values, stride)

    def noted_part(self: Bus, address: int, word: int, strobe: int) -> None:
        seen.append(("write", address, strobe))
        write_part(self, address, word, strobe)

    monkeypatch.setattr(Bus, "read", noted_read)
    monkeypatch.setattr(Bus, "write", noted_write)
    monkeypatch.setattr(Bus, "write_part", noted_part)
    return seen


def addresses(bundle: Bundle, name: str, words: list[int]) -> list[int]:
    """Where the segments of some words of a memory are on the bus, lowest first in each word."""
    memory = bundle.memory(name)
    base = 0x4000_0000 + memory.base
    return [base + memory.stride * word + 4 * s for word in words for s in range(memory.segments)]


@pytest.mark.parametrize("name", ["fc0.weights", "fc1.weights"])
def test_weights_are_words_on_the_bus(
    accelerator: Accelerator, bundle: Bundle, accesses: list[Access], name: str
) -> None:
    """fc0's words leave a gap in their stride, fc1's fill it."""
    memory = bundle.memory(name)
    for chosen in None, [5, 0, 5, memory.depth - 1]:
        rows = list(range(memory.depth)) if chosen is None else chosen
        expected = addresses(bundle, name, rows)
        in_window = range(0x4000_2000, 0x4040_0000)  # behind the registers
        accesses.clear()
        accelerator.store(memory, bundle.weights[name][rows], chosen)
        stored = [access for access in accesses if access[1] in in_window]
        assert stored == [("write", address, 0xF) for address in expected]
        accesses.clear()
        found = accelerator.read_weights(name, chosen)
        np.testing.assert_array_equal(found, bundle.weights[name][rows])
        assert [one for one in accesses if one[1] in in_window] == [
            ("read", address, 0xF) for address in expected
        ]


def test_nothing_but_words(
    accelerator: Accelerator, bundle: Bundle, accesses: list[Access]
) -> None:
    """The whole self-test, which calls all that the driver has: aligned words only."""
    assert all(result.passed for result in Selftest(accelerator, read_golden(bundle)).results())
    assert len(accesses) > 1000
    assert {access for access in accesses if access[1] % 4 or access[2] != 0xF} == set()


def test_less_than_a_word_is_named(accelerator: Accelerator, bundle: Bundle) -> None:
    """Should a store have gone out in bytes, and its bus error been lost, STATUS still tells."""
    memory = bundle.memory("fc1.weights")
    array = accelerator._mmio.array
    with pytest.raises(OSError, match="less than a word"):
        array[memory.base // 4 : memory.base // 4 + 4] = 0
    with pytest.raises(DeviceError, match=r"less than a word .* \(STATUS.partial\)"):
        accelerator.store(memory, bundle.weights[memory.name])
    accelerator.store(memory, bundle.weights[memory.name])
