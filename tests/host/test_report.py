"""The report: its intervals, what it groups, and a page that stands alone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from host import report
from host.errors import ResultsError
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
    low, high, kind = report.mean_interval([0.90, 0.92, 0.94], 500)
    half = 4.302652729911275 * 0.02 / 3**0.5
    assert (low, high) == pytest.approx((0.92 - half, 0.92 + half), rel=1e-9)
    assert kind == "t over 3 repeats"


def test_a_single_repeat_gives_wilsons_interval() -> None:
    # Wilson 1927, for 8 of 10: 0.4902 to 0.9433.
    low, high, kind = report.mean_interval([0.8], 10)
    assert (low, high) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert kind == "Wilson over 10 images"


def test_intervals_stay_probabilities() -> None:
    assert report.wilson_interval(1.0, 500)[1] == 1.0
    assert report.wilson_interval(0.0, 500)[0] == 0.0
    assert report.mean_interval([1.0, 0.99], 500)[1] == 1.0


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
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    for name in ("report.html", "summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_summary_holds_every_point(tmp_path: Path) -> None:
    groups = report.summarise(ROWS)
    report.write(groups, tmp_path)
    content = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert [point["accuracy"] for point in content["points"]] == [g.accuracy for g in groups]
    assert content["level"] == 0.95


@pytest.mark.parametrize(
    "rows",
    [
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
