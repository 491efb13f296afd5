"""A report in a browser: it draws, answers, sorts, saves, and asks for nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from spinflow.host.report import report
from spinflow.host.report.summary import Group
from spinflow.host.report.table import HEADINGS
from spinflow.host.sweep.results import read
from tests.host.test_report import curve
from tests.page.chromium import Page

MEASURED = Path(__file__).resolve().parents[2] / "docs/results/mlp-mnist.csv"


@pytest.fixture(scope="module")
def groups() -> list[Group]:
    return report.summarise(read(MEASURED))


@pytest.fixture(scope="module")
def address(groups: list[Group], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    report.write(groups, folder)
    return (folder / "report.html").as_uri()


@pytest.fixture
def page(tab: Page, address: str) -> Page:
    tab.open(address)
    return tab


def number(groups: list[Group], memory: str, rate: float) -> int:
    """The number of a point: its line in the table before that is sorted."""
    return next(
        n for n, g in enumerate(groups) if g.memory == memory and abs(g.rate - rate) <= 1e-9
    )


def place(page: Page, point: int) -> tuple[float, float]:
    x, y = page.js(
        f"(b => [b.x + b.width / 2, b.y + b.height / 2])"
        f"(document.querySelector('[data-point=\"{point}\"]:not(tr)').getBoundingClientRect())"
    )
    return x, y


def test_it_draws_every_point_and_asks_for_nothing(
    page: Page, address: str, groups: list[Group]
) -> None:
    assert page.js("document.querySelectorAll('.canvas [data-point]').length") == len(groups)
    assert page.js("document.querySelector('.pictures').checkVisibility()") is False
    assert page.requests == [address]
    assert not page.problems


def test_a_point_under_the_pointer_says_its_numbers(page: Page, groups: list[Group]) -> None:
    wanted = number(groups, "buffers", 0.1)
    page.hover(f".canvas [data-point='{wanted}']")
    text = page.js("document.querySelector('.tip').innerText")
    point = groups[wanted]
    assert f"accuracy {100 * point.accuracy:.2f} % ({100 * point.low:.2f} to" in text
    assert "errors in buffers\nrate 0.1, pulse 34.1 ns" in text
    assert f"lost {100 * (groups[0].accuracy - point.accuracy):.2f} points" in text
    assert f"{100 * point.saving:.1f} % below" in text and "for one image" in text
    page.mouse("mouseMoved", 5, 5)
    assert page.js("document.querySelector('.tip').hidden") is True


def test_a_tap_points(page: Page, groups: list[Group]) -> None:
    wanted = number(groups, "buffers", 0.1)
    x, y = page.where(f".canvas [data-point='{wanted}']")
    page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x + 5, "y": y}])
    page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    text = page.js("document.querySelector('.tip').innerText")
    assert text.startswith("errors in buffers\nrate 0.1,") and not page.problems


def test_keys_go_from_point_to_point(page: Page, groups: list[Group]) -> None:
    page.js("document.querySelector('.canvas svg').focus()")
    for name in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.key(name)
    text = page.js("document.querySelector('.tip').innerText")
    assert text.startswith("errors in buffers\nrate 0.0001,")
    page.key("Escape")
    assert page.js("document.querySelector('.tip').hidden") is True


@pytest.mark.parametrize(
    ("axis", "field", "title"),
    [
        ("pulse", "pulse_s", "pulse [ns]"),
        ("saving", "saving", "saved write energy [%]"),
        ("bit", "energy_per_bit_j", "write energy a bit [pJ]"),
    ],
)
def test_an_axis_is_a_choice(
    axis: str, field: str, title: str, page: Page, groups: list[Group]
) -> None:
    page.choose("select[data-axis=x]", axis)
    assert page.js("document.querySelector('.canvas .title').textContent") == title
    # Three points of a linear axis stand in the ratio of their values.
    points = [number(groups, "weights", rate) for rate in (0.0, 0.01, 0.1)]
    a, b, c = (place(page, point)[0] for point in points)
    u, v, w = (getattr(groups[point], field) for point in points)
    assert (b - a) / (c - a) == pytest.approx((v - u) / (w - u), abs=0.01)


def test_the_energy_axis_is_that_of_the_curves_shown(page: Page) -> None:
    page.choose("select[data-axis=x]", "energy")
    assert "of one load of the weights, of one image" in page.js(
        "document.querySelector('.canvas .title').textContent"
    )
    page.click(".legend button:nth-child(1)")
    assert page.js("document.querySelector('.canvas .title').textContent") == (
        "write energy of one image [nJ]"
    )


def test_lost_accuracy_goes_up(page: Page, groups: list[Group]) -> None:
    worst, best = number(groups, "weights", 0.1), number(groups, "weights", 1e-3)
    assert place(page, worst)[1] > place(page, best)[1] + 50
    page.choose("select[data-axis=y]", "lost")
    assert place(page, worst)[1] < place(page, best)[1] - 50


def test_curves_go_off_and_on(page: Page, groups: list[Group]) -> None:
    page.click(".legend button:nth-child(1)")
    labels = "[...document.querySelectorAll('.canvas .curve')].map(g => g.dataset.label)"
    assert page.js(labels) == ["buffers"]
    assert page.js("document.querySelector('.legend button').ariaPressed") == "false"
    page.click(".legend button:nth-child(2)")
    assert page.js(labels) == []
    assert "no curve is switched on" in page.js("document.querySelector('.canvas').textContent")
    page.click(".legend button:nth-child(1)")
    assert page.js(labels) == ["weights"]
    assert not page.problems


def test_a_rectangle_zooms_in_and_two_clicks_out(page: Page, groups: list[Group]) -> None:
    page.where(".canvas svg")
    one, other = number(groups, "weights", 0.01), number(groups, "weights", 0.03)
    before = place(page, other)[0] - place(page, one)[0]
    (x0, y0), (x1, y1) = place(page, one), place(page, other)
    page.drag((x0 - 20, y0 - 15), (x1 + 20, y1 + 15))
    after = place(page, other)[0] - place(page, one)[0]
    assert after > 3 * before
    # What was in the rectangle fills the picture, 15 pixels from its upper and lower edge before.
    top, height = page.js(
        "(b => [b.y, b.height])(document.querySelector('.canvas .axis').getBoundingClientRect())"
    )
    share = 15 / (y1 - y0 + 30)
    assert place(page, one)[1] == pytest.approx(top + share * height, abs=2)
    assert place(page, other)[1] == pytest.approx(top + (1 - share) * height, abs=2)
    page.click(".canvas svg", times=2)
    assert place(page, other)[0] - place(page, one)[0] == pytest.approx(before, abs=0.5)
    page.click("button[title='zoom in']")
    assert place(page, other)[0] - place(page, one)[0] == pytest.approx(2 * before, rel=0.01)
    assert not page.problems


def rows(page: Page, column: int) -> list[str]:
    found: list[str] = page.js(
        "[...document.querySelectorAll('table.points tbody tr')]"
        f".map(row => row.cells[{column}].textContent)"
    )
    return found


def test_the_table_sorts_by_values(page: Page, groups: list[Group]) -> None:
    page.click("th[data-sort=accuracy] button")
    ordered = sorted(f"{100 * group.accuracy:.2f}" for group in groups)
    assert rows(page, 6) == ordered
    page.click("th[data-sort=accuracy] button")
    assert rows(page, 6) == ordered[::-1]
    assert page.js("document.querySelector('th[data-sort=accuracy]').ariaSort") == "descending"
    page.click("th[data-sort=energy_j] button")  # as texts, 90.2 nJ would come after 10.3 µJ
    energies = [group.energy_j for group in groups]
    order = page.js(
        "[...document.querySelectorAll('tr[data-point]')].map(row => Number(row.dataset.point))"
    )
    assert [energies[n] for n in order] == sorted(energies)


def test_the_points_go_into_a_file(page: Page, groups: list[Group], tmp_path: Path) -> None:
    page.downloads(tmp_path)
    page.click("th[data-sort=memory] button")
    page.click("button.save")
    path = tmp_path / "mlp-mnist-points.csv"
    page.wait(lambda: path.exists() and path.stat().st_size)
    with open(path, newline="", encoding="utf-8") as file:
        saved = list(csv.DictReader(file))
    ordered = sorted(groups, key=lambda group: group.memory)
    assert [point["memory"] for point in saved] == [group.memory for group in ordered]
    for point, group in zip(saved, ordered, strict=True):
        for name, text in point.items():
            value = getattr(group, name)
            if isinstance(value, tuple):
                assert tuple(map(float, text.split())) == value
            else:
                assert type(value)(text) == value, name
    assert page.requests[0].startswith("file:") and all(
        each.startswith("blob:") for each in page.requests[1:]
    )
    assert not page.problems


def test_the_map_is_deeper_where_more_is_lost(tab: Page, tmp_path: Path) -> None:
    rows = [
        each
        for part, lost in (("conv0.weights", 0.04), ("fc0.weights", 0.16))
        for each in curve({0.0: 0.95, 0.1: 0.95 - lost}, memory=part)
    ]
    report.write(report.summarise(rows), tmp_path)
    tab.open((tmp_path / "report.html").as_uri())
    cells = "[...document.querySelectorAll('table.map td')]"
    assert tab.js(f"{cells}.map(cell => cell.textContent)") == ["4.00", "16.00"]
    colours = tab.js(f"{cells}.map(cell => getComputedStyle(cell).backgroundColor)")
    assert colours == ["rgba(213, 94, 0, 0.424)", "rgba(213, 94, 0, 0.85)"]
    assert "accuracy 79.00 %" in tab.js(f"{cells}[1].title") and not tab.problems


def test_without_scripts_the_pictures_stand_still(tab: Page, address: str) -> None:
    tab.without_scripts()
    tab.open(address)
    root = tab.call("DOM.getDocument")["root"]["nodeId"]
    for selector, count in ((".still svg", 2), (".canvas", 0), ("button", 0)):
        found = tab.call("DOM.querySelectorAll", nodeId=root, selector=selector)
        assert len(found["nodeIds"]) == count, selector
    node = tab.call("DOM.querySelector", nodeId=root, selector=".still svg")["nodeId"]
    assert tab.call("DOM.getBoxModel", nodeId=node)["model"]["height"] > 200


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_stands_out_at_the_side(width: int, page: Page, address: str) -> None:
    page.size(width, 800)
    assert page.js("document.documentElement.scrollWidth") == width
    ratio = page.js(
        "(s => s.viewBox.baseVal.width / s.clientWidth)(document.querySelector('.canvas svg'))"
    )
    assert ratio == pytest.approx(1, abs=0.05)  # letters keep their size


def test_dark_and_paper(page: Page) -> None:
    colours = (
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    ink, paper = page.js(colours)
    page.size(1200, 900, dark=True)
    dark_ink, dark_paper = page.js(colours)
    assert (ink, paper) == ("rgb(26, 26, 26)", "rgb(255, 255, 255)")
    assert (dark_ink, dark_paper) == ("rgb(232, 230, 227)", "rgb(22, 24, 27)")
    assert page.printed().startswith(b"%PDF") and not page.problems
    page.click(".legend button:nth-child(1)")
    page.call("Emulation.setEmulatedMedia", media="print", features=[])
    seen = "[...document.querySelectorAll('button, select')].filter(e => e.checkVisibility())"
    names = page.js(f"{seen}.map(e => e.textContent)")
    assert names[0] == "buffers" and set(names[1:]) == set(HEADINGS)  # what is drawn, and the heads
    assert json.loads(page.js("document.getElementById('points').textContent"))
