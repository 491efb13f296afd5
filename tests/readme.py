"""Writes the measured table of README.md from docs/results/mlp-mnist.json, a `host sweep` summary.

`python -m tests.readme` puts the table between the two markers; the document test compares.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SUMMARY = ROOT / "docs/results/mlp-mnist.json"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"


def table() -> str:
    """The table as Markdown: one row a rate, weights and buffers side by side."""
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
        "| bit-error rate | errors in weights | errors in feature maps | write energy a bit |",
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
        lines.append(f"| {name} | {' | '.join(accuracy)} | {1e12 * energy:.1f} pJ ({saved}) |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """The text of README.md with the table in its place."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
