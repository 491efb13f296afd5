"""Builds a bundle: `spinflow bundle NETWORK` takes `build/NETWORK/model.onnx` through FINN.

The bundle is what docs/contracts.md says, without the simulator's library, which `sim.verilate`
adds.
A build either replaces the whole bundle or leaves the old one as it was, even if it is killed:
everything is made in a folder beside it, and then the two change places in one step.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from contextlib import nullcontext
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.hls.paths import BUILD, REPO, BuildError, sha256_file
from spinflow.host.core import start
from spinflow.host.core.description import FORMAT, read
from spinflow.host.core.errors import BundleError
from spinflow.host.core.files import held, put_in_place, remove_leftovers, replace_text, work_beside
from spinflow.host.core.options import whole
from spinflow.host.core.reading import read_json
from spinflow.host.core.text import shown

NAME = r"[A-Za-z0-9][\w.+-]{0,99}"
"""What the name of a network or of a data set may be."""

REGISTERS = BUILD / "regs"
REGISTER_SOURCES = (REPO / "hw" / "regs" / "spinflow.rdl", REPO / "hw" / "regs" / "generate.py")
TOOLS = ("finn-plus", "qonnx", "peakrdl-regblock")

GOLDEN_IMAGES = 32
CONVOLUTION_IMAGES = 8
GOLDEN_SEED = 20190401


def build(
    source: Path,
    cycles: int | None = None,
    out: Path | None = None,
    given: dict[str, dict[str, int]] | None = None,
) -> dict[str, Any]:
    """Build the bundle of a network.

    Args:
        source: folder of model.onnx and model.json; its name is the network's.
        cycles: most cycles that a frame may take in any layer; the network's default if None.
        out: folder of the bundle; ``source`` if None.
        given: PE and SIMD by layer name that the search is not to choose.

    Returns:
        What was written to accel.json.

    Raises:
        BuildError: a file is missing or damaged, the target cannot be met, the design does not fit
            the part or FINN failed.
    """
    out = (out or source).resolve()
    remove_leftovers(out)
    trained = _read_trained(source)
    if cycles is None:
        cycles = trained["cycles"]
        if cycles is None:
            raise BuildError(f"{source.name} has no default target; give --cycles")
    if cycles < 1:
        raise BuildError(f"cycles per frame must be at least 1, not {cycles}")
    from spinflow.hls import graph  # imports ONNX, which takes a while

    graph.read(source / "model.onnx")
    registers = _read_registers()
    with work_beside(out) as work:
        made, finn = work.path / "made", work.path / "finn"
        made.mkdir()
        finn.mkdir()
        try:
            accel = _make(
                source, trained, cycles, given, registers=registers, work=made, finn_folder=finn
            )
        except BuildError as error:
            if "finn.log" in str(error):
                _keep_log(finn, out)
            raise
        _keep_log(finn, made)
        replace_text(made / "accel.json", json.dumps(accel, indent=2) + "\n")
        try:
            read(made).check_files()  # as every program will
        except BundleError as error:
            raise BuildError(f"what was made is no bundle: {error}") from error
        with (
            held(out) if out.is_dir() else nullcontext()
        ):  # spinflow.sim.verilate may be at work there
            put_in_place(made, out)
    return accel


def _keep_log(finn: Path, folder: Path) -> None:
    if (finn / "finn.log").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        (finn / "finn.log").replace(folder / "finn.log")


def _read_trained(source: Path) -> dict[str, Any]:
    """Return what model.json says of the training, checked, and that it is of model.onnx."""
    path = source / "model.json"
    for name in ("model.onnx", "model.json"):
        if not (source / name).exists():
            known = [entry.stem for entry in (REPO / "model" / "zoo").glob("*.toml")]
            near = get_close_matches(source.name, known, 1, 0.75)
            meant = f" (is {near[0]} meant?)" if near and near[0] != source.name else ""
            raise BuildError(
                f"{source / name} is missing: export the network first, spinflow export{meant}"
            )
    found = read_json(path, 1 << 20, BuildError)
    dataset, accuracy, images = (found.get(key) for key in ("dataset", "accuracy", "images"))
    if not isinstance(dataset, str) or not re.fullmatch(NAME, dataset, re.ASCII):
        raise BuildError(f"{path} is damaged: dataset is {shown(dataset)}, a name is expected")
    # Of random weights both are null.
    measured = isinstance(accuracy, (int, float)) and 0 <= accuracy <= 1
    counted = isinstance(images, int) and images > 0
    if not (counted if measured else accuracy is images is None) or bool in map(
        type, (accuracy, images)
    ):
        raise BuildError(
            f"{path} is damaged: accuracy {shown(accuracy)} on {shown(images)} images; a number "
            "from 0 to 1 and a whole number are expected, or null and null"
        )
    if "onnx_sha256" in found and found["onnx_sha256"] != sha256_file(source / "model.onnx"):
        raise BuildError(f"{path} is of another model.onnx: export the network again")
    cycles = found.get("cycles")
    if cycles is not None and (type(cycles) is not int or cycles < 1):
        raise BuildError(
            f"{path} is damaged: cycles is {shown(cycles)}, a whole number above 0 is expected"
        )
    return {"dataset": dataset, "accuracy": accuracy, "images": images, "cycles": cycles}


def _read_registers() -> dict[str, Any]:
    """Return the register map, made again if its description is newer."""
    path = REGISTERS / "regmap.json"
    newest = max(source.stat().st_mtime for source in REGISTER_SOURCES)
    if not path.is_file() or path.stat().st_mtime < newest:
        made = subprocess.run(
            [sys.executable, REGISTER_SOURCES[1], REGISTERS],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["no message"])[-1]
            raise BuildError(f"the register block cannot be made: {last}")
    registers: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return registers


def _make(
    source: Path,
    trained: dict[str, Any],
    cycles: int,
    given: dict[str, dict[str, int]] | None,
    *,
    registers: dict[str, Any],
    work: Path,
    finn_folder: Path,
) -> dict[str, Any]:
    """Make all files of the bundle but accel.json in ``work``; return what accel.json says."""
    # FINN takes seconds to import; bad input is refused before that.
    from spinflow.hls import depths, flow, golden, handover, plan, top

    network = source.name
    board = handover.read_board()
    finn = flow.run(
        source / "model.onnx",
        finn_folder,
        board["board"],
        cycles,
        resources=board["resources"],
        given=given,
        depths=lambda choice: depths.known(network, choice),
    )
    found = depths.known(network, finn.folding)
    design = plan.plan(
        finn.dataflow,
        finn.folding.cycles_per_frame,
        control_bytes=registers["size"],
        range_bytes=board["address_map"]["accel"]["range"],
        max_memories=registers["memory"]["count"],
    )
    build_id = _build_id(top.top(design, 0, network), design.arrays)
    top.write(design, build_id, network, REGISTERS, work / "rtl")
    finn.hardware.save(str(work / golden.HARDWARE_MODEL))
    np.savez(work / "arrays.npz", **design.arrays)  # type: ignore[arg-type]
    threshold = design.arrays.get("threshold.input")
    if threshold is None:
        images = _natural_images(design.shape)
    else:
        images = _golden_images(design.pixels, int(threshold[0]))
    edges = golden.execute(finn.hardware, {tap.name: tap.edge for tap in design.taps}, images)
    np.savez(
        work / "golden.npz",
        images=images,
        labels=edges["label"][:, 0],
        **{f"edge.{name}": values for name, values in edges.items()},  # type: ignore[arg-type]
    )
    memories = [memory.as_json() for memory in design.memories]
    (work / "accel.hwh").write_text(handover.document(board, registers, memories), encoding="utf-8")
    return {
        "format": FORMAT,
        "network": network,
        "dataset": trained["dataset"],
        "build_id": build_id,
        "map_version": registers["version"],
        "board": board["board"]["name"],
        "part": board["board"]["part"],
        "clock_mhz": board["board"]["clock_mhz"],
        "registers": registers,
        "address_map": board["address_map"],
        "dma": board["dma"],
        "input": {
            "shape": list(design.shape),
            "type": "UINT8",
            "bytes_per_frame": design.pixels,
            "word_bits": 32,
        },
        "output": {"type": "label", "classes": design.layers[-1]["classes"], "word_bits": 32},
        "accuracy": {"software": trained["accuracy"], "images": trained["images"]},
        "cycles_per_frame": design.cycles_per_frame,
        "folding": finn.folding.as_json(),
        "depths": depths.as_json(found, finn.folding),
        "layers": design.layers,
        "memories": memories,
        "taps": [vars(tap) for tap in design.taps],
        "files": {
            name: sha256_file(work / name) for name in ("arrays.npz", "golden.npz", "accel.hwh")
        },
    }


def _build_id(top: str, arrays: dict[str, npt.NDArray[Any]]) -> int:
    """Return 32 bits that change with anything that the hardware or its contents depend on.

    Args:
        top: the generated top module, with build id 0; it holds the folding.
        arrays: weights and thresholds.
    """
    from spinflow.hls.top import spinflow_sources

    digest = hashlib.sha256(top.encode())
    for tool in TOOLS:
        digest.update(f"{tool} {version(tool)}\n".encode())
    for path in [*spinflow_sources(REGISTERS), REGISTERS / "regmap.json"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + b"\0" + array.tobytes())
    return int.from_bytes(digest.digest()[:4], "big")


def _golden_images(pixels: int, threshold: int) -> npt.NDArray[np.uint8]:
    """Return images of random shapes of light, with pixels at and around the threshold among them.

    The first two are all dark and all light. A bundle needs no data set; the tests run real images.
    """
    random = np.random.default_rng(GOLDEN_SEED)
    share = np.linspace(0, 1, GOLDEN_IMAGES)[:, None]
    light = random.random((GOLDEN_IMAGES, pixels)) < share
    # A threshold may be such that no pixel reaches it, or every one does.
    least, most = (min(max(threshold, low), high) for low, high in ((1, 256), (0, 255)))
    dark_values = random.integers(0, least, light.shape)
    light_values = random.integers(most, 256, light.shape) if threshold < 256 else dark_values
    images = np.where(light, light_values, dark_values)
    return images.astype(np.uint8)


def _natural_images(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return images with the large and small shapes of photographs: slopes, patches, edges, noise.

    The first two are all dark and all light. Args: shape is (rows, columns, channels).
    """
    random = np.random.default_rng(GOLDEN_SEED)
    rows, columns, channels = shape
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    images = [np.zeros(shape), np.full(shape, 255.0)]
    while len(images) < CONVOLUTION_IMAGES:
        slope = random.uniform(-150, 150, (2, channels))
        image = random.uniform(0, 255, channels) + y[..., None] * slope[0] + x[..., None] * slope[1]
        for _ in range(int(random.integers(1, 6))):
            angle = random.uniform(0, 2 * np.pi)
            across = (y - random.random()) * np.sin(angle) + (x - random.random()) * np.cos(angle)
            disc = np.hypot(y - random.random(), x - random.random()) < random.uniform(0.05, 0.4)
            inside = disc if random.random() < 0.5 else np.abs(across) < random.uniform(0.02, 0.2)
            image[inside] = random.uniform(0, 255, channels)
        images.append(image + random.normal(0, random.uniform(0, 30), shape))
    stack = np.clip(np.rint(np.stack(images)), 0, 255).astype(np.uint8)
    return stack.reshape(len(images), -1)


def read_folding(path: Path) -> dict[str, dict[str, int]]:
    """Read PE and SIMD by layer name: {"conv0": {"PE": 4, "SIMD": 27}, ...}.

    Raises:
        BuildError: the file is missing or of another form.
    """
    given = read_json(path, 1 << 20, BuildError)
    if not all(
        isinstance(entry, dict) and all(type(v) is int and v >= 1 for v in entry.values())
        for entry in given.values()
    ):
        raise BuildError(f'folding {path} must be of the form {{"conv0": {{"PE": 4, "SIMD": 27}}}}')
    return given


def summary(accel: dict[str, Any]) -> str:
    """Return what a build made, for people: the folding, its estimate, the depths."""
    chosen = accel["folding"]
    lines = [f"{'layer':<8}{'PE':>5}{'SIMD':>6}{'window':>13}{'LUT':>8}{'RAMB36':>8}"]
    for name, layer in chosen["layers"].items():
        window = f"{layer['window_simd'] or ''}{' x all' if layer['parallel'] else ''}"
        estimate = layer["estimate"]
        lines.append(
            f"{name:<8}{layer['pe']:>5}{layer['simd']:>6}{window:>13}"
            f"{estimate['LUT']:>8}{estimate['RAMB36']:>8}"
        )
    total = ", ".join(f"{count} {resource}" for resource, count in chosen["estimate"].items())
    buffers = [memory for memory in accel["memories"] if memory["kind"] == "buffer"]
    words = ", ".join(f"{memory['name']} {memory['depth']}" for memory in buffers)
    weights = sum(m["width"] * m["depth"] for m in accel["memories"] if m["kind"] == "weights")
    how = accel["depths"]["how"]
    return "\n".join(
        [
            *lines,
            f"estimate {total}; words of the buffers ({how}): {words}",
            f"{accel['network']}: build {accel['build_id']:08x}, {accel['cycles_per_frame']} cycles"
            f" per frame, {weights} weight bits, {len(accel['memories'])} memories",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Build what the command line asks for; return the exit status."""
    parser = start.Parser(prog="spinflow bundle", description="Build a bundle.")
    parser.add_argument("network", help="name of a network exported to build/NETWORK")
    parser.add_argument(
        "--cycles", type=whole(1, 10**9), help="most cycles a frame may take in any layer"
    )
    parser.add_argument("--folding", type=Path, help="JSON file of PE and SIMD by layer")
    parser.add_argument("--out", type=Path, help="folder of the bundle (build/NETWORK)")
    options = parser.parse_args(arguments)

    def make() -> None:
        if not re.fullmatch(NAME, options.network, re.ASCII):
            raise BuildError(f"network {shown(options.network)}: a name is expected, not a path")
        given = read_folding(options.folding) if options.folding else None
        print(summary(build(BUILD / options.network, options.cycles, options.out, given)))

    return start.finish(make, (BuildError,))


if __name__ == "__main__":
    sys.exit(main())
