"""Data of one's own: every form gives the images and labels that were put in, or one line."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from spinflow.host.core.own_tests import MOST_NOTE, pack, unpack
from spinflow.model import data
from spinflow.model.data import DataError, Options, read_own
from spinflow.model.data.__main__ import main
from spinflow.model.data.own import ALL, TEST, TRAIN, carried, measured_part, name_of

RNG = np.random.default_rng(3)
MAPS = RNG.integers(0, 256, (12, 6, 5, 3), np.uint8)
"""Twelve images of 6 x 5 pixels in three colours."""

FLAT = MAPS.reshape(12, 90)
KINDS = np.array([0, 2, 1] * 4)


def same(part: Any, images: Any, labels: Any) -> None:
    np.testing.assert_array_equal(part.images, images)
    np.testing.assert_array_equal(part.labels, labels)
    assert part.images.dtype == np.uint8 and part.labels.dtype == np.uint16


# --- npz ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (MAPS, (3, 6, 5)),
        (MAPS.transpose(0, 3, 1, 2), (3, 6, 5)),
        (MAPS[..., 0], (1, 6, 5)),
        (FLAT.reshape(12, 3, 30), (1, 3, 30)),
        (MAPS[..., :1], (1, 6, 5)),
        (MAPS[..., :1].transpose(0, 3, 1, 2), (1, 6, 5)),
        (FLAT, (90,)),
        (MAPS.astype(np.int64), (3, 6, 5)),
        (np.asfortranarray(MAPS), (3, 6, 5)),
    ],
    ids=[
        "last",
        "first",
        "grey",
        "three rows",
        "one last",
        "one first",
        "flat",
        "int64",
        "fortran",
    ],
)
def test_shapes_of_arrays(images: Any, shape: tuple[int, ...], tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "mine.npz", images=images, labels=KINDS)
    found = read_own(tmp_path / "mine.npz")
    expected = MAPS[..., :1] if shape == (1, 6, 5) else MAPS
    assert (found.shape, found.classes, found.title) == (shape, 3, "mine")
    same(found.parts[ALL], expected.reshape(12, -1), KINDS)


@pytest.mark.parametrize(
    "keys",
    [
        {"X": "images", "y": "labels"},
        {"data": "images", "target": "labels"},
        {"x_test": "images", "y_test": "labels", "x_train": "images", "y_train": "labels"},
        {"test_images": "images", "test_labels": "labels", "val_images": "other"},
        {"images": "images", "labels": "labels", "names": "names", "extra": "other"},
    ],
    ids=",".join,
)
def test_names_of_arrays(keys: dict[str, str], tmp_path: Path) -> None:
    arrays = {
        "images": MAPS,
        "labels": KINDS,
        "other": MAPS[:1],
        "names": np.array(["a", "b", "c"]),
    }
    np.savez(tmp_path / "mine.npz", **{key: arrays[what] for key, what in keys.items()})  # type: ignore[arg-type]
    found = read_own(tmp_path / "mine.npz")
    same(measured_part(found), FLAT, KINDS)
    assert (TRAIN in found.parts) == ("x_train" in keys)
    assert found.names == (("a", "b", "c") if "names" in keys else ())


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (KINDS.reshape(-1, 1), KINDS),
        (KINDS.astype(np.float32), KINDS),
        (np.eye(3, dtype=np.uint8)[KINDS], KINDS),
        (np.where(KINDS > 0, 1, -1), KINDS > 0),
        (np.array(["cat", "hen", "dog"])[KINDS], np.array([0, 2, 1])[KINDS]),
        (KINDS * 500, KINDS * 500),
    ],
    ids=["column", "float", "one-hot", "±1", "words", "1001 classes"],
)
def test_forms_of_labels(labels: Any, expected: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=MAPS, labels=labels)
    found = read_own(tmp_path / "mine.npz")
    same(found.parts[ALL], FLAT, expected)
    assert found.classes == int(expected.max()) + 1


@pytest.mark.parametrize(
    ("values", "numbers", "expected"),
    [
        (np.array([[0, 255], [3, 4.0]]), "", [[0, 255], [3, 4]]),
        (np.array([[-128, 127], [3, 4]]), "x-128", [[0, 255], [131, 132]]),
        (np.array([[-1, 1], [1, -1.0]]), "2x-1", [[0, 1], [1, 0]]),
    ],
)
def test_vectors_that_are_bytes_in_disguise(
    values: Any, numbers: str, expected: Any, tmp_path: Path
) -> None:
    np.savez(tmp_path / "mine.npz", X=values, y=[0, 1])
    found = read_own(tmp_path / "mine.npz")
    assert found.numbers == numbers and found.shape == (2,)
    same(found.parts[ALL], expected, [0, 1])


def test_a_scale_of_the_training_part_is_that_of_both(tmp_path: Path) -> None:
    train, test = np.array([[0.0, 5], [1, 5], [0.5, 5]]), np.array([[2.0, 5], [-1, 6], [0.25, 5]])
    np.savez(tmp_path / "mine.npz", X_train=train, y_train=KINDS[:3], X_test=test, y_test=KINDS[:3])
    found = read_own(tmp_path / "mine.npz", options=Options(scale="minmax"))
    same(found.parts[TRAIN], [[0, 0], [255, 0], [128, 0]], KINDS[:3])
    same(found.parts[TEST], [[255, 0], [0, 255], [64, 0]], KINDS[:3])
    assert found.scale is not None and found.scale.tolist() == [[0, 5], [1, 5]]
    ranged = read_own(f"{tmp_path}/mine.npz?scale=-1:1&title=Two numbers")
    assert ranged.parts[TRAIN].images[:, 0].tolist() == [128, 255, 191]
    assert ranged.title == "Two numbers" and name_of(ranged.title) == "two-numbers"
    assert carried(ranged, ranged.parts[TEST]).scale is not None


# --- pictures -------------------------------------------------------------------------------------


def picture(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Pictures of three classes for training, of two of them for tests."""
    for number, kind in enumerate(("cat", "dog", "hen")):
        for part in ("train", "test")[: 1 if kind == "dog" else 2]:
            for i in range(2):
                picture(tmp_path / "zoo" / part / kind / f"{i}.png", MAPS[3 * i + number])
    (tmp_path / "zoo" / "train" / ".hidden").mkdir()
    (tmp_path / "zoo" / "train" / "cat" / "notes.txt").write_text("a cat")
    return tmp_path / "zoo"


def test_pictures_by_class(zoo: Path) -> None:
    found = read_own(zoo)
    assert (found.shape, found.classes, found.names) == ((3, 6, 5), 3, ("cat", "dog", "hen"))
    pairs = {
        part: sorted(
            (int(label), image.tobytes())
            for image, label in zip(found.parts[part].images, found.parts[part].labels, strict=True)
        )
        for part in (TRAIN, TEST)
    }
    expected = [(number, MAPS[3 * i + number].tobytes()) for number in range(3) for i in range(2)]
    assert pairs[TRAIN] == sorted(expected)
    assert pairs[TEST] == sorted(pair for pair in expected if pair[0] != 1)
    # A sweep takes the first images, which must not be all of one class.
    assert found.parts[TRAIN].labels.tolist() != [0, 0, 1, 1, 2, 2]
    assert "which lay class by class, are in an order drawn with seed" in found.notes[0]
    assert read_own(zoo).parts[TRAIN].labels.tolist() == found.parts[TRAIN].labels.tolist()


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    for kind in range(2):
        picture(tmp_path / str(kind) / "a.png", MAPS[kind, ..., 0])
    found = read_own(tmp_path)
    assert found.shape == (1, 6, 5)
    assert sorted(found.parts[ALL].images.tolist()) == sorted(
        MAPS[:2, ..., 0].reshape(2, -1).tolist()
    )
    picture(tmp_path / "2" / "a.png", MAPS[2])
    assert read_own(tmp_path).shape == (3, 6, 5)
    picture(tmp_path / "2" / "b.png", MAPS[2, :4])
    with pytest.raises(DataError, match=r"2/b.png has 4 x 5 pixels, .* has 6 x 5: they must agree"):
        read_own(tmp_path)
    assert read_own(tmp_path, options=Options(size=(3, 7))).shape == (3, 3, 7)


def test_grey_pictures_of_16_bits_keep_their_upper_8(tmp_path: Path) -> None:
    deep = MAPS[..., 0].astype(np.uint16) * 257
    for number, ending in ((0, "png"), (1, "tif")):
        picture(tmp_path / str(number) / f"a.{ending}", deep[number])
    found = read_own(tmp_path)
    assert found.shape == (1, 6, 5)
    images = sorted(found.parts[ALL].images.tolist())
    assert images == sorted(MAPS[:2, ..., 0].reshape(2, -1).tolist())
    picture(tmp_path / "2" / "a.tif", MAPS[2, ..., 0].astype(np.float32))
    with pytest.raises(DataError, match="pixels of mode F: 8 or 16 bits for each"):
        read_own(tmp_path)


# --- IDX ------------------------------------------------------------------------------------------


def idx(values: Any, code: int = 8) -> bytes:
    kind = {8: ">u1", 0x0B: ">i2"}[code]
    sizes = struct.pack(f">4B{values.ndim}I", 0, 0, code, values.ndim, *values.shape)
    return sizes + values.astype(kind).tobytes()


@pytest.mark.parametrize(
    ("values", "shape"), [(MAPS[..., 1], (1, 6, 5)), (MAPS, (3, 6, 5)), (FLAT, (90,))]
)
def test_idx_files(values: Any, shape: tuple[int, ...], tmp_path: Path) -> None:
    digits = values.ndim
    images = tmp_path / f"letters-test-images-idx{digits}-ubyte.gz"
    images.write_bytes(gzip.compress(idx(values)))
    (tmp_path / "letters-test-labels-idx1-ubyte").write_bytes(idx(KINDS * 300, 0x0B))
    found = read_own(images)
    assert (found.shape, found.title) == (shape, "letters-test")
    same(found.parts[ALL], values.reshape(12, -1), KINDS * 300)
    (tmp_path / f"train-images-idx{digits}-ubyte").write_bytes(idx(values[:5]))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(KINDS[:5]))
    both = read_own(tmp_path, options=Options(title="Letters"))
    same(both.parts[TRAIN], values[:5].reshape(5, -1), KINDS[:5])
    same(both.parts[TEST], values.reshape(12, -1), KINDS * 300)


# --- CSV ------------------------------------------------------------------------------------------

ROWS = [[1, 0.5, -2], [2, 0.25, 2], [3, 1.5, 0]]


@pytest.mark.parametrize(
    ("text", "options", "names"),
    [
        ("1,.5,-2,a\n2,.25,2,b\n3,1.5,0,a\n", Options(), ("a", "b")),
        ("u;v;w;kind\n1;.5;-2;a\n2;.25;2;b\n\n3;1.5;0;a\n", Options(), ("a", "b")),
        ("\ufeffu,label,v,w\r\n1,a,.5,-2\r\n2,b,.25,2\r\n3,a,1.5,0\r\n", Options(), ("a", "b")),
        ("is,u,v,w\n4,1,.5,-2\n7,2,.25,2\n4,3,1.5,0\n", Options(label="is"), ()),
        ("4,1,.5,-2\n7,2,.25,2\n4,3,1.5,0\n", Options(label="1"), ()),
    ],
    ids=["last", "names", "label", "chosen", "numbered"],
)
def test_tables(text: str, options: Options, names: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(text)
    found = read_own(tmp_path / "mine.csv", options=Options(label=options.label, scale="minmax"))
    assert (found.shape, found.names) == ((3,), names)
    expected = [[0, 51, 0], [128, 0, 255], [255, 255, 128]]
    same(found.parts[ALL], expected, [0, 1, 0] if names else [4, 7, 4])
    assert found.scale is not None and found.scale.tolist() == [[1, 0.25, -2], [3, 1.5, 2]]
    assert any("each feature from its least" in note for note in found.notes)


def test_what_is_noted_of_a_source_can_be_read_back(tmp_path: Path) -> None:
    """Names of columns, classes and files may hold whatever signs."""
    path = tmp_path / "a\tb\x07.csv"
    path.write_text("u,v,\x1b[31mlabel\n1,2,one\x00\n3,4,\u200b\n")
    found = read_own(path)
    carried_tests = carried(found, measured_part(found))
    again = unpack(path, pack(carried_tests), 2, 2)
    assert again.title == "a b?" and again.names == carried_tests.names
    assert again.note == carried_tests.note and "\\x1b[31mlabel" in again.note


def test_tables_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,b,y\n0,0,no\n10,1,yes\n")
    (tmp_path / "test.csv").write_text("a,b,y\n5,0,yes\n20,1,yes\n")
    found = read_own(tmp_path, options=Options(scale="minmax"))
    same(found.parts[TEST], [[128, 0], [255, 255]], [1, 1])
    assert found.names == ("no", "yes")


# --- parquet, torchvision -------------------------------------------------------------------------


def png(pixels: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


def test_parquet_files(tmp_path: Path) -> None:
    structs = [{"bytes": png(pixels), "path": None} for pixels in MAPS]
    for number, images in enumerate((structs, MAPS.tolist(), MAPS.transpose(0, 3, 1, 2).tolist())):
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(pyarrow.table({"image": images, "label": KINDS}), path)
        found = read_own(path)
        assert found.shape == (3, 6, 5)
        same(found.parts[ALL], FLAT, KINDS)
    for part in ("train", "test"):
        table = pyarrow.table({"img": structs, "label": KINDS})
        info = b'{"info": {"features": {"label": {"names": ["x", "y", "z"]}}}}'
        table = table.replace_schema_metadata({b"huggingface": info})
        (tmp_path / "set" / "data").mkdir(parents=True, exist_ok=True)
        parquet.write_table(table, tmp_path / "set" / "data" / f"{part}-00000-of-00001.parquet")
    found = read_own(tmp_path / "set")
    assert found.names == ("x", "y", "z")
    same(found.parts[TRAIN], FLAT, KINDS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="damaged or no parquet file"):
        read_own(path)


def test_without_pyarrow_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="needs the package pyarrow, which this Python lacks"):
        read_own(tmp_path / "a.parquet")


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """CIFAR-100's Python version, of a few images."""
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    planes = RNG.integers(0, 256, (6, 3072), np.uint8)
    for name, count in (("train", 6), ("test", 4)):
        content = {b"data": planes[:count], b"fine_labels": [99, 0, 5, 7, 8, 9][:count]}
        (folder / name).write_bytes(pickle.dumps(content, 2))
    names = [f"class {number}".encode() for number in range(100)]
    (folder / "meta").write_bytes(pickle.dumps({b"fine_label_names": names}, 2))
    return folder


def test_batches_of_torchvision(batches: Path) -> None:
    with (batches / "train").open("rb") as file:
        planes = pickle.load(file)[b"data"].reshape(-1, 3, 32, 32)
    for path in (batches, batches.parent):
        found = read_own(path)
        assert (found.shape, found.classes, found.names[5]) == ((3, 32, 32), 100, "class 5")
        expected = planes.transpose(0, 2, 3, 1).reshape(6, -1)
        same(found.parts[TRAIN], expected, [99, 0, 5, 7, 8, 9])
        same(found.parts[TEST], expected[:4], [99, 0, 5, 7])
    same(read_own(batches / "test").parts[ALL], expected[:4], [99, 0, 5, 7])


class Trap:
    """What unpickles to a file that is written."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def test_a_pickle_runs_no_code(batches: Path) -> None:
    mark = batches / "mark"
    content = pickle.dumps({b"data": Trap(mark), b"fine_labels": [0]}, 2)
    (batches / "train").write_bytes(content)
    with pytest.raises(DataError, match=r"no batch of CIFAR: it names .*; nothing of it was run"):
        read_own(batches)
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists()  # the trap is one


# --- parts ----------------------------------------------------------------------------------------


def test_a_source_of_one_part_is_split_by_seed(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=MAPS, labels=KINDS)
    found = data.dataset(tmp_path / "mine.npz")
    assert found.train_images.shape == (10, 90) and found.test_images.shape == (2, 90)
    rows = [row.tobytes() for row in (*found.train_images, *found.test_images)]
    assert sorted(rows) == sorted(row.tobytes() for row in FLAT)
    assert "2 of 12 images, drawn with seed 1" in found.notes[-1]
    tests = data.own_tests(tmp_path / "mine.npz")
    assert tests is not None
    np.testing.assert_array_equal(tests.images, found.test_images)
    assert "drawn with seed 1" in tests.note and len(tests.note) <= MOST_NOTE
    # An import measures on all of it: what it was trained on is not known here.
    assert len(measured_part(read_own(tmp_path / "mine.npz")).labels) == 12


def test_what_is_known_of_data_before_training(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", images=MAPS, labels=KINDS)
    found = data.describe("mnist.npz", tmp_path)
    assert (found.shape, found.classes, found.own) == ((3, 6, 5), 3, True)
    assert found.title == "mnist (own data)"  # it does not pass for the published one
    assert name_of("MNIST") == "own-mnist"
    known = data.describe("cifar100")
    assert (known.shape, known.classes, known.own) == ((3, 32, 32), 100, False)
    assert data.own_tests("mnist") is None


def test_more_images_than_a_bundle_carries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=MAPS, labels=KINDS)
    monkeypatch.setattr("spinflow.model.data.own.MOST_IMAGES", 5)
    found = read_own(tmp_path / "mine.npz")
    tests = carried(found, measured_part(found))
    assert len(tests.images) == 5 and "5 of 12 test images, drawn with seed" in tests.note
    rows = [row.tobytes() for row in FLAT]
    places = [rows.index(image.tobytes()) for image in tests.images]
    assert tests.labels.tolist() == KINDS[places].tolist()


def test_the_command_says_what_is_in_a_source(
    zoo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(zoo)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "zoo: images of 6 x 5 pixels, 3 channels, 3 classes"
    assert lines[1].startswith("4 images for tests, fingerprint ") or "6 images" in lines[1]
    assert "    1 dog: 0" in lines and "    1 dog: 2" in lines
    again = capsys.readouterr()
    assert not again.err and main([str(zoo)]) == 0
    assert capsys.readouterr().out.splitlines() == lines
