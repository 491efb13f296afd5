"""Layers and memories of every network go by the names of docs/contracts.md."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.core.errors import InputError
from spinflow.host.sweep.results import read
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import Spec, XnorSpec
from spinflow.model.zoo import NETWORKS, network
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.sweep import main
from spinflow.sim.sweeps.device import bundle_of


def names_of(spec: Spec) -> tuple[list[str], list[str]]:
    """Weight memories and buffers of a network, from docs/contracts.md and its layers."""
    weights, buffers = [], []
    kept = ""  # what made the bits, or the codes, that are stored next
    for layer in spec.layers:
        if layer.op == "threshold":
            continue
        floats = isinstance(spec, XnorSpec) and not layer.binary
        if layer.op != "pool":
            # A network with layers of floats stores what its binary layers take.
            if not floats and kept:
                buffers.append(f"{kept}.buffer")
            if not floats:
                weights.append(f"{layer.name}.weights")
        kept = layer.name
    return weights, buffers


def weights_of(spec: Spec) -> int:
    return sum(int(np.prod(layer.weight_shape)) for layer in spec.weighted)


large = pytest.mark.skipif(
    os.environ.get("SPINFLOW_FULL") != "1", reason="takes seconds: SPINFLOW_FULL=1 runs it"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=large) if weights_of(spec) > 1_000_000 else name
        for name, spec in sorted(NETWORKS.items())
    ],
)
def test_memories_have_the_names_of_the_contract(name: str) -> None:
    """For every network that there is, whatever computes it."""
    spec = network(name)
    engine = Evaluator.from_network(untrained(spec, 1), "fast", 1)
    weights, buffers = names_of(spec)
    assert [m.name for m in engine.description.memories] == [*weights, *buffers]
    bundle = bundle_of(name, engine, "evaluator-fast")
    assert bundle.layer_names == [layer.name for layer in spec.weighted]
    for number, layer in enumerate(spec.weighted):
        place = [each.name for each in spec.layers].index(layer.name)
        behind = {layer.name, *(n.name for n in spec.layers[place + 1 : place + 2]
                                if n.op == "pool")}  # fmt: skip
        wanted = [n for n in weights if n == f"{layer.name}.weights"]
        wanted += [n for n in buffers if n.removesuffix(".buffer") in behind]
        if not wanted:
            with pytest.raises(InputError, match=f"layer {layer.name} of .* has no MRAM memory"):
                bundle.select(layer.name)
            continue
        for chosen in (layer.name, bundle.layer(number)):
            assert [m.name for m in bundle.select(chosen)] == wanted
            assert {m.layer for m in bundle.select(chosen)} == {number}
    for buffer in buffers:
        assert [m.name for m in bundle.select(buffer)] == [buffer]
        if buffer.startswith("pool"):
            assert [m.name for m in bundle.select(buffer.removesuffix(".buffer"))] == [buffer]


@pytest.mark.parametrize(
    ("name", "memories", "layers", "expected"),
    [
        ("lenet-fxp8-mnist", ["fc0.weights", "pool1"], ["conv0", "2"],
         {"fc0.weights": 8 * 1024 * 512, "pool1": 8 * 4 * 4 * 64 * 5,
          "conv0": 8 * (25 * 32 + 12 * 12 * 32 * 5), "fc0": 8 * (1024 * 512 + 512 * 5)}),
        ("lenet4-mnist", ["fc0.weights", "pool0.buffer"], ["conv0", "conv1"],
         {"fc0.weights": 800 * 500, "pool0.buffer": 12 * 12 * 20 * 5, "conv0": 12 * 12 * 20 * 5,
          "conv1": 25 * 20 * 50 + 4 * 4 * 50 * 5}),
    ],
)  # fmt: skip
def test_layers_of_codes_and_beside_floats_are_swept_by_name(
    tmp_path: Path, name: str, memories: list[str], layers: list[str], expected: dict[str, int]
) -> None:
    options = ["--network", name, "--images", "5", "--repeats", "1", "--rates", "0.05"]
    options += ["--memory", *memories, "--layer", *layers, "--workers", "1"]
    assert main([*options, "--out", str(tmp_path)]) == 0
    rows = read(tmp_path / "results.csv")
    assert {row.memory: row.bits_written for row in rows} == expected
    assert all(row.errors > 0 for row in rows)


def test_a_layer_of_floats_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--network", "lenet4-mnist", "--images", "5", "--out", str(tmp_path / "out")]
    assert main([*options, "--layer", "fc1"]) == 1
    assert "layer fc1 of lenet4-mnist has no MRAM memory" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
