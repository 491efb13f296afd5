"""The driver on the virtual board: what it does equals the emulator, what it cannot do it says."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from spinflow.host.board import driver, pynq_device
from spinflow.host.board.driver import MODES, Accelerator, background_words
from spinflow.host.core import stream
from spinflow.host.core.bundle import Bundle, load
from spinflow.host.core.errors import DeviceError, InputError, RateError
from spinflow.host.core.test_sets import TestSet
from spinflow.host.mtj import exponential
from spinflow.sim.emulator import Emulator

IMAGES = 30

# One row: what rates every memory gets, by its index, and over what the weights are written.
SETTINGS = [
    ("flip", 1e-2, 1e-2, "zeros"),
    ("flip", 0.5, 1e-3, "random:7"),
    ("switch", 1e-2, 0.3, "ones"),
    ("switch", 1.0, 1.0, "random:7"),
    ("flip", 0.0, 0.0, "zeros"),
]


def emulator_counts(emulator: Emulator, bundle: Bundle) -> dict[str, tuple[int, ...]]:
    counters = {memory.name: emulator.counters(memory.index) for memory in bundle.memories}
    return {name: (c.written, c.switched, c.err1, c.err0) for name, c in counters.items()}


def driver_counts(accelerator: Accelerator) -> dict[str, tuple[int, ...]]:
    counters = accelerator.snapshot().memories
    return {name: (c.written, c.switched, c.err1, c.err0) for name, c in counters.items()}


def seed_of(index: int) -> int:
    return stream.memory_seed(5, 2, index)


def set_all(
    accelerator: Accelerator, emulator: Emulator, mode: str, one: float, zero: float
) -> None:
    for memory in accelerator.bundle.memories:
        seed = seed_of(memory.index)
        accelerator.set_errors(memory.name, mode, one, zero, seed)
        emulator.set_errors(memory.index, mode, stream.threshold(one), stream.threshold(zero), seed)


def emulate_background(emulator: Emulator, bundle: Bundle, background: str) -> None:
    for memory in bundle.select("weights"):
        words = background_words(memory, background)
        assert words is not None
        emulator.write_weights(memory.index, words)


@pytest.mark.parametrize("transfer", [1000, 7])
def test_without_errors_the_labels_are_finns(
    accelerator: Accelerator, golden: Any, transfer: int
) -> None:
    images, labels = golden
    accelerator.write_weights()
    assert accelerator.run(images[:IMAGES], transfer).tolist() == labels[:IMAGES].tolist()
    square = images[:5].reshape((5, *accelerator.bundle.input_shape))
    assert accelerator.run(square).tolist() == labels[:5].tolist()
    assert accelerator.snapshot().frames == IMAGES + 5
    assert accelerator.snapshot().stalls == 0


@pytest.mark.parametrize("setting", SETTINGS)
def test_with_errors_all_is_as_emulated(
    accelerator: Accelerator, golden: Any, setting: tuple[str, float, float, str]
) -> None:
    mode, one, zero, background = setting
    bundle, images = accelerator.bundle, golden[0][:IMAGES]
    emulator = Emulator(bundle.folder)
    emulate_background(emulator, bundle, background)
    emulator.clear()
    set_all(accelerator, emulator, mode, one, zero)

    written = accelerator.write_weights(background=background)
    for memory in bundle.select("weights"):
        emulator.write_weights(memory.index, bundle.weights[memory.name])
    expected = emulator_counts(emulator, bundle)
    for name, count in written.items():
        assert (count.written, count.switched, count.err1, count.err0) == expected[name]
    for memory in bundle.select("weights"):
        read = accelerator.read_weights(memory.name)
        assert np.array_equal(read, emulator.read_weights(memory.index))
        if mode == "flip" and one == zero == 0.0:
            assert np.array_equal(read, bundle.weights[memory.name])

    emulator.soft_reset()
    # The second run goes on where the streams and buffers stand; the third starts again.
    for reset in (False, False, True):
        if reset:
            accelerator.soft_reset()
            emulator.soft_reset()
        assert accelerator.run(images).tolist() == emulator.run(images)[0].tolist()
        assert driver_counts(accelerator) == emulator_counts(emulator, bundle)


def test_a_soft_reset_keeps_weights_and_settings_and_clears_the_rest(
    accelerator: Accelerator, golden: Any
) -> None:
    accelerator.write_weights()
    accelerator.set_errors("fc1.buffer", "switch", 0.25, 0.125, 99)
    first = accelerator.run(golden[0][:3])
    assert accelerator.snapshot().cycles > 0
    accelerator.soft_reset()
    after = accelerator.snapshot()
    assert (after.frames, after.cycles, after.stalls) == (0, 0, 0)
    assert set(driver_counts(accelerator).values()) == {(0, 0, 0, 0)}
    assert accelerator.errors("fc1.buffer") == ("switch", 0.25, 0.125, 99)
    for name, words in accelerator.bundle.weights.items():
        assert np.array_equal(accelerator.read_weights(name), words)
    assert accelerator.run(golden[0][:3]).tolist() == first.tolist()


def test_clear_zeroes_counters_but_not_streams(accelerator: Accelerator, golden: Any) -> None:
    emulator = Emulator(accelerator.bundle.folder)
    for memory in accelerator.bundle.select("weights"):
        emulator.write_weights(memory.index, accelerator.bundle.weights[memory.name])
    accelerator.write_weights()
    set_all(accelerator, emulator, "flip", 0.2, 0.2)
    for twin in (accelerator, emulator):
        twin.soft_reset()
    for _ in range(2):
        labels = accelerator.run(golden[0][:5])
        assert labels.tolist() == emulator.run(golden[0][:5])[0].tolist()
        assert driver_counts(accelerator) == emulator_counts(emulator, accelerator.bundle)
        accelerator.clear()
        emulator.clear()
    assert accelerator.snapshot().frames == 0


def test_given_weights_are_written_where_they_belong(accelerator: Accelerator) -> None:
    accelerator.write_weights()
    memory = accelerator.bundle.memory("fc2.weights")
    words = accelerator.bundle.weights[memory.name] ^ memory.segment_masks
    counts = accelerator.write_weights({memory.name: words}, memories=[])
    assert set(counts) == {memory.name}
    assert counts[memory.name].written == counts[memory.name].switched == memory.bits
    assert np.array_equal(accelerator.read_weights(memory.name), words)
    other = "fc1.weights"
    assert np.array_equal(accelerator.read_weights(other), accelerator.bundle.weights[other])


def test_a_write_condition_sets_both_rates(accelerator: Accelerator) -> None:
    condition = exponential.from_rate(1e-3)
    accelerator.set_condition("fc0.buffer", condition, mode="switch", seed=4)
    mode, one, zero, seed = accelerator.errors("fc0.buffer")
    assert (mode, seed) == ("switch", 4)
    assert one == zero == stream.rate(stream.threshold(condition.rate1))


def test_backgrounds_are_what_they_say(bundle: Bundle) -> None:
    memory = bundle.memory("fc0.weights")
    zeros, ones = (background_words(memory, name) for name in ("zeros", "ones"))
    assert zeros is not None and not zeros.any()
    assert ones is not None and (ones == memory.segment_masks).all()
    first, other = (background_words(memory, f"random:{seed}") for seed in (1, 2))
    assert first is not None and other is not None and (first != other).any()
    assert not (first & ~memory.segment_masks).any()
    again = background_words(memory, "random:1")
    assert again is not None and (first == again).all()
    assert background_words(memory, "previous") is None


# What a user may get wrong.

IMAGE = np.zeros((2, 784), np.uint8)
WRONG: list[tuple[Callable[[Accelerator], Any], type[Exception], str]] = [
    (lambda a: a.run(IMAGE[:, :783]), InputError, "shape (n, 784), not (2, 783)"),
    (lambda a: a.run(IMAGE[0]), InputError, "shape (n, 784), not (784,)"),
    (lambda a: a.run(IMAGE.astype(np.float32)), InputError, "uint8 array (pixels 0 to 255)"),
    (lambda a: a.run(IMAGE.astype(np.int64) - 1), InputError, "not int64"),
    (lambda a: a.run(cast(Any, IMAGE.tolist())), InputError, "not list"),
    (lambda a: a.run(IMAGE[:0]), InputError, "no images"),
    (lambda a: a.set_errors("fc0.weights", "flip", -0.1), RateError, "must be a number from 0"),
    (lambda a: a.set_errors("fc0.weights", "flip", 1.5), RateError, "must be a number from 0"),
    (lambda a: a.set_errors("fc0.weights", "flip", math.nan), RateError, "rate nan"),
    (lambda a: a.set_errors("fc0.weights", "flip", 1e-10), RateError, "the smallest is"),
    (lambda a: a.set_errors("fc0.weights", "flip", 0.1, 1e-11), RateError, "the smallest is"),
    (lambda a: a.set_errors("fc0.weights", "off", 0.1), RateError, "with mode off"),
    (lambda a: a.set_errors("fc0.weights", "invert", 0.1), InputError, "off, flip, switch"),
    (lambda a: a.set_errors("fc0.weights", "flip", 0.1, seed=2**32), InputError, "seed"),
    (lambda a: a.set_errors("fc9.buffer", "flip", 0.1), InputError, "no memory 'fc9.buffer'"),
    (lambda a: a.read_weights("fc0.buffer"), InputError, "fc0.buffer holds no weights"),
    (lambda a: a.write_weights(memories=["fc0.buffer"]), InputError, "holds no weights"),
    (lambda a: a.write_weights(background="noise"), InputError, "background 'noise'"),
    (lambda a: a.write_weights(background="random:"), InputError, "background 'random:'"),
    (lambda a: a.write_weights(background="random:4294967296"), InputError, "background"),
    (
        lambda a: a.write_weights({"fc1.weights": np.zeros((255, 1), np.uint32)}),
        InputError,
        "must be uint32 of shape (256, 1), not uint32 (255, 1)",
    ),
    (
        lambda a: a.write_weights({"fc1.weights": np.zeros((256, 1), np.int64)}),
        InputError,
        "must be uint32 of shape (256, 1), not int64 (256, 1)",
    ),
    (
        lambda a: a.write_weights({"fc1.weights": np.full((256, 1), 1 << 16, np.uint32)}),
        InputError,
        "bits beyond the 16 of a word",
    ),
]


def test_an_accelerator_without_weights_refuses_to_run(bundle: Bundle, golden: Any) -> None:
    images, labels = golden[0][:5], golden[1][:5].tolist()
    for check in (True, False):
        with Accelerator(bundle, check=check) as accelerator:
            line = r"^fc0\.weights, .*: no weights were written .*: call write_weights\(\) first$"
            with pytest.raises(DeviceError, match=line):
                accelerator.run(images)
            # What no weights are needed for goes on.
            accelerator.begin_frame()
            accelerator.soft_reset()
            assert accelerator.snapshot().frames == 0
            assert not accelerator.read_weights("fc0.weights").any()
            # Some of them are not all.
            names = [memory.name for memory in bundle.select("weights")]
            accelerator.write_weights(memories=names[1:])
            with pytest.raises(DeviceError, match=r"^fc0\.weights: no weights were written"):
                accelerator.run(images)
            first = bundle.memory(names[0])
            words = bundle.weights[names[0]]
            accelerator.store(first, words[1:], range(1, first.depth))
            with pytest.raises(DeviceError, match=r"^fc0\.weights: no weights were written"):
                accelerator.run(images)
            accelerator.store(first, words)
            accelerator.soft_reset()
            assert accelerator.run(images).tolist() == labels


def test_a_writing_that_fails_is_not_run(
    accelerator: Accelerator, golden: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator.write_weights()
    accelerator.set_errors("fc3.weights", "switch", 0.1)
    slave = board().accelerator
    base = accelerator.bundle.memory("fc3.weights").base
    write = slave.write

    def broken(offset: int, values: Any, stride: int) -> None:
        if offset >= base:
            raise OSError(5, "the write was answered with an error")
        write(offset, values, stride)

    monkeypatch.setattr(slave, "write", broken)
    with pytest.raises(DeviceError, match=r"writing the weights of fc3\.weights: "):
        accelerator.write_weights(background="ones")
    monkeypatch.undo()
    assert accelerator.errors("fc3.weights")[0] == "switch"  # and not off, as for the background
    torn = r"interrupted: write the weights again, with write_weights\(\)"
    for act in (
        lambda: accelerator.run(golden[0][:2]),
        lambda: accelerator.read_weights("fc2.weights"),
    ):
        with pytest.raises(DeviceError, match=torn):
            act()
    # Errors that depend on the old content need one.
    with pytest.raises(DeviceError, match="no previous content to err over"):
        accelerator.write_weights()
    accelerator.write_weights(background="zeros")
    assert accelerator.run(golden[0][:2]).shape == (2,)
    accelerator.set_errors("fc3.weights", "off")
    accelerator.write_weights()
    assert accelerator.run(golden[0][:2]).tolist() == golden[1][:2].tolist()


def test_the_guides_programs_run(
    bundle: Bundle,
    golden: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "programming.md").read_text(encoding="utf-8")
    ten_lines, seeds = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    tests = TestSet(golden[0][:20], golden[1][:20], "the golden images")
    monkeypatch.setattr("spinflow.host.core.test_sets.images_for", lambda loaded, count: tests)
    names: dict[str, Any] = {}
    exec(ten_lines.replace('"build/mlp-mnist"', repr(str(bundle.folder))), names)
    assert "Snapshot(memories={'fc0.weights': Counts(" in capsys.readouterr().out
    with Accelerator(bundle) as accelerator:
        exec(seeds, {"loaded": names["loaded"], "accel": accelerator})
        used = {accelerator.errors(memory.name)[3] for memory in bundle.memories}
        assert len(used) == len(bundle.memories)


def test_maps_are_taken_with_channels_last(bundle: Bundle, golden: Any) -> None:
    # As of a convolutional network: the accelerator sees the same bytes.
    images, labels = golden[0][:4], golden[1][:4].tolist()
    with Accelerator(replace(bundle, input_shape=(28, 14, 2))) as accelerator:
        accelerator.write_weights()
        assert accelerator.run(images).tolist() == labels
        assert accelerator.run(images.reshape(4, 28, 14, 2)).tolist() == labels
        line = "must have shape (n, 28, 14, 2) or (n, 784), not (4, 2, 28, 14)"
        with pytest.raises(InputError, match=re.escape(line)):
            accelerator.run(images.reshape(4, 2, 28, 14))


@pytest.fixture(scope="module")
def shared(bundle: Bundle) -> Iterator[Accelerator]:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        yield accelerator


@pytest.mark.parametrize(("act", "kind", "line"), WRONG, ids=[line for _, _, line in WRONG])
def test_bad_input_gives_one_line_and_changes_nothing(
    shared: Accelerator, act: Callable[[Accelerator], Any], kind: type[Exception], line: str
) -> None:
    before = {memory.name: shared.errors(memory.name) for memory in shared.bundle.memories}
    with pytest.raises(kind, match=re.escape(line)) as caught:
        act(shared)
    assert "\n" not in str(caught.value)
    assert {memory.name: shared.errors(memory.name) for memory in shared.bundle.memories} == before
    for name, words in shared.bundle.weights.items():
        assert np.array_equal(shared.read_weights(name), words)


# What the device may get wrong. The virtual board is made faulty, not the driver.


def board() -> Any:
    from pynq.pl_server.device import Device

    return Device.active_device


def test_another_build_is_refused(changed_bundle: Callable[..., Path]) -> None:
    described = load(changed_bundle(lambda d: d.update(build_id=d["build_id"] ^ 1)))
    with pytest.raises(DeviceError, match=r"BUILD_ID reads .* another accelerator is loaded"):
        Accelerator(described)


def test_other_memories_than_the_registers_say_are_refused(
    changed_bundle: Callable[..., Path],
) -> None:
    described = load(changed_bundle(lambda d: d["memories"][4].update(depth=63)))
    with pytest.raises(DeviceError, match=r"DEPTH of fc0\.buffer reads 64, 63 expected by the bun"):
        Accelerator(described)


@pytest.mark.parametrize("version", ["2.7.0", "3.0.0", "3.0.10", "3.2", "4.0.1", ""])
def test_another_pynq_is_refused_with_those_that_work(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    import pynq

    monkeypatch.setattr(pynq, "__version__", version)
    with pytest.raises(DeviceError, match=rf"pynq {version} is .* works with 3\.0\.1 or 3\.1$"):
        Accelerator(bundle)


@pytest.mark.parametrize("version", ["3.0.1", "3.1", "3.1.0", "3.1.2"])
def test_the_pynq_of_both_images_is_taken(version: str) -> None:
    driver.check_pynq(version)


def test_a_python_without_pynq_is_told(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(DeviceError, match=r"^pynq cannot be imported: .*as root in pynq's env"):
        Accelerator(bundle)


def test_a_pynq_without_a_device_is_told(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Any) -> Any:
        raise RuntimeError("No Devices Found")

    import pynq

    monkeypatch.setattr(type(pynq.Device), "active_device", property(none))
    with pytest.raises(DeviceError, match=r"^pynq finds no device .*: No Devices Found$"):
        Accelerator(bundle)


def test_a_bundle_for_another_board_is_refused(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = tmp_path / "pynq_board"  # as of a device tree: a string and its final 0
    monkeypatch.setattr(pynq_device, "_BOARD_NAME", name)
    name.write_bytes(b"ZCU104\0")
    with pytest.raises(DeviceError, match=r"made for the board Pynq-Z2 \(xc7z.*, this is ZCU104"):
        Accelerator(bundle)
    name.write_bytes(b"Pynq-Z2\0")
    Accelerator(bundle).close()


def test_the_virtual_board_says_what_board_it_is(changed_bundle: Callable[..., Path]) -> None:
    other = load(changed_bundle(lambda described: described.update(board="ZCU104")))
    with pytest.raises(DeviceError, match=r"made for .*ZCU104 \(.*, this is Pynq-Z2: load"):
        Accelerator(other)


def test_a_register_that_never_answers_is_named(accelerator: Accelerator) -> None:
    board().accelerator.access_limit = 0
    with pytest.raises(DeviceError, match="reading BUILD_ID: ") as caught:
        accelerator.set_errors("fc0.buffer", "flip", 0.1)
    assert "\n" not in str(caught.value)


def test_labels_that_never_come_are_named_and_the_driver_recovers(
    accelerator: Accelerator, golden: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator.write_weights()
    slave = board().accelerator
    board().dma.stall_limit = 10_000
    place = accelerator.bundle.registers.globals["FRAMES_PER_TRANSFER"]
    write = slave.write
    stuck = [1]  # what a count of frames becomes: TLAST comes after the first label, then never

    def deaf(offset: int, values: Any, stride: int) -> None:
        is_count = offset == place and values[0] <= driver.FRAMES_A_TRANSFER
        write(offset, np.array(stuck, np.uint32) if is_count else values, stride)

    with monkeypatch.context() as patch:
        patch.setattr(slave, "write", deaf)
        with pytest.raises(DeviceError, match="the DMA received 4 bytes of labels, 12 expected"):
            accelerator.run(golden[0][:3])
        stuck = [1000]
        with pytest.raises(DeviceError, match=r"the DMA receiving 3 labels: .*never completes"):
            accelerator.run(golden[0][:3])
    assert accelerator.run(golden[0][:3]).tolist() == golden[1][:3].tolist()


def test_an_accelerator_that_stays_busy_is_named(bundle: Bundle, golden: Any) -> None:
    with Accelerator(bundle, wait_s=0.2) as accelerator:
        accelerator.write_weights()
        half = board().allocate((100,), np.uint8)
        half.flush()
        overlay_dma = accelerator._transfers.dma
        overlay_dma.sendchannel.transfer(half)
        overlay_dma.sendchannel.wait()
        for act in (
            lambda: accelerator.set_errors("fc0.buffer", "flip", 0.1),
            accelerator.write_weights,
            lambda: accelerator.read_weights("fc0.weights"),
            lambda: accelerator.run(golden[0][:1]),
        ):
            with pytest.raises(DeviceError, match=r"STATUS.idle\) did not answer within 0.2 s"):
                act()
        accelerator.soft_reset()
        accelerator.write_weights()
        assert accelerator.run(golden[0][:1]).tolist() == golden[1][:1].tolist()


def test_settings_that_the_accelerator_refuses_are_an_error(
    accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = board().allocate((100,), np.uint8)
    accelerator._transfers.dma.sendchannel.transfer(half)
    accelerator._transfers.dma.sendchannel.wait()
    # As if the frame had come between the driver's look at STATUS.idle and its write.
    monkeypatch.setattr(accelerator._registers, "wait_idle", lambda: None)
    with pytest.raises(DeviceError, match=r"refused settings of fc0\.buffer"):
        accelerator.set_errors("fc0.buffer", "flip", 0.1)
    monkeypatch.undo()
    accelerator.soft_reset()
    assert accelerator.errors("fc0.buffer")[0] == MODES[0]
    accelerator.set_errors("fc0.buffer", "flip", 0.1)
    assert accelerator.errors("fc0.buffer")[0] == "flip"
