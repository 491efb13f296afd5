"""`spinflow ecc`: where a point is lost, what that takes, and a small measurement end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spinflow.papers import ecc
from spinflow.papers.ecc import Found, Point, crossing, find, main, measure, read, write

ROOT = Path(__file__).parents[2]


def point(rate: float, accuracy: float, energy_j: float, repeat: int = 0, word: int = 0) -> Point:
    return Point("net", "weights", word, rate, repeat, 1000, accuracy, 1000, 10, energy_j, 4.0)


CURVE = [point(0.0, 0.9, 4.0), point(1e-3, 0.9, 2.0), point(1e-2, 0.88, 1.0)]


def test_a_point_is_lost_between_two_rates() -> None:
    found = crossing(CURVE, 0.01)
    assert found is not None
    assert found == pytest.approx((10**-2.5, 1.5))  # half of the way, in the logarithm


def test_no_such_place() -> None:
    assert crossing(CURVE[:2], 0.01) is None  # nowhere
    assert crossing([CURVE[0], point(1e-3, 0.5, 2.0)], 0.01) is None  # below the lowest rate


def test_energy_is_that_of_the_same_data() -> None:
    """Relative to the plain memories' conventional write, also where check bits are written."""
    coded = [point(p.rate, p.accuracy, 1.5 * p.energy_j, word=64) for p in CURVE]
    coded = [Point(**{**vars(p), "conventional_j": 6.0}) for p in coded]
    again = [point(p.rate, p.accuracy, p.energy_j, 1) for p in CURVE[1:]]
    plain, other = find([*CURVE, *again, *coded], [0.01])
    assert (plain.word, plain.repeats, other.word, other.repeats) == (0, 2, 64, 1)
    assert plain.energy == pytest.approx(1.5 / 4) == plain.energy_low == plain.energy_high
    assert find([*CURVE, *again, *coded], [0.004]) == []  # four images of a thousand
    assert other.energy == pytest.approx(1.5 * 1.5 / 4)


def test_sizes_on_the_page_are_those_of_the_reports() -> None:
    text = (ROOT / "docs" / "ecc.md").read_text(encoding="utf-8")
    table = text.partition("<!-- sizes -->")[2].partition("<!-- end of sizes -->")[0]
    rows = [
        [cell.strip().replace(",", "") for cell in line.strip("| ").split("|")]
        for line in table.strip().splitlines()[2:]
    ]
    assert len(rows) == 9
    results = ROOT / "docs" / "results"
    for network, memories, *numbers, cycles in rows:
        name = {
            "plain": f"synth/{network}-{cycles}",
            "weights coded": f"ecc/{network}-weights",
            "weights and buffers coded": f"ecc/{network}-all",
        }[memories]
        report = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        total = report["total"]
        slowest = report["logic"]["slowest"]["delay_estimate_ns"]
        assert [*map(float, numbers[:3])] == [total["LUT"], total["FF"], total["RAMB36"]]
        assert float(numbers[4]) == round(slowest, 1)
        assert report["network"] == network and report["work"]["cycles_per_frame"] == int(cycles)


def test_points_are_kept(tmp_path: Path) -> None:
    write(CURVE, tmp_path / "curves.csv")
    assert read(tmp_path / "curves.csv") == CURVE
    write(find(CURVE), tmp_path / "energy.csv")
    names = (tmp_path / "energy.csv").read_text().splitlines()[0]
    assert names.split(",") == [*Found.__dataclass_fields__]


def test_what_is_named_twice_is_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, list[float]]] = []

    def measured(name: str, word: int, *_: int, rates: list[float], **__: int) -> list[Point]:
        asked.append((name, word, rates))
        return [replace(each, word=word) for each in CURVE]

    monkeypatch.setattr(ecc, "measure", measured)
    words = "--network net net --ecc-word 16 16 --rates 1e-2 1e-3 1e-2 --out"
    assert main([*words.split(), str(tmp_path)]) == 0
    assert asked == [("net", word, [1e-3, 1e-2]) for word in (0, 16)]
    assert len(read(tmp_path / "curves.csv")) == 2 * len(CURVE)


def test_an_interruption_leaves_what_was_measured_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network there are all codes or none, those of before or those of now."""

    def measured(name: str, word: int, *_: int, **__: object) -> list[Point]:
        if (name, word) == ("second", 64):
            raise KeyboardInterrupt
        return [replace(each, network=name, word=word, images=200) for each in CURVE]

    monkeypatch.setattr(ecc, "measure", measured)
    before = [
        replace(each, network=name, word=word)
        for name in ("first", "second", "third")
        for word in (0, 64)
        for each in CURVE
    ]
    write(before, tmp_path / "curves.csv")
    assert main(["--network", "first", "second", "third", "--out", str(tmp_path)]) == 130
    images = {(p.network, p.word): p.images for p in read(tmp_path / "curves.csv")}
    assert images == {
        (name, word): 200 if name == "first" else 1000
        for name in ("first", "second", "third")
        for word in (0, 64)
    }


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "network,memory\nnet,weights\n", "rate\nx\n"])
def test_a_file_of_something_else_is_one_line(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "curves.csv").write_text(content)
    assert main(["--network", "tfc-mnist", "--out", str(tmp_path)]) == 1
    assert "curves.csv is no list of points of spinflow ecc" in capsys.readouterr().err
    assert (tmp_path / "curves.csv").read_text() == content


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "there is no network nonsense"),
        ("lenet-fxp8-mnist", "lenet-fxp8-mnist is no binary network"),
    ],
)
def test_a_network_without_binary_memories_is_one_line(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--network", name, "--out", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_measured() -> None:
    """Errors in coded memories cost less than in plain ones at a low rate, and more is written."""
    pytest.importorskip("torch")
    plain, coded = (measure("tfc-mnist", word, 2, 200, rates=[3e-3]) for word in (0, 16))
    assert [p.memory for p in plain] == [p.memory for p in coded]
    for one, other in zip(plain, coded, strict=True):
        assert other.bits_written > 1.3 * one.bits_written
        assert other.energy_j > 1.3 * one.energy_j
    lost = [p[0].accuracy - min(q.accuracy for q in p) for p in (plain, coded)]
    assert lost[1] <= lost[0]
