"""The driver of the accelerator, the same on a board and on the simulator.

It stands on stock pynq only: ``Overlay`` loads the bundle, ``MMIO`` reaches the registers and the
weight windows, ``pynq.lib.dma.DMA`` moves images and labels. In ten lines:

    from pathlib import Path
    from spinflow.host.core.bundle import load
    from spinflow.host.board.driver import Accelerator

    with Accelerator(load(Path("build/tfc-mnist"))) as accelerator:
        accelerator.set_errors("fc0.weights", "flip", 1e-2, seed=1)
        written = accelerator.write_weights(background="zeros")
        labels = accelerator.run(images)
        print(written["fc0.weights"].errors, accelerator.snapshot().cycles)

A call may end by any exception at any place, as by Ctrl-C. The driver notes in software, before it
changes anything, what is true if the call ends there; what is then left to do (a DMA to stop,
registers to write) is done at once, and if that fails too, before the next call. So the
accelerator is in the state before the call or in the one after it. Where hardware can be brought to
neither, calls that would use what is lost refuse, and name the call that mends it.
"""

from __future__ import annotations

import enum
import functools
import importlib
import os
import re
import secrets
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Concatenate, ParamSpec, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

from spinflow.host.board.on_board import PYNQ_VERSIONS, knows_pynq
from spinflow.host.board.window import get, put
from spinflow.host.core import checks, stream
from spinflow.host.core.bundle import MAP_VERSION, Bundle, Memory, Words, check_words
from spinflow.host.core.errors import DeviceError, InputError, RateError
from spinflow.host.core.memory import MODES, Counts, check_mode
from spinflow.host.core.text import shown

FRAMES_A_TRANSFER = 1000
"""Images that one DMA transfer carries at most, unless its length register allows fewer."""

_BACKGROUND = re.compile(r"(zeros|ones|previous|random:[0-9]{1,10})\Z")
_ZYNQ_FPGA_MANAGER = Path("/sys/class/fpga_manager/fpga0")
_BOARD_NAME = Path("/proc/device-tree/chosen/pynq_board")  # of every PYNQ image
_VIRTUAL_BOARD = "spinflow.sim.board"
_VIRTUAL_BOARD_SWITCH = "SPINFLOW_SIM"

# The AXI DMA (PG021): a control and a status register for each channel.
_DMA_CHANNELS = (0x00, 0x30)
_DMA_STATUS = 0x04
_DMA_RUN, _DMA_RESET = 1 << 0, 1 << 2
_DMA_HALTED = 1 << 0

_SETTLE_S = 1.0
"""Seconds that a step of mending may take after an interrupted call; a board takes microseconds."""

_SETTINGS = ("MODE", "RATE1", "RATE0", "SEED")
_STATUS_FIELDS = ("idle", "busy", "refused", "partial")

P = ParamSpec("P")
T = TypeVar("T")


class TapRecorder(Protocol):
    """What a device has that shows layer boundaries: a simulator can, programmable logic cannot."""

    def record(self, names: Iterable[str] | None = None) -> None:
        """Record these taps from now on, by default all, and no others."""

    def recorded(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return what was recorded since the last call, by tap: unsigned, shape (n, elements)."""


class Rates(Protocol):
    """A write condition, as far as the registers need it (see ``spinflow.host.mtj``)."""

    @property
    def rate1(self) -> float:
        """Probability that writing a 1 errs."""

    @property
    def rate0(self) -> float:
        """Probability that writing a 0 errs."""


@dataclass(frozen=True)
class Fact:
    """A register that tells what is loaded, and what the bundle says that it reads."""

    register: str
    found: int
    expected: int

    def __str__(self) -> str:
        # Sizes and numbers are read in decimal, identities and bit fields in hexadecimal.
        form = "{:#x}" if self.register in ("ID", "BUILD_ID") or "INFO" in self.register else "{}"
        found, expected = form.format(self.found), form.format(self.expected)
        return f"{self.register} reads {found}, {expected} expected"


def _register_name(name: str, memory: Memory | None) -> str:
    return name if memory is None else f"{name} of {memory.name}"


@dataclass(frozen=True)
class Snapshot:
    """All counters at one moment.

    Attributes:
        memories: counts by the memory's name.
        frames: frames done since the last clear or soft reset.
        cycles: clock cycles in which the accelerator was not idle.
        stalls: cycles in which a buffer waited for draws.
    """

    memories: dict[str, Counts]
    frames: int
    cycles: int
    stalls: int


def check_background(background: str) -> None:
    """Raise InputError unless there is such a background."""
    known = isinstance(background, str) and _BACKGROUND.match(background)
    if not known or int(background.partition(":")[2] or 0) > checks.WORD:
        raise InputError(
            f"background {shown(background)}: must be zeros, ones, random:SEED (32 bits) or "
            "previous"
        )


def background_words(memory: Memory, background: str) -> Words | None:
    """Return what a weight memory holds before the weights are written.

    ``zeros`` and ``ones`` fill it; ``random:SEED`` fills segment k with draw k of the stream that
    SEED, repeat 0 and the memory's index give; ``previous`` keeps what is there (None).

    Returns:
        uint32, shape (depth, segments), or None.

    Raises:
        InputError: no such background.
    """
    check_background(background)
    shape = (memory.depth, memory.segments)
    if background == "previous":
        return None
    if background == "zeros":
        return np.zeros(shape, np.uint32)
    if background == "ones":
        return np.broadcast_to(memory.segment_masks, shape).copy()
    seed = stream.memory_seed(int(background.partition(":")[2]), 0, memory.index)
    words = stream.draws(seed, np.arange(memory.depth * memory.segments))
    return words.reshape(shape) & memory.segment_masks


def backend(bundle: Bundle) -> str:
    """Return what results of a bundle are measured on: ``board`` or ``rtl``."""
    return "board" if bundle.overlay is not None and bundle.overlay.suffix == ".bit" else "rtl"


def _import_pynq() -> Any:
    """Import pynq and, off the board, the module that registers a device in the board's place.

    Not when this module is imported: pynq looks for its devices once.
    """
    with warnings.catch_warnings():
        # pynq's own use of setuptools: nothing that a user of this driver could act on.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        _import_device()
        try:
            pynq = importlib.import_module("pynq")
            importlib.import_module("pynq.lib.dma")  # registers the DMA's driver with Overlay
        except ImportError as error:
            raise DeviceError(
                f"pynq cannot be imported: {error}: run this as root in pynq's environment"
            ) from None
    return pynq


def _import_device() -> None:
    chosen = os.environ.get("SPINFLOW_DEVICE")
    if chosen is None and not _ZYNQ_FPGA_MANAGER.exists():
        chosen = _VIRTUAL_BOARD
    if chosen == _VIRTUAL_BOARD:
        os.environ.setdefault(_VIRTUAL_BOARD_SWITCH, "1")
    if chosen:
        try:
            importlib.import_module(chosen)
        except ImportError as error:
            raise DeviceError(
                f"this is no Zynq board, and the device module {chosen} cannot be imported: {error}"
            ) from None


def check_pynq(version: str) -> None:
    """Raise DeviceError unless this version of pynq is one that the driver stands on."""
    if not knows_pynq(version):
        raise DeviceError(
            f"pynq {version} is installed here: this driver works with {PYNQ_VERSIONS}"
        )


def check_board(bundle: Bundle, found: str | None) -> None:
    """Raise DeviceError if a bundle is made for another board than the one found, if any is."""
    if found is not None and bundle.board and found.lower() != bundle.board.lower():
        raise DeviceError(
            f"{bundle.folder} is made for the board {bundle.board} ({bundle.part}), this is "
            f"{found}: load a bundle that is made for it"
        )


def _board_name(pynq: Any) -> str | None:
    """Return what a PYNQ image calls its board, or the device itself; None where neither does."""
    try:
        device = pynq.Device.active_device
    except RuntimeError as error:
        raise DeviceError(f"pynq finds no device to load an accelerator on: {error}") from None
    try:
        return _BOARD_NAME.read_text(encoding="ascii").strip("\0\n")
    except OSError:
        name: str | None = getattr(device, "board", None)
        return name


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Name the access in the error when the device does not answer it or answers with an error."""
    try:
        yield
    except OSError as error:
        raise DeviceError(f"{what}: {error}") from None


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends: for what can neither be undone nor begun anew.

    Only the main thread is interrupted by signals, so there is nothing to hold back in others.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came = []
    try:
        signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


class _Streams(enum.Enum):
    """How counters, stream positions and buffers stand to what the caller has asked for."""

    RESET = "as after a soft reset"
    MOVED = "moved on since by calls that ended well"
    LOST = "reset by a call that was interrupted, though they had moved before it"


class _Contents(enum.Enum):
    """What a weight memory holds."""

    UNWRITTEN = "never written whole since the accelerator was loaded"
    WRITTEN = "written whole"
    TORN = "left in the midst of a writing"


_opening = threading.RLock()


def _alone(
    call: Callable[Concatenate[Accelerator, P], T],
) -> Callable[Concatenate[Accelerator, P], T]:
    """Make a method of an open accelerator that one thread at a time is in.

    It begins when all is mended that an interrupted call left, and mends what it leaves itself.
    """

    @functools.wraps(call)
    def alone(self: Accelerator, /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._check_open()
        with self._lock:
            try:
                self._owner = threading.get_ident()
                self._check_open(entered=True)
                self._settle()
                return call(self, *args, **kwargs)
            except BaseException:
                self._settle_at_once()
                raise
            finally:
                self._owner = None

    return alone


class Accelerator:
    """One loaded accelerator. A context manager; leaving it closes it.

    There is one set of programmable logic, so opening an accelerator closes the one that was opened
    before it in this process. Calls from several threads wait for each other. A process that is
    forked opens an accelerator of its own.

    Args:
        bundle: the bundle to load.
        wait_s: seconds after which an access that has not answered is given up.
        check: compare the registers that say what it is with the bundle, and reset it; without,
            that is left to the caller.

    Raises:
        InputError: an argument of another type or range.
        DeviceError: what was loaded is not the accelerator of this bundle, the bundle is for
            another board, or pynq is missing, of another version or without a device.
    """

    _newest: ClassVar[weakref.ref[Accelerator] | None] = None  # of this process

    def __init__(self, bundle: Bundle, wait_s: float = 60.0, check: bool = True) -> None:
        if not isinstance(bundle, Bundle):
            raise InputError(
                f"bundle {shown(bundle)}: must be what spinflow.host.core.bundle.load returns"
            )
        if not isinstance(check, (bool, np.bool_)):
            raise InputError(f"check {shown(check)}: must be True or False")
        self.bundle = bundle
        self.wait_s = checks.seconds("wait_s", wait_s)
        self._registers = bundle.registers
        self._lock = threading.Lock()
        self._owner: int | None = None  # the thread that is in a call
        self._process = os.getpid()
        self._closed: str | None = None  # why, once it is
        if bundle.overlay is None:
            raise DeviceError(f"{bundle.folder} was loaded without what runs it")
        # A module whose import was interrupted, or a device half found, cannot be had again.
        with _ctrl_c_held_back():
            self._pynq = _import_pynq()
            check_pynq(self.pynq_version)
            check_board(bundle, _board_name(self._pynq))

        # What is true if a call ends here: see _settle.
        self._streams = _Streams.MOVED
        self._fallback: _Streams | None = None  # the streams' state if the call under way ends
        self._owed: dict[tuple[Memory, str], int] = {}  # registers that are to be written
        self._contents = {m.name: _Contents.UNWRITTEN for m in bundle.memories if m.is_weights}
        # Between runs FRAMES_PER_TRANSFER holds a number that nobody else would write: loading the
        # logic anew, as another program may, resets it.
        self._mark = 1 << 31 | secrets.randbits(31)
        self._left: int | None = None  # what FRAMES_PER_TRANSFER must read, None where not known

        self._buffers: tuple[Any, Any] | None = None  # of images and labels
        self._frames_limit = (2**bundle.length_bits - 1) // max(bundle.pixels, 4)
        with _opening:
            _close_older()
            self._load()
        if check:
            for fact in self.facts():
                if fact.found != fact.expected:
                    raise DeviceError(
                        f"{fact} by the bundle {bundle.folder}: another accelerator is loaded than "
                        "the one it describes"
                    )
            self.soft_reset()
            self.write_register("FRAMES_PER_TRANSFER", self._mark)

    def _load(self) -> None:
        """Load the bundle's logic and find the cells that the driver needs."""
        overlay = self.bundle.overlay
        with _named(f"loading {overlay}"):
            try:
                self._overlay = self._pynq.Overlay(str(cast("Path", overlay).resolve()))
            except (RuntimeError, ValueError) as error:
                raise DeviceError(f"{overlay} cannot be loaded: {error}") from None
            cells = self._overlay.ip_dict
            for cell in ("accel", "dma"):
                if cell not in cells:
                    raise DeviceError(f"{overlay}: the hardware handover file has no cell {cell}")
            self._mmio = self._overlay.accel.mmio
            self._dma_registers = self._pynq.MMIO(
                cells["dma"]["phys_addr"], cells["dma"]["addr_range"], device=self._device
            )
            # pynq starts both channels too, but would wait for ever for one that does not start.
            self._start_dma(self.wait_s)
            self._dma = self._overlay.dma
        Accelerator._newest = weakref.ref(self)

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is under way and let go of the DMA buffers; nothing can be asked afterwards.

        pynq frees each buffer with its last reference. Closing twice does no harm.
        """
        self._close("it was closed")

    def _close(self, reason: str) -> None:
        if self._process != os.getpid():
            return  # the process that opened it goes on with it
        self._check_caller()
        with self._lock:
            try:
                self._owner = threading.get_ident()
                if self._closed is None:
                    self._settle_at_once()  # no DMA may go on writing into what others then own
                    self._closed = reason
                self._buffers = None
            finally:
                self._owner = None

    def _check_open(self, entered: bool = False) -> None:
        """Raise DeviceError where this object may not be used, or not now."""
        if self._closed is not None:
            raise DeviceError(
                f"this Accelerator of {self.bundle.network} cannot be used: {self._closed}"
            )
        if self._process != os.getpid():
            raise DeviceError(
                f"this Accelerator was opened by process {self._process}, of which this one is a "
                "fork: open another here"
            )
        if not entered:
            self._check_caller()

    def _check_caller(self) -> None:
        if self._owner == threading.get_ident():
            raise DeviceError(
                "this Accelerator is in the midst of a call: it cannot be called from within, as "
                "by a signal handler"
            )

    @property
    def backend(self) -> str:
        """What the results call it: ``board``, or ``rtl`` where a simulator is in its place."""
        return backend(self.bundle)

    @property
    def pynq_version(self) -> str:
        """Version of pynq, as ``3.1.2``."""
        return str(self._pynq.__version__)

    @property
    def taps(self) -> TapRecorder | None:
        """What records the layer boundaries, None on a device that cannot show them."""
        recorder = getattr(self._device, "library", None)
        if callable(getattr(recorder, "record", None)):
            return cast("TapRecorder", recorder)
        return None

    @property
    def reports_bus_errors(self) -> bool:
        """Whether a refused bus access comes back as an error, and does not stop the machine."""
        return bool(self._device.has_capability("BUS_ERRORS"))

    @property
    def _device(self) -> Any:
        return self._overlay.device

    # Registers, by name and by place

    @_alone
    def read_register(self, name: str, memory: Memory | None = None) -> int:
        """Read a register, of a memory where one is given.

        Raises:
            InputError: there is no such register.
            DeviceError: it was not answered.
        """
        self._check_register(name, memory)
        return self._read(name, memory)

    @_alone
    def write_register(self, name: str, value: int, memory: Memory | None = None) -> None:
        """Write a register, of a memory where one is given.

        Raises:
            InputError: there is no such register, or the value has more than 32 bits.
            DeviceError: it was not answered.
        """
        self._check_register(name, memory)
        number = checks.whole(f"value for {name}", value, 0, checks.WORD)
        if name == "FRAMES_PER_TRANSFER":
            self._left = None
        self._write(name, number, memory)
        if name == "FRAMES_PER_TRANSFER":
            self._left = number

    @_alone
    def read_word(self, offset: int) -> int:
        """Read 32 bits at a byte offset of the accelerator's slave."""
        self._check_offset(offset)
        with _named(f"reading offset {offset:#x}"):
            return int(self._mmio.read(int(offset)))

    @_alone
    def write_word(self, offset: int, value: int) -> None:
        """Write 32 bits at a byte offset of the accelerator's slave."""
        self._check_offset(offset)
        number = checks.whole("value", value, 0, checks.WORD)
        with _named(f"writing offset {offset:#x}"):
            self._mmio.write(int(offset), number)

    @_alone
    def status(self, field: str) -> bool:
        """Return a field of STATUS: ``idle``, ``busy``, ``refused`` or ``partial``."""
        if not isinstance(field, str) or field not in _STATUS_FIELDS:
            raise InputError(
                f"field {shown(field)} of STATUS: must be one of {', '.join(_STATUS_FIELDS)}"
            )
        return self._status(field)

    def _check_register(self, name: str, memory: Memory | None) -> None:
        known = self._registers.globals if memory is None else self._registers.memory
        if memory is not None:
            self._check_memory(memory)
        if not isinstance(name, str) or name not in known:
            raise InputError(f"register {shown(name)}: must be one of {', '.join(sorted(known))}")

    def _check_offset(self, offset: int) -> None:
        size = self._mmio.length
        checks.whole("offset", offset, 0, size - 4)
        if offset % 4:
            raise InputError(f"offset {offset:#x}: must be a multiple of 4")

    def _check_memory(self, memory: Memory) -> None:
        if not isinstance(memory, Memory) or memory not in self.bundle.memories:
            raise InputError(
                f"memory {shown(memory)}: must be one of the bundle, as bundle.memory(name)"
            )

    def _memory(self, name: str, weights: bool = False) -> Memory:
        """Return a memory by its name, of weights where they are asked for."""
        if not isinstance(name, str):
            raise InputError(f"memory {shown(name)}: must be the name of one")
        memory = self.bundle.memory(name)
        if weights and not memory.is_weights:
            raise InputError(f"{name} holds no weights")
        return memory

    def _read(self, name: str, memory: Memory | None = None) -> int:
        with _named(f"reading {_register_name(name, memory)}"):
            return int(self._mmio.read(self._offset(name, memory)))

    def _write(self, name: str, value: int, memory: Memory | None = None) -> None:
        with _named(f"writing {_register_name(name, memory)}"):
            self._mmio.write(self._offset(name, memory), value)

    def _offset(self, name: str, memory: Memory | None) -> int:
        if memory is None:
            return self._registers.globals[name]
        return self._registers.of_memory(memory.index, name)

    def _status(self, field: str) -> bool:
        return bool(self._registers.extract("STATUS", field, self._read("STATUS")))

    def _wait(self, done: Callable[[], bool], what: str, limit_s: float | None = None) -> None:
        wait_s = self.wait_s if limit_s is None else min(limit_s, self.wait_s)
        limit = time.monotonic() + wait_s
        while not done():
            if time.monotonic() > limit:
                raise DeviceError(f"{what} did not answer within {wait_s:g} s")

    def _wait_idle(self, limit_s: float | None = None) -> None:
        def idle() -> bool:
            word = self._read("STATUS")
            # A command whose caller was interrupted may still be under way.
            return bool(self._registers.extract("STATUS", "idle", word)) and not (
                self._registers.extract("STATUS", "busy", word)
            )

        self._wait(idle, "the accelerator (STATUS.idle)", limit_s)

    def _command(self, field: str, limit_s: float | None = None) -> None:
        def done() -> bool:
            return not self._status("busy")

        what = f"CONTROL.{field} (STATUS.busy)"
        self._wait(done, what, limit_s)
        self._write("CONTROL", self._registers.field("CONTROL", field, 1))
        self._wait(done, what, limit_s)

    # What is left to do after a call that was interrupted

    def _settle(self, limit_s: float | None = _SETTLE_S) -> None:
        """Do what a call that ended too soon has left to do. It may itself end at any place."""
        if self._fallback is not None:
            self._start_dma(limit_s)
            for channel in (self._dma.sendchannel, self._dma.recvchannel):
                channel.start()  # runs already: pynq only notes that no transfer came before
            self._command("soft_reset", limit_s)
            self._write("FRAMES_PER_TRANSFER", self._mark)
            self._left = self._mark
            self._streams = self._fallback
            self._fallback = None
        if self._owed:
            self._wait_idle(limit_s)
            for (memory, name), value in self._owed.items():
                if self._read(name, memory) != value:
                    self._write(name, value, memory)
            self._owed = {}

    def _settle_at_once(self) -> None:
        # What fails here is tried again before the next call, which then says why.
        with suppress(Exception):
            self._settle()

    def _start_dma(self, limit_s: float | None) -> None:
        """Reset the DMA, which drops its transfers, and let both channels run."""
        registers = self._dma_registers
        with _named("resetting the DMA"):
            registers.write(0, _DMA_RESET)
            self._wait(lambda: not registers.read(0) & _DMA_RESET, "the DMA (its reset)", limit_s)
            for channel in _DMA_CHANNELS:
                registers.write(channel, _DMA_RUN)
                what = f"the DMA (halted, its status at {channel + _DMA_STATUS:#x})"
                self._wait(functools.partial(self._dma_runs, channel), what, limit_s)

    def _dma_runs(self, channel: int) -> bool:
        return not self._dma_registers.read(channel + _DMA_STATUS) & _DMA_HALTED

    def _begin(self, what: str) -> None:
        """Note that streams, counters or the DMA are about to move."""
        if self._streams is _Streams.LOST:
            raise DeviceError(
                f"{what}: a call was interrupted, and with it the counters and random streams that "
                "had moved before it were lost: call soft_reset() or write_weights() first"
            )
        before = self._streams
        self._fallback = _Streams.RESET if before is _Streams.RESET else _Streams.LOST
        self._streams = _Streams.MOVED

    def _check_loaded(self) -> None:
        """Raise DeviceError if another accelerator has been loaded in place of this one."""
        found = self._read("BUILD_ID")
        if found != self.bundle.build_id:
            raise DeviceError(
                f"BUILD_ID reads {found:#x}, {self.bundle.build_id:#x} expected: another "
                "accelerator is loaded: open this one again"
            )
        if self._left is None:
            return
        found = self._read("FRAMES_PER_TRANSFER")
        if found != self._left:
            raise DeviceError(
                f"FRAMES_PER_TRANSFER reads {found}, {self._left} was left there: the accelerator "
                "was loaded anew or used by another program: open it again"
            )

    def facts(self) -> Iterator[Fact]:
        """Read the registers that say what is loaded, each with what the bundle says of it."""
        for name, expected in (
            ("ID", self._registers.identity),
            ("MAP_VERSION", MAP_VERSION),
            ("BUILD_ID", self.bundle.build_id),
            ("NUM_MEMORIES", len(self.bundle.memories)),
        ):
            yield Fact(name, self.read_register(name), expected)
        for memory in self.bundle.memories:
            info = self._registers.field("INFO", "kind", 0 if memory.is_weights else 1)
            info |= self._registers.field("INFO", "layer", memory.layer)
            for name, expected in (
                ("INFO", info),
                ("WIDTH", memory.width),
                ("DEPTH", memory.depth),
            ):
                label = _register_name(name, memory)
                yield Fact(label, self.read_register(name, memory), expected)

    # What is asked of it

    @_alone
    def soft_reset(self) -> None:
        """Clear pipelines, stream positions and counters; weights and error settings stay."""
        self._check_loaded()
        self._command("soft_reset")
        self._streams = _Streams.RESET

    @_alone
    def clear(self) -> None:
        """Zero all counters."""
        self._check_loaded()
        self._command("clear")

    @_alone
    def snapshot(self) -> Snapshot:
        """Read all counters as they are now.

        Raises:
            DeviceError: a call was interrupted that counted, so that there is nothing to read.
        """
        if self._streams is _Streams.LOST:
            raise DeviceError(
                "snapshot: a call was interrupted, and with it the counters that had moved before "
                "it were lost: call soft_reset() or write_weights() first"
            )
        self._check_loaded()
        return self._snapshot()

    def _snapshot(self) -> Snapshot:
        self._command("snapshot")
        return Snapshot(
            memories={memory.name: self._counts(memory) for memory in self.bundle.memories},
            frames=self._read("FRAMES_DONE"),
            cycles=self._read("CYCLES_LO") | self._read("CYCLES_HI") << 32,
            stalls=self._read("STALLS_LO") | self._read("STALLS_HI") << 32,
        )

    def _counts(self, memory: Memory) -> Counts:
        written, switched, err1, err0 = (
            self._read(f"{name}_LO", memory) | self._read(f"{name}_HI", memory) << 32
            for name in ("WRITTEN", "SWITCHED", "ERR1", "ERR0")
        )
        return Counts(written, switched, err1, err0)

    @_alone
    def set_errors(
        self,
        memory: str,
        mode: str,
        rate1: float = 0.0,
        rate0: float | None = None,
        seed: int = 0,
    ) -> None:
        """Set how the writes of one memory err; restarts its random stream.

        Equal seeds in two memories give both the same stream of draws, so that their errors are not
        independent: give each memory the seed ``rates.memory_seed(base_seed, repeat,
        bundle.memory(name).index)``, as sweeps do.

        Args:
            memory: the memory's name.
            mode: ``off``, ``flip`` or ``switch``.
            rate1: probability that a written 1 errs.
            rate0: probability that a written 0 errs; as ``rate1`` if not given.
            seed: 32-bit seed of the memory's stream.

        Raises:
            RateError: a rate that the registers cannot hold, or a rate with mode off.
            InputError: no such memory, mode or seed.
            DeviceError: the accelerator was not idle and refused.
        """
        where = self._memory(memory)
        threshold1 = stream.threshold(rate1)
        threshold0 = threshold1 if rate0 is None else stream.threshold(rate0)
        check_mode(mode)
        if mode == "off" and (threshold1 or threshold0):
            raise RateError(
                f"bit-error rate {rate1} with mode off: choose flip or switch, or rate 0"
            )
        self._set_thresholds(where, mode, threshold1, threshold0, seed)

    @_alone
    def set_thresholds(
        self, memory: str, mode: str, threshold1: int = 0, threshold0: int = 0, seed: int = 0
    ) -> None:
        """Set how the writes of one memory err, as :meth:`set_errors`, by thresholds.

        Args:
            memory: the memory's name.
            mode: ``off``, ``flip`` or ``switch``.
            threshold1, threshold0: what RATE1 and RATE0 hold, 32 bits: the rate times 2^32.
            seed: 32-bit seed of the memory's stream.

        Raises:
            InputError: no such memory, mode, threshold or seed.
            DeviceError: the accelerator was not idle and refused.
        """
        where = self._memory(memory)
        check_mode(mode)
        self._set_thresholds(where, mode, threshold1, threshold0, seed)

    def _set_thresholds(
        self, memory: Memory, mode: str, threshold1: int, threshold0: int, seed: int
    ) -> None:
        self._configure(
            memory,
            {
                "MODE": MODES.index(mode),
                "RATE1": checks.whole("threshold1", threshold1, 0, checks.WORD),
                "RATE0": checks.whole("threshold0", threshold0, 0, checks.WORD),
                "SEED": checks.whole("seed", seed, 0, checks.WORD),
            },
        )

    def set_condition(
        self, memory: str, condition: Rates, mode: str = "flip", seed: int = 0
    ) -> None:
        """Set the errors of one memory from a write condition of ``spinflow.host.mtj``."""
        try:
            rate1, rate0 = condition.rate1, condition.rate0
        except AttributeError:
            raise InputError(
                f"write condition {shown(condition)}: must have rate1 and rate0, as those "
                "of spinflow.host.mtj"
            ) from None
        self.set_errors(memory, mode, rate1, rate0, seed)

    @_alone
    def configure(self, memory: Memory, settings: Mapping[str, int]) -> None:
        """Write some of a memory's MODE, RATE1, RATE0 and SEED; restarts its random stream.

        Raises:
            InputError: no such memory, setting or value.
            DeviceError: the accelerator was not idle and refused.
        """
        self._check_memory(memory)
        if not isinstance(settings, Mapping) or not set(settings) <= set(_SETTINGS):
            raise InputError(
                f"settings {shown(settings)}: must give numbers for some of {', '.join(_SETTINGS)}"
            )
        self._configure(
            memory,
            {
                name: checks.whole(
                    name, value, 0, len(MODES) - 1 if name == "MODE" else checks.WORD
                )
                for name, value in settings.items()
            },
        )

    def _configure(self, memory: Memory, settings: Mapping[str, int]) -> None:
        self._check_loaded()
        self._wait_idle()
        before = {name: self._read(name, memory) for name in settings}
        self._owed = {(memory, name): value for name, value in settings.items()}
        try:
            self._set(memory, settings)
        except DeviceError:
            # Refused: as it was before, also where the frame came after the first of them.
            self._owed = {(memory, name): value for name, value in before.items()}
            if all(self._read(name, memory) == value for name, value in before.items()):
                self._owed = {}
            else:
                self._fallback = _Streams.LOST
            raise
        self._owed = {}

    def _set(self, memory: Memory, settings: Mapping[str, int]) -> None:
        """Write settings and make sure that they were taken."""
        self._write("STATUS", self._registers.field("STATUS", "refused", 1))
        for name, value in settings.items():
            self._write(name, value, memory)
        if self._status("refused"):
            raise DeviceError(f"the accelerator was not idle and refused settings of {memory.name}")

    @_alone
    def errors(self, memory: str) -> tuple[str, float, float, int]:
        """Return mode, rate1, rate0 and seed of one memory, as the registers hold them."""
        where = self._memory(memory)
        self._check_loaded()
        code = self._registers.extract("MODE", "value", self._read("MODE", where))
        return (
            MODES[code] if code < len(MODES) else f"code {code}",
            stream.rate(self._read("RATE1", where)),
            stream.rate(self._read("RATE0", where)),
            self._read("SEED", where),
        )

    @_alone
    def write_weights(
        self,
        arrays: Mapping[str, Words] | None = None,
        memories: Sequence[str] | None = None,
        background: str = "previous",
    ) -> dict[str, Counts]:
        """Write weights through the ports that make errors, and soft-reset the accelerator.

        The background is written first with mode off, then all counters are cleared, the mode of
        each memory is set again (which restarts its stream), and the weights are written. The soft
        reset at the end brings all streams to their start, from which the images then go on; it
        also clears the counters, which is why this method returns them.

        If it is interrupted, the errors are set as before it, and all memories that it was to write
        must be written again: ``run`` and ``read_weights`` refuse until then.

        Args:
            arrays: words by memory name, uint32 of shape (depth, segments); the bundle's weights
                where none are given.
            memories: names of the weight memories to write; all of them if not given.
            background: ``zeros``, ``ones``, ``random:SEED`` or ``previous``.

        Returns:
            Counts of the writing of the weights alone, by memory name.

        Raises:
            InputError: no such memory or background, or words of the wrong size or type.
            DeviceError: errors are to be made over what an interrupted writing left.
        """
        given = self._given(arrays, memories)
        check_background(background)
        self._check_loaded()
        self._wait_idle()
        modes = {memory.name: self._read("MODE", memory) for memory in given}
        for memory in given:
            torn = self._contents[memory.name] is _Contents.TORN
            if torn and background == "previous" and modes[memory.name] != MODES.index("off"):
                raise DeviceError(
                    f"{memory.name}: its last writing was interrupted, so there is no previous "
                    "content to err over: choose another background, or write with errors off first"
                )
        self._note_contents(_Contents.TORN, given)
        self._fallback = _Streams.RESET
        self._streams = _Streams.MOVED
        for memory in given:
            mode = modes[memory.name]
            before = background_words(memory, background)
            if before is not None:
                self._owed = {(memory, "MODE"): mode}
                self._set(memory, {"MODE": MODES.index("off")})
                self._store(memory, before)
            # The stream starts again, whatever was written since the errors were set.
            self._set(memory, {"MODE": mode})
            self._owed = {}
        self._command("clear")
        for memory, words in given.items():
            self._store(memory, words)
        counts = self._snapshot().memories
        self._command("soft_reset")
        self._note_contents(_Contents.WRITTEN, given)
        self._streams = _Streams.RESET
        self._fallback = None
        return {memory.name: counts[memory.name] for memory in given}

    def _given(
        self, arrays: Mapping[str, Words] | None, memories: Sequence[str] | None
    ) -> dict[Memory, Words]:
        """Return what ``write_weights`` is to write, by memory."""
        if arrays is not None and not isinstance(arrays, Mapping):
            raise InputError(
                f"arrays {shown(arrays)}: must be words by the memory's name, as "
                '{"fc0.weights": words}'
            )
        of = dict(arrays or {})
        names = list(self._contents) if memories is None else checks.names("memories", memories)
        chosen = [self._memory(name, weights=True) for name in dict.fromkeys([*names, *of])]
        given = {memory: of.get(memory.name, self.bundle.weights[memory.name]) for memory in chosen}
        for memory, words in given.items():
            check_words(memory, words)
        return given

    def _note_contents(self, contents: _Contents, memories: Iterable[Memory]) -> None:
        self._contents = {**self._contents, **{memory.name: contents for memory in memories}}

    @_alone
    def store(self, memory: Memory, words: Words, addresses: Sequence[int] | None = None) -> None:
        """Write words of a weight memory, as errors are set, and nothing else.

        Neither stream nor counters are restarted: see :meth:`write_weights` for the whole of it.
        If it is interrupted, the memory must be written again, whole.

        Args:
            memory: the memory.
            words: uint32, shape (n, segments).
            addresses: where each goes, in this order; words 0 to n - 1 if not given.

        Raises:
            InputError: words of another type or shape, or an address beyond the depth.
            DeviceError: a call before it was interrupted, and its streams are lost.
        """
        self._check_memory(memory)
        if not memory.is_weights:
            raise InputError(f"{memory.name} holds no weights")
        places = None if addresses is None else checks.addresses(memory, addresses)
        checks.some_words(memory, words, None if places is None else len(places))
        self._check_loaded()
        self._wait_idle()
        self._begin("store")
        before = self._contents[memory.name]
        whole = len(set(range(len(words)) if places is None else places)) == memory.depth
        self._note_contents(_Contents.TORN, [memory])
        self._store(memory, words, places)
        self._note_contents(_Contents.WRITTEN if whole else before, [memory])
        self._fallback = None

    def _store(self, memory: Memory, words: Words, addresses: Sequence[int] | None = None) -> None:
        # Words go out in order, least significant segment first: the random stream counts so.
        self._wait_idle()
        places = self._places(memory, range(len(words)) if addresses is None else addresses)
        with _named(f"writing the weights of {memory.name}"):
            put(self._mmio.array, places, words)
        self._check_whole_words(f"writing the weights of {memory.name}")
        self._wait_idle()

    def _check_whole_words(self, what: str) -> None:
        """Raise DeviceError if the accelerator has refused a write of less than a word."""
        if "partial" in self._registers.fields["STATUS"] and self._status("partial"):
            self._write("STATUS", self._registers.field("STATUS", "partial", 1))
            raise DeviceError(
                f"{what}: less than a word of 32 bits was written and refused (STATUS.partial): "
                "words go out through spinflow.host.board.window alone"
            )

    def _places(self, memory: Memory, addresses: Iterable[int]) -> npt.NDArray[np.intp]:
        """Return where words of a weight memory lie in the window, by word and segment.

        The gap behind a word whose segments do not fill its stride is in no window.
        """
        words = np.array(list(addresses), dtype=np.intp)
        starts = memory.base // 4 + words * (memory.stride // 4)
        return starts[:, None] + np.arange(memory.segments)

    @_alone
    def read_weights(self, memory: str, addresses: Sequence[int] | None = None) -> Words:
        """Read a weight memory back.

        Args:
            memory: its name.
            addresses: the words that are read, in this order; all of them if not given.

        Returns:
            uint32, shape (words, segments).

        Raises:
            InputError: no such weight memory, or an address beyond its depth.
            DeviceError: the writing of the memory was interrupted.
        """
        where = self._memory(memory, weights=True)
        places = None if addresses is None else checks.addresses(where, addresses)
        self._check_loaded()
        self._check_contents([where.name], written=False)
        self._wait_idle()
        return self._read_words(where, places)

    def _read_words(self, where: Memory, addresses: Sequence[int] | None) -> Words:
        places = self._places(where, range(where.depth) if addresses is None else addresses)
        with _named(f"reading the weights of {where.name}"):
            return get(self._mmio.array, places)

    def _check_contents(self, names: Iterable[str], written: bool = True) -> None:
        """Raise DeviceError unless weight memories hold what was asked for, written whole."""
        of = {name: self._contents[name] for name in names}
        torn = [name for name, contents in of.items() if contents is _Contents.TORN]
        missing = [name for name, contents in of.items() if contents is _Contents.UNWRITTEN]
        if torn:
            raise DeviceError(
                f"the writing of {_listed(torn)} was interrupted: write the weights again, with "
                "write_weights()"
            )
        if missing and written:
            raise DeviceError(
                f"{_listed(missing)}: no weights were written since the accelerator was loaded: "
                "call write_weights() first"
            )

    @_alone
    def run(
        self, images: npt.NDArray[Any], transfer: int = FRAMES_A_TRANSFER
    ) -> npt.NDArray[np.uint8]:
        """Classify images.

        If it is interrupted, the accelerator is soft-reset. Where it stood so before the call,
        which is how :meth:`write_weights` leaves it, nothing has changed; where it did not,
        counters and random streams are lost, and ``run``, ``store`` and ``snapshot`` refuse until
        the next :meth:`soft_reset` or :meth:`write_weights`.

        Args:
            images: uint8, shape (n, pixels) or (n, *input shape), n at least 1.
            transfer: images that one DMA transfer carries, at most.

        Returns:
            Labels, uint8, shape (n,).

        Raises:
            InputError: images of another type or shape, or a transfer of less than one image.
            DeviceError: the weights were not written, a transfer did not finish, or a label is not
                below the classes.
        """
        frames = self._frames(images)
        limit = min(checks.whole("transfer", transfer, 1), self._frames_limit)
        self._check_loaded()
        self._check_contents(self._contents)
        buffers = self._allocate(min(len(frames), limit))
        labels = np.empty(len(frames), np.uint8)
        self._wait_idle()
        self._begin("run")
        self._left = None
        for start in range(0, len(frames), limit):
            batch = frames[start : start + limit]
            labels[start : start + len(batch)] = self._transfer(batch, *buffers)
        self._write("FRAMES_PER_TRANSFER", self._mark)
        self._left = self._mark
        self._fallback = None
        return labels

    @_alone
    def begin_frame(self) -> None:
        """Send the first four bytes of a frame: not idle until the next soft reset."""
        self._check_loaded()
        images, _ = self._allocate(1)
        self._wait_idle()
        self._begin("begin_frame")
        what = "the DMA sending 4 bytes"
        with _dma_named(what):
            self._dma.sendchannel.transfer(images, nbytes=4)
            self._finish(self._dma.sendchannel, what)
        self._fallback = None

    def _frames(self, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        shape = self.bundle.input_shape
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            found = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
            raise InputError(f"images must be a uint8 array (pixels 0 to 255), not {found}")
        if not len(images.shape) or images.shape[1:] not in (shape, (self.bundle.pixels,)):
            flat = "" if len(shape) == 1 else f" or (n, {self.bundle.pixels})"
            raise InputError(
                f"images must have shape (n, {', '.join(map(str, shape))}){flat}, not "
                f"{images.shape}"
            )
        if not len(images):
            raise InputError("no images: at least one is needed")
        return images.reshape(len(images), self.bundle.pixels)

    def _allocate(self, frames: int) -> tuple[Any, Any]:
        """Return DMA buffers of images and labels that hold at least so many."""
        if self._buffers is not None and len(self._buffers[0]) >= frames:
            return self._buffers
        self._buffers = None  # let go first, as there may not be room for both
        try:
            images = self._pynq.allocate(
                (frames, self.bundle.pixels), dtype=np.uint8, target=self._device
            )
            labels = self._pynq.allocate((frames,), dtype=np.uint32, target=self._device)
        except (MemoryError, RuntimeError, OSError) as error:
            raise DeviceError(
                f"no DMA memory for {frames} images of {self.bundle.pixels} bytes: {error}: "
                "choose a smaller transfer"
            ) from None
        self._buffers = images, labels
        return self._buffers

    def _transfer(
        self, batch: npt.NDArray[np.uint8], images: Any, labels: Any
    ) -> npt.NDArray[np.uint8]:
        count = len(batch)
        self._wait_idle()
        self._write("FRAMES_PER_TRANSFER", count)
        images[:count] = batch
        # pynq's channels flush before sending and invalidate after receiving. The receiver is
        # started first, so that no label waits in the accelerator for it.
        sending, receiving = f"the DMA sending {count} images", f"the DMA receiving {count} labels"
        with _dma_named(receiving):
            self._dma.recvchannel.transfer(labels, nbytes=4 * count)
        with _dma_named(sending):
            self._dma.sendchannel.transfer(images, nbytes=batch.size)
            self._finish(self._dma.sendchannel, sending)
        with _dma_named(receiving):
            self._finish(self._dma.recvchannel, receiving)
        received = int(self._dma.recvchannel.transferred)
        if received != 4 * count:
            raise DeviceError(f"the DMA received {received} bytes of labels, {4 * count} expected")
        found = np.array(labels[:count])
        if found.max() >= self.bundle.classes:
            raise DeviceError(f"label {found.max()} received, all are below {self.bundle.classes}")
        return found.astype(np.uint8)

    def _finish(self, channel: Any, what: str) -> None:
        # The channel's own wait() has no limit: it is called when there is nothing to wait for.
        self._wait(lambda: bool(channel.idle or channel.error), what)
        channel.wait()


def _close_older() -> None:
    """Close the accelerator that was opened before in this process, as its logic is about to go."""
    reference = Accelerator._newest
    older = None if reference is None else reference()
    if older is not None and older._closed is None:
        older._close("another Accelerator was opened after it, and took its place")


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@contextmanager
def _dma_named(what: str) -> Iterator[None]:
    """Name a transfer in the error when the DMA or pynq's driver of it fails."""
    with _named(what):
        try:
            yield
        except RuntimeError as error:
            raise DeviceError(f"{what}: {error}") from None
