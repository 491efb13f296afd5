"""Training in stages, with a warm-up and with a teacher: what each does, and that it repeats."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from tqdm import tqdm

from spinflow.model import store
from spinflow.model import train as command
from spinflow.model.data import Dataset
from spinflow.model.networks.base import INITIAL_LATENT, TrainedNetwork, predict
from spinflow.model.networks.build import build, untrained
from spinflow.model.networks.graph import NetworkSpec, Spec
from spinflow.model.training import gradients, loop
from spinflow.model.training.checkpoint import CHECKPOINT
from spinflow.model.training.feeds.memory import MemoryFeed
from spinflow.model.training.loop import Trainer, train
from spinflow.model.training.losses import distilled
from spinflow.model.training.recipe import Recipe
from spinflow.model.training.schedule import learning_rate
from tests.model.conftest import TINY, TINY_CONV, TINY_FIXED_POINT, TINY_XNOR

PLAIN = Recipe(
    "tiny-conv", epochs=2, batch=64, norm_lr=0.1, crop=2, flip=True, parts=2, validation=256
)
STAGES = dataclasses.replace(PLAIN, epochs=3, float_epochs=2, warm_up=1)


def test_each_stage_rises_holds_and_falls() -> None:
    recipe = Recipe("tiny-conv", epochs=10, lr=2.0, float_epochs=4, hold=3, warm_up=1)
    rates = [learning_rate(recipe, step, 100) for step in range(1000)]
    for start in 0, 400:
        assert rates[start] == pytest.approx(2.0 / 101)
        assert rates[start : start + 90] == sorted(rates[start : start + 90])
    assert rates[200] == pytest.approx(1.0)  # half way of a cosine
    assert rates[399] < 1e-3 and rates[999] < 1e-3
    assert set(rates[500:700]) == {2.0}
    assert rates[850] == pytest.approx(1.0)
    plain = Recipe("tiny-conv", epochs=10, lr=2.0)
    assert learning_rate(plain, 0, 100) == 2.0


def test_latent_weights_are_taken_in_the_first_stage_alone(
    tiny: NetworkSpec, small: Dataset
) -> None:
    seen: list[bool] = []
    trainer = Trainer(MemoryFeed(STAGES, small))
    replicas = trainer.gradients._replicas  # type: ignore[attr-defined]  # of InThreads
    with tqdm(disable=True) as bar:
        for _ in range(3):
            trainer.run_epoch(bar)
            assert len({replica.latent for replica in replicas}) == 1
            seen.append(replicas[0].latent)
            assert bool(trainer.progress.best) is (not seen[-1])
    assert seen == [True, True, False] and trainer.progress.best_epoch == 3


def test_logits_of_latent_weights() -> None:
    torch.manual_seed(1)
    model = build(TINY_CONV)
    pixels = torch.randint(0, 256, (8, 1, 28, 28)).float()
    binary = model.training_logits(pixels, bfloat16=False)
    model.latent = True
    latent = model.training_logits(pixels, bfloat16=False)
    assert not torch.equal(binary, latent)
    with torch.no_grad():
        for matrix in model.matrices():
            matrix.weight.copy_(torch.where(matrix.weight >= 0, 1.0, -1.0))
    assert torch.equal(model.training_logits(pixels, bfloat16=False), binary)


def interrupted(recipe: Recipe, data: Dataset, folder: Path, after: int) -> None:
    """Train in one go, and in two with so many epochs in the first: the files are the same."""
    whole = train(MemoryFeed(recipe, data), folder / "whole")
    trainer = Trainer(MemoryFeed(recipe, data))
    with tqdm(disable=True) as bar:
        for _ in range(after):
            trainer.run_epoch(bar)
    trainer.save(folder / "parts" / CHECKPOINT)
    resumed = train(MemoryFeed(recipe, data), folder / "parts", resume=True)
    assert [path.read_bytes() for path in resumed] == [path.read_bytes() for path in whole]


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2, 3])
def test_stages_are_resumed(tiny: NetworkSpec, small: Dataset, tmp_path: Path, after: int) -> None:
    interrupted(dataclasses.replace(STAGES, epochs=4), small, tmp_path, after)


@pytest.mark.parametrize("network", ["tiny", "tiny-conv", "tiny-xnor", "tiny-fxp"])
def test_averages_are_those_by_hand_and_count(
    tiny: NetworkSpec, small: Dataset, network: str
) -> None:
    recipe = dataclasses.replace(PLAIN, network=network, average=0.9, parts=1, lr=1e-3)
    trainer = Trainer(MemoryFeed(recipe, small))
    expected: dict[str, torch.Tensor] = {}
    constrain = trainer.model.constrain

    def after_the_step() -> None:
        constrain()
        for name, value in trainer.model.state_dict().items():
            if value.is_floating_point() and "running" not in name:
                before = expected.setdefault(name, value.double().clone())
                before.mul_(0.9).add_(value.double(), alpha=0.1)

    trainer.model.constrain = after_the_step  # type: ignore[method-assign]
    with tqdm(disable=True) as bar:
        trainer.run_epoch(bar)
    assert trainer.epoch == trainer.progress.best_epoch
    found = trainer.progress.best
    assert any(not torch.equal(found[n], v) for n, v in trainer.model.state_dict().items())
    for name, value in expected.items():
        torch.testing.assert_close(found[name].double(), value, rtol=1e-4, atol=1e-5, msg=name)
    correct = trainer.feed.validated(trainer._counting())
    assert correct == trainer.progress.best_correct
    before = {name: value.clone() for name, value in found.items()}
    # Statistics are the means over batches of those of the averaged weights themselves.
    again = build(trainer.feed.spec)
    again.load_state_dict(before)
    again.train()
    batches = []
    for pixels, _ in trainer.feed.batches(0):
        for norm in again.batch_norms():
            norm.momentum = 1.0
        again.training_logits(pixels, recipe.bfloat16)
        batches.append([norm.running_mean.clone() for norm in again.batch_norms()])
    assert 1 < len(batches) <= loop.STATISTICS
    again.load_state_dict(before)
    for norm, means in zip(again.batch_norms(), zip(*batches, strict=True), strict=True):
        torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    written = trainer.finish().weight_tensors()
    assert all(torch.equal(written[name], v) for name, v in again.weight_tensors().items())


def test_averages_are_resumed(tiny: NetworkSpec, small: Dataset, tmp_path: Path) -> None:
    recipe = dataclasses.replace(STAGES, average=0.99)
    interrupted(recipe, small, tmp_path, 1)
    plain = Trainer(MemoryFeed(dataclasses.replace(recipe, average=0.0), small))
    with pytest.raises(ValueError, match=r"begun with average = 0\.99, not 0\.0"):
        plain.load(tmp_path / "parts" / CHECKPOINT)


def test_epochs_may_change_before_the_last_stage_falls(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    trainer = Trainer(MemoryFeed(STAGES, small))
    trainer.progress.epoch = 2
    trainer.save(tmp_path / CHECKPOINT)
    Trainer(MemoryFeed(dataclasses.replace(STAGES, epochs=9), small)).load(tmp_path / CHECKPOINT)
    trainer.progress.epoch = 3
    trainer.progress.best = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.save(tmp_path / CHECKPOINT)
    longer = Trainer(MemoryFeed(dataclasses.replace(STAGES, epochs=9), small))
    with pytest.raises(ValueError, match="begun with epochs = 3, not 9"):
        longer.load(tmp_path / CHECKPOINT)


def test_only_convolutions_have_stages(tiny: NetworkSpec, small: Dataset) -> None:
    for network in "tiny", "tiny-xnor", "tiny-fxp":
        recipe = dataclasses.replace(STAGES, network=network)
        with pytest.raises(ValueError, match=f"float_epochs is 2, valid: 0 for {network}"):
            Trainer(MemoryFeed(recipe, small))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"float_epochs": 60}, "float_epochs is 60, valid: 0 to 59"),
        ({"float_epochs": 50, "hold": 10}, "hold is 10, valid: 0 to 9"),
        ({"warm_up": -1}, "warm_up is -1, valid: 0 or more"),
        ({"average": 1.0}, "average is 1.0, valid: 0 to below 1"),
        ({"distil": 1.5}, "distil is 1.5, valid: 0 to 1"),
        ({"temperature": 0.0}, "temperature is 0.0, valid: above 0"),
        ({"teacher": "x", "loss": "margin"}, "loss is margin, valid: cross-entropy with a teacher"),
    ],
)
def test_recipes_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Recipe("tiny-conv", **options)  # type: ignore[arg-type]  # of several types


def test_distilled_against_values_by_hand() -> None:
    """Two classes: softmax of 0 and T ln 3 is 1/4 and 3/4, that of equals 1/2 and 1/2."""
    temperature = 4.0
    soft = torch.tensor([[0.0, temperature * math.log(3)]])
    logits = torch.zeros(1, 2)
    expected = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    found = distilled(logits, soft, temperature)
    assert found.item() == pytest.approx(16 * expected, rel=1e-6)
    assert distilled(soft + 5.0, soft, temperature).item() == pytest.approx(0, abs=1e-6)


def save_teacher(folder: Path, small: Dataset) -> TrainedNetwork:
    """Write an untrained network of floats as a teacher's files; return it."""
    torch.manual_seed(4)
    model: TrainedNetwork = build(TINY_XNOR).eval()
    store.save_trained(
        model, small.test_images, small.test_labels, {"recipe": {"epochs": 1}}, folder
    )
    return model


def test_a_teacher_is_learned_from(tiny: NetworkSpec, small: Dataset, tmp_path: Path) -> None:
    """With all of the loss its own, the labels of the data do not count any more."""
    teacher = save_teacher(tmp_path, small)
    recipe = dataclasses.replace(PLAIN, epochs=1, teacher="tiny-xnor", distil=1.0, parts=1)
    other = dataclasses.replace(small, train_labels=(small.train_labels + 1) % 10)
    found = []
    for data in small, other:
        trainer = Trainer(MemoryFeed(recipe, data), teacher)
        with tqdm(disable=True) as bar:
            trainer.run_epoch(bar)
        found.append(trainer.model.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert not any(name.startswith("_teacher") for name in found[0])


def test_a_teacher_by_the_command(
    tiny: NetworkSpec,
    small: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "dataset", lambda *_: small)
    monkeypatch.setitem(command.RECIPES, "tiny-conv", PLAIN)
    save_teacher(tmp_path / "teacher", small)
    words = ["tiny-conv", "--epochs", "1", "--teacher", "tiny-xnor", "--out", str(tmp_path / "a")]
    assert command.main(words) == 1
    assert "tiny-xnor.safetensors: no such file" in capsys.readouterr().err
    words += ["--teacher-dir", str(tmp_path / "teacher")]
    assert command.main(words) == 0
    facts = store.load_recipe("tiny-conv", tmp_path / "a")
    digest = store.load_recipe("tiny-xnor", tmp_path / "teacher")["weights_sha256"]
    assert facts["teacher_sha256"] == digest and facts["recipe"]["teacher"] == "tiny-xnor"
    assert "--teacher tiny-xnor" in facts["command"]
    assert facts["command"].endswith(" --teacher-dir FOLDER --out FOLDER")


def test_another_teacher_is_another_training(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path
) -> None:
    feeds = [MemoryFeed(PLAIN, small) for _ in range(2)]
    for feed, digest in zip(feeds, "ab", strict=True):
        feed.origin = {"teacher_sha256": digest}
    Trainer(feeds[0]).save(tmp_path / CHECKPOINT)
    with pytest.raises(ValueError, match="begun with teacher_sha256 = a"):
        Trainer(feeds[1]).load(tmp_path / CHECKPOINT)


@pytest.mark.parametrize(
    "spec", [TINY_CONV, TINY_XNOR, TINY_FIXED_POINT, TINY], ids=lambda spec: spec.name
)
def test_a_network_begins_as_the_trained_one(spec: Spec, small: Dataset) -> None:
    """Its labels are those of the other, though its latent weights can change their bits soon."""
    trained, model = untrained(spec, 5), build(spec)
    model.begin_with(trained)
    assert (predict(model, small.test_images) == predict(trained, small.test_images)).all()
    for name, theirs in trained.weight_tensors().items():
        assert torch.equal(model.weight_tensors()[name], theirs)
    if spec in (TINY_CONV, TINY):
        latent = torch.cat([matrix.weight.flatten() for matrix in model.matrices()])
        assert latent.abs().unique().tolist() == [INITIAL_LATENT]


def test_a_training_begins_with_a_trained_network(
    tiny: NetworkSpec,
    small: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "dataset", lambda *_: small)
    monkeypatch.setitem(command.RECIPES, "tiny-conv", PLAIN)
    store.save_trained(
        untrained(TINY_CONV, 5),
        small.test_images,
        small.test_labels,
        {"recipe": {"epochs": 1}},
        tmp_path / "first",
    )
    words = ["tiny-conv", "--initial", "tiny-conv", "--initial-dir", str(tmp_path / "first")]
    words += ["--label", "further", "--epochs", "2"]
    for out in "a", "b":
        assert command.main([*words, "--lr", "1e-9", "--out", str(tmp_path / out)]) == 0
    facts = store.load_recipe("tiny-conv+further", tmp_path / "a")
    digest = store.load_recipe("tiny-conv", tmp_path / "first")["weights_sha256"]
    assert facts["initial_sha256"] == digest and facts["recipe"]["initial"] == "tiny-conv"
    assert "--initial tiny-conv --norm-lr" in facts["command"]
    assert facts["command"].endswith(" --initial-dir FOLDER --out FOLDER")
    files = [store.files_of("tiny-conv+further", tmp_path / out)[0] for out in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    first = store.load_trained("tiny-conv", tmp_path / "first").weight_tensors()
    further = store.load_trained("tiny-conv+further", tmp_path / "a").weight_tensors()
    assert all(torch.equal(first[name], further[name]) for name in first)
    assert command.main([*words, "--lr", "1.0", "--out", str(tmp_path / "c")]) == 0
    changed = store.load_trained("tiny-conv+further", tmp_path / "c").weight_tensors()
    assert not all(torch.equal(first[name], changed[name]) for name in first)


def test_a_network_of_other_layers_is_no_beginning(tiny: NetworkSpec, small: Dataset) -> None:
    recipe = dataclasses.replace(PLAIN, initial="tiny-xnor")
    with pytest.raises(ValueError, match=r"^initial is tiny-xnor, whose layers are others, valid"):
        Trainer(MemoryFeed(recipe, small), None, untrained(TINY_XNOR, 5))


def test_a_training_that_diverges_says_so_and_keeps_what_was_before(
    tiny: NetworkSpec, small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = MemoryFeed(dataclasses.replace(PLAIN, network="tiny-xnor", epochs=3), small)
    trainer = Trainer(feed)
    with tqdm(disable=True) as bar:
        trainer.run_epoch(bar)
        trainer.save(tmp_path / CHECKPOINT)
    before = (tmp_path / CHECKPOINT).read_bytes()
    monkeypatch.setattr(gradients, "loss_of", lambda *_: lambda logits, _: logits.mean() * math.nan)
    with pytest.raises(
        ValueError, match=r"^the loss is nan at the end of epoch 2, lr is 0\.03, val"
    ):
        train(feed, tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
