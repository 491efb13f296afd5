"""Measure a trained network again on the full test set, and compare with its recorded accuracy.

``spinflow evaluate tfc-mnist`` fails if the two differ by one image. A variant is called
NETWORK+LABEL, as its files are.
"""

from __future__ import annotations

import sys
from pathlib import Path

from spinflow.host.core import start
from spinflow.model.data import dataset
from spinflow.model.networks.base import predict
from spinflow.model.store import ZOO, load_recipe, load_trained
from spinflow.model.zoo import network


def evaluate(name: str, folder: Path = ZOO, data_dir: Path | None = None) -> tuple[int, int]:
    """Return (correct, images) of a trained network on the full test set.

    Raises:
        ValueError: files are missing or wrong, or the count is not the recorded one.
    """
    recipe = load_recipe(name, folder)
    data = dataset(network(name).dataset, data_dir)
    correct = int((predict(load_trained(name, folder), data.test_images) == data.test_labels).sum())
    images = len(data.test_labels)
    if (correct, images) != (recipe["test_correct"], recipe["test_images"]):
        raise ValueError(
            f"{name}: {correct} of {images} test images are right, "
            f"recorded are {recipe['test_correct']} of {recipe['test_images']}"
        )
    return correct, images


def main(arguments: list[str] | None = None) -> None:
    """Command line of the evaluation; the exit status is 0 if the accuracy is the recorded one."""
    parser = start.Parser(prog="spinflow evaluate", description="Measure a trained network again.")
    parser.add_argument("network", help="a network, or a variant of one, NETWORK+LABEL")
    parser.add_argument("--folder", type=Path, default=ZOO, help="where the trained files lie")
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the data")
    options = parser.parse_args(arguments)
    try:
        correct, images = evaluate(options.network, options.folder, options.data_dir)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None
    share = correct / images
    print(f"{options.network}: {correct} of {images} test images right ({share:.2%}), as recorded")


if __name__ == "__main__":
    sys.exit(start.finish(main))
