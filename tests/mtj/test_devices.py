"""The devices: figures by hand, sources, and how they scale the energies of a write."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from spinflow.host.core.errors import InputError
from spinflow.host.mtj.devices import BASES, DEVICES, LEVELS, device
from spinflow.host.sweep import grid
from spinflow.host.sweep.conditions import read_conditions
from spinflow.host.sweep.operating_point import (
    point_of_rate,
    point_of_target,
    point_of_write_condition,
    point_without_errors,
)


def test_every_device_has_a_source_and_a_place_in_the_order() -> None:
    energies = [each.energy_j for each in DEVICES.values()]
    assert energies == sorted(energies) and len(DEVICES) == 9
    for name, each in DEVICES.items():
        assert each.name == name and each.level in LEVELS and each.basis in BASES
        assert len(each.source) > 20 and each.what
        assert math.isnan(each.pulse_s) or 1e-9 <= each.pulse_s < 1e-6
    assert {each.level for each in DEVICES.values()} == set(LEVELS)


@pytest.mark.parametrize(
    ("name", "picojoules"),
    [("isscc-2015", 0.6), ("nvmexplorer-best-array", 0.6798), ("cache-250mhz", 0.7266),
     ("isscc-2018", 4.5), ("nvmexplorer-worst-array", 4.6093), ("iedm-2022", 25.0),
     ("asano-2024", 44.1654)],
)  # fmt: skip
def test_energies(name: str, picojoules: float) -> None:
    assert 1e12 * device(name).energy_j == pytest.approx(picojoules, rel=1e-4)


def test_an_array_takes_more_than_its_cells() -> None:
    for array, cell in (
        ("nvmexplorer-best-array", "isscc-2015"),
        ("nvsim-array", "nvsim-cell"),
        ("nvmexplorer-worst-array", "isscc-2018"),
    ):
        assert 1.0 < device(array).energy_j / device(cell).energy_j < 1.15


def test_joules_change_and_per_cent_stay() -> None:
    own, scaled = point_of_rate(1e-2), point_of_rate(1e-2, device_name="isscc-2018")
    assert scaled.conventional.switched1_j == pytest.approx(4.5e-12)
    assert scaled.costs.same0_j == pytest.approx(0.25 * 4.5e-12)
    assert scaled.model == "exponential:device=isscc-2018"
    assert dataclasses.replace(
        scaled, model=own.model, costs=own.costs, conventional=own.conventional
    ) == own  # fmt: skip


def test_directions_keep_their_ratio() -> None:
    words = "fokker-planck:voltage=0.5V,pulse=3ns,delta=60"
    own = point_of_write_condition(words)
    scaled = point_of_write_condition(f"{words},device=iedm-2022")
    assert scaled.model == "fokker-planck:delta=60.0,device=iedm-2022"
    both = (scaled.conventional.switched1_j + scaled.conventional.switched0_j) / 2
    assert both == pytest.approx(25e-12, rel=1e-9)
    for kind in ("switched1_j", "switched0_j", "same1_j", "same0_j"):
        factor = getattr(scaled.costs, kind) / getattr(own.costs, kind)
        assert factor == pytest.approx(
            25e-12 * 2 / (own.conventional.switched1_j + own.conventional.switched0_j)
        )
    assert (scaled.rate1, scaled.rate0) == (own.rate1, own.rate0)
    # Rate 0 beside conditions is read back from the label.
    assert point_without_errors(scaled).costs == scaled.conventional


def test_asano_on_its_own_scale_is_itself() -> None:
    own, scaled = point_of_target(1e-3), point_of_target(1e-3, "exponential:device=asano-2024")
    assert (scaled.costs, scaled.conventional) == (own.costs, own.conventional)


def test_a_grid_takes_a_device_for_all_of_its_points() -> None:
    found = grid.make({
        "network": "tfc-mnist", "rates": [0, 1e-2], "target_rate": [1e-3], "model": "sun-gamma",
        "write_condition": ["sun-gamma:voltage=0.4V,pulse=2ns,tmr=1.2"], "device": "nvsim-cell",
    })  # fmt: skip
    assert {point.model for point in found.points} == {
        "exponential:device=nvsim-cell",
        "sun-gamma:device=nvsim-cell",
        "sun-gamma:device=nvsim-cell,tmr=1.2",
    }
    for point in found.points:
        conventional = point.conventional
        assert (conventional.switched1_j + conventional.switched0_j) / 2 == pytest.approx(1e-12)


@pytest.mark.parametrize("text", ["exponential:pulse=9ns,device=mine", "exponential:device=mine"])
def test_another_device_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match="device is 'mine', valid: isscc-2015, nvmexplorer-best"):
        if "pulse" in text:
            point_of_write_condition(text)
        else:
            point_of_target(1e-2, text)
    with pytest.raises(InputError, match="device is 'mine', valid: "):
        grid.make({"network": "tfc-mnist", "rates": 0, "device": "mine"})
    with pytest.raises(InputError, match="each part is NAME=VALUE, once"):
        grid.make({
            "network": "tfc-mnist", "device": "nvsim-cell",
            "write_condition": "exponential:pulse=9ns,device=nvsim-cell",
        })  # fmt: skip


def test_a_device_is_that_of_a_file_of_conditions_too(tmp_path: Path) -> None:
    file = tmp_path / "conditions.toml"
    file.write_text(
        '[conditions]\n"fc0.weights" = "exponential:pulse=50ns"\n'
        '"fc0.buffer" = "exponential:pulse=90ns"\n'
    )
    own, scaled = (read_conditions(file, name) for name in (None, "isscc-2018"))
    for memory in ("fc0.weights", "fc0.buffer"):
        point = scaled.of(memory)
        assert point.conventional.switched0_j == pytest.approx(4.5e-12)
        assert point.costs.same1_j / own.of(memory).costs.same1_j == pytest.approx(
            point.conventional.same1_j / own.of(memory).conventional.same1_j
        )
        assert point.rate1 == own.of(memory).rate1
