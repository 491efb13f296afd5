"""What a figure or table is made of: a CSV table, lines for the page, and a picture of it.

The CSV is all that is kept of a measurement. Page and picture are made from it alone, so they can
be made again at any time, and what could not be measured stands in it with its reason.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.files import replace_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spinflow.papers.published import Sheet

TEST_IMAGES = 10_000
"""Images of the test sets of MNIST, Fashion-MNIST and CIFAR-10."""

SEED = 1
"""Base seed of all error patterns."""

STANDS_IN = "not the paper's network"
"""What the page has for a printed value of a network that the paper has not."""

OUT = Path("out/papers")


class ReproduceError(SpinflowError, ValueError):
    """What cannot be done; the message says it in one line."""


class SkippedError(Exception):
    """Data, weights or a machine that a measurement needs and that are not there."""


@dataclass(frozen=True)
class Setting:
    """How figures are measured.

    Attributes:
        out: folder of CSV tables, pictures and of the measured rows.
        images: test images of every accuracy; the first ones of the test set. Of ImageNet's, whose
            order is that of the classes, so many of all of them, or all from TEST_IMAGES on.
        repeats: of every point, None for as many as the paper has.
        seed: base seed of the error patterns.
    """

    out: Path = OUT
    images: int = TEST_IMAGES
    repeats: int | None = None
    seed: int = SEED

    def command(self, name: str) -> str:
        """Return the command that measures a figure as this setting has it."""
        words = ["spinflow papers", name]
        if self.images != TEST_IMAGES:
            words.append(f"--images {self.images}")
        if self.repeats is not None:
            words.append(f"--repeats {self.repeats}")
        if self.seed != SEED:
            words.append(f"--seed {self.seed}")
        return " ".join(words)


@dataclass(frozen=True)
class Table:
    """Rows of text cells by column; an empty cell is one that the row has nothing for."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Table:
        """Return a table of any values; floats are written so that they read back the same."""
        return cls(
            tuple(columns),
            tuple({name: str(row.get(name, "")) for name in columns} for row in rows),
        )

    def text(self) -> str:
        """Return the table as CSV."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([row[name] for name in self.columns] for row in self.rows)
        return out.getvalue()

    def write(self, path: Path) -> None:
        """Write the table as a CSV file, in one step."""
        replace_text(path, self.text())

    @classmethod
    def read(cls, path: Path) -> Table:
        """Read a CSV file.

        Raises:
            ReproduceError: it is missing, or its rows have not as many cells as its head.
        """
        try:
            cells = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ReproduceError(f"{path}: cannot be read: {error}") from None
        if not cells or any(len(row) != len(cells[0]) for row in cells):
            raise ReproduceError(f"{path}: not a table with as many cells in every row")
        columns = tuple(cells[0])
        return cls(columns, tuple(dict(zip(columns, row, strict=True)) for row in cells[1:]))

    def skipped(self, network: str) -> str:
        """Return why a network has no rows; empty if it has."""
        return next(
            (r["skipped"] for r in self.rows if r.get("network") == network and r["skipped"]), ""
        )


@dataclass(frozen=True)
class Line:
    """One line of the page: what a paper prints, and what we measure.

    Attributes:
        what: network and condition.
        published: the printed value, with its unit.
        ours: the measured value, with its unit, or why there is none.
        interval: its 95 % interval and of what kind; empty where nothing is random.
        repeats, images: that it was measured with; empty where there are none.
    """

    what: str
    published: str
    ours: str
    interval: str = ""
    repeats: str = ""
    images: str = ""


def _one_panel(table: Table) -> Sequence[str]:
    return ("",)


Draw = Callable[[Table, Sequence["Axes"]], None]


@dataclass(frozen=True)
class Item:
    """A figure or table of a paper, or one of ours.

    Attributes:
        name: on the command line, and of its files.
        source: paper and number.
        title: what it shows.
        note: what is deduced, or differs from the paper; empty if nothing.
        collect: measures it.
        lines: what the page says of it.
        draw: draws it into as many axes as there are panels.
        panels: titles of the panels of a table; a single "" is one without a title.
        picture: a picture in docs/pictures that shows it already.
        sheet: the device models' own sheet, drawn in place of ``draw``.
    """

    name: str
    source: str
    title: str
    collect: Callable[[Setting], Table]
    lines: Callable[[Table], list[Line]]
    note: str = ""
    draw: Draw | None = None
    panels: Callable[[Table], Sequence[str]] = _one_panel
    picture: str = ""
    sheet: Callable[[], Sheet] | None = None


@dataclass(frozen=True)
class Role:
    """A network of a figure.

    Attributes:
        label: what the page calls it.
        network: its name in the zoo.
        stands_in: whether it is another network than the paper's.
        published: printed values by what they are of; in percent where they are accuracies.
        short: a shorter label.
    """

    label: str
    network: str
    stands_in: bool = False
    published: Mapping[object, str] | None = None
    short: str = ""

    @property
    def legend(self) -> str:
        """What a legend calls it."""
        return (self.short or self.label) + (" (not the paper's)" if self.stands_in else "")

    def printed(self, of: object) -> str:
        """Return the printed value, or that there is none."""
        if self.stands_in:
            return STANDS_IN
        return (self.published or {}).get(of, "not printed")


def skipped_rows(
    roles: Iterable[Role], reasons: Mapping[str, str], command: str
) -> list[dict[str, object]]:
    """Return a row for every network that has no others, with the reason."""
    return [
        {"network": role.network, "skipped": reasons[role.network], "command": command}
        for role in roles
        if role.network in reasons
    ]
