"""What the sources of hw/rtl say of themselves: purpose, latency, throughput, parameters, ports."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from spinflow.hw.synth.yosys import RTL

_MODULE = re.compile(r"^module\s+(\w+)(.*?)^\);", re.M | re.S)
_PARAMETER = re.compile(r"^\s*parameter\b[^=,]*?(\w+)\s*=", re.M)
_PORT = re.compile(r"^\s*(input|output)\b.*?(\w+)\s*,?\s*(?://.*)?$", re.M)


class Core(NamedTuple):
    """A module by its own words; latency and throughput are empty where it states none."""

    name: str
    purpose: str
    latency: str
    throughput: str
    parameters: list[str]
    ports: list[str]


def cores() -> list[Core]:
    """Return the modules of hw/rtl by name; packages have none."""
    found = []
    for path in sorted(RTL.glob("*.sv")):
        core = read(path)
        if core is not None:
            found.append(core)
    return found


def read(path: Path) -> Core | None:
    """Return the first module of a file by the words of its header; None of a package."""
    text = path.read_text(encoding="utf-8")
    module = _MODULE.search(text)
    if module is None:
        return None
    lines = text[: module.start()].split("\n")
    comments = [line.removeprefix("//").strip() for line in lines if line.startswith("//")]
    paragraphs = [" ".join(part.split()) for part in "\n".join(comments).split("\n\n")]
    whole = " ".join(paragraphs)
    latency = _statement(whole, "Latency")
    if not latency and re.search(r"[Cc]ombinational", whole) and not re.search(r"clk_i", module[2]):
        latency = "none: combinational"
    return Core(
        module[1],
        _sentence(paragraphs[0]),
        latency,
        _statement(whole, "Throughput"),
        _PARAMETER.findall(module[2]),
        [name for _, name in _PORT.findall(module[2])],
    )


def _sentence(text: str) -> str:
    """Return the first sentence, without its full stop."""
    return re.split(r"\.(?:\s|$)", text, maxsplit=1)[0]


def _statement(text: str, what: str) -> str:
    """Return what a header says after `what:` or `what ...:`, to the end of the sentence."""
    match = re.search(rf"\b{what}( [^:.]*)?: (.*?)(?:\.\s|\.$|$)", text)
    if match is None:
        return ""
    return f"{match[2]} ({match[1].strip()})" if match[1] else match[2]
