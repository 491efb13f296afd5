"""`spinflow ecc`: where a point is lost, what that takes, and a small measurement end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from spinflow.papers.ecc import Found, Point, crossing, find, main, measure, read, write


def point(rate: float, accuracy: float, energy_j: float, repeat: int = 0, word: int = 0) -> Point:
    return Point("net", "weights", word, rate, repeat, 100, accuracy, 1000, 10, energy_j, 4.0)


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
    assert other.energy == pytest.approx(1.5 * 1.5 / 4)


def test_points_are_kept(tmp_path: Path) -> None:
    write(CURVE, tmp_path / "curves.csv")
    assert read(tmp_path / "curves.csv") == CURVE
    write(find(CURVE), tmp_path / "energy.csv")
    names = (tmp_path / "energy.csv").read_text().splitlines()[0]
    assert names.split(",") == [*Found.__dataclass_fields__]


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


def test_a_network_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--network", "lenet", "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == "spinflow: there is no network lenet in model/zoo\n"
    assert not (tmp_path / "out").exists()
