"""Tables as text: for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

Cells = Sequence[str]


def aligned(rows: Sequence[Cells], right: bool | Sequence[bool] = False) -> list[str]:
    """Return the lines of a table whose columns line up, two spaces apart.

    Args:
        rows: the cells of each line, the headings among them; all have as many.
        right: whether columns are aligned to the right: all of them, or each by its own.

    Returns:
        A line for each row, without spaces at its end.
    """
    return [
        "  ".join(cells).rstrip() for cells in padded(rows, right)
    ]  # fmt: skip


def padded(rows: Sequence[Cells], right: bool | Sequence[bool] = False) -> list[list[str]]:
    """Return the cells of a table, each as wide as its column; arguments as :func:`aligned`."""
    count = len(rows[0]) if rows else 0
    sides = [right] * count if isinstance(right, bool) else right
    widths = [max(len(row[column]) for row in rows) for column in range(count)]
    return [
        [
            cell.rjust(width) if side else cell.ljust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ]
        for row in rows
    ]


def ruled(head: Cells, body: Sequence[Cells], right: bool | Sequence[bool] = False) -> list[str]:
    """Return the lines of a table with a rule below its headings; arguments as :func:`aligned`."""
    rows = [head, *body]
    lines = aligned(rows, right)
    rule = "  ".join("-" * len(cell) for cell in padded(rows, right)[0])
    return [lines[0], rule, *lines[1:]]


def markdown(head: Cells, body: Sequence[Cells], right: Sequence[bool] | None = None) -> str:
    """Return a table in Markdown.

    Args:
        head: the headings.
        body: the cells of each line.
        right: which columns are aligned to the right. If given, columns line up as plain text as
            well; else cells are as long as their text.
    """
    rows = [[cell.replace("|", "\\|") or " " for cell in row] for row in (head, *body)]
    if right is None:
        rule = "| " + " | ".join("---" for _ in head) + " |"
    else:
        rows = padded(rows, right)
        marks = ("-" * len(cell) for cell in rows[0])
        pairs = zip(marks, right, strict=True)
        rule = "|" + "|".join(f"-{mark}{':' if side else '-'}" for mark, side in pairs) + "|"
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], rule, *lines[1:]])
