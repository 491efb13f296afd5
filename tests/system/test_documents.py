"""The documents that are made, or that hold commands and code, are up to date."""

import json
import re
from pathlib import Path

from host.bundle import load
from hw.synth import page as sizes
from tests import readme

ROOT = Path(__file__).resolve().parents[2]


def test_register_page_is_that_of_the_rdl() -> None:
    made = (ROOT / "build/regs/registers.md").read_text()
    assert (ROOT / "docs/registers.md").read_text() == made, "run make docs"


def test_bundle_carries_the_register_map_of_the_rdl() -> None:
    regmap = json.loads((ROOT / "build/regs/regmap.json").read_text())
    assert json.loads((ROOT / "build/tfc-mnist/accel.json").read_text())["registers"] == regmap


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_guide_names_what_the_driver_has() -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/programming.md").read_text(), re.S)
    assert code
    for block in code:
        compile(block, "docs/programming.md", "exec")
    assert load(ROOT / "build/tfc-mnist").memory("fc0.weights").is_weights


def test_the_tables_are_those_of_the_zoo_and_the_results() -> None:
    text = readme.README.read_text()
    assert readme.with_tables(text) == text, "run python -m tests.readme"


def test_the_page_of_sizes_is_that_of_the_reports() -> None:
    made = sizes.page(sizes.reports())
    assert sizes.PAGE.read_text() == made, "run python -m hw.synth.page"
