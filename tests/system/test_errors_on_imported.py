"""Errors on, in networks from elsewhere: RTL, emulator and evaluator agree in all that can be seen.

One is the TFC_1W1A of the QONNX zoo, the other a convolutional network of odd sizes: maps that are
not square, widths that are primes, pools that leave something over. Each memory errs at
rates of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.hls.foreign import qonnx_reader
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.host.core.stream import memory_seed, threshold
from spinflow.sim import verilate
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.engines import engine
from tests.drawn import held
from tests.hls.foreign import Graph, model_file
from tests.system.test_errors_off import PAUSE

SEED = 20264
Make = Callable[[Path], Path]


def tfc(folder: Path) -> Path:
    return model_file("qonnx-zoo/TFC_1W1A.onnx")


def odd(folder: Path) -> Path:
    """Pixels 2 x 10 x 14 -> conv 3x2 -> 7 channels, pooled -> conv 1x3 -> 5, pooled -> 13 -> 3."""
    g = Graph(11)
    kernel: dict[str, Any] = {"kernel_shape": [3, 2]}
    first = g.norm(g.node("Conv", "in", g.weights(7, 2, 3, 2), **kernel), 7, 40.0)
    bits = g.node("MaxPool", g.sign(first), kernel_shape=[2, 2], strides=[2, 2])
    kernel = {"kernel_shape": [1, 3]}
    second = g.norm(g.node("Conv", bits, g.weights(5, 7, 1, 3), **kernel), 5)
    pooled = g.node("MaxPool", g.sign(second), kernel_shape=[2, 2], strides=[2, 2])
    flat = g.node("Flatten", pooled, axis=1)
    third = g.sign(g.norm(g.node("Gemm", flat, g.weights(13, 20), transB=1), 13, 2.0))
    last = g.node("Gemm", third, g.weights(3, 13), transB=1)
    return g.save(folder / "odd.onnx", (1, 2, 10, 14), last, 3)


NETWORKS: dict[str, tuple[Make, str, int]] = {"tfc": (tfc, "x/255", 784), "odd": (odd, "x", 900)}
"""Each with its `--input` and its cycles a frame."""


@pytest.fixture(scope="module", params=NETWORKS)
def imported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a network, with its simulator."""
    make, form, cycles = NETWORKS[request.param]
    folder = tmp_path_factory.mktemp("imported") / request.param
    folder.mkdir()
    chain = qonnx_reader.read(make(folder), numbers_of(form).table).chain
    held.build(held.write(chain, folder), cycles)
    verilate.build(folder)
    return folder


def trial(device: Any, mode: str, images: held.Images) -> list[Any]:
    """Write weights with errors, run images twice, and return everything that can be seen."""
    seen: list[Any] = []
    for memory in device.memories:
        # A rate of its own for every memory and direction, up to nearly one in two.
        rates = [threshold(0.9 / (2 + memory.index + 3 * target)) for target in (1, 0)]
        seed = memory_seed(SEED, 0, memory.index)
        device.set_errors(memory.index, mode, *rates, seed)
    device.clear()
    for memory in device.memories:
        if memory.kind == "weights":
            device.write_weights(memory.index, device.weights(memory.layer))
            seen.append(device.read_weights(memory.index))
    for _ in range(2):
        labels, edges = device.run(images)
        names = sorted(tap.name for tap in device.description.taps)
        seen += [labels, *(edges[name] for name in names)]
        seen += [device.counters(memory.index) for memory in device.memories]
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["flip", "switch"])
def test_rtl_emulator_and_evaluator_are_one(imported: Path, mode: str) -> None:
    rtl = Accelerator(imported)
    rtl.library.pause(PAUSE, PAUSE, seed=5)
    count = 40
    pixels = int(np.prod(rtl.description.shape))
    images = np.random.default_rng(SEED).integers(0, 256, (count, pixels)).astype(np.uint8)
    of_rtl = trial(rtl, mode, images)
    for kind in ("emulator", "evaluator"):
        found = trial(engine(kind, bundle=imported), mode, images)
        assert len(found) == len(of_rtl)
        for number, (a, b) in enumerate(zip(of_rtl, found, strict=True)):
            np.testing.assert_array_equal(a, b, f"observation {number} of {kind}")
    counts = of_rtl[-len(rtl.memories) :]
    erred = [(count.err1, count.err0) for count in counts]
    assert all(map(any, erred)), f"a memory made no errors: {erred}"
    without = trial(engine("evaluator", bundle=imported), "off", images)
    assert any(np.any(a != b) for a, b in zip(of_rtl, without, strict=True))
