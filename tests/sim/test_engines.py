"""Engines are made by their names, offer the same, and refuse kinds of layers that they lack."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from spinflow.host.core import arrays
from spinflow.host.core import description as descriptions
from spinflow.host.core.memory import Counts
from spinflow.model.networks.build import untrained
from spinflow.sim import protocol
from spinflow.sim.emulator.layers import stages
from spinflow.sim.engines import ENGINES, SOFTWARE, engine, takes_networks
from spinflow.sim.evaluator.network import of_bundle
from spinflow.sim.protocol import Engine
from tests.model.test_networks_xnor import TINY
from tests.sim import tiny
from tests.sim.steps import rate

SIM = Path(__file__).parents[2] / "sim"
OPERATIONS = [
    name
    for name, member in vars(protocol.Engine).items()
    if not name.startswith("_") and inspect.isfunction(member)
]


def made(name: str, bundle: Path) -> Engine:
    """An engine of each name, small where there is a choice."""
    if name == "fixed-point":
        modules = [nn.Linear(16, 6), nn.ReLU(), nn.Linear(6, 3)]
        return engine(name, network=modules, bits=8, shape=(16,))
    if name == "xnor":
        return engine(name, network=untrained(TINY, 3), threads=1)
    return engine(name, bundle=bundle, threads=1)


def trial(engine: Engine, images: np.ndarray) -> tuple[list[int], list[Counts]]:
    """The same lines for every engine."""
    for memory in engine.memories:
        engine.set_errors(memory.index, "flip", rate(0.1), rate(0.2), 7 + memory.index)
        if memory.kind == "weights":
            engine.write_weights(memory.index, engine.weights(memory.layer))
            assert engine.read_weights(memory.index).shape == engine.weights(memory.layer).shape
    labels, taps = engine.run(images)
    assert engine.run(images[:0], taps=False)[1] == {} and len(taps) > 1
    counts = [engine.counters(memory.index) for memory in engine.memories]
    engine.clear()
    assert {engine.counters(memory.index) for memory in engine.memories} == {Counts()}
    engine.soft_reset()
    return labels.tolist(), counts


def test_all_engines_have_all_operations() -> None:
    assert len(OPERATIONS) == 9, OPERATIONS


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_runs_the_lines_of_all(name: str, bundle_folder: Path) -> None:
    found = made(name, bundle_folder)
    for operation in OPERATIONS:
        wanted = inspect.signature(getattr(protocol.Engine, operation)).parameters
        offered = inspect.signature(getattr(type(found), operation)).parameters
        assert list(offered) == list(wanted), operation
    assert [m.name for m in found.description.memories] == [m.name for m in found.memories]
    pixels = int(np.prod(found.description.shape))
    images = np.random.default_rng(3).integers(0, 256, (9, pixels), dtype=np.uint8)
    labels, counts = trial(found, images)
    assert len(labels) == 9 and all(count.written and count.errors for count in counts)


def test_engines_of_one_bundle_agree(bundle_folder: Path) -> None:
    images = np.random.default_rng(4).integers(0, 256, (9, 784), dtype=np.uint8)
    found = [trial(made(name, bundle_folder), images) for name in ("emulator", "evaluator", "rtl")]
    assert found[0] == found[1] == found[2]


def test_an_engine_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no engine 'board'; there are evaluator, evaluator-fast"):
        engine("board", bundle=tmp_path)
    with pytest.raises(ValueError, match="the engine emulator needs a bundle"):
        engine("emulator", network="tfc-mnist")
    with pytest.raises(ValueError, match="the engine xnor takes a network, not a bundle"):
        engine("xnor", bundle=tmp_path)
    with pytest.raises(ValueError, match="of a bundle or of a network: give one of them"):
        engine("evaluator")
    assert [name for name in SOFTWARE if takes_networks(name)] == ["evaluator", "evaluator-fast"]


@dataclass(frozen=True)
class Strange:
    """A kind of layer that no engine computes."""

    name: str = "odd0"


def test_an_unknown_kind_of_layer_is_refused_by_name(tmp_path: Path) -> None:
    bundle = tiny.write_bundle(tmp_path, tiny.DESCRIPTIONS["perceptron"])
    described = descriptions.read(bundle)
    contents = arrays.read_arrays(described)
    other = SimpleNamespace(
        network="odd", shape=described.shape, memories=described.memories, layers=(Strange(),)
    )
    line = "layer odd0 is of the kind Strange, which the {} does not compute; it computes "
    with pytest.raises(ValueError, match=line.format("emulator") + ".*LabelSelect, MaxPool"):
        stages(other, contents, [])  # type: ignore[arg-type]  # a layer that no bundle can have
    with pytest.raises(ValueError, match=line.format("evaluator") + ".*LabelSelect, MaxPool"):
        of_bundle(other, contents)


def test_no_chain_of_kinds() -> None:
    """Kinds of layers are told apart by the tables alone: nothing asks what a layer is."""
    kinds = {"Threshold", "Product", "MaxPool", "LabelSelect", "Linear", "Conv", "Label"}
    kinds |= {"PixelThreshold"}
    for path in sorted(SIM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                asked = {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
                assert not asked & kinds, f"{path}:{node.lineno}"
            if isinstance(node, ast.Subscript):
                assert ast.unparse(node.slice) != "'op'", f"{path}:{node.lineno}"


def test_compiled_loops_call_none_of_another_file() -> None:
    """Else a stale one would be kept on disk: numba looks at the file of the caller alone."""
    package = "spinflow.sim.evaluator"
    vectors = f"{package}.kernels.vectors"
    compiling = 0
    for path in sorted((SIM / "evaluator").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = {
            (node.module or "", alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        if (vectors, "compiled") in imports:
            compiling += 1
            kernels = {module for module, _ in imports if module.startswith(f"{package}.kernels")}
            assert kernels == {vectors}, f"{path} imports {kernels}"
    assert compiling == 16
