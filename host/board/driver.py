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

A call that ends by any exception, as by Ctrl-C, leaves the accelerator in the state before the call
or in the one after it, or says what must be done: see ``spinflow.host.board.loaded``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spinflow.host.board import arguments
from spinflow.host.board.backgrounds import background_words, check_background
from spinflow.host.board.guards import named
from spinflow.host.board.loaded import Contents, Loaded, Streams, alone
from spinflow.host.board.pynq_device import TapRecorder, backend, check_board, check_pynq
from spinflow.host.board.registers import Fact, Snapshot, register_name
from spinflow.host.core import checks, stream
from spinflow.host.core.bundle import MAP_VERSION, Bundle, MemoryInfo, Words
from spinflow.host.core.errors import DeviceError, InputError, RateError
from spinflow.host.core.memory import MODES, Counts, check_mode
from spinflow.host.core.text import shown

__all__ = [
    "FRAMES_A_TRANSFER",
    "MODES",
    "Accelerator",
    "Counts",
    "Fact",
    "Rates",
    "Snapshot",
    "TapRecorder",
    "backend",
    "background_words",
    "check_background",
    "check_board",
    "check_mode",
    "check_pynq",
]

FRAMES_A_TRANSFER = 1000
"""Images that one DMA transfer carries at most, unless its length register allows fewer."""


class Rates(Protocol):
    """A write condition, as far as the registers need it (see ``spinflow.host.mtj``)."""

    @property
    def rate1(self) -> float:
        """Probability that writing a 1 errs."""

    @property
    def rate0(self) -> float:
        """Probability that writing a 0 errs."""


class Accelerator(Loaded):
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

    def __init__(self, bundle: Bundle, wait_s: float = 60.0, check: bool = True) -> None:
        if not isinstance(check, (bool, np.bool_)):
            raise InputError(f"check {shown(check)}: must be True or False")
        super().__init__(bundle, wait_s)
        if check:
            for fact in self.facts():
                if fact.found != fact.expected:
                    raise DeviceError(
                        f"{fact} by the bundle {bundle.folder}: another accelerator is loaded than "
                        "the one it describes"
                    )
            self.soft_reset()
            self.write_register("FRAMES_PER_TRANSFER", self._mark)

    # Registers, by name and by place

    @alone
    def read_register(self, name: str, memory: MemoryInfo | None = None) -> int:
        """Read a register, of a memory where one is given.

        Raises:
            InputError: there is no such register.
            DeviceError: it was not answered.
        """
        arguments.check_register(self.bundle, name, memory)
        return self._registers.read(name, memory)

    @alone
    def write_register(self, name: str, value: int, memory: MemoryInfo | None = None) -> None:
        """Write a register, of a memory where one is given.

        Raises:
            InputError: there is no such register, or the value has more than 32 bits.
            DeviceError: it was not answered.
        """
        arguments.check_register(self.bundle, name, memory)
        number = checks.whole(f"value for {name}", value, 0, checks.WORD)
        if name == "FRAMES_PER_TRANSFER":
            self._left = None
        self._registers.write(name, number, memory)
        if name == "FRAMES_PER_TRANSFER":
            self._left = number

    @alone
    def read_word(self, offset: int) -> int:
        """Read 32 bits at a byte offset of the accelerator's slave."""
        arguments.check_offset(offset, self._mmio.length)
        with named(f"reading offset {offset:#x}"):
            return int(self._mmio.read(int(offset)))

    @alone
    def write_word(self, offset: int, value: int) -> None:
        """Write 32 bits at a byte offset of the accelerator's slave."""
        arguments.check_offset(offset, self._mmio.length)
        number = checks.whole("value", value, 0, checks.WORD)
        with named(f"writing offset {offset:#x}"):
            self._mmio.write(int(offset), number)

    @alone
    def status(self, field: str) -> bool:
        """Return a field of STATUS: ``idle``, ``busy``, ``refused`` or ``partial``."""
        arguments.check_status(field)
        return self._registers.status(field)

    def facts(self) -> Iterator[Fact]:
        """Read the registers that say what is loaded, each with what the bundle says of it."""
        for name, expected in (
            ("ID", self.bundle.registers.identity),
            ("MAP_VERSION", MAP_VERSION),
            ("BUILD_ID", self.bundle.build_id),
            ("NUM_MEMORIES", len(self.bundle.memories)),
        ):
            yield Fact(name, self.read_register(name), expected)
        for memory in self.bundle.memories:
            info = self.bundle.registers.field("INFO", "kind", 0 if memory.is_weights else 1)
            info |= self.bundle.registers.field("INFO", "layer", memory.layer)
            for name, expected in (
                ("INFO", info),
                ("WIDTH", memory.width),
                ("DEPTH", memory.depth),
            ):
                label = register_name(name, memory)
                yield Fact(label, self.read_register(name, memory), expected)

    # What is asked of it

    @alone
    def soft_reset(self) -> None:
        """Clear pipelines, stream positions and counters; weights and error settings stay."""
        self._check_loaded()
        self._registers.command("soft_reset")
        self._streams = Streams.RESET

    @alone
    def clear(self) -> None:
        """Zero all counters."""
        self._check_loaded()
        self._registers.command("clear")

    @alone
    def snapshot(self) -> Snapshot:
        """Read all counters as they are now.

        Raises:
            DeviceError: a call was interrupted that counted, so that there is nothing to read.
        """
        if self._streams is Streams.LOST:
            raise DeviceError(
                "snapshot: a call was interrupted, and with it the counters that had moved before "
                "it were lost: call soft_reset() or write_weights() first"
            )
        self._check_loaded()
        return self._registers.snapshot(self.bundle.memories)

    @alone
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
        independent: give each memory the seed ``stream.memory_seed(base_seed, repeat,
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
        where = arguments.memory_of(self.bundle, memory)
        threshold1 = stream.threshold(rate1)
        threshold0 = threshold1 if rate0 is None else stream.threshold(rate0)
        check_mode(mode)
        if mode == "off" and (threshold1 or threshold0):
            raise RateError(
                f"bit-error rate {rate1 or rate0:g} with mode off: choose flip, switch or rate 0"
            )
        self._set_thresholds(where, mode, threshold1, threshold0, seed)

    @alone
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
        where = arguments.memory_of(self.bundle, memory)
        check_mode(mode)
        self._set_thresholds(where, mode, threshold1, threshold0, seed)

    def _set_thresholds(
        self, memory: MemoryInfo, mode: str, threshold1: int, threshold0: int, seed: int
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

    @alone
    def configure(self, memory: MemoryInfo, settings: Mapping[str, int]) -> None:
        """Write some of a memory's MODE, RATE1, RATE0 and SEED; restarts its random stream.

        Raises:
            InputError: no such memory, setting or value.
            DeviceError: the accelerator was not idle and refused.
        """
        arguments.check_memory(self.bundle, memory)
        self._configure(memory, arguments.settings_of(settings))

    def _configure(self, memory: MemoryInfo, settings: Mapping[str, int]) -> None:
        self._check_loaded()
        self._registers.wait_idle()
        before = {name: self._registers.read(name, memory) for name in settings}
        self._owed = {(memory, name): value for name, value in settings.items()}
        try:
            self._registers.configure(memory, settings)
        except DeviceError:
            # Refused: as it was before, also where the frame came after the first of them.
            self._owed = {(memory, name): value for name, value in before.items()}
            if all(self._registers.read(name, memory) == value for name, value in before.items()):
                self._owed = {}
            else:
                self._fallback = Streams.LOST
            raise
        self._owed = {}

    @alone
    def errors(self, memory: str) -> tuple[str, float, float, int]:
        """Return mode, rate1, rate0 and seed of one memory, as the registers hold them."""
        where = arguments.memory_of(self.bundle, memory)
        self._check_loaded()
        code = self.bundle.registers.extract("MODE", "value", self._registers.read("MODE", where))
        return (
            MODES[code] if code < len(MODES) else f"code {code}",
            stream.rate(self._registers.read("RATE1", where)),
            stream.rate(self._registers.read("RATE0", where)),
            self._registers.read("SEED", where),
        )

    @alone
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
        given = arguments.words_by_memory(self.bundle, arrays, memories)
        check_background(background)
        self._check_loaded()
        self._registers.wait_idle()
        modes = {memory: self._registers.read("MODE", memory) for memory in given}
        self._check_previous(modes, background)
        self._note_contents(Contents.TORN, given)
        self._fallback = Streams.RESET
        self._streams = Streams.MOVED
        counts = self._write_over(given, modes, background)
        self._note_contents(Contents.WRITTEN, given)
        self._streams = Streams.RESET
        self._fallback = None
        return counts

    def _check_previous(self, modes: Mapping[MemoryInfo, int], background: str) -> None:
        """Raise DeviceError if errors are to be made over what an interrupted writing left."""
        for memory, mode in modes.items():
            torn = self._contents[memory.name] is Contents.TORN
            if torn and background == "previous" and mode != MODES.index("off"):
                raise DeviceError(
                    f"{memory.name}: its last writing was interrupted, so there is no previous "
                    "content to err over: choose another background, or write with errors off first"
                )

    def _write_over(
        self, given: Mapping[MemoryInfo, Words], modes: Mapping[MemoryInfo, int], background: str
    ) -> dict[str, Counts]:
        """Write the background and then the words, and soft-reset; return what the words counted.

        Args:
            given: words by memory.
            modes: code of the error mode of each of these memories.
            background: what they are written over.
        """
        for memory, mode in modes.items():
            before = background_words(memory, background)
            if before is not None:
                self._owed = {(memory, "MODE"): mode}
                self._registers.configure(memory, {"MODE": MODES.index("off")})
                self._windows.store(memory, before)
            # The stream starts again, whatever was written since the errors were set.
            self._registers.configure(memory, {"MODE": mode})
            self._owed = {}
        self._registers.command("clear")
        for memory, words in given.items():
            self._windows.store(memory, words)
        counts = self._registers.snapshot(self.bundle.memories).memories
        self._registers.command("soft_reset")
        return {memory.name: counts[memory.name] for memory in given}

    @alone
    def store(
        self, memory: MemoryInfo, words: Words, addresses: Sequence[int] | None = None
    ) -> None:
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
        arguments.check_memory(self.bundle, memory)
        if not memory.is_weights:
            raise InputError(f"{memory.name} holds no weights")
        places = None if addresses is None else checks.addresses(memory, addresses)
        checks.some_words(memory, words, None if places is None else len(places))
        self._check_loaded()
        self._registers.wait_idle()
        self._begin("store")
        before = self._contents[memory.name]
        whole = len(set(range(len(words)) if places is None else places)) == memory.depth
        self._note_contents(Contents.TORN, [memory])
        self._windows.store(memory, words, places)
        self._note_contents(Contents.WRITTEN if whole else before, [memory])
        self._fallback = None

    @alone
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
        where = arguments.memory_of(self.bundle, memory, weights=True)
        places = None if addresses is None else checks.addresses(where, addresses)
        self._check_loaded()
        self._check_contents([where.name], written=False)
        self._registers.wait_idle()
        return self._windows.read(where, places)

    @alone
    def run(
        self, images: npt.NDArray[Any], transfer: int = FRAMES_A_TRANSFER
    ) -> npt.NDArray[np.uint16]:
        """Classify images.

        If it is interrupted, the accelerator is soft-reset. Where it stood so before the call,
        which is how :meth:`write_weights` leaves it, nothing has changed; where it did not,
        counters and random streams are lost, and ``run``, ``store`` and ``snapshot`` refuse until
        the next :meth:`soft_reset` or :meth:`write_weights`.

        Args:
            images: uint8, shape (n, pixels) or `(n, *input shape)`, n at least 1.
            transfer: images that one DMA transfer carries, at most.

        Returns:
            Labels, uint16, shape (n,).

        Raises:
            InputError: images of another type or shape, or a transfer of less than one image.
            DeviceError: the weights were not written, a transfer did not finish, or a label is not
                below the classes.
        """
        frames = self._transfers.frames(images)
        limit = min(checks.whole("transfer", transfer, 1), self._transfers.frames_limit)
        self._check_loaded()
        self._check_contents(self._contents)
        buffers = self._transfers.allocate(min(len(frames), limit))
        labels = np.empty(len(frames), np.uint16)
        self._registers.wait_idle()
        self._begin("run")
        self._left = None
        for start in range(0, len(frames), limit):
            batch = frames[start : start + limit]
            labels[start : start + len(batch)] = self._transfers.classify(batch, *buffers)
        self._registers.write("FRAMES_PER_TRANSFER", self._mark)
        self._left = self._mark
        self._fallback = None
        return labels

    @alone
    def begin_frame(self) -> None:
        """Send the first four bytes of a frame: not idle until the next soft reset."""
        self._check_loaded()
        images, _ = self._transfers.allocate(1)
        self._registers.wait_idle()
        self._begin("begin_frame")
        self._transfers.send(images, 4, "the DMA sending 4 bytes")
        self._fallback = None
