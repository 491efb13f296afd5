"""One loaded accelerator: how it is opened and closed, who may call it, and what mends it.

A call may end by any exception at any place, as by Ctrl-C. The driver notes in software, before it
changes anything, what is true if the call ends there; what is then left to do (a DMA to stop,
registers to write) is done at once, and if that fails too, before the next call. So the
accelerator is in the state before the call or in the one after it. Where hardware can be brought to
neither, calls that would use what is lost refuse, and name the call that mends it.
"""

from __future__ import annotations

import enum
import functools
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar, cast

from spinflow.host.board.guards import ctrl_c_held_back, named
from spinflow.host.board.pynq_device import (
    TapRecorder,
    backend,
    board_name,
    check_board,
    check_pynq,
    import_pynq,
)
from spinflow.host.board.registers import RegisterAccess
from spinflow.host.board.transfers import Transfers
from spinflow.host.board.weights import WeightWindows
from spinflow.host.core import checks
from spinflow.host.core.bundle import Bundle, MemoryInfo
from spinflow.host.core.errors import DeviceError, InputError
from spinflow.host.core.text import shown

_SETTLE_S = 1.0
"""Seconds that a step of mending may take after an interrupted call; a board takes microseconds."""

L = TypeVar("L", bound="Loaded")
P = ParamSpec("P")
T = TypeVar("T")


class Streams(enum.Enum):
    """How counters, stream positions and buffers stand to what the caller has asked for."""

    RESET = "as after a soft reset"
    MOVED = "moved on since by calls that ended well"
    LOST = "reset by a call that was interrupted, though they had moved before it"


class Contents(enum.Enum):
    """What a weight memory holds."""

    UNWRITTEN = "never written whole since the accelerator was loaded"
    WRITTEN = "written whole"
    TORN = "left in the midst of a writing"


_opening = threading.RLock()


def alone(call: Callable[Concatenate[L, P], T]) -> Callable[Concatenate[L, P], T]:
    """Make a method of an open accelerator that one thread at a time is in.

    It begins when all is mended that an interrupted call left, and mends what it leaves itself.
    """

    @functools.wraps(call)
    def entered(self: L, /, *args: P.args, **kwargs: P.kwargs) -> T:
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

    return entered


class Loaded:
    """A bundle's accelerator in the programmable logic, without the calls that use it.

    Args:
        bundle: the bundle to load.
        wait_s: seconds after which an access that has not answered is given up.

    Raises:
        InputError: an argument of another type or range.
        DeviceError: it cannot be loaded, the bundle is for another board, or pynq is missing, of
            another version or without a device.
    """

    _newest: ClassVar[weakref.ref[Loaded] | None] = None  # of this process

    def __init__(self, bundle: Bundle, wait_s: float) -> None:
        if not isinstance(bundle, Bundle):
            raise InputError(
                f"bundle {shown(bundle)}: must be what spinflow.host.core.bundle.load returns"
            )
        self.bundle = bundle
        self.wait_s = checks.seconds("wait_s", wait_s)
        self._lock = threading.Lock()
        self._owner: int | None = None  # the thread that is in a call
        self._process = os.getpid()
        self._closed: str | None = None  # why, once it is
        if bundle.overlay is None:
            raise DeviceError(f"{bundle.folder} was loaded without what runs it")
        # A module whose import was interrupted, or a device half found, cannot be had again.
        with ctrl_c_held_back():
            self._pynq = import_pynq()
            check_pynq(self.pynq_version)
            check_board(bundle, board_name(self._pynq, bundle.board))

        # What is true if a call ends here: see _settle.
        self._streams = Streams.MOVED
        self._fallback: Streams | None = None  # the streams' state if the call under way ends
        self._owed: dict[tuple[MemoryInfo, str], int] = {}  # registers that are to be written
        self._contents = {m.name: Contents.UNWRITTEN for m in bundle.memories if m.is_weights}
        # Between runs FRAMES_PER_TRANSFER holds a number that nobody else would write: loading the
        # logic anew, as another program may, resets it.
        self._mark = 1 << 31 | secrets.randbits(31)
        self._left: int | None = None  # what FRAMES_PER_TRANSFER must read, None where not known

        with _opening:
            _close_older()
            self._load()

    def _load(self) -> None:
        """Load the bundle's logic and find the cells that the driver needs."""
        overlay = self.bundle.overlay
        with named(f"loading {overlay}"):
            try:
                self._overlay = self._pynq.Overlay(str(cast("Path", overlay).resolve()))
            except (RuntimeError, ValueError) as error:
                raise DeviceError(f"{overlay} cannot be loaded: {error}") from None
            cells = self._overlay.ip_dict
            for cell in ("accel", "dma"):
                if cell not in cells:
                    raise DeviceError(f"{overlay}: the hardware handover file has no cell {cell}")
            self._mmio = self._overlay.accel.mmio
            self._registers = RegisterAccess(self.bundle.registers, self._mmio, self.wait_s)
            self._windows = WeightWindows(self._mmio, self._registers)
            place = cells["dma"]["phys_addr"], cells["dma"]["addr_range"]
            self._transfers = Transfers(
                self._pynq, self._device, place, self.bundle, self._registers
            )
            # pynq starts both channels too, but would wait for ever for one that does not start.
            self._transfers.start()
            self._transfers.dma = self._overlay.dma
        Loaded._newest = weakref.ref(self)

    def __enter__(self: L) -> L:
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
                self._transfers.release()
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

    # What is left to do after a call that was interrupted

    def _settle(self, limit_s: float | None = _SETTLE_S) -> None:
        """Do what a call that ended too soon has left to do. It may itself end at any place."""
        if self._fallback is not None:
            self._transfers.restart(limit_s)
            self._registers.command("soft_reset", limit_s)
            self._registers.write("FRAMES_PER_TRANSFER", self._mark)
            self._left = self._mark
            self._streams = self._fallback
            self._fallback = None
        if self._owed:
            self._registers.wait_idle(limit_s)
            for (memory, name), value in self._owed.items():
                if self._registers.read(name, memory) != value:
                    self._registers.write(name, value, memory)
            self._owed = {}

    def _settle_at_once(self) -> None:
        # What fails here is tried again before the next call, which then says why.
        with suppress(Exception):
            self._settle()

    def _begin(self, what: str) -> None:
        """Note that streams, counters or the DMA are about to move."""
        if self._streams is Streams.LOST:
            raise DeviceError(
                f"{what}: a call was interrupted, and with it the counters and random streams that "
                "had moved before it were lost: call soft_reset() or write_weights() first"
            )
        before = self._streams
        self._fallback = Streams.RESET if before is Streams.RESET else Streams.LOST
        self._streams = Streams.MOVED

    def _check_loaded(self) -> None:
        """Raise DeviceError if another accelerator has been loaded in place of this one."""
        found = self._registers.read("BUILD_ID")
        if found != self.bundle.build_id:
            raise DeviceError(
                f"BUILD_ID reads {found:#x}, {self.bundle.build_id:#x} expected: another "
                "accelerator is loaded: open this one again"
            )
        if self._left is None:
            return
        found = self._registers.read("FRAMES_PER_TRANSFER")
        if found != self._left:
            raise DeviceError(
                f"FRAMES_PER_TRANSFER reads {found}, {self._left} was left there: the accelerator "
                "was loaded anew or used by another program: open it again"
            )

    def _note_contents(self, contents: Contents, memories: Iterable[MemoryInfo]) -> None:
        """Note what weight memories hold."""
        self._contents = {**self._contents, **{memory.name: contents for memory in memories}}

    def _check_contents(self, names: Iterable[str], written: bool = True) -> None:
        """Raise DeviceError unless weight memories hold what was asked for, written whole."""
        of = {name: self._contents[name] for name in names}
        torn = [name for name, contents in of.items() if contents is Contents.TORN]
        missing = [name for name, contents in of.items() if contents is Contents.UNWRITTEN]
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


def _close_older() -> None:
    """Close the accelerator that was opened before in this process, as its logic is about to go."""
    reference = Loaded._newest
    older = None if reference is None else reference()
    if older is not None and older._closed is None:
        older._close("another Accelerator was opened after it, and took its place")


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
