"""Trained networks in files: one bit a weight, floats for the batch norms, a recipe beside them.

``NAME.safetensors`` holds, for the i-th layer with weights, ``layers.i.weight_bits`` (uint8,
(MH, ceil(MW / 8)); bit j of a row, little-endian, is the weight from input j, 1 for +1 and 0 for
-1) and for hidden layers ``layers.i.norm_{weight,bias,mean,variance}`` (float32, (MH,)). The inputs
of a convolution's sum, and those of a matrix that takes a map, are in the order (row, column,
channel). Of a fixed-point network ``layers.i.weight_codes`` (int8, int16 or int32) has the shape
and order of torch's weights, (MH, channels, rows, columns) or (MH, MW). So do ``weight`` and
``bias`` (float32) of a layer of floats in a network of ``model.networks.xnor``, where each layer
has a norm.

``NAME.json`` names the weights' SHA-256, the recipe, the versions and the accuracy on the full test
set. ``model/zoo`` holds ours. A network trained in another way is a variant with a label, in
``NETWORK+LABEL.safetensors``, for example ``mlp-mnist+weights-1e-2``.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from spinflow.host.core.files import replace_bytes
from spinflow.host.core.reading import read_bytes, read_json
from spinflow.host.core.text import shown
from spinflow.model import zoo
from spinflow.model.files import MOST_BYTES, check_tensors, read_tensors, write_json
from spinflow.model.networks.base import TrainedNetwork, predict
from spinflow.model.networks.build import build
from spinflow.model.networks.graph import NetworkSpec, Spec
from spinflow.model.zoo import Found, find, how_to_train

FORMAT = 1
ZOO = zoo.ZOO
"""Where the trained networks of this repository lie."""

NORM_PARTS = {
    "weight": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


_MEASURED = ("correct", "images", "accuracy")


def _identity(spec: Spec) -> dict[str, Any]:
    common: dict[str, Any] = {"format": FORMAT, "network": spec.name}
    if isinstance(spec, NetworkSpec):
        return common | {"widths": list(spec.widths), "input_threshold": spec.input_threshold}
    return common | {
        "shape": list(spec.shape),
        "layers": [
            [layer.name, *layer.weight_shape] if layer.op != "pool" else [layer.name, layer.kernel]
            for layer in spec.layers
        ],
    }


def pack(model: TrainedNetwork) -> bytes:
    """Return the contents of ``NAME.safetensors`` for a network."""
    return save(_tensors(model), {"spinflow": json.dumps(_identity(model.spec))})


def _tensors(model: TrainedNetwork) -> dict[str, torch.Tensor]:
    tensors = model.weight_tensors()
    for i, norm in enumerate(model.batch_norms()):
        for part, attribute in NORM_PARTS.items():
            tensors[f"layers.{i}.norm_{part}"] = getattr(norm, attribute).detach()
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def unpack(path: Path, spec: Spec) -> TrainedNetwork:
    """Read ``NAME.safetensors`` into a Brevitas network in eval mode.

    Raises:
        ValueError: the file is not safetensors (a pickled checkpoint, say), is damaged, or holds
            another network than ``spec``.
    """
    found, tensors = read_tensors(path, "a safetensors file")
    for key, expected in _identity(spec).items():
        if found.get(key) != expected:
            raise ValueError(
                f"{path}: {key} is {shown(found.get(key))}, expected {shown(expected)} for "
                f"{spec.name}"
            )
    model: TrainedNetwork = build(spec)
    check_tensors(path, tensors, _tensors(model))
    for name, tensor in tensors.items():
        if name.endswith(".norm_variance") and (tensor < 0).any():
            raise ValueError(f"{path}: tensor {name} holds a variance below 0")
    model.set_weight_tensors(tensors)
    with torch.no_grad():
        for i, norm in enumerate(model.batch_norms()):
            for part, attribute in NORM_PARTS.items():
                getattr(norm, attribute).copy_(tensors[f"layers.{i}.norm_{part}"])
    return model.eval()


def save_trained(
    model: TrainedNetwork,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    facts: dict[str, Any],
    folder: Path,
    *,
    label: str = "",
) -> tuple[Path, Path]:
    """Write a trained network and its recipe, with the accuracy measured from the written file.

    Args:
        model: the trained network.
        images: the full test set, uint8, shape (n, pixels).
        labels: its labels, uint8, shape (n,).
        facts: recipe and other facts for the JSON file.
        folder: where to write ``NAME.safetensors`` and ``NAME.json``.
        label: of a variant; without one NAME is the network's.

    Returns:
        The two paths.
    """
    name = f"{model.spec.name}+{label}" if label else model.spec.name
    weights, recipe = files_of(name, folder)
    write_weights(weights, model)
    found = measured(unpack(weights, model.spec), images, labels)
    write_facts(recipe, weights, model.spec, found | facts)
    return weights, recipe


def write_weights(path: Path, model: TrainedNetwork) -> None:
    """Write the weights of a network to a file."""
    replace_bytes(path, pack(model))


def measured(
    model: TrainedNetwork, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> dict[str, Any]:
    """Return what the JSON file says of the test set, measured on it.

    Args:
        model: the network, as it was read from its file.
        images: the full test set, uint8, shape (n, pixels).
        labels: its labels, uint8, shape (n,).
    """
    correct = int((predict(model, images) == labels).sum())
    return {
        "test_accuracy": correct / len(labels),
        "test_images": len(labels),
        "test_correct": correct,
    }


def write_facts(path: Path, weights: Path, spec: Spec, facts: dict[str, Any]) -> None:
    """Write the JSON file of a network.

    Args:
        path: of the JSON file.
        weights: the file of its weights, whose SHA-256 it names.
        spec: of the network.
        facts: accuracy, recipe and whatever else is to be known of it.
    """
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    packages = ("torch", "brevitas", "numpy", "safetensors")
    versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
    write_json(path, {**_identity(spec), "weights_sha256": digest, **facts, "versions": versions})


def files_of(name: str, folder: Path) -> tuple[Path, Path]:
    """Return the paths of the weights and of the JSON file of a network or variant."""
    return folder / f"{name}.safetensors", folder / f"{name}.json"


def _expect_file(path: Path, found: Found) -> None:
    if not path.exists():
        folder = None if path.parent == found.folder else path.parent
        raise ValueError(f"{path}: no such file; {how_to_train(found.name, folder)} makes it")


def load_recipe(name: str, folder: Path | None = None) -> dict[str, Any]:
    """Return the JSON beside the weights of a network, checked against the weights' SHA-256.

    Args:
        name: a network or a variant of one, as ``spinflow.model.zoo.find`` takes it.
        folder: where the files lie; that of its description if None.

    Raises:
        ValueError: unknown network, a file is missing, or the two do not belong together.
    """
    found = find(name)
    weights, recipe = files_of(found.name, folder or found.folder)
    for path in (weights, recipe):
        _expect_file(path, found)
    facts = read_json(recipe, 1 << 20, ValueError)
    digest = hashlib.sha256(read_bytes(weights, MOST_BYTES, ValueError)).hexdigest()
    if facts.get("weights_sha256") != digest:
        raise ValueError(
            f"{weights}: SHA-256 {digest}, but {recipe.name} expects "
            f"{shown(facts.get('weights_sha256'))}"
        )
    for key, expected in _identity(found.entry.spec).items():
        if facts.get(key) != expected:
            raise ValueError(
                f"{recipe}: {key} is {shown(facts.get(key))}, that of {found.name} is "
                f"{shown(expected)}"
            )
    correct, images, accuracy = (facts.get(f"test_{key}") for key in _MEASURED)
    if not (
        type(correct) is type(images) is int
        and 0 <= correct <= images
        and images
        and accuracy == correct / images
    ):
        raise ValueError(
            f"{recipe}: {shown(correct)} of {shown(images)} test images right and an accuracy of "
            f"{shown(accuracy)} do not belong together"
        )
    training = facts.get("recipe", {"epochs": 1})
    epochs = training.get("epochs") if isinstance(training, dict) else None
    if type(epochs) is not int or epochs < 1:
        raise ValueError(f"{recipe}: recipe.epochs is {shown(epochs)}, a whole number is expected")
    return facts


def load_trained(name: str, folder: Path | None = None) -> TrainedNetwork:
    """Return a trained network in eval mode.

    Args:
        name: a network or a variant of one, as ``spinflow.model.zoo.find`` takes it.
        folder: where ``NAME.safetensors`` lies; that of its description if None.

    Raises:
        ValueError: unknown name, missing file, or one of those of :func:`unpack`.
    """
    found = find(name)
    weights, _ = files_of(found.name, folder or found.folder)
    _expect_file(weights, found)
    return unpack(weights, found.entry.spec)
