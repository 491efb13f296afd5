"""Training on pictures: alone and in two processes, shares of the work, resumption, errors."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import socket
import weakref
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import distributed, multiprocessing
from tqdm import tqdm

from spinflow.model import store, zoo
from spinflow.model import train as command
from spinflow.model.data import ImageNet, Pictures, dataset
from spinflow.model.data import imagenet as pictures_of_imagenet
from spinflow.model.networks.base import to_input
from spinflow.model.networks.build import untrained
from spinflow.model.networks.graph import Block, XnorSpec
from spinflow.model.train import epochs_in_words
from spinflow.model.training import loop, processes
from spinflow.model.training.feeds.imagenet import ImageNetFeed, measure, training_order
from spinflow.model.training.gradients import InProcesses
from spinflow.model.training.loop import Trainer
from spinflow.model.training.recipe import Recipe
from spinflow.model.zoo import RECIPES
from spinflow.papers import measure as reproduced
from spinflow.papers import page, trainings
from spinflow.papers.item import Role, Setting, Table

TINY = XnorSpec(
    "tiny-alexnet",
    (9, 9, 3),
    (
        Block("conv", 6, 3, stride=2, binary=False),
        Block("conv", 8, 3, padding=1),
        Block("linear", 3, binary=False),
    ),
    "imagenet",
)
RECIPE = dataclasses.replace(
    RECIPES["alexnet-imagenet"], epochs=3, batch=6, lr=0.02, activation_errors="0.05"
)
WNIDS = ("n01440764", "n01443537", "n02119789")


NETWORK = "alexnet-imagenet"


def train(
    recipe: Recipe, pictures: ImageNet, out: Path, resume: bool = False, workers: int = 1
) -> dict[str, Any]:
    """Train the tiny network; give what the JSON file says."""
    _, facts = loop.train(ImageNetFeed(recipe, TINY, pictures, workers), out, resume)
    found: dict[str, Any] = json.loads(facts.read_text())
    return found


def make_pictures(folder: Path, wnids: tuple[str, ...] = WNIDS) -> ImageNet:
    """Classes of eight pictures for training and five for validation, three of them in colours."""
    found = []
    for part, count in (("train", 8), ("val", 5)):
        files = []
        for label, wnid in enumerate(wnids):
            (folder / part / wnid).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                files.append(str(folder / part / wnid / f"{number}.JPEG"))
                colour = [20 * number + label // 3] * 3
                colour[label % 3] = 255
                Image.new("RGB", (14, 12), tuple(colour)).save(files[-1], "jpeg")
        labels = np.repeat(np.arange(len(wnids), dtype=np.uint16), count)
        found.append(Pictures(files, labels, 12, 9))
    return ImageNet(wnids, *found)


@pytest.fixture
def pictures(tmp_path: Path) -> ImageNet:
    return make_pictures(tmp_path / "pictures")


def test_resumed_equals_uninterrupted(
    pictures: ImageNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(RECIPE, pictures, tmp_path / "whole")
    assert whole["test_images"] == 15 and whole["test_correct_of_five"] == 15
    save = Trainer.save

    def save_then_stop(self: Trainer, path: Path) -> None:
        save(self, path)
        if self.epoch == 1:
            raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", save_then_stop)
        with pytest.raises(InterruptedError):
            train(RECIPE, pictures, tmp_path / "parts")
    with pytest.raises(ValueError, match="exists: add --resume"):
        train(RECIPE, pictures, tmp_path / "parts")
    other = dataclasses.replace(RECIPE, lr=0.5)
    with pytest.raises(ValueError, match=r"was begun with lr = 0\.02, not 0\.5; resume"):
        train(other, pictures, tmp_path / "parts", resume=True)
    train(RECIPE, pictures, tmp_path / "parts", resume=True, workers=3)
    for name in ("tiny-alexnet.safetensors", "tiny-alexnet.json", "checkpoint.safetensors"):
        written = [(tmp_path / folder / name).read_bytes() for folder in ("whole", "parts")]
        assert written[0] == written[1], name


def test_learns_the_colours(pictures: ImageNet, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=15, activation_errors="0")
    assert train(recipe, pictures, tmp_path / "out")["test_accuracy"] > 0.9


def test_processes_share_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = training_order(RECIPE, 23, epoch=2).reshape(3, 6)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(processes, "rank_and_count", lambda rank=rank: (rank, 2))
        parts.append(training_order(RECIPE, 23, epoch=2).reshape(3, 3))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), alone)
    assert len(np.unique(alone)) == 18
    assert (training_order(RECIPE, 23, epoch=3).reshape(3, 3) != parts[1]).any()


def test_first_five_and_ties(pictures: ImageNet) -> None:
    """By sorting the logits, of equals the lower label first."""
    model = untrained(TINY.with_classes(9), 1)
    images, labels = next(pictures.test.batches(15))
    with torch.no_grad():
        model.matrices()[-1].weight[1:4] = model.matrices()[-1].weight[0]
        model.matrices()[-1].bias[1:4] = model.matrices()[-1].bias[0]
        logits = model(to_input(model.spec, images)).numpy()
    order = np.argsort(-logits, axis=1, kind="stable")
    expected = [int((order[:, :n] == labels[:, None]).any(axis=1).sum()) for n in (1, 5)]
    assert measure(model, pictures.test, 4, 2) == tuple(expected)
    assert expected[0] < expected[1]


def in_a_process(rank: int, folder: Path) -> None:
    """One of two processes; writes its weights after an epoch and what it measured."""
    torch.set_num_threads(1)
    store_of_both = f"file://{folder / 'meeting'}"
    distributed.init_process_group("gloo", init_method=store_of_both, rank=rank, world_size=2)
    with processes.leaving():
        _train_and_measure(rank, folder)


def _train_and_measure(rank: int, folder: Path) -> None:
    found = make_pictures(folder / f"pictures{rank}")
    trainer = Trainer(ImageNetFeed(RECIPE, TINY, found, 1))
    with tqdm(disable=True) as bar:
        trainer.run_epoch(bar)
    values = [value.detach().reshape(-1) for value in trainer.model.parameters()]
    np.save(folder / f"{rank}.npy", torch.cat(values).numpy())
    feed = ImageNetFeed(RECIPE, TINY, found, 1)
    weights, _ = loop.train(feed, folder / "out")
    measured = feed.measured(store.unpack(weights, TINY))
    (folder / f"{rank}.json").write_text(json.dumps(measured))


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    multiprocessing.spawn(in_a_process, (tmp_path,), nprocs=2)
    first, second = (np.load(tmp_path / f"{rank}.npy") for rank in range(2))
    np.testing.assert_array_equal(first, second)
    facts, others = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    written = json.loads((tmp_path / "out" / "tiny-alexnet.json").read_text())
    assert facts == others and facts.items() < written.items() and written["processes"] == 2
    start = "torchrun --nproc-per-node 2 -m spinflow.model.train alexnet-imagenet --seed 1 "
    assert written["command"].startswith(start)
    model = store.unpack(tmp_path / "out" / "tiny-alexnet.safetensors", TINY)
    found = make_pictures(tmp_path / "again")
    assert measure(model, found.test, 15, 1) == (facts["test_correct"], 15)


@pytest.mark.parametrize("error", [None, ValueError])
def test_a_shared_network_is_gone_before_its_group(
    pictures: ImageNet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception] | None,
) -> None:
    """Else it ends the group's threads, and waits for ever for one that waits for Python's lock."""
    shared: list[weakref.ref[object]] = []
    alive: list[object] = []
    destroy = distributed.destroy_process_group

    def destroyed() -> None:
        alive.extend(ref() for ref in shared)
        destroy()

    def work() -> None:
        trainer = Trainer(ImageNetFeed(RECIPE, TINY, pictures, 1))
        trainer.gradients = InProcesses(trainer.model, RECIPE)
        shared.append(weakref.ref(trainer.gradients._parallel))
        with tqdm(disable=True) as bar:
            trainer.run_epoch(bar)
        if error is not None:
            raise error("with the network in its traceback")

    monkeypatch.setattr(distributed, "destroy_process_group", destroyed)
    meeting = f"file://{tmp_path / 'meeting'}"
    distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
    with pytest.raises(error) if error else nullcontext(), processes.leaving():
        work()
    assert alive == [None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pictures and the tiny network for the command."""
    monkeypatch.setattr(pictures_of_imagenet, "TRAIN_OF_A_CLASS", (8, 8))
    monkeypatch.setattr(pictures_of_imagenet, "VAL_OF_A_CLASS", 5)
    monkeypatch.setattr(pictures_of_imagenet, "RESIZE", 12)
    monkeypatch.setitem(zoo.NETWORKS, NETWORK, TINY)
    make_pictures(tmp_path / "ImageNet")
    return tmp_path / "ImageNet"


def test_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = "--epochs 1 --batch 4 --device cpu --activation-errors conv0=0.1 --no-bfloat16"
    common = [NETWORK, "--data-dir", str(folder), "--classes", "2", *options.split()]
    assert command.main([*common, "--out", str(tmp_path / "a")]) == 0
    assert "of 10" in capsys.readouterr().out
    facts = json.loads((tmp_path / "a" / "tiny-alexnet.json").read_text())
    assert facts["classes"] == list(WNIDS[:2]) and facts["recipe"]["activation_errors"]
    start, name, *words = shlex.split(facts["command"].replace("FOLDER", str(folder), 1))
    assert (start, name) == ("spinflow", "train")
    assert command.main([word.replace("FOLDER", str(tmp_path / "b")) for word in words]) == 0
    files = [tmp_path / name / "tiny-alexnet.safetensors" for name in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--classes 2 --batch 99",
            "batch is 99, valid: a multiple of 1, the processes, up to the 16 ",
        ),
        ("--classes 1", "1 classes, valid: 2 or more"),
        ("--classes 2 --batch 2 --activation-errors fc0=0.1", "unknown layer 'fc0'; known: conv0"),
        ("--classes 4", "holds 3 folders of classes, 4 asked for"),
    ],
)
def test_bad_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str, message: str
) -> None:
    out = tmp_path / "out"
    words = [NETWORK, "--data-dir", str(folder), "--out", str(out), *options.split()]
    assert command.main(words) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_no_thread_decodes_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):  # the parser has said what is right
        command.main([NETWORK, "--data-dir", str(folder), "--out", str(tmp_path), "--workers", "0"])


@pytest.mark.slow
def test_errors_in_weights_against_the_first_five(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the figures have it: seven classes, their pictures as they lie on the disk."""
    spec = TINY.with_classes(7)
    role = Role("tiny", spec.name)
    setting = Setting(tmp_path / "out", repeats=2)
    for place, name, value in (
        (store, "ZOO", tmp_path), (reproduced, "RATES", (0.0, 0.2)),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, value)
    monkeypatch.setitem(zoo.NETWORKS, spec.name, spec)
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path / "cache"))
    model = untrained(spec, 2)
    pictures = make_pictures(folder, tuple(f"n0000000{number}" for number in range(7)))
    for wnid in WNIDS:
        for part in ("train", "val"):
            shutil.rmtree(folder / part / wnid, ignore_errors=True)
    images, labels = next(pictures.test.batches(35))
    store.save_trained(model, images, labels.astype(np.uint8), {}, tmp_path)

    def rows() -> list[dict[str, object]]:
        return reproduced.curves([role], ("weights",), 2, setting, "x", error_rates=(0.0, 0.2))

    assert "no pictures: ImageNet is not in " in str(rows()[0]["skipped"])
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "imagenet").symlink_to(folder)
    found = rows()
    assert [row["images"] for row in found] == [35] * 3
    assert found[0]["accuracy"] == measure(model, pictures.test, 8, 1)[1] / 35
    assert [int(str(row["errors"])) > 0 for row in found] == [False, True, True]
    assert len({row["accuracy"] for row in found}) > 1
    fewer = dataclasses.replace(setting, out=tmp_path / "fewer", images=7)
    (row,) = reproduced.curves([role], ("weights",), 2, fewer, "x", error_rates=(0.0,))
    chosen = Pictures(pictures.test.files[::5], pictures.test.labels[::5], 12, 9)
    assert row["accuracy"] == measure(model, chosen, 8, 1)[1] / 7


def test_trainings_of_a_figure(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rates, two seeds; started as torchrun starts the only process."""
    name = NETWORK
    short = dataclasses.replace(RECIPES[name], epochs=1, batch=4, bfloat16=False)
    monkeypatch.setitem(zoo.NETWORKS, name, dataclasses.replace(TINY, name=name))
    monkeypatch.setitem(RECIPES, name, short)
    monkeypatch.setattr(trainings, "RATES", (0.0, 0.1))
    monkeypatch.setattr(trainings, "SEEDS", (1, 2))
    monkeypatch.setattr(store, "ZOO", tmp_path / "out")
    monkeypatch.setenv("SPINFLOW_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match="ImageNet is not in "):
        trainings.run("tzoufras-4", tmp_path / "out")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "imagenet").symlink_to(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    alone = {"LOCAL_RANK": 0, "RANK": 0, "WORLD_SIZE": 1, "MASTER_PORT": port}
    for key, value in (alone | {"MASTER_ADDR": "127.0.0.1"}).items():
        monkeypatch.setenv(key, str(value))
    with pytest.raises(ValueError, match="tzoufras-1 is trained by one process"):
        trainings.run("tzoufras-1", tmp_path / "out")
    path = trainings.run("tzoufras-4", tmp_path / "out")
    table = Table.read(path)
    assert [(row["rate"], row["seed"], row["images"]) for row in table.rows] == [
        ("0.0", "1", "10"), ("0.0", "2", "10"), ("0.1", "1", "10"), ("0.1", "2", "10"),
    ]  # fmt: skip
    assert not list((tmp_path / "out").glob("*/checkpoint*"))
    facts = json.loads(next((tmp_path / "out").glob(f"*/{name}.json")).read_text())
    assert epochs_in_words(facts | {"recipe": facts["recipe"] | {"epochs": 0}}) == "0 of 1 epochs"

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(loop, "train", refuse)
    assert Table.read(trainings.run("tzoufras-4", tmp_path / "out")) == table
    item = page.ITEMS["tzoufras-4"]
    lines = item.lines(item.collect(Setting()))
    assert [line.repeats for line in lines] == ["2", "2"]
    (first, *_) = page.ITEMS["tzoufras-3"].lines(page.ITEMS["tzoufras-3"].collect(Setting()))
    assert "which need ImageNet" in first.ours


def test_the_plain_command_says_where_it_is_trained(folder: Path) -> None:
    with pytest.raises(ValueError, match="does not fit into memory"):
        dataset("imagenet", folder)
