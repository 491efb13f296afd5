"""Two foldings of a network are two builds, swept together and told apart."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from spinflow.host.core.packing import pack_weights, unpack_weights
from spinflow.host.sweep.results import read
from spinflow.sim.sweep import main

REPOSITORY = Path(__file__).parents[2]
BUNDLE = REPOSITORY / "build" / "tfc-mnist"


@pytest.fixture
def folded_otherwise(tmp_path: Path) -> Path:
    """tfc-mnist with twice the outputs and half the inputs of a word of its first layer."""
    folder = tmp_path / "bundles" / "wide"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("obj_*", "rtl", "*.onnx*"))
    described = json.loads((folder / "accel.json").read_text())
    layer = next(layer for layer in described["layers"] if layer["op"] == "mvu")
    with np.load(folder / "arrays.npz") as opened:
        arrays = {name: opened[name] for name in opened.files}
    size = layer["mw"], layer["mh"]
    bits = unpack_weights(arrays["weights.0"], *size, layer["pe"], layer["simd"])
    layer["pe"], layer["simd"] = layer["pe"] * 2, layer["simd"] // 2
    described["folding"]["layers"]["fc0"] |= {"pe": layer["pe"], "simd": layer["simd"]}
    described["depths"]["folding"]["fc0"] = f"{layer['pe']}x{layer['simd']}"
    described["memories"][layer["buffer"]] |= {"width": 2, "depth": 32}
    for tap in described["taps"]:
        if tap["name"] in ("fc0", "fc0.buffer"):
            tap["per_word"] = 2
    arrays["weights.0"] = pack_weights(bits, layer["pe"], layer["simd"])
    np.savez(folder / "arrays.npz", **arrays)
    described["files"]["arrays.npz"] = hashlib.sha256(
        (folder / "arrays.npz").read_bytes()
    ).hexdigest()
    described["build_id"] ^= 1
    (folder / "accel.json").write_text(json.dumps(described))
    return folder


def test_two_foldings_of_a_network_are_swept_together(
    tmp_path: Path, folded_otherwise: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--bundle", str(BUNDLE), str(folded_otherwise), "--images", "30", "--repeats", "2"]
    options += ["--rates", "0", "0.05", "--memory", "weights", "--workers", "1", "--out", str(out)]
    assert main(options) == 0
    rows = {name: read(out / name / "results.csv") for name in ("tfc-mnist", "wide")}
    builds = {row.build_id for name in rows for row in rows[name]}
    assert len(builds) == 2 and all(len(rows[name]) == 4 for name in rows)
    one, other = ([row.accuracy for row in rows[name]] for name in rows)
    assert one[::2] == other[::2] and one[1::2] != other[1::2]  # exact alike, errors elsewhere
    table = capsys.readouterr().out
    points = json.loads((out / "summary.json").read_text())["points"]
    assert {point["build_id"] for point in points} == builds and len(points) == 4
    page = (out / "report.html").read_text(encoding="utf-8")
    for build in builds:
        assert f"build {build:#010x}" in page and f"{build:#010x}" in table
    # The same command has nothing left to do, and comes to the same.
    before = (out / "summary.json").read_bytes()
    assert main(options) == 0
    assert (out / "summary.json").read_bytes() == before


def test_folders_of_one_name_are_told_apart_by_the_build(
    tmp_path: Path, folded_otherwise: Path
) -> None:
    twin = folded_otherwise.rename(folded_otherwise.with_name("tfc-mnist"))
    options = ["--bundle", str(BUNDLE), str(twin), "--images", "5", "--repeats", "1"]
    options += ["--rates", "0.05", "--memory", "fc3", "--workers", "1"]
    assert main([*options, "--out", str(tmp_path / "out")]) == 0
    names = sorted(path.parent.name for path in (tmp_path / "out").glob("*/results.csv"))
    assert len(names) == 2 and all(re.fullmatch("tfc-mnist-[0-9a-f]{8}", name) for name in names)


def test_one_build_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--bundle", str(BUNDLE), str(BUNDLE), "--images", "5", "--workers", "1"]
    assert main([*options, "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert "appears twice: give each build once" in text and text.count("\n") == 1
    assert not (tmp_path / "out").exists()
