"""Predicted writes: the same bits and counters as the emulator's, in every mode."""

from __future__ import annotations

import numpy as np
import pytest

from spinflow.host.core import memory as writes
from spinflow.host.core.memory import Counts, Errors
from spinflow.host.core.packing import bits_of, count_ones, words_of
from spinflow.sim.emulator import Emulator
from tests.host.conftest import BUNDLE

SETTINGS = [
    Errors("off", 0, 0, 3),
    Errors("flip", 2**30, 2**20, 3),
    Errors("flip", 2**32 - 1, 0, 0xFFFFFFFF),
    Errors("switch", 2**28, 2**31, 5),
    Errors("switch", 0, 2**32 - 1, 6),
]


def counted(emulator: Emulator, memory: int) -> Counts:
    counts = emulator.counters(memory)
    return Counts(counts.written, counts.switched, counts.err1, counts.err0)


@pytest.mark.parametrize("errors", SETTINGS)
def test_weights_are_stored_and_counted_as_emulated(errors: Errors) -> None:
    emulator = Emulator(BUNDLE)
    words = emulator.weights(0)
    width = emulator.memories[0].width
    old = words_of(np.random.default_rng(1).integers(0, 2, (len(words), width)).astype(np.uint8))
    emulator.write_weights(0, old)
    emulator.clear()
    emulator.set_errors(0, errors.mode, errors.threshold1, errors.threshold0, errors.seed)
    emulator.write_weights(0, words)
    stored, counts = writes.weights(errors, bits_of(words, width), bits_of(old, width))
    assert np.array_equal(words_of(stored), emulator.read_weights(0))
    assert counts == counted(emulator, 0)


@pytest.mark.parametrize("errors", SETTINGS)
def test_a_buffer_passes_on_and_counts_as_emulated(errors: Errors) -> None:
    emulator = Emulator(BUNDLE)
    for index, memory in enumerate(emulator.memories):
        if memory.kind == "weights":
            emulator.write_weights(index, emulator.weights(index))
    buffer = next(i for i, memory in enumerate(emulator.memories) if memory.kind == "buffer")
    emulator.set_errors(buffer, errors.mode, errors.threshold1, errors.threshold0, errors.seed)
    emulator.soft_reset()
    with np.load(BUNDLE / "golden.npz") as golden:
        taps = emulator.run(golden["images"][:5])[1]
    cells = emulator.memories[buffer]
    passed, counts = writes.buffer(
        errors, taps["fc0"].reshape(-1, cells.width).astype(np.uint8), cells.depth
    )
    assert np.array_equal(passed.reshape(5, -1), taps["fc0.buffer"])
    assert counts == counted(emulator, buffer)


def test_a_turn_of_a_buffer_may_end_in_the_middle() -> None:
    # Three words through a buffer of two: the third comes to the place of the first.
    target = np.array([[1], [0], [0]], np.uint8)
    passed, counts = writes.buffer(Errors("switch", 0, 2**32 - 1, 1), target, 2)
    assert passed.tolist() == [[1], [0], [1]]
    assert counts == Counts(written=3, switched=2, err1=0, err0=1)


def test_draws_go_on_over_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    bits = np.random.default_rng(2).integers(0, 2, (50, 7)).astype(np.uint8)
    errors = Errors("flip", 2**31, 2**30, 9)
    whole = errors.hits(bits, 11)
    monkeypatch.setattr(writes, "_BITS_AT_ONCE", 13)
    assert np.array_equal(errors.hits(bits, 11), whole)
    assert np.array_equal(errors.hits(bits[1:], 18), whole[1:])


def test_bits_and_words_are_two_forms_of_the_same() -> None:
    words = np.array([[0x80000001, 0x5], [0, 0x2]], np.uint32)
    bits = bits_of(words, 35)
    assert np.flatnonzero(bits[0]).tolist() == [0, 31, 32, 34]
    assert np.flatnonzero(bits[1]).tolist() == [33]
    assert np.array_equal(words_of(bits), words)
    assert count_ones(words) == 5
