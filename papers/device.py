"""What the papers show of the device alone: the sheets of the junction models, as tables."""

from __future__ import annotations

from collections.abc import Callable

from spinflow.papers.item import Setting, Table
from spinflow.papers.sheets import Sheet


def sheet_table(sheet: Sheet, **more: str) -> Table:
    """Return a sheet's rows as a table; floats have nine digits.

    Args:
        sheet: the sheet.
        more: columns that are the same in every row, behind the sheet's.
    """
    rows: list[dict[str, object]] = [
        {
            **{
                column: f"{cell:.9g}" if isinstance(cell, float) else cell
                for column, cell in zip(sheet.columns, row, strict=True)
            },
            **more,
        }
        for row in sheet.rows
    ]
    return Table.of((*sheet.columns, *more), rows)


def of_sheet(name: str, make: Callable[[], Sheet]) -> Callable[[Setting], Table]:
    """Return what collects a sheet's rows; nothing in them is random."""
    # Such a sheet depends on no setting.
    return lambda setting: sheet_table(make(), command=Setting().command(name))
