"""A call that ends by an exception at any place leaves the state before it, or that after it.

What can be seen of an accelerator is compared with two that nobody disturbed: one on which the call
was never begun, and one on which it ended well. Where hardware can be brought to neither state, the
driver may refuse, with one line; it may never show a third. Exceptions come at every access to the
device, at lines of the code, and from signals at random moments.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from spinflow.host.board import guards
from spinflow.host.board.driver import Accelerator
from spinflow.host.board.registers import FrameTimes, Snapshot
from spinflow.host.core import stream
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import DeviceError, HostError
from tests.host.conftest import BUNDLE
from tests.host.moments import Moment, at_accesses, at_lines

FULL = bool(os.environ.get("SPINFLOW_FULL"))
RANDOM = 100 if FULL else 10  # interrupts at random moments of each call
POINTS = 25 if FULL else 2  # places of each call at which an exception comes, in each state

REFUSED = "refused"
REFUSALS = (
    "write the weights again, with write_weights()",
    "call soft_reset() or write_weights() first",
)

Act = Callable[[Accelerator], Any]


def seed_of(accelerator: Accelerator, name: str) -> int:
    return stream.memory_seed(5, 2, accelerator.bundle.memory(name).index)


def prepare(accelerator: Accelerator) -> None:
    """Bring an accelerator from any state to one with errors in most memories, just reset."""
    for memory in accelerator.bundle.memories:
        if memory.name == "fc0.weights":  # the largest, which takes the longest to err
            accelerator.set_errors(memory.name, "off")
        else:
            seed = seed_of(accelerator, memory.name)
            accelerator.set_errors(memory.name, "flip", 0.02, 0.1, seed)
    accelerator.write_weights(background="zeros")


def moved(accelerator: Accelerator, images: npt.NDArray[np.uint8]) -> None:
    """As prepared, and then counters and streams have moved."""
    prepare(accelerator)
    accelerator.run(images[:1])


def seen(accelerator: Accelerator, images: npt.NDArray[np.uint8]) -> list[Any]:
    """All that can be seen: settings, contents, counters, labels and what these have counted."""

    def asked(act: Callable[[], Any]) -> Any:
        try:
            return act()
        except DeviceError as error:
            assert any(line in str(error) for line in REFUSALS), error
            return REFUSED

    memories = accelerator.bundle.memories
    found: list[Any] = [[accelerator.errors(memory.name) for memory in memories]]
    for memory in memories:
        if memory.is_weights:
            found.append(asked(functools.partial(contents, accelerator, memory.name)))
    found.append(asked(lambda: counted(accelerator)))
    found.append(asked(lambda: accelerator.run(images, 3).tolist()))
    found.append(REFUSED if found[-1] is REFUSED else asked(lambda: counted(accelerator)))
    return found


def counted(accelerator: Accelerator) -> Snapshot:
    """The counters without the times of frames, which tell how long one paused between them."""
    return replace(accelerator.snapshot(), times=FrameTimes())


def contents(accelerator: Accelerator, name: str) -> bytes:
    return accelerator.read_weights(name).tobytes()


def differing(found: list[Any], expected: list[Any]) -> list[int]:
    """Return the places at which what was seen is neither as expected nor refused."""
    pairs = enumerate(zip(found, expected, strict=True))
    return [place for place, (one, other) in pairs if one not in (REFUSED, other)]


@dataclass(frozen=True)
class Case:
    """A call that is interrupted.

    Attributes:
        call: the call.
        refuses: whether the driver may refuse afterwards what it cannot bring back.
        then: done before one looks, whether the call was interrupted or not.
    """

    call: Act
    refuses: bool = False
    then: Act = lambda accelerator: None


def inverted(accelerator: Accelerator) -> Any:
    memory = accelerator.bundle.memory("fc2.weights")
    return accelerator.bundle.weights[memory.name] ^ memory.segment_masks


IMAGES = np.random.default_rng(1).integers(0, 256, (3, 784), np.uint8)

CASES = {
    "set_errors": Case(lambda a: a.set_errors("fc1.buffer", "switch", 0.3, 0.2, 9)),
    "configure": Case(lambda a: a.configure(a.bundle.memory("fc0.buffer"), {"RATE1": 1 << 30})),
    "write_weights": Case(lambda a: a.write_weights(), True),
    "write_weights over ones": Case(lambda a: a.write_weights(background="ones"), True),
    "write_weights, one memory": Case(
        lambda a: a.write_weights({"fc2.weights": inverted(a)}, [], "random:1"), True
    ),
    "store": Case(lambda a: a.store(a.bundle.memory("fc2.weights"), inverted(a)[:9]), True),
    "store, by address": Case(
        lambda a: a.store(a.bundle.memory("fc2.weights"), inverted(a)[:3], [7, 3, 7]), True
    ),
    "run": Case(lambda a: a.run(IMAGES[:3], 2), True),
    "begin_frame": Case(lambda a: a.begin_frame(), True, lambda a: a.soft_reset()),
    "snapshot": Case(lambda a: a.snapshot()),
    "clear": Case(lambda a: a.clear()),
    "soft_reset": Case(lambda a: a.soft_reset()),
    "errors": Case(lambda a: a.errors("fc1.buffer")),
    "read_weights": Case(lambda a: a.read_weights("fc1.weights")),
    "registers": Case(lambda a: a.write_register("SEED", 7, a.bundle.memory("fc0.buffer"))),
}
STATES: dict[str, Act] = {"reset": prepare, "moved": lambda a: moved(a, IMAGES)}
INTERRUPTS = (KeyboardInterrupt, MemoryError, SystemExit, HostError)


@pytest.fixture(scope="module")
def reference(bundle: Bundle) -> Callable[[str, str | None], list[Any]]:
    """What is seen of an undisturbed accelerator: in a state, or after a call in that state.

    Looking opens an accelerator, so it is done before the one under test is opened.
    """
    kept: dict[tuple[str, str | None], list[Any]] = {}

    def of(state: str, name: str | None) -> list[Any]:
        if (state, name) not in kept:
            with Accelerator(bundle) as accelerator:
                STATES[state](accelerator)
                if name is not None:
                    CASES[name].call(accelerator)
                    CASES[name].then(accelerator)
                kept[state, name] = seen(accelerator, IMAGES)
        return kept[state, name]

    return of


def check(
    accelerator: Accelerator, before: list[Any], after: list[Any], case: Case, where: str
) -> None:
    """Look at an accelerator whose call was interrupted, and take it into use again."""
    case.then(accelerator)
    found = seen(accelerator, IMAGES)
    third = differing(found, before), differing(found, after)
    assert [] in third, f"{where}: a third state, other than before and after at {third}"
    assert case.refuses or REFUSED not in found, f"{where}: refused"


def interrupted(
    accelerator: Accelerator,
    case: Case,
    state: str,
    way: Callable[[Moment], contextlib.AbstractContextManager[None]],
    moment: Moment,
) -> bool:
    """Bring an accelerator into a state and disturb a call; whether the exception came out."""
    STATES[state](accelerator)
    try:
        with way(moment):
            case.call(accelerator)
    except INTERRUPTS:
        return True
    return False


def _ends(
    reference: Callable[[str, str | None], list[Any]], name: str, state: str
) -> tuple[list[Any], list[Any]]:
    before = reference("reset" if name == "begin_frame" else state, None)
    if name == "begin_frame":  # a soft reset follows, whatever came before
        return before, before
    return before, reference(state, name)


def moments(count: int, combination: int) -> Iterator[int]:
    """Choose some of so many moments: the first, the last, and others evenly between."""
    wanted = min(count, POINTS)
    offset = 0 if FULL else combination
    for number in range(wanted):
        yield min((number * count + offset) // wanted, count - 1)


@pytest.mark.parametrize("way", [at_accesses, at_lines])
@pytest.mark.parametrize("name", CASES)
def test_an_exception_at_any_place(
    bundle: Bundle,
    reference: Callable[[str, str | None], list[Any]],
    name: str,
    way: Callable[[Moment], contextlib.AbstractContextManager[None]],
) -> None:
    case = CASES[name]
    combinations = [(state, times) for state in STATES for times in (1, 6)]
    if not FULL:  # half of them for each way
        combinations = combinations[way is at_lines :: 2]
    ends = {state: _ends(reference, name, state) for state in STATES}
    untouched = reference("reset", None)
    with Accelerator(bundle) as accelerator:
        for number, (state, times) in enumerate(combinations):
            before, after = ends[state]
            counted = Moment()
            assert not interrupted(accelerator, case, state, way, counted)
            assert counted.seen >= 2
            case.then(accelerator)
            for at in moments(counted.seen, number):
                moment = Moment(at, times)
                came = interrupted(accelerator, case, state, way, moment)
                # The first call is the longest: it allocates the buffers.
                assert came or moment.seen <= at
                assert not any(
                    channel.busy for channel in (board().dma.mm2s, board().dma.s2mm)
                ) or (times > 1), "the DMA goes on"
                where = f"{name}, {state}, moment {at} of {counted.seen}, {times} in a row"
                check(accelerator, before, after, case, where)
        prepare(accelerator)
        assert seen(accelerator, IMAGES) == untouched


def board() -> Any:
    from pynq.pl_server.device import Device

    return Device.active_device


class Delays:
    """Random delays within a call, however long it takes on a machine that has other work too.

    A call that is timed while others are busy seems longer than it is later; then most interrupts
    would come after its end. Each that does tells how long the call took, and the next are shorter.

    Attributes:
        came: how many interrupts came before the end of their calls.
    """

    def __init__(self, name: str, length_s: float) -> None:
        self._dice, self._length_s = random.Random(name), length_s
        self.came = 0

    def interrupt(self, act: Callable[[], Any], by_ctrl_c: bool) -> float:
        """Call something and interrupt it; return after how many seconds."""
        delay = self._dice.uniform(0, self._length_s)
        begin = time.perf_counter()
        if interrupted_after(act, delay, by_ctrl_c):
            self.came += 1
        else:
            self._length_s = min(self._length_s, time.perf_counter() - begin)
        return delay


def interrupted_after(act: Callable[[], Any], delay_s: float, by_ctrl_c: bool) -> bool:
    """Call something and interrupt it after a time; whether that came before its end."""

    def alarm(*_: Any) -> None:
        if by_ctrl_c:
            signal.raise_signal(signal.SIGINT)
        else:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, alarm)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, max(delay_s, 1e-6))
            act()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    finally:
        signal.signal(signal.SIGALRM, before)
    return False


def lasts(act: Callable[[], Any]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run", "write_weights over ones", "set_errors"])
def test_signals_at_random_moments(
    bundle: Bundle,
    reference: Callable[[str, str | None], list[Any]],
    record_property: Callable[[str, object], None],
    name: str,
) -> None:
    case = CASES[name]
    ends = {state: _ends(reference, name, state) for state in STATES}
    untouched = reference("reset", None)
    with Accelerator(bundle) as accelerator:
        delays = {}
        for state, prepared in STATES.items():
            prepared(accelerator)
            length = lasts(lambda: case.call(accelerator))
            delays[state] = Delays(f"{name}, {state}", length)
        for number in itertools.count():
            state = ("reset", "moved")[number % 4 > 1]
            STATES[state](accelerator)
            by_ctrl_c = bool(number % 2)
            delay = delays[state].interrupt(lambda: case.call(accelerator), by_ctrl_c)
            check(accelerator, *ends[state], case, f"{name}, {state}, {delay} s")
            if all(each.came >= RANDOM // 2 for each in delays.values()):
                break
        prepare(accelerator)
        assert seen(accelerator, IMAGES) == untouched
    record_property(f"interrupts in {name}", sum(each.came for each in delays.values()))


@pytest.mark.slow
def test_signals_while_an_accelerator_is_opened(
    bundle: Bundle,
    reference: Callable[[str, str | None], list[Any]],
    record_property: Callable[[str, object], None],
) -> None:
    untouched = reference("reset", None)
    delays = Delays("open", lasts(lambda: Accelerator(bundle).close()))
    for number in itertools.count():
        if delays.came == RANDOM:
            break
        older = Accelerator(bundle)
        prepare(older)
        delays.interrupt(lambda: Accelerator(bundle), by_ctrl_c=bool(number % 2))
        try:
            assert seen(older, IMAGES) == untouched
        except DeviceError as error:
            assert "took its place" in str(error)
        with Accelerator(bundle) as newer:
            prepare(newer)
            assert seen(newer, IMAGES) == untouched
    record_property("interrupts in opening", delays.came)


FIRST_OPENING = """
import random, signal, sys
import numpy as np
from pathlib import Path
from spinflow.host.core.bundle import load
from spinflow.host.board.driver import Accelerator
from spinflow.host.board.registers import FrameTimes, Snapshot

bundle = load(Path(sys.argv[1]))
signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
try:
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))
    Accelerator(bundle)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
with np.load(bundle.folder / "golden.npz") as golden, Accelerator(bundle) as accelerator:
    accelerator.write_weights()
    assert (accelerator.run(golden["images"][:5]) == golden["labels"][:5]).all()
print("right labels")
"""


@pytest.mark.parametrize("number", range(20 if FULL else 3))
def test_a_signal_while_pynq_is_imported(number: int) -> None:
    # What is imported half, or a device that is probed half, could not be had again.
    delay_s = random.Random(number).uniform(0.001, 0.5)
    done = subprocess.run(
        [sys.executable, "-c", FIRST_OPENING, BUNDLE, str(delay_s)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["right labels"]


def test_a_close_that_is_interrupted_can_be_asked_for_again(bundle: Bundle) -> None:
    for at in range(0, 100, 1 if FULL else 5):
        accelerator = Accelerator(bundle)
        accelerator.write_weights()
        accelerator.run(IMAGES)
        moment = Moment(at)
        try:
            with at_lines(moment):
                accelerator.close()
        except INTERRUPTS:
            accelerator.close()
        with pytest.raises(DeviceError, match="it was closed"):
            accelerator.snapshot()
        if moment.seen <= at:
            return


def test_a_dma_that_does_not_start_again_is_named(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pynq waits without limit for a channel that was told to run.
    with Accelerator(bundle, wait_s=0.2) as accelerator:
        accelerator.write_weights()
        with monkeypatch.context() as patch:
            patch.setattr(
                sys.modules["spinflow.sim.board"].Channel, "_write_control", lambda *_: None
            )
            with pytest.raises(KeyboardInterrupt), at_accesses(Moment(30)):
                accelerator.run(IMAGES)
            for act in (lambda: accelerator.run(IMAGES), accelerator.snapshot):
                with pytest.raises(DeviceError, match=r"the DMA \(halted, .* did not answer"):
                    act()
            with pytest.raises(DeviceError, match=r"the DMA \(halted, .* did not answer"):
                Accelerator(bundle, wait_s=0.2)
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        accelerator.run(IMAGES)


def test_what_is_done_while_this_process_does_not_run_is_seen() -> None:
    """The limit passes between two looks: the second still counts, a third does not come."""
    answers = [False, True]
    guards.wait_for(lambda: answers.pop(0), "it", wait_s=-1.0)
    answers = [False, False, True]
    with pytest.raises(DeviceError, match="it did not answer within -1 s"):
        guards.wait_for(lambda: answers.pop(0), "it", wait_s=-1.0)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_buffer_that_there_is_no_memory_for_is_named(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    calls = []

    with Accelerator(bundle) as accelerator:
        virtual_board = sys.modules["spinflow.sim.board"].VirtualBoard
        allocate = virtual_board.allocate

        def scarce(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            if len(calls) == failing:
                raise MemoryError("no 4096 bytes of DMA memory are left")
            return allocate(*args, **kwargs)

        accelerator.write_weights()
        expected = accelerator.run(IMAGES).tolist()
        monkeypatch.setattr(virtual_board, "allocate", scarce)
        with pytest.raises(DeviceError, match="no DMA memory for 6 images of 784 bytes: no 4096"):
            accelerator.run(np.concatenate([IMAGES, IMAGES]))
        assert accelerator.run(IMAGES).tolist() == expected
        assert accelerator.run(np.concatenate([IMAGES, IMAGES])).tolist() == expected * 2


def test_a_handler_of_a_signal_cannot_call_into_a_call(bundle: Bundle) -> None:
    # A lock would wait for ever here, and without one two calls would mix.
    told: list[str] = []
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        expected = accelerator.run(IMAGES).tolist()

        def handler(*_: Any) -> None:
            try:
                accelerator.snapshot()
            except DeviceError as error:
                told.append(str(error))

        with at_accesses(cast(Any, handler)):
            assert accelerator.run(IMAGES).tolist() == expected
    assert set(told) == {
        "this Accelerator is in the midst of a call: it cannot be called from within, as by a "
        "signal handler"
    }


def test_threads_wait_for_each_other(bundle: Bundle) -> None:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        expected = accelerator.run(IMAGES).tolist()
        found: list[Any] = []

        def work() -> None:
            for _ in range(5):
                found.append(accelerator.run(IMAGES, 1).tolist())

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [expected] * 20
        assert accelerator.snapshot().frames == 21 * len(IMAGES)
