"""The evaluator against the emulator, the RTL and Brevitas, by the lines that all three can run."""

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.core.errors import BundleError
from spinflow.host.core.networks import base_of
from spinflow.model import data
from spinflow.model.networks.base import predict
from spinflow.model.networks.graph import ConvSpec, NetworkSpec
from spinflow.model.store import ZOO, load_recipe, load_trained
from spinflow.model.zoo import network
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Evaluator
from tests.sim import tiny
from tests.sim.steps import assert_same, load, rate, trial

BUILD = Path(__file__).resolve().parents[2] / "build"
ALWAYS = 0xFFFFFFFF
SLOW = pytest.mark.slow
FULL = os.environ.get("SPINFLOW_FULL") == "1"
NETWORKS = ["tfc-mnist", pytest.param("mlp-mnist", marks=SLOW)]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return data.mnist().test_images


@pytest.fixture(params=list(tiny.DESCRIPTIONS))
def tiny_bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path, tiny.DESCRIPTIONS[request.param])


CASES = [
    (kind, mode, rate1, rate0)
    for kind in ("weights", "buffer", "both")
    for mode in ("flip", "switch")
    for rate1, rate0 in ((1e-3, 1e-3), (0.5, 0.5), (0.02, 0.3), (0.0, 1.0))
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("case", [("both", "off", 0.0, 0.0), *CASES], ids=str)
def test_evaluator_is_the_emulator(
    network: str, images: np.ndarray, case: tuple[str, str, float, float]
) -> None:
    emulator = Emulator(BUILD / network)
    evaluator = Evaluator.from_bundle(BUILD / network)
    part = images[:150]
    expected = trial(emulator, emulator, part, case)
    assert_same(trial(evaluator, emulator, part, case), expected, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_widths(tiny_bundle: Path, case: tuple[str, str, float, float]) -> None:
    """Words and rows of any number of bits, buffers that wrap in the middle of a frame."""
    emulator, evaluator = Emulator(tiny_bundle), Evaluator.from_bundle(tiny_bundle)
    pixels = emulator.description.pixels
    part = np.random.default_rng(8).integers(0, 256, (70, pixels), dtype=np.uint8)
    expected = trial(emulator, emulator, part, case)
    assert_same(trial(evaluator, emulator, part, case), expected, case)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network, frames, cases",
    [
        ("tfc-mnist", 60, [("both", "off", 0.0, 0.0), *CASES[::3], CASES[-2]]),
        ("mlp-mnist", 12, [CASES[8 * i + 2] for i in range(3)] + [CASES[-2]]),
    ],
)
def test_evaluator_is_the_rtl(
    network: str, frames: int, cases: list[tuple[str, str, float, float]], images: np.ndarray
) -> None:
    for case in cases:
        emulator = Emulator(BUILD / network)
        rtl = Accelerator(BUILD / network)
        evaluator = Evaluator.from_bundle(BUILD / network)
        part = images[:frames]
        expected = trial(rtl, emulator, part, case)
        assert_same(trial(evaluator, emulator, part, case), expected, case)


def binary_networks() -> list[Any]:
    """All of the zoo with their variants; but for the first only in the full run."""
    names = sorted(path.stem for path in ZOO.glob("*.safetensors"))
    found = [name for name in names if isinstance(network(base_of(name)), NetworkSpec | ConvSpec)]
    found.remove("tfc-mnist")
    return ["tfc-mnist", *(pytest.param(name, marks=SLOW) for name in found)]


@pytest.mark.slow
@pytest.mark.parametrize("name", binary_networks())
def test_labels_of_brevitas(name: str) -> None:
    """Every label of the test set: the thresholds are such that no rounding can decide.

    Brevitas takes minutes for the VGG, and one for each variant of the CNV: all images of the VGG
    and of variants are for the full run. How many labels are right is known of all, from Brevitas.
    """
    model = load_trained(name)
    tests = data.dataset(model.spec.dataset)
    evaluator = Evaluator.from_network(name)
    load(evaluator)
    labels, _ = evaluator.run(tests.test_images, taps=False)
    assert len(labels) == 10_000
    assert (labels == tests.test_labels).sum() == load_recipe(name)["test_correct"]
    compared = 10_000 if FULL or not (name == "vgg-cifar10" or "+" in name) else 1_000
    different = np.flatnonzero(labels[:compared] != predict(model, tests.test_images[:compared]))
    assert len(different) == 0, f"images {different[:10]}"


def test_without_a_bundle_the_order_is_natural(images: np.ndarray) -> None:
    """Errors of a network in the natural order are those of the draws at output * MW + input."""
    from spinflow.host.core.stream import hits

    evaluator = Evaluator.from_network("tfc-mnist")
    evaluator.set_errors(1, "flip", rate(0.1), rate(0.1), 42)
    evaluator.write_weights(1, evaluator.weights(1))
    weights: np.ndarray = evaluator.network.layers[2].weights
    hit = hits(42, 0, np.full(weights.size, rate(0.1))).reshape(weights.shape)
    packed = np.packbits(weights ^ hit, axis=1, bitorder="little").view("<u4")
    np.testing.assert_array_equal(evaluator.read_weights(1), packed)
    load(evaluator)
    evaluator.set_errors(4, "flip", rate(0.1), rate(0.1), 43)
    _, taps = evaluator.run(images[:20])
    drawn = hits(43, 0, np.full(20 * 64, rate(0.1))).reshape(20, 64)
    np.testing.assert_array_equal(taps["fc0.buffer"], taps["fc0"] ^ drawn)


@pytest.mark.parametrize("stream", ["hardware", "fast"])
@pytest.mark.parametrize("mode", ["flip", "switch"])
def test_blocks_and_threads_change_nothing(
    bundle_folder: Path, images: np.ndarray, stream: str, mode: str
) -> None:
    seen = []
    for threads, parts in ((1, [700]), (3, [1, 64, 635])):
        evaluator = Evaluator.from_bundle(bundle_folder, stream=stream, threads=threads)
        load(evaluator)
        for cells in evaluator.memories:
            evaluator.set_errors(cells.index, mode, rate(0.01), rate(0.2), 9 + cells.index)
        load(evaluator)
        edges = np.cumsum([0, *parts])
        runs = [evaluator.run(images[a:b])[1] for a, b in pairwise(edges)]
        taps = {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
        seen.append([*taps.values(), *(evaluator.counters(m.index) for m in evaluator.memories)])
    assert_same(seen[0], seen[1], stream)


def test_taps_or_not(bundle_folder: Path, images: np.ndarray) -> None:
    evaluator = Evaluator.from_bundle(bundle_folder)
    load(evaluator)
    labels, taps = evaluator.run(images[:50])
    assert (evaluator.run(images[:50], taps=False)[0] == labels).all()
    assert evaluator.run(images[:50], taps=False)[1] == {}
    none, empty = evaluator.run(images[:0])
    assert none.shape == (0,)
    assert {name: value.shape for name, value in empty.items()} == {
        name: (0, value.shape[1]) for name, value in taps.items()
    }


def test_wrong_input(bundle_folder: Path, images: np.ndarray, tmp_path: Path) -> None:
    evaluator = Evaluator.from_bundle(bundle_folder)
    with pytest.raises(ValueError, match="no error mode 'stuck'"):
        evaluator.set_errors(0, "stuck", 0, 0, 0)
    with pytest.raises(ValueError, match="threshold0 4294967296 does not fit"):
        evaluator.set_errors(0, "flip", 0, 1 << 32, 0)
    with pytest.raises(ValueError, match="no memory 9, only 0 to 6"):
        evaluator.set_errors(9, "flip", 0, 0, 0)
    with pytest.raises(ValueError, match="memory 4 is a buffer"):
        evaluator.read_weights(4)
    with pytest.raises(ValueError, match=r"takes \(256, 7\) segments, not \(256, 1\)"):
        evaluator.write_weights(0, np.zeros((256, 1), np.uint32))
    with pytest.raises(ValueError, match=r"\(n, 784\), not \(2, 783\)"):
        evaluator.run(images[:2, 1:])
    with pytest.raises(ValueError, match="uint8, not float64"):
        evaluator.run(images[:2] * 1.0)
    with pytest.raises(ValueError, match="no stream 'quick'; the streams are hardware, fast"):
        Evaluator.from_bundle(bundle_folder, stream="quick")
    with pytest.raises(ValueError, match="0 threads"):
        Evaluator.from_bundle(bundle_folder, threads=0)
    with pytest.raises(BundleError, match="is not a bundle"):
        Evaluator.from_bundle(tmp_path)
    with pytest.raises(ValueError, match="unknown network 'lenet'"):
        Evaluator.from_network("lenet")
