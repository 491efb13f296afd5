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
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from model.files import write_bytes, write_json
from model.networks.base import TrainedNetwork, predict
from model.networks.build import build
from model.networks.graph import NetworkSpec, Spec
from model.zoo import network

FORMAT = 1
ZOO = Path(__file__).parent / "zoo"
NORM_PARTS = {
    "weight": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


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
    try:
        with safe_open(path, "pt") as file:
            found = json.loads((file.metadata() or {}).get("spinflow", "{}"))
            tensors = {key: file.get_tensor(key) for key in list(file.keys())}
    except (SafetensorError, json.JSONDecodeError):
        raise ValueError(
            f"{path}: not a safetensors file, or damaged; "
            "pickled checkpoints are refused, since reading one can run any code"
        ) from None
    for key, expected in _identity(spec).items():
        if found.get(key) != expected:
            raise ValueError(
                f"{path}: {key} is {found.get(key)!r}, expected {expected!r} for {spec.name}"
            )
    model: TrainedNetwork = build(spec)
    for name, like in _tensors(model).items():
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != like.shape or tensor.dtype != like.dtype:
            raise ValueError(
                f"{path}: tensor {name} is missing, or not {like.dtype} "
                f"of shape {tuple(like.shape)}"
            )
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
    weights, recipe = _paths(name, folder)
    write_bytes(weights, pack(model))
    correct = int((predict(unpack(weights, model.spec), images) == labels).sum())
    write_json(
        recipe,
        {
            **_identity(model.spec),
            "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "test_accuracy": correct / len(labels),
            "test_images": len(labels),
            "test_correct": correct,
            **facts,
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in ("torch", "brevitas", "numpy", "safetensors")},
            },
        },
    )
    return weights, recipe


def _paths(name: str, folder: Path) -> tuple[Path, Path]:
    """Weights and recipe of a network or variant; ValueError for an unknown network."""
    network(name)
    return folder / f"{name}.safetensors", folder / f"{name}.json"


def _expect_file(path: Path, name: str) -> None:
    if not path.is_file():
        base, plus, label = name.partition("+")
        command = f"python -m model.train {base}" + (f" --label {label}" if plus else "")
        raise ValueError(f"{path}: no such file; {command} makes it")


def load_recipe(name: str, folder: Path = ZOO) -> dict[str, Any]:
    """Return the JSON beside the weights of a network, checked against the weights' SHA-256.

    Args:
        name: a network of ``model.zoo.NETWORKS``, or a variant of one.
        folder: where the files lie.

    Raises:
        ValueError: unknown network, a file is missing, or the two do not belong together.
    """
    weights, recipe = _paths(name, folder)
    for path in (weights, recipe):
        _expect_file(path, name)
    try:
        facts: dict[str, Any] = json.loads(recipe.read_text())
    except ValueError as error:
        raise ValueError(f"{recipe}: damaged, not JSON ({error})") from None
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if facts.get("weights_sha256") != digest:
        raise ValueError(
            f"{weights}: SHA-256 {digest}, but {recipe.name} expects {facts.get('weights_sha256')}"
        )
    return facts


def load_trained(name: str, folder: Path = ZOO) -> TrainedNetwork:
    """Return a trained network in eval mode.

    Args:
        name: a network of ``model.zoo.NETWORKS``, or a variant of one.
        folder: where ``NAME.safetensors`` lies.

    Raises:
        ValueError: unknown name, missing file, or one of those of :func:`unpack`.
    """
    weights, _ = _paths(name, folder)
    _expect_file(weights, name)
    return unpack(weights, network(name))
