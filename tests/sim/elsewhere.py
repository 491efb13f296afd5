"""`python -m tests.sim.elsewhere`: the evaluator, as it is compiled here, is the emulator.

It needs numpy and numba alone, so that it also runs where a processor is emulated. The networks are
wide enough for the widest vectors, in rows, outputs and inputs.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding
from numba.core.dispatcher import Dispatcher

from spinflow.sim.emulator import Emulator
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.evaluator.processor import COUNTS_VECTORS, LOOKED_UP
from spinflow.sim.evaluator.together import Together
from tests.sim import tiny
from tests.sim.steps import assert_same, rate, trial
from tests.sim.tiny import conv, fc, pool

NETWORKS = (
    tiny.describe(
        "wide", [520], fc(200, 520, (8, 40), 9), fc(100, 200, (4, 50)), fc(3, 100, (3, 4))
    ),
    tiny.describe(
        "wide-maps", [6, 7, 3],
        conv(70, (6, 7, 3), (3, 3), (7, 27), of="pixels", padding=(1, 0, 0, 1)),
        conv(130, (5, 6, 70), (3, 3), (13, 35), 7, padding=(1, 1, 1, 1)),
        pool((2, 3, 130)),
        conv(66, (2, 3, 130), (2, 2), (6, 52), padding=(1, 1, 0, 0), padding_value=0),
        fc(5, 396, (1, 12)),
    ),
)  # fmt: skip
IMAGES = 70


def held(evaluator: Evaluator, images: np.ndarray, always: bool) -> list[Any]:
    """What trials give, by changes and then whole."""
    together, found = Together(evaluator, always), []
    for limit in (0, rate(1e-3), rate(0.05)):
        evaluator.soft_reset()
        for memory in evaluator.memories:
            evaluator.set_errors(memory.index, "flip", limit, limit, 3 + memory.index)
            if memory.kind == "weights":
                evaluator.write_weights(memory.index, evaluator.weights(memory.layer))
        if always:
            one = evaluator.hold()
            together.run([one], images, taps=True)
            found += [np.concatenate(one.labels), *one.taps[0].values()]
        else:
            labels, taps = evaluator.run(images)
            found += [labels, *taps.values()]
    return found


def compiled_here() -> list[Any]:
    """The kernels' compiled functions."""
    package = Evaluator.__module__.rpartition(".")[0]
    modules = [module for name, module in sys.modules.items() if name.startswith(package)]
    found = [value for module in modules for value in vars(module).values()]
    return list({id(value): value for value in found if isinstance(value, Dispatcher)}.values())


def generate(triple: str) -> int:
    """Generate code of all that was compiled for another processor; return how many functions."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine()
    count = 0
    for function in compiled_here():
        for compiled in function.inspect_llvm().values():
            # What x86 makes of the reference counts of arrays, which are numba's.
            text = compiled.replace("llvm.x86.atomic.sub.cc.i64", "count_down").replace(
                "immarg", ""
            )
            assert "llvm.x86" not in text, function
            module = binding.parse_assembly(text)
            module.triple, module.data_layout = triple, str(machine.target_data)
            assert machine.emit_object(module).startswith(b"\x7fELF")
            count += 1
    return count


def main() -> None:
    """Compare, and say on what; generate code for the triples that are given, too."""
    rng = np.random.default_rng(6)
    for description in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            bundle = tiny.write_bundle(Path(folder), description)
            emulator = Emulator(bundle)
            evaluator = Evaluator.from_bundle(bundle, threads=1)
        images = rng.integers(0, 256, (IMAGES, emulator.description.pixels), dtype=np.uint8)
        case = ("both", "flip", 0.02, 0.3)
        expected = trial(emulator, emulator, images, case)
        assert_same(trial(evaluator, emulator, images, case), expected, case)
        assert_same(held(evaluator, images, True), held(evaluator, images, False), "held")
    print(f"equal: {platform.machine()}, counts {COUNTS_VECTORS}, looks up {LOOKED_UP}")
    for triple in sys.argv[1:]:
        print(f"{triple}: {generate(triple)} functions")


if __name__ == "__main__":
    main()
