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

from model import export
from model.data import Dataset
from model.networks import predict
from model.store import ZOO, load_recipe, load_trained


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


def test_missing_weights_leave_nothing(tmp_path: Path) -> None:
    out = tmp_path / "build" / "model.onnx"
    with pytest.raises(SystemExit, match=r"^error: .*no such file"):
        export.main(["tfc-mnist", "--out", str(out), "--folder", str(tmp_path)])
    assert not out.parent.exists()
