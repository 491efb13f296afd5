"""Sweeps of networks described in files of one's own: by path, in software and on the RTL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spinflow.host.core import cell_files
from spinflow.host.sweep.results import read
from spinflow.model import store, zoo
from spinflow.model.networks.build import untrained
from spinflow.model.zoo import find
from spinflow.sim import bundle_build, cell_maps
from spinflow.sim.sweep import main

DESCRIPTION = 'kind = "perceptron"\nwidths = [784, 16, 10]\n'


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


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A description with weights beside it; build/ is that of an empty folder."""
    path = tmp_path / "nets" / "mine.toml"
    path.parent.mkdir()
    path.write_text(DESCRIPTION)
    found = find(str(path))
    store.write_weights(found.weights, untrained(found.entry.spec, 1))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bundle_build, "BUILD", tmp_path / "build")
    return path


def bundle_of(path: Path, weights: bytes) -> Path:
    """What of a bundle tells whose it is; the rest of it is missing."""
    folder = path.parents[1] / "build" / "mine"
    folder.mkdir(parents=True)
    for name in ("accel.json", "libaccel.so", "model.onnx"):
        (folder / name).touch()
    facts = {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    (folder / "model.json").write_text(json.dumps(facts))
    return folder


SMALL = ["--images", "10", "--rates", "1e-2", "--repeats", "1", "--workers", "1"]


def test_a_description_is_swept_in_software(described: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["--network", str(described), *SMALL, "--out", str(out)]) == 0
    rows = read(out / "results.csv")
    assert {row.network for row in rows} == {"mine"}
    assert {row.memory for row in rows} == {"weights", "buffers"}


def test_a_grid_names_a_description(described: Path, tmp_path: Path) -> None:
    grid = "network = 'nets/mine.toml'\nimages = 10\nrates = [1e-2]\nrepeats = 1\n"
    (tmp_path / "grid.toml").write_text(grid)
    assert main(["--grid", "grid.toml", "--workers", "1", "--out", "out"]) == 0
    assert {row.network for row in read(tmp_path / "out" / "results.csv")} == {"mine"}


def test_a_description_has_a_cell_map(described: Path, tmp_path: Path) -> None:
    """Of the network by its name, as its rows have it, and not of a bundle of other weights."""
    bundle_of(described, b"others")
    path, out = str(tmp_path / "map.npz"), tmp_path / "out"
    assert cell_maps.main(["make", str(described), "--rate", "0.1", "--out", path]) == 0
    words = ["--network", str(described), "--cell-map", path, *SMALL[:2], *SMALL[4:]]
    assert main([*words, "--out", str(out)]) == 0
    assert {row.cell_map for row in read(out / "results.csv")} == {
        cell_files.read(Path(path)).digest
    }


def test_a_bundle_of_other_weights_is_not_taken(described: Path, tmp_path: Path) -> None:
    """It may be of earlier ones, or of another network; this one cannot even be read."""
    bundle_of(described, b"others")
    assert main(["--network", str(described), *SMALL, "--out", str(tmp_path / "out")]) == 0


@pytest.mark.parametrize("built", ["nothing", "others", "simulator is missing"])
def test_the_rtl_gets_what_is_not_built_yet(
    built: str, described: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if built != "nothing":
        weights = described.with_suffix(".safetensors").read_bytes()
        folder = bundle_of(described, b"others" if built == "others" else weights)
        if built == "simulator is missing":
            (folder / "libaccel.so").unlink()
    steps: list[list[str]] = []

    def failing(words: list[str]) -> int:
        steps.append(words)
        return 1

    monkeypatch.setattr(bundle_build, "run_step", failing)
    assert main(["--on", "rtl", "--network", str(described), *SMALL[:-2]]) == 1
    assert steps == [["build", str(described)]]


@pytest.mark.parametrize("left", ["accel.json", "libaccel.so"])
def test_of_a_bundle_that_is_not_whole_the_rtl_gets_another(
    left: str, described: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An imported network has no weights by which its bundle could be told."""
    bundle = bundle_of(described, b"others")
    imported = bundle.rename(bundle.with_name("imported"))
    for name in {"accel.json", "libaccel.so"} - {left}:
        (imported / name).unlink()
    steps: list[list[str]] = []

    def failing(words: list[str]) -> int:
        steps.append(words)
        return 1

    monkeypatch.setattr(bundle_build, "run_step", failing)
    assert main(["--on", "rtl", "--network", "imported", *SMALL[:-2]]) == 1
    assert steps == [["build", "imported"]]


def test_what_is_built_is_taken_as_it_is(
    described: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle_of(described, described.with_suffix(".safetensors").read_bytes())
    monkeypatch.setattr(bundle_build, "run_step", lambda _: pytest.fail("built again"))
    assert main(["--on", "rtl", "--network", str(described), *SMALL[:-2]]) == 1
    assert "accel.json" in capsys.readouterr().err  # which is empty here


@pytest.mark.parametrize(
    ("on", "change", "line"),
    [
        ("evaluator", "untrained", "mine.toml' is not trained, and has no bundle: `spinflow train"),
        ("evaluator", "damaged", "mine.toml: kind is 'x', valid: perceptron"),
        ("evaluator", "gone", "mine.toml: No such file"),
        ("emulator", "", "has no bundle, which the emulator needs: `spinflow build "),
        ("board", "", "build/mine is missing: `spinflow build "),
    ],
)
def test_what_is_wrong_is_one_line(
    on: str, change: str, line: str, described: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if change == "untrained":
        described.with_suffix(".safetensors").unlink()
    elif change == "damaged":
        described.write_text('kind = "x"')
    elif change == "gone":
        described.unlink()
    options = SMALL if on == "evaluator" else SMALL[:-2]
    assert main(["--on", on, "--network", str(described), *options, "--out", "out"]) == 1
    said = capsys.readouterr().err
    # The path of a test's folder is long, and long lines are cut in the middle.
    assert said.startswith("spinflow: ") and said.count("\n") == 1
    assert line in said
    assert not Path("out").exists()


def test_an_imported_network_that_is_not_built_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "build" / "taken").mkdir(parents=True)
    (tmp_path / "build" / "taken" / "model.onnx").touch()
    monkeypatch.chdir(tmp_path)
    assert main(["--on", "evaluator", "--network", "taken"]) == 1
    assert capsys.readouterr().err == (
        "spinflow: network 'taken' is not built: `spinflow build taken` does it\n"
    )
