"""Where tables of pages stand: between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable

_MARK = re.compile(r"(<!-- ([^\n]+?): begin -->\n).*?(<!-- \2: end -->)", re.S)


def names(text: str) -> list[str]:
    """Return the names of a page's marks."""
    return [name for _, name, _ in _MARK.findall(text)]


def filled(text: str, made: Callable[[str], str | None]) -> str:
    """Return a page with what stands between its marks made anew.

    Args:
        text: of the page.
        made: returns it by the name of the marks; None leaves what is there.

    Raises:
        ValueError: the page has no mark that something was made for.
    """
    found = {name: made(name) for name in names(text)}
    if all(each is None for each in found.values()):
        raise ValueError(f"no marks for what is made, only {', '.join(found) or 'none'}")

    def put(mark: re.Match[str]) -> str:
        content = found[mark[2]]
        return mark[0] if content is None else f"{mark[1]}{content.rstrip()}\n{mark[3]}"

    return _MARK.sub(put, text)
