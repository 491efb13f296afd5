"""Networks and commands that cannot be built: one line that names what is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spinflow.hls import flow, plan
from spinflow.hls.build import build, read_folding
from spinflow.hls.paths import REPO, BuildError
from spinflow.hw import boards
from tests.hls.networks import Network, perceptron


def relu_network():
    network = Network(16).threshold_pixels().matrix(8)
    network.node("Relu")
    return network.matrix(4).scale()


def unmapped_network():
    network = Network(16).threshold_pixels().matrix(8).normalize().binarize().matrix(8)
    network.node("Elu")
    return network


def pooled_sums():
    network = Network(1, 4, 4).convolution(4, 3).max_pool().normalize(100).binarize()
    return network.flatten().matrix(2).scale()


def convolution(**attributes):
    """The second of two convolutions has these attributes."""
    network = Network(1, 8, 8).convolution(4, 3).normalize(100).binarize()
    network.convolution(4, 3, **attributes).normalize().binarize()
    return network.flatten().matrix(2).scale()


def padded(value, mode="constant", **attributes):
    network = Network(1, 8, 8).convolution(4, 3).normalize(100).binarize()
    network.pad(value, 1, 1, 1, 1, mode=mode)
    network.convolution(4, 3, **attributes).normalize().binarize()
    return network.flatten().matrix(2).scale()


def pooled(size, stride):
    network = Network(1, 8, 8).convolution(4, 3).normalize(100).binarize().max_pool(size, stride)
    return network.flatten().matrix(2).scale()


def pooled_beyond():
    network = Network(1, 8, 8).convolution(4, 3).normalize(100).binarize()
    network.node("MaxPool", kernel_shape=[4, 4], strides=[4, 4], ceil_mode=1)
    network.shape[2:] = [2, 2]
    return network.flatten().matrix(2).scale()


NETWORKS = {
    "an operator that FINN does not map": (unmapped_network, r"operator Elu after layer fc1"),
    "a hidden layer without threshold": (relu_network, r"operator MatMul after layer fc0"),
    "weights of two bits": (
        lambda: Network(16).threshold_pixels().matrix(8).normalize().binarize().matrix(4, bits=2),
        r"layer fc1 has INT2 weights on BIPOLAR inputs; .* retrain with weight_bit_width=1",
    ),
    "a threshold at the end": (
        lambda: Network(16).threshold_pixels().matrix(4).normalize().binarize(),
        r"layer fc0 ends in a threshold",
    ),
    "pixels into the second layer": (
        lambda: Network(16).matrix(8).scale().matrix(4).scale(),
        r"layer fc0 has no threshold: every layer but the last must give bits",
    ),
    "one matrix": (
        lambda: Network(16).matrix(4).scale(),
        r"one layer of weights, fc0: at least",
    ),
    "a convolution that pads bits with -1 and with 0": (
        lambda: padded(-1, pads=[1, 1, 1, 1]),
        r"layer conv1 pads bits with -1 and then with 0: one of them is needed",
    ),
    "bits padded with 1": (
        lambda: padded(1),
        r"layer conv1 pads with 1: bits must be padded with -1 or 0",
    ),
    "reflected padding": (
        lambda: padded(-1, "reflect"),
        r"layer conv1 has padding that is not constant",
    ),
    "dilation": (
        lambda: convolution(dilations=[2, 2]),
        r"layer conv1 has a dilation of 2 x 2: .* dilation 1",
    ),
    "groups": (lambda: convolution(group=2), r"layer conv1 has 2 groups: .* group 1"),
    "windows of a max-pool that overlap": (
        lambda: pooled(3, 1),
        r"max-pool after layer conv0: windows must be square, side by side",
    ),
    "a max-pool that goes beyond the map": (
        pooled_beyond,
        r"max-pool after layer conv0: .* what is left over is cut off",
    ),
    "a max-pool of sums": (
        pooled_sums,
        r"max-pool after layer conv0 does not take bits: it must come after",
    ),
    "a convolution at the end": (
        lambda: (
            Network(1, 4, 4)
            .convolution(4, 3)
            .normalize(100)
            .binarize()
            .convolution(3, 2)
            .flatten()
            .scale()
        ),
        r"layer conv1 is the last one, which must be fully connected",
    ),
    "no matrix": (lambda: Network(16).threshold_pixels(), r"FINN's step_convert_to_hw failed"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_names_the_layer_that_the_hardware_does_not_have(tmp_path, name):
    network, message = NETWORKS[name]
    source = network().save(tmp_path / "net")
    with pytest.raises(BuildError, match=message) as caught:
        build(source, 64)
    assert "\n" not in str(caught.value)
    assert not (source / "accel.json").exists()


def test_more_memories_than_the_control_block_or_the_board_holds(bundle, tmp_path):
    folded = flow.run(bundle.source / "model.onnx", tmp_path, boards.board(), 16).dataflow
    with pytest.raises(BuildError, match=r"weights need .* bytes of addresses, the board has"):
        plan.plan(folded, 16, control_bytes=8192, range_bytes=0x10000, max_memories=64)
    with pytest.raises(BuildError, match="5 memories, the control block has registers for 4"):
        plan.plan(folded, 16, control_bytes=8192, range_bytes=1 << 22, max_memories=4)


def test_a_design_larger_than_the_part(bundle, tmp_path):
    small = {"LUT": 6000, "RAMB36": 140, "DSP48": 220}
    with pytest.raises(BuildError, match=r"16 cycles per frame needs about \d+ LUT of 300 "):
        flow.run(bundle.source / "model.onnx", tmp_path, boards.board(), 16, resources=small)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "damaged, not JSON"),
        ("[1]", "a JSON object is expected"),
        ('{"fc0": {"PE": true, "SIMD": 8}}', "must be of the form"),
        ('{"fc0": {"PE": 5, "SIMD": 8}}', "PE 5 of layer fc0 does not divide its 24 outputs"),
        ('{"fc0": {"PE": 4, "SIMD": 7}}', "SIMD 7 of layer fc0 does not divide its 48 inputs"),
        ('{"fc0": {"PE": 4}}', "layer fc0 must give PE and SIMD"),
        ('{"conv9": {"PE": 4, "SIMD": 8}}', "names layer conv9, the network has fc0, fc1, fc2"),
    ],
)
def test_a_folding_that_does_not_fit(bundle, tmp_path, content, message):
    path = tmp_path / "folding.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BuildError, match=message):
        build(bundle.source, 16, tmp_path / "out", read_folding(path))
    assert not (tmp_path / "out" / "accel.json").exists()


RANDOM = '{"dataset": "mnist", "accuracy": null, "images": null}'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", None, "model.onnx is missing"),
        ("model.json", None, "model.json is missing"),
        ("model.json", "{}", "model.json is damaged"),
        (
            "model.json",
            RANDOM,
            "says that the weights are random: a bundle needs a trained network",
        ),
        ("model.json", "not json", "model.json: damaged, not JSON"),
        ("model.onnx", "not onnx", "model.onnx cannot be read"),
    ],
)
def test_names_a_missing_or_damaged_file(tmp_path, name, content, message):
    source = perceptron(16, 8, 4).save(tmp_path / "net")
    (source / name).unlink()
    if content is not None:
        (source / name).write_text(content)
    with pytest.raises(BuildError, match=message):
        build(source, 64)


def test_command_says_it_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "spinflow.hls.build", "no-such-network"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("spinflow: ") and done.stderr.count("\n") == 1
    assert "model.onnx is missing: export" in done.stderr
