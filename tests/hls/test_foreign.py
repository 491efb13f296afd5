"""Networks that were made elsewhere: taken with their own answers, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from spinflow.hls.foreign import bnn_pynq, compare, qonnx_reader, writer
from spinflow.hls.foreign.chain import Chain, Matrix, Pool
from spinflow.hls.foreign.command import main
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.foreign.qonnx_reader import ForeignError
from spinflow.hls.paths import BuildError
from spinflow.host.core.test_sets import images_of
from spinflow.model.data import mnist
from tests.hls.foreign import Graph, convolutional, dense, model_file

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (6, 784)).astype(np.uint8)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("make", "form"), [(dense, "x/255"), (convolutional, "x")])
def test_every_layer_is_as_the_source_computes_it(
    make: Callable[[Path, int], Path], form: str, seed: int, tmp_path: Path
) -> None:
    numbers = numbers_of(form)
    reading = qonnx_reader.read(make(tmp_path / "a.onnx", seed), numbers.table)
    found = compare.with_qonnx(reading.model, reading.chain, IMAGES, numbers.table)
    assert not found.faults
    assert np.array_equal(found.labels, reading.chain.labels(reading.chain.run(IMAGES)))
    assert len(np.unique(reading.chain.run(IMAGES), axis=0)) > 1


def test_a_wrong_reading_is_found(tmp_path: Path) -> None:
    reading = qonnx_reader.read(dense(tmp_path / "a.onnx"), numbers_of("x/255").table)
    first, *others = reading.chain.layers
    assert isinstance(first, Matrix) and first.thresholds is not None
    wrong = Matrix(first.name, first.weights, thresholds=first.thresholds + 20, source=first.source)
    chain = Chain(reading.chain.shape, reading.chain.threshold, None, (wrong, *others))
    found = compare.with_qonnx(reading.model, chain, IMAGES, numbers_of("x/255").table)
    assert found.faults and found.faults[0].layer == "fc0"


@pytest.mark.parametrize(("make", "form"), [(dense, "x/255"), (convolutional, "x")])
def test_what_is_written_is_what_was_read(
    make: Callable[[Path], Path], form: str, tmp_path: Path
) -> None:
    chain = qonnx_reader.read(make(tmp_path / "a.onnx"), numbers_of(form).table).chain
    onnx.save(writer.to_qonnx(chain), str(tmp_path / "b.onnx"))
    again = qonnx_reader.read(tmp_path / "b.onnx").chain
    assert np.array_equal(again.run(IMAGES), chain.run(IMAGES))
    assert again.threshold == chain.threshold
    for one, other in zip(again.layers, chain.layers, strict=True):
        if isinstance(one, Pool):
            assert isinstance(other, Pool) and one.size == other.size
        else:
            assert isinstance(other, Matrix)
            assert np.array_equal(one.weights, other.weights) or one is again.layers[0]
            edges = [-1 if each.thresholds is None else each.thresholds for each in (one, other)]
            assert np.array_equal(edges[0], edges[1])


def test_the_scale_of_pixels_decides_their_threshold(tmp_path: Path) -> None:
    path = dense(tmp_path / "a.onnx")
    assert qonnx_reader.read(path, numbers_of("x/255").table).chain.threshold == 128
    reading = qonnx_reader.read(path)
    assert reading.chain.threshold == 1
    assert "threshold of pixels is 1" in reading.notes[0]


def bad(change: str, path: Path) -> Path:
    """A network with one layer that has no place in the hardware."""
    g = Graph()
    bits = g.sign(g.node("Sub", g.node("Flatten", "in"), g.constant(0.5)))
    weights = g.weights(9, 784)
    if change == "ternary":
        weights = g.constant(g.rng.integers(-1, 2, (9, 784)))
    elif change == "2 bits":
        two = [g.constant(x) for x in (0.5, 0.0, 2.0)]
        parts = (g.constant(g.rng.normal(size=(9, 784))), *two)
        weights = g.node("Quant", *parts, domain="onnx.brevitas", signed=1, narrow=1)
    sums = g.node("Gemm", bits, weights, transB=1)
    if change == "relu":
        sums = g.node("Relu", sums)
    elif change == "no sign":
        sums = g.node("Gemm", sums, g.weights(9, 9), transB=1)
    elif change == "two bits of activation":
        two = [g.constant(x) for x in (0.5, 0.0, 2.0)]
        sums = g.node("Quant", sums, *two, domain="onnx.brevitas", signed=1, narrow=0)
    elif change == "branch":
        sums = g.node("Add", sums, sums)
    output = sums if change != "ends with bits" else g.sign(sums)
    return g.save(path, (1, 1, 28, 28), output, 9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ternary", "fc0 has weights of INT2; .*takes ±1: retrain with weight_bit_width=1"),
        ("2 bits", "fc0 has weights of INT2; the hardware takes ±1: retrain with weight_bit_w"),
        ("relu", "after fc0: operator Relu has no place in the hardware; a sign"),
        ("no sign", "after fc0: no sign before the next layer"),
        ("two bits of activation", "after fc0: activations of INT2; the hardware has bits"),
        ("branch", "after fc0: .* operators take one tensor|is no constant"),
        ("ends with bits", "after fc0: it ends with bits; a fully connected last layer"),
    ],
)
def test_what_cannot_be_taken_is_refused_by_layer(change: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ForeignError, match=words) as error:
        qonnx_reader.read(bad(change, tmp_path / "a.onnx"), numbers_of("x/255").table)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    "text", ["y", "x/0", "normalize:1:0", "normalize:1,2:1", "nothing.txt", "x*x"]
)
def test_a_form_of_pixels_that_is_none(text: str) -> None:
    with pytest.raises(BuildError, match="--input"):
        numbers_of(text)


def test_forms_of_pixels(tmp_path: Path) -> None:
    assert numbers_of("2x/255 - 1").table[255] == 1
    found = numbers_of("normalize:0.5,0.4,0.3:0.2,0.2,0.1").table
    assert found.shape == (3, 256) and found[0, 255] == pytest.approx(2.5)
    np.testing.assert_array_equal(numbers_of("normalize:.5:.5").table[[0, 255]], [-1, 1])
    path = tmp_path / "codes.txt"
    path.write_text(" ".join(str(255 - code) for code in range(256)))
    assert numbers_of(str(path)).table[0] == 255
    path.write_text("1 2 3")
    with pytest.raises(BuildError, match="3 numbers; one for each pixel"):
        numbers_of(str(path))
    path.write_text(" ".join(["nan"] * 256))
    with pytest.raises(BuildError, match="holds nan where a number for a pixel is expected"):
        numbers_of(str(path))


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("spinflow.hls.foreign.command.BUILD", tmp_path / "build")
    return tmp_path / "build"


def imported(*words: Any) -> int:
    return main([*map(str, words), "--data", "mnist", "--compare", "3"])


def test_the_command_writes_what_the_build_takes(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = dense(tmp_path / "a.onnx")
    assert imported(source, "--name", "mine", "--input", "x/255", "--cycles", 784) == 0
    facts = json.loads((build / "mine" / "model.json").read_text())
    assert (facts["network"], facts["dataset"], facts["cycles"]) == ("mine", "mnist", 784)
    chain = qonnx_reader.read(build / "mine" / "model.onnx").chain
    tests = mnist()
    right = (chain.labels(chain.run(tests.test_images[:2000])) == tests.test_labels[:2000]).mean()
    assert abs(facts["accuracy"] - right) < 0.05
    said = capsys.readouterr()
    assert "3 images: every layer as QONNX computes it" in said.out and not said.err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["gone.onnx", "--name", "x"], "gone.onnx does not exist"),
        ([".", "--name", "x"], "is a folder without 0-0-weights.bin"),
        (["a.onnx", "--name", "../x"], "--name '../x': letters"),
        (["a.onnx", "--name", "tfc-mnist"], "the zoo has a network of this name"),
        (["a.onnx", "--name", "mlp-mnist+mine"], "the zoo has a network of this name"),
        (["a.onnx", "--name", "regs"], "build/regs is no network's folder"),
        (["gone.py:Net", "--name", "x"], "gone.py does not exist"),
        (["os:path", "--name", "x"], "no such class or function; there are "),
        (["os:getcwd.x", "--name", "x"], "os:getcwd.x does not exist: a .onnx file, a folder of"),
        ([__file__, "--name", "x"], "say which class or function of it, as "),
        (
            ["pynq", "--name", "x", "--input", "x"],
            "--input is not for pynq: a folder of BNN-PYNQ's",
        ),
        (
            ["pynq", "--name", "x", "--checkpoint", "a.pt"],
            "--checkpoint is for Python code; pynq has",
        ),
        (["os:getcwd", "--name", "x"], "gives str, a torch.nn.Module is expected"),
    ],
)
def test_bad_sources_are_one_line(
    words: list[str],
    line: str,
    build: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(build.parent)
    Path("pynq").mkdir()
    Path("pynq", "0-0-weights.bin").touch()
    assert imported(*words) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("spinflow: ") and line in said
    assert not build.exists()


def test_a_network_that_was_described_keeps_its_folder(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An import of its name is refused as long as its description is there."""
    description, facts = tmp_path / "mine.toml", build / "mine" / "model.json"
    description.touch()
    facts.parent.mkdir(parents=True)
    facts.write_text(json.dumps({"described_in": str(description)}))
    assert imported(dense(tmp_path / "a.onnx"), "--name", "mine", "--input", "x/255") == 1
    said = capsys.readouterr().err
    assert "build/mine is of " in said and said.count("\n") == 1
    description.unlink()
    assert imported(dense(tmp_path / "a.onnx"), "--name", "mine", "--input", "x/255") == 0


MODULE = """
import torch.nn as nn
import brevitas.nn as qnn
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        weights = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst}
        self.sign = qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
        self.hidden = qnn.QuantLinear(784, 30, **weights)
        self.norm = nn.BatchNorm1d(30)
        self.out = qnn.QuantLinear(30, 10, **weights)

    def forward(self, x):
        x = self.sign(2 * x.view(x.shape[0], -1) - 1)
        return self.out(self.sign(self.norm(self.hidden(x))))
"""


def test_a_file_of_any_name_is_looked_into(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "my net (2).py"
    source.write_text("from math import sin\n\n\ndef net():\n    return 3\n")
    assert imported(f"{source}:Net", "--name", "mine") == 1
    assert capsys.readouterr().err.endswith("no such class or function; there are net\n")
    assert imported(f"{source}:net", "--name", "mine") == 1
    assert "gives int, a torch.nn.Module is expected" in capsys.readouterr().err


@pytest.mark.slow
def test_a_brevitas_module(build: Path, tmp_path: Path) -> None:
    source = tmp_path / "own nets" / "my net.py"
    source.parent.mkdir()
    source.write_text(MODULE)
    assert imported(f"{source}:Net", "--name", "mine", "--input", "x/255") == 0
    chain = qonnx_reader.read(build / "mine" / "model.onnx").chain
    assert chain.threshold == 128
    assert [layer.weights.shape for layer in chain.layers if isinstance(layer, Matrix)] == [
        (30, 784),
        (10, 30),
    ]


# --- trained networks of others -------------------------------------------------------------------


def accuracy(chain: Chain) -> int:
    """How many of MNIST's 10,000 test images get their label."""
    tests = mnist()
    parts = [
        (chain.labels(chain.run(tests.test_images[i : i + 500])) == tests.test_labels[i : i + 500])
        for i in range(0, 10000, 500)
    ]
    return int(np.concatenate(parts).sum())


def test_tfc_1w1a_of_the_qonnx_zoo() -> None:
    """93.17 % published, 92.96 % by QONNX's own execution of the file."""
    numbers = numbers_of("x/255")
    reading = qonnx_reader.read(model_file("qonnx-zoo/TFC_1W1A.onnx"), numbers.table)
    assert reading.chain.threshold == 128
    assert accuracy(reading.chain) == 9296
    found = compare.with_qonnx(
        reading.model, reading.chain, mnist().test_images[:10], numbers.table
    )
    assert not found.differences


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TFC_1W2A", "after fc0: activations of INT2"),
        ("TFC_2W2A", "fc0 has weights of INT2"),
    ],
)
def test_networks_of_two_bits_are_refused(name: str, words: str) -> None:
    with pytest.raises(ForeignError, match=words):
        qonnx_reader.read(model_file(f"qonnx-zoo/{name}.onnx"), numbers_of("x/255").table)


def test_lfc_w1a1_of_bnn_pynq() -> None:
    """98.4 % published, 98.34 % as the largest of the last sums."""
    assert accuracy(bnn_pynq.read(model_file("bnn-pynq/mnist/lfcW1A1"))) == 9834


def test_cnv_w1a1_of_bnn_pynq() -> None:
    """79.54 % published, 79.37 % of all 10,000 images as the largest of the last sums."""
    chain = bnn_pynq.read(model_file("bnn-pynq/cifar10/cnvW1A1"))
    tests = images_of("cifar10", 500)
    assert int((chain.labels(chain.run(tests.images)) == tests.labels).sum()) == 406


def test_a_damaged_folder_of_bnn_pynq(tmp_path: Path) -> None:
    source = model_file("bnn-pynq/mnist/lfcW1A1")
    for path in source.glob("*.bin"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "1-3-weights.bin").write_bytes(b"12345678")
    with pytest.raises(BuildError, match="layer 1 has 64 files of 512 words"):
        bnn_pynq.read(tmp_path)
    (tmp_path / "3-0-weights.bin").unlink()
    with pytest.raises(BuildError, match="has 3 layers; BNN-PYNQ's LFC has 4"):
        bnn_pynq.read(tmp_path)
