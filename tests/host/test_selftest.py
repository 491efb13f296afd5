"""The self-test: it passes on the virtual board, and each thing that is broken fails by name."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from spinflow.host.__main__ import main
from spinflow.host.board.driver import Accelerator
from spinflow.host.board.selftest import Golden, Result, Selftest, bench, read_golden
from spinflow.host.core.bundle import Bundle, load
from spinflow.host.core.errors import BundleError
from spinflow.host.sweep.statistics import binomial_range
from tests.host.conftest import BUNDLE
from tests.host.test_driver import board

LABELS = "golden vectors, labels"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose few words and images, so that a run is short and all choices are made."""
    monkeypatch.setattr(bench, "PATTERN_BITS", 3000)
    monkeypatch.setattr(bench, "ERROR_BITS", 1500)
    monkeypatch.setattr(bench, "CYCLES", 4000)


def check(bundle: Bundle, golden: Golden | None = None, full: bool = False) -> dict[str, Result]:
    with Accelerator(bundle, wait_s=5, check=False) as accelerator:
        found = list(Selftest(accelerator, golden or read_golden(bundle), full, seed=7).results())
    names = [result.name for result in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


def failed(results: dict[str, Result]) -> dict[str, str]:
    return {name: result.detail for name, result in results.items() if not result.passed}


@pytest.mark.parametrize("full", [False, True])
def test_the_virtual_board_passes(bundle: Bundle, few: None, full: bool) -> None:
    results = check(bundle, full=full)
    assert not failed(results)
    assert {"identity", "weights, patterns", "golden vectors, layers"} <= set(results)
    words = "all 59008 bits of 4 memories" if full else "a choice of words in 3 of 4 memories"
    assert words in results["weights, patterns"].detail
    assert results[LABELS].detail == ("32 of 32 images" if full else "15 of 32 images")
    with Accelerator(bundle) as after:
        assert {after.errors(m.name)[0] for m in bundle.memories} == {"off"}


def test_the_command_prints_a_table_and_a_verdict(
    few: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    report = tmp_path / "new" / "selftest.json"
    with pytest.raises(SystemExit):
        main(["selftest"])
    assert "one of the arguments bundle --bundle is required" in capsys.readouterr().err
    assert main(["selftest", "--bundle", str(BUNDLE), "--json", str(report)]) == 0
    lines = capsys.readouterr().out.splitlines()
    passed = [line for line in lines if line.startswith("PASS  ")]
    assert lines[0].startswith("tfc-mnist, build 0x")
    assert lines[-1] == f"selftest passed: {len(passed)} checks"
    assert len(passed) == len(lines) - 3  # the first, a note, the verdict
    written = json.loads(report.read_text())
    assert written["passed"] and not written["full"] and written["backend"] == "rtl"
    assert [found["name"] for found in written["checks"]] == [
        line[6:34].rstrip() for line in passed
    ]


def test_what_a_device_cannot_show_is_left_out(
    bundle: Bundle, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Accelerator, "taps", None)
    results = check(bundle)
    assert not failed(results)
    assert "golden vectors, layers" not in results and LABELS in results


# Broken bundles


def test_another_build_fails_and_nothing_more_is_asked(
    few: None, changed_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed_bundle(lambda d: d.update(build_id=d["build_id"] ^ 1))
    assert main(["selftest", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines[1:4]] == ["PASS", "PASS", "FAIL"]
    assert lines[3].startswith("FAIL  build id") and "expected" in lines[3]
    assert lines[-1] == "FAILED: 1 of 3"


def test_other_memories_fail_and_nothing_more_is_asked(
    few: None, bundle: Bundle, changed_bundle: Callable[..., Path]
) -> None:
    depth = bundle.memory("fc1.buffer").depth
    results = check(load(changed_bundle(lambda d: d["memories"][5].update(depth=depth - 1))))
    expected = f"DEPTH of fc1.buffer reads {depth}, {depth - 1} expected"
    assert failed(results) == {"facts of the memories": expected}
    assert list(results)[-1] == "facts of the memories"


def test_a_wrong_golden_label_fails(
    few: None, changed_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed_bundle()
    with np.load(folder / "golden.npz") as stored:
        arrays = dict(stored)
    right = int(arrays["labels"][0])
    arrays["labels"][0] = (right + 1) % 10
    np.savez(folder / "golden.npz", **arrays)
    described = json.loads((folder / "accel.json").read_text())
    content = (folder / "golden.npz").read_bytes()
    described["files"]["golden.npz"] = hashlib.sha256(content).hexdigest()
    (folder / "accel.json").write_text(json.dumps(described))
    assert main(["selftest", str(folder)]) == 1
    output = capsys.readouterr().out
    assert f"labels differ, first image 0: {right} found, {(right + 1) % 10} expected" in output
    wrong = [line for line in output.splitlines() if line.startswith("FAIL  ")]
    names = {line[6:34].rstrip() for line in wrong}
    assert names == {LABELS, "transfers", "labels at the end"}
    assert output.splitlines()[-1].startswith("FAILED: 3 of ")


def test_a_wrong_golden_layer_fails_by_its_name(bundle: Bundle, few: None) -> None:
    golden = read_golden(bundle)
    edges = {name: values.copy() for name, values in golden.edges.items()}
    edges["fc1"][2, 17] ^= 1
    wrong = failed(check(bundle, replace(golden, edges=edges)))
    assert set(wrong) == {"golden vectors, layers"}
    assert "fc1: 1 of 192 elements differ, first image 2 element 17" in wrong.popitem()[1]


def test_a_bundle_without_golden_vectors_is_refused(
    changed_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = changed_bundle(lambda described: described["files"].pop("golden.npz"))
    with pytest.raises(BundleError, match=r"accel\.json does not list golden\.npz in its files"):
        read_golden(load(folder))
    assert main(["selftest", str(folder)]) == 1
    assert capsys.readouterr().err.startswith("spinflow: ")


GOLDEN: list[tuple[dict[str, Any], str]] = [
    ({"labels": np.full(32, 10, np.uint8)}, "labels holds 10: all must be below 10"),
    ({"labels": np.zeros(31, np.uint8)}, "it must be uint8, uint16 or uint32 of shape (32)"),
    ({"images": np.zeros((32, 783), np.uint8)}, "it must be uint8 of shape (n, 784)"),
    ({"images": np.zeros((0, 784), np.uint8)}, "it must be uint8 of shape (n, 784)"),
    ({"edge.fc0": np.full((32, 64), 2, np.uint8)}, "edge.fc0 holds 2 to 2: it must be of 1 bits"),
    ({"edge.fc1": np.zeros((32, 64))}, "edge.fc1 is <f8 of shape (32, 64)"),
    ({"edge.fc9": np.zeros(1)}, "'edge.fc9.npy', which does not belong there"),
    ({"labels": np.array([print], object)}, "holds objects, which are never loaded"),
]


@pytest.mark.parametrize(("arrays", "line"), GOLDEN, ids=[line for _, line in GOLDEN])
def test_golden_vectors_of_another_network_are_refused(
    changed_bundle: Callable[..., Path], arrays: dict[str, Any], line: str
) -> None:
    folder = changed_bundle()
    with np.load(folder / "golden.npz") as stored:
        np.savez(folder / "golden.npz", **{**stored, **arrays})
    described = json.loads((folder / "accel.json").read_text())
    content = (folder / "golden.npz").read_bytes()
    described["files"]["golden.npz"] = hashlib.sha256(content).hexdigest()
    (folder / "accel.json").write_text(json.dumps(described))
    with pytest.raises(BundleError) as caught:
        read_golden(load(folder))
    assert str(caught.value).startswith(str(folder / "golden.npz"))
    assert line in str(caught.value)


# Broken hardware: the virtual board's slave is made to lie.

Read = Callable[[int, int, int], npt.NDArray[np.uint32]]


@pytest.fixture
def faulty(
    bundle: Bundle, few: None, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, str]]:
    """Run the checks with another ``read`` or ``write`` of the slave; return what failed."""

    def run(
        read: Callable[[Read, int, int, int], Any] | None = None,
        write: Callable[[Any, int, npt.NDArray[np.uint32], int], None] | None = None,
    ) -> dict[str, str]:
        from spinflow.sim.board import AcceleratorSlave

        right_read, right_write = AcceleratorSlave.read, AcceleratorSlave.write
        with monkeypatch.context() as patch:
            if read is not None:
                patch.setattr(
                    AcceleratorSlave,
                    "read",
                    lambda slave, offset, count, stride: read(
                        lambda *at: right_read(slave, *at), offset, count, stride
                    ),
                )
            if write is not None:
                patch.setattr(
                    AcceleratorSlave,
                    "write",
                    lambda slave, offset, values, stride: write(
                        lambda *at: right_write(slave, *at), offset, values, stride
                    ),
                )
            return failed(check(bundle))

    return run


def register(bundle: Bundle, memory: str, name: str) -> int:
    return bundle.registers.of_memory(bundle.memory(memory).index, name)


def test_a_cell_that_is_stuck_is_named(bundle: Bundle, faulty: Callable[..., Any]) -> None:
    place = bundle.memory("fc1.weights").base + 4 * 255  # the last word is always among the chosen

    def stuck(read: Read, offset: int, count: int, stride: int) -> Any:
        words = read(offset, count, stride)
        at = offset + stride * np.arange(count) == place
        return np.where(at, words | 1 << 9, words).astype(np.uint32)

    wrong = faulty(read=stuck)
    assert "fc1.weights: 1 of " in wrong["weights, patterns"]
    assert "first word 255 in bit 9" in wrong["weights, patterns"]
    assert not any(name.startswith(("golden", "buffers")) for name in wrong)


def test_a_weight_that_is_written_wrong_is_found(
    bundle: Bundle, faulty: Callable[..., Any]
) -> None:
    place = bundle.memory("fc2.weights").base

    def flipped(write: Any, offset: int, values: Any, stride: int) -> None:
        at = offset + stride * np.arange(len(values)) == place
        write(offset, np.where(at, values ^ 1, values).astype(np.uint32), stride)

    wrong = faulty(write=flipped)
    assert (
        "fc2.weights: 1 of 187 words differ, first word 0 in bit 0" in wrong["weights, as trained"]
    )


@pytest.mark.parametrize(("word", "other"), [(1, 64), (64, 1)])
def test_a_weight_written_to_two_places_is_found(
    bundle: Bundle, faulty: Callable[..., Any], word: int, other: int
) -> None:
    base = bundle.memory("fc1.weights").base

    def twice(write: Any, offset: int, values: Any, stride: int) -> None:
        for number in range(len(values)):
            value = values[number : number + 1]
            write(offset + stride * number, value, stride)
            if offset + stride * number == base + 4 * word:
                write(base + 4 * other, value, stride)

    wrong = faulty(write=twice)
    assert "fc1.weights" in wrong["weights, patterns"]


def test_a_register_with_a_dead_bit_is_named(bundle: Bundle, faulty: Callable[..., Any]) -> None:
    place = register(bundle, "fc2.buffer", "RATE0")

    def dead(write: Any, offset: int, values: Any, stride: int) -> None:
        write(offset, values & ~np.uint32(1 << 5) if offset == place else values, stride)

    wrong = faulty(write=dead)
    assert "RATE0 of fc2.buffer reads" in wrong["configuration registers"]


def test_registers_that_answer_for_each_other_are_found(
    bundle: Bundle, faulty: Callable[..., Any]
) -> None:
    place = register(bundle, "fc0.weights", "SEED")
    other = register(bundle, "fc3.weights", "SEED")

    def alias(write: Any, offset: int, values: Any, stride: int) -> None:
        write(other if offset == place else offset, values, stride)

    assert "SEED of fc" in faulty(write=alias)["configuration registers"]


@pytest.mark.parametrize(
    ("memory", "name", "checks"),
    [
        ("fc1.weights", "ERR1_LO", {"weights, flip 0.25 / 0.01", "weights, patterns"}),
        ("fc0.buffer", "ERR0_LO", {"buffers, flip 0.02 / 0.1", "frames and cycles"}),
        ("fc2.buffer", "SWITCHED_LO", {"buffers, switch 0.3 / 0.05", "frames and cycles"}),
        ("fc1.buffer", "WRITTEN_HI", {"all buffers at once, flip", "all buffers at once, switch"}),
    ],
)
def test_a_counter_that_is_off_by_one_is_found(
    bundle: Bundle, faulty: Callable[..., Any], memory: str, name: str, checks: set[str]
) -> None:
    place = register(bundle, memory, name)

    def more(read: Read, offset: int, count: int, stride: int) -> Any:
        words = read(offset, count, stride)
        return words + np.uint32(1) if offset == place else words

    wrong = faulty(read=more)
    assert checks <= set(wrong)
    assert all(memory in wrong[name] for name in checks)


def test_another_random_stream_is_found(bundle: Bundle, faulty: Callable[..., Any]) -> None:
    # A flipped bit of the seed that is hidden when the register is read.
    place = register(bundle, "fc0.buffer", "SEED")

    def write(write: Any, offset: int, values: Any, stride: int) -> None:
        write(offset, values ^ np.uint32(1) if offset == place else values, stride)

    def read(read: Read, offset: int, count: int, stride: int) -> Any:
        words = read(offset, count, stride)
        return words ^ np.uint32(1) if offset == place else words

    wrong = faulty(read, write)
    assert set(wrong) == {"buffers, flip 0.02 / 0.1", "buffers, switch 0.3 / 0.05"}
    assert all("fc0.buffer counted" in detail for detail in wrong.values())


def test_frames_that_are_not_counted_are_found(bundle: Bundle, faulty: Callable[..., Any]) -> None:
    place = bundle.registers.globals["FRAMES_DONE"]

    def fewer(read: Read, offset: int, count: int, stride: int) -> Any:
        words = read(offset, count, stride)
        return words // 2 if offset == place else words

    wrong = faulty(read=fewer)
    assert "FRAMES_DONE reads 7, 15 images were run" in wrong["frames and cycles"]
    assert "FRAMES_DONE is 0 after an image" in wrong["clear and soft reset"]


def test_settings_that_are_taken_while_busy_are_found(
    bundle: Bundle, faulty: Callable[..., Any]
) -> None:
    place = bundle.registers.globals["STATUS"]
    refused = bundle.registers.field("STATUS", "refused", 1)

    def never(read: Read, offset: int, count: int, stride: int) -> Any:
        words = read(offset, count, stride)
        return words & ~np.uint32(refused) if offset == place else words

    wrong = faulty(read=never)
    assert set(wrong) == {"settings while busy"}
    assert "STATUS.refused is 0 after SEED of fc0.weights was written busy" in wrong.popitem()[1]


@pytest.mark.slow
def test_refused_accesses_are_tried_only_where_the_bus_reports_them(
    bundle: Bundle, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spinflow.sim.board import AcceleratorSlave

    results = check(bundle)
    assert not failed(results)
    assert results["refused bus accesses"].detail.startswith("10 accesses answered with an error")

    right = AcceleratorSlave.read

    def silent(slave: Any, offset: int, count: int, stride: int) -> Any:
        try:
            return right(slave, offset, count, stride)
        except OSError:
            return np.zeros(count, np.uint32)

    monkeypatch.setattr(AcceleratorSlave, "read", silent)
    wrong = failed(check(bundle))
    assert "a read behind the last weight window was answered" in wrong["refused bus accesses"]
    assert "a read of fc0.weights was answered during a frame" in wrong["refused bus accesses"]

    monkeypatch.setitem(board().capabilities, "BUS_ERRORS", False)
    assert "refused bus accesses" not in check(bundle)


def test_transfers_that_end_too_early_are_found(bundle: Bundle, faulty: Callable[..., Any]) -> None:
    place = bundle.registers.globals["FRAMES_PER_TRANSFER"]

    def short(write: Any, offset: int, values: Any, stride: int) -> None:
        # Numbers of images, that is: the driver's mark between runs is a larger number.
        few = offset == place and values[0] < 2**31
        write(offset, np.minimum(values, 6) if few else values, stride)

    wrong = faulty(write=short)
    assert "7 images in transfers of 7: the DMA received 24 bytes" in wrong["transfers"]


@pytest.mark.parametrize(("trials", "rate"), [(0, 0.1), (10, 0.0), (1000, 0.1), (10**6, 0.3)])
def test_the_range_of_a_count_leaves_out_no_more_than_asked(trials: int, rate: float) -> None:
    low, high = binomial_range(trials, rate, 1e-6)
    outside = stats.binom.cdf(low - 1, trials, rate) + stats.binom.sf(high, trials, rate)
    assert outside <= 1e-6
    if rate and trials:
        inside = stats.binom.cdf(low, trials, rate) + stats.binom.sf(high - 1, trials, rate)
        assert inside > 1e-6
        assert high - low == pytest.approx(
            2 * 4.9 * math.sqrt(trials * rate * (1 - rate)), rel=0.03
        )


def test_a_report_replaces_files_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    for place in ("", str(tmp_path), "pipe", "/dev/null"):
        assert main(["selftest", str(BUNDLE), "--json", place]) == 1
        output = capsys.readouterr()
        assert output.err == (
            f"spinflow: {place or '.'}: is there, and not a plain file that can be replaced\n"
        )
        assert not output.out  # nothing was checked in vain
    assert Path("/dev/null").is_char_device() and [p.name for p in tmp_path.iterdir()] == ["pipe"]
