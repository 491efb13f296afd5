"""The emulator against a bit-by-bit reading of the contract, on bundles made for the purpose."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spinflow.sim.emulator.core
from spinflow.host.core.errors import BundleError
from spinflow.sim.emulator import Emulator
from tests.described import write
from tests.sim import tiny

ALWAYS = 0xFFFFFFFF
HALF = 1 << 31
TENTH = round(0.1 * 2**32)


@pytest.fixture(params=list(tiny.DESCRIPTIONS))
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path, tiny.DESCRIPTIONS[request.param])


@pytest.fixture
def perceptron(tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path, tiny.DESCRIPTIONS["perceptron"])


@pytest.fixture
def images(request: pytest.FixtureRequest) -> np.ndarray:
    name = "bundle" if "bundle" in request.fixturenames else "perceptron"
    pixels = tiny.pixels(json.loads((request.getfixturevalue(name) / "accel.json").read_text()))
    return np.random.default_rng(8).integers(0, 256, (11, pixels), dtype=np.uint8)


class Both:
    """Emulator and bit-by-bit reference: the same is done to both, all that shows is compared."""

    def __init__(self, bundle: Path) -> None:
        self.emulator, self.reference = Emulator(bundle), tiny.BitByBit(bundle)
        self.weights = [m for m in self.reference.memories if m["kind"] == "weights"]
        self.buffers = [m["index"] for m in self.reference.memories if m["kind"] == "buffer"]

    def set_errors(self, memory: int, mode: str, t1: int, t0: int, seed: int) -> None:
        self.emulator.set_errors(memory, mode, t1, t0, seed)
        self.reference.set_errors(memory, mode, t1, t0, seed)

    def set_buffers(self, mode: str, t1: int, t0: int, seed: int) -> None:
        for memory in self.buffers:
            self.set_errors(memory, mode, t1, t0, seed + memory)

    def write(self, memory: int, segments: np.ndarray) -> None:
        self.emulator.write_weights(memory, segments)
        self.reference.write_weights(memory, segments)
        self.compare()

    def write_trained(self) -> None:
        for memory in self.weights:
            self.write(memory["index"], self.emulator.weights(memory["layer"]))

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
        for memory in self.reference.memories:
            number = memory["index"]
            counted = self.emulator.counters(number)
            found = [counted.written, counted.switched, counted.err1, counted.err0]
            assert found == self.reference.counts[number], memory["name"]
        for memory in self.weights:
            bits = self.emulator.memories[memory["index"]].bits.reshape(-1)
            assert bits.tolist() == self.reference.cells[memory["index"]]


def test_errors_off(bundle: Path, images: np.ndarray) -> None:
    both = Both(bundle)
    both.run(images)  # weights are 0 at the start
    both.write_trained()
    both.run(images)
    _, taps = both.emulator.run(images)
    for name in (name for name in taps if name not in ("input", "label")):
        assert len(np.unique(taps[name], axis=0)) > 1, f"{name} is the same for every image"


@pytest.mark.parametrize("mode", ["flip", "switch"])
@pytest.mark.parametrize(
    "t1, t0", [(TENTH, TENTH), (HALF, HALF), (HALF, 0), (0, TENTH), (ALWAYS, 0), (ALWAYS, ALWAYS)]
)
def test_errors_on(bundle: Path, images: np.ndarray, mode: str, t1: int, t0: int) -> None:
    both = Both(bundle)
    generator = np.random.default_rng(1)
    for memory in both.weights:
        both.write(memory["index"], tiny.random_segments(generator, memory))  # the background
        both.set_errors(memory["index"], mode, t1, t0, seed=77 + memory["index"])
    both.set_buffers(mode, t1, t0, seed=99)
    both.clear()
    both.write_trained()
    both.run(images[:1])  # ends in the middle of a buffer
    both.run(images[1:4])
    both.write_trained()  # streams go on
    both.soft_reset()
    both.run(images[:3])
    both.set_buffers(mode, t0, t1, seed=5)  # restarts the streams, not the addresses
    both.run(images[:2])


def test_a_new_mode_takes_effect_in_the_middle(bundle: Path, images: np.ndarray) -> None:
    both = Both(bundle)
    both.write_trained()
    for mode in ("switch", "off", "flip", "switch"):
        both.set_buffers(mode, HALF, TENTH, seed=3)
        both.run(images[:2])


@pytest.mark.parametrize(("bound", "value"), [("IMAGES_AT_ONCE", 4), ("INPUTS_AT_ONCE", 700)])
def test_chunks_change_nothing(
    bundle: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(spinflow.sim.emulator.core, bound, value)
    parts = Both(bundle)
    parts.set_buffers("switch", HALF, HALF, seed=1)
    parts.run(images)


def test_a_written_word_reads_back_without_its_unused_bits(perceptron: Path) -> None:
    emulator = Emulator(perceptron)
    emulator.write_weights(0, np.full((2, 2), ALWAYS, dtype=np.uint32))
    assert emulator.read_weights(0).tolist() == [[ALWAYS, 0xFFFF]] * 2
    emulator.write_weights(1, emulator.weights(1))
    assert (emulator.read_weights(1) == emulator.weights(1) & 0x3F).all()


def test_rate_zero_never_errs_and_always_always(perceptron: Path) -> None:
    emulator = Emulator(perceptron)
    for mode in ("off", "flip", "switch"):
        emulator.set_errors(0, mode, 0, 0, seed=1)
        emulator.write_weights(0, emulator.weights(0))
        assert emulator.counters(0).err1 == emulator.counters(0).err0 == 0
    emulator.clear()
    emulator.set_errors(0, "flip", ALWAYS, ALWAYS, seed=1)
    emulator.write_weights(0, emulator.weights(0))
    counted = emulator.counters(0)
    assert counted.err1 + counted.err0 == counted.written == 96


def test_no_images(perceptron: Path) -> None:
    emulator = Emulator(perceptron)
    labels, taps = emulator.run(np.zeros((0, 16), dtype=np.uint8))
    assert labels.shape == (0,)
    assert taps["fc0"].shape == (0, 6)


def test_taps_or_not(bundle: Path, images: np.ndarray) -> None:
    emulator = Emulator(bundle)
    labels, taps = emulator.run(images)
    assert taps
    assert emulator.run(images, taps=False)[0].tolist() == labels.tolist()
    assert emulator.run(images, taps=False)[1] == {}


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((2, 15), dtype=np.uint8), r"\(n, 16\), not \(2, 15\)"),
        (np.zeros((16,), dtype=np.uint8), r"\(n, 16\)"),
        (np.zeros((2, 16), dtype=np.float32), "uint8, not float32"),
    ],
)
def test_wrong_images(perceptron: Path, images: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Emulator(perceptron).run(images)


def test_wrong_settings(perceptron: Path) -> None:
    emulator = Emulator(perceptron)
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
    with pytest.raises(ValueError, match="no memory 3, only 0 to 2"):
        emulator.counters(3)


def test_wrong_bundles(perceptron: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        Emulator(perceptron / "nowhere")
    description = json.loads((perceptron / "accel.json").read_text())
    (perceptron / "accel.json").write_text(json.dumps({**description, "format": 1}))
    with pytest.raises(BundleError, match="format is 1, but this program reads format 4; build "):
        Emulator(perceptron)
    (perceptron / "accel.json").write_text(json.dumps(description)[:-5])
    with pytest.raises(BundleError, match="damaged: "):
        Emulator(perceptron)
    (perceptron / "accel.json").write_text(json.dumps(description))
    with open(perceptron / "arrays.npz", "ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"arrays\.npz is damaged: its SHA-256 begins"):
        Emulator(perceptron)
    (perceptron / "arrays.npz").unlink()
    with pytest.raises(BundleError, match=r"arrays\.npz is missing"):
        Emulator(perceptron)


BIG = np.full(300, 2**31 - 1, np.int32)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"gain.label": np.zeros(300, np.int32)}, "gain.label holds 0 to 0: it must be 1 to "),
        ({"offset.label": -BIG}, "offset.label holds -2147483647 to -2147483647: it must be 0 to"),
        ({"gain.label": BIG}, r"give scores up to 12884901\d+: at most 2147483647 are handled"),
        ({"gain.label": np.ones(300)}, "gain.label is <f8 of shape .300,.: it must be int32"),
        (
            {"gain.label": BIG[1:]},
            "gain.label is <i4 of shape .299,.: it must be int32",
        ),
        ({"gain.label": None}, "it lacks gain.label"),
        ({"gain.more": BIG}, "it holds 'gain.more.npy', which "),
    ],
)
def test_scores_that_no_bundle_has(tmp_path: Path, change: dict[str, Any], line: str) -> None:
    described = tiny.DESCRIPTIONS["scored"]
    folder = tiny.write_bundle(tmp_path, described)
    with np.load(folder / "arrays.npz") as stored:
        arrays = {k: v for k, v in {**stored, **change}.items() if v is not None}
    np.savez(folder / "arrays.npz", **arrays)
    write(folder, described)
    with pytest.raises(BundleError, match=line):
        Emulator(folder)


def test_a_bundle_says_whether_classes_have_scores(tmp_path: Path) -> None:
    described = json.loads(json.dumps(tiny.DESCRIPTIONS["scored"]))
    described["layers"][-1]["scores"] = False
    folder = tiny.write_bundle(tmp_path, tiny.DESCRIPTIONS["scored"])
    with pytest.raises(BundleError, match=r"'gain\.label\.npy', which "):
        Emulator(write(folder, described))
    described["layers"][-1]["scores"] = 1
    with pytest.raises(BundleError, match=r"layers\[3\]\.scores is 1: it must be true or false"):
        Emulator(write(folder, described))
