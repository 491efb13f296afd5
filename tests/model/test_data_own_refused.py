"""Bad data of one's own: one line each; nothing is run and nothing is written."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.model.data.__main__ import main
from tests.model.test_data_own import FLAT, KINDS, MAPS, idx, picture, png


def npz(**arrays: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "mine.npz", **arrays)
        return folder / "mine.npz"

    return make


def text(content: str, name: str = "mine.csv") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


def raw(content: bytes, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def pictures(change: Callable[[Path], Any]) -> Callable[[Path], Path]:
    """Return what makes two good classes and changes them."""

    def make(folder: Path) -> Path:
        for kind in ("a", "b"):
            picture(folder / "zoo" / kind / "0.png", MAPS[0])
        change(folder / "zoo")
        return folder / "zoo"

    return make


def bomb(folder: Path) -> Path:
    """An archive of few bytes that says it unpacks to many."""
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 4096), }\n"
    with zipfile.ZipFile(folder / "mine.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        head = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text
        archive.writestr("images.npy", head + bytes(1 << 20))
        out = io.BytesIO()
        np.save(out, KINDS)
        archive.writestr("labels.npy", out.getvalue())
    return folder / "mine.npz"


def sparse(name: str) -> Callable[[Path], Path]:
    """Return what makes a file of 1 TiB of which nothing is on the disk."""

    def make(folder: Path) -> Path:
        with (folder / name).open("wb") as file:
            file.write(idx(MAPS)[:20])
            file.truncate(1 << 40)
        return folder / name

    return make


def gzip_bomb(folder: Path) -> Path:
    """A few KiB that unpack to 16 MiB, of which the header claims 9 bytes."""
    (folder / "a-labels-idx1-ubyte").write_bytes(idx(KINDS))
    content = idx(np.zeros((3, 3), np.uint8)) + bytes(1 << 24)
    (folder / "a-images-idx2-ubyte.gz").write_bytes(gzip.compress(content))
    return folder / "a-images-idx2-ubyte.gz"


def claims(folder: Path) -> Path:
    """A file whose header claims far more than memory holds."""
    (folder / "a-labels-idx1-ubyte").write_bytes(idx(KINDS))
    head = struct.pack(">4B3I", 0, 0, 8, 3, 4_000_000_000, 9999, 9999)
    (folder / "a-images-idx3-ubyte").write_bytes(head)
    return folder / "a-images-idx3-ubyte"


def unlike(folder: Path) -> Path:
    raw(idx(MAPS[..., 0]), "test-images-idx3-ubyte")(folder)
    raw(idx(KINDS), "test-labels-idx1-ubyte")(folder)
    raw(idx(MAPS[:, :4, :, 0]), "train-images-idx3-ubyte")(folder)
    raw(idx(KINDS), "train-labels-idx1-ubyte")(folder)
    return folder


def untrained(folder: Path) -> Path:
    for part, kind in (("train", "a"), ("test", "a"), ("test", "b")):
        picture(folder / "zoo" / part / kind / "0.png", MAPS[0])
    return folder / "zoo"


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "gone.npz", "neither a file or folder nor one of mnist"),
    "unlabeled": (npz(images=MAPS), "it has images and no labels (images): add an array labels"),
    "other names": (npz(a=MAPS, b=KINDS), "it holds a, b: arrays images and labels are expected"),
    "ambiguous": (npz(X=MAPS, y=KINDS, data=MAPS, target=KINDS), "it holds X with y and X with"),
    "empty": (npz(images=MAPS[:0], labels=KINDS[:0]), "images has shape (0, 6, 5, 3): it is empty"),
    "counts": (npz(images=MAPS, labels=KINDS[:5]), "12 images and 5 labels do not belong together"),
    "floats": (npz(images=MAPS / 255, labels=KINDS), "np.rint(255.0 * images).astype(np.uint8)"),
    "whole floats": (npz(images=MAPS * 1.0, labels=KINDS), "np.rint(images).astype(np.uint8)"),
    "signed": (npz(images=MAPS - 128.0, labels=KINDS), "0 to 255, are expected\n"),
    "sides": (npz(images=MAPS.reshape(12, 3, 15, 2), labels=KINDS), "which of the sides are chan"),
    "five": (npz(images=MAPS[None], labels=[1]), "images have shape (1, 12, 6, 5, 3): (n, pixels)"),
    "below": (npz(images=MAPS, labels=KINDS - 2), "a label is -2; labels are 0 to 65535, or +1"),
    "beyond": (npz(images=MAPS, labels=KINDS * 40000), "a label is 80000; labels are 0 to 65535"),
    "half": (npz(images=MAPS, labels=KINDS / 4), "a label is 0.5, whole numbers are expected"),
    "two hot": (npz(images=MAPS, labels=np.ones((12, 3))), "or a row with a single 1"),
    "not bytes": (npz(X=FLAT / 3, y=KINDS), "are no bytes (whole, 0 to 255 or -128 to 127, or ±1)"),
    "NaN": (npz(X=[[0, 1], [2, np.nan]], y=[0, 1]), "row 2, feature 2 is nan, a number is"),
    "objects": (npz(images=np.array([{}], object), labels=[1]), "holds objects, which are never"),
    "bomb": (bomb, "9000000 images of 4096 bytes: at most 4096 MiB are read"),
    "no npz": (raw(b"PK\3\4" + bytes(99), "mine.npz"), "it is not an npz archive"),
    "CSV empty": (text(""), "it has no rows: numbers and a label each"),
    "CSV names": (text("a,b,label\n"), "it has names of columns and no rows"),
    "CSV short": (text("1,2,a\n1,b\n"), "row 2 has 2 columns, row 1 has 3"),
    "CSV word": (text("u,v,y\n1,2,a\n1,x,a\n"), "row 3, column 'v' holds 'x', a number is"),
    "CSV target": (text("1,2,3.5\n1,3,4\n"), "a label is '3.5': whole numbers from 0, or words"),
    "CSV NaN": (text("1,2,a\n1,nan,a\n"), "row 2, feature 2 is nan, a number is expected"),
    "CSV no label": (text("1,2,a\n1,3,\n"), "row 2 has no label in column 3, the last"),
    "CSV float": (text("1,2.5,a\n1,3,b\n"), "say with --scale minmax or --scale LOW:HIGH"),
    "CSV binary": (raw(b"\xff\xfe\0", "mine.csv"), "not a text in UTF-8"),
    "link": (pictures(lambda zoo: (zoo / "a" / "1.png").symlink_to("/dev/zero")), "is a link"),
    "linked": (pictures(lambda zoo: (zoo / "c").symlink_to("/")), "is a link: plain files and"),
    "none": (pictures(lambda zoo: (zoo / "c").mkdir()), "c has no pictures"),
    "damaged": (
        pictures(lambda zoo: (zoo / "b" / "0.png").write_bytes(png(MAPS[0])[:80])),
        "0.png: a damaged picture file, or none",
    ),
    "no picture": (
        pictures(lambda zoo: (zoo / "b" / "0.png").write_text("cat")),
        "0.png: a damaged picture file, or none",
    ),
    "FIFO": (pictures(lambda zoo: os.mkfifo(zoo / "b" / "1.png")), "a FIFO, a plain file is expec"),
    "untrained": (untrained, "class b has no pictures for training"),
    "IDX alone": (raw(idx(MAPS), "mine-images-idx4-ubyte"), "has no labels: mine-labels-idx1-u"),
    "IDX short": (raw(idx(MAPS)[:-1] + b"", "a.bin"), "a name with images-idx is expected"),
    "IDX bomb": (gzip_bomb, "more bytes of data, its header says 9"),
    "IDX claims": (claims, "at most 4096 MiB are read"),
    "huge CSV": (sparse("a.csv"), "a.csv: more than 512 MiB, the most that a file of its kind has"),
    "huge npz": (sparse("a.npz"), "it is not an npz archive"),
    "IDX unlike": (unlike, "images of (1, 4, 5) and of (1, 6, 5)"),
    "folder": (lambda folder: folder, "of no form that is known: sub-folders of pictures"),
    "text": (text("hello", "mine.txt"), "of no form that is known: an .npz of arrays"),
    "pickle": (raw(pickle.dumps([1]), "mine.pkl"), "of no form that is known"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_bad_data_are_one_line(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, line = REFUSED[what]
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main([str(path)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("spinflow: ") and said.err.count("\n") == 1 and not said.out
    assert line in said.err and len(said.err) < 300 + len(str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["mnist", "--scale", "minmax"], "--scale is for data of one's own, not for mnist"),
        (["NPZ", "--scale", "minmax"], "--scale is for features; images are bytes as they are"),
        (["NPZ?colour=red"], "data option 'colour=red': title=, label=, scale= or size= is"),
        (["NPZ?size=3"], "size '3': ROWSxCOLUMNS is expected, as 32x32"),
        (["CSV", "--scale", "1:0"], "--scale '1:0': minmax or LOW:HIGH is expected"),
        (["CSV", "--label", "kind"], "has no column 'kind'; it has 'a', 'b', 'y'\n"),
        (["TWO", "--label", "b"], "TWO.csv has 2 columns 'b': one is meant"),
        (
            ["CSV", "--size", "3x3"],
            "CSV.csv: --size is for picture files, in a folder or a parquet",
        ),
        (["NPZ", "--size", "3x3"], "mine.npz: --size is for picture files"),
        (["NPZ", "--label", "kind"], "mine.npz: --label is for tables, CSV or parquet"),
        (["ZOO", "--scale", "minmax"], "zoo: --scale is for features, in a CSV or as vectors in"),
        (["ZOO", "--label", "kind"], "zoo: --label is for tables"),
        (["IDX", "--size", "3x3"], "mine-images-idx4-ubyte: --size is for picture files"),
        (["NPZ", "--classes", "3"], "--classes is for imagenet, not for"),
        (["mnist", "--classes", "3"], "--classes is for imagenet, not for mnist"),
        (["NPZ", "--title", "x" * 81], "at most 80 characters, one line"),
    ],
)
def test_wrong_options_are_one_line(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "NPZ": npz(images=MAPS, labels=KINDS)(tmp_path),
        "CSV": text("a,b,y\n1,.5,x\n", "CSV.csv")(tmp_path),
        "TWO": text("a,b,b\n1,2,x\n", "TWO.csv")(tmp_path),
        "ZOO": pictures(lambda zoo: None)(tmp_path),
        "IDX": raw(idx(MAPS), "mine-images-idx4-ubyte")(tmp_path),
    }
    for name, path in files.items():
        words = [str(path) + w[3:] if w.startswith(name) else w for w in words]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1
