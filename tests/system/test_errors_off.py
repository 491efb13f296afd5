"""Errors off: FINN's Python execution, the emulator and the RTL agree at every layer boundary."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.golden import golden_edges
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Evaluator
from tests.system.conftest import FULL

Images = tuple[np.ndarray, np.ndarray]
BOUNDARY_IMAGES = {"lenet-mnist": 20, "cnv-cifar10": 5}
LABEL_IMAGES = {"lenet-mnist": 1_000 if FULL else 50, "cnv-cifar10": 100 if FULL else 10}
PAUSE = 1 << 30  # each side of the stream waits in a quarter of the cycles


def load_weights(device: Accelerator | Emulator | Evaluator, bundle: Path) -> None:
    """Write the trained weights into a freshly opened device, without errors."""
    with np.load(bundle / "arrays.npz") as arrays:
        for memory in device.memories:
            if memory.kind == "weights":
                device.write_weights(memory.index, arrays[f"weights.{memory.layer}"])


@pytest.mark.slow
def test_every_boundary(
    bundle: Path, test_set: Images, record_property: Callable[[str, object], None]
) -> None:
    images = test_set[0][: BOUNDARY_IMAGES.get(bundle.name, 200)]
    expected = golden_edges(bundle, images)
    emulator, rtl = Emulator(bundle), Accelerator(bundle)
    compared = 0
    for device in (emulator, rtl):
        load_weights(device, bundle)
    rtl.library.pause(PAUSE, PAUSE, seed=1)
    names = {tap.name for tap in rtl.description.taps}
    for device in (emulator, rtl):
        labels, edges = device.run(images)
        assert names <= set(edges)
        for name in sorted(names):
            np.testing.assert_array_equal(edges[name], expected[name], err_msg=name)
            compared += edges[name].size
        np.testing.assert_array_equal(labels, expected["label"][:, 0])
    record_property(f"{bundle.name}.values_compared", compared)


@pytest.mark.slow
def test_labels(bundle: Path, test_set: Images) -> None:
    images = test_set[0][: LABEL_IMAGES.get(bundle.name, 10_000 if FULL else 1_000)]
    emulator, rtl = Emulator(bundle), Accelerator(bundle)
    for device in (emulator, rtl):
        load_weights(device, bundle)
    golden = np.concatenate(
        [
            golden_edges(bundle, images[i : i + 1000])["label"][:, 0]
            for i in range(0, len(images), 1000)
        ]
    )
    np.testing.assert_array_equal(emulator.run(images)[0], golden)
    np.testing.assert_array_equal(rtl.library.run(images), golden)


def test_accuracy_is_that_of_brevitas(
    bundle: Path, test_set: Images, record_property: Callable[[str, object], None]
) -> None:
    images, labels = test_set
    # The evaluator, which tests/sim holds to the emulator, for 10,000 images of any network.
    evaluator = Evaluator.from_bundle(bundle)
    load_weights(evaluator, bundle)
    correct = int((evaluator.run(images, taps=False)[0] == labels).sum())
    stated = json.loads((bundle / "accel.json").read_text())["accuracy"]
    assert stated["images"] == len(images)
    assert correct == round(stated["software"] * len(images))
    record_property(f"{bundle.name}.accuracy", correct / len(images))


@pytest.mark.slow
def test_a_wrong_weight_shows(bundle: Path, test_set: Images) -> None:
    """The comparison itself: one inverted word of weights must change a boundary."""
    images = test_set[0][:2]
    rtl = Accelerator(bundle)
    load_weights(rtl, bundle)
    expected = golden_edges(bundle, images)
    memory = next(m for m in rtl.memories if m.kind == "weights")
    first = memory.name.removesuffix(".weights")
    word = rtl.library.read(memory.base, 1)
    rtl.library.write(memory.base, word ^ np.uint32(0xFFFFFFFF >> (32 - min(memory.width, 32))))
    _, edges = rtl.run(images)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(edges[first], expected[first])
