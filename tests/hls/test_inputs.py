"""What the input may be: frames that fill no beats, tables of bytes, pixels into a matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.build import build
from spinflow.hls.paths import BuildError
from spinflow.host.core.packing import frames_of
from tests.hls.agree import agree
from tests.hls.networks import Network, convolutional, perceptron

CODES = np.random.default_rng(3).permutation(256)


def dense_on_pixels(*widths: int) -> Network:
    """A perceptron whose first layer takes the pixels themselves."""
    network = Network(widths[0]).matrix(widths[1]).normalize(300).binarize()
    for width in widths[2:-1]:
        network.matrix(width).normalize().binarize()
    return network.matrix(widths[-1]).scale()


def coded(*widths: int) -> Network:
    """A perceptron whose pixels go through a table and are compared with a threshold."""
    network = Network(widths[0]).table(CODES).threshold_pixels()
    for width in widths[1:-1]:
        network.matrix(width).normalize().binarize()
    return network.matrix(widths[-1]).scale()


def coded_convolution() -> Network:
    """A table before a padded convolution of pixels, 75 bytes."""
    network = Network(3, 5, 5).table(CODES).pad(0, 1, 1, 1, 1).convolution(6, 3)
    return network.normalize(200).binarize().max_pool().flatten().matrix(3).scale()


def coded_dense() -> Network:
    """A table before a matrix of pixels."""
    network = Network(27).table(CODES).matrix(8).normalize(200).binarize()
    return network.matrix(3).scale()


def binary_convolution(*shape: int) -> Network:
    """Pixels compared with a threshold before a convolution, which pads their bits with -1."""
    network = Network(*shape).threshold_pixels().pad(-1, 1, 1, 1, 1).convolution(6, 3)
    return network.normalize().binarize().max_pool().flatten().matrix(3).scale()


NETWORKS = {
    "593 pixels": (lambda: perceptron(593, 13, 7, 3), 8000),
    "593 pixels at once": (lambda: perceptron(593, 8, 3), 600),
    "30 pixels, two at a time": (lambda: perceptron(30, 6, 3), 200),
    "3 x 5 x 5": (lambda: convolutional((3, 5, 5), [(7, 3, False)], 31, 5), 3000),
    "11 x 11": (lambda: convolutional((1, 11, 11), [(14, 2, True)], 5), 5200),
    "a layer of one output": (lambda: perceptron(16, 8, 1, 3), 100),
    "pixels into a matrix": (lambda: dense_on_pixels(36, 14, 6, 3), 300),
    "29 pixels into a matrix": (lambda: dense_on_pixels(29, 13, 3), 500),
    "a table and a threshold": (lambda: coded(36, 8, 3), 100),
    "a table of 13 bytes": (lambda: coded(13, 8, 3), 100),
    "a table and a matrix": (coded_dense, 300),
    "a threshold and a convolution": (lambda: binary_convolution(1, 6, 6), 700),
    "a threshold of three channels": (lambda: binary_convolution(3, 5, 5), 1000),
    "a table and a convolution": (coded_convolution, 5000),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_engines_agree(name: str, tmp_path: Path) -> None:
    network, cycles = NETWORKS[name]
    described = agree(network(), cycles, tmp_path)
    assert described.bytes_per_frame % 4 == 0
    assert 0 <= described.bytes_per_frame - described.pixels < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["593 pixels at once", "30 pixels, two at a time", "a threshold of three channels"]
)
def test_rtl_agrees(name: str, tmp_path: Path) -> None:
    network, cycles = NETWORKS[name]
    agree(network(), cycles, tmp_path, rtl=True)


def test_frames_that_fill_their_words_are_not_copied() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(3, 8)
    assert frames_of(images) is images
    padded = frames_of(images[:, :5])
    np.testing.assert_array_equal(padded[:, :5], images[:, :5])
    assert padded.shape == (3, 8) and not padded[:, 5:].any()


def test_pixels_arrive_one_by_one_in_frames_of_a_prime_number(tmp_path: Path) -> None:
    source = perceptron(593, 8, 3).save(tmp_path / "net")
    with pytest.raises(BuildError, match=r"592 cycles .* 593 pixels arrive 1 a cycle, since"):
        build(source, 592)
    with pytest.raises(BuildError, match=r"7 cycles .* 32 pixels arrive in beats of 32 bits, in 8"):
        build(perceptron(32, 8, 3).save(tmp_path / "even"), 7)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.arange(255), "must be 256 constants, one for each byte"),
        (np.arange(256) - 1, "other codes than whole numbers 0 to 255"),
        (np.arange(256) / 2, "other codes than whole numbers 0 to 255"),
    ],
)
def test_a_table_that_is_none_of_bytes(tmp_path: Path, codes: np.ndarray, message: str) -> None:
    source = Network(16).table(codes).threshold_pixels().matrix(4).normalize().binarize()
    with pytest.raises(BuildError, match=message):
        build(source.matrix(3).scale().save(tmp_path / "net"), 100)


ODD = {
    "fc0": {"PE": 13, "SIMD": 1},  # one word a frame
    "fc1": {"PE": 3, "SIMD": 1},
    "fc2": {"PE": 1, "SIMD": 9},
}


@pytest.mark.slow
def test_buffers_of_an_odd_pe(tmp_path: Path) -> None:
    described = agree(perceptron(33, 13, 9, 3), 1000, tmp_path, given=ODD, rtl=True)
    assert [m.width for m in described.memories if not m.is_weights] == [13, 3]
    assert [m.depth for m in described.memories if not m.is_weights] == [2, 3]
