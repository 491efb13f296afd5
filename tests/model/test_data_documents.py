"""The examples of docs/data.md run as they stand there, on sources of the forms that it names."""

from __future__ import annotations

import gzip
import pickle
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from scipy.io import savemat

from spinflow.model import data
from spinflow.model.data.__main__ import main
from tests.model.test_data_own import KINDS, MAPS, idx, picture

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
EXAMPLES = re.findall(r"\| `(spinflow data [^`]+)` \|$", PAGE.read_text(encoding="utf-8"), re.M)
WORDS = re.findall(r"^`([\w.-]+\?[^`]+)`", PAGE.read_text(encoding="utf-8"), re.M)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a source of each form, as the page's examples call them."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "digits.npz", x_test=MAPS, y_test=KINDS)
    for number, kind in enumerate(("cat", "dog")):
        for part in ("train", "test"):
            picture(tmp_path / "animals" / part / kind / "0.png", MAPS[number, : 3 + number])
    (tmp_path / "letters-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(MAPS[..., 0])))
    (tmp_path / "letters-labels-idx1-ubyte").write_bytes(idx(KINDS))
    (tmp_path / "sensors.csv").write_text(
        "state,a,b\non,1.5,2\noff,3.25,7\noff,0,1\non,2,2\non,5,5\n"
    )
    table = pyarrow.table({"image": MAPS.tolist(), "label": [str(kind) for kind in KINDS]})
    pyarrow.parquet.write_table(table, tmp_path / "flowers.parquet")
    (tmp_path / "cifar-100-python").mkdir()
    content: dict[bytes, Any] = {b"data": np.zeros((2, 3072), np.uint8), b"fine_labels": [7, 99]}
    for name in ("train", "test"):
        (tmp_path / "cifar-100-python" / name).write_bytes(pickle.dumps(content, 2))
    (tmp_path / "cifar-100-python" / "meta").write_bytes(pickle.dumps({}, 2))
    (tmp_path / "svhn-files").mkdir()
    for name in ("train_32x32.mat", "test_32x32.mat"):
        values = {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.array([[1], [10], [2], [3]])}
        savemat(tmp_path / "svhn-files" / name, values, do_compression=True)
    return tmp_path


FOUND = {
    "digits.npz": "digits: images of 6 x 5 pixels, 3 channels, 3 classes",
    "animals": "animals: images of 32 x 32 pixels, 3 channels, 2 classes",
    "letters-images-idx3-ubyte.gz": "letters: images of 6 x 5 pixels, 1 channels, 3 classes",
    "sensors.csv": "sensors: vectors of 2 features, 2 classes",
    "flowers.parquet": "flowers: images of 6 x 5 pixels, 3 channels, 3 classes",
    "cifar-100-python": "CIFAR-100 of cifar-100-python: images of 32 x 32 pixels, 3 channels, 100",
    "svhn-files": "SVHN of svhn-files: images of 32 x 32 pixels, 3 channels, 10 classes",
}


def test_the_page_has_an_example_of_each_form() -> None:
    assert [shlex.split(example)[2] for example in EXAMPLES] == list(FOUND)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_page(
    example: str, sources: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(example)[2:]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out.startswith(FOUND[words[0]]) and not said.err


def test_the_word_with_options_of_the_page(sources: Path) -> None:
    (word,) = WORDS
    found = data.dataset(word)
    assert (found.title, found.shape, found.classes) == ("Sensors", (2,), 2)
    assert len(found.test_labels) == 1
