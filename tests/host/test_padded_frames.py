"""Images that fill no 32-bit words, through the driver on the virtual board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.build import build
from spinflow.host.__main__ import main
from spinflow.host.board.driver import Accelerator
from spinflow.host.board.throughput import measure
from spinflow.host.core.bundle import load
from spinflow.sim import verilate
from tests.hls.networks import perceptron

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle on images of 30 bytes, with its simulator."""
    folder = tmp_path_factory.mktemp("padded") / "bundle"
    build(perceptron(30, 6, 3).save(folder.parent / "network"), 200, folder)
    verilate.build(folder)
    return folder


def test_transfers_of_one_and_of_several_images(folder: Path) -> None:
    with np.load(folder / "golden.npz") as golden:
        images, labels = golden["images"], golden["labels"]
    bundle = load(folder)
    assert (bundle.pixels, bundle.bytes_per_frame) == (30, 32)
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        for transfer in 1, 5, len(images):
            np.testing.assert_array_equal(accelerator.run(images, transfer), labels)
        assert measure(accelerator, 7, 3).images == 7


def test_the_selftest_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", str(folder)]) == 0
    assert "selftest passed" in capsys.readouterr().out
