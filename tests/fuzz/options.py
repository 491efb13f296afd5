"""Command lines of the programs of the build environment, of which a word or two are wrong.

Each program has words that it takes and that end at once: the folder or the bundle that they name
is not there, or what takes long is left out. So what is tested is what is said of the words.
"""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spinflow.host.core import start
from tests.fuzz import judge, mutate
from tests.fuzz.campaign import Subject

ROOT = Path(__file__).parents[2]

PROGRAMS: dict[str, tuple[str, ...]] = {
    "spinflow.model.data": (
        "mnist --data-dir gone",
        "imagenet --data-dir gone --classes 10",
        "imagenet --data-dir . --classes n01440764,n01443537",
        "svhn --data-dir gone",
    ),
    "spinflow.model.train": (
        "tfc-mnist --out out --data-dir gone --epochs 2 --seed 1 --batch 64 --lr 0.01 --hold 1",
        "tfc-mnist --out out --data-dir gone --shift 1 --rotate 5 --zoom 0.1 --crop 1 --parts 2",
        "tfc-mnist --out out --data-dir gone --weight-errors 1e-2 --error-mode switch --label a",
        "tfc-mnist --out out --data-dir gone --activation-errors fc0=1e-3:1e-1 --device cpu",
        "tfc-mnist --out out --data-dir gone --loss margin --margin 128 --validation 100",
        "tfc-mnist --out out --data-dir gone --label-smoothing 0.1 --threads 1 --norm-lr 1",
        "alexnet-imagenet --data-dir gone --out out --classes 10 --class-seed 1 --workers 1",
        "alexnet-imagenet --data-dir . --out out --classes 2 --epochs 1 --seed 1 --resume",
    ),
    "spinflow.model.evaluate": (
        "tfc-mnist --folder gone",
        "tfc-mnist+x --folder . --data-dir gone",
    ),
    "spinflow.model.export": (
        "tfc-mnist --folder gone --out out/model.onnx",
        "tfc-mnist --folder . --out out/model.onnx",
    ),
    "papers": (
        "hirtzlin-2 asano-7 --out out --images 10 --repeats 2 --seed 1",
        "page --take gone",
        "tzoufras-1 --train --out out --epochs 0 --device cuda",
    ),
    "spinflow.papers.physics": (
        "table asano-2 --out out",
        "curve hirtzlin-4 --out out",
        "all --out /dev/null/x",
    ),
    "spinflow.hls.build": (
        "gone --cycles 64 --folding gone.json --out out",
        "gone --ecc secded --ecc-word 16 --ecc-memories weights --out out",
    ),
    "spinflow.sim.verilate": ("gone --checked", "."),
    "spinflow.sim.depths": ("gone --table gone.json --check", ". --check"),
    "spinflow.hw.synth": ("gone --out out/x.json",),
    "spinflow.hw.synth.block": ("gone WIDTH=4", "../gone A=1 B=2"),
    "spinflow.hw.synth.page": ("gone.json",),
    "bitstream": ("gone", "--check gone"),
    "deploy": ("user@board gone --dry-run", "user@board gone --data-dir gone --dry-run"),
    "install": ("gone",),
    "prepare": ("gone",),
}
"""Words that each program takes."""

SWEEP = (
    "--on evaluator --rates 0 0.01 --repeats 2 --images 5 --seed 3 --image-seed 4",
    "--on evaluator --memory weights fc1.buffer --mode flip switch --background zeros random:3",
    "--on evaluator --layer 1 fc2 --rates 0.01 --rate0 0.02 --retention-s 1e6 --reads 9 --delta 40",
    "--on evaluator --target-rate 0.02 --until-width 0.01 --max-repeats 9 --repeats 2",
    "--on evaluator-fast --workers 2 --rates 0.1",
    "--on emulator --workers 1 --rates 0.1",
)
"""Words of ``spinflow.sim.sweep``, without its bundle."""


def words_of(rng: random.Random, text: str) -> list[str]:
    """Return the words of a line with one or two of them wrong, missing, added or exchanged."""
    words = text.split()
    for _ in range(rng.choice((1, 1, 2))):
        values = [at for at, word in enumerate(words) if not word.startswith("--")]
        at, what = rng.choice(values or [0]), rng.randrange(12)
        if what == 0:
            del words[at : at + 1]
        elif what == 1:
            words[at:at] = words[at : at + 2]
        elif what == 2:
            words[at:at] = [odd_word(rng, "a")]
        else:
            words[at : at + 1] = [odd_word(rng, rng.choice((1, 0.5, "a", "b/c")))]
    return words


def odd_word(rng: random.Random, like: Any) -> str:
    """Return a word as a shell can give it: without a null, in UTF-8."""
    value = mutate.value(rng, like)
    text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
    return text.replace("\0", "0").encode("utf-8", "replace").decode()


def main_of(name: str) -> judge.Main:
    """Return a program's main function, with all that it needs imported."""
    if name in ("bitstream", "deploy", "install", "prepare"):
        module = importlib.import_module(f"spinflow.hw.boards.{name}")
    elif name in ("spinflow.model.data", "papers", "spinflow.hw.synth"):
        module = importlib.import_module(f"{name}.__main__")
    else:
        module = importlib.import_module(name)
    main: Callable[[list[str]], Any] = module.main
    if name == "papers":
        vars(module)["run"] = lambda *given: None  # measuring a figure takes minutes
    return lambda arguments: start.finish(lambda: main(arguments))


def options_subject(quick: int, full: int) -> Subject:
    """Return the subject of all programs' options but those of sweeps."""
    mains = {name: main_of(name) for name in PROGRAMS}

    def run(arguments: list[str]) -> int | None:
        return mains[arguments[0]](arguments[1:])

    def prepare(rng: random.Random, folder: Path) -> Sequence[str]:
        name = rng.choice(sorted(PROGRAMS))
        return [name, *words_of(rng, rng.choice(PROGRAMS[name]))]

    return Subject("options", run, prepare, quick, full)


def sweep_subject(bundle: Path, quick: int, full: int) -> Subject:
    """Return the subject of ``spinflow.sim.sweep``, which plans its sweeps and measures none."""
    import spinflow.sim.emulator
    import spinflow.sim.evaluator
    import spinflow.sim.sweep

    spinflow.sim.sweep.run_sweeps = lambda *given: None

    def prepare(rng: random.Random, folder: Path) -> Sequence[str]:
        words = words_of(rng, rng.choice(SWEEP))
        return ["--bundle", str(bundle), "--out", "out", *words]

    return Subject("spinflow.sim.sweep", spinflow.sim.sweep.main, prepare, quick, full)
