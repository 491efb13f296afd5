"""Bundles whose memories are coded: RTL, emulator and evaluator agree in every bit and counter."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.hls.build import build
from spinflow.hls.golden import golden_edges
from spinflow.hls.ops.matrix import check_weight_memory
from spinflow.hls.paths import BuildError
from spinflow.host.__main__ import main
from spinflow.host.board.registers import RegisterAccess
from spinflow.host.core.coding import PLAIN, Coding
from spinflow.host.core.description import Block, Code, Stored, memories_of, read
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.secded import CodeCounts
from spinflow.host.core.test_sets import TestSet
from spinflow.sim import cell_maps, depths, verilate
from spinflow.sim.accelerator import Accelerator
from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Evaluator
from tests.hls.agree import agree, write_weights
from tests.hls.networks import convolutional, perceptron

# A word of several code words, one that is shorter, and words of a single bit.
ODD = {"fc0": {"PE": 13, "SIMD": 3}, "fc1": {"PE": 3, "SIMD": 13}, "fc2": {"PE": 1, "SIMD": 9}}


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.2])
def test_perceptron_on_rtl(rate: float, tmp_path: Path) -> None:
    coding = Coding(weights=16, buffers=8)
    described = agree(
        perceptron(33, 13, 9, 3), 1000, tmp_path, given=ODD, rtl=True, coding=coding, rate=rate
    )
    codes = [memory.code for memory in described.memories]
    assert [(code.data, code.word) for code in codes if code is not None] == [
        (39, 13), (39, 13), (9, 9), (13, 7), (3, 3),
    ]  # fmt: skip
    assert read(tmp_path / "bundle").memories == described.memories


@pytest.mark.slow
def test_convolutions_on_rtl(tmp_path: Path) -> None:
    network = convolutional((3, 7, 7), [(8, 3, True)], 6, 4)
    agree(network, 3000, tmp_path, rtl=True, coding=Coding(weights=64, buffers=64), rate=0.03)


@pytest.mark.slow
def test_buffers_are_deep_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As many words do as without a code, also where buffers have as few as there are."""
    network = convolutional((3, 7, 7), [(8, 3, True)], 6, 4).save(tmp_path / "network")
    distances = []
    given = None
    for coding in PLAIN, Coding(weights=64, buffers=64):
        bundle = tmp_path / f"bundle-{coding.weights}"
        folding = build(network, 3000, bundle, given, coding=coding).folding.layers
        given = {name: {"PE": of.pe, "SIMD": of.simd} for name, of in folding.items()}
        timing = depths.build_timing(bundle, bundle / "rtl")
        found = depths.search(timing)
        timing.close()
        distances.append((found.words, found.cycles_per_frame))
    assert distances[0] == distances[1]
    assert depths.main([str(bundle), "--check"]) == 0
    assert "the buffers add no cycle" in capsys.readouterr().out


@pytest.mark.slow
def test_the_self_test_looks_at_decoders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle"
    network = perceptron(33, 13, 9, 3).save(tmp_path / "network")
    build(network, 1000, bundle, ODD, coding=Coding(weights=16, buffers=8))
    verilate.build(bundle)
    assert main(["selftest", str(bundle)]) == 0
    assert "PASS  decoders, two errors" in capsys.readouterr().out
    images = np.random.default_rng(1).integers(0, 256, (3, 33), np.uint8)
    tests = TestSet(images, np.zeros(3, np.uint8), "3 random images")
    monkeypatch.setattr("spinflow.host.__main__.images_for", lambda *_: tests)
    for mode in "off", "flip":
        words = ["run", str(bundle), "--mode", mode, "--rate", "0.05"]
        assert main(words[: 4 if mode == "off" else None]) == 0
        found = re.search(
            r"^codes      of (\d+) code words read (\d+) were corrected, (\d+) wrong beyond",
            capsys.readouterr().out,
            re.M,
        )
        assert found is not None
        seen, corrected, detected = map(int, found.groups())
        assert seen > corrected + detected
        assert (corrected > detected > 0) if mode == "flip" else corrected == detected == 0
    counted = RegisterAccess._codes

    def miscounted(*arguments: Any) -> dict[str, CodeCounts]:
        return {name: it + CodeCounts(0, 1, 0) for name, it in counted(*arguments).items()}

    monkeypatch.setattr(RegisterAccess, "_codes", miscounted)
    assert main(["selftest", str(bundle)]) == 1
    lines = capsys.readouterr().out.splitlines()
    failed = {line[6:34].rstrip() for line in lines if line.startswith("FAIL ")}
    assert failed == {
        *("clear and soft reset", "decoders, one error", "decoders, two errors"),
        *("buffers, flip 0.02 / 0.1", "buffers, switch 0.3 / 0.05"),
    }


@pytest.mark.slow
def test_no_frame_takes_a_cycle_longer(tmp_path: Path) -> None:
    """From label to label it is as long with coded memories as with plain ones."""
    distances = []
    for name, coding in ("plain", PLAIN), ("coded", Coding(weights=16, buffers=8)):
        bundle = tmp_path / name
        build(
            perceptron(33, 13, 9, 3).save(tmp_path / f"{name}-net"), 1000, bundle, ODD,
            coding=coding,
        )  # fmt: skip
        verilate.build(bundle)
        device = Accelerator(bundle)
        write_weights(device)
        images = np.random.default_rng(1).integers(0, 256, (40, 33), np.uint8)
        device.run(images, taps=False)  # the first labels come at the pace of the latency
        device.clear()
        device.run(images, taps=False)
        device.command("snapshot")
        distances.append(device.get("DISTANCE_MIN"))
    assert distances[0] == distances[1] > 0


def test_what_a_coded_bundle_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Maps, another coding, registers without codes. Golden values are of the words as read."""
    bundle = tmp_path / "bundle"
    network = perceptron(16, 8, 4, 3).save(tmp_path / "network")
    described = build(network, 100, bundle, coding=Coding(weights=8, buffers=8))
    images = np.random.default_rng(1).integers(0, 256, (4, 16), np.uint8)
    trained = Emulator(bundle).weights(0).copy()
    trained[:, 0] ^= 1  # one error in a code word of each
    for name, values in golden_edges(bundle, images).items():
        np.testing.assert_array_equal(golden_edges(bundle, images, {0: trained})[name], values)
    for words, message in (
        ("make {} --out map.npz", "weights has check bits"),
        ("faults {} --rate 0.1 --memory buffers --out f.npz", "buffer has check bits"),
    ):
        assert cell_maps.main(words.format(bundle).split()) == 1
        assert message in capsys.readouterr().err
    assert depths.main([str(bundle)]) == 1
    assert "has coded memories, and builds take depths" in capsys.readouterr().err
    for engine in Emulator, Evaluator.from_bundle:
        with pytest.raises(InputError, match="is coded in the bundle already"):
            engine(bundle, coding=Coding(weights=8))
    document = described.as_json()
    del document["registers"]["global"]["CONTROL"]["fields"]["snapshot_code"]
    (bundle / "accel.json").write_text(json.dumps(document))
    with pytest.raises(BundleError, match="CONTROL describes no field snapshot_code"):
        read(bundle)


@pytest.mark.parametrize(
    ("block", "code", "message"),
    [
        (Block(18433, 4), None, "words of 18433 bits, a weight memory takes at most 18432"),
        (Block(4, 65537), None, "65537 words, a weight memory takes at most 65536"),
        (Block(1024, 4), Code(1024, 4), "has 256 code words, a decoder counts at most 255"),
        (Block(1020, 65536), Code(1020, 4), None),
    ],
)
def test_weight_memories_that_the_rtl_refuses(
    block: Block, code: Code | None, message: str | None
) -> None:
    (memory,) = memories_of([Stored("fc0", block.coded(code))])
    if message is None:
        check_weight_memory(memory)
    else:
        with pytest.raises(BuildError, match=message):
            check_weight_memory(memory)


@pytest.mark.parametrize("coding", [Coding(weights=32), Coding(buffers=32)])
def test_one_kind_of_memory(coding: Coding, tmp_path: Path) -> None:
    described = agree(perceptron(16, 8, 4, 3), 100, tmp_path, coding=coding, rate=0.1)
    for memory in described.memories:
        assert (memory.code is not None) == bool(getattr(coding, memory.kind.rstrip("s") + "s"))
