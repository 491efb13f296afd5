"""Convolutions, padding and max-pools through FINN: against numpy, and in the generated RTL."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from spinflow.hls.golden import golden_edges
from spinflow.hls.paths import REPO
from spinflow.host.core.packing import unpack_weights
from spinflow.sim import verilate as simulator
from spinflow.sim.library import Library


@pytest.fixture
def images():
    return np.random.default_rng(5).integers(0, 256, (6, 128)).astype(np.uint8)


def test_labels_are_those_of_the_exported_network(convolutions, images):
    model = ModelWrapper(str(convolutions.source / "model.onnx")).transform(InferShapes())
    output = model.graph.output[0].name
    frames = images.reshape(-1, 8, 8, 2).transpose(0, 3, 1, 2).astype(np.float32)
    labels = [execute_onnx(model, {"pixels": frame[None]})[output].argmax() for frame in frames]
    golden = golden_edges(convolutions.folder, images)["label"][:, 0]
    np.testing.assert_array_equal(golden, labels)
    assert len(set(labels)) > 1


def test_golden_edges_follow_from_weights_and_thresholds(convolutions, images):
    golden = golden_edges(convolutions.folder, images)
    feature_map = images.reshape(-1, 8, 8, 2).astype(int)
    number = 0
    for layer in convolutions.accel["layers"]:
        if layer["op"] == "max_pool":
            shape = (len(images), *layer["shape"][:2], layer["size"], layer["size"], -1)
            pairs = feature_map.reshape(len(images), 4, 2, 4, 2, -1).transpose(0, 1, 3, 2, 4, 5)
            feature_map = pairs.reshape(shape).max(axis=(3, 4))
        elif layer["op"] == "mvu":
            feature_map = matrix(convolutions.arrays, layer, number, feature_map)
            number += 1
        if layer["op"] != "label_select":
            expected = feature_map.reshape(len(images), -1)
            np.testing.assert_array_equal(golden[layer["name"]], expected, layer["name"])
            assert list(feature_map.shape[1:]) == layer["shape"]


def matrix(arrays, layer, number, feature_map):
    """Compute a layer from the bundle's arrays: bits or pixels in, bits or popcounts out."""
    weights = unpack_weights(
        arrays[f"weights.{number}"], layer["mw"], layer["mh"], layer["pe"], layer["simd"]
    ).astype(int)
    window = layer["window"]
    if window is None:
        vectors = feature_map.reshape(len(feature_map), 1, 1, -1)
    else:
        assert list(feature_map.shape[1:]) == window["input"]
        top, left, bottom, right = window["padding"]
        padded = np.pad(feature_map, ((0, 0), (top, bottom), (left, right), (0, 0)))
        slid = np.lib.stride_tricks.sliding_window_view(padded, window["kernel"], axis=(1, 2))
        rows, columns = window["stride"]
        vectors = slid[:, ::rows, ::columns].transpose(0, 1, 2, 4, 5, 3)
        vectors = vectors.reshape(*vectors.shape[:3], layer["mw"])
    if layer["input"] == "pixels":
        sums = vectors @ (2 * weights - 1)
    else:
        sums = vectors @ weights + (1 - vectors) @ (1 - weights)
    if not layer["threshold"]:
        return sums
    return (sums >= arrays[f"threshold.{number}"]).astype(int)


def test_layers_are_named_by_kind_and_say_how_they_slide(convolutions):
    layers = convolutions.accel["layers"]
    assert [layer["name"] for layer in layers] == [
        "conv0", "conv1", "pool1", "conv2", "conv3", "fc0", "label",
    ]  # fmt: skip
    assert convolutions.accel["input"]["shape"] == [8, 8, 2]
    windows = {layer["name"]: layer["window"] for layer in layers if layer["op"] == "mvu"}
    assert windows["conv1"] == {
        "input": [8, 8, 8], "kernel": [3, 3], "stride": [1, 1], "padding": [2, 0, 0, 2],
        "padding_value": -1,
    }  # fmt: skip
    assert windows["conv2"]["kernel"] == [1, 1] and windows["fc0"] is None
    names = [m["name"] for m in convolutions.accel["memories"] if m["kind"] == "buffer"]
    assert names == ["conv0.buffer", "pool1.buffer", "conv2.buffer", "conv3.buffer"]
    pool = next(layer for layer in layers if layer["op"] == "max_pool")
    assert convolutions.accel["memories"][pool["buffer"]]["layer"] == 1
    assert layers[1]["buffer"] is None


def test_taps_are_whole_maps(convolutions):
    for tap in convolutions.accel["taps"]:
        values = convolutions.golden[f"edge.{tap['name']}"]
        assert values.shape == (len(convolutions.golden["images"]), tap["elements"])
        if tap["element_bits"] == 1:
            assert 0.02 < values.mean() < 0.98, f"{tap['name']} hardly changes"
    assert len(np.unique(convolutions.golden["labels"])) > 1


def test_one_image_at_a_time_gives_the_same(convolutions, images):
    together = golden_edges(convolutions.folder, images)
    for number, image in enumerate(images):
        for name, values in golden_edges(convolutions.folder, image[None]).items():
            np.testing.assert_array_equal(values[0], together[name][number])


def test_folding_and_its_estimate_are_stored(convolutions):
    folding = convolutions.accel["folding"]
    assert folding["target_cycles"] == 700 >= convolutions.accel["cycles_per_frame"]
    layers = [layer for layer in convolutions.accel["layers"] if layer["op"] == "mvu"]
    assert set(folding["layers"]) == {layer["name"] for layer in layers}
    for layer in layers:
        chosen = folding["layers"][layer["name"]]
        assert (chosen["pe"], chosen["simd"]) == (layer["pe"], layer["simd"])
    assert folding["estimate"]["LUT"] > 1000 and set(folding["estimate"]) == {
        "LUT", "RAMB36", "DSP48",
    }  # fmt: skip


def test_verilator_takes_the_top(convolutions):
    rtl = convolutions.folder / "rtl"
    sources = [
        str(REPO / name if "/" in name else rtl / name)
        for name in (rtl / "files.f").read_text().split()
    ]
    for options in [], ["-GWithErrors=0"]:
        command = [str(simulator.verilator()), "--lint-only", "-Wall", *simulator.GUARDED, *options]
        command += ["--top-module", "accel", *sources]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not [
            line for line in done.stderr.splitlines() if re.search(r"^%.*/accel\.sv:", line)
        ]


@pytest.mark.slow
def test_rtl_computes_the_golden_edges(convolutions):
    simulator.build(convolutions.folder, simulator.CHECKED)
    golden = convolutions.golden
    with Library(convolutions.folder, checked=True) as library:
        for memory in convolutions.accel["memories"]:
            if memory["kind"] == "weights":
                words = convolutions.arrays[f"weights.{memory['layer']}"]
                for segment in range(memory["segments"]):
                    address = memory["base"] + 4 * segment
                    library.write(address, words[:, segment], memory["stride"])
        library.record()
        library.pause(1 << 30, 1 << 30, seed=7)
        labels = library.run(golden["images"])
        for name, values in library.recorded().items():
            np.testing.assert_array_equal(values, golden[f"edge.{name}"], name)
    np.testing.assert_array_equal(labels, golden["labels"])
