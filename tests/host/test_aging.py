"""Retention and read disturb: rates of the model, flips of stored bits, columns of the results."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.__main__ import main
from spinflow.host.core.bundle import Bundle, MemoryInfo
from spinflow.host.core.errors import InputError
from spinflow.host.mtj.models import named
from spinflow.host.mtj.reliability import read_disturb_rate
from spinflow.host.sweep.aging import Aging, aged
from spinflow.host.sweep.operating_point import aging_of, point_of_rate, point_of_write_condition
from spinflow.host.sweep.results import read
from tests.host.conftest import BUNDLE
from tests.hw.models import word as stream_word

MEMORY = MemoryInfo(3, "fc0.weights", "weights", 0, 40, 3000, "", 2, 0, 8)


def words(bit: int) -> np.ndarray:
    return np.broadcast_to(bit * MEMORY.segment_masks, (MEMORY.depth, 2)).astype(np.uint32)


def ones(array: np.ndarray) -> int:
    return int(np.unpackbits(array.view(np.uint8)).sum())


def test_retention_turns_both_states_over_and_reads_one() -> None:
    bits = MEMORY.depth * MEMORY.width
    for bit in (0, 1):
        old = words(bit)
        turned = ones(old ^ aged(MEMORY, old, Aging(1.0, turned=0.1), 1, 0))
        assert abs(turned - 0.1 * bits) < 5 * math.sqrt(0.09 * bits)
        disturbed = ones(old ^ aged(MEMORY, old, Aging(reads=1, disturbed0=0.1), 1, 0))
        assert (disturbed > 0) == (bit == 0)


def test_bits_turn_over_by_the_draws_that_are_documented() -> None:
    old = words(1)
    found = old ^ aged(MEMORY, old, Aging(1.0, turned=0.25), 9, 4)
    seed = stream_word(9 ^ 0x8E7E0000, 64 * 4 + MEMORY.index)
    for word, bit in ((0, 0), (0, 39), (1, 3), (2999, 33)):
        position = 2 * (word * MEMORY.width + bit)
        high, low = stream_word(seed, position), stream_word(seed, position + 1)
        hit = (high << 32 | low) < 2**62
        assert bool(found[word, bit // 32] >> (bit % 32) & 1) == hit


def test_small_probabilities_are_not_rounded_away() -> None:
    old = words(0)
    assert np.array_equal(aged(MEMORY, old, Aging(1.0, turned=1e-30), 1, 0), old)
    hits = [ones(aged(MEMORY, old, Aging(1.0, turned=1e-5), seed, 0)) for seed in range(20)]
    assert abs(sum(hits) - 24) < 5 * math.sqrt(24)


def test_rates_are_those_of_the_model() -> None:
    point = point_of_rate(1e-3)
    tau = 1e-9 * math.exp(40)
    assert aging_of(point, 1e6, 0).turned == pytest.approx(1e6 / tau, rel=1e-2)
    # Long after the time constant a cell is in either state.
    assert aging_of(point, 1e12, 0).turned == pytest.approx(0.5)
    aging = aging_of(point, 0.0, 1000, delta=60.0, read_voltage_v=-0.05, read_pulse_s=2e-9)
    junction = named("fokker-planck", delta=60.0)
    expected = read_disturb_rate(junction, 0.05, 2e-9, 1000, 1)  # type: ignore[arg-type]
    assert aging.disturbed1 == pytest.approx(float(expected), rel=1e-9)
    assert aging.disturbed0 < aging.disturbed1
    assert not aging_of(point, 0.0, 0)


def test_a_macrospin_ages_as_itself() -> None:
    point = point_of_write_condition("fokker-planck:pulse=3ns,delta=30")
    assert aging_of(point, 1.0, 0).delta == 30.0
    with pytest.raises(InputError, match="whose own is 30"):
        aging_of(point, 1.0, 0, delta=40.0)


@pytest.mark.slow
def test_a_sweep_ages_its_weights_and_says_so(tmp_path: Path, bundle: Bundle) -> None:
    command = ["sweep", "--bundle", str(BUNDLE), "--images", "20", "--repeats", "2"]
    command += ["--rates", "0", "0.01", "--retention-s", "0", "1e7", "--memory", "weights"]
    command += ["fc0.buffer", "--background", "zeros", "previous", "--out", str(tmp_path)]
    assert main(command) == 0
    rows = read(tmp_path / "results.csv")
    assert len(rows) == 2 * 2 * (2 * 2 + 1)
    bits = sum(memory.bits for memory in bundle.select("weights"))
    for row in rows:
        old = row.memory == "weights" and row.retention_s == 1e7
        assert (row.upsets > 0) == old
        assert (row.delta, row.turned > 0.01) == ((40.0, True) if old else (0.0, False))
        if old:
            assert abs(row.upsets - bits * row.turned) < 6 * math.sqrt(bits * row.turned)
            assert row.errors == 0 or row.rate > 0  # upsets are no write errors
        if old and row.rate == 0 and row.background == "previous" and row.repeat == 1:
            # What repeat 0 lost is what repeat 1 writes back.
            (first,) = (r for r in rows if r.key == row.key._replace(repeat=0))
            assert row.switched == first.upsets


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--memory", "buffers", "--reads", "5"], "retention and reads age weights only"),
        (["--retention-s", "-1"], "retention_s = -1.0: must be 0 or more"),
        (["--reads", "-1"], "reads = -1: must be 0 or more"),
        (["--reads", "1", "--delta", "-3"], "Delta is -3"),
        (["--reads", "1", "--read-pulse", "-3"], "valid: 0 s or more"),
    ],
)
def test_aging_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, options: list[str], line: str
) -> None:
    command = ["sweep", "--bundle", str(BUNDLE), "--images", "20", *options]
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert line in text and text.count("\n") == 1
    assert not (tmp_path / "out").exists()
