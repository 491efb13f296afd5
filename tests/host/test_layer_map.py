"""The map of layers against rates: which parts, in which order, and what its cells say."""

from __future__ import annotations

import re

import pytest

from spinflow.host.report.layer_map import html, layer_maps
from spinflow.host.report.page import body
from spinflow.host.report.summary import summarise
from tests.host.rows import row
from tests.host.test_report import ROWS, curve

PARTS = ("conv0.weights", "pool0.buffer", "conv1.weights", "conv10.weights", "fc0.weights")


def losing(memory: str, small: float, large: float, **fields: object) -> list:
    points = {0.0: 0.95, 1e-3: 0.95 - small, 1e-1: 0.95 - large}
    return curve(points, memory=memory, **fields)


def test_parts_stand_in_the_order_of_the_layers() -> None:
    rows = [each for part in reversed(PARTS) for each in losing(part, 0.001, 0.1)]
    (found,) = layer_maps(summarise(rows))
    assert found.parts == PARTS and found.rates == (1e-3, 1e-1) and not found.of
    assert layer_maps(summarise([*rows, *losing("fc0.buffer", 0, 0)]))[0].parts[-2:] == (
        "fc0.weights", "fc0.buffer"
    )  # fmt: skip


def test_cells_hold_losses_and_are_as_deep_as_these() -> None:
    rows = [*losing("fc0.weights", 0.01, 0.04), *losing("fc1.weights", -0.002, 0.16)]
    rows = [each for each in rows if (each.memory, each.rate) != ("fc0.weights", 1e-3)]
    (found,) = layer_maps(summarise(rows))
    cells = {place: loss.mean for place, (_, loss) in found.cells.items()}
    assert cells == {
        ("fc0.weights", 1e-1): pytest.approx(0.04),
        ("fc1.weights", 1e-3): pytest.approx(-0.002),
        ("fc1.weights", 1e-1): pytest.approx(0.16),
    }
    text = html(found)
    assert re.findall(r"<td[^>]*>([^<]*)</td>", text) == ["–", "4.00", "-0.20", "16.00"]
    # A quarter of the loss has half the depth, a gain none.
    assert re.findall(r"--depth: ([0-9.]+)", text) == ["0.425", "0.000", "0.850"]
    assert 'title="fc1.weights: accuracy 79.00 %, interval 78.' in text


def test_other_settings_have_maps_of_their_own() -> None:
    rows = [
        each
        for mode in ("flip", "switch")
        for part in ("fc0.weights", "fc1.weights")
        for each in losing(part, 0.001, 0.1, mode=mode)
    ]
    assert [found.of for found in layer_maps(summarise(rows))] == ["flip", "switch"]


def test_no_map_without_parts_or_without_a_reference() -> None:
    assert not layer_maps(summarise(ROWS))
    assert not layer_maps(summarise(losing("fc0.weights", 0.001, 0.1)))
    assert not layer_maps(summarise([row(memory="fc0.weights"), row(memory="fc1.weights")]))
    assert 'class="map"' not in body(summarise(ROWS), still=False)
    rows = [*losing("fc0.weights", 0, 0), *losing("fc1.weights", 0, 0)]
    assert "--depth: 0.000" in body(summarise(rows), still=False)
