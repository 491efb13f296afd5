"""Convolutions that pad bits with 0: QONNX, FINN, emulator, evaluator and RTL, errors off and on.

One network in two foldings: narrow words that lie within a pixel, and wide ones of many pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.build import build
from spinflow.hls.golden import golden_edges
from spinflow.host.core.packing import unpack_weights
from spinflow.host.core.stream import memory_seed, threshold
from spinflow.sim import verilate
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Evaluator
from tests.hls.networks import zero_padded_convolutions
from tests.hls.qonnx_edges import edges_of
from tests.system.test_errors_off import PAUSE, load_weights
from tests.system.test_errors_on import Case, run_case

pytestmark = pytest.mark.slow

FOLDINGS = {
    "narrow": (6000, {"conv1": {"PE": 2, "SIMD": 1}, "conv3": {"PE": 2, "SIMD": 4}}),
    # Sums of a fold in parts of pixels (conv1) and of whole windows (conv3).
    "wide": (320, {"conv1": {"PE": 6, "SIMD": 9}, "conv3": {"PE": 6, "SIMD": 72}}),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zero_padded_convolutions().save(tmp_path_factory.mktemp("networks") / "zeros")


@pytest.fixture(scope="module", params=FOLDINGS)
def bundle(
    request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    cycles, given = FOLDINGS[request.param]
    folder = tmp_path_factory.mktemp("bundles") / str(request.param)
    build(source, cycles, folder, given)
    verilate.build(folder)
    return folder


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (12, 56)).astype(np.uint8)


def test_every_boundary_without_errors(source: Path, bundle: Path, images: np.ndarray) -> None:
    expected, golden = edges_of(source, images), golden_edges(bundle, images)
    for number in range(4):
        np.testing.assert_array_equal(golden[f"conv{number}"], expected[f"sign{number}"])
    rtl = Accelerator(bundle)
    rtl.library.pause(PAUSE, PAUSE, seed=3)
    for device in (rtl, Emulator(bundle), Evaluator.from_bundle(bundle)):
        load_weights(device, bundle)
        labels, edges = device.run(images)
        for name, values in golden.items():
            np.testing.assert_array_equal(edges[name], values, err_msg=name)
        np.testing.assert_array_equal(labels, expected["label"])


def test_the_file_with_the_weights_that_are_stored(
    source: Path, bundle: Path, images: np.ndarray
) -> None:
    """With erroneous weights the hardware still pads with 0: it is the file with those weights."""
    rtl = Accelerator(bundle)
    weights = [memory for memory in rtl.memories if memory.kind == "weights"]
    for memory in weights:
        seed = memory_seed(1, 0, memory.index)
        rtl.set_errors(memory.index, "flip", threshold(0.1), threshold(0.05), seed)
    load_weights(rtl, bundle)
    products = rtl.description.products
    stored = {memory.layer: rtl.read_weights(memory.index) for memory in weights}
    matrices = {
        number: unpack_weights(words, *(getattr(products[number], k) for k in ORDER))
        for number, words in stored.items()
    }
    expected = edges_of(source, images, matrices)
    _, edges = rtl.run(images)
    golden = golden_edges(bundle, images, weights=stored)
    for number in range(4):
        np.testing.assert_array_equal(edges[f"conv{number}"], expected[f"sign{number}"])
        np.testing.assert_array_equal(golden[f"conv{number}"], expected[f"sign{number}"])
    assert np.any(expected["sign1"] != edges_of(source, images)["sign1"])


ORDER = ("mw", "mh", "pe", "simd")


@pytest.mark.parametrize("mode", ["flip", "switch"])
def test_errors_in_everything(bundle: Path, images: np.ndarray, mode: str) -> None:
    case = Case("both", mode, 0.02, 0.1, 2)
    rtl = Accelerator(bundle)
    rtl.library.pause(PAUSE, PAUSE, seed=7)
    of_rtl = run_case(rtl, rtl, bundle, case, images)
    for device in (Emulator(bundle), Evaluator.from_bundle(bundle)):
        of_device = run_case(device, rtl, bundle, case, images)
        for number, (a, b) in enumerate(zip(of_device, of_rtl, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=f"observation {number}")
