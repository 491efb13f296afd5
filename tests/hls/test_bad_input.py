"""Networks and commands that cannot be built: one line that names what is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hls import design, flow, hwh
from hls.build import build
from hls.common import REPO, BuildError
from tests.hls.networks import Network, perceptron


def relu_network():
    network = Network(16).threshold_pixels().matrix(8)
    network.node("Relu")
    return network.matrix(4).scale()


def unmapped_network():
    network = Network(16).threshold_pixels().matrix(8).normalize().binarize().matrix(8)
    network.node("Elu")
    return network


NETWORKS = {
    "an operator that FINN does not map": (unmapped_network, r"operator Elu after layer fc1"),
    "a hidden layer without threshold": (relu_network, r"operator MatMul after layer fc0"),
    "weights of two bits": (
        lambda: Network(16).threshold_pixels().matrix(8).normalize().binarize().matrix(4, bits=2),
        r"layer fc1 is not binary",
    ),
    "a threshold at the end": (
        lambda: Network(16).threshold_pixels().matrix(4).normalize().binarize(),
        r"layer fc0 ends in a threshold",
    ),
    "no input threshold": (lambda: Network(16).matrix(4).scale(), r"layer fc0 is not binary"),
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
    board = hwh.read_board()["board"]
    folded = flow.run(bundle.source / "model.onnx", tmp_path, board, 16).dataflow
    with pytest.raises(BuildError, match=r"weight windows end at .*, the board"):
        design.plan(folded, control_bytes=8192, range_bytes=0x10000, max_memories=64)
    with pytest.raises(BuildError, match="5 memories, the control block holds 4"):
        design.plan(folded, control_bytes=8192, range_bytes=1 << 22, max_memories=4)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.onnx", None, "model.onnx is missing"),
        ("model.json", None, "model.json is missing"),
        ("model.json", "{}", "model.json is damaged"),
        ("model.json", "not json", "model.json is damaged"),
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


def test_an_unknown_network_has_no_default_target(tmp_path):
    with pytest.raises(BuildError, match="net has no default target"):
        build(perceptron(16, 8, 4).save(tmp_path / "net"))


def test_command_says_it_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "hls.build", "no-such-network"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("hls.build: ") and done.stderr.count("\n") == 1
