"""Measure a trained network again on the full test set, and compare with its recorded accuracy.

``spinflow evaluate tfc-mnist`` fails if the two differ by one image. A variant is called
NETWORK+LABEL, as its files are. A network described in another folder goes by the path of its
description.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from spinflow.host.core import start
from spinflow.model.data import dataset
from spinflow.model.networks.base import predict
from spinflow.model.store import load_recipe, load_trained
from spinflow.model.zoo import find


def evaluate(
    name: str, folder: Path | None = None, data_dir: Path | None = None
) -> tuple[int, int]:
    """Return (correct, images) of a trained network on the full test set.

    Args:
        name: a network or a variant of one, as ``spinflow.model.zoo.find`` takes it.
        folder: where the trained files lie; that of its description if None.
        data_dir: a folder with one's own copy of the data.

    Raises:
        ValueError: files are missing or wrong, or the count is not the recorded one.
    """
    recipe = load_recipe(name, folder)
    data = dataset(find(name).entry.spec.dataset, data_dir)
    correct = int((predict(load_trained(name, folder), data.test_images) == data.test_labels).sum())
    images = len(data.test_labels)
    if (correct, images) != (recipe["test_correct"], recipe["test_images"]):
        raise ValueError(
            f"{name}: {correct} of {images} test images are right, "
            f"recorded are {recipe['test_correct']} of {recipe['test_images']}"
        )
    return correct, images


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status is 0 if the accuracy is the recorded one."""
    parser = start.Parser(
        prog="spinflow evaluate",
        description="Measure a trained network again, and compare with its recorded accuracy.",
        epilog="example: spinflow evaluate tfc-mnist",
    )
    parser.add_argument("network", help="NETWORK, a variant NETWORK+LABEL, or the path of a .toml")
    parser.add_argument("--folder", type=Path, help="where the trained files lie (its own folder)")
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the data")
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options), (ValueError,))


def run(options: argparse.Namespace) -> None:
    """Measure the network that the options name, and print its accuracy."""
    correct, images = evaluate(options.network, options.folder, options.data_dir)
    share = correct / images
    print(f"{options.network}: {correct} of {images} test images right ({share:.2%}), as recorded")


if __name__ == "__main__":
    sys.exit(main())
