"""Tables as text, styles of curves, and values with their units."""

from __future__ import annotations

from spinflow.host.core.palette import COLOURS, LINES, MARKERS, style
from spinflow.host.core.tables import aligned, markdown, ruled
from spinflow.host.core.text import with_unit

HEAD, BODY = ("name", "LUT"), [("fc0", "1,000"), ("a|b", "7")]


def test_columns_line_up() -> None:
    assert aligned([HEAD, *BODY]) == ["name  LUT", "fc0   1,000", "a|b   7"]
    assert aligned([HEAD, *BODY], (False, True))[2] == "a|b       7"
    assert aligned([]) == []
    assert ruled(HEAD, BODY)[1] == "----  -----"


def test_markdown() -> None:
    assert markdown(HEAD, BODY).splitlines() == [
        "| name | LUT |", "| --- | --- |", "| fc0 | 1,000 |", "| a\\|b | 7 |",
    ]  # fmt: skip
    assert markdown(HEAD, BODY, (False, True)).splitlines() == [
        "| name |   LUT |", "|------|------:|", "| fc0  | 1,000 |", "| a\\|b |     7 |",
    ]  # fmt: skip


def test_styles_differ_for_as_many_curves_as_they_say() -> None:
    assert style(0) == (COLOURS[0], MARKERS[0], LINES[0])
    assert len({style(number) for number in range(140)}) == 140


def test_values_with_units() -> None:
    assert [with_unit(value, "s") for value in (2.0, 1.5e-9, 4e-13)] == ["2 s", "1.5 ns", "0.4 ps"]
