"""The sentences that a report begins with: the result, as far as the rows show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinflow.host.report.headline import headline, loss_of
from spinflow.host.report.summary import summarise
from spinflow.host.sweep.results import Row, read
from tests.host.rows import row
from tests.host.test_report import curve

MEASURED = Path(__file__).resolve().parents[2] / "docs/results/mlp-mnist.csv"
BUFFERS = {"memory": "buffers", "background": "none", "conventional_j": 4e-6}


def said(rows: list[Row]) -> list[str]:
    return headline(summarise(rows))


def test_the_point_that_saves_most_and_costs_at_most_a_point() -> None:
    # Five repeats 0.1 apart: t(0.975; 4) * 0.1581 / sqrt(5) = 0.1963 points.
    buffers = curve({0.0: 0.95, 1e-3: 0.949, 1e-2: 0.943, 1e-1: 0.8}, **BUFFERS)
    for number, each in enumerate(buffers):
        object.__setattr__(each, "energy_j", 4e-6 * (1, 0.5, 0.25, 0.125)[number // 5])
    weights = curve({0.0: 0.95, 1e-2: 0.90}, energy_j=1e-6, conventional_j=2e-6)
    first, second, images = said([*weights, *buffers])
    assert first == (
        "tfc-mnist: errors of 1e-2 in the feature maps cost 0.70 points of accuracy (95 % interval "
        "0.50 to 0.90 over 5 error patterns) and save 75 % of the energy of writing them."
    )
    assert second == (
        "Of the measured error rates in the weights none is shown to cost at most 1 point: errors "
        "of 1e-2 cost 5.00 points of accuracy (95 % interval 4.80 to 5.20 over 5 error patterns) "
        "and save 50 % of the energy of writing them."
    )
    # Wilson's interval of 475 of 500 is 0.9273 to 0.9660.
    assert images.startswith("All of it was measured on 500 images of mnist; another choice")
    assert "by about 2." in images


def test_an_interval_counts_not_a_mean() -> None:
    wide = [row(rate=0.0, rate0=0.0, accuracy=0.95, repeat=n, energy_j=0.6) for n in range(2)]
    wide += [row(accuracy=0.945 + 0.01 * n, repeat=n, energy_j=0.1) for n in range(2)]
    first = said(wide)[0]
    assert "none is shown to cost at most 1 point" in first
    assert (
        "cost no accuracy that these rows can show (0.0 points, 95 % interval -5.0 to 6.4" in first
    )


def test_few_rows_say_less() -> None:
    exact = row(rate=0.0, rate0=0.0, accuracy=0.95)
    assert said([exact])[0] == (
        "tfc-mnist: no row with write errors yet. Its accuracy is 95.00 % on 500 images of mnist."
    )
    assert said([row()])[0] == (
        "tfc-mnist: no row without errors (rate 0), so what they cost is not known; the accuracy "
        "is 93.00 % with errors of 1e-2 in weights."
    )
    first = said([exact, row(accuracy=0.948)])[0]
    assert "cost 0.20 points of accuracy in the one error pattern that was tried" in first
    assert "save 50 % of" in first and "interval" not in first
    # Another choice of images is no reference.
    other = row(rate=0.0, rate0=0.0, accuracy=0.95, image_set="ba9876543210")
    assert "so what they cost is not known" in said([other, row()])[0]


def test_what_tells_curves_apart_is_said() -> None:
    rows = [
        row(rate=rate, rate0=rate, mode=mode, accuracy=0.95 - rate / 10, energy_j=0.6 - 2 * rate)
        for mode in ("flip", "switch")
        for rate in (0.0, 0.01)
    ]
    assert "errors of 1e-2 in the weights (flip) cost" in said(rows)[0]
    unequal = row(rate0=0.02, accuracy=0.949, energy_j=0.1)
    assert "errors of 1e-2 on written ones and 2e-2 on zeros in" in said([*rows, unequal])[0]


def test_single_memories_are_compared() -> None:
    names = ("fc0.weights", "fc0.buffer", "fc1.weights")
    rows = [
        each
        for number, name in enumerate(names)
        for each in curve({0.0: 0.95, 1e-2: 0.948, 1e-1: 0.9 - number / 10}, memory=name)
    ]
    assert (
        "Of 3 parts with errors of 1e-1 each, fc1.weights loses most (25.0 points) and fc0.weights "
        "least (5.0)." in said(rows)
    )


def test_the_measured_table_of_the_readme() -> None:
    first, second, images = said(read(MEASURED))
    assert first.startswith("mlp-mnist: errors of 3e-2 in the feature maps cost 0.54 points")
    assert second.startswith("Errors of 1e-2 in the weights cost 0.28 points of accuracy (95 %")
    assert second.endswith("save 75 % of the energy of writing them.")
    assert "10,000 images" in images


def test_a_loss_has_the_interval_of_the_errors() -> None:
    groups = summarise(curve({0.0: 0.95, 0.01: 0.94}))
    loss = loss_of(groups[1], groups)
    assert loss is not None
    assert (loss.low, loss.high) == pytest.approx((0.95 - groups[1].high, 0.95 - groups[1].low))
