"""A bundle is checked before anything is loaded: each fault gives one line that names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host.bundle import Bundle, load
from host.errors import BundleError, InputError
from tests.host import conv

Change = Callable[[dict[str, Any]], Any]


def test_what_accel_json_says_is_what_is_loaded(bundle: Bundle) -> None:
    described = json.loads((bundle.folder / "accel.json").read_text())
    assert bundle.network == described["network"]
    assert [memory.name for memory in bundle.memories] == [m["name"] for m in described["memories"]]
    assert set(bundle.weights) == {
        m["name"] for m in described["memories"] if m["kind"] == "weights"
    }
    assert bundle.select("all") == bundle.memories
    assert set(bundle.select("weights") + bundle.select("buffers")) == set(bundle.memories)
    assert [memory.name for memory in bundle.select("fc1.buffer")] == ["fc1.buffer"]


def test_segment_masks_cover_the_width(bundle: Bundle) -> None:
    for memory in bundle.select("weights"):
        bits = np.unpackbits(memory.segment_masks.view(np.uint8), bitorder="little")
        assert bits.tolist() == [1] * memory.width + [0] * (32 * memory.segments - memory.width)


def test_a_memory_that_does_not_exist_is_refused_with_those_that_do(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"no memory 'fc9\.weights'; it has fc0\.weights, "):
        bundle.select("fc9.weights")


FAULTS: list[tuple[Change, str]] = [
    (lambda d: d.update(format=1), "format is 1, this driver knows 2"),
    (lambda d: d.update(map_version=9), "map_version is 9, this driver knows 1"),
    (lambda d: d.update(build_id=2**32), "build_id 4294967296 is not a 32-bit number"),
    (lambda d: d.pop("memories"), "incomplete or damaged: no 'memories'"),
    (lambda d: d["files"].pop("arrays.npz"), "lists no arrays.npz"),
    (lambda d: d["files"].update({"accel.hwh": "0" * 64}), "accel.hwh is damaged: SHA-256"),
    (lambda d: d["files"].update({"more.npz": "0" * 64}), "more.npz: No such file"),
    (lambda d: d.pop("board"), "incomplete or damaged: no 'board'"),
    (lambda d: d["layers"][1].update(weights=4), "layer fc0: memory 4 is not its weights"),
    (lambda d: d["layers"][1].update(buffer=9), "layer fc0: memory 9 is not its buffer"),
    (lambda d: d["layers"][1].update(mh=63), "layer fc0: its 49392 bits do not fit fc0.weights"),
    (lambda d: d["layers"][1].pop("shape"), "incomplete or damaged: no 'shape'"),
    (lambda d: d["layers"][1].update(buffer=None), "memory fc0.buffer belongs to no layer"),
    (lambda d: d["memories"][4].update(layer=1), "memory fc0.buffer is of layer 1, but fc0, whose"),
    (lambda d: d["memories"].pop(0), "memory fc1.weights has index 1, its place says 0"),
    (lambda d: d["memories"][0].update(kind="cache"), "has kind 'cache'"),
    (lambda d: d["memories"][0].update(width=0), "words of 0 bits is empty"),
    (lambda d: d["memories"][0].update(depth="many"), "depth 'many' is not a whole number"),
    (lambda d: d["memories"][0].update(stride=4), "a word of 196 bits takes 7 at 32"),
    (lambda d: d["memories"][0].update(base=0), "overlaps the control block"),
    (lambda d: d["memories"][1].update(base=d["memories"][0]["base"]), "overlaps fc"),
    (lambda d: d["memories"][3].update(base=2**30), "its slave at 0x400000"),
    (lambda d: d["memories"][1].update(depth=128), "must be uint32 of shape (128, 1)"),
    (lambda d: d["memories"][1].update(width=15), "bits beyond the 15 of a word are set"),
    (lambda d: d["registers"]["global"].pop("STATUS"), "describes no register STATUS"),
    (lambda d: d.pop("simulator"), "neither accel.bit nor a simulator library"),
    (lambda d: d["simulator"].update(sha256="0" * 64), "libaccel.so is damaged"),
    (lambda d: d["input"].update(bytes_per_frame=785), "input of 785 bytes a frame"),
    (lambda d: d["dma"].update(length_bits=9), "does not fit the DMA's length register of 9 bits"),
    (lambda d: d.update(network="../mlp"), "network name '../mlp'"),
]


@pytest.mark.parametrize(("change", "line"), FAULTS, ids=[line for _, line in FAULTS])
def test_a_wrong_bundle_is_refused_by_name(
    changed_bundle: Callable[[Change], Path], change: Change, line: str
) -> None:
    folder = changed_bundle(change)
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert line in str(caught.value)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)


def test_missing_and_damaged_files_are_named(changed_bundle: Callable[[], Path]) -> None:
    folder = changed_bundle()
    with (folder / "arrays.npz").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(BundleError, match=r"arrays\.npz is damaged"):
        load(folder)
    (folder / "arrays.npz").unlink()
    with pytest.raises(BundleError, match=r"arrays\.npz: No such file"):
        load(folder)
    (folder / "accel.json").write_text('{"format": 2,')
    with pytest.raises(BundleError, match=r"accel\.json: damaged"):
        load(folder)
    (folder / "accel.json").unlink()
    with pytest.raises(BundleError, match=r"not a bundle: accel\.json: No such file"):
        load(folder)


def test_a_bitstream_is_held_against_its_sum(changed_bundle: Callable[[Change], Path]) -> None:
    folder = changed_bundle(
        lambda d: d.update(bitstream={"sha256": hashlib.sha256(b"1").hexdigest()})
    )
    (folder / "accel.bit").write_bytes(b"1")
    assert load(folder).overlay == folder / "accel.bit"
    (folder / "accel.bit").write_bytes(b"2")
    with pytest.raises(BundleError, match=r"accel\.bit is damaged: SHA-256"):
        load(folder)


@pytest.fixture
def conv_bundle(bundle: Bundle, tmp_path: Path) -> Bundle:
    described = json.loads((bundle.folder / "accel.json").read_text())
    return load(conv.write(tmp_path / "conv", described), runnable=False)


SELECTED = [
    ("all", "conv0.weights conv1.weights fc0.weights conv0.buffer pool1.buffer"),
    ("weights", "conv0.weights conv1.weights fc0.weights"),
    ("buffers", "conv0.buffer pool1.buffer"),
    ("pool1.buffer", "pool1.buffer"),
    ("pool1", "pool1.buffer"),
    ("conv1", "conv1.weights pool1.buffer"),
    ("fc0", "fc0.weights"),
    ("conv*.weights", "conv0.weights conv1.weights"),
    ("*.buffer", "conv0.buffer pool1.buffer"),
    ("conv[01].*", "conv0.weights conv1.weights conv0.buffer"),
    ("?c0*", "fc0.weights"),
]


@pytest.mark.parametrize(("selection", "names"), SELECTED)
def test_memories_of_a_convolution_are_chosen_by_name_layer_and_pattern(
    conv_bundle: Bundle, selection: str, names: str
) -> None:
    assert [memory.name for memory in conv_bundle.select(selection)] == names.split()


@pytest.mark.parametrize("selection", ["conv9*", "pool0", "pool1.weights", "label", ""])
def test_a_selection_that_means_no_memory_is_refused(conv_bundle: Bundle, selection: str) -> None:
    with pytest.raises(InputError, match=r"no memory .*; it has conv0\.weights, .*pool1\.buffer"):
        conv_bundle.select(selection)


def test_a_map_has_rows_by_columns_by_channels_bits(conv_bundle: Bundle) -> None:
    assert conv_bundle.pixels == 32 * 32 * 3
    assert conv_bundle.layer_names == ["conv0", "conv1", "fc0"]
    sizes = {m.name: conv_bundle.elements(m) for m in conv_bundle.select("buffers")}
    assert sizes == {"conv0.buffer": 30 * 30 * 8, "pool1.buffer": 14 * 14 * 8}
    assert (conv_bundle.board, conv_bundle.part) == ("Pynq-Z2", "xc7z020clg400-1")


CONV_FAULTS: list[tuple[Change, str]] = [
    (lambda d: d["memories"][4].update(layer=0), "is of layer 0, but pool1, whose buffer it is"),
    (lambda d: d["memories"][4].update(width=5), "layer pool1: its 1568 bits do not fit"),
    (lambda d: d["layers"][2].update(buffer=2), "layer pool1: memory 2 is not its buffer"),
    (lambda d: d["input"].update(shape=[32, 32, 4]), "must be the 4096 of its shape"),
]


@pytest.mark.parametrize(("change", "line"), CONV_FAULTS, ids=[line for _, line in CONV_FAULTS])
def test_layers_and_memories_that_disagree_are_refused(
    bundle: Bundle, tmp_path: Path, change: Change, line: str
) -> None:
    described = json.loads((bundle.folder / "accel.json").read_text())
    with pytest.raises(BundleError) as caught:
        load(conv.write(tmp_path / "conv", described, change), runnable=False)
    assert line in str(caught.value)
