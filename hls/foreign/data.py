"""The test images of an import: those of a published set, or data of one's own."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.hls.paths import BuildError
from spinflow.host.core.own_tests import OwnTests
from spinflow.host.core.test_sets import DATASETS, MOST_IMAGES, SHAPES, images_of


@dataclass(frozen=True)
class Tests:
    """Test images of a network that is taken.

    Attributes:
        dataset: the name by which the network's files call the data.
        title: for people.
        images: uint8, shape (n, pixels), each in the order (row, column, channel).
        labels: uint16, shape (n,).
        shape: (channels, rows, columns) of an image, (features,) of a vector.
        numbers: what a byte x stands for, in the form of ``--input``; empty if that is open.
        own: what the bundle carries; None of a published set.
    """

    dataset: str
    title: str
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]
    shape: tuple[int, ...]
    numbers: str = ""
    own: OwnTests | None = None

    # pytest takes a class of this name for a group of tests unless told otherwise.
    __test__ = False


def read_tests(options: argparse.Namespace) -> Tests:
    """Read the test images that ``--data`` names.

    Raises:
        SpinflowError: they are missing or damaged, or an option does not fit them.
    """
    from spinflow.model import data
    from spinflow.model.data.options import is_given, options_of
    from spinflow.model.data.own import carried, measured_part, name_of

    if not data.is_own(options.data) and (wrong := is_given(options)) is not None:
        raise BuildError(f"{wrong} is for data of one's own, not for {options.data}")
    if options.data in DATASETS:
        known = images_of(options.data, MOST_IMAGES, options.data_dir)
        title = f"the {DATASETS[options.data]} test set"
        return Tests(options.data, title, known.images, known.labels, SHAPES[options.data])
    name, numbers = options.data, ""
    if data.is_own(name):
        own = data.read_own(name, options.data_dir, options_of(options))
        tests, shape, numbers = carried(own, measured_part(own)), own.shape, own.numbers
        name = name_of(tests.title)
    else:  # its files do not travel to boards as they are
        shape = data.describe(name).shape
        found = data.own_tests(name, options.data_dir)
        assert found is not None
        tests = found
    return Tests(name, tests.title, tests.images, tests.labels, shape, numbers, tests)
