"""Trials that are held and run together: in every bit what the evaluator gives one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.memory import MODES
from spinflow.sim.evaluator import (
    Buffer,
    Conv,
    Evaluator,
    Folding,
    Label,
    Linear,
    MaxPool,
    Network,
    PixelThreshold,
)
from spinflow.sim.evaluator.layers.base import Layer, Map, Values
from spinflow.sim.evaluator.layers.byte_table import ByteTable
from spinflow.sim.evaluator.together import Held, Together
from spinflow.sim.sweeps.device import HoldingAccelerator, SoftwareAccelerator, bundle_of
from tests.sim.steps import rate

RATES = (0.0, 1e-4, 1e-3, 0.01, 0.1, 0.5, 1.0)
WIDTHS = (1, 6, 31, 32, 33, 64, 100, 128, 130, 192, 256, 300, 520)


@dataclass(frozen=True)
class Errors:
    """How a memory errs, and over what its weights are written."""

    mode: str
    rate1: float
    rate0: float
    seed: int
    background: int


def errors() -> st.SearchStrategy[Errors]:
    rates = st.sampled_from(RATES)
    numbers = st.integers(0, 5)
    return st.builds(Errors, st.sampled_from(MODES), rates, rates, numbers, numbers)


def divisor(rng: np.random.Generator, of: int) -> int:
    return int(rng.choice([n for n in range(1, of + 1) if of % n == 0]))


def buffer_of(rng: np.random.Generator, bits: int) -> Buffer | bool:
    """None, one of a frame, or one of any depth whose words divide a frame."""
    width = divisor(rng, bits)
    return (False, True, Buffer(int(rng.integers(1, 2 * bits // width + 1)), width))[
        int(rng.integers(3))
    ]


class Maker:
    """Makes layers, each on what the one before gives."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> None:
        self.rng, self.shape, self.pixels = rng, shape, True
        self.layers: list[Layer] = []

    def thresholds(self, weights: np.ndarray, signed: bool) -> np.ndarray:
        terms = weights[0].size
        flat = weights.reshape(len(weights), -1)
        middle = (flat * 2.0 - 1).sum(axis=1) * 127.5 if self.pixels else terms / 2
        if signed:
            middle = 0
        spread = 1 + terms**0.5 * (100 if self.pixels else 0.4)
        found = np.round(middle + self.rng.normal(0, spread, len(weights))).astype(np.int32)
        if not self.pixels and not signed:
            found = np.clip(found, 0, terms + 1)
            found[0] = self.rng.choice([0, terms + 1, found[0]])
        return found

    def product(self, outputs: int, window: bool, last: bool = False) -> None:
        rows, columns, channels = self.shape
        options: dict[str, Any] = {}
        if window:
            kernel = [int(self.rng.integers(1, min(4, side) + 1)) for side in (rows, columns)]
            padding = tuple(int(self.rng.integers(0, side)) for side in kernel * 2)
            value = int(self.rng.choice([-1, 0]))
            options = {
                "padding": padding,
                "stride": tuple(int(step) for step in self.rng.integers(1, 3, 2)),
                "padding_value": value,
            }
            shape: tuple[int, ...] = (outputs, *kernel, channels)
        else:
            shape = (outputs, rows * columns * channels)
        weights = self.rng.integers(0, 2, shape, dtype=np.uint8)
        signed = window and options["padding_value"] == 0 and any(padding) and not self.pixels
        folding = Folding(divisor(self.rng, outputs), divisor(self.rng, weights[0].size))
        common: dict[str, Any] = {
            "thresholds": None if last else self.thresholds(weights, signed),
            "inverted": None if last else self.rng.random(outputs) < 0.3,
            "folding": folding,
        }
        name = f"layer{len(self.layers)}"
        made: Any = Conv if window else Linear
        self.add(made(name, weights, **common, **options), last)

    def add(self, layer: Layer, last: bool = False) -> None:
        values = Values.PIXELS if self.pixels else Values.BITS
        result = layer.result(Map(self.shape, values))
        self.shape, self.pixels = result.shape, result.values is Values.PIXELS
        if not last and not self.pixels and not isinstance(layer, PixelThreshold):
            object.__setattr__(layer, "buffer", buffer_of(self.rng, int(np.prod(self.shape))))
        self.layers.append(layer)


def random_network(seed: int) -> Network:
    """A network of any kinds of layers, with maps that fill no words."""
    rng = np.random.default_rng([16, seed])
    flat = bool(rng.integers(2))
    channels = int(rng.integers(1, 200 if flat else 4))
    rows, columns = (1, 1) if flat else (int(n) for n in rng.integers(4, 9, 2))
    shape = (rows, columns, channels)
    maker = Maker(rng, shape)
    if rng.integers(3) == 0:
        maker.add(ByteTable(rng.integers(0, 256, 256).astype(np.uint8)))
    if rng.integers(2):
        maker.add(PixelThreshold(int(rng.integers(60, 200))))
    for _ in range(0 if flat else int(rng.integers(1, 4))):
        maker.product(int(rng.choice(WIDTHS[:8])), window=True)
        if rng.integers(2) and min(maker.shape[:2]) > 1:
            maker.add(MaxPool(f"pool{len(maker.layers)}"))
    for _ in range(int(rng.integers(0, 4))):
        maker.product(int(rng.choice(WIDTHS)), window=False)
    classes = int(rng.integers(1, 40))
    maker.product(classes, window=False, last=True)
    scores = rng.integers(2)
    gains = rng.integers(1, 4, classes) if scores else None
    offsets = rng.integers(0, 9, classes) if scores else None
    network_shape = (channels,) if flat else shape
    layers = (*maker.layers, Label(gains=gains, offsets=offsets))
    return Network(f"random{seed}", network_shape, layers)


def coding_of(number: int) -> Coding:
    """Every second network has plain memories; of the others any are coded."""
    rng = np.random.default_rng([17, number])
    weights, buffers = (int(word) for word in rng.choice([0, 4, 16, 64], 2))
    return Coding(weights, buffers) if number % 2 else PLAIN


def write(evaluator: Evaluator, chosen: list[Errors]) -> None:
    """What a trial does before its images."""
    evaluator.soft_reset()
    for memory, each in zip(evaluator.memories, chosen, strict=True):
        evaluator.set_errors(memory.index, "off", 0, 0, 0)
        if memory.kind == "weights":
            trained = evaluator.weights(memory.layer)
            background = np.random.default_rng(each.background).integers(
                0, 1 << 32, trained.shape, dtype=np.uint32
            )
            evaluator.write_weights(memory.index, background if each.background else trained)
        evaluator.set_errors(memory.index, each.mode, rate(each.rate1), rate(each.rate0), each.seed)
        if memory.kind == "weights" and each.background != 1:
            evaluator.write_weights(memory.index, evaluator.weights(memory.layer))


def check(
    number: int, trials: list[list[Errors]], frames: tuple[int, int], how: tuple[str, bool]
) -> None:
    """Two runs one after the other, whose second goes on with buffers, positions and counts."""
    network = random_network(number)
    stream, always = how
    coding = coding_of(number)
    single = Evaluator.from_network(network, stream, threads=1, coding=coding)
    group = Evaluator.from_network(network, stream, threads=1, coding=coding)
    together = Together(group, always)
    group.frames_at_once = single.frames_at_once = 70  # several blocks
    rng = np.random.default_rng(frames)
    pixels = int(np.prod(network.shape))
    parts = [rng.integers(0, 256, (n, pixels), dtype=np.uint8) for n in frames]
    held: list[Held] = []
    for chosen in trials:
        write(group, chosen)
        held.append(group.hold())
    for part in parts:
        together.run(held, part, taps=True)
    for chosen, trial in zip(trials, held, strict=True):
        write(single, chosen)
        runs = [single.run(part) for part in parts]
        np.testing.assert_array_equal(
            np.concatenate(trial.labels), np.concatenate([labels for labels, _ in runs])
        )
        for name in runs[0][1]:
            found = np.concatenate([taps[name] for taps in trial.taps])
            expected = np.concatenate([taps[name] for _, taps in runs])
            np.testing.assert_array_equal(found, expected, err_msg=name)
        for memory in trial.memories:
            alone = single.memories[memory.index]
            assert memory.counts == alone.counts, memory.name
            assert memory.code_counts == alone.code_counts, memory.name
            assert memory.position == alone.position, memory.name
            np.testing.assert_array_equal(memory.bits, alone.bits, err_msg=memory.name)


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, list[list[Errors]]]:
    """The number of a network, and trials of it."""
    number = draw(st.integers(0, 10_000))
    memories = Evaluator.from_network(random_network(number), threads=1).memories
    trial = st.lists(errors(), min_size=len(memories), max_size=len(memories))
    return number, draw(st.lists(trial, min_size=1, max_size=3))


def test_a_snapshot_has_what_decoders_counted() -> None:
    """Trials together and one alone, of coded memories only; another coding, another build."""
    network, images = random_network(3), np.random.default_rng(1)
    pixels = images.integers(0, 256, (5, int(np.prod(network.shape))), dtype=np.uint8)
    identities, seen = set(), []
    for coding in PLAIN, Coding(buffers=8), Coding(16, 8):
        engine = Evaluator.from_network(network, threads=1, coding=coding)
        bundle = bundle_of("n", engine, "evaluator")
        identities.add(bundle.build_id)
        for kind in HoldingAccelerator, SoftwareAccelerator:
            device = kind(bundle, engine, "evaluator")
            for memory in bundle.memories:
                device.set_thresholds(memory.name, "flip", 1 << 28, 1 << 28, 5)
            device.write_weights()
            if isinstance(device, HoldingAccelerator):
                device.hold()
                ((_, snapshot),) = device.run_held(pixels)
            else:
                device.run(pixels)
                snapshot = device.snapshot()
            seen.append(snapshot.codes)
            assert seen[-1].keys() == {m.name for m in bundle.memories if m.code is not None}
        assert seen[-1] == seen[-2] and all(codes.read for codes in seen[-1].values())
    assert len(identities) == 3


FRAMES = st.sampled_from([(1, 3), (64, 5), (75, 0), (130, 66)])
HOW = st.tuples(st.sampled_from(["hardware", "fast"]), st.booleans())
OPTIONS = settings(
    deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


@settings(OPTIONS, max_examples=40)
@given(cases(), FRAMES, HOW)
def test_any_network_and_errors(
    case: tuple[int, list[list[Errors]]], frames: tuple[int, int], how: tuple[str, bool]
) -> None:
    check(*case, frames, how)


@pytest.mark.slow
@settings(OPTIONS, max_examples=200)
@given(cases(), FRAMES, HOW)
def test_many_networks_and_errors(
    case: tuple[int, list[list[Errors]]], frames: tuple[int, int], how: tuple[str, bool]
) -> None:
    check(*case, frames, how)
