"""Takes a network from elsewhere: ``spinflow import SOURCE --name NAME --data DATASET``.

SOURCE is a QONNX file, Python code that gives a Brevitas network, or one of BNN-PYNQ's parameter
folders. What is read is held against the
source's own execution on test images, its accuracy is measured, and it is written to
``build/NAME``, from where everything else takes it by its name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spinflow.hls.foreign.data import Tests, read_tests
from spinflow.hls.paths import BUILD, REPO, BuildError
from spinflow.hls.trained import NAME
from spinflow.host.core import start
from spinflow.host.core.description import LIBRARIES, TEST_SET
from spinflow.host.core.description import NAME as DESCRIPTION
from spinflow.host.core.files import put_in_place, replace_bytes, replace_text, work_beside
from spinflow.host.core.networks import RESERVED
from spinflow.host.core.options import whole
from spinflow.host.core.own_tests import MOST_IMAGES, pack
from spinflow.host.core.reading import read_json
from spinflow.host.core.test_sets import DATASETS
from spinflow.host.core.text import shown
from spinflow.model.data.options import add_options

COMPARED = 50
"""Images that the source computes, too; QONNX takes a tenth of a second for each."""

BATCH = 200
"""Images that are computed at once; their windows of a large convolution take a gigabyte."""

CHOOSING = 1000
"""Images by whose accuracy a form of pixels is chosen."""


@dataclass(frozen=True)
class Import:
    """A network that was taken.

    Attributes:
        chain: what was read.
        numbers: what it takes for a pixel, in the form of ``--input``; None if the source says it.
        correct: how many test images it gets right.
        images: how many test images there are.
        compared: how many the source computed, too.
        ties: in how many of these a sum lay on a threshold.
    """

    chain: Any
    numbers: str | None
    correct: int
    images: int
    compared: int
    ties: int


def read_network(options: argparse.Namespace, tests: Tests) -> Import:
    """Read the source, hold it against itself, and measure it.

    Raises:
        BuildError: it cannot be taken, or differs from its source.
    """
    from spinflow.hls.foreign import bnn_pynq, module

    source = Path(options.source)
    if source.is_dir():
        chain = bnn_pynq.read(source)
        return Import(chain, None, _correct(chain, tests, source), len(tests.labels), 0, 0)
    if not module.is_module(options.source):
        return _of_qonnx(options, source, tests)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "source.onnx"
        module.export(options.source, options.checkpoint, tests.shape, path)
        return _of_qonnx(options, path, tests)


def _of_qonnx(options: argparse.Namespace, source: Path, tests: Tests) -> Import:
    from spinflow.hls.foreign import compare, scores

    text, reading, numbers = _chosen(options, source, tests)
    chain, line = scores.settled(reading.chain, lambda: _sums(reading.chain, tests.images))
    if line:
        print(line)
    correct = _correct(chain, tests, source)
    count = min(options.compare, len(tests.images))
    result = compare.with_qonnx(
        reading.model, chain, tests.images[:count], numbers.table, reading.places
    )
    if result.faults:
        raise BuildError(
            f"{source} was read wrongly: {result.faults[0]} ({len(result.faults)} of {count} "
            "images); this is a fault of the import"
        )
    for note in reading.notes:
        print(f"warning: {note}", file=sys.stderr)
    ties = len(result.differences)
    return Import(chain, text, correct, len(tests.labels), count, ties)


def _chosen(options: argparse.Namespace, source: Path, tests: Tests) -> Any:
    """Return what pixels are to the network, its reading, and their numbers.

    Where neither ``--input`` nor the data say it, it is the one with the best accuracy, among those
    that can be read.
    """
    from spinflow.hls.foreign import qonnx_reader
    from spinflow.hls.foreign.numbers import CANDIDATES, numbers_of

    given = options.input or tests.numbers
    if given:
        numbers = numbers_of(given)
        return given, qonnx_reader.read(source, numbers.table), numbers
    found, errors = [], []
    some = replace(tests, images=tests.images[:CHOOSING], labels=tests.labels[:CHOOSING])
    for text in CANDIDATES:
        numbers = numbers_of(text)
        try:
            reading = qonnx_reader.read(source, numbers.table)
        except BuildError as error:
            errors.append(error)
            continue
        found.append((_correct(reading.chain, some, source), text, reading, numbers))
    if not found:
        raise errors[0]
    _, text, reading, numbers = max(found, key=lambda each: each[0])
    count = len(some.labels)
    tried = ", ".join(f"{name} {right / count:.2%}" for right, name, *_ in found)
    print(f"--input is not given; by accuracy on {count} images it is {text} (tried: {tried})")
    return text, reading, numbers


def _correct(chain: Any, tests: Tests, source: Path) -> int:
    images, labels, pixels = tests.images, tests.labels, 1
    for size in chain.shape:
        pixels *= size
    if pixels != images.shape[1]:
        raise BuildError(
            f"{source} takes images of {' x '.join(map(str, chain.shape))}, {pixels} numbers; "
            f"those of {tests.title} have {images.shape[1]}"
        )
    sides = chain.shape[1:], tests.shape[1:]
    if sides[0] != sides[1] and all(len(side) == 2 and min(side) > 1 for side in sides):
        raise BuildError(
            f"{source} takes {' x '.join(map(str, chain.shape))}; an image of {tests.title} is "
            f"{' x '.join(map(str, tests.shape))}"
        )
    if labels.max() >= chain.classes:
        from_one = labels.min() == 1 and labels.max() == chain.classes
        remedy = (
            "labels that begin with 1 need 1 less"
            if from_one
            else ("a test set of the network's own classes works (--data)")
        )
        raise BuildError(
            f"{source} has {chain.classes} classes, from 0, and {tests.title} has the label "
            f"{labels.max()}: {remedy}"
        )
    return int((chain.labels(_sums(chain, images)) == labels).sum())


def _sums(chain: Any, images: Any) -> Any:
    """Return the last layer's sums of all images, shape (images, classes)."""
    import numpy as np

    return np.concatenate(
        [chain.run(images[begin : begin + BATCH]) for begin in range(0, len(images), BATCH)]
    )


def write(made: Import, name: str, tests: Tests, cycles: int | None, folder: Path) -> None:
    """Write what was taken to a folder, all in one step: model.onnx, model.json, test.npz.

    A bundle that is there of another network of the name goes, so that nobody takes it for this
    one's.
    """
    from spinflow.hls.foreign.writer import to_qonnx

    content = to_qonnx(made.chain).SerializeToString()
    shape = list(made.chain.shape)
    facts = {
        "network": name,
        "dataset": tests.dataset,
        "shape": [*shape[1:], shape[0]] if made.chain.layers[0].is_convolution else [_size(shape)],
        "accuracy": made.correct / made.images,
        "correct": made.correct,
        "images": made.images,
        "weights_sha256": None,
        "cycles": cycles,
        "onnx_sha256": hashlib.sha256(content).hexdigest(),
    }
    packed = pack(tests.own) if tests.own is not None else None
    if packed is not None:
        digest = hashlib.sha256(packed).hexdigest()
        facts["test_set"] = {"file": TEST_SET, "sha256": digest, "title": tests.title}
    with work_beside(folder) as work:
        new = work.path / "made"
        new.mkdir()
        replace_bytes(new / "model.onnx", content)
        replace_text(new / "model.json", json.dumps(facts, indent=2) + "\n")
        if packed is not None:
            replace_bytes(new / TEST_SET, packed)
        bundle = (DESCRIPTION, TEST_SET, *LIBRARIES.values())
        put_in_place(new, folder, () if _is_same(folder, facts) else bundle)


def _is_same(folder: Path, facts: dict[str, Any]) -> bool:
    """Return whether a folder holds the same network, with the same test images."""
    try:
        there = read_json(folder / "model.json", 1 << 20, BuildError)
    except BuildError:
        return False
    kept = ("onnx_sha256", "dataset", "accuracy", "test_set")
    return all(there.get(name) == facts.get(name) for name in kept)


def _size(shape: list[int]) -> int:
    size = 1
    for each in shape:
        size *= each
    return size


def _check_name(name: str) -> None:
    """Raise BuildError if a name is that of another network, or of a folder that is none's."""
    if name in RESERVED:
        raise BuildError(f"--name {name}: build/{name} is no network's folder; give another name")
    if (REPO / "model" / "zoo" / f"{name.partition('+')[0]}.toml").is_file():
        raise BuildError(f"--name {name}: the zoo has a network of this name; give another one")
    facts = BUILD / name / "model.json"
    if not facts.is_file():
        return
    other = read_json(facts, 1 << 20, BuildError).get("described_in")
    if isinstance(other, str) and Path(other).is_file():
        raise BuildError(
            f"--name {name}: build/{name} is of {shown(other)}; give another name, or remove it"
        )


def _check_source(options: argparse.Namespace) -> None:
    """Raise BuildError if a source is none, or an option is given that it has no use for."""
    from spinflow.hls.foreign import bnn_pynq, module

    source, code = options.source, module.is_module(options.source)
    if not code and not Path(source).exists():
        raise BuildError(
            f"{source} does not exist: a .onnx file, a folder of BNN-PYNQ's or Python code "
            "as file.py:Class or package.module:function is expected"
        )
    folder = not code and Path(source).is_dir()
    if folder and not bnn_pynq.is_folder(Path(source)):
        raise BuildError(
            f"{source} is a folder without 0-0-weights.bin: a .onnx file or one of BNN-PYNQ's "
            "folders is expected"
        )
    if not code and source.endswith(".py"):
        raise BuildError(f"{source}: say which class or function of it, as {source}:Net")
    if not code and options.checkpoint is not None:
        raise BuildError(f"--checkpoint is for Python code; {source} has its own weights")
    if folder and options.input is not None:
        raise BuildError(f"--input is not for {source}: a folder of BNN-PYNQ's says it itself")


def run(options: argparse.Namespace) -> None:
    """Take a network, and say what it is."""
    if not NAME.fullmatch(options.name):
        raise BuildError(f"--name {shown(options.name)}: letters, digits and .+-_ are expected")
    _check_name(options.name)
    _check_source(options)
    tests = read_tests(options)
    made = read_network(options, tests)
    folder = BUILD / options.name
    write(made, options.name, tests, options.cycles, folder)
    layers = ", ".join(
        f"{layer.name} {'x'.join(map(str, layer.weights.shape))}"
        for layer in made.chain.layers
        if hasattr(layer, "weights")
    )
    print(f"{options.name}: {layers}")
    print(f"accuracy {made.correct / made.images:.4f} on {made.images} images of {tests.title}")
    if tests.own is not None and tests.own.note:
        print(f"{tests.title}: {tests.own.note}")
    if made.compared:
        ties = f", {made.ties} of them but for ties" if made.ties else ""
        print(f"{made.compared} images: every layer as QONNX computes it{ties}")
    print(f"written to {folder}; next: spinflow build {options.name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow import",
        description="Take a binary network that was made elsewhere.",
        epilog="example: spinflow import TFC_1W1A.onnx --name tfc-1w1a --data mnist --input x/255",
    )
    parser.add_argument(
        "source",
        help="a QONNX file (.onnx), a parameter folder of BNN-PYNQ's, or Python code that gives a "
        "Brevitas network: file.py:Class or package.module:function",
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="weights for Python code: .safetensors, or tensors only"
    )
    parser.add_argument("--name", required=True, help="by which everything else will know it")
    parser.add_argument(
        "--data",
        required=True,
        metavar="NAME-OR-PATH",
        help=f"its test images: {', '.join(DATASETS)}, or data of one's own: an .npz, pictures by "
        "class, IDX, CSV, parquet ... (docs/data.md)",
    )
    parser.add_argument("--data-dir", type=Path, help="folder of the data set's files")
    parser.add_argument(
        "--input",
        metavar="FORM",
        help="how a pixel x becomes a number of the network's: x, x/255, 2x/255-1, x-128, 2x-1, "
        "normalize:MEAN:DEVIATION, or a file of 256 numbers (default: the best of the first three)",
    )
    parser.add_argument(
        "--cycles",
        type=whole(1, 10**9),
        help="most cycles a frame may take in any layer (default: the fastest that leaves room on "
        "the part)",
    )
    parser.add_argument(
        "--compare",
        type=whole(1, MOST_IMAGES),
        default=COMPARED,
        metavar="IMAGES",
        help="images that the source computes, too (default %(default)s)",
    )
    add_options(parser)
    options = parser.parse_args(arguments)
    return start.finish(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main())
