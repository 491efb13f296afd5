"""What the tests of all evaluators do."""

from __future__ import annotations

from typing import Any

import numpy as np


def rate(probability: float) -> int:
    """The register's threshold of a bit-error rate."""
    return min(round(probability * 2**32), 0xFFFFFFFF)


def load(evaluator: Any) -> None:
    """Writes the trained weights."""
    for cells in evaluator.memories:
        if cells.kind == "weights":
            evaluator.write_weights(cells.index, evaluator.weights(cells.layer))


def trial(
    device: Any, trained: Any, images: np.ndarray, case: tuple[str, str, float, float]
) -> list[object]:
    """What a sweep does, and everything that can be seen on the way."""
    kind, mode, rate1, rate0 = case
    memories = trained.memories
    weights = [m for m in memories if m.kind == "weights"]
    seen: list[object] = []
    generator = np.random.default_rng(5)
    for m in weights:  # a background without errors, then the weights with them
        device.set_errors(m.index, "off", 0, 0, 0)
        shape = trained.weights(m.layer).shape
        device.write_weights(m.index, generator.integers(0, 1 << 32, shape, dtype=np.uint32))
    device.clear()
    for m in memories:
        if kind in (m.kind, "both"):
            device.set_errors(m.index, mode, rate(rate1), rate(rate0), 1000 + m.index)
    for m in weights:
        device.write_weights(m.index, trained.weights(m.layer))
        seen.append(device.read_weights(m.index))
    seen += [device.counters(m.index) for m in memories]
    for step in ("first", "reset", "on", "restart"):
        if step == "reset":
            device.soft_reset()
        if step == "restart":  # the stream begins again, the buffers' addresses go on
            for m in memories:
                device.set_errors(m.index, mode, rate(rate0), rate(rate1), 7)
        labels, taps = device.run(images)
        seen += [labels, *(taps[name] for name in sorted(taps))]
        seen += [device.counters(m.index) for m in memories]
    return seen


def assert_same(found: list[object], expected: list[object], case: object) -> None:
    assert len(found) == len(expected)
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(a, b, err_msg=f"observation {number} of {case}")
