"""Pragmas of the HLS kernels, which g++ does not read: forms by UG1399, and what they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spinflow.hls.kernels.catalogue import FOLDER, KERNELS, Kernel

NUMBER, NAME = r"\d+", r"\w+"
FORMS: dict[str, dict[str, str]] = {
    "INTERFACE": {
        "mode": "axis|s_axilite|ap_memory|ap_none|ap_ctrl_hs",
        "port": NAME,
        "bundle": "control",
        "storage_type": "ram_1p",
        "latency": NUMBER,
    },
    "PIPELINE": {"II": NUMBER},
    "UNROLL": {},
    "INLINE": {},
    "ARRAY_PARTITION": {"variable": NAME, "type": "complete|cyclic|block", "factor": NAME},
    "BIND_STORAGE": {"variable": NAME, "type": "ram_s2p", "impl": "lutram|bram"},
    "DEPENDENCE": {"variable": NAME, "type": "inter|intra", "": "false"},
}
"""Of each pragma that the kernels use its options and what these may be."""

SOURCES = sorted([*FOLDER.glob("*.hpp"), *FOLDER.glob("top/*.cpp")])


def wrong(pragma: str, text: str) -> str:
    """What is wrong with a pragma of a file, if anything."""
    name, *options = pragma.split()
    if name not in FORMS:
        return f"no pragma {name}"
    for option in options:
        key, _, value = option.rpartition("=")
        if not re.fullmatch(FORMS[name].get(key, "(?!)"), value):
            return f"{name} has no {option}"
        if key in ("variable", "port") and value != "return":
            used = len(re.findall(rf"\b{value}\b", text))
            if used < 2 + len(re.findall(rf"pragma .*\b{value}\b", text)):
                return f"{name} names {value}, which is not there"
    return ""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_pragma_has_a_form_that_is_known(path: Path) -> None:
    text = path.read_text()
    found = re.findall(r"^#pragma HLS (.*)$", text, re.M)
    assert len(found) == text.lower().count("pragma hls")
    assert [problem for pragma in found if (problem := wrong(pragma, text))] == []


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=lambda kernel: kernel.name)
def test_every_argument_of_a_block_has_its_interface(kernel: Kernel) -> None:
    top = kernel.top
    text = (FOLDER / "top" / f"{top}.cpp").read_text()
    (arguments,) = re.findall(rf"^void {top}\((.*?)\) {{", text, re.M | re.S)
    names = re.findall(r"(\w+)(?:\[\w+\])?(?:,|$)", re.sub(r"<[^()]*?>", "", arguments))
    ports = re.findall(r"^#pragma HLS INTERFACE .*\bport=(\w+)", text, re.M)
    assert sorted(ports) == sorted([*names, "return"])
    assert len(names) > 1


@pytest.mark.parametrize(
    "pragma",
    [
        "PIPLINE II=1",
        "PIPELINE ii=1",
        "UNROLL all",
        "INTERFACE mode=axi port=in",
        "INTERFACE mode=axis port=inn",
        "ARRAY_PARTITION variable=kept type=completely",
        "ARRAY_PARTITION variable=sum type=complete",
        "DEPENDENCE variable=kept inter false",
    ],
)
def test_a_wrong_pragma_is_found(pragma: str) -> None:
    text = "void f(Stream &in) {\n  int kept[4];\n  kept[0] = in.read();\n  in.drop();\n}\n"
    assert wrong(pragma, f"{text}#pragma HLS {pragma}\n")
    assert not wrong("INTERFACE mode=axis port=in", f"{text}#pragma HLS {pragma}\n")
