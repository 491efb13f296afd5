"""Tensors and facts in safetensors files, read with suspicion; files written in one step."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinflow.host.core.files import replace_bytes
from spinflow.host.core.reading import opened
from spinflow.host.core.text import shown

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES = 1 << 30
"""Bytes of the largest file of a network that is read."""


def read_tensors(
    path: Path, kind: str, most: int = MOST_BYTES
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a safetensors file with the facts that this project keeps in one.

    Args:
        path: of the file.
        kind: what it is to be, in words, for the error.
        most: bytes that it may have.

    Returns:
        The facts, and the tensors by name. Their numbers are finite.

    Raises:
        ValueError: it cannot be read, is something else (a pickled checkpoint, say), or is damaged.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    with opened(path, ValueError) as plain:
        size = os.fstat(plain.fileno()).st_size
    if size > most:
        raise ValueError(f"{path}: {size} bytes, {kind} has {most} at most")
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["spinflow"])
            tensors = {key: file.get_tensor(key) for key in list(file.keys())}
        if not isinstance(facts, dict):
            raise TypeError("no facts")
    except (
        *(SafetensorError, KeyError, TypeError, ValueError, AttributeError),
        *(RuntimeError, RecursionError),
    ):
        raise ValueError(
            f"{path}: not {kind}, or damaged; "
            "pickled checkpoints are refused, since reading one can run any code"
        ) from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"{path}: tensor {shown(name)} holds NaN or infinity")
    return facts, tensors


def check_tensors(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise ValueError unless a file's tensors are those wanted, in name, type and shape."""
    for name, like in wanted.items():
        tensor = found.get(name)
        if tensor is None or tensor.shape != like.shape or tensor.dtype != like.dtype:
            raise ValueError(
                f"{path}: tensor {name} is missing, or not {like.dtype} "
                f"of shape {tuple(like.shape)}"
            )
    extra = sorted(found.keys() - wanted.keys())
    if extra:
        raise ValueError(f"{path}: there is a tensor {shown(extra[0])}, which the network has not")


def write_json(path: Path, content: Any) -> None:
    """Write an object as indented JSON, in one step."""
    replace_bytes(path, (json.dumps(content, indent=2) + "\n").encode())
