"""Accuracies under write errors, and how far the errors spread (RRMSE), from the zoo's networks.

Everything runs in the evaluator, in process, with its fast random stream. Measured trials are kept
in results files under the output folder, one for each network and kind of memory, so that figures
share them and an interrupted run goes on where it was. All figures use the rates below and the
same images, and repeat n has the same seeds at every rate.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from spinflow.host.core import stream
from spinflow.host.core.errors import InputError
from spinflow.host.core.networks import base_of
from spinflow.host.core.test_sets import TestSet, images_of
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.results import Row
from spinflow.host.sweep.running import Measure, Measured, sweep
from spinflow.host.sweep.statistics import mean_interval
from spinflow.host.sweep.trials import Trial, grid, identity, key
from spinflow.model import store
from spinflow.model.data import DataError, Pictures, locate, open_imagenet
from spinflow.model.metrics import degradation, rrmse
from spinflow.model.networks.base import classes_before
from spinflow.model.networks.graph import Spec
from spinflow.model.zoo import NETWORKS, network
from spinflow.papers.item import (
    TEST_IMAGES,
    ReproduceError,
    Role,
    Setting,
    SkippedError,
    Table,
    skipped_rows,
)
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.sweeps.device import SoftwareAccelerator, bundle_of

BACKEND = "evaluator-fast"
BACKGROUND = "random:1"
MODE = "flip"

RATES = (
    0.0, 1e-6, 1e-5, 1e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 7e-2, 1e-1, 1.5e-1, 2e-1,
)  # fmt: skip
"""Bit-error rates of all figures; 0 is measured once, the others at every repeat."""

COLUMNS = (
    "network", "memory", "rate", "repeat", "seed", "images", "image_set", "build_id", "accuracy",
    "bits_written", "errors",
)  # fmt: skip
"""A table of accuracies as in ``host.sweep.results.Row``; build_id digests the weights."""
ENDING = ("skipped", "command")


def trained(name: str) -> Any:
    """Return a trained network of the zoo.

    Raises:
        SkippedError: there are no weights for it.
    """
    base, _, variant = name.partition("+")
    if base not in NETWORKS:
        raise SkippedError(f"there is no network {base} in model/zoo")
    if not (store.ZOO / f"{name}.safetensors").is_file():
        reason = f"no trained weights model/zoo/{name}.safetensors"
        if NETWORKS[base].dataset == "imagenet":
            reason += ", and ImageNet is not here to train it (spinflow train alexnet-imagenet)"
        elif not variant:
            reason += f" (spinflow train {base})"
        raise SkippedError(reason)
    return store.load_trained(name, store.ZOO)


def images(name: str, count: int) -> TestSet:
    """Return the first test images of a network's data set.

    Raises:
        SkippedError: the data set is not there.
        ReproduceError: it has fewer images.
    """
    dataset = network(base_of(name)).dataset
    try:
        images_of(dataset, 1)
    except (InputError, KeyError):
        raise SkippedError(f"no test images of {dataset} (spinflow data {dataset})") from None
    try:
        return images_of(dataset, count)
    except InputError as error:
        raise ReproduceError(str(error)) from None


@cache
def _bench(name: str, count: int) -> Bench:
    """Return what measures the trials of a network, on all cores."""
    engine = _engine(name)
    spec = network(name)
    if spec.dataset == "imagenet":
        pictures = _pictures(spec)
        if count >= TEST_IMAGES:
            count = len(pictures)
        numbers = np.linspace(0, len(pictures), count, endpoint=False)
        chosen = numbers.astype("<u4").view(np.uint8).reshape(-1, 4)
        right = np.ones(len(chosen), np.uint8)
        return Bench(FirstFive(name, engine, pictures), TestSet(chosen, right, "pictures"))
    device = SoftwareAccelerator(bundle_of(name, engine, BACKEND), engine, BACKEND)
    return Bench(device, images(name, count))


def _pictures(spec: Spec) -> Pictures:
    """Return the validation pictures of ImageNet, of as many classes as a network tells apart."""
    rows, classes = spec.layers[0].source[0], spec.layers[-1].result[2]
    try:
        return open_imagenet(locate("imagenet"), classes, crop=rows).test
    except DataError as error:
        raise SkippedError(f"no pictures: {error}") from None


AT_ONCE = 250
"""Pictures that are decoded and run together."""


class FirstFive(SoftwareAccelerator):
    """Runs pictures by their numbers: whether the right class is among the first five, 1 or 0.

    Args:
        name: of the network.
        engine: its evaluator, ``spinflow.sim.xnor.XnorEvaluator``.
        pictures: all of them.
    """

    def __init__(self, name: str, engine: Any, pictures: Pictures) -> None:
        super().__init__(bundle_of(name, engine, BACKEND), engine, BACKEND)
        self._pictures = pictures
        self._sums = engine.sums

    def run(self, images: NDArray[Any]) -> NDArray[np.uint16]:
        """Run the pictures of these numbers, four bytes each, (n, 4)."""
        found = []
        order = np.ascontiguousarray(images).view("<u4")[:, 0]
        threads = len(os.sched_getaffinity(0))
        for pixels, labels in self._pictures.batches(AT_ONCE, order, workers=threads):
            sums = torch.from_numpy(self._sums(pixels))
            before = classes_before(sums, torch.from_numpy(labels.astype(np.int64)))
            found.append((before < 5).numpy().astype(np.uint16))
        self._frames += len(images)
        return np.concatenate(found)


def _engine(name: str) -> Any:
    return Evaluator.from_network(trained(name), "fast")


def _in_turn(bench: Bench) -> Measure:
    """Return what measures trials one after the other."""

    def measure(trials: Sequence[Trial]) -> Measured:
        for trial in trials:
            start = time.monotonic()
            row = bench.row(trial)
            yield row, time.monotonic() - start

    return measure


def accuracies(
    name: str,
    memory: str,
    repeats: int,
    setting: Setting,
    error_rates: Sequence[float] = RATES,
) -> list[Row]:
    """Measure a network's accuracy with errors in one kind of memory.

    Args:
        name: network of the zoo.
        memory: ``weights`` or ``buffers``.
        repeats: of every rate above 0.
        setting: images, seed and where measured rows are kept.
        error_rates: RATES, or 0 alone.

    Returns:
        Rows in the order of rate and repeat.

    Raises:
        SkippedError: weights or images are not there.
    """
    bench = _bench(name, setting.images)
    bundle = bench.device.bundle
    of = identity(bundle, bench.tests, BACKEND)
    trials = [
        trial
        for trial in grid(
            bundle,
            selections=[memory],
            modes=[MODE],
            points=[point_of_rate(rate) for rate in error_rates],
            backgrounds=[BACKGROUND],
            repeats=repeats,
            seed=setting.seed,
        )
        if trial.point.rate1 or not trial.repeat
    ]
    ending = memory if len(error_rates) > 1 else "exact"
    path = setting.out / "measured" / f"{name}-{ending}.csv"
    rows = {row.key: row for row in sweep(of, trials, path, _in_turn(bench), aside=True)}

    def order(trial: Trial) -> tuple[float, int]:
        return trial.point.rate1, trial.repeat

    return [rows[key(of, trial)] for trial in sorted(trials, key=order)]


def _apart(one: float, other: float) -> float:
    return abs(one - other)


def curves(
    roles: Iterable[Role],
    memories: Sequence[str],
    repeats: int,
    setting: Setting,
    command: str,
    *,
    error_rates: Sequence[float] = RATES,
) -> list[dict[str, object]]:
    """Return CSV rows of the accuracies of several networks, those skipped last, with the reason.

    Args:
        roles: the networks.
        memories: each ``weights`` or ``buffers``.
        repeats: of every rate above 0, unless the setting has another number.
        setting: how to measure.
        command: that the rows carry.
        error_rates: RATES, or 0 alone.
    """
    found: list[dict[str, object]] = []
    reasons: dict[str, str] = {}
    roles = list(roles)
    for role in roles:
        try:
            rows = [
                row
                for memory in memories
                for row in accuracies(
                    role.network, memory, setting.repeats or repeats, setting, error_rates
                )
            ]
        except SkippedError as reason:
            reasons[role.network] = str(reason)
            continue
        found += [
            {
                # The nominal rate: the register's differs in the tenth digit.
                **{name: getattr(row, name) for name in COLUMNS},
                "rate": min(RATES, key=partial(_apart, row.rate)),
                "command": command,
            }
            for row in rows
        ]
    return found + skipped_rows(roles, reasons, command)


def half_width(values: Sequence[float]) -> float:
    """Return half the width of the 95 % t-interval of a mean; values of any size, 0 for one."""
    if len(values) < 2:
        return 0.0
    # spinflow.host.sweep.statistics is of fractions: it keeps its intervals between 0 and 1.
    scale = 100 * max(abs(value) for value in values) or 1.0
    low, high, _ = mean_interval([0.5 + value / scale for value in values], 1)
    return scale * (high - low) / 2


@dataclass(frozen=True)
class Point:
    """The repeats of one network, memory and rate."""

    network: str
    memory: str
    rate: float
    values: tuple[float, ...]
    images: int

    @property
    def mean(self) -> float:
        """Mean over the repeats."""
        return float(np.mean(self.values))

    @property
    def interval(self) -> tuple[float, float, str]:
        """95 % interval of the mean and its kind in words; of one accuracy, over the images."""
        if len(self.values) == 1:
            return mean_interval(self.values, self.images)
        half = half_width(self.values)
        return self.mean - half, self.mean + half, f"t over {len(self.values)} repeats"


def points(table: Table, column: str = "accuracy") -> dict[tuple[str, str], list[Point]]:
    """Return the points of a table by network and memory, in order of the rate."""
    grouped: dict[tuple[str, str, float], list[float]] = {}
    count: dict[str, int] = {}
    for row in table.rows:
        if row["skipped"]:
            continue
        place = row["network"], row["memory"], float(row["rate"])
        grouped.setdefault(place, []).append(float(row[column]))
        count[row["network"]] = int(row["images"])
    found: dict[tuple[str, str], list[Point]] = {}
    for (name, memory, rate), values in sorted(grouped.items()):
        point = Point(name, memory, rate, tuple(values), count[name])
        found.setdefault((name, memory), []).append(point)
    return found


def exact(curve: Sequence[Point]) -> float:
    """Return the accuracy of a curve without errors."""
    return next(point.mean for point in curve if point.rate == 0.0)


def at(curve: Sequence[Point], rate: float) -> Point:
    """Return the point of a curve at a rate of RATES."""
    return next(point for point in curve if point.rate == rate)


def degradations(curve: Sequence[Point]) -> list[Point]:
    """Return a curve of accuracies as degradation rates of each repeat (Asano 2024, figure 8)."""
    first = exact(curve)
    return [
        replace(point, values=tuple(degradation(first, value) for value in point.values))
        for point in curve
    ]


def acceptable(curve: Sequence[Point], accepted: float) -> tuple[float, ...]:
    """Return for each repeat the rate at which its degradation passes an accepted one.

    Between two measured rates the degradation is taken as a straight line; the first crossing
    counts. A repeat that never passes it has the highest measured rate.

    Args:
        curve: accuracies, in order of the rate, 0 first.
        accepted: degradation, a fraction.
    """
    parts = degradations(curve)
    found = []
    for repeat in range(max(len(point.values) for point in parts)):
        passed = parts[-1].rate
        before = (0.0, 0.0)
        for point in parts[1:]:
            here = (point.rate, point.values[repeat])
            if here[1] > accepted:
                share = (accepted - before[1]) / (here[1] - before[1])
                passed = before[0] + share * (here[0] - before[0])
                break
            before = here
        found.append(passed)
    return tuple(found)


def spread(
    name: str, memory: str, error_rates: Sequence[float], repeats: int, setting: Setting
) -> dict[tuple[float, int], float]:
    """Measure how far errors spread through the layers of a network, as ``model.metrics.rrmse``.

    The input of a layer is what is stored in the buffer that it reads, with errors in weights as
    with errors in buffers. The first layer's input, the image, has none.

    Args:
        name: network of the zoo.
        memory: ``weights`` or ``buffers``.
        error_rates: bit-error rates.
        repeats: of every rate.
        setting: images and seed.

    Returns:
        RRMSE by rate and repeat.

    Raises:
        SkippedError: weights or images are not there.
    """
    tests = images(name, setting.images)
    engine = _engine(name)
    kind = {"weights": "weights", "buffers": "buffer"}[memory]
    stored = [m.name for m in engine.memories if m.kind == "buffer"]

    def run(rate: float, repeat: int) -> dict[str, NDArray[Any]]:
        limit = stream.threshold(rate)
        for m in engine.memories:
            mode = MODE if m.kind == kind and rate else "off"
            seed = stream.memory_seed(setting.seed, repeat, m.index)
            engine.set_errors(m.index, mode, limit, limit, seed)
            if m.kind == "weights":
                engine.write_weights(m.index, engine.weights(m.layer))
        engine.soft_reset()
        maps = engine.run(tests.images)[1]
        return {place: maps[place] for place in stored}

    clean = run(0.0, 0)
    return {
        (rate, repeat): rrmse(clean, run(rate, repeat))
        for rate in tqdm(error_rates, desc=f"{name} {memory}, RRMSE", disable=None)
        for repeat in range(repeats)
    }
