"""Where the RTL can be made wrong, and how: operators, conditions, constants, lost assignments.

Verible parses the text. Changed is only what a simulation decides at run time, so that one build
can hold many variants: no parameter, no range, no index, no condition of a generate block. Nor what
no synthesis reads.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Change = tuple[int, int, str, str]  # first byte, the one behind, text instead, kind
Node = Any  # of Verible's tree: a token with start and end, or a tag with children

# One operator for another; the first in each list that is not there already.
SWAPS = {
    "&&": "||", "||": "&&", "&": "|", "|": "&", "^": "|", "==": "!=", "!=": "==", "<": "<=",
    "<=": "<", ">": ">=", ">=": ">", "+": "-", "-": "+", "<<": ">>", ">>": "<<",
}  # fmt: skip
PREFIXES = {"&": "|", "|": "&", "^": "&"}
# What text is not looked into: it may have to be constant, or it is not what is built.
CLOSED = {
    "kFunctionDeclaration", "kAssertionItem", "kInitialStatement", "kLoopHeader", "kTrailingAssign",
    "kParamDeclaration", "kActualParameterList", "kDimensionScalar", "kDimensionSlice", "kLPValue",
    "kDimensionRange", "kDeclarationDimensions", "kGenerateIfHeader", "kEventControl", "kDataType",
    "kAssignModifyStatement", "kWhileLoopStatement",
}  # fmt: skip
ROOTS = {
    "kNetVariableAssignment", "kNonblockingAssignmentStatement", "kIfHeader", "kActualNamedPort",
}  # fmt: skip
# Where conditions ask for this, simulation reads their first block, that of no primitives; of the
# others there are proofs and tests/hw/chip.py.
SIMULATED = "Primitives"


class Site(NamedTuple):
    """A change: the text from `start` to `end` (bytes) of a file becomes `new`."""

    file: str
    start: int
    end: int
    old: str
    new: str
    kind: str  # in words
    line: int


def sites(path: Path) -> list[Site]:
    """Return all changes of a file, in the order of their places."""
    source = path.read_bytes()
    found = []
    for start, end, new, kind in _Reader(source).changes():
        old = source[start:end].decode()
        if new != old:
            line = source.count(b"\n", 0, start) + 1
            found.append(Site(path.name, start, end, old, new, kind, line))
    return sorted(set(found))


def plain(text: str, only_simulated: bool) -> str:
    """Return a text of the same length in which spaces stand for what simulation does not read.

    Args:
        text: the text.
        only_simulated: whether what simulation alone reads, and no synthesis, stays.
    """
    lines: list[str] = []
    reads, begun_by = [True], [""]
    for line in text.splitlines(keepends=True):
        directive = "".join(line.split()[:1])
        if directive in ("`ifdef", "`ifndef"):
            reads.append(reads[-1] and directive == "`ifndef" and only_simulated)
            begun_by.append(directive)
        elif directive == "`else":
            reads[-1] = reads[-2] and begun_by[-1] == "`ifdef"
        elif directive == "`endif":
            reads.pop()
            begun_by.pop()
        elif reads[-1]:
            lines.append(line)
            continue
        lines.append(re.sub(r"[^\n]", " ", line))
    return "".join(lines)


def parsed(source: bytes, only_simulated: bool = True) -> Node:
    """Return the tree of a text in SystemVerilog; see `plain`."""
    done = subprocess.run(
        ["verible-verilog-syntax", "--export_json", "--printtree", "-"],
        input=plain(source.decode(), only_simulated).encode(), capture_output=True, check=False,
    )  # fmt: skip
    (result,) = json.loads(done.stdout).values()
    if "errors" in result:
        raise ValueError(f"Verible does not read this text: {result['errors'][0]}")
    return result["tree"]


def span(node: Node) -> tuple[int, int]:
    """Return the first byte of a node and the one behind it; (-1, -1) if it is empty."""
    if node is None:
        return -1, -1
    if "children" not in node:
        return node["start"], node["end"]
    parts = [part for part in map(span, node["children"]) if part[0] >= 0]
    return (parts[0][0], parts[-1][1]) if parts else (-1, -1)


def closed_generates(node: Node) -> list[Node]:
    """Return the parts of a node, without what is built for another set of primitives."""
    children = [child for child in node["children"] if child is not None]
    if node["tag"] == "kConditionalGenerateConstruct" and _asks_for_primitives(children[0]):
        return children[:1]
    return children


def _asks_for_primitives(node: Node) -> bool:
    """Whether the condition of a generate block asks which primitives there are."""
    if "children" not in node:
        return bool(node.get("text") == SIMULATED)
    if node["tag"] in ("kGenerateIfBody", "kGenerateElseBody"):
        return False
    return any(_asks_for_primitives(child) for child in node["children"] if child is not None)


class _Reader:
    """Finds the changes in one text."""

    def __init__(self, source: bytes) -> None:
        self.source = source

    def text(self, node: Node) -> str:
        start, end = span(node)
        return self.source[start:end].decode()

    def changes(self) -> Iterator[Change]:
        """Go through all statements."""
        yield from self._statements(parsed(self.source, only_simulated=False))

    def _statements(self, node: Node) -> Iterator[Change]:
        if node is None or "children" not in node or node["tag"] in CLOSED:
            return
        if node["tag"] not in ROOTS:
            for child in closed_generates(node):
                yield from self._statements(child)
            return
        children = [child for child in node["children"] if child is not None]
        if node["tag"] == "kNonblockingAssignmentStatement":
            target = next(child for child in children if child["tag"] == "kLPValue")
            value = next(child for child in children if child["tag"] == "kExpression")
            yield *span(value), self.text(target), "assignment lost"
        for child in children:
            if node["tag"] == "kActualNamedPort" and _plain(child):
                continue  # a name, perhaps of an output
            if node["tag"] == "kIfHeader" and child["tag"] == "kParenGroup":
                inside = child["children"][1]
                yield *span(inside), "1'b1", "condition always true"
                yield *span(inside), "1'b0", "condition never true"
            yield from self._expression(child)

    def _expression(self, node: Node) -> Iterator[Change]:
        if node is None or "children" not in node or node["tag"] in CLOSED:
            return
        children = [child for child in node["children"] if child is not None]
        match node["tag"]:
            case "kBinaryExpression" if len(children) == 3:
                yield from self._binary(node, *children)
            case "kUnaryPrefixExpression":
                sign, operand = children[0]["tag"], self.text(children[1])
                if sign == "!":
                    yield *span(node), f"!(!({operand}))", "negation lost"
                elif sign == "~":
                    yield *span(node), operand, "inversion lost"
                elif sign in PREFIXES:
                    yield *span(node), f"{PREFIXES[sign]}{operand}", "other reduction"
            case "kConditionExpression":
                condition, one, other = (self.text(children[i]) for i in (0, 2, 4))
                yield *span(node), f"!({condition}) ? {one} : {other}", "choice reversed"
            case "kNumber":
                new = _other_number(self.text(node))
                if new:
                    yield *span(node), new, "other constant"
                return
            case "kReference" | "kAssignmentPattern":
                return
            case "kSystemTFCall" if not self.text(node).startswith("$countones"):
                return
            case "kConcatenationExpression" if children[1]["tag"] != "kOpenRangeList":
                return  # {4{...}}
            case "kCast":
                children = children[2:]
            case _:
                pass
        for child in children:
            yield from self._expression(child)

    def _binary(self, node: Node, left: Node, sign: Node, right: Node) -> Iterator[Change]:
        a, b, operator = self.text(left), self.text(right), sign["tag"]
        if operator in SWAPS:
            yield *span(node), f"({a}) {SWAPS[operator]} ({b})", f"{SWAPS[operator]} for {operator}"
        if operator in ("&&", "||"):
            yield *span(node), f"!(!({a}))", f"right side of {operator} lost"
            yield *span(node), f"!(!({b}))", f"left side of {operator} lost"


def _plain(node: Node) -> bool:
    """Whether an expression in parentheses is no more than a name with indexes."""
    while node["tag"] in ("kParenGroup", "kExpression", "kFunctionCall"):
        inner = [c for c in node["children"] if c is not None and c["tag"] not in "()"]
        if len(inner) != 1:
            return False
        node = inner[0]
    return node["tag"] in ("kReference", "SymbolIdentifier", ".", "kOpenRangeList")


def _other_number(text: str) -> str | None:
    """Return a number beside this one, of the same width; None if there is none."""
    if text in ("'0", "'1"):
        return "'1" if text == "'0" else "'0"
    if text.isdigit():
        return str(int(text) + 1)
    found = re.fullmatch(r"(\d+)'([bdhBDH])([0-9a-fA-F_]+)", text)
    if found is None:
        return None
    width, base = int(found[1]), {"b": 2, "d": 10, "h": 16}[found[2].lower()]
    return f"{width}'d{(int(found[3].replace('_', ''), base) + 1) % (1 << width)}"
