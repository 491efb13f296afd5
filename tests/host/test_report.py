"""The report: its intervals, what it groups, and a page that stands alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from spinflow.host.__main__ import main
from spinflow.host.core.errors import InputError, ResultsError
from spinflow.host.report import report
from spinflow.host.report.page_data import data_of, embedded
from spinflow.host.report.summary import networks
from spinflow.host.sweep import statistics
from spinflow.host.sweep.results import ResultsFile, Row
from tests.host.rows import row

ROWS = [
    row(memory=memory, rate=rate, rate0=rate, repeat=repeat, background=background,
        pulse_s=1e-8 * (5 - number), accuracy=0.9 - 2 * rate - 0.004 * repeat,
        energy_per_bit_j=1e-12 * (5 - number), energy_j=59008e-12 * (5 - number))
    for memory, background in (("weights", "zeros"), ("buffers", "none"))
    for number, rate in enumerate((0.0, 1e-3, 1e-2, 1e-1))
    for repeat in range(3)
]  # fmt: skip


def test_repeats_give_students_interval() -> None:
    # By hand: mean 0.92, deviation 0.02, t(0.975; 2) = 4.30265.
    low, high, kind = statistics.mean_interval([0.90, 0.92, 0.94], 500)
    half = 4.302652729911275 * 0.02 / 3**0.5
    assert (low, high) == pytest.approx((0.92 - half, 0.92 + half), rel=1e-9)
    assert kind == "t over 3 repeats"


def test_a_single_repeat_gives_wilsons_interval() -> None:
    # Wilson 1927, for 8 of 10: 0.4902 to 0.9433.
    low, high, kind = statistics.mean_interval([0.8], 10)
    assert (low, high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert kind == "Wilson over 10 images"


def test_intervals_stay_probabilities() -> None:
    assert statistics.wilson_interval(1.0, 500)[1] == 1.0
    assert statistics.wilson_interval(0.0, 500)[0] == 0.0
    assert statistics.mean_interval([1.0, 0.99], 500)[1] == 1.0


def test_groups_are_repeats_of_one_point() -> None:
    groups = report.summarise(ROWS)
    assert [(g.memory, g.rate, g.repeats) for g in groups] == [
        (memory, rate, 3) for memory in ("weights", "buffers") for rate in (0.0, 1e-3, 1e-2, 1e-1)
    ]
    last = groups[-1]
    assert last.accuracies == pytest.approx((0.7, 0.696, 0.692))
    assert last.error_rate == pytest.approx(601 / 59008)
    assert last.cycles_per_frame == 64
    assert last.frames_per_second == pytest.approx(100e6 / 64)


def test_the_same_trial_twice_is_refused() -> None:
    with pytest.raises(ResultsError, match="twice"):
        report.summarise([*ROWS, ROWS[0]])
    with pytest.raises(ResultsError, match="no finished row"):
        report.summarise([])


def test_the_table_says_what_its_intervals_are() -> None:
    text = report.table(report.summarise(ROWS))
    assert "t over 3 repeats" in text
    assert "1,562,500 frames/s at 100 MHz" in text
    assert "simulated cycles" in text
    assert "costed at the conventional write" in text
    assert "Wilson over 500 images" in report.table(report.summarise(ROWS[::3]))


class Page(HTMLParser):
    """Collects the tags and everything that points out of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            value or "" for name, value in attrs if name.split(":")[-1] in ("href", "src")
        ]


def test_the_page_stands_alone_and_is_the_same_every_time(tmp_path: Path) -> None:
    groups = report.summarise(ROWS)
    for folder in ("one", "two"):
        report.write(groups, tmp_path / folder)
    text = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.tags.count("svg") == 2
    assert page.tags.count("tr") == 1 + 8
    assert page.links and all(link.startswith("#") for link in page.links)
    assert not re.search(r"@import|url\((?!#)", text)
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert page.tags.count("script") == 2
    code = text[text.rindex("<script>") + len("<script>") : text.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'\"" in text
    for name in ("report.html", "summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_scripts_are_given_cannot_end_their_element() -> None:
    text = embedded(["</script><script>alert(1)", "<!--", 0.1])
    assert "<" not in text and json.loads(text)[0] == "</script><script>alert(1)"


def test_what_scripts_are_given_is_exact() -> None:
    rows = [row(reads=2**60 + 1, delta=40.0, accuracy=0.1 + 0.2), row(delta=40.0)]
    (members,) = networks(report.summarise(rows))
    data = json.loads(embedded(data_of(members)))
    points = [dict(zip(data["columns"], point, strict=True)) for point in data["points"]]
    assert [point["reads"] for point in points] == [0, str(2**60 + 1)]
    assert points[1]["accuracy"] == 0.1 + 0.2
    assert [each["points"] for each in data["curves"]] == [[0], [1]]


def test_the_summary_holds_every_point(tmp_path: Path) -> None:
    groups = report.summarise(ROWS)
    report.write(groups, tmp_path)
    content = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert [point["accuracy"] for point in content["points"]] == [g.accuracy for g in groups]
    assert content["level"] == 0.95


def curve(accuracies: dict[float, float], **fields: Any) -> list[Row]:
    """Rows of one curve: rate to mean accuracy, a little spread over five repeats."""
    return [
        row(**{
            "rate": rate, "rate0": rate, "repeat": repeat, "energy_j": 1e-6 * (1 - rate),
            "accuracy": accuracy + 0.001 * (repeat - 2), **fields,
        })
        for rate, accuracy in accuracies.items()
        for repeat in range(5)
    ]  # fmt: skip


def legend(figure: Figure) -> list[str]:
    found = figure.axes[0].get_legend()
    assert found is not None
    return [label.get_text() for label in found.get_texts()]


def test_backends_stand_side_by_side() -> None:
    points = {0.0: 0.95, 0.01: 0.94}
    rows = [*curve(points), *curve(points, backend="board"), *curve(points, backend="evaluator")]
    groups = report.summarise(rows)
    text = report.table(groups)
    assert text.count("tfc-mnist, build") == 1
    assert [g.backend for g in groups] == ["board", "board", "evaluator", "evaluator", "rtl", "rtl"]
    labels = legend(report.rate_figure(groups))
    assert labels == ["weights, board", "weights, evaluator", "weights, rtl"]


def test_conditions_of_unequal_rates_are_one_curve() -> None:
    rows = [
        row(model="sun-gamma", drive=0.4, drive_unit="V", pulse_s=pulse, rate=rate, rate0=rate * 2)
        for pulse, rate in ((1e-9, 0.1), (2e-9, 0.01))
    ]
    labels = legend(report.rate_figure(report.summarise(rows)))
    assert labels == ["weights"]
    assert "0.1 / 0.2" in report.table(report.summarise(rows))
    # Two drives with pulses of their own are two curves.
    rows.append(row(model="sun-gamma", drive=0.5, drive_unit="V", pulse_s=5e-9, rate=1e-3))
    labels = legend(report.rate_figure(report.summarise(rows)))
    assert labels == ["weights, 500 mV", "weights, 400 mV"]


def test_the_highest_rate_and_the_lowest_energy_that_keep_an_accuracy() -> None:
    weights = curve({0.0: 0.95, 1e-3: 0.948, 1e-2: 0.93, 1e-1: 0.5})
    buffers = curve({0.0: 0.95, 1e-3: 0.90, 1e-2: 0.948}, memory="buffers", background="none")
    groups = report.summarise([*weights, *buffers])
    first, second = report.kept(groups, accuracy=0.92)
    assert first.rate is not None and first.energy is not None
    assert (first.curve, first.rate.rate, first.energy.rate) == ("weights", 1e-2, 1e-2)
    # A rate above one that does not keep the accuracy is luck, not safe; its energy was measured.
    assert second.rate is not None and second.energy is not None
    assert (second.rate.rate, second.energy.rate) == (0.0, 1e-2)
    # 0.93 lies within its interval, which reaches below 0.93: the interval counts, not the mean.
    first, _ = report.kept(groups, accuracy=0.93)
    assert first.rate is not None and first.rate.rate == 1e-3
    (first, _), (same, _) = report.kept(groups, loss_points=3.0), report.kept(groups, accuracy=0.92)
    assert (first.rate, first.accuracy) == (same.rate, pytest.approx(0.92))
    nothing, _ = report.kept(groups, accuracy=0.99)
    assert nothing.rate is None and nothing.energy is None
    lines = report.kept_lines(report.kept(groups, accuracy=0.92))
    assert lines[0].startswith("tfc-mnist, weights: an accuracy of 92.00 % is kept up to rate 0.01")
    assert "no measured point keeps an accuracy of" in report.kept_lines([nothing])[0]


def test_what_cannot_be_kept_is_refused() -> None:
    groups = report.summarise(curve({1e-3: 0.9}))
    for accuracy in (0.0, 1.5):
        with pytest.raises(InputError, match="must be above 0 and at most 1"):
            report.kept(groups, accuracy=accuracy)
    with pytest.raises(InputError, match="loss of -1 points"):
        report.kept(groups, loss_points=-1.0)
    with pytest.raises(InputError, match="no row at rate 0"):
        report.kept(groups, loss_points=1.0)


def test_the_command_reads_any_set_of_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    paths = []
    for backend in ("rtl", "evaluator"):
        rows = curve({0.0: 0.95, 0.01: 0.94}, backend=backend)
        path = tmp_path / f"{backend}.csv"
        paths.append(str(path))
        with ResultsFile(path, rows[0].key.identity) as results:
            for each in rows:
                results.append(each)
    command = ["report", *paths, "--out", str(tmp_path / "out")]
    assert main([*command, "--keep", "0.93"]) == 0
    text = capsys.readouterr().out
    assert "weights, rtl: an accuracy of 93.00 % is kept up to rate 0.01" in text
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "weights, evaluator: an accuracy of 93.00 % is kept" in page
    kept = json.loads((tmp_path / "out" / "summary.json").read_text())["kept"]
    assert [each["rate"]["rate"] for each in kept] == [0.01, 0.01]
    assert main([*command, "--keep", "93"]) == 1
    assert capsys.readouterr().err == (
        "spinflow: accuracy 93 to keep: must be above 0 and at most 1, as 0.98\n"
    )


@pytest.mark.parametrize(
    "rows",
    [
        curve({0.0: 0.9, 0.1: 0.8}, cycles=0, clock_mhz=0.0, backend="evaluator"),
        [row(retention_s=1e6, delta=40.0, upsets=4), row(reads=5, delta=60.0), row()],
        [row(model="sun-gamma", energy_bound_j=0.1), row(model="exponential")],
        ROWS[:1],  # a single point, rate 0
        ROWS[3:6],  # a single point, no rate 0
        [row(rate=0.1, rate0=0.0), row(rate=0.2, rate0=0.0), row(mode="switch")],
        [row(memory=name) for name in ("fc0.weights", "fc1.weights", "fc0.buffer", "all")],
        [row(), row(network="mlp-mnist"), row(seed=2), row(background="ones")],
    ],
)
def test_any_choice_of_rows_can_be_drawn(rows: list, tmp_path: Path) -> None:
    groups = report.summarise(rows)
    report.write(groups, tmp_path)
    assert report.table(groups)
