"""A bundle is checked before anything is loaded: each fault gives one line that names it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host.core import description
from spinflow.host.core.bundle import Bundle, load
from spinflow.host.core.errors import BundleError, InputError
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
    (
        lambda d: d.update(format=1),
        "format is 1, but this program reads format 4; build the bundle anew, with spinflow b",
    ),
    (lambda d: d.update(format=True), "format is True, but this program reads format 4"),
    (lambda d: d.update(map_version=9), "map_version is 9, but this program reads map_version 2"),
    (lambda d: d.update(build_id=2**32), "build_id is 4294967296: it must be a whole number from"),
    (lambda d: d.pop("memories"), "accel.json: it has no memories"),
    (lambda d: d.update(colour="red"), "it has an unknown key 'colour'"),
    (lambda d: d["files"].pop("arrays.npz"), "files has no arrays.npz"),
    (lambda d: d["files"].update({"accel.hwh": "0" * 64}), "accel.hwh is damaged: its SHA-256"),
    (lambda d: d["files"].update({"more.npz": "0" * 64}), "files has an unknown key 'more.npz'"),
    (lambda d: d["files"].update({"../x": "0" * 64}), "files has an unknown key '../x'"),
    (lambda d: d["files"].update({"/dev/zero": "0" * 64}), "an unknown key '/dev/zero'"),
    (lambda d: d.pop("board"), "it has no board"),
    (lambda d: d.update(board="Pynq Z2; x"), "board is 'Pynq Z2; x': it must be a name of at most"),
    (lambda d: d["layers"][1].update(weights=4), "layer fc0: its weights must be memory 0, not 4"),
    (lambda d: d["layers"][1].update(buffer=9), "layer fc0: its buffer must be memory 4, not 9"),
    (
        lambda d: d["layers"][1].update(mh=63),
        "layers[1].shape is [1, 1, 64]: it must be [1, 1, 63]",
    ),
    (lambda d: d["layers"][1].update(mw=783), "layers[1].mw is 783: it must be 784"),
    (lambda d: d["layers"][1].update(simd=9), "layers[1].simd is 9: it must be a divisor of 784"),
    (
        lambda d: d["layers"][1].update(op="mult"),
        "layers[1].op is 'mult': it must be mvu, max_pool",
    ),
    (lambda d: d["layers"][1].update(name="fc1"), "layers[1].name is 'fc1': it must be 'fc0'"),
    (lambda d: d["layers"][4].update(threshold=True), "layers[4].threshold is True"),
    (lambda d: d["layers"][5].update(classes=9), "layers[5].classes is 9: it must be 10"),
    (lambda d: d["layers"][1].pop("shape"), "layers[1] has no shape"),
    (lambda d: d["layers"][1].update(buffer=None), "memories is [{"),
    (lambda d: d["memories"][4].update(layer=1), "memories[4].layer is 1: it must be 0"),
    (lambda d: d["memories"].pop(0), "it must be a list of 7 entries"),
    (lambda d: d["memories"][0].update(kind="cache"), "memories[0].kind is 'cache'"),
    (lambda d: d["memories"][0].update(width=0), "memories[0].width is 0: it must be 196"),
    (
        lambda d: d["memories"][0].update(depth="many"),
        "memories[0].depth is 'many': it must be 256",
    ),
    (
        lambda d: d["memories"][4].update(depth=0),
        "memories[4].depth is 0: it must be a whole number",
    ),
    (lambda d: d["memories"][4].update(depth=2**31), "memories[4].depth is 2147483648: it must"),
    (lambda d: d["memories"][0].update(stride=4), "memories[0].stride is 4: it must be 32"),
    (lambda d: d["memories"][0].update(base=0), "memories[0].base is 0: it must be 65536"),
    (
        lambda d: d["address_map"]["accel"].update(range=65536),
        "the window of fc0.weights ends at 0x12000, beyond the 0x10000 bytes of",
    ),
    (
        lambda d: d["address_map"]["dma"].update(base=0x40000000),
        "it must be two ranges that do not overlap",
    ),
    (
        lambda d: d["address_map"]["dma"].update(base=0x40410000),
        "dma is at 0x40400000 with 0x10000",
    ),
    (lambda d: d["registers"]["global"].pop("STATUS"), "describes no register STATUS"),
    (
        lambda d: d["registers"]["global"]["STATUS"].update(offset=16),
        "STATUS has the same offset as CONTROL",
    ),
    (
        lambda d: d["registers"]["global"]["STATUS"].update(offset=96),
        "register STATUS of accel is at",
    ),
    (
        lambda d: d["registers"]["global"]["STATUS"]["fields"]["busy"].update(lsb=0),
        "registers.global.STATUS.fields.busy is {'lsb': 0, 'width': 1}: it must be bits",
    ),
    (
        lambda d: d["taps"][2].update(signal="x; evil"),
        "taps[2].signal is 'x; evil': it must be 'fc0_",
    ),
    (lambda d: d["taps"][1].update(elements=63), "taps[1].elements is 63: it must be 64"),
    (lambda d: d["taps"][1].update(edge='a"b'), "taps[1].edge is 'a\"b': it must be the name of"),
    (lambda d: d.pop("simulator"), "describes neither a bitstream nor a simulator"),
    (lambda d: d["simulator"].update(sha256="0" * 64), "libaccel.so is damaged"),
    (lambda d: d["simulator"].update(library="../x.so"), "library is '../x.so': it must be 'libac"),
    (
        lambda d: d["input"].update(bytes_per_frame=785),
        "input.bytes_per_frame is 785: it must be 784",
    ),
    (lambda d: d["dma"].update(length_bits=9), "does not fit the DMA's length register of 9 bits"),
    (lambda d: d["dma"].update(length_bits=2**32 - 1), "it must be a whole number from 8 to 26"),
    (
        lambda d: d["dma"].update(length_bits=20),
        "the DMA's c_sg_length_width is 26, the bundle says",
    ),
    (lambda d: d.update(network="../mlp"), "network is '../mlp': it must be a name"),
    (lambda d: d.update(clock_mhz=50.0), "clock 0 is 100 MHz, the bundle says 50"),
    (
        lambda d: d.update(cycles_per_frame=255),
        "cycles_per_frame is 255: it must be a whole number",
    ),
    (lambda d: d["accuracy"].update(software="high"), "accuracy.software is 'high'"),
    (lambda d: d["folding"]["layers"]["fc0"].update(pe=2), "folding.layers.fc0.pe is 2"),
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


def test_a_name_in_a_folders_place_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "build" / "mine").mkdir(parents=True)
    (tmp_path / "build" / "mine" / "accel.json").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"^mine is not a bundle: .*; build/mine is one$"):
        load(Path("mine"))
    with pytest.raises(BundleError, match=r"^gone is not .*; spinflow build NETWORK makes one$"):
        load(Path("gone"))


def test_missing_and_damaged_files_are_named(changed_bundle: Callable[[], Path]) -> None:
    folder = changed_bundle()
    with (folder / "arrays.npz").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(BundleError, match=r"arrays\.npz is damaged"):
        load(folder)
    (folder / "arrays.npz").unlink()
    with pytest.raises(BundleError, match=r"arrays\.npz is missing"):
        load(folder)
    (folder / "accel.json").unlink()
    with pytest.raises(BundleError, match=r"is not a bundle: it has no accel\.json"):
        load(folder)


def test_a_bitstream_is_held_against_its_sum(changed_bundle: Callable[[Change], Path]) -> None:
    entry = {
        **{"file": "accel.bit", "sha256": hashlib.sha256(b"1").hexdigest(), "vivado": "2022.2"},
        **{"wns_ns": 0.1, "whs_ns": 0.01, "utilization": {"LUT": 4000}},
    }
    folder = changed_bundle(lambda d: d.update(bitstream=entry))
    (folder / "accel.bit").write_bytes(b"1")
    assert load(folder).overlay == folder / "accel.bit"
    (folder / "accel.bit").write_bytes(b"2")
    with pytest.raises(BundleError, match=r"accel\.bit is damaged: its SHA-256"):
        load(folder)


@pytest.fixture
def conv_bundle(tmp_path: Path) -> Bundle:
    return load(conv.write(tmp_path / "conv"), runnable=False)


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
    (lambda d: d["memories"][4].update(layer=0), "memories[4].layer is 0: it must be 1"),
    (lambda d: d["memories"][4].update(width=5), "memories[4].width is 5: it must be 2"),
    (lambda d: d["layers"][2].update(buffer=2), "layer pool1: its buffer must be memory 4, not 2"),
    (
        lambda d: d["layers"][2].update(size=3),
        "layers[2].shape is [14, 14, 8]: it must be [9, 9, 8]",
    ),
    (
        lambda d: d["layers"][2].update(name="pool0"),
        "layers[2].name is 'pool0': it must be 'pool1'",
    ),
    (lambda d: d["layers"].insert(2, d["layers"][2]), "max_pool after a convolution"),
    (
        lambda d: d["input"].update(shape=[32, 32, 4]),
        "input.bytes_per_frame is 3072: it must be 4096",
    ),
    (lambda d: d["layers"][1]["window"].update(kernel=[3, 2]), "layers[1].mw is 72: it must be 48"),
    (
        lambda d: d["layers"][1]["window"].update(kernel=[99, 1]),
        "it must be no larger than its input",
    ),
    (lambda d: d["layers"][1]["window"].update(padding=[3, 0, 0, 0]), "window.padding[0] is 3"),
    (lambda d: d["layers"][1]["window"].update(stride=[0, 1]), "window.stride[0] is 0"),
    # Pixels, bits without padding, bits with it.
    (lambda d: d["layers"][0]["window"].update(padding_value=-1), "padding_value is -1"),
    (
        lambda d: d["layers"][1]["window"].update(padding_value=0),
        "padding_value is 0: it must be -1",
    ),
    (
        lambda d: (
            d["layers"][1].update(shape=[29, 28, 8]),
            d["layers"][1]["window"].update(padding=[1, 0, 0, 0], padding_value=1),
        ),
        "padding_value is 1: it must be a whole number from -1 to 0",
    ),
    (
        lambda d: d["layers"][1].update(input="pixels"),
        "layers[1].input is 'pixels': it must be 'bits'",
    ),
]


@pytest.mark.parametrize(("change", "line"), CONV_FAULTS, ids=[line for _, line in CONV_FAULTS])
def test_layers_and_memories_that_disagree_are_refused(
    tmp_path: Path, change: Change, line: str
) -> None:
    with pytest.raises(BundleError) as caught:
        load(conv.write(tmp_path / "conv", change), runnable=False)
    assert line in str(caught.value)


TEXTS: list[tuple[bytes, str]] = [
    (b'{"format": 2,', "damaged: "),
    (b"", "damaged: "),
    (b"\xff{}", "damaged: not UTF-8 at byte 0"),
    (b"[]", "damaged: it holds [], and not a JSON object"),
    (b'{"format": NaN}', "damaged: NaN is not a number of JSON"),
    (b'{"format": -Infinity}', "damaged: -Infinity is not a number of JSON"),
    (b'{"format": 1e999}', "damaged: the number 1e999 is too large"),
    (b'{"format": 2, "format": 2}', "damaged: the key 'format' appears twice in one object"),
    (b"[" * 100_000, "damaged: nested too deeply"),
    (b'{"format": ' + b"9" * 5000 + b"}", "damaged: the number 999999999999... has 5000 digits"),
    (b" " * (description.DESCRIPTION_LIMIT + 1), "is too large: at most 1 MiB are allowed"),
]


@pytest.mark.parametrize(("text", "line"), TEXTS, ids=[line for _, line in TEXTS])
def test_json_that_is_none_is_refused(tmp_path: Path, text: bytes, line: str) -> None:
    (tmp_path / "accel.json").write_bytes(text)
    with pytest.raises(BundleError) as caught:
        description.read(tmp_path)
    assert line in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "accel.json"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["accel.json", "arrays.npz", "accel.hwh", "libaccel.so"])
def test_only_plain_files_of_its_own_folder_are_read(
    changed_bundle: Callable[[], Path], name: str, tmp_path: Path
) -> None:
    folder = changed_bundle()
    path = folder / name
    path.rename(tmp_path / "outside")
    for make, line in (
        (lambda: path.symlink_to(tmp_path / "outside"), "is a link: a bundle's files are plain"),
        (lambda: path.symlink_to("/dev/zero"), "is a link: a bundle's files are plain"),
        (lambda: os.mkfifo(path), "is not a plain file"),  # opening it would wait for a writer
        (path.mkdir, "is not a plain file"),
    ):
        make()
        with pytest.raises(BundleError, match=f"{name} {line}"):
            load(folder)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole, of which nothing is read
    with pytest.raises(BundleError, match=f"{name} is too large"):
        load(folder)
