"""Training repeats itself, and an interruption leaves no trace."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from tqdm import tqdm

from spinflow.model import store, zoo
from spinflow.model import train as command
from spinflow.model.data import Dataset
from spinflow.model.networks.base import to_input
from spinflow.model.networks.build import build, untrained
from spinflow.model.networks.graph import NetworkSpec
from spinflow.model.training import loop, processes
from spinflow.model.training.checkpoint import CHECKPOINT
from spinflow.model.training.distort import distort
from spinflow.model.training.feeds.memory import MemoryFeed
from spinflow.model.training.loop import Trainer, train
from spinflow.model.training.recipe import Recipe
from spinflow.model.training.write_errors import ErrorProneMemories
from spinflow.model.zoo import RECIPES, network
from tests.model.conftest import TINY_CONV, shortest

RECIPE = Recipe(
    "tiny", seed=3, epochs=4, batch=64, shift=1.0, rotate=10.0, zoom=0.1, validation=256
)


CONV_RECIPE = dataclasses.replace(
    RECIPE, network="tiny-conv", norm_lr=0.1, crop=2, flip=True, parts=2, hold=2
)


# Errors of every kind; few steps, since drawn rates this high teach nothing.
ERRORS: dict[str, Any] = {
    "epochs": 2,
    "batch": 512,
    "weight_errors": "1e-3:1e-1",
    "error_mode": "switch",
    "label": "some-errors",
}
KINDS = {
    "mlp": RECIPE,
    "conv": CONV_RECIPE,
    "mlp-errors": dataclasses.replace(
        RECIPE, **ERRORS, activation_errors="fc1=1e-2/1e-3:1e-1", loss="margin"
    ),
    "conv-errors": dataclasses.replace(CONV_RECIPE, **ERRORS, activation_errors="0.1", hold=1),
    "fixed-point": dataclasses.replace(CONV_RECIPE, network="tiny-fxp"),
    "floats": dataclasses.replace(CONV_RECIPE, network="tiny-xnor"),
    "floats-errors": dataclasses.replace(
        CONV_RECIPE, **ERRORS, network="tiny-xnor", activation_errors="0.1", hold=1
    ),
}


@pytest.fixture
def recipe(tiny: NetworkSpec, request: pytest.FixtureRequest) -> Recipe:
    return KINDS[request.param]


def few_images() -> Dataset:
    """Blank images of two classes, enough for the default recipe."""
    labels = np.arange(6000, dtype=np.uint8) % 2
    return Dataset(
        np.zeros((6000, 784), np.uint8), labels, np.zeros((1, 784), np.uint8), labels[:1]
    )


class InterruptedRunError(Exception):
    """Stands for the signal that ends a run."""


@pytest.mark.slow
@pytest.mark.parametrize("recipe", list(KINDS), indirect=True)
def test_same_seed_same_file(recipe: Recipe, small: Dataset, tmp_path: Path) -> None:
    first, again = (train(MemoryFeed(recipe, small), tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    other = train(MemoryFeed(dataclasses.replace(recipe, seed=4), small), tmp_path / "c")
    assert other[0].read_bytes() != first[0].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "after"),
    [
        ("mlp", 1),
        ("mlp", 4),
        ("conv", 1),
        ("conv", 3),
        ("mlp-errors", 1),
        ("conv-errors", 1),
    ],
    indirect=["recipe"],
)
def test_resumed_equals_uninterrupted(
    recipe: Recipe,
    small: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    whole = train(MemoryFeed(recipe, small), tmp_path / "whole")
    save = Trainer.save

    def save_then_stop(self: Trainer, path: Path) -> None:
        save(self, path)
        if self.epoch == after:
            raise InterruptedRunError

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save", save_then_stop)
        with pytest.raises(InterruptedRunError):
            train(MemoryFeed(recipe, small), tmp_path / "parts")
    torch.manual_seed(999)
    resumed = train(MemoryFeed(recipe, small), tmp_path / "parts", resume=True)
    assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in whole]


def test_errors_are_of_the_seed_and_named_by_the_label(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(KINDS["mlp-errors"], epochs=1)
    weights, facts = train(MemoryFeed(recipe, small), tmp_path)
    assert [weights.name, facts.name] == [
        "tiny+some-errors.safetensors",
        "tiny+some-errors.json",
    ]
    found = store.load_recipe("tiny+some-errors", tmp_path)
    assert found["network"] == "tiny" and found["recipe"] == dataclasses.asdict(recipe)
    assert found["command"] == recipe.command()
    assert store.pack(store.load_trained("tiny+some-errors", tmp_path)) == weights.read_bytes()
    with pytest.raises(
        ValueError, match=f"spinflow train tiny --label other --out {tmp_path} makes it"
    ):
        store.load_trained("tiny+other", tmp_path)
    with pytest.raises(ValueError, match="unknown network 'big'; known: "):
        store.load_trained("big+other", tmp_path)


def test_no_step_has_the_errors_of_another(
    tiny: NetworkSpec, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    begin = ErrorProneMemories.begin

    def note(self: ErrorProneMemories, step: int) -> None:
        steps.append(step)
        begin(self, step)

    monkeypatch.setattr(ErrorProneMemories, "begin", note)
    trainer = Trainer(MemoryFeed(KINDS["mlp-errors"], small))
    with tqdm(disable=True) as bar:
        for _ in range(2):
            trainer.run_epoch(bar)
    assert trainer.feed.steps_an_epoch > 1 and steps == list(range(2 * trainer.feed.steps_an_epoch))


def test_rate_0_is_training_without_errors(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    plain = dataclasses.replace(RECIPE, epochs=1)
    zero = dataclasses.replace(plain, weight_errors="fc0=0", error_mode="switch", margin=3.0)
    rare = dataclasses.replace(plain, weight_errors="1e-2")
    files = [
        train(MemoryFeed(recipe, small), tmp_path / str(i))[0].read_bytes()
        for i, recipe in enumerate((plain, zero, rare))
    ]
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"weight_errors": "fc9=1e-2"},
            "weight_errors is fc9=1e-2: unknown layer 'fc9'; known: conv0, conv1, fc0, fc1",
        ),
        (
            {"activation_errors": "conv0=1e-2"},
            "activation_errors is conv0=1e-2: unknown layer 'conv0'; known: pool0, pool1, fc0",
        ),
    ],
)
def test_unknown_layers_are_refused(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        train(MemoryFeed(dataclasses.replace(CONV_RECIPE, **options), small), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_hold_may_change_while_it_lasts(tiny: NetworkSpec, small: Dataset, tmp_path: Path) -> None:
    long = dataclasses.replace(CONV_RECIPE, epochs=5, hold=4)
    short = dataclasses.replace(CONV_RECIPE, epochs=3, hold=1)
    whole = train(MemoryFeed(short, small), tmp_path / "whole")
    trainer = Trainer(MemoryFeed(long, small))
    with tqdm(disable=True) as bar:
        trainer.run_epoch(bar)
        trainer.save(tmp_path / "parts" / CHECKPOINT)
        resumed = train(MemoryFeed(short, small), tmp_path / "parts", resume=True)
        assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in whole]
        trainer.run_epoch(bar)
    trainer.save(tmp_path / "late" / CHECKPOINT)
    with pytest.raises(ValueError, match="begun with epochs = 5, not 3"):
        train(MemoryFeed(short, small), tmp_path / "late", resume=True)


def test_training_logits_are_those_of_brevitas(small: Dataset) -> None:
    """Logits and gradients, where no pool changes what the statistics are taken over."""
    spec = dataclasses.replace(TINY_CONV, kernel=9, pools=())
    torch.manual_seed(2)
    model = build(spec)
    with torch.no_grad():
        for matrix in model.matrices():
            # Away from 0, where two ways of rounding could disagree.
            matrix.weight[matrix.weight.abs() < 0.1] = 0.5
    pixels = to_input(spec, small.train_images[:16])
    seen = []
    for logits in (model(pixels), model.training_logits(pixels, bfloat16=False)):
        (logits**2).mean().backward()
        seen.append((logits.detach(), [matrix.weight.grad for matrix in model.matrices()]))
        model.zero_grad()
    assert torch.equal(seen[0][0], seen[1][0])
    for brevitas, ours in zip(seen[0][1], seen[1][1], strict=True):
        torch.testing.assert_close(ours, brevitas, rtol=1e-3, atol=1e-5)


def test_a_pool_may_come_before_the_norm(small: Dataset) -> None:
    """With gains above 0 the largest bit is the bit of the largest sum."""
    model = untrained(TINY_CONV, 1)
    with torch.no_grad():
        sums = model.linears[0](to_input(TINY_CONV, small.test_images))
        norm, sign, pool = model.norms[0], model.signs[0], torch.nn.MaxPool2d(2)
        assert torch.equal(pool(sign(norm(sums))), sign(norm(pool(sums))))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        CONV_RECIPE,
        dataclasses.replace(RECIPE, weight_errors="1e-3:1e-1", activation_errors="1e-2"),
    ],
    ids=["mlp", "conv", "errors"],
)
def test_learns(tiny: NetworkSpec, recipe: Recipe, small: Dataset) -> None:
    trainer = Trainer(MemoryFeed(dataclasses.replace(recipe, epochs=6), small))
    with tqdm(disable=True) as bar:
        while trainer.epoch < trainer.recipe.epochs:
            trainer.run_epoch(bar)
    assert trainer.progress.best_correct / RECIPE.validation > 0.5


def test_checkpoint_is_not_overwritten_or_mixed(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=1)
    train(MemoryFeed(recipe, small), tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ValueError, match="add --resume"):
        train(MemoryFeed(recipe, small), tmp_path)
    with pytest.raises(ValueError, match="begun with seed = 3, not 5"):
        train(MemoryFeed(dataclasses.replace(recipe, seed=5), small), tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("place", ["out", "checkpoint", "results"])
def test_where_nothing_can_be_written_is_found_before_an_epoch(
    tiny: NetworkSpec,
    small: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    monkeypatch.setattr(Trainer, "run_epoch", lambda *_: pytest.fail("trained for nothing"))
    out, kept = tmp_path / "out", tmp_path / "kept"
    if place == "out":
        out.touch()
    elif place == "checkpoint":
        kept.mkdir()
    else:
        (out / "tiny.json").mkdir(parents=True)
    with pytest.raises(OSError, match=r"exists|not a plain file"):
        train(MemoryFeed(RECIPE, small), out, kept=kept)
    assert not kept.exists() or (kept.is_dir() and not list(kept.iterdir()))


def test_damaged_checkpoint(tiny: NetworkSpec, small: Dataset, tmp_path: Path) -> None:
    checkpoint = tmp_path / CHECKPOINT
    torch.save({"recipe": 1}, checkpoint)
    with pytest.raises(ValueError, match=r"not a checkpoint of spinflow train.*pickled"):
        train(MemoryFeed(RECIPE, small), tmp_path, resume=True)
    for state in ("{", "[]", '{"recipe": 1}', '{"recipe": {}}'):
        checkpoint.write_bytes(save({"x": torch.zeros(1)}, {"spinflow": state}))
        with pytest.raises(ValueError, match=r"not a checkpoint of spinflow train"):
            train(MemoryFeed(RECIPE, small), tmp_path, resume=True)


def test_checkpoint_of_another_network(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Trainer(MemoryFeed(RECIPE, small)).save(tmp_path / CHECKPOINT)
    with pytest.raises(ValueError, match="begun with network = tiny, not tiny-conv; resume with"):
        train(
            MemoryFeed(dataclasses.replace(RECIPE, network="tiny-conv"), small),
            tmp_path,
            resume=True,
        )
    wider = dataclasses.replace(tiny, widths=(784, 32, 16, 10))
    monkeypatch.setitem(zoo.NETWORKS, "tiny", wider)
    with pytest.raises(
        ValueError, match=r"tensor linears\.0\.weight is missing, or not torch\.float32"
    ):
        train(MemoryFeed(RECIPE, small), tmp_path, resume=True)


def test_checkpoint_may_be_older_than_an_option(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / CHECKPOINT
    trainer = Trainer(MemoryFeed(RECIPE, small))
    trainer.progress.epoch = 1
    trainer.progress.best = {
        key: value.clone() for key, value in trainer.model.state_dict().items()
    }
    trainer.save(path)
    with safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["spinflow"])
        tensors = {key: file.get_tensor(key) for key in list(file.keys())}
    del state["recipe"]["loss"]
    path.write_bytes(save(tensors, {"spinflow": json.dumps(state)}))
    resumed = Trainer(MemoryFeed(RECIPE, small))
    resumed.load(path)
    assert resumed.epoch == 1
    with pytest.raises(ValueError, match="begun with loss = cross-entropy, not margin"):
        Trainer(MemoryFeed(dataclasses.replace(RECIPE, loss="margin"), small)).load(path)


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"lr": float("nan")},
        {"norm_lr": 0.0},
        {"shift": -1.0},
        {"crop": 29},
        {"parts": 3},
        {"hold": 4},
        {"seed": -1},
        {"label_smoothing": 1.0},
        {"label_smoothing": 0.1, "loss": "margin"},
        {"label_smoothing": 0.1, "loss": "mcel", "margin": 9.0},
        {"margin": 200.0, "loss": "mcel"},
        {"clamp": 0.0},
        {"error_mode": "stuck"},
        {"loss": "hinge"},
        {"margin": 0.0},
        {"device": "tpu"},
        {"label": "a/b"},
    ],
)
def test_recipe_refuses(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(bad))} is .*, valid: "):
        dataclasses.replace(RECIPE, **bad)


def test_validation_must_leave_images(tiny: NetworkSpec, small: Dataset) -> None:
    with pytest.raises(ValueError, match="leaves 0 to train on"):
        Trainer(MemoryFeed(dataclasses.replace(RECIPE, validation=5000), small))


def recipes_of(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """Let the command stop before it trains; gives the recipes that it would have trained."""
    asked: list[Recipe] = []

    def note(feed: MemoryFeed, *_: object, **__: object) -> None:
        asked.append(feed.recipe)
        raise ValueError("far enough")

    monkeypatch.setattr(loop, "train", note)
    monkeypatch.setattr(processes, "device_of", lambda _: torch.device("cpu"))
    return asked


def test_command_repeats_the_recipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = recipes_of(monkeypatch)
    recipe = dataclasses.replace(RECIPES["tfc-mnist"], seed=7, lr=0.125, bfloat16=False)
    other = dataclasses.replace(recipe, **ERRORS, activation_errors="fc1=0.1", loss="margin")
    for wanted in (recipe, other):
        start, name, *options = shlex.split(wanted.command())
        assert (start, name) == ("spinflow", "train")
        assert command.main(options) == 1
        assert capsys.readouterr().err == "spinflow: far enough\n"
    assert asked == [recipe, other]


@pytest.mark.parametrize("cuda", [False, True])
def test_default_device_is_cuda_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cuda: bool
) -> None:
    asked = recipes_of(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(command, "dataset", lambda *_: few_images())
    for options in ([], ["--device", "cpu"]):
        command.main(["tfc-mnist", "--out", str(tmp_path), *options])
    assert [recipe.device for recipe in asked] == ["cuda" if cuda else "cpu", "cpu"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("tfc-mnist --classes 10", "--classes does not apply to tfc-mnist"),
        ("tfc-mnist --workers 2", "--workers does not apply to tfc-mnist"),
        ("alexnet-imagenet --crop 2", "--crop does not apply to alexnet-imagenet"),
        ("alexnet-imagenet --label a", "--label does not apply to alexnet-imagenet"),
        ("alexnet-imagenet --budget 1h", "--budget does not apply to alexnet-imagenet"),
        ("tfc-mnist --budget 1h --hold 2", "--hold together with --budget"),
        ("tfc-mnist --batch 0", "batch is 0, valid: 1 or more"),
        ("tfc-mnist --teacher-dir a", "--teacher-dir without --teacher: name"),
        ("cnv-cifar10 --teacher= --teacher-dir a", "--teacher-dir without --teacher: name"),
        ("tfc-mnist --initial-dir a", "--initial-dir without --initial: name"),
    ],
)
def test_options_that_do_not_apply_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: str, message: str
) -> None:
    assert command.main([*options.split(), "--out", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().err
    assert text.startswith(f"spinflow: {message}") and text.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_cuda_is_refused_where_there_is_none(
    tiny: NetworkSpec, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device is cuda, which torch does not see here"):
        Trainer(MemoryFeed(dataclasses.replace(RECIPE, device="cuda"), small))


def test_distortions_keep_size_and_range(small: Dataset) -> None:
    images = torch.from_numpy(small.train_images[:100]).view(100, 28, 28, 1)
    moved = distort(images, RECIPE, torch.Generator().manual_seed(1))
    assert moved.shape == images.shape
    assert float(moved.min()) >= 0.0 and float(moved.max()) <= 255.001
    still = dataclasses.replace(RECIPE, shift=0.0, rotate=0.0, zoom=0.0)
    assert distort(images, still, torch.Generator()) is images


def test_crops_and_mirrors_are_whole_pixels() -> None:
    """Each image is one of the 5 x 5 shifts with repeated border, mirrored or not."""
    generator = torch.Generator().manual_seed(4)
    images = torch.randint(0, 256, (64, 6, 7, 3), generator=generator, dtype=torch.uint8)
    recipe = Recipe("tiny", crop=2, flip=True)
    moved = distort(images, recipe, generator)
    assert moved.dtype == torch.uint8 and moved.shape == images.shape
    found = set()
    for before, after in zip(images.numpy(), moved.numpy(), strict=True):
        framed = np.pad(before, ((2, 2), (2, 2), (0, 0)), mode="edge")
        shifts = {
            (down, right, mirrored)
            for down in range(5)
            for right in range(5)
            for mirrored in (False, True)
            if np.array_equal(
                np.pad(before[:, ::-1], ((2, 2), (2, 2), (0, 0)), mode="edge")[
                    down : down + 6, right : right + 7
                ]
                if mirrored
                else framed[down : down + 6, right : right + 7],
                after,
            )
        }
        assert len(shifts) == 1
        found |= shifts
    assert len(found) > 20


LARGE = {"cnn-cifar10", "vgg3-cifar10"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name
        for name in RECIPES
        if network(name).dataset != "imagenet"
    ],
)
def test_every_network_is_trained_by_its_recipe(name: str, tmp_path: Path) -> None:
    """One step: gradients, checkpoint and file."""
    spec = network(name)
    recipe = shortest(RECIPES[name], batch=8, validation=8)
    teacher = untrained(network(recipe.teacher), 1) if recipe.teacher else None
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (24, spec.pixels), dtype=np.uint8)
    labels = generator.integers(0, 10, 24, dtype=np.uint8)
    data = Dataset(images[:16], labels[:16], images[16:], labels[16:])
    weights, _ = train(MemoryFeed(recipe, data), tmp_path, teacher=teacher)
    trained = store.load_trained(name, tmp_path)
    assert store.pack(trained) == weights.read_bytes()
    assert (tmp_path / CHECKPOINT).is_file()
