"""Trained networks in files: one bit a weight, floats for the batch norms, a recipe beside them.

``NAME.safetensors`` holds, for layer i, ``layers.i.weight_bits`` (uint8, (MH, ceil(MW / 8)); bit j
of a row, little-endian, is the weight from input j, 1 for +1 and 0 for -1) and for hidden layers
``layers.i.norm_{weight,bias,mean,variance}`` (float32, (MH,)). ``NAME.json`` names the weights'
SHA-256, the recipe, the versions and the accuracy on the full test set. ``model/zoo`` holds ours.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from model.files import write_bytes, write_json
from model.networks import BinaryMLP, NetworkSpec, network, predict

FORMAT = 1
ZOO = Path(__file__).parent / "zoo"
NORM_PARTS = {
    "weight": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "variance": "running_var",
}


def _identity(spec: NetworkSpec) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "network": spec.name,
        "widths": list(spec.widths),
        "input_threshold": spec.input_threshold,
    }


def pack(model: BinaryMLP) -> bytes:
    """Return the contents of ``NAME.safetensors`` for a network."""
    tensors = {}
    for i, linear in enumerate(model.matrices()):
        # As Brevitas binarises: a latent weight of 0 is +1.
        bits = (linear.weight.detach().numpy() >= 0).astype(np.uint8)
        packed = np.packbits(bits, axis=1, bitorder="little")
        tensors[f"layers.{i}.weight_bits"] = torch.from_numpy(packed)
    for i, norm in enumerate(model.batch_norms()):
        for part, attribute in NORM_PARTS.items():
            tensors[f"layers.{i}.norm_{part}"] = getattr(norm, attribute).detach().contiguous()
    return save(tensors, {"spinflow": json.dumps(_identity(model.spec))})


def unpack(path: Path, spec: NetworkSpec) -> BinaryMLP:
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
    model = BinaryMLP(spec)
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(spec.widths)):
        shapes[f"layers.{i}.weight_bits"] = (fan_out, -(-fan_in // 8))
    for i, width in enumerate(spec.widths[1:-1]):
        shapes |= {f"layers.{i}.norm_{part}": (width,) for part in NORM_PARTS}
    for name, shape in shapes.items():
        dtype = torch.uint8 if name.endswith("weight_bits") else torch.float32
        tensor = tensors.get(name)
        if tensor is None or tuple(tensor.shape) != shape or tensor.dtype != dtype:
            raise ValueError(f"{path}: tensor {name} is missing, or not {dtype} of shape {shape}")
    with torch.no_grad():
        for i, linear in enumerate(model.matrices()):
            packed = tensors[f"layers.{i}.weight_bits"].numpy()
            bits = np.unpackbits(packed, axis=1, count=spec.widths[i], bitorder="little")
            linear.weight.copy_(torch.from_numpy(bits.astype(np.float32) * 2 - 1))
        for i, norm in enumerate(model.batch_norms()):
            for part, attribute in NORM_PARTS.items():
                getattr(norm, attribute).copy_(tensors[f"layers.{i}.norm_{part}"])
    return model.eval()


def save_trained(
    model: BinaryMLP,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    facts: dict[str, Any],
    folder: Path,
) -> tuple[Path, Path]:
    """Write a trained network and its recipe, with the accuracy measured from the written file.

    Args:
        model: the trained network.
        images: the full test set, uint8, shape (n, pixels).
        labels: its labels, uint8, shape (n,).
        facts: recipe and other facts for the JSON file.
        folder: where to write ``NAME.safetensors`` and ``NAME.json``.

    Returns:
        The two paths.
    """
    weights, recipe = (folder / f"{model.spec.name}.{end}" for end in ("safetensors", "json"))
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


def load_recipe(name: str, folder: Path = ZOO) -> dict[str, Any]:
    """Return the JSON beside the weights of a network, checked against the weights' SHA-256.

    Raises:
        ValueError: a file is missing, or the two do not belong together.
    """
    spec = network(name)
    weights, recipe = (folder / f"{spec.name}.{end}" for end in ("safetensors", "json"))
    for path in (weights, recipe):
        if not path.is_file():
            raise ValueError(f"{path}: no such file; python -m model.train {name} makes it")
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


def load_trained(name: str, folder: Path = ZOO) -> BinaryMLP:
    """Return a trained network in eval mode.

    Args:
        name: a network of ``model.networks.NETWORKS``.
        folder: where ``NAME.safetensors`` lies.

    Raises:
        ValueError: unknown name, missing file, or one of those of :func:`unpack`.
    """
    spec = network(name)
    weights = folder / f"{spec.name}.safetensors"
    if not weights.is_file():
        raise ValueError(f"{weights}: no such file; python -m model.train {name} makes it")
    return unpack(weights, spec)
