"""Injection is free: the same number of cycles with errors off and at 0.5, and no stall."""

from collections.abc import Callable
from pathlib import Path

from host.rates import threshold
from sim.accelerator import Accelerator
from tests.system.test_errors_off import Images, load_weights

FRAMES = 100


def test_cycles_do_not_depend_on_errors(
    bundle: Path, test_set: Images, record_property: Callable[[str, object], None]
) -> None:
    cycles = {}
    for mode in ("off", "flip", "switch"):
        rtl = Accelerator(bundle)
        load_weights(rtl, bundle)
        for memory in rtl.description["memories"]:
            if memory["kind"] == "buffer":
                rtl.set_errors(memory["index"], mode, threshold(0.5), threshold(0.5), 3)
        rtl.soft_reset()
        rtl.library.run(test_set[0][:FRAMES])
        rtl.command("snapshot")
        cycles[mode] = rtl.get("CYCLES_LO") | rtl.get("CYCLES_HI") << 32
        assert rtl.get("FRAMES_DONE") == FRAMES
        assert rtl.get("STALLS_LO") == rtl.get("STALLS_HI") == 0
    assert cycles["off"] == cycles["flip"] == cycles["switch"]
    # Full throughput: but for filling and draining, a frame takes what the folding says.
    bound = rtl.description["cycles_per_frame"]
    assert FRAMES * bound <= cycles["off"] <= (FRAMES + 5) * bound
    record_property(f"{bundle.name}.cycles_for_{FRAMES}_frames", cycles["off"])
    record_property(f"{bundle.name}.cycles_per_frame", bound)
