"""Holds a small network's QONNX execution, golden reference, engines and RTL against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from spinflow.hls.build import build
from spinflow.hls.golden import golden_edges
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import Description
from spinflow.host.core.stream import memory_seed, threshold
from spinflow.sim import verilate
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Evaluator
from tests.hls.networks import Network

Images = np.ndarray[Any, Any]


def agree(
    network: Network,
    cycles: int,
    folder: Path,
    *,
    given: dict[str, dict[str, int]] | None = None,
    images: Images | None = None,
    rtl: bool = False,
    coding: Coding = PLAIN,
    rate: float = 0.2,
) -> Description:
    """Build a network and compare everything that computes it, without errors and with them.

    Args:
        network: in QONNX.
        cycles: target of the folding.
        folder: where to work.
        given: PE and SIMD by layer name that the search is not to choose.
        images: uint8, shape (n, pixels); random ones if None.
        rtl: whether to simulate the RTL too, with assertions alive.
        coding: which memories are coded.
        rate: of errors on a written 1; on a 0 it is half of that.
    """
    bundle = folder / "bundle"
    described = build(network.save(folder / "network"), cycles, bundle, given, coding=coding)
    if images is None:
        random = np.random.default_rng(7)
        images = random.integers(0, 256, (12, described.pixels)).astype(np.uint8)
    golden = golden_edges(bundle, images)
    np.testing.assert_array_equal(golden["label"][:, 0], labels(network, folder, images))
    engines: list[Any] = [Emulator(bundle), Evaluator.from_bundle(bundle, threads=1)]
    if rtl:
        verilate.build(bundle, verilate.CHECKED)
        engines.append(Accelerator(bundle, checked=True))
        engines[-1].library.pause(1 << 30, 1 << 30, seed=7)
    exact = [without_errors(engine, images) for engine in engines]
    for taps in exact:
        for name, values in golden.items():
            np.testing.assert_array_equal(taps[name], values, name)
    for mode in "flip", "switch":
        first, *others = [with_errors(engine, mode, images, rate) for engine in engines]
        for other in others:
            assert first.keys() == other.keys()
            for name, values in first.items():
                np.testing.assert_array_equal(other[name], values, f"{mode}: {name}")
        assert any(np.any(first[name] != values) for name, values in exact[0].items())
    return described


def labels(network: Network, folder: Path, images: Images) -> Images:
    """Return the labels of QONNX's own execution of the file."""
    model = ModelWrapper(str(folder / "network" / "model.onnx")).transform(InferShapes())
    _, *shape = network.input_shape
    frames = images.astype(np.float32)
    if len(shape) == 3:
        channels, rows, columns = shape
        frames = frames.reshape(-1, rows, columns, channels).transpose(0, 3, 1, 2)
    output = model.graph.output[0].name
    scores = [execute_onnx(model, {"pixels": frame[None]})[output] for frame in frames]
    found: Images = np.concatenate(scores).argmax(axis=1)
    return found


def without_errors(engine: Any, images: Images) -> dict[str, Images]:
    """Write the trained weights; return what images make at every boundary."""
    write_weights(engine)
    found, taps = engine.run(images)
    np.testing.assert_array_equal(np.asarray(taps["label"])[:, 0], found)
    result: dict[str, Images] = taps
    return result


def with_errors(engine: Any, mode: str, images: Images, rate: float) -> dict[str, Images]:
    """Let every memory err; return boundaries, weights read back and counters."""
    engine.soft_reset()
    for memory in engine.memories:
        seed = memory_seed(2026, 0, memory.index)
        engine.set_errors(memory.index, mode, threshold(rate), threshold(rate / 2), seed)
    write_weights(engine)
    seen: dict[str, Images] = {}
    for turn in "", " again":
        _, taps = engine.run(images)
        seen |= {f"{name}{turn}": values for name, values in taps.items()}
    for memory in engine.memories:
        seen[f"{memory.index} counted"] = np.array([*vars(engine.counters(memory.index)).values()])
        codes = engine.code_counters(memory.index)
        seen[f"{memory.index} decoded"] = np.array([*vars(codes).values()])
        if memory.kind == "weights":
            seen[f"{memory.index} read"] = engine.read_weights(memory.index)
        engine.set_errors(memory.index, "off", 0, 0, 0)
    return seen


def write_weights(engine: Any) -> None:
    """Write the trained weights of every layer."""
    for memory in engine.memories:
        if memory.kind == "weights":
            engine.write_weights(memory.index, engine.weights(memory.layer))
