"""The optimiser: what the search finds, what it measures, and what its files are good for."""

from __future__ import annotations

import csv
import itertools
import math
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.core.errors import InputError
from spinflow.host.core.own_tests import OwnTests
from spinflow.host.core.test_sets import MOST_IMAGES, TestSet
from spinflow.host.mtj.devices import DEVICES
from spinflow.host.sweep.conditions import read_conditions
from spinflow.host.sweep.energy import WriteCounts
from spinflow.host.sweep.operating_point import of_device
from spinflow.host.sweep.results import read
from spinflow.papers.optimise import choices, command, outcome
from spinflow.papers.optimise.choices import Choices, rates
from spinflow.papers.optimise.curves import Measured, curve
from spinflow.papers.optimise.held_out import interval
from spinflow.papers.optimise.measuring import halves
from spinflow.papers.optimise.search import Setting, _hull, path, search, total
from spinflow.sim.sweeps.jobs import images_of_network
from tests import processes
from tools import marks
from tools import optimise as tool

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["--network", "tfc-mnist", "--images", "300", "--repeats", "2", "--confirm-repeats", "2"]
QUICK += ["--report-repeats", "3"]


class Synthetic:
    """A network whose places take -w ln(rate) and lose c rate each, and more together.

    At a loss b that adds up the least energy has c rate = b w / sum of w, so it is known.

    Args:
        weights, losses: w and c of the places.
        together: how many times more they lose beside each other than the guess says.
        luck: what the seeds of the search hide of a loss, which confirmations find.
    """

    def __init__(
        self, weights: Sequence[float], losses: Sequence[float], together: float, luck: float = 0.0
    ) -> None:
        self.rates = rates()
        self.places = len(weights)
        self.levels = len(self.rates)
        self.weights, self.slopes = weights, losses
        self.together, self.luck = together, luck
        self.measured: list[Setting] = []

    def energy(self, place: int, level: int) -> float:
        return -self.weights[place] * math.log(self.rates[level])

    def alone(self, place: int, level: int) -> float:
        # The guess is wrong by another factor in each place.
        return self.slopes[place] * self.rates[level] * (0.7 + 0.3 * (place % 3))

    def losses(self, settings: Sequence[Setting]) -> list[float]:
        self.measured += settings
        return [self._loss(setting) - self.luck for setting in settings]

    def confirmed(self, setting: Setting) -> float:
        return self._loss(setting)

    def _loss(self, setting: Setting) -> float:
        pairs = zip(self.slopes, setting, strict=True)
        return self.together * sum(slope * self.rates[level] for slope, level in pairs)

    def least(self, budget: float) -> float:
        whole = sum(self.weights)
        return -sum(
            w * math.log(budget * w / (whole * self.together * c))
            for w, c in zip(self.weights, self.slopes, strict=True)
        )


@pytest.mark.parametrize("together", [0.6, 1.0, 1.7])
def test_the_search_finds_the_known_optimum(together: float) -> None:
    problem = Synthetic([5, 1, 0.3, 2, 2, 8, 1], [0.3, 2, 9, 0.1, 0.05, 1.5, 0.4], together)
    found = search(problem, 0.02)
    assert found.loss <= 0.02
    # A level is a tenth of a rate: no setting on the levels comes closer than some per cent.
    assert problem.least(0.02) <= total(problem, found.setting) < 1.02 * problem.least(0.02)
    assert len(problem.measured) < 400


def test_luck_of_the_seeds_is_stepped_back() -> None:
    problem = Synthetic([5, 1, 2], [0.3, 2, 9], 1.0, luck=0.004)
    found = search(problem, 0.02)
    assert found.loss <= 0.02
    assert total(problem, found.setting) < 1.06 * problem.least(0.02)


def test_a_good_start_is_not_given_up() -> None:
    """What was found with fewer places holds where the search finds nothing better."""
    problem = Synthetic([1.0], [1.0], 1.0)
    (best,) = search(problem, 0.02).setting
    two = Synthetic([0.5, 0.5], [0.5, 0.5], 1.0)
    found = search(two, 0.02, [(best, best)])
    assert total(two, found.setting) <= total(problem, (best,)) * (1 + 1e-12)


def test_the_path_saves_most_for_a_loss_first() -> None:
    problem = Synthetic([1, 1, 4], [5, 0.1, 1], 1.0)
    found = path([_hull(problem, place) for place in range(3)])
    assert found[0] == (0, 0, 0)
    assert found[-1] == (problem.levels - 1,) * 3
    worths = []
    for before, after in itertools.pairwise(found):
        lost = sum(problem.alone(p, b) - problem.alone(p, a) for p, (a, b) in enumerate(
            zip(before, after, strict=True)))  # fmt: skip
        worths.append((total(problem, before) - total(problem, after)) / lost)
    assert all(a >= b * (1 - 1e-9) for a, b in itertools.pairwise(worths))


def test_a_curve_rises_and_is_linear_below_the_noise() -> None:
    points = [
        Measured(1e-3, 0.001, 0.002),
        Measured(1e-2, -0.001, 0.001),
        Measured(3e-2, 0.02, 0.001),
        Measured(1e-1, 0.018, 0.001),
        Measured(3e-1, 0.3, 0.001),
    ]
    found = curve(points, [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1])
    assert found == pytest.approx([0.019 / 300, 0.019 / 30, 0.019 / 3, 0.019, 0.019, 0.3], rel=1e-4)
    assert all(a < b for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    "model", ["exponential", "sun-gamma", "sun-gamma:critical_voltage0_v=0.15"]
)
def test_the_cheapest_condition_of_a_rate_has_it_and_is_cheapest(model: str) -> None:
    ones = WriteCounts(1000, 1000, (900, 900), (900, 900))
    made = Choices(model, {"w": ones}, {"w": 0.5})
    level = min(range(len(made.rates)), key=lambda n: abs(made.rates[n] - 1e-2))
    choice = made.choice("w", level)
    assert max(choice.point.rate1, choice.point.rate0) == pytest.approx(made.rates[level], rel=1e-4)
    assert made.energy("w", level) == 0.5 * ones.energy(choice.point.costs)[0]
    others = made._choices(level)
    assert len(others) > 1 or model == "exponential"
    assert made.energy("w", level) == min(made.energy_at("w", c.point) for c in others)
    assert made.energy("w", level) < made.conventional("w")


def test_a_rate_without_a_condition_is_no_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it lies; and a model needs two."""
    ones = {"w": WriteCounts(1000, 1000, (900, 900), (900, 900))}
    all_rates, found = rates(), choices._conditions
    gap = {all_rates[0], all_rates[70]}
    monkeypatch.setattr(
        choices, "_conditions", lambda *words: [] if words[2] in gap else found(*words)
    )
    made = Choices("exponential", ones, {"w": 1.0})
    assert made.rates == tuple(rate for rate in all_rates if rate not in gap)
    assert all(made.energy("w", level) > 0 for level in range(len(made.rates)))
    gap |= set(all_rates[:-1])
    with pytest.raises(InputError, match="conditions of 1 rates from 1e-8 to 1/2: at least 2"):
        Choices("exponential", ones, {"w": 1.0})


def test_a_published_part_changes_joules_and_no_share() -> None:
    ones = WriteCounts(1000, 1000, (900, 900), (900, 900))
    own, part = (
        Choices(of_device("exponential", name), {"w": ones}, {"w": 1.0})
        for name in (None, next(iter(DEVICES)))
    )
    assert part.energy("w", 60) / part.conventional("w") == pytest.approx(
        own.energy("w", 60) / own.conventional("w")
    )
    assert part.energy("w", 60) != pytest.approx(own.energy("w", 60))


def test_all_images_of_ones_own_data_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which are fewer than the largest published test set has, as a rule."""
    images = np.zeros((7, 2), np.uint8)
    own = OwnTests(images, np.arange(7, dtype=np.uint16), "seven")
    monkeypatch.setattr("spinflow.model.data.own_tests", lambda *_: own)
    options = command._parser().parse_args(["--network", "mine.toml"])
    assert len(images_of_network("mine.npz", options.images, None, None).images) == 7 < MOST_IMAGES
    with pytest.raises(InputError, match="8 images asked for: must be from 1 to the 7"):
        images_of_network("mine.npz", 8, None, None)


def test_halves_are_disjoint_and_are_all() -> None:
    images = np.arange(14, dtype=np.uint8).reshape(7, 2)
    first, second = halves(TestSet(images, np.arange(7, dtype=np.uint16), "seven"))
    labels = [*first.labels, *second.labels]
    assert sorted(labels) == list(range(7)) and len(first.labels) == 4
    assert np.array_equal(np.concatenate([first.images, second.images]), images[labels])


def test_an_interval_holds_errors_and_images() -> None:
    """Simulated: the true mean is inside about as often as 95 %, more where both vary."""
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        hard = rng.random(400) < 0.1
        severity = rng.beta(4, 4, 12)[:, np.newaxis]
        drawn = (rng.random((12, 400)) < severity * hard).astype(np.int8)
        found = interval(drawn)
        inside += found.low <= 0.05 <= found.high
    assert 185 <= inside <= 200


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("optimise") / "tfc"
    assert command.main([*QUICK, "--loss", "3", "10", "--out", str(folder)]) == 0
    return folder


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="ascii") as file:
        return list(csv.DictReader(file))


def test_what_it_writes(out: Path) -> None:
    front = rows_of(out / outcome.FRONT)
    asked = [(row["scheme"], row["asked"]) for row in front]
    names = ["one for all", "one a kind", "one a memory"]
    assert asked == [("conventional", "0"), *((n, loss) for loss in ("3", "10") for n in names)]
    for row in front:
        assert float(row["chosen"]) <= float(row["asked"]) + 1e-9
        assert float(row["low"]) <= float(row["loss"]) <= float(row["high"])
    energies = [float(row["energy_j"]) for row in front]
    assert energies[0] > max(energies[1:])
    assert energies[3] <= energies[2] <= energies[1] and energies[6] <= energies[3]
    lines = [row for row in rows_of(out / outcome.CONDITIONS) if row["scheme"] == names[2]]
    for point in (front[3], front[6]):
        own = [row for row in lines if row["asked"] == point["asked"]]
        energy = math.fsum(float(row["energy_j"]) for row in own)
        assert energy == pytest.approx(float(point["energy_j"]), rel=1e-4)
    assert (out / outcome.PICTURE).read_bytes().startswith(b"<?xml")


def test_a_run_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    """A picture or conditions beside the tables of another run would be taken for theirs."""
    out = tmp_path / "out"
    out.mkdir()
    for name in (outcome.PICTURE, outcome.FRONT, "conditions-3.toml", command.ROWS, "mine.txt"):
        (out / name).write_text("old")
    command._put({outcome.FRONT: b"new", "conditions-1.toml": b"new"}, out)
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        outcome.FRONT: "new", "conditions-1.toml": "new", command.ROWS: "old", "mine.txt": "old",
    }  # fmt: skip


def test_every_choice_has_the_same_seeds_and_one_half(out: Path) -> None:
    """The repeats of all settings are the same, and all rows are of the half they rest on."""
    rows = read(out / command.ROWS)
    assert {row.images for row in rows} == {150} and {row.seed for row in rows} == {1}
    assert len({row.image_set for row in rows}) == 1
    repeats: dict[tuple[str, str, float], set[int]] = {}
    for row in rows:
        if row.mode != "off":
            repeats.setdefault((row.memory, row.model, row.rate), set()).add(row.repeat)
    assert {frozenset(found) for found in repeats.values()} <= {
        frozenset({0, 1}), frozenset({2, 3}), frozenset({0, 1, 2, 3}),
    }  # fmt: skip


def test_a_sweep_takes_the_file_of_conditions(out: Path, tmp_path: Path) -> None:
    """The rows have the energy that the optimiser says, and each memory its own rate."""
    from spinflow.sim.sweep import main

    file = out / "conditions-10.toml"
    words = f"--on evaluator-fast --network tfc-mnist --images 40 --repeats 1 --workers 1 --conditions {file}"  # noqa: E501
    assert main([*words.split(), "--out", str(tmp_path / "swept")]) == 0
    (row,) = read(tmp_path / "swept" / "results.csv")
    point = read_conditions(file)
    assert (row.memory, row.model) == ("all", point.model) and row.errors > 0
    lines = [
        line
        for line in rows_of(out / outcome.CONDITIONS)
        if (line["scheme"], line["asked"]) == ("one a memory", "10")
    ]
    assert len(point.each) == len(lines) == 7
    assert {line["memory"]: line["condition"] for line in lines}.keys() == dict(point.each).keys()
    expected = sum(
        float(line["energy_bit_j"])
        * float(line["bits"])
        * (1 if line["memory"].endswith("weights") else 40)
        for line in lines
    )
    assert row.energy_j == pytest.approx(expected, rel=1e-4)
    assert row.conventional_j > row.energy_j


def test_a_killed_run_leaves_nothing_half_written_and_goes_on(out: Path, tmp_path: Path) -> None:
    """The file of rows is whole, no table is there, and the rest gives what one run gives."""
    for number in itertools.count():
        folder = tmp_path / f"killed {number}"
        words = [sys.executable, "-m", "spinflow", "optimise", *QUICK, "--loss", "3", "10"]
        it = processes.start([*words, "--out", str(folder)], cwd=ROOT, stderr=subprocess.DEVNULL)
        rows = folder / command.ROWS
        while it.poll() is None and not (rows.exists() and rows.stat().st_size > 20_000):
            time.sleep(0.05)
        it.kill()
        assert it.wait() in (0, -signal.SIGKILL)
        if len(read(rows)) < len(read(out / command.ROWS)):  # else the kill came too late
            break
    assert [path.name for path in folder.iterdir()] == [command.ROWS]
    assert len(read(rows)) > 0
    assert command.main([*QUICK, "--loss", "3", "10", "--out", str(folder)]) == 0
    for name in (outcome.FRONT, outcome.CONDITIONS, "conditions-3.toml", outcome.PICTURE):
        assert (folder / name).read_bytes() == (out / name).read_bytes()


def test_the_page_has_the_tables_of_the_results() -> None:
    text = tool.PAGE.read_text(encoding="utf-8")
    assert tool.with_tables(text) == text, "run python -m tools.optimise"
    assert len(marks.names(text)) >= 3


def test_a_run_goes_into_the_documentation(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RESULTS", "PICTURES"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tool, name, tmp_path / name)
    monkeypatch.setattr(tool, "PAGE", tmp_path / "page.md")
    tool.PAGE.write_text("a\n<!-- tfc: begin -->\nold\n<!-- tfc: end -->\nb\n")
    (tool.RESULTS / "tfc-1.toml").touch()
    tool.main([str(out)])
    kept = {path.name for path in tool.RESULTS.iterdir()}
    assert kept == {"tfc.csv", "tfc-conditions.csv", "tfc-3.toml", "tfc-10.toml"}
    (tmp_path / "unfinished" / "tfc").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"has no front\.csv: spinflow optimise writes it"):
        tool.main([str(tmp_path / "unfinished" / "tfc")])
    assert {path.name for path in tool.RESULTS.iterdir()} == kept
    lines = tool.PAGE.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("a", "b") and "old" not in lines
    assert len([line for line in lines if line.startswith("| 3 |")]) == 3


@pytest.mark.parametrize("out", [".", "..", "sub/../../here"])
def test_the_current_folder_is_refused_at_once(
    out: str, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour later it could not be replaced."""
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert command.main([*QUICK, "--out", out]) == 1
    assert f"spinflow: {out}: the current folder is in it" in capfd.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["here", "sub"]


@pytest.mark.parametrize("out", [".", "sub/..", "../here"])
def test_files_are_put_into_a_folder_by_any_name(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    (here / command.ROWS).write_text("rows")
    monkeypatch.chdir(here)
    command._put({outcome.FRONT: b"front"}, Path(out))
    assert (here / outcome.FRONT).read_text() == "front"
    assert sorted(path.name for path in here.iterdir()) == [outcome.FRONT, command.ROWS, "sub"]
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_loss_that_no_rate_keeps_is_refused(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Of such a junction, whose zeros hardly fail, the registers hold only rates from 0.28 on."""
    words = ["--model", "sun-gamma:critical_voltage0_v=0.08", "--loss", "90", "1"]
    assert command.main([*QUICK, *words, "--out", str(tmp_path)]) == 1
    shown = capfd.readouterr().err.splitlines()[-1]
    assert shown.startswith("spinflow: --loss 1: at 0.281, the lowest rate that model sun-gamma:")
    assert shown.endswith("points are lost") and len(shown) < 300
    assert [path.name for path in tmp_path.iterdir()] == [command.ROWS]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--network", "none-such"], "none-such"),
        (["--network", "tfc-mnist", "--model", "none"], "valid: exponential"),
        (["--network", "tfc-mnist", "--images", "20000"], "from 1 to the 10000"),
        (["--bundle", "no/such"], "no/such"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], said: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command.main([*words, "--out", str(tmp_path / "out")]) == 1
    shown = capfd.readouterr().err
    assert said in shown and shown.count("\n") == 1 and len(shown) < 300
    assert not (tmp_path / "out").exists()
