"""The typed description: what is written is what was read; layers give the list of memories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spinflow.host.core import description
from spinflow.host.core.description import (
    Block,
    Description,
    Stored,
    buffered,
    coded,
    memories_of,
    stored_by,
    taps_of,
    windows_end,
    with_indices,
)
from spinflow.host.core.errors import BundleError
from tests.host import conv

ROOT = Path(__file__).resolve().parents[2]
BUILT = sorted(path.parent for path in (ROOT / "build").glob("*/**/accel.json"))


@pytest.fixture(params=["conv", *BUILT], ids=lambda it: it if it == "conv" else it.parent.name)
def described(request: pytest.FixtureRequest, tmp_path: Path) -> Description:
    """Each bundle of the build, and one with convolutions, a pool and buffers made by hand."""
    folder = conv.write(tmp_path / "conv") if request.param == "conv" else request.param
    return description.read(folder)


def test_what_is_written_is_what_was_read(described: Description) -> None:
    document = json.loads((described.folder / "accel.json").read_text())
    assert json.dumps(description.as_json(described)) == json.dumps(document)


def test_the_sections_of_a_board_and_of_both_simulators_are_written(tmp_path: Path) -> None:
    digest = "0" * 64
    bitstream = {
        "file": "accel.bit", "sha256": digest, "vivado": "2024.1", "wns_ns": 0.5, "whs_ns": 1,
        "utilization": {"LUT": 12, "RAMB36": 0.5},
    }  # fmt: skip
    made = {"sha256": digest, "verilator": "5.48.0", "sources": digest}
    sections: dict[str, dict[str, Any]] = {
        "bitstream": bitstream,
        "simulator_checked": {"library": "libaccel_checked.so", **made},
        "simulator": {"library": "libaccel.so", **made},
    }
    folder = conv.write(tmp_path / "conv", lambda document: document.update(sections))
    written: dict[str, dict[str, Any]] = description.read(folder).as_json()
    assert {name: written[name] for name in sections} == sections
    for name, section in sections.items():
        assert list(written[name]) == list(section)


@pytest.mark.parametrize("network", ["conv+weights-1e-2", "a.b-c_d+conditions_1"])
def test_a_bundle_may_be_of_a_variant(network: str, tmp_path: Path) -> None:
    folder = conv.write(tmp_path / "conv", lambda document: document.update(network=network))
    assert description.read(folder).network == network


@pytest.mark.parametrize("network", ["+conv", "conv+", "conv+a+b", "conv+a/b", "conv a"])
def test_no_other_name_is_one(network: str, tmp_path: Path) -> None:
    folder = conv.write(tmp_path / "conv", lambda document: document.update(network=network))
    with pytest.raises(BundleError, match=r"must be a name of at most .*, or NAME\+LABEL"):
        description.read(folder)


def test_memories_and_taps_follow_from_the_layers(described: Description) -> None:
    """The functions that a build calls give what the bundle has, but for what is of the build."""
    memories = described.memories
    names = {layer.name for layer in buffered(described.layers)}
    assert with_indices(described.layers, names) == described.layers
    blocks = {
        m.name.removesuffix(".buffer"): Block(
            m.data_width, m.depth, m.edge, m.ports, m.run_ahead, m.engine
        )
        for m in memories
        if not m.is_weights
    }
    edges = {m.name.removesuffix(".weights"): m.edge for m in memories if m.is_weights}
    stored = stored_by(described.layers, blocks, edges)
    codes = {m.name: m.code for m in memories if m.code is not None}
    assert memories_of(coded(stored, codes), described.registers.size) == memories
    last = max((m for m in memories if m.is_weights), key=lambda m: m.base)
    end = windows_end(memories, described.registers.size)
    assert last.base + last.stride * last.depth <= end <= described.accel.size
    taps = taps_of(described.layers, memories)
    assert [(t.name, t.signal, t.elements, t.per_word) for t in taps] == [
        (t.name, t.signal, t.elements, t.per_word) for t in described.taps
    ]


def test_a_weight_layer_may_keep_its_weights_elsewhere() -> None:
    """As in a network whose first layer is not binary: numbers of layers are given then."""
    memories = memories_of(
        [
            Stored("conv0", buffer=Block(1, 8), number=0),
            Stored("conv1", Block(9, 4), Block(1, 6), number=1),
            Stored("pool1", buffer=Block(1, 2), number=1),
        ]
    )
    assert [(m.index, m.name, m.layer) for m in memories] == [
        (0, "conv1.weights", 1),
        (1, "conv0.buffer", 0),
        (2, "conv1.buffer", 1),
        (3, "pool1.buffer", 1),
    ]
