"""The generated RTL of a bundle as a person reads it: the top module, and its thresholds apart."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spinflow.host.core.description import Description, read
from spinflow.host.core.sources import source_files
from tests.hw import runner
from tests.hw.test_style import bare

BUNDLE = runner.REPOSITORY / "build" / "tfc-mnist"
TOP, THRESHOLDS = "accel.sv", "accel_thresholds_pkg.sv"
CONSTANT = re.compile(r"^  localparam logic \[(\d+):0\] (\w+)Thresholds = \{(.*?)\};", re.M | re.S)


@pytest.fixture(scope="module")
def description() -> Description:
    return read(BUNDLE)


@pytest.fixture(scope="module")
def top() -> str:
    return (BUNDLE / "rtl" / TOP).read_text(encoding="utf-8")


def test_the_package_is_compiled_before_the_top() -> None:
    """Whoever compiles the files in order finds the thresholds where the top asks for them."""
    names = [path.name for path in source_files(BUNDLE)]
    assert names.index(THRESHOLDS) < names.index(TOP)


def test_the_package_holds_the_thresholds(description: Description) -> None:
    """Output 0 is in the lowest bits, as binary_mvu takes them; signs and widths fit."""
    text = (BUNDLE / "rtl" / THRESHOLDS).read_text(encoding="utf-8")
    with np.load(BUNDLE / "arrays.npz") as arrays:
        expected = {
            layer.name.capitalize(): list(map(int, arrays[f"threshold.{number}"]))
            for number, layer in enumerate(description.products)
            if layer.threshold
        }
    found = {}
    for last, name, numbers in CONSTANT.findall(text):
        sized = re.findall(r"(-?)(\d+)'s?d(\d+)", numbers)
        found[name] = [int(sign + value) for sign, _, value in reversed(sized)]
        assert sum(int(bits) for _, bits, _ in sized) == int(last) + 1
    assert found == expected


def test_the_top_can_be_read(description: Description, top: str) -> None:
    """Every layer has its section and says what it is, every port too; there are no tables."""
    assert bare(top) == []
    assert max(map(len, top.splitlines())) <= 100
    for layer in description.layers:
        assert re.search(rf"^//   {layer.name} +\S", top, re.MULTILINE), layer.name
        assert re.search(rf"^  // {layer.name}: .* -+\n  // \S", top, re.MULTILINE), layer.name
    for memory in description.memories:
        assert f"{memory.name:<13} {memory.depth} words of {memory.width} bit" in top
    assert "Fc0Thresholds)" in top
    assert "Thresholds = {" not in top
    assert max(len(re.findall(r"'s?d\d+", line)) for line in top.splitlines()) <= 16


def test_wires_stand_before_their_use(top: str) -> None:
    """A stream is declared with the layer that writes it, above everything that reads it."""
    declared = re.findall(r"^  logic +(?:\[\d+:0\] )?(\w+)_data\b", top, re.MULTILINE)
    assert len(declared) == len(set(declared)) > 5
    for name in declared:
        assert top.index(f" {name}_data") < top.index(f"({name}_data)")
