"""The site: the pages of this repository, the reference of its modules and the notebooks, in HTML.

`make site` runs it in an environment of its own (requirements/site.lock) and leaves the site in
out/site. Pages lie in the site as they lie in the repository, so the links between them are those
that a reader of the repository follows; files that they link to, but that are no pages, are copied.
Every warning of Sphinx is an error: links and anchors that lead nowhere, pages that are in no menu,
docstrings that do not read. Search works without a server.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "site"
SITE = ROOT / "out" / "site"
ROOMS = ("host", "sim", "model", "hls", "hw", "papers")
MARKDOWN_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")

TITLES = {"docs/registers.md": "Registers"}
"""Of pages that are made by a tool and begin below the level of a title."""

MENUS: Mapping[str, Sequence[str]] = {
    "Course": ("docs/course", "docs/notebooks/README"),
    "Use it": (
        "docs/own-networks", "docs/data", "docs/training", "docs/sweeps", "docs/cell-maps",
        "docs/optimise", "docs/evaluator", "docs/programming", "docs/board", "docs/security",
        "docs/ci",
    ),
    "How it works": (
        "docs/theory", "docs/mtj", "docs/contracts", "docs/registers", "docs/decisions",
    ),
    "The hardware": (
        "hw/README", "hw/formal/README", "docs/hls-kernels", "docs/size", "docs/routing",
        "docs/coverage",
    ),
    "Results": ("docs/reproduction", "docs/ecc", "docs/test-plan"),
    "Contribute": ("CONTRIBUTING", "CHANGELOG"),
    "Reference": ("reference/spinflow/index",),
}  # fmt: skip
"""The pages behind README, as the site's menu has them. A page that is missing here is an error."""


def pages() -> list[Path]:
    """Return the pages of the repository, by their places in it."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "hw").rglob("*.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def notebooks() -> list[Path]:
    """Return the notebooks, by their places in the repository."""
    found = (ROOT / "docs" / "notebooks").glob("*.ipynb")
    return sorted((path.relative_to(ROOT) for path in found), key=lambda path: path.stem)


def linked(page: Path) -> Iterator[Path]:
    """Yield the files of the repository that a page links to or shows, by their places in it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in MARKDOWN_LINK.findall(re.sub(r"```.*?```", "", text, flags=re.S)):
        if "://" not in target:
            path = (ROOT / page).parent.joinpath(target).resolve()
            if path.is_file():
                yield path.relative_to(ROOT)


def without_folders(page: Path, text: str) -> str:
    """Return the text of a page with links to folders, which a site does not list, as words."""

    def plain(link: re.Match[str]) -> str:
        words, target = link.groups()
        is_folder = "://" not in target and (ROOT / page).parent.joinpath(target).is_dir()
        return words if is_folder else link[0]

    return re.sub(r"\[([^\]]+)\]\(([^)#\s]+)\)", plain, text)


def menus() -> str:
    """Return the menu in Markdown, for the end of the first page."""
    course = [*MENUS["Course"], *(str(path.with_suffix("")) for path in notebooks())]
    parts = {**MENUS, "Course": course}
    trees = [
        f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(entries) + "\n```\n"
        for caption, entries in parts.items()
    ]
    return "\n" + "\n".join(trees)


def lay_out(folder: Path) -> None:
    """Copy pages, notebooks and what they link to into a folder, each to its place."""
    wanted = {*pages(), *notebooks()}
    for page in pages():
        wanted.update(linked(page))
    for place in sorted(wanted):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, folder / place)
    for page in pages():
        text = without_folders(page, (folder / page).read_text(encoding="utf-8"))
        if str(page) in TITLES:
            text = f"# {TITLES[str(page)]}\n\n{text}"
        (folder / page).write_text(text, encoding="utf-8")
    with open(folder / "README.md", "a", encoding="utf-8") as first:
        first.write(menus())


def package(folder: Path) -> None:
    """Make the folder the package as it is when it is installed."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "spinflow.py", folder / "__init__.py")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [each for each in folder.rglob("*") if each.is_dir() and list(each.glob("*.py"))]:
        for part in (
            path,
            *path.relative_to(folder).parents,
        ):  # a package without a page of its own
            first = folder / part / "__init__.py"
            if not first.exists():
                first.write_text('"""Modules without a common description."""\n', encoding="utf-8")


def build(site: Path) -> None:
    """Build the site in a folder.

    Raises:
        SystemExit: with Sphinx's status, if it warns of anything; the folder is as it was.
    """
    shutil.rmtree(WORK, ignore_errors=True)
    sources, made = WORK / "pages", WORK / "html"
    lay_out(sources)
    package(WORK / "spinflow")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going"]
    command += ["-c", str(ROOT / "docs"), "-d", str(WORK / "doctrees"), str(sources), str(made)]
    variables = {**os.environ, "SPINFLOW_PACKAGE": str(WORK / "spinflow")}
    done = subprocess.run(command, env=variables, cwd=WORK, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    shutil.rmtree(site, ignore_errors=True)
    site.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, site)
    print(f"the site is in {site}: open README.html")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=SITE, help="its folder (default %(default)s)")
    build(parser.parse_args().out.resolve())


if __name__ == "__main__":
    main()
