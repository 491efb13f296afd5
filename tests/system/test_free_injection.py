"""Injection is free: the same number of cycles with errors off and at 0.5, and no stall."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spinflow.host.core.stream import threshold
from spinflow.sim.accelerator import Accelerator
from tests.system.conftest import CONVOLUTIONAL
from tests.system.test_errors_off import Images, load_weights


@pytest.mark.slow
def test_cycles_do_not_depend_on_errors(
    bundle: Path, test_set: Images, record_property: Callable[[str, object], None]
) -> None:
    frames = 10 if bundle.name in CONVOLUTIONAL else 100
    cycles = {}
    for mode in ("off", "flip", "switch"):
        rtl = Accelerator(bundle)
        load_weights(rtl, bundle)
        for memory in rtl.memories:
            if memory.kind == "buffer":
                rtl.set_errors(memory.index, mode, threshold(0.5), threshold(0.5), 3)
        rtl.soft_reset()
        rtl.library.run(test_set[0][:frames])
        rtl.command("snapshot")
        cycles[mode] = rtl.get("CYCLES_LO") | rtl.get("CYCLES_HI") << 32
        assert rtl.get("FRAMES_DONE") == frames
        assert rtl.get("STALLS_LO") == rtl.get("STALLS_HI") == 0
    assert cycles["off"] == cycles["flip"] == cycles["switch"]
    # Full throughput: but for filling and draining, a frame takes what the folding says.
    bound = rtl.description.cycles_per_frame
    assert frames * bound <= cycles["off"] <= (frames + 5) * bound
    record_property(f"{bundle.name}.cycles_for_{frames}_frames", cycles["off"])
    record_property(f"{bundle.name}.cycles_per_frame", bound)
