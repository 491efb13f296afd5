"""What a table or curve of the device models is made of: columns with units, rows, a drawing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Cell = float | int | str


@dataclass(frozen=True)
class Sheet:
    """A table or curve.

    Attributes:
        kind: "table" or "curve".
        name: its name on the command line and of its files.
        title: what it shows.
        columns: column names, units included.
        rows: cells, one per column.
        note: what is deduced or assumed.
        draw: draws it into axes.
    """

    kind: str
    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    note: str
    draw: Callable[[Axes], None]

    def column(self, name: str) -> list[Cell]:
        """Return the cells of a column; KeyError if there is none of that name."""
        if name not in self.columns:
            raise KeyError(name)
        index = self.columns.index(name)
        return [row[index] for row in self.rows]


def columns_to_rows(*columns: NDArray[Any]) -> list[tuple[Cell, ...]]:
    """Return the rows of columns of numbers, all of the same length."""
    return [tuple(float(cell) for cell in row) for row in zip(*columns, strict=True)]
