"""Export of a network as QONNX, the form in which FINN takes it.

    spinflow export tfc-mnist
    spinflow export nets/my.toml
    spinflow export cnv-cifar10 --untrained 1 --out out/untrained/model.onnx

The graph takes pixels 0 to 255, datatype UINT8, and gives the logits, (1, classes). Pixels are
(1, pixels) for an MLP and (1, channels, rows, columns) for a convolutional network. Beside it
``model.json`` names the network, the shape of its images in the order in which pixels are streamed
to the hardware, its software accuracy, the cycles that a frame may take by default and the SHA-256
of graph and weights. Of a network with random weights the accuracy and what belongs to it are null.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model

from spinflow.host.core import start
from spinflow.host.core.description import TEST_SET
from spinflow.host.core.files import replace_bytes
from spinflow.host.core.options import seed
from spinflow.host.core.own_tests import OwnTests, pack
from spinflow.host.core.reading import read_json
from spinflow.host.core.sources import WORK
from spinflow.host.core.text import shown
from spinflow.model.data import is_own, own_tests
from spinflow.model.data.own import name_of
from spinflow.model.files import write_json
from spinflow.model.networks.base import TrainedNetwork, to_input
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import NetworkSpec, is_binary
from spinflow.model.store import load_recipe, load_trained
from spinflow.model.zoo import ENTRIES, Found, find

with warnings.catch_warnings():
    # It warns at import of an accelerator that these networks do not use.
    warnings.simplefilter("ignore")
    from brevitas.export import export_qonnx


def to_qonnx(model: TrainedNetwork) -> ModelWrapper:
    """Return the cleaned QONNX graph of a binary network, its input annotated as UINT8."""
    pixels = to_input(model.spec, torch.zeros(1, model.spec.pixels))
    # Below an error torch.onnx only tells of packages that these networks do not use.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        # Tracing warns of Python branches on tensors; the shapes here are fixed.
        warnings.simplefilter("ignore")
        path = str(Path(scratch) / "model.onnx")
        export_qonnx(model.eval(), pixels, path, verbose=False)
        graph = cleanup_model(ModelWrapper(path))
    graph.set_tensor_datatype(graph.graph.input[0].name, DataType["UINT8"])
    return graph


def export(
    name: str,
    out: Path,
    folder: Path | None = None,
    untrained_seed: int | None = None,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Write the QONNX graph of a network, and ``model.json`` beside it.

    Args:
        name: a network or a variant of one, as ``spinflow.model.zoo.find`` takes it.
        out: path of the graph to write.
        folder: where the trained files lie; that of its description if None.
        untrained_seed: export random weights of this seed instead, as
            ``spinflow.model.networks.build.untrained`` makes them; ``folder`` is not read then.
        data_dir: where own data lie, whose test part goes beside the graph as ``test.npz``.

    Returns:
        What ``model.json`` holds.

    Raises:
        ValueError: the network is not wholly binary, another network of its name lies there, or
            one of those of ``spinflow.model.store.load_recipe``, ``load_trained`` and
            ``untrained``.
    """
    found = find(name)
    spec = found.entry.spec
    if not is_binary(spec):
        raise ValueError(f"{name} is not wholly binary: the hardware cannot take it")
    _check_place(found, out.with_name("model.json"))
    recipe: dict[str, Any] = {}
    if untrained_seed is None:
        recipe = load_recipe(name, folder)
        model = load_trained(name, folder)
    else:
        model = untrained(spec, untrained_seed)
    content = to_qonnx(model).model.SerializeToString()
    tests = own_tests(spec.dataset, data_dir) if untrained_seed is None else None
    facts = _facts(found, recipe, tests)
    facts["onnx_sha256"] = hashlib.sha256(content).hexdigest()
    replace_bytes(out, content)
    if tests is not None:
        packed = pack(tests)
        replace_bytes(out.with_name(TEST_SET), packed)
        digest = hashlib.sha256(packed).hexdigest()
        facts["test_set"] = {"file": TEST_SET, "sha256": digest, "title": tests.title}
    write_json(out.with_name("model.json"), facts)
    return facts


def _facts(found: Found, recipe: Mapping[str, Any], tests: OwnTests | None) -> dict[str, Any]:
    """Return what model.json says of a network and its training."""
    spec = found.entry.spec
    facts: dict[str, Any] = {
        "network": found.name,
        "dataset": _name_of_data(spec.dataset, tests),
        "shape": list(spec.shape),
    }
    if found.is_own:
        facts["described_in"] = str(found.path.resolve())
    if isinstance(spec, NetworkSpec):
        facts |= {"widths": list(spec.widths), "input_threshold": spec.input_threshold}
    return facts | {
        "accuracy": recipe.get("test_accuracy"),
        "correct": recipe.get("test_correct"),
        "images": recipe.get("test_images"),
        "weights_sha256": recipe.get("weights_sha256"),
        "cycles": found.entry.hardware.cycles,
    }


def _name_of_data(dataset: str, tests: OwnTests | None) -> str:
    """Return what files call a data set: its name, or of data of one's own their title as one."""
    if not is_own(dataset):
        return dataset
    return name_of(tests.title if tests else Path(dataset.partition("?")[0]).stem)


def _check_place(found: Found, path: Path) -> None:
    """Raise ValueError if model.json is there and of another network of the same name."""
    if not path.is_file():
        return
    there = read_json(path, 1 << 20, ValueError)
    if there.get("network") != found.name:
        return
    other = there.get("described_in")
    if other is None and found.is_own and there.get("weights_sha256") is None:
        raise ValueError(
            f"{path.parent} is of an imported network of the same name, {found.name}: give the "
            f"description another one, or remove the folder"
        )
    if isinstance(other, str) and Path(other) != found.path.resolve() and Path(other).is_file():
        raise ValueError(
            f"{path.parent} is of another network of the same name, {shown(other)}: give one of "
            "them another, or remove the folder"
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow export",
        description="Write a network as QONNX, with model.json beside it.",
        epilog="example: spinflow export tfc-mnist",
    )
    names = ", ".join(name for name, entry in ENTRIES.items() if is_binary(entry.spec))
    parser.add_argument("network", metavar="NETWORK", help=f"{names}, or the path of a .toml")
    parser.add_argument(
        "--out", type=Path, help="path of the .onnx file to write (build/NETWORK/model.onnx)"
    )
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--folder", type=Path, help="where the trained files lie (its own folder)")
    weights.add_argument(
        "--untrained", type=seed, metavar="SEED", help="export random weights of this seed"
    )
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the data")
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options), (ValueError,))


def run(options: argparse.Namespace) -> None:
    """Export the network that the options name, and print what it is."""
    found = find(options.network)
    out = options.out or WORK / "build" / found.name / "model.onnx"
    facts = export(options.network, out, options.folder, options.untrained, options.data_dir)
    weights = f"random weights of seed {options.untrained}"
    if options.untrained is None:
        weights = f"accuracy {facts['accuracy']:.4f} on {facts['images']} test images"
    print(f"{out}: {found.name}, {weights}")


if __name__ == "__main__":
    sys.exit(main())
