"""The input of a bundle: frames padded to words, a table of bytes, thresholds of maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.core import arrays, description
from spinflow.host.core.errors import BundleError
from tests import described
from tests.sim import tiny

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle on images of 13 bytes that go through a table."""
    return tiny.write_bundle(tmp_path, tiny.DESCRIPTIONS["coded"])


def test_what_is_written_is_read(folder: Path) -> None:
    found = description.read(folder)
    assert (found.pixels, found.bytes_per_frame) == (13, 16)
    assert found.document["input"]["bytes_per_frame"] == 16
    assert found.document["layers"] == tiny.DESCRIPTIONS["coded"]["layers"]
    assert [(tap.name, tap.elements, tap.element_bits) for tap in found.taps[:2]] == [
        ("table", 13, 8),
        ("input", 13, 1),
    ]
    assert arrays.read_arrays(found)["table.input"].shape == (256,)


def move(document: dict[str, Any]) -> None:
    document["layers"][0], document["layers"][1] = document["layers"][1], document["layers"][0]


FAULTS: list[tuple[Change, str]] = [
    (lambda d: d["input"].update(bytes_per_frame=13), "bytes_per_frame is 13: it must be 16"),
    (lambda d: d["layers"][0].update(elements=12), "layers[0].elements is 12: it must be 13"),
    (lambda d: d["layers"][0].update(pe=4), "layers[0].pe is 4: it must be a divisor of 13"),
    (lambda d: d["layers"][0].update(name="input"), "layers[0].name is 'input': it must be 'table"),
    (lambda d: d["taps"][0].update(element_bits=1), "taps[0].element_bits is 1: it must be 8"),
    (move, "layers[1].op is 'byte_table': it must be mvu, max_pool after a convolution, first"),
]


@pytest.mark.parametrize(("change", "line"), FAULTS, ids=[line for _, line in FAULTS])
def test_a_description_that_disagrees_is_refused(folder: Path, change: Change, line: str) -> None:
    document = description.read(folder).document
    change(document)
    described.write(folder, document)
    with pytest.raises(BundleError) as caught:
        description.read(folder)
    assert line in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "codes", [None, np.zeros(255, np.uint8), np.zeros(256, np.int32)], ids=["none", "255", "int32"]
)
def test_a_table_that_is_none_of_bytes_is_refused(folder: Path, codes: Any) -> None:
    with np.load(folder / "arrays.npz") as stored:
        contents = {name: stored[name] for name in stored.files if name != "table.input"}
    if codes is not None:
        contents["table.input"] = codes
    np.savez(folder / "arrays.npz", **contents)
    found = description.read(described.write(folder, description.read(folder).document))
    with pytest.raises(BundleError, match=r"table\.input"):
        arrays.read_arrays(found)
