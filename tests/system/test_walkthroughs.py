"""The worked examples of docs/own-networks.md, from their files to the table of a sweep on the RTL.

The commands are those of the page, line by line, run in a copy of the sources. How long each took
is printed and recorded, and never judged.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from spinflow.model.data import mnist
from tests.hls.foreign import model_file
from tests.system.conftest import FULL, copy_sources

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "own-networks.md"
SIDE = 20


def examples() -> dict[str, list[str]]:
    """The commands of each worked example, by the example's heading."""
    page = PAGE.read_text(encoding="utf-8").split("## Worked examples\n")[1].split("\n## ")[0]
    parts = re.split(r"^### (.*)$", page, flags=re.M)[1:]
    return {
        heading: re.findall(r"^    (.*)$", text, re.M)
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources without trained networks, with the registers that are made of them."""
    copy_sources(tmp_path)
    return tmp_path


# --- the files that the examples begin with -------------------------------------------------------


def digits(folder: Path) -> None:
    """TFC_1W1A.onnx, and 500 test images of MNIST in an npz."""
    shutil.copy(model_file("qonnx-zoo/TFC_1W1A.onnx"), folder)
    tests = mnist()
    images = tests.test_images[:500].reshape(-1, 28, 28)
    np.savez(folder / "digits.npz", images=images, labels=tests.test_labels[:500])


def pictures(folder: Path) -> None:
    """Pictures of 100 classes: ten forms in ten colours, at places and sizes that vary."""
    rng = np.random.default_rng(3)
    for number in range(100):
        for part, count in (("train", 40), ("test", 4)):
            place = folder / "pictures" / part / f"class-{number:02}"
            place.mkdir(parents=True)
            for each in range(count):
                picture(number, rng).save(place / f"{each}.png")


def picture(number: int, rng: np.random.Generator) -> Image.Image:
    form, colour = divmod(number, 10)
    noise = rng.integers(0, 60, (SIDE, SIDE, 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    pen = ImageDraw.Draw(image)
    left, top = (int(x) for x in rng.integers(0, 5, 2))
    size = int(rng.integers(12, 15))
    box = (left, top, left + size, top + size)
    middle = left + size // 2, top + size // 2
    hue = Image.new("HSV", (1, 1), (colour * 25, 230, 240)).convert("RGB").getpixel((0, 0))
    assert isinstance(hue, tuple)
    cross = [(left, top, *box[2:]), (left, top + size, left + size, top)]
    plus = [(middle[0], top, middle[0], box[3]), (left, middle[1], box[2], middle[1])]
    lines = {6: cross, 7: plus, 8: cross[:1], 9: plus[:1]}
    if form in lines:
        for line in lines[form]:
            pen.line(line, fill=hue, width=3)
    elif form < 2:
        (pen.ellipse if form else pen.rectangle)(box, fill=hue)
    elif form < 4:
        draw = pen.ellipse if form == 3 else pen.rectangle
        draw(box, outline=hue, width=2)
    else:
        corners = [(left, top), (box[2], top), middle if form == 4 else (left, box[3])]
        pen.polygon(corners, fill=hue)
    return image


def features(folder: Path) -> None:
    """A table of two clouds of points in 593 dimensions."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 2000)
    direction = rng.normal(size=593)
    points = rng.normal(size=(2000, 593)) + 0.12 * (2 * labels[:, None] - 1) * direction
    with open(folder / "docs" / "examples" / "features.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i}" for i in range(593)), "label"])
        writer.writerows(
            [*(f"{x:.4f}" for x in row), n] for row, n in zip(points, labels, strict=True)
        )


EXAMPLES: dict[str, tuple[Callable[[Path], None], float]] = {
    "A QONNX file": (digits, 0.8),
    "A Brevitas module": (lambda folder: None, 0.7),
    "A folder of pictures": (pictures, 0.6),
    "A table": (features, 0.7),
}
"""By the first words of the heading: what makes the files, and the least accuracy without errors.
The accuracy is that of short trainings; a network that was read wrongly has far less."""


def walked(name: str, copy: Path, record: Callable[[str, object], None]) -> None:
    """Run the commands of an example; the last one's table must be there and sensible."""
    make, least = EXAMPLES[name]
    (commands,) = (found for heading, found in examples().items() if heading.startswith(name))
    make(copy)
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    for command in commands:
        program, *words = shlex.split(command)
        assert program in ("spinflow", "python")
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *(["-m", "spinflow"] if program == "spinflow" else []), *words],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = round(time.perf_counter() - start)
        print(f"{seconds:4} s  {command}\n{done.stdout[-1500:]}")
        assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"
        record(f"{name}: {' '.join(words[:2])}", f"{seconds} s")
    with open(copy / words[words.index("--out") + 1] / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    right = [float(row["accuracy"]) for row in rows if float(row["rate"]) == 0]
    worst = min(float(row["accuracy"]) for row in rows)
    assert right and len(set(right)) == 1, "without errors all repeats are one"
    assert right[0] >= least
    assert worst <= right[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "A table"])
def test_an_example(name: str, copy: Path, record_property: Callable[[str, object], None]) -> None:
    if not FULL:
        pytest.skip("minutes: make acceptance runs it")
    walked(name, copy, record_property)


@pytest.mark.slow
def test_the_quick_example(copy: Path, record_property: Callable[[str, object], None]) -> None:
    walked("A table", copy, record_property)


def test_each_example_is_tested() -> None:
    headings = list(examples())
    assert len(headings) == len(EXAMPLES)
    assert all(any(heading.startswith(name) for name in EXAMPLES) for heading in headings)
    assert all(
        commands[-1].startswith("spinflow sweep --on rtl") for commands in examples().values()
    )
