"""Puts what coverage and mutants found onto their page: `python -m tests.hw.reached_page`."""

from __future__ import annotations

from tests.hw import reached, runner
from tests.hw.mutation import equal, verdicts

PAGE = runner.REPOSITORY / "docs" / "coverage.md"

NONE = "No figures are kept yet."


def page() -> str:
    """Return the text of the page, its tables made anew from docs/results."""
    text = PAGE.read_text(encoding="utf-8")
    tables = {
        "coverage": reached.table(reached.kept()) if reached.KEPT.exists() else NONE,
        "mutants": verdicts.table(verdicts.read(verdicts.LIST)) if verdicts.LIST.exists() else NONE,
        "left out": reasons(reached.left_out(), ("line", "function")),
        "argued": reasons(equal.arguments(), ("old",)),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE.name} has no place for {name}")
        text = f"{before}{begin}{table}\n{end}{after}"
    return text


def reasons(entries: list[dict[str, str]], keys: tuple[str, ...]) -> str:
    """Return entries of a list with reasons as a table in Markdown."""
    lines = ["| file | what | why |", "|---|---|---|"]
    for entry in entries:
        what = next(entry[key] for key in keys if key in entry)
        to = f" → `{entry['new']}`" if "new" in entry else ""
        cell = f"`{what}`{to}".replace("|", "\\|")
        lines.append(f"| {entry['file']} | {cell} | {entry['reason']} |")
    return "\n".join(lines)


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
