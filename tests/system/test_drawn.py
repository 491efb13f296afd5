"""Networks drawn at random, through FINN: chain, FINN, emulator, evaluator and RTL are one.

SPINFLOW_DRAWN_BUILT says how many are built, or which, as "3-9"; SPINFLOW_DRAWN_RTL how many
of them are run as RTL. Each of these numbers stands for the first network that is taken of 1000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from spinflow.hls.paths import BuildError
from spinflow.sim import verilate
from spinflow.sim.accelerator import Accelerator
from tests.drawn import held
from tests.system.test_errors_off import PAUSE

BUILT = held.asked("SPINFLOW_DRAWN_BUILT", 40 if held.FULL else 6)
RTL = len(held.asked("SPINFLOW_DRAWN_RTL", 40 if held.FULL else 3))
MOST_REFUSED = 30
"""Networks of one number that may be refused, one after the other."""


@pytest.mark.slow
@pytest.mark.parametrize("place", BUILT)
def test_every_engine_computes_the_same(
    place: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    refused: Counter[str] = Counter()
    numbers = iter(range(1000 * place, 1000 * place + MOST_REFUSED))
    while True:
        network = held.first_taken(numbers, tmp_path, refused)
        number = network.recipe.number
        folder = tmp_path / str(number)
        try:
            bundle = held.built(network, folder / "bundle")
            break
        except BuildError as error:
            assert held.is_plain(error), f"network {number}: {error}"
            refused[held.reason(error)] += 1
    print(f"network {number}: {network.recipe}; before it {refused.total()} refused: {refused}")
    on_rtl = place - BUILT[0] < RTL
    try:
        held.hold_source(network)
        golden = held.hold_built(network, bundle)
        if on_rtl:
            verilate.build(bundle, verilate.CHECKED)
            device = Accelerator(bundle, checked=True)
            device.library.pause(PAUSE, PAUSE, seed=place)
            held.hold_engine(device, golden, network.images, "RTL")
    except AssertionError as error:
        kept = held.keep(folder, number)
        raise AssertionError(f"network {number}, kept in {kept}: {error}") from error
    record_property("drawn.networks", 1)
    record_property("drawn.on_rtl", int(on_rtl))
