"""What the papers show of the device alone: the sheets of ``spinflow.host.mtj``, as tables."""

from __future__ import annotations

from collections.abc import Callable

from spinflow.papers.item import Setting, Table
from spinflow.papers.published import Sheet


def of_sheet(name: str, make: Callable[[], Sheet]) -> Callable[[Setting], Table]:
    """Return what collects a sheet's rows; nothing in them is random."""

    def collect(setting: Setting) -> Table:
        sheet = make()
        # Such a sheet depends on no setting.
        command = Setting().command(name)
        rows = [
            {
                column: f"{cell:.9g}" if isinstance(cell, float) else cell
                for column, cell in zip(sheet.columns, row, strict=True)
            }
            | {"command": command}
            for row in sheet.rows
        ]
        return Table.of((*sheet.columns, "command"), rows)

    return collect
