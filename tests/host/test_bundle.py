"""A bundle is checked before anything is loaded: each fault gives one line that names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host.bundle import Bundle, load
from host.errors import BundleError, InputError

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
    (lambda d: d.update(format=2), "format is 2, this driver knows 1"),
    (lambda d: d.update(map_version=9), "map_version is 9, this driver knows 1"),
    (lambda d: d.update(build_id=2**32), "build_id 4294967296 is not a 32-bit number"),
    (lambda d: d.pop("memories"), "incomplete or damaged: no 'memories'"),
    (lambda d: d["files"].pop("arrays.npz"), "lists no arrays.npz"),
    (lambda d: d["files"].update({"accel.hwh": "0" * 64}), "accel.hwh is damaged: SHA-256"),
    (lambda d: d["files"].update({"more.npz": "0" * 64}), "more.npz: No such file"),
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
    (folder / "accel.json").write_text('{"format": 1,')
    with pytest.raises(BundleError, match=r"accel\.json: damaged"):
        load(folder)
    (folder / "accel.json").unlink()
    with pytest.raises(BundleError, match=r"not a bundle: accel\.json: No such file"):
        load(folder)
