"""FINN's execution of the hardware layers against the exported network, and with other weights."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from spinflow.hls import flow
from spinflow.hls.golden import BATCH, execute, golden_edges
from spinflow.hls.paths import BuildError
from spinflow.hw import boards
from tests.hls.networks import THRESHOLD


@pytest.fixture
def images():
    return np.random.default_rng(3).integers(0, 256, (40, 48)).astype(np.uint8)


def test_labels_are_those_of_the_exported_network(bundle, images):
    model = ModelWrapper(str(bundle.source / "model.onnx")).transform(InferShapes())
    output = model.graph.output[0].name
    labels = [
        execute_onnx(model, {"pixels": image[None].astype(np.float32)})[output].argmax()
        for image in images
    ]
    np.testing.assert_array_equal(golden_edges(bundle.folder, images)["label"][:, 0], labels)


def test_specialised_layers_compute_the_same(bundle, images, tmp_path):
    made = flow.run(bundle.source / "model.onnx", tmp_path, boards.board(), 16)
    edges = {tap["name"]: tap["edge"] for tap in bundle.accel["taps"]}
    context: dict[str, list[np.ndarray]] = {name: [] for name in edges}
    for node in made.dataflow.graph.node:
        node.attribute.append(helper.make_attribute("exec_mode", "cppsim"))
    for image in images:
        source = made.dataflow.get_first_global_in()
        values = execute_onnx(made.dataflow, {source: image[None].astype(np.float32)}, True)
        for name, edge in edges.items():
            context[name].append(values[edge][0])
    for name, expected in execute(made.hardware, edges, images).items():
        np.testing.assert_array_equal(np.array(context[name]), expected)


def test_threshold_is_exact(bundle):
    images = np.repeat([[THRESHOLD - 1], [THRESHOLD]], 48, axis=1).astype(np.uint8)
    np.testing.assert_array_equal(
        golden_edges(bundle.folder, images)["input"], np.repeat([[0], [1]], 48, axis=1)
    )


def test_batches_join(bundle):
    images = np.random.default_rng(4).integers(0, 256, (BATCH + 3, 48)).astype(np.uint8)
    whole = golden_edges(bundle.folder, images)
    tail = golden_edges(bundle.folder, images[BATCH - 1 :])
    for name, values in whole.items():
        np.testing.assert_array_equal(values[BATCH - 1 :], tail[name])


def test_trained_weights_read_back_change_nothing(bundle, images):
    weights = {number: bundle.arrays[f"weights.{number}"] for number in range(3)}
    expected = golden_edges(bundle.folder, images)
    for name, values in golden_edges(bundle.folder, images, weights).items():
        np.testing.assert_array_equal(values, expected[name])


def test_a_flipped_weight_moves_one_output_by_one(bundle, images):
    layer = next(layer for layer in bundle.accel["layers"] if layer["name"] == "fc2")
    flipped = bundle.arrays["weights.2"].copy()
    flipped[-1, 0] ^= 1  # first PE, first input of the last column: the last group of outputs
    before = golden_edges(bundle.folder, images)
    after = golden_edges(bundle.folder, images, {2: flipped})
    output = layer["mh"] - layer["pe"]
    moved = after["fc2"].astype(int) - before["fc2"].astype(int)
    assert (np.abs(moved[:, output]) == 1).all()
    assert (np.delete(moved, output, axis=1) == 0).all()
    np.testing.assert_array_equal(after["fc1.buffer"], before["fc1.buffer"])


def test_refuses_wrong_images_and_weights(bundle, images):
    with pytest.raises(ValueError, match="expected uint8"):
        golden_edges(bundle.folder, images[:, :-1])
    with pytest.raises(ValueError, match="expected uint8"):
        golden_edges(bundle.folder, images.astype(np.float32))
    with pytest.raises(ValueError, match="there is no layer 3"):
        golden_edges(bundle.folder, images, {3: bundle.arrays["weights.2"]})
    with pytest.raises(ValueError, match="expected uint32"):
        golden_edges(bundle.folder, images, {1: bundle.arrays["weights.2"]})


def test_refuses_an_incomplete_bundle(tmp_path, images):
    with pytest.raises(BuildError, match=r"is not a bundle: it has no accel\.json"):
        golden_edges(tmp_path, images)
