"""Checks of the registers: what is loaded, settings, what is refused while a frame is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from spinflow.host.board.driver import Fact
from spinflow.host.board.selftest.bench import Bench
from spinflow.host.board.selftest.results import Check, raise_if
from spinflow.host.core.errors import DeviceError
from spinflow.host.core.memory import MODES

_SETTING_REGISTERS = ("RATE1", "RATE0", "SEED")


class RegisterChecks:
    """The checks of the registers of one accelerator."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._device = bench.device
        self._bundle = bench.bundle
        self._weights = bench.weights

    def identity(self) -> Iterator[Check]:
        """Give the checks that say what is loaded: another accelerator has all else elsewhere."""
        facts = self._device.facts()
        for name in ("identity", "map version", "build id", "number of memories"):
            yield name, lambda: _agree([next(facts)])
        yield "facts of the memories", lambda: _agree(list(facts))

    def checks(self) -> Iterator[Check]:
        """Give the other checks, in their order."""
        yield "configuration registers", self._configuration
        yield "settings while busy", self._refusals
        if self._device.reports_bus_errors:
            yield "refused bus accesses", self._bus_errors

    def _configuration(self) -> str:
        """Walk a one and a zero through every setting, all memories at a time and each another."""
        device, memories = self._device, self._bundle.memories
        device.soft_reset()
        places = [(name, memory) for memory in memories for name in _SETTING_REGISTERS]
        places += [("MODE", memory) for memory in memories]
        before = [device.read_register(name, memory) for name, memory in places]
        transfer = device.read_register("FRAMES_PER_TRANSFER")
        walking = [1 << bit for bit in range(32)]
        walking += [~word & 0xFFFFFFFF for word in walking]
        wrong: list[str] = []
        for step in range(len(walking)):
            values = [
                (place + step) % len(MODES) if name == "MODE" else walking[(place + step) % 64]
                for place, (name, _) in enumerate(places)
            ]
            for (name, memory), value in zip(places, values, strict=True):
                device.write_register(name, value, memory)
            device.write_register("FRAMES_PER_TRANSFER", walking[step])
            for (name, memory), value in zip(places, values, strict=True):
                found = device.read_register(name, memory)
                if found != value:
                    wrong.append(f"{name} of {memory.name} reads {found:#x}, {value:#x} written")
            found = device.read_register("FRAMES_PER_TRANSFER")
            if found != walking[step]:
                wrong.append(f"FRAMES_PER_TRANSFER reads {found:#x}, {walking[step]:#x} written")
        for (name, memory), value in zip(places, before, strict=True):
            device.write_register(name, value, memory)
            found = device.read_register(name, memory)
            if found != value:
                wrong.append(f"{name} of {memory.name} cannot be set back to {value:#x}")
        device.write_register("FRAMES_PER_TRANSFER", transfer)
        raise_if(wrong)
        return f"{len(places) + 1} registers, walking ones and zeros, set back"

    def _refusals(self) -> str:
        device, clear = self._device, self._bundle.registers.field("STATUS", "refused", 1)
        device.begin_frame()
        wrong = ["STATUS.idle is 1 while a frame is under way"] if device.status("idle") else []
        for memory in self._bundle.memories:
            before = device.read_register("SEED", memory)
            device.write_register("STATUS", clear)
            if device.status("refused"):
                wrong.append("STATUS.refused cannot be cleared")
            device.write_register("SEED", before ^ 0xFFFFFFFF, memory)
            if not device.status("refused"):
                wrong.append(f"STATUS.refused is 0 after SEED of {memory.name} was written busy")
            if device.read_register("SEED", memory) != before:
                wrong.append(f"SEED of {memory.name} changed while a frame is under way")
        device.soft_reset()
        device.write_register("STATUS", clear)
        if not device.status("idle"):
            wrong.append("STATUS.idle is 0 after a soft reset")
        raise_if(wrong)
        return f"refused by {len(self._bundle.memories)} memories, idle again after a soft reset"

    def _bus_errors(self) -> str:
        device, end = self._device, max(m.base + m.depth * m.stride for m in self._weights)
        wrong = []
        for name, access in (
            ("a read behind the last weight window", partial(device.read_word, end)),
            ("a write behind the last weight window", partial(device.write_word, end, 0)),
        ):
            if not _refused(access):
                wrong.append(f"{name} was answered without an error")
        device.begin_frame()
        for memory in self._weights:
            for name, access in (
                ("read", partial(device.read_word, memory.base)),
                ("write", partial(device.write_word, memory.base, 0)),
            ):
                if not _refused(access):
                    wrong.append(f"a {name} of {memory.name} was answered during a frame")
        device.soft_reset()
        raise_if(wrong)
        return f"{2 + 2 * len(self._weights)} accesses answered with an error, as they must be"


def _agree(facts: Sequence[Fact]) -> str:
    raise_if([str(fact) for fact in facts if fact.found != fact.expected])
    if len(facts) == 1:
        return str(facts[0]).partition(",")[0]
    return f"{len(facts)} registers: kind, layer, width and depth"


def _refused(access: Callable[[], Any]) -> bool:
    try:
        access()
    except DeviceError:
        return True
    return False
