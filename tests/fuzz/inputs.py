"""Mutated inputs of the programs of the build environment: data sets, trained networks, QONNX.

What is read of a data set here is a small one with sums of its own, so that a case takes a tenth of
a second; the programs are the real ones.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import random
import struct
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from spinflow.host.core import start
from tests.fuzz import mutate, options, own_data
from tests.fuzz.campaign import Subject
from tests.fuzz.judge import Outcome

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "model" / "zoo"
NETWORK = "tfc-mnist"

Files = dict[str, bytes]


def odd_file(rng: random.Random, path: Path) -> None:
    """Put something else than a file of the right kind in its place."""
    if path.exists():
        path.unlink()
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


def program(main: Callable[[list[str]], Any]) -> Callable[[list[str]], int]:
    """Return a program's main function as the interpreter runs it."""
    return lambda arguments: start.finish(lambda: main(arguments))


# --- data sets --------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    """Return an array of bytes as an IDX file."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def small_mnist(test: int = 10) -> Files:
    """Return the four files of a small MNIST, its test images real ones."""
    from spinflow.host.core.published import MNIST_SHA256, cache_folder

    found = {}
    for name in MNIST_SHA256:
        raw = (cache_folder() / "mnist" / name).read_bytes()
        shape = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
        values = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
        found[name] = idx(values[:test])
    return found


def small_cifar10() -> Files:
    """Return the files of a small CIFAR-10."""
    from spinflow.host.core.published import CIFAR10_SHA256

    return {
        name: bytes([number]) + bytes(range(256)) * 12 for number, name in enumerate(CIFAR10_SHA256)
    }


def small_cifar100() -> Files:
    """Return the two files of a CIFAR-100 with two and with one image of every class."""
    both = {}
    for name, each in (("train.bin", 2), ("test.bin", 1)):
        record = b"".join(bytes((c % 20, c)) + bytes(3072) for c in range(100))
        both[name] = record * each
    return both


def publish(name: str, files: Files) -> None:
    """Make these files a data set's published ones, in this process."""
    from spinflow.model import data
    from spinflow.model.data.sources import Published

    found = data.DATASETS[name]
    assert isinstance(found, Published)
    data.DATASETS[name] = dataclasses.replace(
        found,
        sums={file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
        sizes={file: len(content) for file, content in files.items()},
    )


def archive(rng: random.Random, files: Files, folder: str) -> bytes:
    """Return a tar archive of files, one of them missing, a link, a device, too long, and so on."""
    out = io.BytesIO()
    odd = rng.choice(sorted(files)) if rng.random() < 0.7 else None
    form: Any = rng.choice(("w", "w:gz", "w:gz", "w:bz2"))
    with tarfile.open(fileobj=out, mode=form) as tar:
        for name, content in files.items():
            member, data = tarfile.TarInfo(f"{folder}/{name}"), content
            if name == odd:
                member.type = rng.choice(
                    (
                        *(tarfile.REGTYPE, tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE),
                        *(tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE),
                    )
                )
                member.linkname = rng.choice(
                    (member.name, "/dev/zero", "../../x", "test_batch.bin")
                )
                data = rng.choice(
                    (b"", content * 2, bytes(8 << 20), bytes(64 << 20), mutate.data(rng, content))
                )
                member.name = rng.choice(
                    (member.name, f"/{name}", f"../../{name}", name, "x" * 300, "é\n", f"{name}/x")
                )
            member.size = len(data) if member.isreg() else 0
            if rng.random() < 0.02:
                member.pax_headers = {"comment": "x" * 100000, "size": "1e9", "path": "../x"}
            tar.addfile(member, io.BytesIO(data))
    raw = out.getvalue()
    return mutate.data(rng, raw) if rng.random() < 0.3 else raw


def dataset_case(rng: random.Random, folder: Path, name: str, files: Files) -> list[str]:
    """Put a mutated data set into a folder; return the options that name it."""
    own = folder / "own" / rng.choice(("", name))
    own.mkdir(parents=True)
    (folder / "cache" / name).mkdir(parents=True)
    packing = {"cifar10": "cifar-10-binary.tar.gz", "cifar100": "cifar-100-binary.tar.gz"}.get(name)
    inner = {"cifar10": "cifar-10-batches-bin", "cifar100": "cifar-100-binary"}.get(name, "")
    what = rng.random()
    if packing is not None and what < 0.6:
        (own / packing).write_bytes(archive(rng, files, inner))
        if rng.random() < 0.1:
            odd_file(rng, own / packing)
    else:
        odd, pack = rng.choice(sorted(files)), rng.choice((0, 0.5, 1)) if name != "cifar100" else 0
        for file, content in files.items():
            data, path = content, own / file
            if file == odd and rng.random() < 0.7:
                data = rng.choice((mutate.data(rng, content), content * 3, bytes(5 << 20)))
            if rng.random() < pack:
                path, data = own / f"{file}.gz", gzip.compress(data, 1)
                if file == odd and rng.random() < 0.7:
                    data = rng.choice((mutate.data(rng, data), data + data, data + b"x"))
            path.write_bytes(data)
            if file == odd and rng.random() < 0.2:
                odd_file(rng, path)
    return ["--data-dir", "own"]


def data_subject(name: str, files: Files, quick: int, full: int) -> Subject:
    """Return the subject of a data set."""
    from spinflow.model.data.__main__ import main

    publish_or_resize(name, files)

    def prepare(rng: random.Random, folder: Path) -> Sequence[str]:
        return [name, *dataset_case(rng, folder, name, files)]

    def compare(folder: Path, outcome: Outcome) -> str | None:
        where = folder / outcome.out.strip()
        for file, content in files.items():
            if name != "cifar100" and (where / file).read_bytes() != content:
                return f"{file} is another than the published one"
        return None

    return Subject(
        f"spinflow.model.data {name}", in_cache(program(main)), prepare, quick, full, compare
    )


def publish_or_resize(name: str, files: Files) -> None:
    """Let a data set have these files."""
    if name != "cifar100":
        publish(name, files)
        return
    from spinflow.model.data import cifar

    cifar.CIFAR100_IMAGES.update({file: len(data) // 3074 for file, data in files.items()})


def in_cache(main: Callable[[list[str]], int]) -> Callable[[list[str]], int]:
    """Return a program that has its cache in the case's folder."""

    def run(arguments: list[str]) -> int:
        os.environ["SPINFLOW_CACHE"] = "cache"
        return main(arguments)

    return run


# --- trained networks -------------------------------------------------------------------------


def tensors(rng: random.Random, old: bytes) -> bytes:
    """Return a safetensors file with its header, its metadata or its numbers changed."""
    (length,) = struct.unpack("<Q", old[:8])
    header, body = json.loads(old[8 : 8 + length]), bytearray(old[8 + length :])
    what = rng.randrange(8)
    names = [name for name in header if name != "__metadata__"]
    if what == 0:
        return mutate.data(rng, old)
    if what == 1:
        header = mutate.document(rng, header)
    elif what == 2:
        facts = mutate.document(rng, json.loads(header["__metadata__"]["spinflow"]))
        header["__metadata__"]["spinflow"] = json.dumps(facts)
    elif what == 3:  # NaN, infinity, a variance below 0
        name = rng.choice([n for n in names if header[n]["dtype"] == "F32"])
        at = header[name]["data_offsets"][0]
        body[at : at + 4] = struct.pack("<f", rng.choice((float("nan"), float("inf"), -1e30)))
    elif what == 4:
        del header[rng.choice(names)]
    elif what == 5:
        header[rng.choice(("x", "../x", "layers.9.weight_bits"))] = header[rng.choice(names)]
    elif what == 6:
        a, b = rng.choice(names), rng.choice(names)
        header[a], header[b] = header[b], header[a]
    else:
        key = rng.choice(("dtype", "shape", "data_offsets"))
        header[rng.choice(names)][key] = rng.choice(
            ("F64", "F8_E4M3", "BOOL", "I64", [], [0], [1 << 40], [-1], [0, 0], [0, 1 << 60], None)
        )
    text = mutate.dump(header) if rng.random() < 0.9 else b"[" * 100000
    return struct.pack("<Q", rng.choice((len(text),) * 9 + (1 << 60,))) + text + bytes(body)


def trained_case(rng: random.Random, folder: Path, correct: int) -> None:
    """Put a mutated network and its recipe into a folder."""
    zoo = folder / "zoo"
    zoo.mkdir()
    weights = (ZOO / f"{NETWORK}.safetensors").read_bytes()
    recipe = json.loads((ZOO / f"{NETWORK}.json").read_text())
    recipe |= {"test_correct": correct, "test_images": 10, "test_accuracy": correct / 10}
    both = rng.random()
    if both < 0.6:
        weights = tensors(rng, weights)
        recipe["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    if both > 0.5:
        recipe = mutate.document(rng, recipe)
    text = mutate.dump(recipe)
    if rng.random() < 0.1:
        text = rng.choice((mutate.data(rng, text), b"[" * 100000, b'{"a":' * 50000))
    (zoo / f"{NETWORK}.safetensors").write_bytes(weights)
    (zoo / f"{NETWORK}.json").write_bytes(text)
    if rng.random() < 0.1:
        odd_file(rng, zoo / f"{NETWORK}.{rng.choice(('json', 'safetensors'))}")


def evaluate_subject(quick: int, full: int) -> Subject:
    """Return the subject of ``spinflow.model.evaluate``."""
    import torch

    from spinflow.model.data import dataset
    from spinflow.model.evaluate import main
    from spinflow.model.networks.base import predict
    from spinflow.model.store import load_trained

    torch.set_num_threads(1)
    files = small_mnist()
    publish("mnist", files)
    cache = Path(os.environ["FUZZ_CACHE"])
    (cache / "mnist").mkdir(parents=True)
    for name, content in files.items():
        (cache / "mnist" / name).write_bytes(content)
    os.environ["SPINFLOW_CACHE"] = str(cache)
    data = dataset("mnist")
    correct = int((predict(load_trained(NETWORK), data.test_images) == data.test_labels).sum())
    expected = f"{NETWORK}: {correct} of 10 test images right ({correct / 10:.2%}), as recorded\n"

    def prepare(rng: random.Random, folder: Path) -> Sequence[str]:
        trained_case(rng, folder, correct)
        return [NETWORK, "--folder", "zoo"]

    def compare(folder: Path, outcome: Outcome) -> str | None:
        return None if outcome.out == expected else f"said {outcome.out!r}"

    return Subject("spinflow.model.evaluate", program(main), prepare, quick, full, compare)


def export_subject(quick: int, full: int) -> Subject:
    """Return the subject of ``spinflow.model.export``."""
    import torch

    from spinflow.model.export import main

    torch.set_num_threads(1)

    def prepare(rng: random.Random, folder: Path) -> Sequence[str]:
        trained_case(rng, folder, 9)
        return [NETWORK, "--folder", "zoo", "--out", "out/model.onnx"]

    def compare(folder: Path, outcome: Outcome) -> str | None:
        facts = json.loads((folder / "out" / "model.json").read_text())
        graph = (folder / "out" / "model.onnx").read_bytes()
        if hashlib.sha256(graph).hexdigest() != facts["onnx_sha256"]:
            return "model.json is of another graph"
        if not (facts["network"] == NETWORK and facts["images"] and 0 <= facts["accuracy"] <= 1):
            return f"model.json holds {facts}"
        return None

    return Subject("spinflow.model.export", program(main), prepare, quick, full, compare)


# --- QONNX ------------------------------------------------------------------------------------


def _reshape(rng: random.Random, sizes: Any) -> None:
    """Give a shape a side of 0, below 0, huge or open, or one side more."""
    size = rng.choice((0, -1, 1 << 40, 1, 2, 15, None))
    if size is None:
        rng.choice(sizes.dim).dim_param = "N"
    elif rng.random() < 0.8:
        rng.choice(sizes.dim).dim_value = size
    else:
        sizes.dim.add().dim_value = size


def graph(rng: random.Random, old: bytes) -> bytes:
    """Return a QONNX file with a node, a tensor, a shape or its versions changed."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(old)
    net = model.graph
    node, tensor = rng.choice(net.node), rng.choice(net.initializer)
    what = rng.randrange(18)
    if what <= 1:
        return mutate.data(rng, old)
    if what == 2:
        _reshape(rng, rng.choice([*net.input, *net.output]).type.tensor_type.shape)
    elif what <= 4:  # numbers that are none
        values = numpy_helper.to_array(tensor).copy()
        values.reshape(-1)[rng.randrange(values.size)] = rng.choice(
            (np.nan, np.inf, -np.inf, 1e30, 0, -1)
        )
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    elif what == 5:
        del tensor.dims[:]
        tensor.dims.extend(rng.choice(([0], [-1], [1 << 40], [1, 1, 1], [3, 5])))
    elif what == 6:
        tensor.data_type = rng.choice((0, 2, 5, 7, 8, 10, 11, 14, 99))
    elif what == 7:  # data out of the folder
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", rng.choice(("../../../etc/passwd", "/dev/zero", "x"))
    elif what == 8:
        net.initializer.remove(tensor)
    elif what == 9:
        net.node.remove(node)
    elif what == 10:  # a circle
        at = rng.randrange(len(node.input))
        node.input[at] = rng.choice((node.output[0], rng.choice(net.node).output[0], "x", ""))
    elif what == 11:
        node.output[0] = rng.choice((rng.choice(net.node).output[0], "", node.input[0]))
    elif what == 12:
        node.op_type = rng.choice(("Elu", "If", "MatMul", "ConstantOfShape", "", "é", "Transpose"))
    elif what == 13:
        node.domain = rng.choice(("", "x", "finn.custom_op.fpgadataflow", "com.microsoft"))
    elif what == 14:
        for entry in list(model.opset_import)[: rng.choice((1, 2))]:
            entry.version = rng.choice((0, -1, 1, 5, 99, 1 << 40))
        model.ir_version = rng.choice((model.ir_version, 0, 99, -1))
    elif what == 15:
        node.attribute.append(
            helper.make_attribute(
                rng.choice(("axis", "pads", "epsilon", "signed", "group", "perm")),
                rng.choice((0, 1 << 62, -1, [1 << 40], [0.5], "x", float("nan"), [1, 2, 3])),
            )
        )
    elif what == 16:
        net.node.append(node)
    else:
        del net.output[:]
    return bytes(model.SerializeToString())


def build_subject(quick: int, full: int) -> Subject:
    """Return the subject of ``spinflow.hls.build``."""
    import spinflow.hls.build
    import spinflow.hls.bundle  # in every case it would take seconds
    from tests.hls.networks import perceptron

    spinflow.hls.build.BUILD = Path("build")
    scratch = Path(os.environ["FUZZ_CACHE"]) / "net"
    perceptron(16, 8, 4).save(scratch)
    onnx, facts = (scratch / "model.onnx").read_bytes(), (scratch / "model.json").read_bytes()

    def prepare(rng: random.Random, folder: Path) -> Sequence[str]:
        source = folder / "build" / "net"
        source.mkdir(parents=True)
        both, words = rng.random(), []
        (source / "model.onnx").write_bytes(graph(rng, onnx) if both < 0.75 else onnx)
        (source / "model.json").write_bytes(facts)
        if both > 0.75:
            text = rng.choice(
                (
                    mutate.dump(mutate.document(rng, json.loads(facts))),
                    mutate.data(rng, facts),
                    b"[" * 100000,
                )
            )
            (source / "model.json").write_bytes(text)
        if both > 0.88:
            choice = {"fc0": {"PE": 2, "SIMD": 4}, "fc1": {"PE": 1, "SIMD": 8}}
            (folder / "folding.json").write_bytes(mutate.dump(mutate.document(rng, choice)))
            words = ["--folding", "folding.json"]
        if rng.random() < 0.05:
            odd_file(rng, source / rng.choice(("model.onnx", "model.json")))
        cycles = rng.choice(("64",) * 8 + ("0", "-1", "x", "1e3", "nan", str(10**30), "1"))
        return ["net", "--cycles", cycles, *words]

    def compare(folder: Path, outcome: Outcome) -> str | None:
        return (
            "the bundle's labels are not the network's" if "other labels" in outcome.out else None
        )

    return Subject("spinflow.hls.build", build_and_execute, prepare, quick, full, compare)


def build_and_execute(arguments: list[str]) -> int:
    """Build a bundle, and compare its golden labels with those of the QONNX as it came."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    import spinflow.hls.build

    status = spinflow.hls.build.main(arguments)
    if status == 0:
        model = ModelWrapper("build/net/model.onnx").transform(InferShapes())
        pixels, result = model.graph.input[0].name, model.graph.output[0].name
        with np.load("build/net/golden.npz") as golden:
            for image, label in zip(golden["images"][::5], golden["labels"][::5], strict=True):
                found = execute_onnx(model, {pixels: image[None].astype(np.float32)})[result]
                if int(found.argmax()) != label:
                    print("other labels")
    return status


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "spinflow.model.data mnist": lambda: data_subject("mnist", small_mnist(), 10, 150),
    "spinflow.model.data cifar10": lambda: data_subject("cifar10", small_cifar10(), 12, 200),
    "spinflow.model.data cifar100": lambda: data_subject("cifar100", small_cifar100(), 8, 100),
    "spinflow.model.data PATH": lambda: own_data.subject(15, 300),
    "spinflow.model.evaluate": lambda: evaluate_subject(20, 250),
    "spinflow.model.export": lambda: export_subject(6, 60),
    "spinflow.hls.build": lambda: build_subject(10, 120),
    "options": lambda: options.options_subject(30, 400),
    "spinflow.sim.sweep": lambda: options.sweep_subject(ROOT / "build" / NETWORK, 8, 80),
}
"""The subjects by name; made in the process that runs them."""


@contextmanager
def subject(name: str, scratch: Path) -> Iterator[Subject]:
    """Make a subject, whose own files lie in a folder beside the cases."""
    os.environ["FUZZ_CACHE"] = str(scratch / "own")
    (scratch / "own").mkdir()
    yield SUBJECTS[name]()
