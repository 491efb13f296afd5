"""The accelerator's registers: read and written by name, commands, and the counters' snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spinflow.host.board.guards import named, wait_for
from spinflow.host.core.bundle import MemoryInfo, Registers
from spinflow.host.core.errors import DeviceError
from spinflow.host.core.memory import Counts
from spinflow.host.core.secded import CodeCounts


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


@dataclass(frozen=True)
class FrameTimes:
    """How long frames took since the last clear or soft reset, in clock cycles.

    Where nothing was measured it is None.
    A time that the hardware cannot hold is its largest, which then means that or more.

    Attributes:
        latency: from the first word in to the label out, of the frame that was timed last. One
            frame is timed at a time.
        latency_min, latency_max: the least and the most of the frames that were timed.
        distance_min, distance_max: the least and the most from any label to the next one.
    """

    latency: int | None = None
    latency_min: int | None = None
    latency_max: int | None = None
    distance_min: int | None = None
    distance_max: int | None = None

    def __str__(self) -> str:
        if self.latency is None:
            return "no frame timed"
        latency = f"latency {self.latency_min} to {self.latency_max} cycles, last {self.latency}"
        if self.distance_min is None:
            return latency
        return f"{latency}; from label to label {self.distance_min} to {self.distance_max} cycles"


@dataclass(frozen=True)
class Snapshot:
    """All counters at one moment.

    Attributes:
        memories: counts by the memory's name.
        frames: frames done since the last clear or soft reset.
        cycles: clock cycles in which the accelerator was not idle.
        stalls: cycles in which a buffer waited for draws.
        times: of frames; software has none.
        codes: what the decoders of coded memories counted, by the memory's name.
    """

    memories: dict[str, Counts]
    frames: int
    cycles: int
    stalls: int
    times: FrameTimes = FrameTimes()
    codes: dict[str, CodeCounts] = field(default_factory=dict)

    def lines(self) -> str:
        """Return what is counted of all frames, for people."""
        lines = [
            f"counters: {self.frames} frames, {self.cycles} cycles, {self.stalls} stalled",
            f"frames: {self.times}",
        ]
        for name, codes in self.codes.items():
            lines.append(f"{name}: {codes}")
        return "\n".join(lines)


def register_name(name: str, memory: MemoryInfo | None) -> str:
    """Return what a register is called in messages, with its memory where it has one."""
    return name if memory is None else f"{name} of {memory.name}"


class RegisterAccess:
    """The registers of a loaded accelerator, without a check of what a caller passes.

    Args:
        layout: names, offsets and fields.
        mmio: pynq's MMIO of the accelerator.
        wait_s: seconds after which what has not answered is given up.
    """

    def __init__(self, layout: Registers, mmio: Any, wait_s: float) -> None:
        self._layout = layout
        self._mmio = mmio
        self._wait_s = wait_s

    def read(self, name: str, memory: MemoryInfo | None = None) -> int:
        """Read a register, of a memory where one is given."""
        with named(f"reading {register_name(name, memory)}"):
            return int(self._mmio.read(self._offset(name, memory)))

    def write(self, name: str, value: int, memory: MemoryInfo | None = None) -> None:
        """Write a register, of a memory where one is given."""
        with named(f"writing {register_name(name, memory)}"):
            self._mmio.write(self._offset(name, memory), value)

    def _offset(self, name: str, memory: MemoryInfo | None) -> int:
        if memory is None:
            return self._layout.globals[name]
        return self._layout.of_memory(memory.index, name)

    def status(self, field: str) -> bool:
        """Return a field of STATUS."""
        return bool(self._layout.extract("STATUS", field, self.read("STATUS")))

    def acknowledge(self, field: str) -> None:
        """Clear a field of STATUS that stays until it is written as 1."""
        self.write("STATUS", self._layout.field("STATUS", field, 1))

    def wait(self, done: Callable[[], bool], what: str, limit_s: float | None = None) -> None:
        """Wait until something is done, for so many seconds at most; raises DeviceError."""
        wait_for(done, what, self._wait_s if limit_s is None else min(limit_s, self._wait_s))

    def wait_idle(self, limit_s: float | None = None) -> None:
        """Wait until no frame and no command is under way; raises DeviceError."""

        def idle() -> bool:
            word = self.read("STATUS")
            # A command whose caller was interrupted may still be under way.
            return bool(self._layout.extract("STATUS", "idle", word)) and not (
                self._layout.extract("STATUS", "busy", word)
            )

        self.wait(idle, "the accelerator (STATUS.idle)", limit_s)

    def command(self, field: str, limit_s: float | None = None) -> None:
        """Give a command of CONTROL and wait until it is done; raises DeviceError."""

        def done() -> bool:
            return not self.status("busy")

        what = f"CONTROL.{field} (STATUS.busy)"
        self.wait(done, what, limit_s)
        self.write("CONTROL", self._layout.field("CONTROL", field, 1))
        self.wait(done, what, limit_s)

    def configure(self, memory: MemoryInfo, settings: Mapping[str, int]) -> None:
        """Write settings of a memory and make sure that they were taken.

        Raises:
            DeviceError: the accelerator was not idle and refused.
        """
        self.acknowledge("refused")
        for name, value in settings.items():
            self.write(name, value, memory)
        if self.status("refused"):
            raise DeviceError(f"the accelerator was not idle and refused settings of {memory.name}")

    def check_whole_words(self, what: str) -> None:
        """Raise DeviceError if the accelerator has refused a write of less than a word."""
        if "partial" in self._layout.fields["STATUS"] and self.status("partial"):
            self.acknowledge("partial")
            raise DeviceError(
                f"{what}: less than a word of 32 bits was written and refused (STATUS.partial): "
                "words go out through spinflow.host.board.window alone"
            )

    def snapshot(self, memories: Iterable[MemoryInfo]) -> Snapshot:
        """Read all counters as they are now, those of some memories among them."""
        memories = list(memories)
        self.command("snapshot")
        counts = {memory.name: self._counts(memory) for memory in memories}
        return Snapshot(
            memories=counts,
            frames=self.read("FRAMES_DONE"),
            cycles=self.read("CYCLES_LO") | self.read("CYCLES_HI") << 32,
            stalls=self.read("STALLS_LO") | self.read("STALLS_HI") << 32,
            times=self._times(),
            codes=self._codes([memory for memory in memories if memory.code is not None]),
        )

    def _codes(self, coded: Sequence[MemoryInfo]) -> dict[str, CodeCounts]:
        """Read what decoders counted, from where the counters were before."""
        if coded:
            self.command("snapshot_code")
        counts = {memory.name: self._counts(memory) for memory in coded}
        return {
            name: CodeCounts(found.written, found.switched, found.err1)
            for name, found in counts.items()
        }

    def _times(self) -> FrameTimes:
        latencies = [self.read(name) for name in ("LATENCY", "LATENCY_MIN", "LATENCY_MAX")]
        distances = [self.read(name) for name in ("DISTANCE_MIN", "DISTANCE_MAX")]
        # The most is 0 until something was measured; the least is then its largest number.
        return FrameTimes(
            *(latencies if latencies[-1] else [None] * 3),
            *(distances if distances[-1] else [None] * 2),
        )

    def _counts(self, memory: MemoryInfo) -> Counts:
        written, switched, err1, err0 = (
            self.read(f"{name}_LO", memory) | self.read(f"{name}_HI", memory) << 32
            for name in ("WRITTEN", "SWITCHED", "ERR1", "ERR0")
        )
        return Counts(written, switched, err1, err0)
