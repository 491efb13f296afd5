"""What a reader may count on in the RTL: every port says what it means, and files are short."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spinflow.hw.synth import cores_page
from tests.hw.runner import RTL

FILES = sorted(RTL.glob("*.sv"))
MOST_LINES = 300
HEADER = re.compile(r"^module\s+(\w+)(.*?)^\);", re.MULTILINE | re.DOTALL)
DECLARATION = re.compile(r"\s*(?:input|output|inout|parameter)\b[^=,]*?(\w+)\s*(?:=.*|,?\s*)$")
LEAST_WORDS = 2


def bare(text: str) -> list[str]:
    """The ports and parameters, as module.name, that no comment stands beside or above.

    A comment on a line of its own is of all that follows it up to the next empty line.
    """
    found = []
    for module, header in HEADER.findall(text):
        said: list[str] = []
        for line in header.split("\n"):
            code, _, comment = line.partition("//")
            if not line.strip():
                said = []
            elif not code.strip():
                said += comment.split()
            elif max(len(said), len(comment.split())) < LEAST_WORDS:
                found += [f"{module}.{name}" for name in DECLARATION.findall(code)]
    return found


def ports(text: str) -> int:
    """How many lines of the modules' headers begin with a direction."""
    headers = "".join(header for _, header in HEADER.findall(text))
    return len(re.findall(r"^\s*(?:input|output|inout)\b", headers, re.MULTILINE))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_port_says_what_it_means(path: Path) -> None:
    """Each module's ports and parameters have a comment of their own or of their group."""
    text = path.read_text(encoding="utf-8")
    assert HEADER.findall(text) or path.stem.endswith("_pkg")
    assert bare(text) == []


def test_every_port_is_looked_at() -> None:
    """Without its comments every port of every module would be found, none is overlooked."""
    for path in FILES:
        plain = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        parameters = sum(
            len(re.findall(r"^\s*parameter\b", header, re.MULTILINE))
            for _, header in HEADER.findall(plain)
        )
        assert len(bare(plain)) == ports(plain) + parameters, path.name


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("  input  logic a_i,\n", ["m.a_i"]),
        ("  input  logic a_i,   // starts a frame\n", []),
        ("  input  logic a_i,   // start\n", ["m.a_i"]),
        ("  // Starts a frame.\n  input  logic a_i,\n  input  logic [3:0] b_i\n", []),
        ("  // Starts a frame.\n  input  logic a_i,\n\n  output logic b_o\n", ["m.b_o"]),
        ("  parameter logic [N-1:0][31:0] Width = {N{32'd1}},\n", ["m.Width"]),
    ],
)
def test_a_port_without_a_comment_is_found(header: str, expected: list[str]) -> None:
    """The check sees what lacks a comment, and where a group ends."""
    assert bare(f"module m (\n{header});\nendmodule\n") == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_short(path: Path) -> None:
    """A file of RTL has at most 300 lines; a longer one is split by meaning."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_every_module_is_in_the_table() -> None:
    """hw/README.md says of every module what it is, and of none that is not there."""
    readme = (RTL.parent / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[`(\w+)`\]\(rtl/\1\.sv\) +\| \S", readme, re.MULTILINE)
    assert listed == [path.stem for path in FILES if not path.stem.endswith("_pkg")]


def test_the_table_says_what_the_headers_say() -> None:
    """`spinflow cores-page` leaves the page as it is."""
    made = cores_page.text(json.loads(cores_page.SIZES.read_text(encoding="utf-8")))
    assert cores_page.README.read_text(encoding="utf-8") == made, "run spinflow cores-page"


# What Vivado does not take, or takes in some versions only (UG901): a name inside another
# generate block, and counting ones of a constant.
DISLIKED = {
    "a name in a generate block": r"(?<![.\w])gen_\w+(?:\[[^\]]*\])*\.\w+",
    "$countones in a function": r"function automatic(?:(?!endfunction).)*?\$countones",
}


@pytest.mark.parametrize("what", DISLIKED)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_that_vivado_dislikes(path: Path, what: str) -> None:
    code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    assert re.findall(DISLIKED[what], code, re.DOTALL) == []


@pytest.mark.parametrize("what", DISLIKED)
def test_what_vivado_dislikes_is_found(what: str) -> None:
    code = {
        "a name in a generate block": "assign a = gen_round[r-1].gen_new.y_q;",
        "$countones in a function": "function automatic int f();\n f = $countones(3);\nendfunction",
    }[what]
    assert re.findall(DISLIKED[what], code, re.DOTALL)
