"""Networks described in files of one's own, in any folder."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.core.errors import InputError
from spinflow.host.core.networks import called
from spinflow.model import evaluate, export, train, zoo
from spinflow.model.data import Dataset
from spinflow.model.networks.base import predict
from spinflow.model.networks.graph import ConvSpec, FixedPointSpec, NetworkSpec, XnorSpec
from spinflow.model.store import load_trained
from spinflow.model.zoo import EntryError, find
from spinflow.sim.evaluator import Evaluator

REPOSITORY = Path(__file__).resolve().parents[2]

SMALL = """
kind = "perceptron"
widths = [784, 16, 10]
dataset = "mnist"

[recipe]
epochs = 1
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a process forget the networks that a test found."""
    monkeypatch.setattr(zoo, "_OWN", {})
    networks, recipes = dict(zoo.NETWORKS), dict(zoo.RECIPES)
    yield
    zoo.NETWORKS.clear()
    zoo.NETWORKS.update(networks)
    zoo.RECIPES.clear()
    zoo.RECIPES.update(recipes)


def written(folder: Path, text: str = SMALL, name: str = "mine.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("tfc-mnist", "tfc-mnist", None),
        ("mlp-mnist+margin", "mlp-mnist+margin", None),
        ("my.toml", "my", "my.toml"),
        ("/home/c++/my.toml", "my", "/home/c++/my.toml"),
        ("a.toml+b/my.toml", "my", "a.toml+b/my.toml"),
        ("../nets/my.v2.toml+wide-1", "my.v2+wide-1", "../nets/my.v2.toml"),
    ],
)
def test_what_a_network_is_called(text: str, name: str, path: str | None) -> None:
    words = called(text)
    assert (words.name, words.path) == (name, None if path is None else Path(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a name is expected"),
        ("../tfc-mnist", "a name is expected"),
        ("tfc-mnist+", "a name is expected"),
        ("a b", "a name is expected"),
        ("names", "a name is expected"),
        ("nets/my net.toml", "'my net' is no name: 1 to 64 letters"),
        ("nets/.toml", "'' is no name"),
        ("nets/größe.toml", "is no name"),
        ("nets/regs.toml", "'regs' is no name: .* not finn, names or regs"),
        (f"{'n' * 65}.toml", "is no name"),
        ("my.toml+a/b", "a label has letters"),
        ("tfc-mnist+a b", "a label has letters"),
    ],
)
def test_what_no_network_is_called(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        called(text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


# --- descriptions ---------------------------------------------------------------------------------


def test_what_a_description_leaves_out_has_defaults(tmp_path: Path) -> None:
    found = find(str(written(tmp_path)))
    assert found.entry.spec == NetworkSpec("mine", (784, 16, 10), 128, 2.0**-2, "mnist")
    assert (found.name, found.folder, found.is_own) == ("mine", tmp_path, True)
    assert found.weights == tmp_path / "mine.safetensors"
    assert found.entry.hardware.cycles is None and found.entry.images == 500
    assert found.entry.recipe.epochs == 1 and found.entry.recipe.batch == 256
    small = 'kind = "convolutional"\nshape = [8, 8, 1]\nchannels = [4]\nwidths = [3]\n'
    conv = find(str(written(tmp_path, small, "conv.toml")))
    assert conv.entry.spec == ConvSpec("conv", (8, 8, 1), 3, (4,), (), (3,), 2.0**-3, "mnist")
    assert conv.entry.images == 100


def test_sizes_are_one_number_or_one_for_each_layer(tmp_path: Path) -> None:
    text = """
    kind = "convolutional"
    shape = [20, 20, 3]
    channels = [4, 6, 8]
    kernel = [5, 1, 3]
    padding = [2, 0, 1]
    stride = [2, 1, 1]
    pools = [0, 2]
    pool = [2, 5]
    widths = [12, 1000]
    """
    spec = find(str(written(tmp_path, text))).entry.spec
    assert [(layer.name, layer.kernel, layer.stride) for layer in spec.layers] == [
        *(("conv0", 5, 2), ("pool0", 2, 2), ("conv1", 1, 1), ("conv2", 3, 1), ("pool2", 5, 5)),
        *(("fc0", 1, 1), ("fc1", 1, 1)),
    ]
    assert spec.layers[-1].result == (1, 1, 1000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("widths = [", "not TOML"),
        ("widths = [784, 10]", "kind is None, valid: perceptron, convolutional"),
        ("kind = 3", "kind is 3, valid: "),
        ('kind = "perceptron"', "widths is missing"),
        ('kind = "perceptron"\nwidths = 784', "widths is 784, valid: a list"),
        ('kind = "perceptron"\nwidths = [784, 1.5]', r"widths\[1\] is 1.5, valid: a whole number"),
        ('kind = "perceptron"\nwidth = [784, 10]', "there is no 'width': is widths meant"),
        ('kind = "perceptron"\nwidths = [784, 10]\nx = 1', "there is no 'x': there are widths,"),
        ('kind = "perceptron"\nwidths = [784, 1]', "widths ends with 1, the number of classes"),
        ('kind = "perceptron"\nwidths = [784, 10]\ndataset = 3', "dataset is 3, valid: a text"),
        (SMALL + "epoch = 3", "there is no 'recipe.epoch': is epochs meant"),
        (SMALL + "batch = 0", "batch is 0, valid: 1 or more"),
        (SMALL + "[hardware]\ncycles = 0", "hardware.cycles is 0, valid: 1 to"),
        (SMALL + '[hardware]\ncycles = "fast"', "hardware.cycles is 'fast', valid: a whole number"),
        ("hardware = 3\n" + SMALL, "hardware is 3, valid: a table"),
        (
            "recipe = []\n" + SMALL.split("[", maxsplit=1)[0] + "[784, 10]",
            "recipe is .*, valid: a table",
        ),
        (
            'kind = "convolutional"\nshape = [8, 8]\nchannels = [4]\nwidths = [3]',
            r"shape is \[8, 8\], valid: a list of 3",
        ),
        (
            'kind = "convolutional"\nshape = [8, 8, 1]\nchannels = [4]\nwidths = [3]\nkernel = 9',
            "conv0 takes 9 x 9 of a map of 8 x 8: fewer pools, smaller kernels or padding",
        ),
    ],
)
def test_a_wrong_description_gets_one_line_with_what_is_valid(
    text: str, message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(EntryError, match=message) as error:
        find(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value) and len(str(error.value)) - len(str(path)) < 250
    assert "mine" not in zoo.NETWORKS


def test_a_description_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match=r"gone.toml: No such file"):
        find(str(tmp_path / "gone.toml"))
    with pytest.raises(EntryError, match="bytes"):
        find(str(written(tmp_path, "#" * 70_000)))


def test_one_name_is_of_one_network(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert find(str(first)) == find(str(first))
    assert find("mine") == find(str(first)), "known by its name from then on"
    with pytest.raises(EntryError, match=r"a/mine.toml has the same name; give one of them"):
        find(str(second))
    copied = written(tmp_path, name="tfc-mnist.toml")
    with pytest.raises(EntryError, match="the zoo has a network of the name tfc-mnist"):
        find(str(copied))
    assert find(str(zoo.ZOO / "tfc-mnist.toml")) == find("tfc-mnist")


def test_a_path_without_a_folder_is_pointed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"unknown network 'mine'; mine.toml is its path"):
        find("mine")


def test_data_of_ones_own_lie_beside_the_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = SMALL.replace('"mnist"', '"data/digits.npz"')
    found = find(str(written(tmp_path / "nets", own)))
    assert found.entry.spec.dataset == str((tmp_path / "nets/data/digits.npz").resolve())
    (tmp_path / "nets" / "pictures").mkdir()
    folder = find(str(written(tmp_path / "nets", SMALL.replace('"mnist"', '"pictures"'), "b.toml")))
    assert folder.entry.spec.dataset == str((tmp_path / "nets" / "pictures").resolve())


# --- training, evaluation, export -----------------------------------------------------------------


@pytest.fixture
def data(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    for module in (train, evaluate):
        monkeypatch.setattr(module, "dataset", lambda *_: small)
    return small


def test_a_network_of_ones_own_is_trained_measured_and_exported(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it by its path, into its own folder; no option is needed, and its data may be few."""
    path = written(tmp_path / "nets")
    assert train.main([str(path)]) == 0, capsys.readouterr().err
    there = sorted(each.name for each in path.parent.iterdir())
    assert there == ["mine.json", "mine.safetensors", "mine.toml"]
    told = json.loads((path.parent / "mine.json").read_text())
    assert (told["network"], told["recipe"]["network"]) == ("mine", "mine")
    assert told["recipe"]["validation"] == len(data.train_images) // 10
    assert told["command"].startswith("spinflow train mine.toml --seed 1 ")
    first = (path.parent / "mine.safetensors").read_bytes()
    assert train.main([str(path)]) == 0, "again, without a word about a checkpoint"
    assert (path.parent / "mine.safetensors").read_bytes() == first

    assert evaluate.main([str(path)]) == 0
    out = tmp_path / "build" / "mine" / "model.onnx"
    assert export.main([str(path), "--out", str(out)]) == 0
    facts = json.loads(out.with_name("model.json").read_text())
    assert (facts["network"], facts["dataset"], facts["cycles"]) == ("mine", "mnist", None)
    assert facts["accuracy"] == told["test_accuracy"]

    evaluator = Evaluator.from_network(str(path), threads=1)
    for layer, memory in enumerate(m for m in evaluator.memories if m.kind == "weights"):
        evaluator.write_weights(memory.index, evaluator.weights(layer))
    labels, _ = evaluator.run(data.test_images)
    np.testing.assert_array_equal(labels, predict(load_trained("mine"), data.test_images))


def test_a_variant_of_ones_own(data: Dataset, tmp_path: Path) -> None:
    path = written(tmp_path)
    assert train.main([str(path), "--label", "wide"]) == 0
    assert (tmp_path / "mine+wide.safetensors").is_file()
    assert find(f"{path}+wide").weights.is_file() and not find(str(path)).weights.is_file()
    assert evaluate.main([f"{path}+wide"]) == 0


def test_an_interrupted_training_leaves_a_checkpoint_of_its_name(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    path = written(tmp_path, SMALL.replace("epochs = 1", "epochs = 2"))
    whole = tmp_path / "whole"
    assert train.main([str(path), "--out", str(whole)]) == 0
    run_epoch = train.loop.Trainer.run_epoch

    def once(trainer: Any, bar: Any) -> None:
        if trainer.epoch == 1:
            raise KeyboardInterrupt
        run_epoch(trainer, bar)

    with monkeypatch.context() as patch:
        patch.setattr(train.loop.Trainer, "run_epoch", once)
        assert train.main([str(path)]) == 130
    assert (tmp_path / "mine.checkpoint.safetensors").is_file()
    capsys.readouterr()
    assert train.main([str(path)]) == 1
    assert "mine.checkpoint.safetensors exists: add --resume, or remove" in capsys.readouterr().err
    assert train.main([str(path), "--resume"]) == 0
    assert not (tmp_path / "mine.checkpoint.safetensors").exists()
    assert (tmp_path / "mine.safetensors").read_bytes() == (whole / "mine.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("command", "text", "line"),
    [
        ("train", "tfc-mnist", "tfc-mnist is of the zoo: give --out"),
        ("train", "nowhere/gone.toml", "nowhere/gone.toml: No such file"),
        ("train", "{}+wide", "to train a variant"),
        ("train", "vgg", "unknown network 'vgg'; known: "),
        ("evaluate", "{}", "mine.safetensors: no such file; spinflow train {} makes it"),
        ("export", "{}", "mine.safetensors: no such file; spinflow train {} makes it"),
        ("export", "nin-svhn", "not wholly binary"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    command: str, text: str, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    program = {"train": train, "evaluate": evaluate, "export": export}[command]
    more = ["--out", str(tmp_path / "out" / "model.onnx")] if command == "export" else []
    assert program.main([text.format(path), *more]) == 1
    said = capsys.readouterr().err
    assert said.startswith("spinflow: ") and said.count("\n") == 1
    assert line.format(path)[-40:] in said
    assert [each.name for each in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("widths", "line"),
    [
        (
            "[100, 16, 10]",
            "mine takes 10 x 10 pixels of 1 channels; an image of mnist has 784 bytes",
        ),
        ("[784, 16, 7]", "mnist has the label 9; mine has 7 classes, from 0"),
    ],
)
def test_data_that_do_not_fit_are_told_before_training(
    widths: str, line: str, data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, SMALL.replace("[784, 16, 10]", widths))
    assert train.main([str(path)]) == 1
    assert capsys.readouterr().err == f"spinflow: {line}\n"


def test_two_networks_of_a_name_do_not_take_each_others_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    out = ["--out", str(tmp_path / "build" / "model.onnx"), "--untrained", "1"]
    assert export.main([str(first), *out]) == 0
    before = (tmp_path / "build" / "model.json").read_bytes()
    capsys.readouterr()
    monkeypatch.setattr(zoo, "_OWN", {})
    assert export.main([str(second), *out]) == 1
    said = capsys.readouterr().err
    assert "is of another network of the same name" in said and said.count("\n") == 1
    assert (tmp_path / "build" / "model.json").read_bytes() == before
    first.unlink()
    assert export.main([str(second), *out]) == 0, "nobody else has it any more"
    imported = json.loads(before) | {"weights_sha256": None}
    del imported["described_in"]
    (tmp_path / "build" / "model.json").write_text(json.dumps(imported))
    assert export.main([str(second), *out]) == 1
    assert "is of an imported network of the same name, mine" in capsys.readouterr().err


# --- what make asks -------------------------------------------------------------------------------


def make(*words: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-n", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_make_takes_a_description(tmp_path: Path) -> None:
    path = written(tmp_path)
    for end in ("safetensors", "json"):
        path.with_suffix(f".{end}").touch()
    done = make("run", f"NETWORK={path}", f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stderr
    assert f"-m spinflow export '{path}' --out build/mine/model.onnx" in done.stdout
    assert "-m spinflow bundle mine --out build/mine" in done.stdout
    assert "-m spinflow data mnist" in done.stdout
    assert "sweep --on rtl --bundle build/mine --images-at-most 500" in done.stdout
    asked = make("run", f"NETWORK={path}", f"PYTHON={sys.executable}", "IMAGES=7").stdout
    assert "sweep --on rtl --bundle build/mine --images '7'" in asked


@pytest.mark.parametrize(
    ("network", "line"),
    [
        ("nope", "no such network; there are cnv-cifar10, "),
        ("{}/gone.toml", "gone.toml: No such file or directory"),
        ("{}/mine.toml", "not trained: spinflow train .*mine.toml makes mine.safetensors"),
        ("{}/bad.toml", "bad.toml: kind is None"),
        ("{}/with space/mine.toml", "make needs a path without spaces"),
        ("a b", "a name is expected"),
        ("nin-svhn", "not wholly binary"),
        ("cnn-cifar10", "not trained"),
    ],
)
def test_make_names_what_is_wrong_with_a_network(network: str, line: str, tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, "", "bad.toml")
    spaced = written(tmp_path / "with space")
    for end in ("safetensors", "json"):
        spaced.with_suffix(f".{end}").touch()
    done = make("run", f"NETWORK={network.format(tmp_path)}", f"PYTHON={sys.executable}")
    said = done.stderr.strip().splitlines()
    assert done.returncode and len(said) == 1 and "spinflow: NETWORK=" in said[0]
    assert re.search(line, said[0]), said[0]


def test_make_takes_what_only_the_build_folder_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an imported network, whose data may be the user's own."""
    from spinflow.model.zoo import __main__ as for_make

    monkeypatch.setattr(for_make, "WORK", tmp_path)
    folder = tmp_path / "build" / "taken"
    folder.mkdir(parents=True)
    (folder / "model.onnx").touch()
    for data, shape, wanted in (
        ("cifar10", [32, 32, 3], ("cifar10", "100")),
        ("my-birds", [784], ("", "500")),
    ):
        (folder / "model.json").write_text(json.dumps({"dataset": data, "shape": shape}))
        for_make.main(["taken"])
        lines = dict(line.split(":=") for line in capsys.readouterr().out.splitlines())
        assert (lines["DATASET"], lines["DEFAULT_IMAGES"]) == wanted
        assert lines["NAME"] == "taken" and lines["TRAINED_FILES"] == "" and "PROBLEM" not in lines
    shutil.rmtree(folder)
    for_make.main(["taken"])
    assert "PROBLEM:=no~such~network" in capsys.readouterr().out


# --- the page -------------------------------------------------------------------------------------


def test_the_page_describes_what_there_is(tmp_path: Path) -> None:
    """Its example is a network, and each key of its table is one that a description may have."""
    page = (REPOSITORY / "docs" / "own-networks.md").read_text(encoding="utf-8")
    page = page.partition("## A network described")[2]
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    spec = find(str(written(tmp_path, example, "wear.toml"))).entry.spec
    assert spec == NetworkSpec("wear", (784, 300, 100, 10), dataset="fashion-mnist")
    keys = {
        key
        for line in re.findall(r"^\| (`.*?) \|", page, re.M)
        for key in re.findall(r"`(\w+)`", line)
    }
    kinds = NetworkSpec, ConvSpec, FixedPointSpec, XnorSpec
    fields = {f.name for kind in kinds for f in dataclasses.fields(kind)}
    assert keys == (fields - {"name"}) | {"kind", "cycles", "images"}
