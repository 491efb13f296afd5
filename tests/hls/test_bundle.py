"""What a bundle says agrees with what it holds, and a build is a function of its inputs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from spinflow.hls.build import build, summary
from spinflow.hls.paths import REPO, sha256_file
from spinflow.sim.verilate import GUARDED, verilator
from tests.hls.networks import perceptron


def memories(bundle, kind):
    return [memory for memory in bundle.accel["memories"] if memory["kind"] == kind]


def test_files_are_those_whose_sums_are_given(bundle):
    assert set(bundle.accel["files"]) == {"arrays.npz", "golden.npz", "accel.hwh"}
    for name, digest in bundle.accel["files"].items():
        assert sha256_file(bundle.folder / name) == digest


def test_nothing_is_left_behind(bundle):
    assert sorted(path.name for path in bundle.folder.iterdir()) == [
        "accel.hwh", "accel.json", "arrays.npz", "finn.log", "golden.npz", "hardware.onnx", "rtl",
    ]  # fmt: skip


def test_memories_are_numbered_weights_first(bundle):
    accel = bundle.accel
    assert [memory["index"] for memory in accel["memories"]] == list(range(5))
    assert [memory["name"] for memory in accel["memories"]] == [
        "fc0.weights", "fc1.weights", "fc2.weights", "fc0.buffer", "fc1.buffer",
    ]  # fmt: skip
    layers = [layer for layer in accel["layers"] if layer["op"] == "mvu"]
    for number, layer in enumerate(layers):
        weights = accel["memories"][layer["weights"]]
        assert weights["layer"] == number
        assert weights["width"] == layer["pe"] * layer["simd"]
        assert weights["width"] * weights["depth"] == layer["mw"] * layer["mh"]
        if layer["buffer"] is not None:
            buffer = accel["memories"][layer["buffer"]]
            assert (buffer["layer"], buffer["width"]) == (number, layer["pe"])
            # Nobody has looked for the depths of this folding.
            assert buffer["depth"] * buffer["width"] == layer["mh"]
    assert [layer["buffer"] is None for layer in layers] == [False, False, True]


def test_windows_are_aligned_and_apart(bundle):
    end = bundle.accel["registers"]["size"]
    for memory in memories(bundle, "weights"):
        size = 1 << (memory["stride"] * memory["depth"] - 1).bit_length()
        assert memory["stride"] >= 4 * memory["segments"]
        assert memory["base"] % size == 0
        assert memory["base"] >= end
        end = memory["base"] + size
    assert end <= bundle.accel["address_map"]["accel"]["range"]


def test_cycles_per_frame_is_the_slowest_stage(bundle):
    layers = [layer for layer in bundle.accel["layers"] if layer["op"] == "mvu"]
    cycles = [(la["mw"] // la["simd"]) * (la["mh"] // la["pe"]) for la in layers]
    assert bundle.accel["cycles_per_frame"] == max([48 // 4, *cycles]) <= 16


def test_golden_edges_follow_from_weights_and_thresholds(bundle):
    arrays, golden = bundle.arrays, bundle.golden
    bits = (golden["images"] >= arrays["threshold.input"]).astype(int)
    np.testing.assert_array_equal(golden["edge.input"], bits)
    layers = [layer for layer in bundle.accel["layers"] if layer["op"] == "mvu"]
    for number, layer in enumerate(layers):
        simd, pe, sf = layer["simd"], layer["pe"], layer["mw"] // layer["simd"]
        words = arrays[f"weights.{number}"]
        count = np.zeros((len(bits), layer["mh"]), int)
        for output in range(layer["mh"]):
            for source in range(layer["mw"]):
                bit = (output % pe) * simd + source % simd
                word = words[(output // pe) * sf + source // simd, bit // 32]
                weight = (int(word) >> (bit % 32)) & 1
                count[:, output] += bits[:, source] == weight
        if layer["threshold"]:
            bits = (count >= arrays[f"threshold.{number}"]).astype(int)
            np.testing.assert_array_equal(golden[f"edge.fc{number}"], bits)
            np.testing.assert_array_equal(golden[f"edge.fc{number}.buffer"], bits)
        else:
            np.testing.assert_array_equal(golden[f"edge.fc{number}"], count)
    np.testing.assert_array_equal(golden["labels"], count.argmax(axis=1))
    assert len(np.unique(golden["labels"])) > 1


def test_taps_fit_their_edges(bundle):
    names = [tap["name"] for tap in bundle.accel["taps"]]
    assert names == ["input", "fc0", "fc0.buffer", "fc1", "fc1.buffer", "fc2", "label"]
    for tap in bundle.accel["taps"]:
        values = bundle.golden[f"edge.{tap['name']}"]
        assert values.shape == (len(bundle.golden["images"]), tap["elements"])
        assert values.max() < 1 << tap["element_bits"]
        assert tap["elements"] % tap["per_word"] == 0


def test_every_tap_is_a_public_stream_of_the_top(bundle):
    top = (bundle.folder / "rtl" / "accel.sv").read_text()
    for tap in bundle.accel["taps"]:
        bits = -(-tap["element_bits"] * tap["per_word"] // 8) * 8
        stream = f"logic [{bits - 1}:0] {tap['signal']}_data /* verilator public_flat_rd */;"
        assert stream in top
        for wire in ("valid", "ready"):
            assert re.search(rf"{tap['signal']}_{wire} /\* verilator public_flat_rd \*/;", top)


def test_top_is_readable_and_carries_the_build_id(bundle):
    top = (bundle.folder / "rtl" / "accel.sv").read_text()
    assert max(map(len, top.splitlines())) <= 100
    assert f"32'h{bundle.accel['build_id']:08X}" in top
    converters = [name for name in ("input", "fc0", "fc1", "fc2") if f"u_{name}_in (" in top]
    assert top.count("  stream_widen #(") + top.count("  stream_narrow #(") >= len(converters) > 0


def test_verilator_takes_the_top(bundle):
    rtl = bundle.folder / "rtl"
    sources = [
        str(REPO / name if "/" in name else rtl / name)
        for name in (rtl / "files.f").read_text().split()
    ]
    command = [str(verilator()), "--lint-only", "-Wall", *GUARDED]
    command += ["--top-module", "accel", *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if re.search(r"^%.*/accel\.sv:", line)]


def contents(folder):
    """Everything in a bundle but FINN's log."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.name not in ("finn.log", "hardware.onnx")
    }


def test_same_inputs_give_the_same_bundle(bundle, tmp_path):
    build(bundle.source, 16, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(bundle.folder)


def test_build_id_changes_with_folding_and_weights(bundle, tmp_path):
    other_folding = build(bundle.source, 32, tmp_path / "folding")
    other_weights = perceptron(48, 24, 16, 5, seed=2).save(tmp_path / "tiny")
    ids = {
        bundle.accel["build_id"],
        other_folding.build_id,
        build(other_weights, 16, tmp_path / "weights").build_id,
    }
    assert len(ids) == 3


def test_a_new_build_replaces_the_whole_bundle(bundle, tmp_path):
    shutil.copytree(bundle.folder, tmp_path / "old")
    described = build(bundle.source, 32, tmp_path / "old")
    assert json.loads((tmp_path / "old" / "accel.json").read_text()) == described.as_json()
    for name, digest in described.files.items():
        assert sha256_file(tmp_path / "old" / name) == digest


@pytest.mark.parametrize("cycles", [0, 5])
def test_a_refused_build_leaves_the_old_bundle(bundle, tmp_path, cycles):
    shutil.copytree(bundle.folder, tmp_path / "old")
    with pytest.raises(Exception, match="cycles per frame"):
        build(bundle.source, cycles, tmp_path / "old")
    assert contents(tmp_path / "old") == contents(bundle.folder)
    assert not [path.name for path in (tmp_path / "old").iterdir() if path.name.startswith(".")]


def test_a_network_without_a_target_gets_the_fastest_that_leaves_room(tmp_path):
    described = build(perceptron(48, 24, 4).save(tmp_path / "net"), out=tmp_path / "out")
    assert described.folding.target_cycles == 48 // 4  # no faster than the pixels come
    said = summary(described, {"LUT": 53_200, "RAMB36": 140, "DSP48": 220})
    assert "target 12 cycles per frame, the fastest that was found; it takes" in said
    assert "target 12 cycles per frame\n" in summary(described)
