"""Networks survive their files, and a file of another kind is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from brevitas.nn import QuantLinear
from safetensors.torch import load_file

from model import store
from model.data import Dataset
from model.evaluate import evaluate, main
from model.networks import NETWORKS, BinaryMLP, NetworkSpec, network, predict

LEAST_ACCURACY = {"mlp-mnist": 0.984, "tfc-mnist": 0.935}


def random_network(spec: NetworkSpec) -> BinaryMLP:
    """Return a network with batch norms as after training, far from their start values."""
    torch.manual_seed(5)
    model = BinaryMLP(spec)
    with torch.no_grad():
        for norm in model.batch_norms():
            assert norm.running_mean is not None and norm.running_var is not None
            norm.weight.uniform_(0.01, 2.0)
            norm.bias.normal_()
            norm.running_mean.normal_(0.0, 20.0)
            norm.running_var.uniform_(1.0, 500.0)
    return model.eval()


def integer_labels(path: Path, spec: NetworkSpec, images: np.ndarray) -> np.ndarray:
    """Labels by XNOR, popcount and `>=` alone, as the contracts say, from the stored file."""
    tensors = {name: tensor.numpy() for name, tensor in load_file(path).items()}
    bits = (images >= spec.input_threshold).astype(np.int64)
    for i, fan_in in enumerate(spec.widths[:-1]):
        packed = tensors[f"layers.{i}.weight_bits"]
        weights = np.unpackbits(packed, axis=1, count=fan_in, bitorder="little").astype(np.int64)
        popcount = bits @ weights.T + (1 - bits) @ (1 - weights).T
        if f"layers.{i}.norm_mean" not in tensors:
            return popcount.argmax(axis=1)
        gain, bias, mean, variance = (
            tensors[f"layers.{i}.norm_{part}"].astype(np.float64)
            for part in ("weight", "bias", "mean", "variance")
        )
        crossing = mean - bias * np.sqrt(variance + 1e-5) / gain
        threshold = np.clip(np.ceil((crossing + fan_in) / 2), 0, fan_in + 1)
        bits = (popcount >= threshold).astype(np.int64)
    raise AssertionError("the last layer has a batch norm")


def test_round_trip(tiny: NetworkSpec, tmp_path: Path, small: Dataset) -> None:
    model = random_network(tiny)
    store.save_trained(model, small.test_images, small.test_labels, {"note": 1}, tmp_path)
    loaded = store.load_trained("tiny", tmp_path)
    assert not loaded.training
    np.testing.assert_array_equal(
        predict(loaded, small.test_images), predict(model, small.test_images)
    )
    assert store.pack(loaded) == store.pack(model)
    facts = store.load_recipe("tiny", tmp_path)
    assert facts["note"] == 1 and facts["test_images"] == 200
    assert evaluate_small(loaded, small) == facts["test_correct"]


def evaluate_small(model: BinaryMLP, small: Dataset) -> int:
    return int((predict(model, small.test_images) == small.test_labels).sum())


def test_centred_thresholds_change_no_label(tiny: NetworkSpec, small: Dataset) -> None:
    model = random_network(tiny)
    before = predict(model, small.train_images)
    model.centre_thresholds()
    np.testing.assert_array_equal(predict(model, small.train_images), before)
    for fan_in, norm in zip(tiny.widths, model.batch_norms(), strict=False):
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        crossing = ((norm.running_mean - norm.bias / gain + fan_in) / 2).detach().numpy()
        np.testing.assert_allclose(crossing % 1, 0.5, atol=1e-3)


def test_ties_take_the_lowest_label(tiny: NetworkSpec, small: Dataset) -> None:
    model = random_network(tiny)
    with torch.no_grad():
        for matrix in model.matrices():
            matrix.weight.fill_(1.0)
    assert predict(model, small.test_images).tolist() == [0] * len(small.test_images)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_layers_are_what_the_contracts_say(name: str) -> None:
    """±1 everywhere, and the input's threshold is exact to one grey value."""
    model = store.load_trained(name)
    t = model.spec.input_threshold
    grey = torch.tensor([[0.0, t - 1.0, float(t), 255.0]])
    assert model.binarize(grey - model.input_offset).tolist() == [[-1.0, -1.0, 1.0, 1.0]]
    for layer in model.linears:
        assert isinstance(layer, QuantLinear)
        assert set(layer.quant_weight().value.unique().tolist()) == {-1.0, 1.0}


@pytest.mark.parametrize("name", list(NETWORKS))
def test_equals_integers_alone(name: str, mnist: Dataset) -> None:
    images = mnist.test_images[:1000]
    expected = integer_labels(store.ZOO / f"{name}.safetensors", network(name), images)
    np.testing.assert_array_equal(predict(store.load_trained(name), images), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(NETWORKS))
def test_accuracy_on_the_full_test_set(name: str) -> None:
    correct, images = evaluate(name)
    assert images == 10000
    assert correct / images >= LEAST_ACCURACY[name]


def test_evaluation_notices_another_accuracy(tmp_path: Path) -> None:
    for path in store.ZOO.glob("tfc-mnist.*"):
        shutil.copy(path, tmp_path)
    recipe = tmp_path / "tfc-mnist.json"
    facts = json.loads(recipe.read_text())
    recipe.write_text(json.dumps(facts | {"test_correct": facts["test_correct"] + 1}))
    with pytest.raises(SystemExit, match=rf"error: tfc-mnist: {facts['test_correct']} of 10000"):
        main(["tfc-mnist", "--folder", str(tmp_path)])


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
    with pytest.raises(ValueError, match="unknown network 'vgg'; known: mlp-mnist, tfc-mnist"):
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
