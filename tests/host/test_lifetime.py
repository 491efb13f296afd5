"""An accelerator that is not there any more, or is not this process's, says so and does nothing.

Closed, replaced by another one, forked, loaded anew by another program: every way in which an
object outlives what it stands for ends in one line, never in a crash or in another design's data.
"""

from __future__ import annotations

import gc
import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spinflow.host.board.driver import Accelerator
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import DeviceError
from spinflow.sim.library import Library
from tests.host.conftest import BUNDLE

IMAGES = np.zeros((2, 784), np.uint8)

# Every public method, with arguments that it would take.
CALLS: dict[str, Callable[[Accelerator], Any]] = {
    "read_register": lambda a: a.read_register("BUILD_ID"),
    "write_register": lambda a: a.write_register("FRAMES_PER_TRANSFER", 1),
    "read_word": lambda a: a.read_word(0),
    "write_word": lambda a: a.write_word(0x18, 1),
    "status": lambda a: a.status("idle"),
    "facts": lambda a: list(a.facts()),
    "soft_reset": lambda a: a.soft_reset(),
    "clear": lambda a: a.clear(),
    "snapshot": lambda a: a.snapshot(),
    "set_errors": lambda a: a.set_errors("fc0.weights", "flip", 0.1),
    "set_thresholds": lambda a: a.set_thresholds("fc0.weights", "flip", 1 << 30),
    "set_condition": lambda a: a.set_condition("fc0.weights", Condition()),
    "configure": lambda a: a.configure(a.bundle.memory("fc0.weights"), {"SEED": 1}),
    "errors": lambda a: a.errors("fc0.weights"),
    "write_weights": lambda a: a.write_weights(),
    "store": lambda a: a.store(a.bundle.memory("fc0.weights"), a.bundle.weights["fc0.weights"]),
    "read_weights": lambda a: a.read_weights("fc0.weights"),
    "run": lambda a: a.run(IMAGES),
    "begin_frame": lambda a: a.begin_frame(),
}


class Condition:
    rate1 = rate0 = 0.1


def test_every_method_is_among_those_that_are_called() -> None:
    members = inspect.getmembers(Accelerator, inspect.isfunction)
    public = {name for name, _ in members if not name.startswith("_")}
    assert public - {"close"} == set(CALLS)


# Bare accesses to the bus, which reach whatever logic is loaded, as on a board.
BARE = ("read_register", "write_register", "read_word", "write_word", "status", "facts")


def refused(accelerator: Accelerator, line: str, spared: Sequence[str] = ()) -> None:
    for name, call in CALLS.items():
        if name in spared:
            continue
        with pytest.raises(DeviceError, match=line) as caught:
            call(accelerator)
        assert "\n" not in str(caught.value), name
        assert len(str(caught.value)) < 300, name


def board() -> Any:
    from pynq.pl_server.device import Device

    return Device.active_device


def test_after_closing_every_call_says_so(bundle: Bundle) -> None:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
    refused(accelerator, r"^this Accelerator of tfc-mnist cannot be used: it was closed$")
    accelerator.close()
    # What it was, it still says: the self-test's report is written after closing.
    assert (accelerator.backend, accelerator.bundle) == ("rtl", bundle)
    assert accelerator.pynq_version


def test_a_second_one_closes_the_first(bundle: Bundle, golden: Any) -> None:
    first = Accelerator(bundle)
    first.write_weights()
    first.run(golden[0][:2])
    with Accelerator(bundle) as second:
        refused(first, "another Accelerator was opened after it, and took its place")
        first.close()
        second.write_weights()
        assert second.run(golden[0][:5]).tolist() == golden[1][:5].tolist()


@pytest.mark.slow
def test_a_name_may_be_given_to_the_next(bundle: Bundle, golden: Any) -> None:
    for _ in range(5):
        accelerator = Accelerator(bundle)
        accelerator.write_weights()
        assert accelerator.run(golden[0][:2]).tolist() == golden[1][:2].tolist()
        gc.collect()
    accelerator.close()


def test_one_that_is_refused_closes_the_first_too(bundle: Bundle) -> None:
    # Its logic is gone: what was opened before talks to nothing.
    first = Accelerator(bundle)
    with pytest.raises(DeviceError, match="another accelerator is loaded than the one"):
        Accelerator(replace(bundle, build_id=bundle.build_id ^ 1))
    refused(first, "took its place")


def test_one_whose_arguments_are_wrong_closes_nothing(bundle: Bundle) -> None:
    with Accelerator(bundle) as first:
        with pytest.raises(DeviceError, match="made for the board ZCU104"):
            Accelerator(replace(bundle, board="ZCU104"))
        first.snapshot()


def test_an_overlay_loaded_beside_the_driver_is_noticed(bundle: Bundle) -> None:
    import pynq

    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        pynq.Overlay(str(bundle.overlay))
        refused(accelerator, "the accelerator was loaded anew", spared=BARE)


def test_a_simulation_that_was_closed_says_so() -> None:
    library = Library(BUNDLE)
    library.close()
    library.close()
    for act in (
        lambda: library.read(0, 1),
        lambda: library.write(0x18, [1]),
        lambda: library.transfer(np.zeros(1, np.uint32), np.zeros(1, np.uint32), 10),
        lambda: library.run(IMAGES),
        lambda: library.cycles,
        lambda: library.pause(0, 0, 1),
        library.record,
        library.recorded,
    ):
        with pytest.raises(OSError, match="this simulation was closed"):
            act()


# All but those that ask registers by name or place, which are for finding out what is loaded.
CHECKED = sorted(set(CALLS) - {"facts", "status", "read_register", "write_register"})


@pytest.mark.parametrize("name", [name for name in CHECKED if not name.endswith("_word")])
def test_logic_that_another_program_loaded_is_noticed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        accelerator.run(IMAGES)
        slave, registers = board().accelerator, bundle.registers.globals
        with monkeypatch.context() as patch:
            read = slave.read

            def other(offset: int, count: int, stride: int) -> Any:
                words = read(offset, count, stride)
                return words ^ 1 if offset == registers["BUILD_ID"] else words

            patch.setattr(slave, "read", other)
            with pytest.raises(DeviceError, match=r"BUILD_ID reads .* another accelerator is load"):
                CALLS[name](accelerator)
        # The same design, but loaded anew: registers are as after a reset, and weights are gone.
        slave.write(registers["FRAMES_PER_TRANSFER"], np.array([1], np.uint32), 4)
        with pytest.raises(DeviceError, match=r"FRAMES_PER_TRANSFER reads 1, .* loaded anew"):
            CALLS[name](accelerator)


def test_a_fork_opens_one_of_its_own(bundle: Bundle) -> None:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        child = os.fork()
        if not child:
            status = 1
            signal.alarm(600)  # ends a child that waits for what a fork has not
            try:
                refused(accelerator, r"opened by process [0-9]+, of which this one is a fork")
                accelerator.close()
                with Accelerator(bundle) as own:
                    own.write_weights()
                    own.run(IMAGES)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        accelerator.run(IMAGES)


def test_python_ends_whole_with_accelerators_left_open() -> None:
    program = (
        "import sys; from pathlib import Path; from spinflow.host.core.bundle import load\n"
        "from spinflow.host.board.driver import Accelerator\n"
        "kept = [Accelerator(load(Path(sys.argv[1]))) for _ in range(3)]\n"
        "kept[-1].write_weights()\n"
        "kept[0].snapshot()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, BUNDLE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr  # by the exception, not by a signal
    assert "took its place" in done.stderr.splitlines()[-1]
