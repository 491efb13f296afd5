"""Mutated inputs of ``spinflow`` that are no bundle: results files, grids, images, options.

Each is refused in one line or gives what the input as it was gives (``tests.fuzz``).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# What is imported late would be imported anew in every case.
import matplotlib.backends.backend_svg
import numpy as np
import pytest

import spinflow.host.__main__ as program
from spinflow.host.__main__ import main
from spinflow.host.core import test_sets
from spinflow.host.core.bundle import load
from spinflow.host.sweep import results
from tests.fuzz import mutate
from tests.fuzz.campaign import Subject, faults
from tests.fuzz.judge import Outcome
from tests.host.conftest import BUNDLE
from tests.host.rows import row

import matplotlib.figure  # noqa: F401  isort: skip

ROWS = [
    row(
        memory=memory,
        background=background,
        rate=rate,
        rate0=rate,
        repeat=repeat,
        accuracy=0.9 - rate - 0.004 * repeat,
        pulse_s=1e-8 * (3 - number),
        energy_j=59008e-12 * (5 - number),
    )
    for memory, background in (("weights", "zeros"), ("buffers", "none"))
    for number, rate in enumerate((0.0, 1e-2))
    for repeat in range(2)
]
RESULTS = "".join([",".join(results.COLUMNS) + "\n", *(each.line() for each in ROWS)])


def odd_file(rng: random.Random, path: Path) -> None:
    """Put something else than a file of the right kind in its place."""
    what = rng.randrange(6)
    if what == 0:
        path.mkdir()
    elif what == 1:
        os.mkfifo(path)
    elif what == 2:
        path.symlink_to("/dev/zero")
    elif what == 3:
        path.symlink_to(path.name)  # to itself
    elif what == 4:
        path.write_bytes(rng.choice((b"", b"\0", b"\xff\xfe", b"\n" * 9, rng.randbytes(3000))))
    # else: there is none


def table(rng: random.Random) -> bytes:
    """Return a results file with a cell, a row, a column or some bytes changed."""
    lines = [line.split(",") for line in RESULTS.splitlines()]
    what = rng.randrange(8)
    if what == 0:
        return mutate.data(rng, RESULTS.encode())
    if what == 1:
        return mutate.text(rng, RESULTS).encode("utf-8", errors="surrogatepass")
    if what == 2:  # a column twice, missing or in another place
        at, other = (rng.randrange(len(lines[0])) for _ in range(2))
        for line in lines[: rng.choice((1, None))]:
            moved = line.pop(at)
            if rng.random() < 0.7:
                line[other:other] = [moved] * rng.choice((1, 2))
    elif what == 3:
        lines[rng.randrange(len(lines))] = lines[rng.randrange(len(lines))]
    elif what == 4:  # the same in a whole column
        at, value = rng.randrange(len(lines[0])), mutate.NASTY[rng.randrange(len(mutate.NASTY))]
        for line in lines[1:]:
            line[at] = str(value)
    else:
        for _ in range(rng.choice((1, 1, 2, 3))):
            line, at = lines[rng.randrange(1, len(lines))], rng.randrange(len(lines[0]))
            line[at] = str(mutate.value(rng, rng.choice((line[at], 1, 0.5))))
    text = "".join(",".join(line) + "\n" for line in lines)
    return text.encode("utf-8", errors="surrogatepass")


def prepare_report(rng: random.Random, folder: Path) -> Sequence[str]:
    path = folder / "results.csv"
    if rng.random() < 0.1:
        odd_file(rng, path)
    else:
        path.write_bytes(table(rng))
    keep = rng.choice(([], ["--keep", "0.8"], ["--keep-loss", "5"]))
    return ["report", "results.csv", "--out", "out", *keep]


def compare_report(folder: Path, outcome: Outcome) -> str | None:
    """Hold what was made of rows that were taken against the rows, every figure of it."""
    rows = results.read(folder / "results.csv")
    made = json.loads((folder / "out" / "summary.json").read_text(), parse_constant=float)
    if sum(point["repeats"] for point in made["points"]) != len(rows):
        return "the summary is of other rows"
    for point in made["points"]:
        numbers = [value for value in point.values() if isinstance(value, float)]
        if not all(map(math.isfinite, numbers)):
            return f"the summary holds a number that is none: {point}"
        if not 0 <= point["low"] <= point["accuracy"] <= point["high"] <= 1:
            return f"an accuracy outside of its interval: {point}"
        if not 0 <= point["errors"] <= point["bits_written"]:
            return f"more errors than bits: {point}"
    return None


# --- grids and options ---------------------------------------------------------------------

GRID = (
    'network = "tfc-mnist"',
    "images = 20",
    "image_seed = 3",
    "repeats = 2",
    "seed = 11",
    "until_width = 0.01\nmax_repeats = 9",
    'memory = ["weights", "fc1.buffer"]',
    'layer = [1, "fc2"]',
    'mode = ["flip", "switch"]',
    "rates = [0, 0.01]\nrate0 = [0, 0.02]",
    'target_rate = 0.02\npulse = 1e-8\nmodel = "sun-gamma"\ndrive = "0.6V"',
    'write_condition = ["exponential:current=150uA,pulse=30ns"]',
    'device = "isscc-2018"',
    'background = ["zeros", "random:3", "previous"]',
    "retention_s = [0, 1e6]\ndelta = 40",
    "reads = [0, 1000]\nread_voltage = 0.1\nread_pulse = 5e-9",
)
"""Lines of a grid that belong together."""


def planning(arguments: list[str]) -> int:
    """Be ``spinflow sweep`` up to where it measures: print the trials instead."""

    def plan(*given: Any) -> None:
        grid = given[0]
        trials = grid.trials(load(grid.folders()[0]))
        points = [trial.point for trial in trials[:1000]]
        if not all(0 <= rate <= 1 for point in points for rate in (point.rate1, point.rate0)):
            print("a rate that is none")
        if not all(
            math.isfinite(value)
            for point in points
            for value in (point.drive, point.pulse_s, *vars(point.costs).values())
        ):
            print("a drive, a pulse or an energy that is none")
        if not (0 <= grid.seed < 2**32 and 1 <= grid.images <= 10000 and grid.repeats >= 1):
            print("a number that is none")

    program.run_sweeps = plan  # type: ignore[assignment]
    return main(arguments)


def harmless_plan(folder: Path, outcome: Outcome) -> str | None:
    """Say whether a plan that was taken holds what is none."""
    return outcome.out or None


def prepare_grid(rng: random.Random, folder: Path) -> Sequence[str]:
    blocks = [block for block in GRID if rng.random() < 0.4]
    chosen = ['bundle = "BUNDLE"', *"\n".join(blocks).splitlines()]
    path, what = folder / "grid.toml", rng.random()
    if what < 0.55:
        at = rng.randrange(len(chosen))
        key = chosen[at].split(" = ")[0]
        chosen[at] = f"{key} = {toml(rng, mutate.value(rng, rng.choice((0.5, 1, 'a', [1]))))}"
    text = "\n".join(chosen) + "\n"
    if 0.55 < what < 0.75:
        text = mutate.text(rng, text)
    elif 0.75 < what < 0.8:
        key = rng.choice(("rates", "write_condition", "memory", "reads", "background"))
        text = f'bundle = "BUNDLE"\n{key} = [{"0.1, " * 100000}]\n'
    elif 0.8 < what < 0.82:
        text = f"rates = {'[' * 100000}"
    raw = text.replace("BUNDLE", str(BUNDLE)).encode("utf-8", errors="surrogatepass")
    path.write_bytes(mutate.data(rng, raw) if 0.82 < what < 0.9 else raw)
    if what > 0.97:
        path.unlink()
        odd_file(rng, path)
    return ["sweep", "--grid", "grid.toml", "--out", "out"]


def toml(rng: random.Random, value: Any) -> str:
    """Return a value as TOML spells it, or nearly."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml(rng, each) for each in value)}]"
    if isinstance(value, dict):
        return "{ a = 1 }"
    if isinstance(value, str):
        return json.dumps(value).replace("\\u001b", "\\u001B")
    return str(value)


def word(rng: random.Random, value: Any) -> str:
    """Return a value as a word of a command line, which holds no null and no lone surrogate."""
    text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
    return text.replace("\0", "0").encode("utf-8", "replace").decode()


def command(rng: random.Random, options: dict[str, list[str]], chosen: float = 0.3) -> list[str]:
    """Return options of which one or two have values that may be none, or are there without."""
    names = [name for name in options if rng.random() < chosen]
    names += rng.sample(sorted(options), rng.choice((1, 1, 2)))
    words: list[str] = []
    for number, name in enumerate(names):
        values = list(options[name])
        if values and number >= len(names) - 2 and rng.random() < 0.9:
            odd = mutate.value(rng, rng.choice((values[0], 1, 0.5, "a")))
            values[rng.randrange(len(values))] = word(rng, odd)
            if rng.random() < 0.1:
                values = rng.choice(([], values * 2))
        words += [name, *values]
    return words


SWEEP_OPTIONS = {
    f"--{name.replace('_', '-')}": value.split()
    for name, value in {
        "network": "tfc-mnist",
        "bundle": str(BUNDLE),
        "images": "20",
        "image_seed": "3",
        "repeats": "2",
        "seed": "11",
        "until_width": "0.01",
        "max_repeats": "9",
        "memory": "weights fc1.buffer",
        "layer": "1 fc2",
        "mode": "flip switch",
        "rates": "0 0.01",
        "rate0": "0 0.02",
        "target_rate": "0.02",
        "pulse": "1e-8",
        "model": "sun-gamma",
        "drive": "0.5V",
        "write_condition": "exponential:current=150uA,pulse=30ns",
        "device": "isscc-2018",
        "background": "zeros random:3",
        "retention_s": "0 1e6",
        "reads": "0 1000",
        "delta": "40",
        "read_voltage": "0.1",
        "read_pulse": "5e-9",
        "data_dir": "data",
        "grid": "grid.toml",
        "set_aside": "",
        "out": "out",
    }.items()
}


def prepare_sweep(rng: random.Random, folder: Path) -> Sequence[str]:
    words = command(rng, SWEEP_OPTIONS, 0.15)
    return ["sweep", "--out", "out", "--bundle", str(BUNDLE), *words]


RUN_OPTIONS = {
    "--images": ["1"],
    "--image-seed": ["3"],
    "--seed": ["11"],
    "--memory": ["weights"],
    "--mode": ["flip"],
    "--rate": ["0.01"],
    "--rate0": ["0.02"],
    "--write-condition": ["sun-gamma:voltage=0.6V,pulse=10ns"],
    "--device": ["isscc-2018"],
    "--retention-s": ["1e6"],
    "--reads": ["1000"],
    "--background": ["zeros"],
    "--repeat": ["1"],
    "--data-dir": ["data"],
    "--bundle": [str(BUNDLE)],
}


def prepare_run(rng: random.Random, folder: Path) -> Sequence[str]:
    return ["run", "--bundle", str(BUNDLE), "--images", "1", *command(rng, RUN_OPTIONS, 0.1)]


def prepare_commands(rng: random.Random, folder: Path) -> Sequence[str]:
    """Return the words of a command that reads no bundle, or none that there is."""
    words = rng.choice(
        (
            ["report", "results.csv", "--keep", "0.98"],
            ["report", "results.csv", "--keep-loss", "1"],
            ["selftest", "b", "--seed", "1", "--json", "x.json"],
            ["info", "--bundle", "b"],
            [],
        )
    )
    (folder / "results.csv").write_text(RESULTS)
    for _ in range(rng.choice((1, 2))):
        at = rng.randrange(len(words) + 1)
        words = [
            *words[:at],
            word(rng, mutate.value(rng, rng.choice((1, 0.5, "a")))),
            *words[at + 1 :],
        ]
    return words if "--out" in words or words[:1] != ["report"] else [*words, "--out", "out"]


# --- images ----------------------------------------------------------------------------------


def idx(array: Any) -> bytes:
    """Return an array of bytes as an IDX file."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def small_set(name: str) -> dict[str, bytes]:
    """Return the test files of a small data set, which is published in this process alone."""
    values = np.random.default_rng(1)
    labels = (np.arange(20) % 10).astype(np.uint8)
    if name == "cifar10":
        planes = values.integers(0, 256, (20, 3072)).astype(np.uint8)
        return {"test_batch.bin": np.hstack([labels[:, None], planes]).tobytes()}
    pixels = values.integers(0, 256, (20, 28, 28)).astype(np.uint8)
    return {"t10k-images-idx3-ubyte": idx(pixels), "t10k-labels-idx1-ubyte": idx(labels)}


def prepare_images(rng: random.Random, folder: Path) -> Sequence[str]:
    name = rng.choice(("mnist", "mnist", "fashion-mnist", "cifar10"))
    own = folder / "own" / rng.choice(("", name))
    own.mkdir(parents=True)
    files = small_set(name)
    odd = rng.choice(sorted(files))
    for file, content in files.items():
        path, data = own / file, content
        if file == odd and rng.random() < 0.8:
            head = bytearray(content)
            at = rng.randrange(16)
            head[at] = rng.choice((0, 1, 255, head[at] ^ 1))
            data = rng.choice(
                (mutate.data(rng, content), bytes(head), content * 3, bytes(40 << 20))
            )
        if name != "cifar10" and rng.random() < 0.5:
            path, data = own / f"{file}.gz", gzip.compress(data, 1)
            if file == odd and rng.random() < 0.5:
                data = rng.choice((mutate.data(rng, data), data + data, data + b"x"))
        path.write_bytes(data)
        if file == odd and rng.random() < 0.2:
            path.unlink()
            odd_file(rng, path)
    return [
        name,
        str(rng.choice((1, 20, 20, 0, -1, 21, 2**64))),
        rng.choice(("none", "0", "-1", "7")),
    ]


def show_images(arguments: list[str]) -> int:
    """Read test images as the programs do, and say how they look."""

    def show() -> None:
        name, count, seed = arguments
        files = small_set(name)
        test_sets.TEST_FILES[name] = replace(
            test_sets.TEST_FILES[name],
            sums={file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
            sizes={file: len(content) for file, content in files.items()},
        )
        found = test_sets.images_of(
            name, int(count), Path("own"), None if seed == "none" else int(seed)
        )
        pixels = 3072 if name == "cifar10" else 784
        if found.images.shape != (int(count), pixels) or len(found.labels) != int(count):
            print(f"{found.images.shape} images")
        if int(count) == 20 and found.labels.tolist() != [*range(10)] * 2:
            print("labels that are not those of the set")

    return program.finish(show)


SUBJECTS = [
    Subject("host report", main, prepare_report, 25, 300, compare_report),
    Subject("host sweep --grid", planning, prepare_grid, 25, 300, harmless_plan),
    Subject("host sweep", planning, prepare_sweep, 20, 250, harmless_plan),
    Subject("host run", main, prepare_run, 6, 80),
    Subject("host", main, prepare_commands, 6, 80),
    Subject("spinflow.host.core.test_sets", show_images, prepare_images, 10, 150, harmless_plan),
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_mutated_inputs(
    subject: Subject, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    found = faults(subject, tmp_path)
    record_property(f"mutated inputs of {subject.name} with a fault", len(found))
    assert not found, "\n".join(found)
