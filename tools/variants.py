"""Train the networks of `spinflow papers training training-maps` and measure them.

    python -m tools.variants [--out FOLDER] [--again]

Of each network of ``papers.injection.BASES`` those variants are trained that model/zoo lacks
(--again: all), for equally many epochs, with one thread, and taken over into model/zoo; then both
items are measured. The trainings take about half an hour of one core, the measuring a few minutes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from spinflow.model import store, train
from spinflow.papers import __main__ as papers
from spinflow.papers.injection import BASES, VARIANTS

EPOCHS = {"mlp-mnist": 15, "lenet-mnist": 10}
"""Of every variant of a network."""

OPTIONS = {
    "plain": "",
    "weights-1e-2": "--weight-errors 1e-2",
    "weights-3e-2": "--weight-errors 3e-2",
    "weights-drawn": "--weight-errors 1e-3:1e-1",
    "maps-drawn": "--activation-errors 1e-3:1e-1",
    "margin": "--loss margin --margin 32",
    "mcel-4": "--loss mcel --margin 4",
    "mcel-16": "--loss mcel --margin 16",
}
"""Options of a training by the label of its variant."""

LAYERS = {
    "mlp-mnist": "fc0=5e-2,fc1=3e-2,fc2=1e-2",
    "lenet-mnist": "conv0=1e-2,conv1=3e-2,fc0=5e-2,fc1=1e-2",
}
"""Rates of weights-layers: higher where a layer has many weights, lower in the first convolution
and in the last layer."""


def options(network: str, label: str) -> list[str]:
    """Return the options of a variant's training, for `spinflow train`."""
    own = f"--weight-errors {LAYERS[network]}" if label == "weights-layers" else OPTIONS[label]
    return f"--epochs {EPOCHS[network]} --threads 1 {own} --label {label}".split()


def trained(network: str, label: str, folder: Path) -> None:
    """Train a variant, or go on with it, and take it over into the zoo.

    Raises:
        SystemExit: the training failed.
    """
    out = folder / f"{network}+{label}"
    if train.main([network, *options(network, label), "--resume", "--out", str(out)]):
        raise SystemExit(f"{out}: not trained")
    for path in store.files_of(out.name, out):
        shutil.copy(path, store.ZOO)


def main() -> int:
    """Train what is missing, and measure all; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("out/variants"), help="folder")
    parser.add_argument("--again", action="store_true", help="train those of the zoo, too")
    chosen = parser.parse_args()
    for _, network in BASES:
        for variant in VARIANTS:
            weights, _ = store.files_of(variant.of(network), store.ZOO)
            if variant.label and (chosen.again or not weights.is_file()):
                trained(network, variant.label, chosen.out)
    return papers.main(["training", "training-maps", "--out", str(chosen.out)])


if __name__ == "__main__":
    sys.exit(main())
