"""Imports with data of one's own: the bundle carries them, or one line and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.hls.build import build as build_bundle
from spinflow.hls.foreign.command import main
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hls.paths import BuildError, sha256_file
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import images_for
from tests.hls.foreign import Graph

RNG = np.random.default_rng(2)
CLASSES, FEATURES = 5, 16
IMAGES = RNG.integers(0, 256, (40, FEATURES), np.uint8)
KINDS = RNG.integers(0, CLASSES, 40)


def network(path: Path) -> Path:
    """A perceptron of 16 inputs and 5 classes on numbers around 0."""
    g = Graph(4)
    hidden = g.sign(g.node("Gemm", g.sign("in"), g.weights(8, FEATURES), transB=1))
    return g.save(path, (1, FEATURES), g.node("Gemm", hidden, g.weights(CLASSES, 8), transB=1), 5)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("spinflow.hls.foreign.command.BUILD", tmp_path / "build")
    return tmp_path / "build"


def imported(folder: Path, *words: Any) -> int:
    source = network(folder / "net.onnx")
    given = [source, "--name", "mine", "--compare", 3, "--cycles", 64, *words]
    return main([str(word) for word in given])


def test_the_bundle_carries_what_was_imported(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = np.array(["ant", "bee", "cat", "dog", "emu"])
    np.savez(tmp_path / "Five kinds.npz", images=IMAGES, labels=KINDS, names=names)
    data = tmp_path / "Five kinds.npz"
    assert imported(tmp_path, "--data", data, "--input", "2x/255-1") == 0
    said = capsys.readouterr().out
    facts = json.loads((out / "mine" / "model.json").read_text())
    assert (facts["dataset"], facts["images"]) == ("five-kinds", 40)
    assert "on 40 images of Five kinds\n" in said and f"{facts['accuracy']:.4f}" in said
    assert facts["test_set"] == {
        "file": "test.npz",
        "sha256": sha256_file(out / "mine" / "test.npz"),
        "title": "Five kinds",
    }
    build_bundle(out / "mine", 64)
    bundle = load(out / "mine", runnable=False)
    tests = images_for(bundle, 40)
    np.testing.assert_array_equal(tests.images, IMAGES)
    np.testing.assert_array_equal(tests.labels, KINDS)
    assert tests.choice == "the first 40 images of Five kinds"
    # Another file in its place is noticed before anything is built of it.
    np.savez(out / "mine" / "test.npz", images=IMAGES)
    with pytest.raises(BuildError, match=r"model.json is of another test.npz: import or export"):
        build_bundle(out / "mine", 64)
    (out / "mine" / "test.npz").unlink()
    with pytest.raises(BuildError, match=r"test.npz is missing: import or export"):
        build_bundle(out / "mine", 64)


def test_another_network_of_the_name_takes_the_bundle_away(out: Path, tmp_path: Path) -> None:
    for name, images in ("one", IMAGES), ("other", IMAGES[:30]):
        np.savez(tmp_path / f"{name}.npz", images=images, labels=KINDS[: len(images)])
    one, other = (("--data", tmp_path / f"{n}.npz", "--input", "x/255") for n in ("one", "other"))
    assert imported(tmp_path, *one) == 0
    bundle = out / "mine" / "accel.json"
    library = bundle.with_name("libaccel.so")
    for file in (bundle, library):
        file.write_text("{}")
    (out / "mine" / "notes").write_text("mine")
    assert imported(tmp_path, *one) == 0 and bundle.is_file() and library.is_file()
    assert imported(tmp_path, *other) == 0 and not bundle.exists() and not library.exists()
    assert (out / "mine" / "notes").is_file()
    assert len(np.load(out / "mine" / "test.npz")["images"]) == 30


def test_features_say_what_their_bytes_stand_for(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[*(image.astype(int) - 128), kind] for image, kind in zip(IMAGES, KINDS, strict=True)]
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    assert imported(tmp_path, "--data", tmp_path / "table.csv", "--title", "A table") == 0
    said = capsys.readouterr().out
    assert "A table: labels are in column 17, the last; whole numbers of -128 to 127" in said
    # The threshold of the first sign is 0, which is byte 128 of these.
    facts = json.loads((out / "mine" / "model.json").read_text())
    bits = np.where(IMAGES >= 128, 1, -1)
    g = Graph(4)
    first, second = (np.where(g.rng.normal(size=s) >= 0, 1, -1) for s in ((8, 16), (5, 8)))
    right = np.where(bits @ first.T >= 0, 1, -1) @ second.T
    assert facts["correct"] == int((right.argmax(axis=1) == KINDS).sum())
    assert numbers_of("x-128").table[128] == 0 and numbers_of("2x-1").table[:2].tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("arrays", "words", "line"),
    [
        ({"labels": KINDS + 1}, [], "has the label 5: "),
        ({"labels": np.maximum(KINDS, 0) + 1}, [], "labels that begin with 1 need 1 less"),
        ({"images": IMAGES[:, 1:]}, [], "takes images of 16, 16 numbers; those of own have 15"),
        ({"labels": KINDS[1:]}, [], "40 images and 39 labels do not belong together"),
        ({}, ["--scale", "x"], "--scale 'x': minmax or LOW:HIGH is expected"),
        ({}, ["--data", "mnist", "--scale", "minmax"], "--scale is for data of one's own, not"),
        ({}, ["--data", "gone"], "data set 'gone': neither a file or folder nor one of mnist"),
    ],
)
def test_data_that_do_not_fit_are_one_line(
    arrays: dict[str, Any],
    words: list[str],
    line: str,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tmp_path = out.parent
    np.savez(tmp_path / "own.npz", **{"images": IMAGES, "labels": KINDS, **arrays})
    assert imported(tmp_path, "--data", tmp_path / "own.npz", "--input", "x", *words) == 1
    said = capsys.readouterr().err
    assert said.startswith("spinflow: ") and line in said and said.count("\n") == 1
    assert len(said) < 300 + len(str(tmp_path))
    assert not out.exists()


def test_an_image_of_other_sides_is_refused(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many pixels, in another shape: a network would take them for another image."""
    g = Graph(4)
    flat = g.sign(g.node("Flatten", "in", axis=1))
    last = g.node("Gemm", flat, g.weights(CLASSES, FEATURES), transB=1)
    source = g.save(tmp_path / "maps.onnx", (1, 1, 4, 4), last, CLASSES)
    np.savez(tmp_path / "own.npz", images=IMAGES.reshape(-1, 2, 8), labels=KINDS)
    words = [str(source), "--name", "mine", "--data", str(tmp_path / "own.npz"), "--input", "x"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "maps.onnx takes 1 x 4 x 4; an image of own is 1 x 2 x 8" in said
    assert not out.exists()
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=KINDS)  # flat ones have no sides
    assert main(words) == 0


def test_a_class_without_images_is_fine(out: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=IMAGES, labels=np.minimum(KINDS, 2))
    assert imported(tmp_path, "--data", tmp_path / "own.npz", "--input", "x") == 0
    assert (out / "mine" / "model.json").is_file()
