"""The exported graph computes the labels that Brevitas computes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from spinflow.model import export, zoo
from spinflow.model.data import Dataset
from spinflow.model.networks.base import predict, to_input
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import Spec
from spinflow.model.store import ZOO, load_recipe, load_trained
from tests.model.conftest import COLOUR, TINY


@pytest.mark.slow
def test_labels_of_the_graph(mnist: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "tfc-mnist" / "model.onnx"
    export.main(["tfc-mnist", "--out", str(out)])
    graph = ModelWrapper(str(out))
    source, sink = graph.graph.input[0].name, graph.graph.output[0].name
    assert graph.get_tensor_shape(source) == [1, 784]
    assert graph.get_tensor_datatype(source) == DataType["UINT8"]
    images = mnist.test_images[:100]
    labels = [
        int(execute_onnx(graph, {source: image[None].astype(np.float32)})[sink].argmax())
        for image in images
    ]
    np.testing.assert_array_equal(labels, predict(load_trained("tfc-mnist"), images))

    facts = json.loads((out.parent / "model.json").read_text())
    assert facts["onnx_sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    weights = (ZOO / "tfc-mnist.safetensors").read_bytes()
    assert facts["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert facts["accuracy"] == load_recipe("tfc-mnist")["test_accuracy"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["model.json", "model.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize("spec", [TINY, COLOUR], ids=lambda spec: spec.name)
def test_untrained_networks(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random weights, in a graph that computes the labels of the same network in Brevitas."""
    monkeypatch.setitem(zoo.NETWORKS, spec.name, spec)
    out = tmp_path / "model.onnx"
    export.main([spec.name, "--untrained", "5", "--out", str(out)])
    assert capsys.readouterr().out.endswith("random weights of seed 5\n")
    facts = json.loads((tmp_path / "model.json").read_text())
    assert facts["shape"] == list(spec.shape) and facts["accuracy"] is None
    graph = ModelWrapper(str(out))
    source, sink = graph.graph.input[0].name, graph.graph.output[0].name
    images = np.random.default_rng(2).integers(0, 256, (20, spec.pixels), dtype=np.uint8)
    pixels = to_input(spec, images).numpy()
    assert graph.get_tensor_shape(source) == [1, *pixels.shape[1:]]
    assert graph.get_tensor_datatype(source) == DataType["UINT8"]
    labels = [int(execute_onnx(graph, {source: image[None]})[sink].argmax()) for image in pixels]
    np.testing.assert_array_equal(labels, predict(untrained(spec, 5), images))


def test_missing_weights_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "build" / "model.onnx"
    assert export.main(["tfc-mnist", "--out", str(out), "--folder", str(tmp_path)]) == 1
    assert "no such file" in capsys.readouterr().err
    assert not out.parent.exists()


def test_random_weights_come_of_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        export.main(["tfc-mnist", "--untrained", "1", "--folder", str(tmp_path)])
    assert "argument --folder: not allowed with argument --untrained" in capsys.readouterr().err
