"""What a build has to know of a network's training: `model.json` beside `model.onnx`, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spinflow.hls.paths import REPO, BuildError, sha256_file
from spinflow.host.core.description import TEST_SET
from spinflow.host.core.reading import read_json
from spinflow.host.core.text import shown

NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}", re.ASCII)
"""What the name of a network or of a data set may be."""


@dataclass(frozen=True)
class Trained:
    """The training of a network.

    Attributes:
        dataset: the images that it was trained on.
        accuracy: share of the test images that it gets right.
        images: how many test images.
        cycles: the network's own target in cycles a frame, None if it has none.
        test_sha256: of test.npz beside it, the test set that a bundle carries; empty without one.
    """

    dataset: str
    accuracy: float
    images: int
    cycles: int | None
    test_sha256: str = ""


def read_trained(source: Path) -> Trained:
    """Read a network's model.json, and check that it is of model.onnx.

    Args:
        source: folder of both.

    Raises:
        BuildError: one of them is missing, or model.json is damaged or of another model.onnx.
    """
    _check_exported(source)
    path = source / "model.json"
    found = read_json(path, 1 << 20, BuildError)
    dataset: Any = found.get("dataset")
    accuracy: Any = found.get("accuracy")
    images: Any = found.get("images")
    if not isinstance(dataset, str) or not NAME.fullmatch(dataset):
        raise BuildError(f"{path} is damaged: dataset is {shown(dataset)}, a name is expected")
    if "accuracy" in found and accuracy is None and images is None:
        raise BuildError(
            f"{path} says that the weights are random: a bundle needs a trained network, of a "
            "known accuracy"
        )
    is_number = isinstance(accuracy, (int, float)) and not isinstance(accuracy, bool)
    is_count = isinstance(images, int) and not isinstance(images, bool)
    if not (is_number and is_count and 0 <= accuracy <= 1 and images >= 1):
        raise BuildError(
            f"{path} is damaged: accuracy {shown(accuracy)} on {shown(images)} images; a number "
            "from 0 to 1 and a whole number above 0 are expected"
        )
    if "onnx_sha256" in found and found["onnx_sha256"] != sha256_file(source / "model.onnx"):
        raise BuildError(f"{path} is of another model.onnx: export the network again")
    cycles = found.get("cycles")
    if cycles is not None and (type(cycles) is not int or cycles < 1):
        raise BuildError(
            f"{path} is damaged: cycles is {shown(cycles)}, a whole number above 0 is expected"
        )
    return Trained(dataset, accuracy, images, cycles, _test_set(path, found.get("test_set")))


def _test_set(path: Path, found: Any) -> str:
    """Return the SHA-256 of the test set that model.json names; empty if it names none."""
    if found is None:
        return ""
    digest = found.get("sha256") if isinstance(found, dict) else None
    if digest is None or found.get("file") != TEST_SET:
        raise BuildError(
            f"{path} is damaged: test_set is {shown(found)}, the file {TEST_SET} and its sha256 "
            "are expected"
        )
    if not (path.parent / TEST_SET).is_file():
        raise BuildError(f"{path.parent / TEST_SET} is missing: import or export the network again")
    if sha256_file(path.parent / TEST_SET) != digest:
        raise BuildError(f"{path} is of another {TEST_SET}: import or export the network again")
    return str(digest)


def _check_exported(source: Path) -> None:
    for name in ("model.onnx", "model.json"):
        if not (source / name).exists():
            known = [entry.stem for entry in (REPO / "model" / "zoo").glob("*.toml")]
            near = get_close_matches(source.name, known, 1, 0.75)
            meant = f" (is {near[0]} meant?)" if near and near[0] != source.name else ""
            raise BuildError(
                f"{source / name} is missing: export the network first, spinflow export{meant}"
            )
