"""Windows of every kind: strides, what is left over of a map, kernels of one pixel, lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from spinflow.hls.build import build
from spinflow.hls.paths import BuildError
from tests.hls.agree import agree
from tests.hls.networks import Network


class Conv(NamedTuple):
    """A convolution: its channels, kernel, stride, padding on all sides, and the pool behind it."""

    channels: int
    kernel: int | tuple[int, int]
    stride: int | tuple[int, int] = 1
    pad: int = 0
    pool: int = 1


def of(shape: Sequence[int], *layers: Conv, hidden: int = 0) -> Network:
    """A network of convolutions on pixels of (channels, rows, columns), with 3 classes."""
    network = Network(*shape)
    for number, layer in enumerate(layers):
        if layer.pad:
            network.pad(-1 if number else 0, *4 * [layer.pad])
        stride = (layer.stride,) * 2 if isinstance(layer.stride, int) else layer.stride
        network.convolution(layer.channels, layer.kernel, strides=list(stride))
        network.normalize(6 if number else 200).binarize()
        if layer.pool > 1:
            network.max_pool(layer.pool)
    network.flatten()
    if hidden:
        network.matrix(hidden).normalize().binarize()
    return network.matrix(3).scale()


NETWORKS = {
    "stride 2, a row left over": (of((1, 8, 8), Conv(4, 3, 2)), 400),
    "stride 2, padded": (of((1, 8, 8), Conv(4, 3, 2, 1), Conv(6, 3, 2, 1)), 600),
    "stride 2 of bits, left over": (of((1, 9, 9), Conv(4, 2), Conv(6, 3, 2)), 600),
    "kernel 1, stride 2": (of((2, 8, 8), Conv(4, 1, 2), Conv(6, 1, 2)), 300),
    "kernels 2 and 4": (of((2, 10, 10), Conv(4, 2, 2), Conv(6, 4, 2)), 600),
    "kernel 5, stride 3": (of((1, 13, 13), Conv(4, 5, 3, 2), Conv(6, 2, 3, 1)), 1300),
    "stride beyond the kernel": (of((1, 11, 11), Conv(4, 2, 3), Conv(4, 1, 3)), 300),
    "one window, its stride larger": (of((1, 6, 6), Conv(4, 3, 3), Conv(6, 1, 2)), 300),
    "stride 2 at once": (of((1, 12, 12), Conv(4, 3), Conv(8, 3, 2)), 160),
    "pool of 11 x 11": (of((1, 12, 12), Conv(6, 2, pool=2), Conv(6, 2, pool=2)), 1500),
    "pool of 3": (of((1, 10, 10), Conv(4, 3, pool=3)), 700),
    "pool, then a stride": (of((1, 13, 13), Conv(4, 3, pool=2), Conv(6, 2, 2)), 1200),
    "a line of pixels": (of((3, 12, 1), Conv(4, (3, 1)), Conv(6, (4, 1), (2, 1))), 400),
    "one row": (of((2, 1, 14), Conv(4, (1, 3)), Conv(6, (1, 2), (1, 3))), 400),
    "kernels that are not square": (of((1, 9, 12), Conv(4, (2, 5), (2, 1)), Conv(4, (3, 1))), 900),
    "the whole map in a kernel": (of((1, 7, 7), Conv(5, 7), Conv(7, 1), hidden=5), 300),
    "odd channels": (of((3, 6, 5), Conv(7, 3), Conv(13, 3), hidden=31), 2000),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_engines_agree(name: str, tmp_path: Path) -> None:
    network, cycles = NETWORKS[name]
    agree(network, cycles, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["stride 2 of bits, left over", "pool, then a stride", "one window, its stride larger"]
)
def test_rtl_agrees(name: str, tmp_path: Path) -> None:
    network, cycles = NETWORKS[name]
    agree(network, cycles, tmp_path, rtl=True)


def test_padding_as_large_as_the_kernel(tmp_path: Path) -> None:
    network = of((1, 8, 8), Conv(4, 3), Conv(4, 1, 1, 1))
    with pytest.raises(
        BuildError, match=r"layer conv1 pads by .* with kernels of 1 x 1: less than"
    ):
        build(network.save(tmp_path / "net"), 4000)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (of((1, 4, 2), Conv(2, 1), Conv(3, (1, 2), (3, 1))), r"no sliding window of 1 x 2 pixels"),
        (of((1, 8, 8), Conv(1, 3), Conv(4, 3)), r"layer conv0 makes one channel of one"),
    ],
)
def test_what_finn_has_no_window_for(tmp_path: Path, network: Network, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        build(network.save(tmp_path / "net"), 20000)
