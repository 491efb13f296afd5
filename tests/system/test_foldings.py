"""Changing the folding changes no label: the RTL of three foldings gives what FINN computes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spinflow.hls.build import build
from spinflow.hls.golden import golden_edges
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.verilate import build as build_simulator
from tests.system.conftest import FULL
from tests.system.test_errors_off import Images, load_weights

# Targets in cycles a frame beside the default one. The quick network stands for all in `make test`.
OTHERS = {
    "tfc-mnist": (784, 1568),
    "mlp-mnist": (256, 2048),
    "lfc-mnist": (1024, 2048),
    "lenet-mnist": (3200, 14_400),
    "cnv-cifar10": (8192, 32_768),
}
IMAGES = {"cnv-cifar10": 10}


@pytest.mark.slow
@pytest.mark.parametrize("network", OTHERS if FULL else ["tfc-mnist"], indirect=True, ids=str)
def test_labels_of_three_foldings(
    bundle: Path,
    test_set: Images,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    images = test_set[0][: IMAGES.get(bundle.name, 100)]
    golden = golden_edges(bundle, images)["label"][:, 0]
    source = tmp_path / bundle.name
    source.mkdir()
    for name in ("model.onnx", "model.json"):
        shutil.copyfile(bundle / name, source / name)
    folders = [bundle]
    for cycles in OTHERS[bundle.name]:
        folder = tmp_path / f"{bundle.name}-{cycles}"
        build(source, cycles, folder)
        build_simulator(folder)
        folders.append(folder)
    foldings = set()
    for folder in folders:
        rtl = Accelerator(folder)
        load_weights(rtl, folder)
        np.testing.assert_array_equal(rtl.library.run(images), golden, err_msg=folder.name)
        found = json.loads((folder / "accel.json").read_text())
        foldings.add(tuple((x.get("pe"), x.get("simd")) for x in found["layers"]))
        record_property(f"{folder.name}.cycles_per_frame", found["cycles_per_frame"])
    assert len(foldings) == 3, "the targets gave the same folding twice"
