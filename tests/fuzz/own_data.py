"""Mutated data of one's own: what ``spinflow data`` says of them, or one line."""

from __future__ import annotations

import csv
import gzip
import io
import pickle
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.fuzz import mutate
from tests.fuzz.campaign import Subject
from tests.fuzz.judge import Outcome

IMAGES = np.random.default_rng(1).integers(0, 256, (9, 4, 5, 3), np.uint8)
LABELS = np.arange(9) % 3
KINDS = ("npz", "pictures", "idx", "csv", "batches")


def idx(array: np.ndarray) -> bytes:
    """Return an array of bytes as an IDX file."""
    head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def picture(array: np.ndarray) -> bytes:
    """Return an array as a PNG file."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(array).save(out, "png")
    return out.getvalue()


def table() -> bytes:
    """Return a table of ten features and a label."""
    out = io.StringIO()
    rows = [[*map(int, image.reshape(-1)[:10]), f"k{label}"] for image, label in zip(
        IMAGES, LABELS, strict=True)]  # fmt: skip
    csv.writer(out).writerows([[*(f"f{number}" for number in range(10)), "label"], *rows])
    return out.getvalue().encode()


def sources() -> dict[str, dict[str, bytes]]:
    """Return the files of a good source of each kind."""
    packed = io.BytesIO()
    np.savez_compressed(packed, images=IMAGES, labels=LABELS, names=np.array(["a", "b", "c"]))
    planes = np.zeros((3, 3072), np.uint8)
    batch = pickle.dumps({b"data": planes, b"fine_labels": [0, 1, 2]}, 2)
    return {
        "npz": {"x.npz": packed.getvalue()},
        "pictures": {
            f"x/k{label}/{number}.png": picture(image)
            for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True))
        },
        "idx": {
            "x/test-images-idx4-ubyte": idx(IMAGES),
            "x/test-labels-idx1-ubyte": idx(LABELS),
        },
        "csv": {"x.csv": table()},
        "batches": {f"x/cifar-100-python/{name}": batch for name in ("train", "test")}
        | {"x/cifar-100-python/meta": pickle.dumps({b"fine_label_names": [b"a", b"b", b"c"]}, 2)},
    }


def changed(rng: random.Random, name: str, old: bytes) -> bytes:
    """Return a file with something of it changed."""
    if name.endswith(".npz"):
        return mutate.arrays(rng, old)
    if name.endswith(".csv") and rng.random() < 0.7:
        return mutate.text(rng, old.decode()).encode("utf-8", errors="surrogatepass")
    if "idx" in name and rng.random() < 0.5:
        head = bytearray(old)
        head[rng.randrange(12)] = rng.choice((0, 1, 8, 255))
        return bytes(head)
    return rng.choice((mutate.data(rng, old), old * 2, b"", old[: len(old) // 2]))


def subject(quick: int, full: int) -> Subject:
    """Return the subject of data of one's own."""
    from spinflow.host.core import start
    from spinflow.model.data.__main__ import main

    good = sources()

    def prepare(rng: random.Random, folder: Path) -> Sequence[str]:
        files = dict(good[rng.choice(KINDS)])
        odd = rng.choice(sorted(files))
        files[odd] = changed(rng, odd, files[odd])
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        path = folder / odd
        if rng.random() < 0.1:
            path.unlink()
            if rng.random() < 0.7:
                path.symlink_to(rng.choice(("/dev/zero", path.name, "../../x")))
        if "idx" in odd and rng.random() < 0.2 and path.is_file():
            path.rename(path.with_name(f"{path.name}.gz"))
            if rng.random() < 0.5:
                content = path.with_name(f"{path.name}.gz").read_bytes()
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, 1))
        words = rng.choice(([], [], ["--scale", "minmax"], ["--size", "3x3"], ["--label", "f1"]))
        return ["x" if odd.startswith("x/") else odd, *words]

    def compare(folder: Path, outcome: Outcome) -> str | None:
        """What is taken has images and classes."""
        first, second = outcome.out.splitlines()[:2]
        return None if "classes" in first and "fingerprint" in second else outcome.out

    def run(arguments: list[str]) -> int:
        return start.finish(lambda: main(arguments))

    return Subject("spinflow.model.data PATH", run, prepare, quick, full, compare)
