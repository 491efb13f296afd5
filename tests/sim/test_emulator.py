"""The emulator against a bit-by-bit reading of the contract, on a bundle made for the purpose."""

import json
from pathlib import Path

import numpy as np
import pytest

import sim.emulator
from sim.bundle import BundleError
from sim.emulator import Emulator
from tests.sim import tiny

ALWAYS = 0xFFFFFFFF
HALF = 1 << 31
TENTH = round(0.1 * 2**32)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (13, tiny.PIXELS), dtype=np.uint8)


class Both:
    """Emulator and bit-by-bit reference: the same is done to both, all that shows is compared."""

    def __init__(self, bundle: Path) -> None:
        self.emulator, self.reference = Emulator(bundle), tiny.BitByBit()

    def set_errors(self, memory: int, mode: str, t1: int, t0: int, seed: int) -> None:
        self.emulator.set_errors(memory, mode, t1, t0, seed)
        self.reference.set_errors(memory, mode, t1, t0, seed)

    def write(self, memory: int, segments: np.ndarray) -> None:
        self.emulator.write_weights(memory, segments)
        self.reference.write_weights(memory, segments)
        self.compare()

    def write_trained(self) -> None:
        for memory in (0, 1):
            self.write(memory, self.emulator.weights(memory))

    def soft_reset(self) -> None:
        self.emulator.soft_reset()
        self.reference.soft_reset()

    def clear(self) -> None:
        self.emulator.clear()
        self.reference.clear()

    def run(self, images: np.ndarray) -> None:
        labels, taps = self.emulator.run(images)
        expected = self.reference.run(images)
        assert list(taps) == list(expected)
        for name, values in expected.items():
            assert taps[name].tolist() == values, name
        assert labels.tolist() == [label for (label,) in expected["label"]]
        self.compare()

    def compare(self) -> None:
        for memory in range(3):
            counted = self.emulator.counters(memory)
            found = [counted.written, counted.switched, counted.err1, counted.err0]
            assert found == self.reference.counts[memory], memory
        for memory in (0, 1):
            bits = self.emulator.memories[memory].bits.reshape(-1)
            assert bits.tolist() == self.reference.cells[memory]


def test_errors_off(bundle: Path, images: np.ndarray) -> None:
    both = Both(bundle)
    both.run(images)  # weights are 0 at the start
    both.write_trained()
    both.run(images)
    assert both.emulator.counters(2).written == 2 * 6 * len(images)


@pytest.mark.parametrize("mode", ["flip", "switch"])
@pytest.mark.parametrize(
    "t1, t0", [(TENTH, TENTH), (HALF, HALF), (HALF, 0), (0, TENTH), (ALWAYS, 0), (ALWAYS, ALWAYS)]
)
def test_errors_on(bundle: Path, images: np.ndarray, mode: str, t1: int, t0: int) -> None:
    both = Both(bundle)
    generator = np.random.default_rng(1)
    for memory in (0, 1):
        both.write(memory, tiny.random_segments(generator, memory))  # the background
        both.set_errors(memory, mode, t1, t0, seed=77 + memory)
    both.set_errors(2, mode, t1, t0, seed=99)
    both.clear()
    both.write_trained()
    both.run(images[:4])  # ends in the middle of the buffer
    both.run(images[4:])
    both.write_trained()  # streams go on
    both.soft_reset()
    both.run(images)
    both.set_errors(2, mode, t0, t1, seed=5)  # restarts the stream, not the address
    both.run(images)


def test_a_new_mode_takes_effect_in_the_middle(bundle: Path, images: np.ndarray) -> None:
    both = Both(bundle)
    both.write_trained()
    for mode in ("switch", "off", "flip", "switch"):
        both.set_errors(2, mode, HALF, TENTH, seed=3)
        both.run(images[:5])


def test_chunks_change_nothing(
    bundle: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Both(bundle)
    whole.set_errors(2, "switch", HALF, HALF, seed=1)
    whole.run(images)
    monkeypatch.setattr(sim.emulator, "IMAGES_AT_ONCE", 4)
    parts = Both(bundle)
    parts.set_errors(2, "switch", HALF, HALF, seed=1)
    parts.run(images)


def test_a_written_word_reads_back_without_its_unused_bits(bundle: Path) -> None:
    emulator = Emulator(bundle)
    emulator.write_weights(0, np.full((2, 2), ALWAYS, dtype=np.uint32))
    assert emulator.read_weights(0).tolist() == [[ALWAYS, 0xFFFF]] * 2
    emulator.write_weights(1, emulator.weights(1))
    assert (emulator.read_weights(1) == emulator.weights(1) & 0x3F).all()


def test_rate_zero_never_errs_and_always_always(bundle: Path) -> None:
    emulator = Emulator(bundle)
    for mode in ("off", "flip", "switch"):
        emulator.set_errors(0, mode, 0, 0, seed=1)
        emulator.write_weights(0, emulator.weights(0))
        assert emulator.counters(0).err1 == emulator.counters(0).err0 == 0
    emulator.clear()
    emulator.set_errors(0, "flip", ALWAYS, ALWAYS, seed=1)
    emulator.write_weights(0, emulator.weights(0))
    counted = emulator.counters(0)
    assert counted.err1 + counted.err0 == counted.written == 96


def test_no_images(bundle: Path) -> None:
    labels, taps = Emulator(bundle).run(np.zeros((0, tiny.PIXELS), dtype=np.uint8))
    assert labels.shape == (0,)
    assert taps["fc0"].shape == (0, 6)


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((2, 15), dtype=np.uint8), r"\(n, 16\), not \(2, 15\)"),
        (np.zeros((16,), dtype=np.uint8), r"\(n, 16\)"),
        (np.zeros((2, 16), dtype=np.float32), "uint8, not float32"),
    ],
)
def test_wrong_images(bundle: Path, images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Emulator(bundle).run(images)


def test_wrong_settings(bundle: Path) -> None:
    emulator = Emulator(bundle)
    with pytest.raises(ValueError, match="no error mode 'stuck'"):
        emulator.set_errors(0, "stuck", 0, 0, 0)
    with pytest.raises(ValueError, match="threshold0 4294967296 does not fit"):
        emulator.set_errors(0, "flip", 0, 1 << 32, 0)
    with pytest.raises(ValueError, match="seed -1"):
        emulator.set_errors(0, "flip", 0, 0, -1)
    with pytest.raises(ValueError, match=r"takes \(2, 2\) segments, not \(2, 1\)"):
        emulator.write_weights(0, np.zeros((2, 1), dtype=np.uint32))
    with pytest.raises(ValueError, match="memory 2 is a buffer"):
        emulator.read_weights(2)


def test_wrong_bundles(bundle: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        Emulator(bundle / "nowhere")
    description = json.loads((bundle / "accel.json").read_text())
    (bundle / "accel.json").write_text(json.dumps({**description, "format": 2}))
    with pytest.raises(BundleError, match="has format 2, this program reads format 1"):
        Emulator(bundle)
    (bundle / "accel.json").write_text(json.dumps(description)[:-5])
    with pytest.raises(BundleError, match="is damaged"):
        Emulator(bundle)
    (bundle / "accel.json").write_text(json.dumps(description))
    with open(bundle / "arrays.npz", "ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"arrays\.npz is damaged: its SHA-256 is"):
        Emulator(bundle)
    (bundle / "arrays.npz").unlink()
    with pytest.raises(BundleError, match=r"arrays\.npz is missing"):
        Emulator(bundle)
