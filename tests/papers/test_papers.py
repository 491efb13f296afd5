"""The papers' figures: how they are measured, what is skipped, and the page that is committed."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from spinflow.model import store
from spinflow.model.data import Dataset
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import FixedPointSpec, NetworkSpec
from spinflow.model.training.recipe import Recipe
from spinflow.model.zoo import NETWORKS, RECIPES
from spinflow.papers import (
    asano,
    comparisons,
    hirtzlin,
    injection,
    measure,
    page,
    trainings,
    tzoufras,
)
from spinflow.papers.__main__ import main
from spinflow.papers.item import ReproduceError, Role, Setting, SkippedError, Table
from spinflow.papers.measure import Point

TFC = Role("TFC", "tfc-mnist", published={0.0: "1 %"})
NOBODY = Role("nobody", "nobody-mnist")
FEW = (0.0, 1e-3, 1e-1)


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    """Few rates and images, in a folder of its own."""
    monkeypatch.setattr(measure, "RATES", FEW)
    return Setting(tmp_path, images=60, seed=3)


def table_of(setting: Setting, roles: tuple[Role, ...] = (TFC, NOBODY)) -> Table:
    command = setting.command("x")
    rows = measure.curves(roles, ("weights",), 3, setting, command, error_rates=FEW)
    return Table.of((*measure.COLUMNS, *measure.ENDING), rows)


def test_the_committed_page_is_what_the_tables_give() -> None:
    tables = page.kept()
    content = page.PAGE.read_text(encoding="utf-8")
    assert content == page.text(tables)
    pictures = re.findall(r"\(pictures/([^)]+)\)", content)
    assert pictures
    assert [name for name in pictures if not (page.PICTURES / name).is_file()] == []


def test_every_item_is_on_the_committed_page() -> None:
    assert list(page.kept()) == list(page.ITEMS)


def test_a_network_trained_part_way_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ("network", "skipped", "command")
    measured = Table.of(columns, [{"network": TFC.network, "command": "x"}])
    skipped = Table.of(columns, [{"network": TFC.network, "skipped": "no weights"}])
    assert page.part_way(measured) == []
    longer = dataclasses.replace(RECIPES[TFC.network], epochs=200)
    monkeypatch.setitem(RECIPES, TFC.network, longer)
    assert page.part_way(measured) == ["tfc-mnist was trained part way: 150 of 200 epochs."]
    assert page.part_way(skipped) == []


def test_no_number_of_a_skipped_network_is_on_the_page() -> None:
    for name, table in page.kept().items():
        for row in table.rows:
            if row.get("skipped"):
                filled = {key for key, value in row.items() if value}
                assert filled == {"network", "skipped", "command"}, name


def test_rows_carry_seed_and_command_and_the_same_command_gives_the_same_file(
    setting: Setting,
) -> None:
    first = table_of(setting)
    measured = [row for row in first.rows if not row["skipped"]]
    assert [row["rate"] for row in measured] == ["0.0"] + 3 * ["0.001"] + 3 * ["0.1"]
    assert {row["seed"] for row in measured} == {"3"}
    assert {row["command"] for row in first.rows} == {"spinflow papers x --images 60 --seed 3"}
    assert first.text() == table_of(setting).text()
    again = table_of(dataclasses.replace(setting, out=setting.out / "again"))
    assert again.text() == first.text()
    other = table_of(dataclasses.replace(setting, out=setting.out / "other", seed=4))
    assert other.text() != first.text()


def test_rates_above_0_cost_accuracy_and_errors_are_counted(setting: Setting) -> None:
    table = table_of(setting, (TFC,))
    (curve,) = measure.points(table).values()
    assert [point.rate for point in curve] == list(FEW)
    assert [len(point.values) for point in curve] == [1, 3, 3]
    assert measure.exact(curve) > 0.85 > measure.at(curve, 0.1).mean
    for row in table.rows:
        rate, bits = float(row["rate"]), int(row["bits_written"])
        assert abs(int(row["errors"]) - rate * bits) <= 5 * np.sqrt(rate * bits)


def test_a_measurement_goes_on_where_it_was_stopped(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = table_of(setting, (TFC,)).text()
    kept = setting.out / "measured" / "tfc-mnist-weights.csv"
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:4]) + lines[4][:20])
    assert table_of(setting, (TFC,)).text() == whole
    monkeypatch.setattr(measure, "sweep", lambda *arguments, **options: [])
    with pytest.raises(KeyError):  # nothing is made up for what a sweep lacks
        table_of(dataclasses.replace(setting, out=setting.out / "new"), (TFC,))


def test_other_images_set_the_measured_rows_aside(setting: Setting) -> None:
    table_of(setting, (TFC,))
    fewer = table_of(dataclasses.replace(setting, images=50), (TFC,))
    assert {row["images"] for row in fewer.rows} == {"50"}
    assert len(list((setting.out / "measured").iterdir())) == 2


def test_what_is_not_there_is_skipped_by_name(setting: Setting) -> None:
    table = table_of(setting)
    assert table.skipped("nobody-mnist") == "there is no network nobody-mnist in model/zoo"
    assert table.skipped("tfc-mnist") == ""
    with pytest.raises(SkippedError, match=r"no trained weights .*/tfc-mnist\+other\.safetensors"):
        measure.trained("tfc-mnist+other")


def test_images_that_are_not_there_are_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path))
    with pytest.raises(SkippedError, match=r"no test images of mnist \(spinflow data mnist"):
        measure.images("tfc-mnist", 10)


def test_more_images_than_there_are_is_an_error() -> None:
    with pytest.raises(ReproduceError, match="10001 images"):
        measure.images("tfc-mnist", 10_001)


def curve(*values: tuple[float, ...]) -> list[Point]:
    rates = (0.0, 0.01, 0.02, 0.04)
    return [Point("n", "buffers", r, v, 100) for r, v in zip(rates, values, strict=False)]


def test_the_acceptable_rate_is_where_the_degradation_passes() -> None:
    points = curve((0.8,), (0.8, 0.76), (0.72, 0.4), (0.4, 0.8))
    assert measure.acceptable(points, 0.05) == pytest.approx((0.015, 0.01))
    # The first crossing counts, though the second repeat recovers.
    assert measure.acceptable(points, 0.3) == pytest.approx((0.03, 0.01 + 0.01 * 0.25 / 0.45))
    assert measure.acceptable(points, 0.9) == (0.04, 0.04)
    parts = measure.degradations(points)
    assert parts[2].values == pytest.approx((0.1, 0.5))


def test_intervals_are_students_t() -> None:
    values = (-3.0, 4.0, 8.0, 2.0)
    expected = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) / 2
    assert measure.half_width(values) == pytest.approx(expected)
    assert measure.half_width((5.0,)) == 0.0
    low, high, kind = Point("n", "m", 0.1, values, 10).interval
    assert (low, high) == pytest.approx((2.75 - expected, 2.75 + expected))
    assert kind == "t over 4 repeats"
    assert Point("n", "m", 0.0, (0.9,), 10).interval[2] == "Wilson over 10 images"


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ((0.1, 0.05, 0.2), "holds"),
        ((0.3, 0.21, 0.4), "does not hold"),
        ((0.2, 0.1, 0.3), "not decided by these repeats"),
    ],
)
def test_a_limit_is_judged_by_the_whole_interval(
    loss: tuple[float, float, float], expected: str
) -> None:
    assert comparisons.verdict(loss, 0.2) == expected


def test_energies_are_those_of_the_device_models() -> None:
    high, low = hirtzlin.energies(1e-6), hirtzlin.energies(1e-3)
    assert high[0] / low[0] == pytest.approx(1.36, abs=0.005)
    assert high[1] / low[1] == pytest.approx(2.0, abs=0.01)
    assert hirtzlin.energies(0.0) == high


def test_spread_grows_with_the_rate_and_is_the_same_again(setting: Setting) -> None:
    found = measure.spread("tfc-mnist", "buffers", (0.0, 1e-2, 1e-1), 2, setting)
    assert found[0.0, 0] == found[0.0, 1] == 0
    assert 0 < found[1e-2, 0] < found[1e-1, 0]
    assert found[1e-2, 0] != found[1e-2, 1]
    # Errors in one hidden layer at least: each flips a bit of 0 or 1, of variance 1/4 at most.
    assert found[1e-1, 0] > (0.1 * 0.9 / 0.25) ** 0.5
    assert found == measure.spread("tfc-mnist", "buffers", (0.0, 1e-2, 1e-1), 2, setting)


def test_binary_is_compared_with_fixed_point() -> None:
    """By the degradation, and each memory for itself."""
    lost = {  # of 1, at the rate 0.1
        ("lenet-mnist", "weights"): 0.1,
        ("lenet-mnist", "buffers"): 0.3,
        ("lenet-fxp8-mnist", "weights"): 0.4,
        ("lenet-fxp8-mnist", "buffers"): 0.3,
    }
    rows = [
        {
            "network": network, "memory": memory, "rate": rate, "repeat": repeat, "images": 100,
            "accuracy": 0.8 * (1 - (most + 0.01 * repeat) * rate / 0.1),
        }
        for (network, memory), most in lost.items()
        for rate in (0.0, 1e-3, 1e-2, 3e-2, 1e-1)
        for repeat in range(3 if rate else 1)
    ]  # fmt: skip
    table = Table.of((*measure.COLUMNS, *measure.ENDING), rows)
    said = {line.what: line.ours for line in comparisons._lines_tolerance(table)}
    what = "LeNet as Fxp8, MNIST, rate 0.1 in {}: degradation less that of the binary network"
    assert said[what.format("weights")] == "41.0 - 11.0 = 30.0 %: the binary one tolerates more"
    assert said[what.format("feature maps")].endswith(": no difference that these repeats show")


def test_fixed_point_networks_are_measured_like_binary_ones(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = FixedPointSpec(
        "fxp-mnist", (28, 28, 1), 3, (4, 4), (0, 1), (8, 10), 2.0**-2, "mnist", padding=1, bits=8
    )
    monkeypatch.setitem(NETWORKS, spec.name, spec)
    monkeypatch.setattr(measure, "trained", lambda name: untrained(spec, 1))
    table = table_of(setting, (Role("Fxp8", spec.name),))
    assert [int(row["errors"]) > 0 for row in table.rows] == [False] + 6 * [True]
    bits = 8 * (4 * 9 + 4 * 4 * 9 + 8 * 4 * 7 * 7 + 10 * 8)
    assert {int(row["bits_written"]) for row in table.rows} == {bits}
    found = measure.spread(spec.name, "buffers", (0.0, 1e-2), 1, setting)
    assert found[0.0, 0] == 0 < found[1e-2, 0]


def test_a_table_reads_back_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    table = Table.of(("a", "b"), [{"a": 0.1, "b": "x, y"}, {"a": 1 / 3}])
    table.write(tmp_path / "t.csv")
    assert Table.read(tmp_path / "t.csv") == table
    (tmp_path / "t.csv").write_text("a,b\n1\n")
    with pytest.raises(ReproduceError, match="as many cells"):
        Table.read(tmp_path / "t.csv")
    with pytest.raises(ReproduceError, match=r"none\.csv: cannot be read"):
        Table.read(tmp_path / "none.csv")
    with pytest.raises(ReproduceError, match="holds no table"):
        page.kept(tmp_path / "empty")


@pytest.mark.slow
def test_a_figure_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(asano, "ROLES", (TFC, NOBODY))
    assert main(["asano-table-1", "--images", "40", "--out", str(tmp_path)]) == 0
    assert "skipped: there is no network nobody-mnist" in capsys.readouterr().out
    table = Table.read(tmp_path / "asano-table-1.csv")
    assert len(table.rows) == 2
    assert main(["tzoufras-table-1", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "tzoufras-table-1.png").stat().st_size > 0
    capsys.readouterr()
    assert main(["hirtzlin-6", "--out", str(tmp_path)]) == 0
    assert "skipped" in capsys.readouterr().out
    assert not list(tmp_path.glob("hirtzlin-6.png"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hirtzlin-2", "page"], "page stands alone"),
        (["hirtzlin-2", "--images", "0"], "'0': a whole number from 1"),
        (["hirtzlin-2", "--repeats", "1"], "'1': a whole number from 2"),
        (["hirtzlin-2", "--take", "x"], "--take goes with page"),
        (["hirtzlin-2", "--train"], "hirtzlin-2 has no trainings here"),
        (["tzoufras-1", "tzoufras-2", "--train"], "one figure at a time"),
        (["tzoufras-1", "--epochs", "3"], "--epochs goes with --train"),
        (["tzoufras-1", "--device", "cpu"], "--device goes with --train"),
        (["page", "--take", "nowhere"], "nowhere holds no table"),
    ],
)
def test_bad_input_is_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:  # of the parser
        status = int(stop.code or 0)
    assert status in (1, 2)
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_trainings_are_done_once_and_tabled(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, tiny.name, Recipe(tiny.name, epochs=1, validation=128))
    monkeypatch.setitem(tzoufras.FIGURES, "tzoufras-1", (Role("tiny", tiny.name),))
    monkeypatch.setattr(trainings, "RATES", (0.0, 0.4))
    monkeypatch.setattr(trainings, "SEEDS", (1, 2))
    monkeypatch.setattr(trainings, "dataset", lambda name, folder: small)
    path = trainings.run("tzoufras-1", tmp_path)
    table = Table.read(path)
    assert [(row["rate"], row["seed"]) for row in table.rows] == [
        ("0.0", "1"), ("0.0", "2"), ("0.4", "1"), ("0.4", "2"),
    ]  # fmt: skip
    assert "--activation-errors 0.4" in table.rows[2]["training"]
    assert len({row["weights_sha256"] for row in table.rows}) == 4
    content = path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(trainings.loop, "train", refuse)
    trainings.run("tzoufras-1", tmp_path)
    assert path.read_bytes() == content
    with pytest.raises(ValueError, match="trained with another recipe"):
        trainings.run("tzoufras-1", tmp_path, epochs=2)
    facts = next(tmp_path.glob("*/*.json"))
    told = json.loads(facts.read_text(encoding="utf-8"))
    told["recipe"] |= {"epochs": 7, "hold": 1, "device": "cuda"}
    del told["recipe"]["warm_up"]
    facts.write_text(json.dumps(told), encoding="utf-8")
    rows = Table.read(trainings.run("tzoufras-1", tmp_path)).rows
    assert sorted(row["epochs"] for row in rows) == ["1", "1", "1", "7"]
    with pytest.raises(ValueError, match="trained with another recipe"):
        trainings.run("tzoufras-1", tmp_path, epochs=1)
    monkeypatch.setattr(store, "ZOO", tmp_path)
    lines = tzoufras.ITEMS[0].lines(tzoufras.ITEMS[0].collect(Setting()))
    assert [line.repeats for line in lines] == ["2", "2"]


def test_roles_name_networks_once() -> None:
    for roles in (asano.ROLES, injection.TRAINED):
        names = [role.network for role in roles]
        assert len(set(names)) == len(names)
    assert store.ZOO.is_dir()
