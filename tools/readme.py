"""Write the tables of README.md: the networks of the zoo, and a measured sweep.

The first is made from the zoo's recipes, the second from docs/results/mlp-mnist.json, a summary of
`spinflow sweep`. `python -m tools.readme` puts each between its markers; the test of the documents
compares.
"""

import json
from pathlib import Path
from typing import Any

from spinflow.host.core.test_sets import DATASETS
from spinflow.model.networks.graph import FixedPointSpec, XnorSpec
from spinflow.model.train import epochs_in_words
from spinflow.model.zoo import network
from tools import marks

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SUMMARY = ROOT / "docs/results/mlp-mnist.json"
ZOO = ROOT / "model/zoo"


def networks() -> str:
    """Return the networks of the zoo in Markdown, with what each reaches on its whole test set."""
    lines = ["| network | layers | test set | accuracy |", "|---|---|---|---|"]
    for path in sorted(ZOO.glob("*.json")):
        if "+" in path.stem:  # trained with errors: docs/reproduction.md has those
            continue
        recipe = json.loads(path.read_text())
        spec = network(recipe["network"])
        words = []
        for layer in spec.layers:
            if layer.op == "conv":
                words.append(f"{layer.kernel}x{layer.kernel} conv {layer.result[2]}")
            elif layer.op == "pool":
                words.append("pool")
            elif layer.op == "linear":
                words.append(str(layer.result[2]))
        if isinstance(spec, FixedPointSpec):
            words.append(f"in fixed point of {spec.bits} bits")
        elif isinstance(spec, XnorSpec):
            words.append("first and last of floats")
        first = "x".join(map(str, spec.shape))
        lines.append(
            f"| `{spec.name}` | {first}, {', '.join(words)} | {DATASETS[spec.dataset]}, "
            f"{recipe['test_images']:,} images | {100 * recipe['test_accuracy']:.2f} % "
            f"after {epochs_in_words(recipe)} |"
        )
    return "\n".join(lines) + "\n"


def measured() -> str:
    """Return the sweep in Markdown: one row a rate, weights and buffers side by side."""
    points: list[dict[str, Any]] = json.loads(SUMMARY.read_text())["points"]
    images, repeats = points[0]["images"], points[0]["repeats"]
    by_rate: dict[float, dict[str, dict[str, Any]]] = {}
    for point in points:
        by_rate.setdefault(point["rate"], {})[point["memory"]] = point
    conventional = by_rate[0.0]["weights"]["energy_per_bit_j"]
    lines = [
        f"Accuracy in per cent on {images:,} MNIST test images, mean of {repeats} error patterns "
        "and its 95 % interval:",
        "",
        "| bit-error rate | errors in weights | errors in feature maps | write energy |",
        "|---|---|---|---|",
    ]
    for rate, cells in sorted(by_rate.items()):
        accuracy = [
            f"{100 * cell['accuracy']:.2f} ({100 * cell['low']:.2f} to {100 * cell['high']:.2f})"
            for cell in (cells["weights"], cells["buffers"])
        ]
        energy = cells["weights"]["energy_per_bit_j"]
        saved = "conventional" if rate == 0 else f"{100 * (1 - energy / conventional):.1f} % less"
        name = "none" if rate == 0 else f"{rate:.2g}"
        lines.append(f"| {name} | {' | '.join(accuracy)} | {saved} |")
    return "\n".join(lines) + "\n"


def with_tables(text: str) -> str:
    """Return the text of README.md with the tables in their places."""
    return marks.filled(text, {"networks": networks(), "measured": measured()}.get)


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
