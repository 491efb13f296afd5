"""Train the networks of `spinflow papers training training-maps` and measure them.

    python -m tools.variants [--out FOLDER] [--networks NAME ...] [--again]

    python -m tools.variants --page        # the table of docs/training.md, from what is kept

Of each network of ``papers.injection.BASES`` those variants are trained that model/zoo lacks
(--again: all), for equally many epochs, with one thread, and taken over into model/zoo; then both
items are measured. The trainings on MNIST take about half an hour of one core, those of CNV an
hour, the measuring some minutes.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from spinflow.model import store, train
from spinflow.papers import __main__ as papers
from spinflow.papers import draw, measure, page
from spinflow.papers.injection import BASES, COMPARED
from spinflow.papers.item import Table
from tools import marks

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "training.md"

CONDITIONS = DOCS / "results" / "optimise"
"""What `spinflow optimise` found; conditions-1 is trained with those that lose one point."""

EPOCHS = {"mlp-mnist": 15, "lenet-mnist": 10, "cnv-cifar10": 5}
"""Of every variant of a network."""

FURTHER = {
    "cnv-cifar10": "--initial cnv-cifar10 --teacher '' --lr 0.005 --float-epochs 0 --warm-up 0 "
    "--hold 0"
}
"""Options of all variants of a network that is trained further."""

OPTIONS = {
    "plain": "",
    "weights-1e-2": "--weight-errors 1e-2",
    "weights-3e-2": "--weight-errors 3e-2",
    "weights-drawn": "--weight-errors 1e-3:1e-1",
    "maps-drawn": "--activation-errors 1e-3:1e-1",
    "margin": "--loss margin --margin 32",
    "mcel-4": "--loss mcel --margin 4",
    "mcel-4-longer": "--loss mcel --margin 4 --epochs 22 --lr 0.01 --hold 4 --warm-up 1",
    "mcel-4-longest": "--loss mcel --margin 4 --epochs 32 --lr 0.01 --hold 5 --warm-up 1 "
    "--initial cnv-cifar10+mcel-4-longer",
    "mcel-16": "--loss mcel --margin 16",
}
"""Options of a training by the label of its variant; they count before those of all."""

LAYERS = {
    "mlp-mnist": "fc0=5e-2,fc1=3e-2,fc2=1e-2",
    "lenet-mnist": "conv0=1e-2,conv1=3e-2,fc0=5e-2,fc1=1e-2",
}
"""Rates of weights-layers: higher where a layer has many weights, lower in the first convolution
and in the last layer."""


def options(network: str, label: str) -> list[str]:
    """Return the options of a variant's training, for `spinflow train`."""
    if label == "conditions-1":
        own = ["--conditions", str(CONDITIONS / f"{network}-1.toml")]
    elif label == "weights-layers":
        own = ["--weight-errors", LAYERS[network]]
    else:
        own = OPTIONS[label].split()
    further = shlex.split(FURTHER.get(network, ""))
    common = ["--epochs", str(EPOCHS[network]), "--threads", "1", *further]
    return [*common, *own, "--label", label]


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


def table() -> str:
    """Return the accuracies in Markdown, in per cent, from the tables that the page keeps."""
    found = {
        memory: measure.points(Table.read(page.KEPT / f"{name}.csv"))
        for memory, name in (("weights", "training"), ("buffers", "training-maps"))
    }
    rates = " | ".join(f"{memory} {rate:g}" for memory in ("weights", "maps") for rate in COMPARED)
    lines = [f"| trained | no errors | {rates} |", "|---" * (2 + 2 * len(COMPARED)) + "|"]
    for base in BASES:
        for variant in base.variants:
            curves = [found[memory].get((variant.of(base.network), memory)) for memory in found]
            if not all(curves):
                continue
            cells = [f"{100 * measure.exact(curves[0] or ()):.2f}"]
            for curve in curves:
                points = [measure.at(curve or (), rate) for rate in COMPARED]
                cells += [f"{100 * p.mean:.2f} ± {100 * draw.half_width(p):.2f}" for p in points]
            lines.append(f"| {base.label}, {variant.what} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Return the text of docs/training.md with the table in its place."""
    return marks.filled(text, lambda name: table() if name == "variants" else None)


def main() -> int:
    """Train what is missing, and measure all; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("out/variants"), help="folder")
    names = [base.network for base in BASES]
    parser.add_argument(
        "--networks", nargs="+", choices=names, help="train those of these alone (all)"
    )
    parser.add_argument("--again", action="store_true", help="train those of the zoo, too")
    parser.add_argument("--page", action="store_true", help="write the table of docs/training.md")
    chosen = parser.parse_args()
    if chosen.page:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    for base in BASES:
        if chosen.networks and base.network not in chosen.networks:
            continue
        for variant in base.variants:
            _, facts = store.files_of(variant.of(base.network), store.ZOO)
            if variant.label and (chosen.again or not facts.is_file()):
                trained(base.network, variant.label, chosen.out)
    return papers.main(["training", "training-maps", "--out", str(chosen.out)])


if __name__ == "__main__":
    sys.exit(main())
