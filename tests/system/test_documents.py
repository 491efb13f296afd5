"""The documents that are made, or that hold commands and code, are up to date."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from spinflow.host.core.bundle import load
from spinflow.hw.synth import page as sizes
from tools import cell_maps, ecc, optimise, readme, recipes, variants

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
    assert readme.with_tables(text) == text, "run python -m tools.readme"


def test_the_table_of_trainings_is_that_of_the_results() -> None:
    text = variants.PAGE.read_text(encoding="utf-8")
    assert variants.with_table(text) == text, "run python -m tools.variants --page"
    assert text.count("| MLP, ") > 5


@pytest.mark.parametrize(
    ("page", "with_tables", "tool"),
    [
        (cell_maps.PAGE, cell_maps.with_table, "tools.cell_maps table"),
        (ecc.PAGE, ecc.with_table, "tools.ecc"),
        (optimise.PAGE, optimise.with_tables, "tools.optimise"),
        (recipes.PAGE, recipes.with_tables, "tools.recipes --page"),
    ],
)
def test_tables_of_pages_are_those_of_the_results(
    page: Path, with_tables: Callable[[str], str], tool: str
) -> None:
    text = page.read_text(encoding="utf-8")
    assert with_tables(text) == text, f"run python -m {tool}"
    assert with_tables(re.sub(r"\d\d\.\d", "?", text)) != re.sub(r"\d\d\.\d", "?", text)
    with pytest.raises(ValueError, match=r"^no marks for what is made, only none$"):
        with_tables(text.replace(": begin -->", ": gone -->"))


def test_the_page_of_sizes_is_that_of_the_reports() -> None:
    made = sizes.page(sizes.reports(), sizes.routed())
    assert sizes.PAGE.read_text() == made, "run spinflow synth-page"


PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
MADE = ("build/", "out/", ".venv/", "spinflow/", "data/", "measured/", "~", "/", "$")
"""Beginnings of paths that are there only once something has run, or elsewhere."""


def code_of(page: Path) -> list[str]:
    """What a page sets as code: spans, and the lines of blocks without their comments."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^    \S.*\n?)+", text, re.M) + re.findall(
        r"```\w*\n(.*?)```", text, re.S
    )
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [*spans, *(re.sub(r"\s#\s.*", "", line).strip() for line in lines)]


def test_sweeps_of_a_page_go_into_folders_of_their_own() -> None:
    """A folder with the results of another sweep is refused, so commands in a row must differ."""
    for page in PAGES:
        sweeps = [code for code in code_of(page) if re.match(r"spinflow sweep .*--", code)]
        places = [(re.findall(r"--out (\S+)", code) or ["out/run"])[0] for code in sweeps]
        assert len(set(places)) == len(places), f"{page.name}: {places}"


def test_paths_that_pages_name_exist() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"build", "out", ".venv"}
    for page in PAGES:
        for code in code_of(page):
            for word in re.findall(r"(?<![\w./<>-])[\w-]+/[\w./*<>-]*", code):
                if word.split("/")[0] in folders and not word.startswith(MADE) and "<" not in word:
                    assert list(ROOT.glob(word.rstrip("/."))), f"{page.name} names {word}"


def test_make_targets_that_pages_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))
    variables = set(re.findall(r"^(?:override )?([A-Z_]+) *\??:?=", makefile, re.M)) | {"PYTHON"}
    for page in PAGES:
        for code in code_of(page):
            for target, rest in re.findall(r"\bmake ([a-z][a-z-]*)((?: [A-Z_]+=\S*)*)", code):
                if code.startswith("make ") or "  make " in code:
                    assert target in targets, f"{page.name} names make {target}"
                    for variable in re.findall(r"([A-Z_]+)=", rest):
                        assert variable in variables, f"{page.name} names {variable}= of make"


def test_every_target_of_make_makes_something() -> None:
    """A phony name without a rule would be accepted and do nothing."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = {name for line in re.findall(r"^\.PHONY:(.*)", makefile, re.M) for name in line.split()}
    named = {name for name in phony if re.fullmatch(r"[a-z][a-z-]*", name)}
    assert named == {n for n in named if re.search(rf"^{n}:", makefile, re.M)}


def test_options_that_pages_name_exist() -> None:
    """An option is one that some program of the repository takes, by the sources of all of them."""
    sources = [
        path.read_text(encoding="utf-8")
        for room in ("host", "sim", "hls", "model", "hw", "papers", "tests")
        for path in (ROOT / room).rglob("*.py")
    ]
    text = "\n".join(sources)
    known = set(re.findall(r'"(--[a-z][a-z0-9-]*)"', text))
    # Those of a sweep's grid and of a recipe are named by their settings.
    names = re.findall(r'^    "?([a-z_0-9]+)"?(?:: Setting|: [a-z].*=)', text, re.M)
    names += re.findall(r'"([a-z_0-9]+)": Setting', text) + re.findall(r'Setting\(\s*"(\w+)"', text)
    known |= {"--" + name.replace("_", "-") for name in names}
    foreign = {"--exec", "--junitxml", "--require-hashes", "--nproc-per-node", "--help"}
    for page in PAGES:
        for code in code_of(page):
            if re.match(r"(pip|torchrun|dask|uv|vivado) ", code):
                continue
            for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", code):
                assert option in known | foreign, f"{page.name} names {option}"


def test_modules_and_programs_that_pages_name_exist() -> None:
    rooms = ("host", "sim", "hls", "model", "hw", "tests")
    for page in PAGES:
        for code in code_of(page):
            for module in re.findall(rf"(?:-m |from |^)((?:{'|'.join(rooms)})(?:\.\w+)*)", code):
                names = module.split(".")
                if names[-1] in ("onnx", "json"):
                    continue  # a file
                found = [
                    ROOT.joinpath(*names[:number])
                    for number in range(len(names), 0, -1)
                    if ROOT.joinpath(*names[:number]).is_dir()
                    or ROOT.joinpath(*names[:number]).with_suffix(".py").is_file()
                ]
                depth = len(found[0].relative_to(ROOT).parts) if found else 0
                rest = names[depth:]
                assert depth, f"{page.name} names {module}"
                if rest:
                    source = found[0] / "__init__.py" if found[0].is_dir() else None
                    path = source or found[0].with_suffix(".py")
                    assert re.search(rf"\b{rest[0]}\b", path.read_text(encoding="utf-8")), (
                        f"{page.name} names {module}"
                    )


def test_no_page_counts_the_mutants() -> None:
    """Their list is where their number is."""
    text = (ROOT / "docs/test-plan.md").read_text(encoding="utf-8")
    assert not re.search(r"\d+ mutated", text)
