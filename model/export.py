"""Export of a network as QONNX, the form in which FINN takes it.

    spinflow export tfc-mnist --out build/tfc-mnist/model.onnx
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
from spinflow.host.core.own_tests import pack
from spinflow.model.data import is_own, own_tests
from spinflow.model.data.own import name_of
from spinflow.model.files import write_json
from spinflow.model.networks.base import TrainedNetwork, to_input
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import NetworkSpec, is_binary
from spinflow.model.store import ZOO, load_recipe, load_trained
from spinflow.model.zoo import ENTRIES, NETWORKS, network

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
    folder: Path = ZOO,
    untrained_seed: int | None = None,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Write the QONNX graph of a network, and ``model.json`` beside it.

    Args:
        name: a network of ``spinflow.model.zoo.NETWORKS``.
        out: path of the graph to write.
        folder: where the trained files lie.
        untrained_seed: export random weights of this seed instead, as
            ``spinflow.model.networks.build.untrained`` makes them; ``folder`` is not read then.
        data_dir: where own data lie, whose test part goes beside the graph as ``test.npz``.

    Returns:
        What ``model.json`` holds.

    Raises:
        ValueError: the network is not wholly binary, or one of those of
            ``spinflow.model.store.load_recipe``, ``load_trained`` and ``untrained``.
    """
    spec = network(name)
    if not is_binary(spec):
        raise ValueError(f"{name} is not wholly binary: the hardware cannot take it")
    recipe: dict[str, Any] = {}
    if untrained_seed is None:
        recipe = load_recipe(name, folder)
        model = load_trained(name, folder)
    else:
        model = untrained(spec, untrained_seed)
    content = to_qonnx(model).model.SerializeToString()
    entry = ENTRIES.get(spec.name)
    hardware = entry.hardware if entry else None
    tests = own_tests(spec.dataset, data_dir) if untrained_seed is None else None
    dataset = name_of(tests.title) if tests and is_own(spec.dataset) else spec.dataset
    facts: dict[str, Any] = {"network": name, "dataset": dataset, "shape": list(spec.shape)}
    if isinstance(spec, NetworkSpec):
        facts |= {"widths": list(spec.widths), "input_threshold": spec.input_threshold}
    facts |= {
        "accuracy": recipe.get("test_accuracy"),
        "correct": recipe.get("test_correct"),
        "images": recipe.get("test_images"),
        "weights_sha256": recipe.get("weights_sha256"),
        "cycles": hardware.cycles if hardware else None,
        "onnx_sha256": hashlib.sha256(content).hexdigest(),
    }
    replace_bytes(out, content)
    if tests is not None:
        packed = pack(tests)
        replace_bytes(out.with_name(TEST_SET), packed)
        digest = hashlib.sha256(packed).hexdigest()
        facts["test_set"] = {"file": TEST_SET, "sha256": digest, "title": tests.title}
    write_json(out.with_name("model.json"), facts)
    return facts


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow export",
        description="Write a network as QONNX, with model.json beside it.",
        epilog="example: spinflow export tfc-mnist --out build/tfc-mnist/model.onnx",
    )
    names = [name for name, spec in NETWORKS.items() if is_binary(spec)]
    parser.add_argument("network", choices=names, metavar="NETWORK", help=", ".join(names))
    parser.add_argument("--out", type=Path, required=True, help="path of the .onnx file to write")
    parser.add_argument("--folder", type=Path, default=ZOO, help="where the trained files lie")
    parser.add_argument(
        "--untrained", type=seed, metavar="SEED", help="export random weights of this seed"
    )
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options), (ValueError,))


def run(options: argparse.Namespace) -> None:
    """Export the network that the options name, and print what it is."""
    facts = export(options.network, options.out, options.folder, options.untrained)
    weights = f"random weights of seed {options.untrained}"
    if options.untrained is None:
        weights = f"accuracy {facts['accuracy']:.4f} on {facts['images']} test images"
    print(f"{options.out}: {options.network}, {weights}")


if __name__ == "__main__":
    sys.exit(main())
