"""The site's menu and layout; `make site` builds it, with every warning of Sphinx an error."""

from __future__ import annotations

import re
from pathlib import Path

from tools import site


def test_every_page_is_in_one_menu() -> None:
    """And every entry is a page."""
    entries = [f"{entry}.md" for entries in site.MENUS.values() for entry in entries]
    assert len(entries) == len(set(entries))
    rest = {str(page) for page in site.pages()} - {"README.md"}
    assert rest == set(entries) - {"reference/spinflow/index.md"}


def test_what_pages_link_to_lies_beside_them(tmp_path: Path) -> None:
    site.lay_out(tmp_path)
    for page in site.pages():
        text = (tmp_path / page).read_text(encoding="utf-8")
        for target in site.MARKDOWN_LINK.findall(re.sub(r"```.*?```", "", text, flags=re.S)):
            if "://" not in target:
                assert (tmp_path / page).parent.joinpath(target).is_file(), f"{page}: {target}"


def test_the_reference_has_every_module(tmp_path: Path) -> None:
    site.package(tmp_path / "spinflow")
    for room in site.ROOMS:
        ours = {path.relative_to(site.ROOT) for path in (site.ROOT / room).rglob("*.py")}
        assert all((tmp_path / "spinflow" / path).is_file() for path in ours)
        assert (tmp_path / "spinflow" / room / "__init__.py").is_file()
