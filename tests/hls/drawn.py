"""Networks drawn at random from what the flow takes: any depth, width, kernel, stride, pool."""

from __future__ import annotations

import numpy as np

from tests.hls.networks import Network

WIDTHS = (1, 2, 3, 5, 7, 8, 12, 13, 16, 24, 31, 33, 48, 64, 100)
MOST_CYCLES = 30_000


def drawn(seed: int) -> tuple[Network, int]:
    """Return a network and a target in cycles that it can meet."""
    random = np.random.default_rng(seed)
    network = _convolutions(random, seed) if random.random() < 0.6 else _perceptron(random, seed)
    for _ in range(int(random.integers(0, 3))):
        network.matrix(int(random.choice(WIDTHS))).normalize().binarize()
    if not any(node.op_type in ("MatMul", "Conv") for node in network.nodes):
        network.matrix(int(random.choice(WIDTHS))).normalize(200).binarize()
    classes = int(random.choice([3, 5, 10, 17, 61]))
    return network.matrix(classes).scale(), MOST_CYCLES


def _codes(random: np.random.Generator, network: Network) -> None:
    """Append a table now and then."""
    if random.random() < 0.3:
        network.table(random.integers(0, 256, 256))


def _perceptron(random: np.random.Generator, seed: int) -> Network:
    """Pixels, whose number is often a prime, compared with a threshold or as they are."""
    pixels = int(random.choice([4, 7, 13, 18, 31, 36, 49, 121, 257, 300]))
    network = Network(pixels, seed=seed)
    _codes(random, network)
    return network.threshold_pixels() if random.random() < 0.6 else network


def _convolutions(random: np.random.Generator, seed: int) -> Network:
    """One to four convolutions, each of a kernel that fits into its map."""
    rows, columns = (int(side) for side in random.integers(3, 13, 2))
    network = Network(int(random.choice([1, 2, 3])), rows, columns, seed=seed)
    _codes(random, network)
    for number in range(int(random.integers(1, 5))):
        rows, columns = network.shape[2:]
        high, wide = (int(random.integers(1, min(side, 5) + 1)) for side in (rows, columns))
        kernel = (high, wide)
        if max(kernel) > 1 and random.random() < 0.4:
            sides = random.integers(0, max(kernel), 4)
            network.pad(-1 if number else 0, *(int(side) for side in sides))
        stride = [int(step) for step in random.choice([1, 1, 1, 2, 3], 2)]
        network.convolution(int(random.choice(WIDTHS[:10])), kernel, strides=stride)
        network.normalize(6 if number else 200).binarize()
        if random.random() < 0.4 and min(network.shape[2:]) >= 2:
            network.max_pool(int(random.integers(2, min(*network.shape[2:], 3) + 1)))
    return network.flatten()
