"""The Verilated library of the quick network: registers, frames, taps, pauses, limits, errors."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.core.description import Tap
from spinflow.host.core.errors import BundleError
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from spinflow.sim.library import Library, decode_words

Golden = dict[str, np.ndarray]


@pytest.fixture
def accelerator(bundle_folder: Path) -> Iterator[Accelerator]:
    device = Accelerator(bundle_folder)
    yield device
    device.library.close()


def load(device: Accelerator | Emulator, folder: Path) -> None:
    arrays = Emulator(folder)
    for memory in device.memories:
        if memory.kind == "weights":
            device.write_weights(memory.index, arrays.weights(memory.layer))


def test_identity(accelerator: Accelerator) -> None:
    assert accelerator.get("ID") == 0x5350494E
    assert accelerator.get("BUILD_ID") == accelerator.description.build_id
    assert accelerator.get("NUM_MEMORIES") == len(accelerator.memories)


def test_frames_and_taps(accelerator: Accelerator, bundle_folder: Path, golden: Golden) -> None:
    load(accelerator, bundle_folder)
    labels, taps = accelerator.run(golden["images"])
    np.testing.assert_array_equal(labels, golden["labels"].reshape(-1))
    for name, values in taps.items():
        np.testing.assert_array_equal(values, golden[f"edge.{name}"], err_msg=name)
    assert all(len(values) == 0 for values in accelerator.library.recorded().values())


def test_pauses_change_nothing_but_time(
    accelerator: Accelerator, bundle_folder: Path, golden: Golden
) -> None:
    load(accelerator, bundle_folder)
    images = golden["images"][:5]
    library = accelerator.library
    start = library.cycles
    labels = library.run(images)
    smooth = library.cycles - start
    library.pause(3 << 30, 3 << 30, seed=1)
    start = library.cycles
    np.testing.assert_array_equal(library.run(images), labels)
    assert library.cycles - start > 1.5 * smooth


def test_errors_agree_with_the_emulator(
    accelerator: Accelerator, bundle_folder: Path, golden: Golden
) -> None:
    emulator = Emulator(bundle_folder)
    seen = []
    for device in (accelerator, emulator):
        for memory in device.memories:
            mode = "flip" if memory.kind == "weights" else "switch"
            device.set_errors(memory.index, mode, 1 << 28, 1 << 27, seed=memory.index)
        load(device, bundle_folder)
        labels, taps = device.run(golden["images"][:8])
        counts = [device.counters(m.index) for m in device.memories]
        device.soft_reset()
        again = device.run(golden["images"][:3])[0].tolist()
        seen.append((labels.tolist(), {k: v.tolist() for k, v in taps.items()}, counts, again))
    assert seen[0] == seen[1]


def test_a_transfer_goes_on_where_its_limit_cut_it(
    accelerator: Accelerator, bundle_folder: Path, golden: Golden
) -> None:
    load(accelerator, bundle_folder)
    words = golden["images"][:4].view(np.uint32).reshape(-1)
    labels = np.zeros(4, dtype=np.uint32)
    moved_in = moved_out = rounds = 0
    while moved_in < words.size or moved_out < 4:
        progress = accelerator.library.transfer(words[moved_in:], labels[moved_out:], limit=37)
        moved_in += progress.words_in
        moved_out += progress.words_out
        assert accelerator.get("ID") == 0x5350494E  # cycles in which a word may be left standing
        rounds += 1
    assert rounds > 20
    np.testing.assert_array_equal(labels, golden["labels"].reshape(-1)[:4])


def test_limits_name_what_did_not_answer(accelerator: Accelerator, golden: Golden) -> None:
    with pytest.raises(TimeoutError, match=r"stream gave 0 of 3 labels .* in 50 cycles"):
        accelerator.library.run(golden["images"][:3], limit=50)
    with pytest.raises(TimeoutError, match=r"read from accelerator address 0x4 .* in 1 cycles"):
        accelerator.library.read(4, 1, limit=1)


def test_error_responses_name_the_address(accelerator: Accelerator) -> None:
    windows = [m for m in accelerator.memories if m.kind == "weights"]
    last = max(windows, key=lambda memory: memory.base)
    end = last.base + last.stride * last.depth
    with pytest.raises(OSError, match="write to accelerator address 0x3000 was answered with an"):
        accelerator.library.write(0x3000, 0)
    with pytest.raises(OSError, match=f"read from accelerator address {end:#x} was"):
        accelerator.library.read(end - 8, 4)  # the third read is the first outside
    assert accelerator.get("ID") == 0x5350494E  # the bus goes on


def test_only_whole_words_are_written(accelerator: Accelerator) -> None:
    """The RTL refuses every other strobe, in registers and in weights, and tells in STATUS."""
    library = accelerator.library
    fields = accelerator.description.registers.globals["STATUS"].fields
    status = accelerator.description.registers.globals["STATUS"].offset
    partial = 1 << fields["partial"].lsb
    frames = accelerator.description.registers.globals["FRAMES_PER_TRANSFER"].offset
    places = frames, accelerator.memories[0].base
    library.write(frames, 77)
    library.write(places[1], 88)
    for place, value in zip(places, (77, 88), strict=True):
        for strobe in range(15):
            with pytest.raises(OSError, match=f"write to accelerator address {place:#x} was"):
                library.write(place, 0xFFFF_FFFF, strobe=strobe)
            assert accelerator.get("STATUS") & partial
            library.write(status, partial)
            assert not accelerator.get("STATUS") & partial
        assert library.read(place, 1)[0] == value


def test_wrong_images_and_taps(accelerator: Accelerator) -> None:
    with pytest.raises(ValueError, match="uint8, not float64"):
        accelerator.library.run(np.zeros((1, 784)))
    with pytest.raises(ValueError, match="no tap fc9"):
        accelerator.library.record(["fc9"])


def test_two_simulations_are_apart(bundle_folder: Path, golden: Golden) -> None:
    first, second = Accelerator(bundle_folder), Accelerator(bundle_folder)
    load(first, bundle_folder)
    assert not second.read_weights(0).any()
    np.testing.assert_array_equal(
        first.library.run(golden["images"][:2]), golden["labels"].reshape(-1)[:2]
    )


def test_words_of_many_bits() -> None:
    tap = Tap("t", "", "t", elements=4, element_bits=5, per_word=2)
    words = np.array([[0b01000001, 0b10], [0b11111111, 0b11]], dtype=np.uint8)
    assert decode_words(words, tap).tolist() == [[1, 18, 31, 31]]
    with pytest.raises(ValueError, match="tap t ends in the middle of a frame"):
        decode_words(words[:1], tap)


def test_a_damaged_library_is_refused(bundle_folder: Path, tmp_path: Path) -> None:
    for name in ("accel.json", "arrays.npz", "golden.npz", "accel.hwh", "libaccel.so"):
        shutil.copy(bundle_folder / name, tmp_path / name)
    with open(tmp_path / "libaccel.so", "ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"libaccel\.so is damaged"):
        Library(tmp_path)
    description = json.loads((tmp_path / "accel.json").read_text())
    del description["simulator"]
    (tmp_path / "accel.json").write_text(json.dumps(description))
    with pytest.raises(BundleError, match="has no simulator: run spinflow simulator "):
        Library(tmp_path)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "is no library that can be loaded: file too short"),
        (b"#!/bin/sh\n" * 100, "is no library that can be loaded: invalid ELF header"),
        (None, "is no simulator: it has no function spin_run"),
    ],
)
def test_what_is_no_simulator_is_refused(
    bundle_folder: Path, tmp_path: Path, content: bytes | None, line: str
) -> None:
    for name in ("accel.json", "arrays.npz", "golden.npz", "accel.hwh", "libaccel.so"):
        shutil.copy(bundle_folder / name, tmp_path / name)
    if content is None:
        content = (tmp_path / "libaccel.so").read_bytes().replace(b"spin_run\0", b"spin_ran\0")
    (tmp_path / "libaccel.so").write_bytes(content)
    description = json.loads((tmp_path / "accel.json").read_text())
    description["simulator"]["sha256"] = hashlib.sha256(content).hexdigest()
    (tmp_path / "accel.json").write_text(json.dumps(description))
    with pytest.raises(BundleError) as caught:
        Library(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'libaccel.so'} {line}")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_memory_that_the_library_cannot_use_never_reaches_it(bundle_folder: Path) -> None:
    out = np.zeros(4, np.uint32)
    with Library(bundle_folder) as library:
        for given, taken in (
            (np.zeros(8, np.uint32)[::2], out),
            (np.zeros(4, np.uint64), out),
            (out, np.zeros(4, np.uint8)),
            (out, np.zeros((4, 4), np.uint32)[:, 0]),
            (out, np.broadcast_to(np.uint32(0), 4)),
        ):
            with pytest.raises(ValueError, match=r"the words that come out|contiguous uint32"):
                library.transfer(given, taken, 10)
