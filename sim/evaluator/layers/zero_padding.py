"""Output pixels of a convolution that pads bits with 0, grouped by which places are padded.

The padding of a packed map is bits of 0, so at a padded place a weight of +1 differs and one of -1
agrees. How many do is a matter of the weights that are stored, and the same for all pixels of a
group; so each group gets limits of its own, and the inner loop stays that of any convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Groups:
    """The groups.

    Attributes:
        order: the output pixels, group by group.
        ends: where each group ends in `order`.
        padded: of each group, which places of the kernel are padded, bool (groups, places).
    """

    def __init__(
        self,
        source: Sequence[int],
        padding: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
    ) -> None:
        """Group the windows of a map (rows, columns, ...); padding is top, left, bottom, right."""
        top, left, bottom, right = padding
        frame = np.pad(np.zeros(source[:2], bool), ((top, bottom), (left, right)), mode="constant",
                       constant_values=True)  # fmt: skip
        windows = np.lib.stride_tricks.sliding_window_view(frame, tuple(kernel))
        windows = windows[:: stride[0], :: stride[1]]
        padded = windows.reshape(-1, kernel[0] * kernel[1])
        self.padded, group, counts = np.unique(
            padded, axis=0, return_inverse=True, return_counts=True
        )
        self.order: NDArray[np.int64] = np.argsort(group.reshape(-1), kind="stable")
        self.ends: NDArray[np.int64] = np.cumsum(counts)

    def limits(
        self, weights: NDArray[np.uint32], inputs: int, thresholds: NDArray[Any], lanes: int
    ) -> NDArray[np.int32]:
        """Return how many of all bits may differ for a 1: int32 (groups, lanes).

        Args:
            weights: packed rows, one for each output.
            inputs: bits of a row.
            thresholds: on the sums, one for each output.
            lanes: outputs, and what fills the last word; those give 0.
        """
        places = self.padded.shape[1]
        little = np.ascontiguousarray(weights).view(np.uint8)
        bits = np.unpackbits(little, axis=1, count=inputs, bitorder="little")
        ones = bits.reshape(len(weights), places, -1).sum(axis=2)
        differ = self.padded.astype(np.int64) @ ones.T  # of the padded bits
        counted = inputs - self.padded.sum(axis=1) * (inputs // places)
        found = np.full((len(self.padded), lanes), -1)
        # A sum is what is counted less twice what differs of it.
        most = (counted[:, None] - np.asarray(thresholds, np.int64)) // 2 + differ
        found[:, : len(weights)] = np.clip(most, -1, inputs)
        return found.astype(np.int32)
