"""Networks survive their files, and a file of another kind is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from brevitas.nn import QuantConv2d, QuantLinear
from safetensors import safe_open
from safetensors.torch import load_file, save

from spinflow.model import store
from spinflow.model.data import Dataset
from spinflow.model.evaluate import evaluate, main
from spinflow.model.networks.base import TrainedNetwork, predict
from spinflow.model.networks.binary import BinaryMLP, BinaryNetwork
from spinflow.model.networks.build import build, untrained
from spinflow.model.networks.graph import NetworkSpec, Spec
from spinflow.model.zoo import network
from tests.model.conftest import COLOUR

LEAST_ACCURACY = {
    "mlp-mnist": 0.984,
    "tfc-mnist": 0.935,
    "lfc-mnist": 0.984,
    "lenet-mnist": 0.989,
    "cnv-cifar10": 0.82,
    "vgg-cifar10": 0.77,
    "mlp-fashion-mnist": 0.875,
    "lenet-fashion-mnist": 0.88,
}
# In fixed point, and with layers of floats.
LEAST_ACCURACY_OF_OTHERS = {
    "lenet-fxp8-mnist": 0.99,
    "lenet-fxp16-mnist": 0.99,
    "lenet4-mnist": 0.988,
}


def random_network(spec: Spec) -> BinaryNetwork:
    """Return a network with batch norms as after training, far from their start values."""
    torch.manual_seed(5)
    model = build(spec)
    with torch.no_grad():
        for layer, norm in zip(spec.weighted, model.batch_norms(), strict=False):
            scale = 100.0 if layer.pixels else 1.0
            norm.weight.uniform_(0.01, 2.0)
            norm.bias.normal_()
            norm.running_mean.normal_(0.0, 20.0 * scale)
            norm.running_var.uniform_(1.0, 500.0 * scale**2)
    return model.eval()


def windows(maps: np.ndarray, kernel: int) -> np.ndarray:
    """Return the kernel x kernel windows of maps: (n, rows, columns, kernel^2 * channels)."""
    seen = np.lib.stride_tricks.sliding_window_view(maps, (kernel, kernel), axis=(1, 2))
    seen = seen.transpose(0, 1, 2, 4, 5, 3)
    return seen.reshape(*seen.shape[:3], -1)


def integer_labels(path: Path, spec: Spec, images: np.ndarray) -> np.ndarray:
    """Labels by XNOR, popcount and `>=` alone, as the contracts say, from the stored file.

    Float64 holds these integers exactly.
    """
    tensors = {name: tensor.numpy() for name, tensor in load_file(path).items()}
    maps = images.reshape(len(images), *spec.layers[0].source).astype(np.float64)
    i = 0
    for layer in spec.layers:
        if layer.op == "threshold":
            assert isinstance(spec, NetworkSpec)
            maps = (maps >= spec.input_threshold).astype(np.float64)
            continue
        if layer.op == "pool":
            n, rows, columns, channels = maps.shape
            squares = maps[:, : rows // 2 * 2, : columns // 2 * 2]
            maps = squares.reshape(n, rows // 2, 2, columns // 2, 2, channels).max(axis=(2, 4))
            continue
        packed = tensors[f"layers.{i}.weight_bits"]
        bits = np.unpackbits(packed, axis=1, count=layer.fan_in, bitorder="little")
        weights = bits.astype(np.float64).T
        if layer.op == "conv":
            # Bit 0 is -1, and pixels are padded with 0.
            frame = (layer.padding, layer.padding)
            maps = windows(np.pad(maps, ((0, 0), frame, frame, (0, 0))), layer.kernel)
        else:
            maps = maps.reshape(len(maps), 1, 1, -1)
        sums = maps @ (2 * weights - 1)
        if not layer.pixels:
            sums = maps @ weights + (1 - maps) @ (1 - weights)
        if f"layers.{i}.norm_mean" not in tensors:
            return sums[:, 0, 0].argmax(axis=1)
        gain, bias, mean, variance = (
            tensors[f"layers.{i}.norm_{part}"].astype(np.float64)
            for part in ("weight", "bias", "mean", "variance")
        )
        threshold = mean - bias * np.sqrt(variance + 1e-5) / gain
        if not layer.pixels:
            threshold = (threshold + layer.fan_in) / 2
        maps = (sums >= np.ceil(threshold)).astype(np.float64)
        i += 1
    raise AssertionError("the last layer has a batch norm")


def colour_images(count: int) -> np.ndarray:
    """Return random images of the colour network, of differing brightness."""
    generator = np.random.default_rng(3)
    top = generator.integers(1, 256, (count, 1))
    return generator.integers(0, top + 1, (count, COLOUR.pixels)).astype(np.uint8)


def test_round_trip(tiny_spec: Spec, tmp_path: Path, small: Dataset) -> None:
    model = random_network(tiny_spec)
    store.save_trained(model, small.test_images, small.test_labels, {"note": 1}, tmp_path)
    loaded = store.load_trained(tiny_spec.name, tmp_path)
    assert not loaded.training
    np.testing.assert_array_equal(
        predict(loaded, small.test_images), predict(model, small.test_images)
    )
    assert store.pack(loaded) == store.pack(model)
    facts = store.load_recipe(tiny_spec.name, tmp_path)
    assert facts["note"] == 1 and facts["test_images"] == 200
    assert evaluate_small(loaded, small) == facts["test_correct"]


def evaluate_small(model: TrainedNetwork, small: Dataset) -> int:
    return int((predict(model, small.test_images) == small.test_labels).sum())


def test_centred_thresholds_change_no_label(tiny_spec: Spec, small: Dataset) -> None:
    model = random_network(tiny_spec)
    before, thresholds = predict(model, small.train_images), model.thresholds()
    model.centre_thresholds()
    np.testing.assert_array_equal(predict(model, small.train_images), before)
    for layer, norm, whole, after in zip(
        tiny_spec.weighted, model.batch_norms(), thresholds, model.thresholds(), strict=False
    ):
        np.testing.assert_array_equal(after, whole)
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        crossing = (norm.running_mean - norm.bias / gain).detach().numpy()
        if not layer.pixels:
            crossing = (crossing + layer.fan_in) / 2
        np.testing.assert_allclose(crossing, whole - 0.5, atol=0.01 if layer.pixels else 1e-3)


def test_maps_are_in_the_order_of_the_pixels(tmp_path: Path) -> None:
    """Row, column, channel everywhere outside torch: images, weights, the flattened map."""
    images = colour_images(200)
    model = untrained(COLOUR, 7)
    path = tmp_path / "colour.safetensors"
    path.write_bytes(store.pack(model))
    labels = predict(model, images)
    assert len(np.unique(labels)) > 3
    np.testing.assert_array_equal(integer_labels(path, COLOUR, images), labels)
    np.testing.assert_array_equal(predict(store.unpack(path, COLOUR), images), labels)
    for layer, bits in zip(COLOUR.weighted, model.bits(), strict=True):
        assert bits.shape == layer.weight_shape
    # The weight from red of the middle pixel to output 2 alone.
    lone = [np.zeros_like(value) for value in model.bits()]
    lone[0][2, 1, 1, 0] = 1
    model.set_bits(lone)
    weight = model.matrices()[0].weight
    assert (weight == 1).nonzero().tolist() == [[2, 0, 1, 1]]


def test_layers_of_the_known_networks() -> None:
    shapes = {layer.name: layer.result for layer in network("cnv-cifar10").layers}
    assert shapes == {
        "conv0": (30, 30, 64), "conv1": (28, 28, 64), "pool1": (14, 14, 64),
        "conv2": (12, 12, 128), "conv3": (10, 10, 128), "pool3": (5, 5, 128),
        "conv4": (3, 3, 256), "conv5": (1, 1, 256),
        "fc0": (1, 1, 512), "fc1": (1, 1, 512), "fc2": (1, 1, 10),
    }  # fmt: skip
    lenet = network("lenet-mnist")
    assert [(layer.name, layer.result) for layer in lenet.layers] == [
        ("conv0", (24, 24, 32)), ("pool0", (12, 12, 32)), ("conv1", (8, 8, 64)),
        ("pool1", (4, 4, 64)), ("fc0", (1, 1, 512)), ("fc1", (1, 1, 10)),
    ]  # fmt: skip
    assert [layer.fan_in for layer in lenet.weighted] == [25, 800, 1024, 512]
    assert [layer.pixels for layer in lenet.weighted] == [True, False, False, False]
    assert [layer.sign for layer in lenet.weighted] == [True, True, True, False]
    lfc = network("lfc-mnist").layers
    assert [(layer.name, layer.op) for layer in lfc] == [
        ("input", "threshold"), ("fc0", "linear"), ("fc1", "linear"), ("fc2", "linear"),
        ("fc3", "linear"),
    ]  # fmt: skip
    assert [layer.result[2] for layer in lfc] == [784, 1024, 1024, 1024, 10]


@pytest.mark.parametrize("spec", [COLOUR, network("tfc-mnist")], ids=lambda spec: spec.name)
def test_untrained_networks_are_balanced(spec: Spec) -> None:
    state = torch.get_rng_state()
    model, again, other = (untrained(spec, seed) for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), state)
    assert store.pack(model) == store.pack(again) != store.pack(other)
    images = np.random.default_rng(1).integers(0, 256, (200, spec.pixels), dtype=np.uint8)
    shares = []
    for sign in model.signs:
        sign.register_forward_hook(
            lambda *seen: shares.append(float((seen[2] == 1).float().mean()))
        )
    predict(model, images)
    assert len(shares) == len(model.batch_norms())
    assert all(0.1 < share < 0.9 for share in shares), shares
    with pytest.raises(ValueError, match="seed is -1, valid: "):
        untrained(spec, -1)


def test_ties_take_the_lowest_label(tiny: NetworkSpec, small: Dataset) -> None:
    model = random_network(tiny)
    with torch.no_grad():
        for matrix in model.matrices():
            matrix.weight.fill_(1.0)
    assert predict(model, small.test_images).tolist() == [0] * len(small.test_images)


@pytest.mark.parametrize("name", LEAST_ACCURACY)
def test_layers_are_what_the_contracts_say(name: str) -> None:
    """±1 everywhere, and an MLP's input threshold is exact to one grey value."""
    model = store.load_trained(name)
    if isinstance(model, BinaryMLP):
        t = model.spec.input_threshold
        grey = torch.tensor([[0.0, t - 1.0, float(t), 255.0]])
        assert model.binarize(grey - model.input_offset).tolist() == [[-1.0, -1.0, 1.0, 1.0]]
    for layer in model.linears:
        assert isinstance(layer, QuantLinear | QuantConv2d)
        assert set(layer.quant_weight().value.unique().tolist()) == {-1.0, 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST_ACCURACY)
def test_equals_integers_alone(name: str, mnist: Dataset) -> None:
    spec = network(name)
    images = mnist.test_images[:1000]
    if spec.name == "vgg-cifar10":
        # Ten times the work an image of the CNV.
        images = images[:80]
    if spec.pixels != 784:
        # Four digits in a picture: what counts is that their sums are spread.
        corners = images[:400].reshape(-1, 4, 784)[:, :, 4:772]
        images = np.ascontiguousarray(corners).reshape(-1, 3072)
    expected = integer_labels(store.ZOO / f"{name}.safetensors", spec, images)
    np.testing.assert_array_equal(predict(store.load_trained(name), images), expected)


def to_measure() -> dict[str, float]:
    """Least accuracies by name. Brevitas takes minutes for the VGG: that is for the full run."""
    found = LEAST_ACCURACY | LEAST_ACCURACY_OF_OTHERS
    if os.environ.get("SPINFLOW_FULL") != "1":
        del found["vgg-cifar10"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), to_measure().items())
def test_accuracy_on_the_full_test_set(name: str, least: float) -> None:
    correct, images = evaluate(name)
    assert images == 10000
    assert correct / images >= least


def test_evaluation_notices_another_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in store.ZOO.glob("tfc-mnist.*"):
        shutil.copy(path, tmp_path)
    recipe = tmp_path / "tfc-mnist.json"
    facts = json.loads(recipe.read_text())
    correct = facts["test_correct"] + 1
    recipe.write_text(
        json.dumps(facts | {"test_correct": correct, "test_accuracy": correct / 10000})
    )
    assert main(["tfc-mnist", "--folder", str(tmp_path)]) == 1
    line = capsys.readouterr().err
    assert line.startswith(f"spinflow: tfc-mnist: {facts['test_correct']} of 10000")


def test_refuses_other_files(tmp_path: Path) -> None:
    target = tmp_path / "tfc-mnist.safetensors"
    with pytest.raises(ValueError, match="no such file"):
        store.load_trained("tfc-mnist", tmp_path)
    shutil.copy(store.ZOO / "mlp-mnist.safetensors", target)
    with pytest.raises(ValueError, match="network is 'mlp-mnist', expected 'tfc-mnist'"):
        store.load_trained("tfc-mnist", tmp_path)
    torch.save({"weight": torch.zeros(3)}, target)
    with pytest.raises(ValueError, match="pickled checkpoints are refused"):
        store.load_trained("tfc-mnist", tmp_path)
    whole = (store.ZOO / "tfc-mnist.safetensors").read_bytes()
    target.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="not a safetensors file, or damaged"):
        store.load_trained("tfc-mnist", tmp_path)
    with pytest.raises(
        ValueError, match="unknown network 'vgg'; known: alexnet-imagenet, cnn-cifar10, "
    ):
        store.load_trained("vgg", tmp_path)


def test_weights_and_recipe_belong_together(tmp_path: Path) -> None:
    for path in store.ZOO.glob("tfc-mnist.*"):
        shutil.copy(path, tmp_path)
    weights = tmp_path / "tfc-mnist.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"tfc-mnist\.json expects"):
        store.load_recipe("tfc-mnist", tmp_path)
    (tmp_path / "tfc-mnist.json").write_text("{")
    with pytest.raises(ValueError, match="damaged, not JSON"):
        store.load_recipe("tfc-mnist", tmp_path)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 783), np.uint8),
        np.zeros((2, 28, 28), np.uint8),
        np.zeros((2, 784), np.float32),
    ],
)
def test_predict_refuses_other_images(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 of shape \(n, 784\)"):
        predict(store.load_trained("tfc-mnist"), images)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layers.0.norm_mean", float("nan"), "holds NaN or infinity"),
        ("layers.0.norm_bias", float("-inf"), "holds NaN or infinity"),
        ("layers.1.norm_variance", -1.0, "holds a variance below 0"),
        ("layers.9.norm_mean", 0.0, "which the network has not"),
    ],
)
def test_numbers_that_are_no_weights(tmp_path: Path, name: str, value: float, message: str) -> None:
    path = tmp_path / "tfc-mnist.safetensors"
    whole = store.ZOO / path.name
    with safe_open(whole, "pt") as file:
        facts = file.metadata()
    tensors = load_file(whole)
    tensors[name] = tensors.get(name, torch.zeros(64)).clone()
    tensors[name][3] = value
    path.write_bytes(save(tensors, facts))
    with pytest.raises(ValueError, match=message):
        store.load_trained("tfc-mnist", tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": [784, 64, 10]}, "widths is \\[784, 64, 10\\], that of tfc-mnist is"),
        ({"test_accuracy": 2.0}, "do not belong together"),
        ({"test_images": 0}, "do not belong together"),
        ({"recipe": {"epochs": "1"}}, "recipe.epochs is '1'"),
    ],
)
def test_recipes_of_another_network(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    for path in store.ZOO.glob("tfc-mnist.*"):
        shutil.copy(path, tmp_path)
    recipe = tmp_path / "tfc-mnist.json"
    recipe.write_text(json.dumps(json.loads(recipe.read_text()) | changes))
    with pytest.raises(ValueError, match=message):
        store.load_recipe("tfc-mnist", tmp_path)


def test_a_label_is_no_path() -> None:
    with pytest.raises(ValueError, match="a label has letters, digits"):
        store.load_trained("tfc-mnist+../../x")
