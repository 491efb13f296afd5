"""The driver of the accelerator, the same on a board and on the simulator.

It stands on stock pynq only: ``Overlay`` loads the bundle, ``MMIO`` reaches the registers and the
weight windows, ``pynq.lib.dma.DMA`` moves images and labels. In ten lines:

    from pathlib import Path
    from host.bundle import load
    from host.driver import Accelerator

    with Accelerator(load(Path("build/tfc-mnist"))) as accelerator:
        accelerator.set_errors("fc0.weights", "flip", 1e-2, seed=1)
        written = accelerator.write_weights(background="zeros")
        labels = accelerator.run(images)
        print(written["fc0.weights"].errors, accelerator.snapshot().cycles)
"""

from __future__ import annotations

import importlib
import os
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from host import rates
from host.bundle import MAP_VERSION, Bundle, Memory, Words, check_words
from host.errors import DeviceError, InputError, RateError
from host.on_board import PYNQ_VERSIONS, knows_pynq

MODES = ("off", "flip", "switch")
"""Error modes; the place of each is its code in the MODE register."""

FRAMES_A_TRANSFER = 1000
"""Images that one DMA transfer carries at most, unless its length register allows fewer."""

_BACKGROUND = re.compile(r"(zeros|ones|previous|random:[0-9]{1,10})\Z")
_ZYNQ_FPGA_MANAGER = Path("/sys/class/fpga_manager/fpga0")
_BOARD_NAME = Path("/proc/device-tree/chosen/pynq_board")  # of every PYNQ image
_VIRTUAL_BOARD = "sim.board"
_VIRTUAL_BOARD_SWITCH = "SPINFLOW_SIM"
_DMA_RESET = 4


class TapRecorder(Protocol):
    """What a device has that shows layer boundaries: a simulator can, programmable logic cannot."""

    def record(self, names: Iterable[str] | None = None) -> None:
        """Record these taps from now on, by default all, and no others."""

    def recorded(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return what was recorded since the last call, by tap: unsigned, shape (n, elements)."""


class Rates(Protocol):
    """A write condition, as far as the registers need it (see ``host.mtj``)."""

    @property
    def rate1(self) -> float:
        """Probability that writing a 1 errs."""

    @property
    def rate0(self) -> float:
        """Probability that writing a 0 errs."""


@dataclass(frozen=True)
class Counts:
    """Counters of one memory: bits written, bits that differed from the old, errors by target."""

    written: int = 0
    switched: int = 0
    err1: int = 0
    err0: int = 0

    @property
    def errors(self) -> int:
        """Errors whatever the target."""
        return self.err1 + self.err0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.written + other.written,
            self.switched + other.switched,
            self.err1 + other.err1,
            self.err0 + other.err0,
        )


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


def check_mode(mode: str) -> None:
    """Raise InputError unless there is such an error mode."""
    if mode not in MODES:
        raise InputError(f"error mode {mode!r}: must be one of {', '.join(MODES)}")


def check_background(background: str) -> None:
    """Raise InputError unless there is such a background."""
    if not _BACKGROUND.match(background) or int(background.partition(":")[2] or 0) >= 2**32:
        raise InputError(
            f"background {background!r}: must be zeros, ones, random:SEED (32 bits) or previous"
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
    stream = rates.memory_seed(int(background.partition(":")[2]), 0, memory.index)
    words = rates.draws(stream, np.arange(memory.depth * memory.segments))
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


class Accelerator:
    """One loaded accelerator. A context manager; leaving it frees the DMA buffers.

    Args:
        bundle: the bundle to load.
        wait_s: seconds after which an access that has not answered is given up.
        check: compare the registers that say what it is with the bundle, and reset it; without,
            that is left to the caller.

    Raises:
        DeviceError: what was loaded is not the accelerator of this bundle, the bundle is for
            another board, or pynq is missing, of another version or without a device.
    """

    def __init__(self, bundle: Bundle, wait_s: float = 60.0, check: bool = True) -> None:
        self.bundle = bundle
        self.wait_s = wait_s
        self._registers = bundle.registers
        if bundle.overlay is None:
            raise DeviceError(f"{bundle.folder} was loaded without what runs it")
        self._pynq = _import_pynq()
        check_pynq(self.pynq_version)
        check_board(bundle, _board_name(self._pynq))
        with _named(f"loading {bundle.overlay}"):
            try:
                self._overlay = self._pynq.Overlay(str(bundle.overlay.resolve()))
            except (RuntimeError, ValueError) as error:
                raise DeviceError(f"{bundle.overlay} cannot be loaded: {error}") from None
        for cell in ("accel", "dma"):
            if cell not in self._overlay.ip_dict:
                raise DeviceError(
                    f"{bundle.overlay}: the hardware handover file has no cell {cell}"
                )
        self._mmio = self._overlay.accel.mmio
        self._dma = self._overlay.dma
        self._frames_limit = (2**bundle.length_bits - 1) // max(bundle.pixels, 4)
        self._images_buffer: Any = None
        self._labels_buffer: Any = None
        if check:
            for fact in self.facts():
                if fact.found != fact.expected:
                    raise DeviceError(
                        f"{fact} by the bundle {bundle.folder}: another accelerator is loaded than "
                        "the one it describes"
                    )
            self.soft_reset()

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
        """Let go of the DMA buffers; pynq frees each with its last reference."""
        self._images_buffer = self._labels_buffer = None

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

    # Registers

    def read_register(self, name: str, memory: Memory | None = None) -> int:
        """Read a register, of a memory where one is given."""
        with _named(f"reading {_register_name(name, memory)}"):
            return int(self._mmio.read(self._offset(name, memory)))

    def write_register(self, name: str, value: int, memory: Memory | None = None) -> None:
        """Write a register, of a memory where one is given."""
        with _named(f"writing {_register_name(name, memory)}"):
            self._mmio.write(self._offset(name, memory), int(value))

    def read_word(self, offset: int) -> int:
        """Read 32 bits at a byte offset of the accelerator's slave."""
        with _named(f"reading offset {offset:#x}"):
            return int(self._mmio.read(offset))

    def write_word(self, offset: int, value: int) -> None:
        """Write 32 bits at a byte offset of the accelerator's slave."""
        with _named(f"writing offset {offset:#x}"):
            self._mmio.write(offset, value)

    def _offset(self, name: str, memory: Memory | None) -> int:
        if memory is None:
            return self._registers.globals[name]
        return self._registers.of_memory(memory.index, name)

    def status(self, field: str) -> bool:
        """Return a field of STATUS: ``idle``, ``busy`` or ``refused``."""
        return bool(self._registers.extract("STATUS", field, self.read_register("STATUS")))

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + self.wait_s
        while not done():
            if time.monotonic() > limit:
                raise DeviceError(f"{what} did not answer within {self.wait_s:g} s")

    def _wait_idle(self) -> None:
        self._wait(lambda: self.status("idle"), "the accelerator (STATUS.idle)")

    def _command(self, field: str) -> None:
        self.write_register("CONTROL", self._registers.field("CONTROL", field, 1))
        self._wait(lambda: not self.status("busy"), f"CONTROL.{field} (STATUS.busy)")

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

    def soft_reset(self) -> None:
        """Clear pipelines, stream positions and counters; weights and error settings stay."""
        self._command("soft_reset")

    def clear(self) -> None:
        """Zero all counters."""
        self._command("clear")

    def snapshot(self) -> Snapshot:
        """Read all counters as they are now."""
        self._command("snapshot")
        return Snapshot(
            memories={memory.name: self._counts(memory) for memory in self.bundle.memories},
            frames=self.read_register("FRAMES_DONE"),
            cycles=self.read_register("CYCLES_LO") | self.read_register("CYCLES_HI") << 32,
            stalls=self.read_register("STALLS_LO") | self.read_register("STALLS_HI") << 32,
        )

    def _counts(self, memory: Memory) -> Counts:
        written, switched, err1, err0 = (
            self.read_register(f"{name}_LO", memory)
            | self.read_register(f"{name}_HI", memory) << 32
            for name in ("WRITTEN", "SWITCHED", "ERR1", "ERR0")
        )
        return Counts(written, switched, err1, err0)

    def set_errors(
        self,
        memory: str,
        mode: str,
        rate1: float = 0.0,
        rate0: float | None = None,
        seed: int = 0,
    ) -> None:
        """Set how the writes of one memory err; restarts its random stream.

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
        where = self.bundle.memory(memory)
        threshold1 = rates.threshold(rate1)
        threshold0 = threshold1 if rate0 is None else rates.threshold(rate0)
        check_mode(mode)
        if mode == "off" and (threshold1 or threshold0):
            raise RateError(
                f"bit-error rate {rate1} with mode off: choose flip or switch, or rate 0"
            )
        if not 0 <= seed < 2**32:
            raise InputError(f"seed {seed}: must be a whole number from 0 to {2**32 - 1}")
        self.configure(
            where,
            {"MODE": MODES.index(mode), "RATE1": threshold1, "RATE0": threshold0, "SEED": seed},
        )

    def set_condition(
        self, memory: str, condition: Rates, mode: str = "flip", seed: int = 0
    ) -> None:
        """Set the errors of one memory from a write condition of ``host.mtj``."""
        self.set_errors(memory, mode, condition.rate1, condition.rate0, seed)

    def configure(self, memory: Memory, settings: Mapping[str, int]) -> None:
        """Write some of a memory's MODE, RATE1, RATE0 and SEED; restarts its random stream.

        Raises:
            DeviceError: the accelerator was not idle and refused.
        """
        self._wait_idle()
        self.write_register("STATUS", self._registers.field("STATUS", "refused", 1))
        for name, value in settings.items():
            self.write_register(name, value, memory)
        if self.status("refused"):
            raise DeviceError(f"the accelerator was not idle and refused settings of {memory.name}")

    def errors(self, memory: str) -> tuple[str, float, float, int]:
        """Return mode, rate1, rate0 and seed of one memory, as the registers hold them."""
        where = self.bundle.memory(memory)
        code = self._registers.extract("MODE", "value", self.read_register("MODE", where))
        return (
            MODES[code] if code < len(MODES) else f"code {code}",
            rates.rate(self.read_register("RATE1", where)),
            rates.rate(self.read_register("RATE0", where)),
            self.read_register("SEED", where),
        )

    def write_weights(
        self,
        arrays: Mapping[str, Words] | None = None,
        memories: Sequence[str] | None = None,
        background: str = "previous",
    ) -> dict[str, Counts]:
        """Write weights through the ports that make errors, and soft-reset the accelerator.

        The background is written first with mode off, then all counters are cleared, the mode of
        each memory is set again (which restarts its stream), and the weights are written. The soft
        reset at the end drops weights that were prefetched; it also clears the counters, which is
        why this method returns them.

        Args:
            arrays: words by memory name, uint32 of shape (depth, segments); the bundle's weights
                where none are given.
            memories: names of the weight memories to write; all of them if not given.
            background: ``zeros``, ``ones``, ``random:SEED`` or ``previous``.

        Returns:
            Counts of the writing of the weights alone, by memory name.

        Raises:
            InputError: no such memory or background, or words of the wrong size or type.
        """
        given = dict(arrays or {})
        names = (
            memories if memories is not None else [m.name for m in self.bundle.select("weights")]
        )
        chosen = [self.bundle.memory(name) for name in dict.fromkeys([*names, *given])]
        for memory in chosen:
            if not memory.is_weights:
                raise InputError(f"{memory.name} holds no weights")
            check_words(memory, given.setdefault(memory.name, self.bundle.weights[memory.name]))
        self._wait_idle()
        for memory in chosen:
            before = background_words(memory, background)
            if before is not None:
                mode = self.read_register("MODE", memory)
                self.configure(memory, {"MODE": MODES.index("off")})
                self.store(memory, before)
                self.configure(memory, {"MODE": mode})
            else:
                # The stream starts again, whatever was written since the errors were set.
                self.configure(memory, {"MODE": self.read_register("MODE", memory)})
        self.clear()
        for memory in chosen:
            self.store(memory, given[memory.name])
        self._wait_idle()
        counts = self.snapshot().memories
        self.soft_reset()
        return {memory.name: counts[memory.name] for memory in chosen}

    def store(self, memory: Memory, words: Words, addresses: Sequence[int] | None = None) -> None:
        """Write words of a weight memory, as errors are set, and nothing else.

        Neither stream nor counters are restarted, and words that the accelerator has prefetched
        stay until the next soft reset: see :meth:`write_weights` for the whole of it.

        Args:
            memory: the memory.
            words: uint32, shape (n, segments).
            addresses: where each goes, in this order; words 0 to n - 1 if not given.
        """
        # Words go out in order, least significant segment first: the random stream counts so.
        array = self._mmio.array
        self._wait_idle()
        with _named(f"writing the weights of {memory.name}"):
            if addresses is None and memory.stride == 4 * memory.segments:
                first = memory.base // 4
                array[first : first + words.size] = words.reshape(-1)
            else:
                for address, word in zip(addresses or range(len(words)), words, strict=True):
                    at = (memory.base + address * memory.stride) // 4
                    array[at : at + memory.segments] = word
        self._wait_idle()

    def read_weights(self, memory: str, addresses: Sequence[int] | None = None) -> Words:
        """Read a weight memory back.

        Args:
            memory: its name.
            addresses: the words that are read, all of them if not given.

        Returns:
            uint32, shape (words, segments).
        """
        where = self.bundle.memory(memory)
        if not where.is_weights:
            raise InputError(f"{memory} holds no weights")
        self._wait_idle()
        array, first, step = self._mmio.array, where.base // 4, where.stride // 4
        with _named(f"reading the weights of {memory}"):
            if addresses is None and step == where.segments:
                words = np.array(array[first : first + where.depth * step], dtype=np.uint32)
            else:
                # The gap behind a word whose segments do not fill its stride is in no window.
                starts = (first + n * step for n in addresses or range(where.depth))
                words = np.concatenate(
                    [np.array(array[at : at + where.segments], dtype=np.uint32) for at in starts]
                )
        return words.reshape(-1, where.segments)

    def run(
        self, images: npt.NDArray[Any], transfer: int = FRAMES_A_TRANSFER
    ) -> npt.NDArray[np.uint8]:
        """Classify images.

        Args:
            images: uint8, shape (n, pixels) or (n, *input shape), n at least 1.
            transfer: images that one DMA transfer carries, at most.

        Returns:
            Labels, uint8, shape (n,).

        Raises:
            InputError: images of another type or shape.
            DeviceError: a transfer did not finish, or a label is not below the classes.
        """
        frames = self._frames(images)
        limit = min(transfer, self._frames_limit)
        self._allocate(min(len(frames), limit))
        labels = np.empty(len(frames), np.uint8)
        for start in range(0, len(frames), limit):
            batch = frames[start : start + limit]
            labels[start : start + len(batch)] = self._transfer(batch)
        return labels

    def begin_frame(self) -> None:
        """Send the first four bytes of a frame: not idle until the next soft reset."""
        self._wait_idle()
        self._allocate(1)
        self._dma.sendchannel.transfer(self._images_buffer, nbytes=4)
        self._finish(self._dma.sendchannel, "the DMA sending 4 bytes")

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

    def _allocate(self, frames: int) -> None:
        if self._images_buffer is None or len(self._images_buffer) < frames:
            self.close()
            device = self._device
            self._images_buffer = self._pynq.allocate(
                (frames, self.bundle.pixels), dtype=np.uint8, target=device
            )
            self._labels_buffer = self._pynq.allocate((frames,), dtype=np.uint32, target=device)

    def _transfer(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        count = len(batch)
        self._wait_idle()
        self.write_register("FRAMES_PER_TRANSFER", count)
        self._images_buffer[:count] = batch
        # pynq's channels flush before sending and invalidate after receiving. The receiver is
        # started first, so that no label waits in the accelerator for it.
        try:
            self._dma.recvchannel.transfer(self._labels_buffer, nbytes=4 * count)
            self._dma.sendchannel.transfer(self._images_buffer, nbytes=batch.size)
            self._finish(self._dma.sendchannel, f"the DMA sending {count} images")
            self._finish(self._dma.recvchannel, f"the DMA receiving {count} labels")
            received = int(self._dma.recvchannel.transferred)
            if received != 4 * count:
                raise DeviceError(
                    f"the DMA received {received} bytes of labels, {4 * count} expected"
                )
        except DeviceError:
            self._recover()
            raise
        labels = np.array(self._labels_buffer[:count])
        if labels.max() >= self.bundle.classes:
            raise DeviceError(f"label {labels.max()} received, all are below {self.bundle.classes}")
        return labels.astype(np.uint8)

    def _finish(self, channel: Any, what: str) -> None:
        # The channel's own wait() has no limit: it is called when there is nothing to wait for.
        with _named(what):
            self._wait(lambda: bool(channel.idle or channel.error), what)
            try:
                channel.wait()
            except RuntimeError as error:
                raise DeviceError(f"{what}: {error}") from None

    def _recover(self) -> None:
        """Drop a transfer that failed, in the DMA and in the accelerator."""
        self._dma.mmio.write(0, _DMA_RESET)
        for channel in (self._dma.sendchannel, self._dma.recvchannel):
            channel.start()
        self.soft_reset()
