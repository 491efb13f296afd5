"""Holds a drawn network against itself in every form that it takes on the way to the hardware."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from spinflow.hls.build import build
from spinflow.hls.foreign import compare, qonnx_reader, scores, writer
from spinflow.hls.foreign.chain import Chain, Integers, Matrix
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.golden import golden_edges
from spinflow.hls.paths import BuildError
from spinflow.sim.engines import engine
from tests.drawn import source
from tests.drawn.recipe import Recipe, draw

ROOT = Path(__file__).resolve().parents[2]
FULL = os.environ.get("SPINFLOW_FULL") == "1"
KEPT = ROOT / "out" / "drawn"
"""Where networks lie that failed."""

IMAGES = 16
"""Images that each network computes."""

Images = npt.NDArray[np.uint8]


def asked(variable: str, usual: int) -> range:
    """Return the numbers of the networks that are to be tried.

    Args:
        variable: of the environment: how many, or "first-last", or "number-" for one alone.
        usual: how many, if it is not set.
    """
    text = os.environ.get(variable, str(usual))
    first, dash, last = text.partition("-")
    if not dash:
        return range(int(first))
    return range(int(first), int(last or first) + 1)


@dataclass(frozen=True)
class Taken:
    """A network that the reader took.

    Attributes:
        recipe: what was drawn.
        path: the source.
        reading: what was read.
        chain: the layers, with scores of few bits, as the import takes them.
        table: what it takes for a pixel.
        images: of its shape.
    """

    recipe: Recipe
    path: Path
    reading: qonnx_reader.Reading
    chain: Chain
    table: npt.NDArray[np.float64]
    images: Images


def _images(recipe: Recipe) -> Images:
    """Return images: all dark, all light, two values only, then noise of several brightnesses."""
    rng = np.random.default_rng([recipe.number, 1])
    shape = (IMAGES, recipe.pixels)
    noise = (rng.integers(0, 256, shape) * rng.uniform(0.2, 1.0, (IMAGES, 1))).astype(np.uint8)
    noise[:4] = rng.choice([0, 255], noise[:4].shape)
    noise[0], noise[1] = 0, 255
    return noise


def taken(number: int, folder: Path) -> Taken:
    """Write and read the network of a number.

    Raises:
        BuildError: it is refused.
    """
    recipe = draw(number)
    path = source.write(recipe, folder)
    table = numbers_of(source.numbers(recipe, folder)).table
    reading, images = qonnx_reader.read(path, table), _images(recipe)
    chain, _ = scores.settled(reading.chain, lambda: reading.chain.run(images))
    return Taken(recipe, path, reading, chain, table, images)


def reason(error: BuildError) -> str:
    """Return a refusal without the names and numbers in it, so that refusals can be counted."""
    text = re.sub(r"/\S*/", "", str(error))
    return re.sub(r"-?\d+(\.\d+)?", "#", text)[:90]


def is_plain(error: BuildError) -> bool:
    """Return whether a refusal is one short line that names a layer or a place."""
    text = str(error)
    named = re.search(
        r"\b(conv|fc|pool)\d+\b|first (layer|convolution)|last layer|input|cycles", text
    )
    return bool(named) and "\n" not in text and len(text) < 300 and "fault" not in text


def hold_source(network: Taken, count: int = IMAGES) -> int:
    """Compare a reading with QONNX's execution, layer by layer; return the ties."""
    reading, images = network.reading, network.images[:count]
    found = compare.with_qonnx(reading.model, network.chain, images, network.table, reading.places)
    assert not found.faults, found.faults[0]
    labels = network.chain.labels(network.chain.run(images))
    tied = [difference.image for difference in found.differences]
    same = np.delete(labels == found.labels, tied)
    assert same.all(), f"labels of images {np.flatnonzero(~same)} differ"
    return len(tied)


def hold_written(network: Taken, folder: Path, count: int = 2) -> None:
    """Write a chain as the flow takes it; QONNX must compute its labels from that."""
    images = network.images[-count:]
    path = write(network.chain, folder) / "model.onnx"
    model = ModelWrapper(str(path))
    name, output = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(name)
    ours = network.chain.labels(network.chain.run(images))
    for image, label in zip(images, ours, strict=True):
        frame = network.chain.arranged(image[None]) if len(shape) == 4 else image
        context = {name: frame.reshape(shape).astype(np.float32)}
        found = execute_onnx(model, context)[output].reshape(-1)
        assert found.argmax() == label, "what is written has another label"


def write(chain: Chain, folder: Path) -> Path:
    """Write model.onnx and model.json, as the import does; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = writer.to_qonnx(chain).SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    facts: dict[str, Any] = {"dataset": "mnist", "accuracy": 0.5, "images": 10000}
    facts["onnx_sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(facts))
    return folder


def cycles_of(network: Taken) -> int:
    """Return the cycles a frame that a network is built for, between the least and the most."""
    chain = network.chain
    bits: dict[str, Integers] = {}
    chain.run(network.images[:2], bits)
    # Frames that do not fill words of 32 bits come byte by byte.
    pixels = network.recipe.pixels
    least, most = (pixels if pixels % 4 else pixels // 4), 1
    for layer in chain.layers:
        if isinstance(layer, Matrix):
            per = bits[layer.source].shape[2:] if layer.source in bits else (8, 8)
            windows = math.prod(per) if layer.is_convolution else 1
            most = max(most, windows * layer.weights.size)
            least = max(least, 4 * windows)
    if any(isinstance(layer, Matrix) and layer.is_convolution for layer in chain.layers):
        least = max(least, 2 * pixels)
    most = max(most, least)
    return round(least * (most / least) ** network.recipe.pace)


def built(network: Taken, folder: Path) -> Path:
    """Build a network's bundle.

    Raises:
        BuildError: the flow refuses it.
    """
    folder = write(network.chain, folder)
    build(folder, cycles_of(network))
    return folder


def hold_built(network: Taken, bundle: Path) -> dict[str, npt.NDArray[Any]]:
    """Compare chain, FINN, emulator and evaluator at every layer boundary; return the edges."""
    images = network.images
    golden = golden_edges(bundle, images)
    labels = network.chain.labels(network.chain.run(images))
    np.testing.assert_array_equal(golden["label"][:, 0], labels, "FINN's labels")
    for name, bits in bits_of(network).items():
        np.testing.assert_array_equal(golden[name], bits, f"FINN's {name}")
    for kind in ("emulator", "evaluator"):
        hold_engine(engine(kind, bundle=bundle), golden, images, kind)
    return golden


def hold_engine(device: Any, golden: dict[str, Any], images: Images, kind: str) -> None:
    """Run images on an engine with the trained weights; every tap must be FINN's."""
    for memory in device.memories:
        if memory.kind == "weights":
            device.write_weights(memory.index, device.weights(memory.layer))
    labels, edges = device.run(images)
    np.testing.assert_array_equal(labels, golden["label"][:, 0], f"{kind}: labels")
    names = set(golden) & set(edges)
    assert names == {tap.name for tap in device.description.taps}
    for name in sorted(names):
        np.testing.assert_array_equal(edges[name], golden[name], f"{kind}: {name}")


def bits_of(network: Taken) -> dict[str, npt.NDArray[np.uint8]]:
    """Return the bits behind each hidden layer, as taps have them, by the tap's name."""
    found: dict[str, Integers] = {}
    network.chain.run(network.images, found)
    named = {}
    name = ""
    for layer in network.chain.layers[:-1]:
        name = layer.name if isinstance(layer, Matrix) else name.replace("conv", "pool")
        if layer.source not in found:
            continue
        values = found[layer.source]
        if values.ndim == 4:
            values = values.transpose(0, 2, 3, 1)
        named[name] = (values.reshape(IMAGES, -1) > 0).astype(np.uint8)
    return named


def keep(folder: Path, number: int) -> Path:
    """Keep the files of a network that failed, and return where."""
    kept = KEPT / str(number)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept)
    (kept / "recipe.txt").write_text(f"{draw(number)!r}\n")
    return kept


def first_taken(numbers: Iterator[int], folder: Path, refused: Counter[str]) -> Taken:
    """Return the first network of some numbers that the reader takes; count the refusals."""
    for number in numbers:
        here = folder / str(number)
        here.mkdir(parents=True)
        try:
            return taken(number, here)
        except BuildError as error:
            assert is_plain(error), f"network {number}: {error}"
            refused[reason(error)] += 1
    raise AssertionError(f"all were refused: {refused}")
