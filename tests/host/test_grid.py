"""Grids: the same from a file and from options, and one line for what is wrong in them."""

from __future__ import annotations

import argparse
import builtins
import sys
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.__main__ import main
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import InputError
from spinflow.host.core.own_tests import OwnTests
from spinflow.host.core.test_sets import chosen
from spinflow.host.core.toml import read_toml
from spinflow.host.sweep import grid
from spinflow.host.sweep.progress import TimeLeft, duration
from spinflow.host.sweep.results import read
from spinflow.host.sweep.running import UntilWidth
from spinflow.host.sweep.trials import identity, key
from tests.host.conftest import BUNDLE
from tests.host.rows import row

FILE = """
bundle = "{bundle}"
images = 20
repeats = 2
seed = 11
memory = ["weights", "fc1.buffer"]
layer = [1, "fc2"]
mode = ["flip", "switch"]
rates = [0, 0.01]
target_rate = 0.02
background = "zeros"
"""
OPTIONS = (
    "--images 20 --repeats 2 --seed 11 --memory weights fc1.buffer --layer 1 fc2 "
    "--mode flip switch --rates 0 0.01 --target-rate 0.02 --background zeros"
)


def parsed(arguments: list[str]) -> grid.Grid:
    parser = argparse.ArgumentParser()
    grid.add_options(parser)
    return grid.from_options(parser.parse_args(arguments))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(FILE.format(bundle=BUNDLE))
    return path


def test_a_file_and_options_are_the_same_grid(bundle: Bundle, file: Path) -> None:
    by_file = parsed(["--grid", str(file)])
    by_options = parsed([*OPTIONS.split(), "--bundle", str(BUNDLE)])
    assert by_file == by_options
    trials = by_file.trials(bundle)
    assert trials == by_options.trials(bundle)
    assert len(trials) == 2 * 4 * 2 * 3
    assert {trial.selection for trial in trials} == {"weights", "fc1.buffer", "fc1", "fc2"}
    assert [trial.repeat for trial in trials] == [0] * 24 + [1] * 24


@pytest.mark.slow
def test_a_sweep_runs_from_a_file(file: Path, tmp_path: Path) -> None:
    assert main(["sweep", "--grid", str(file), "--out", str(tmp_path / "out")]) == 0
    assert len(read(tmp_path / "out" / "results.csv")) == 48


def test_the_examples_are_grids(bundle: Bundle) -> None:
    files = sorted((BUNDLE.parents[1] / "docs" / "examples").glob("*.toml"))
    # A description of a network has a kind; tests/system/test_walkthroughs.py trains it.
    examples = [path for path in files if "\nkind = " not in path.read_text()]
    assert len(examples) == 4
    for path in examples:
        found = grid.make(read_toml(path, grid.MOST_BYTES), str(path))
        if bundle.network in found.networks:
            assert found.trials(bundle)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ratez = [0.1]", "unknown key ratez: did you mean rates?"),
        ("xyz = 11", "unknown key xyz: the keys are network, bundle, images"),
        ("rates = [0.1, 2]", "bit-error rate 2.0: must be a number from 0 to 1"),
        ("rates = [1e-11]", "too small for the 32-bit register, the smallest is 2.328e-10"),
        ("rates = ['high']", "rates = 'high': a number expected"),
        ("rates = [true]", "rates = True: a number expected"),
        ("rates = []", "rates is an empty list"),
        ("images = 2.5", "images = 2.5: a whole number expected"),
        ("images = [2, 5]", "images = [2, 5]: one value expected, not a list"),
        ("mode = 3", "mode = 3: a text in quotes expected"),
        ("mode = 'invert'", "error mode 'invert': must be one of off, flip, switch"),
        ("memory = 'fc9.weights'", "tfc-mnist has no memory 'fc9.weights'; it has fc0.weights"),
        ("layer = 'fc9'", "tfc-mnist has no layer 'fc9'; it has fc0, fc1, fc2, fc3"),
        ("layer = 4", "tfc-mnist has no layer 4; it has fc0, fc1, fc2, fc3"),
        ("network = 'lenet'", "unknown network 'lenet': there is no bundle build/lenet"),
        ("model = 'sun-gamma'", "model goes with target_rate or pulse"),
        ("write_condition = 'moon:pulse=1ns'", "device model is 'moon', valid: exponential"),
        ("until_width = 2", "until_width = 2: must be above 0 and below 1"),
        ("max_repeats = 9", "max_repeats goes with until_width"),
        ("delta = 50", "delta goes with retention_s or reads"),
        ("retention_s = 1\nread_voltage = 0.2", "read_voltage goes with reads"),
        ("read_pulse = 1e-9", "read_pulse goes with reads"),
        ("until_width = 0.1\nrepeats = 1", "repeats = 1: an interval over repeats needs"),
        ("until_width = 0.1\nmax_repeats = 2", "max_repeats = 2: must be from repeats (5)"),
        ("rates = [0.1", "not TOML: "),
        ("rates = [0.1]\nrates = [0.2]", "not TOML: "),
    ],
)
def test_a_wrong_file_gets_one_line_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch,
    line: str, message: str,
) -> None:  # fmt: skip
    path = tmp_path / "grid.toml"
    network = "" if "network" in line else f'bundle = "{BUNDLE}"\n'
    path.write_text(f"{network}{line}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["sweep", "--grid", "grid.toml", "--out", "out"]) == 1
    text = capsys.readouterr().err
    assert text.startswith("spinflow: grid.toml: ") and message in text
    assert text.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_network_that_lies_in_the_checkout_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkout" / "build" / "mine").mkdir(parents=True)
    monkeypatch.setattr(grid, "WORK", tmp_path / "checkout")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"'mine' lies in .*/checkout/build/mine: run "):
        grid.make({"network": "mine"}).folders()


def test_a_file_of_another_network_is_refused(file: Path, capsys: pytest.CaptureFixture) -> None:
    file.write_text("network = 'mlp-mnist'\n")
    command = ["sweep", "--grid", str(file), "--bundle", str(BUNDLE)]
    assert main(command) == 1
    assert "holds tfc-mnist, the grid is of mlp-mnist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rates", "0.1"], "--rates together with --grid: put it into"),
        (["--max-repeats", "10"], "--max-repeats together with --grid: put it into"),
    ],
)
def test_a_file_is_the_whole_grid(file: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed(["--grid", str(file), *arguments])


def test_no_file_and_no_network_are_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["sweep", "--grid", str(tmp_path / "none.toml")]) == 1
    assert "none.toml: No such file" in capsys.readouterr().err
    assert main(["sweep", "--rates", "0.1"]) == 1
    assert capsys.readouterr().err == "spinflow: no network: give a network or a bundle\n"


def test_a_python_without_toml_says_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    original = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name in ("tomllib", "tomli"):
            raise ImportError(name)
        return original(name, *rest, **more)  # type: ignore[arg-type]

    for name in ("tomllib", "tomli"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["sweep", "--grid", str(file)]) == 1
    text = capsys.readouterr().err
    assert "give the grid as options" in text and text.count("\n") == 1


def test_adaptive_rounds_go_on_where_intervals_are_wide(bundle: Bundle) -> None:
    plan = parsed(["--bundle", str(BUNDLE), "--memory", "weights", "--rates", "0", "0.1",
                   "--repeats", "3", "--until-width", "0.05", "--max-repeats", "20"])  # fmt: skip
    trials = plan.trials(bundle)
    of = row().key.identity
    accuracy = {0: 0.90, 1: 0.92, 2: 0.94}

    def rows(exact: bool) -> dict:
        found = {}
        for trial in trials:
            spread = 0.0 if exact or trial.point.rate1 == 0 else accuracy[trial.repeat]
            found[key(of, trial)] = row(accuracy=spread)
        return found

    assert plan.until == UntilWidth(0.05, 20)
    more = plan.until.more(of, trials, rows(exact=False))
    assert [(trial.point.rate1 > 0, trial.repeat) for trial in more] == [
        (True, repeat) for repeat in range(3, 12)
    ]
    assert plan.until.more(of, trials, rows(exact=True)) == []


def test_the_time_left_knows_that_trials_differ(bundle: Bundle) -> None:
    """Weights take 1 s, buffers 10 s; two workers."""
    trials = parsed(["--bundle", str(BUNDLE), "--repeats", "50", "--rates", "0.1"]).trials(bundle)
    clock = [0.0]
    left = TimeLeft(trials, lambda: clock[0])
    assert left.seconds() is None
    cost = {"weights": 1.0, "buffers": 10.0}
    for number, trial in enumerate(trials):
        clock[0] += cost[trial.selection] / 2
        left.done(trial, cost[trial.selection])
        rest = sum(cost[t.selection] for t in trials[number + 1 :]) / 2
        if number > 10:
            assert left.seconds() == pytest.approx(rest, rel=0.02, abs=0.1)


def test_rewrites_over_previous_take_longer_each_time(bundle: Bundle) -> None:
    options = ["--repeats", "30", "--rates", "0.1", "--memory", "weights"]
    arguments = ["--bundle", str(BUNDLE), *options, "--background", "previous"]
    trials = parsed(arguments).trials(bundle)
    clock = [0.0]
    left = TimeLeft(trials, lambda: clock[0])
    for trial in trials[:10]:
        clock[0] += trial.repeat + 1
        left.done(trial, trial.repeat + 1)
    assert left.seconds() == pytest.approx(sum(range(11, 31)), rel=0.01)


def test_durations_are_in_the_unit_of_a_person() -> None:
    assert [duration(s) for s in (3.2, 89, 300, 7200)] == ["3 s", "89 s", "5 min", "2.0 h"]


def test_all_rows_of_a_file_share_the_backend(bundle: Bundle) -> None:
    from spinflow.host.core.test_sets import mnist_test

    of = identity(bundle, mnist_test(3), "rtl")
    assert (of.network, of.backend, of.images) == ("tfc-mnist", "rtl", 3)


def test_rate_0_beside_conditions_is_each_models_own() -> None:
    conditions = ["sun-gamma:pulse=1.6ns", "sun-gamma:pulse=2ns", "fokker-planck:pulse=3ns"]
    settings = {"bundle": str(BUNDLE), "rates": [0, 0.1], "write_condition": conditions}
    points = grid.make(settings).points
    assert [(point.model, point.rate1 > 0) for point in points] == [
        ("sun-gamma", False), ("fokker-planck", False), ("exponential", True),
        ("sun-gamma", True), ("sun-gamma", True), ("fokker-planck", True),
    ]  # fmt: skip
    for point in points[:2]:
        assert point.costs == point.conventional


def test_images_at_most_are_all_of_a_smaller_set() -> None:
    """As make asks for them, which does not know how many there are."""
    four = OwnTests(np.zeros((4, 3), np.uint8), np.zeros(4, np.uint16), "four")
    cases: list[tuple[dict[str, int], int]] = [
        ({}, 4),
        ({"images_at_most": 3}, 3),
        ({"images_at_most": 5}, 4),
        ({"images": 3}, 3),
    ]
    for settings, found in cases:
        assert len(chosen(four, grid.make(settings).images).images) == found
    with pytest.raises(InputError, match="from 1 to the 4 of the test set"):
        chosen(four, grid.make({"images": 5}).images)
    with pytest.raises(InputError, match=r"^0 images asked for"):
        chosen(four, grid.make({"images_at_most": 0}).images)
    with pytest.raises(InputError, match=r"^images and images_at_most: give one of them$"):
        grid.make({"images": 5, "images_at_most": 5})
