"""Checks of what a caller passes to the driver, before anything is written.

They say in one line which value is wrong, and what would be right. What is no matter of a bundle is
checked by ``host.core.checks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spinflow.host.core import checks
from spinflow.host.core.bundle import Bundle, MemoryInfo, Words, check_words
from spinflow.host.core.errors import InputError
from spinflow.host.core.memory import MODES
from spinflow.host.core.text import shown

SETTINGS = ("MODE", "RATE1", "RATE0", "SEED")
"""Registers of a memory that say how its writes err."""

STATUS_FIELDS = ("idle", "busy", "refused", "partial")


def check_register(bundle: Bundle, name: str, memory: MemoryInfo | None) -> None:
    """Raise InputError unless there is such a register, of the memory where one is given."""
    known = bundle.registers.globals if memory is None else bundle.registers.memory
    if memory is not None:
        check_memory(bundle, memory)
    if not isinstance(name, str) or name not in known:
        raise InputError(f"register {shown(name)}: must be one of {', '.join(sorted(known))}")


def check_status(field: str) -> None:
    """Raise InputError unless STATUS has such a field."""
    if not isinstance(field, str) or field not in STATUS_FIELDS:
        raise InputError(
            f"field {shown(field)} of STATUS: must be one of {', '.join(STATUS_FIELDS)}"
        )


def check_offset(offset: int, size: int) -> None:
    """Raise InputError unless a word lies at a byte offset of a slave of so many bytes."""
    checks.whole("offset", offset, 0, size - 4)
    if offset % 4:
        raise InputError(f"offset {offset:#x}: must be a multiple of 4")


def check_memory(bundle: Bundle, memory: MemoryInfo) -> None:
    """Raise InputError unless a memory is one of the bundle."""
    if not isinstance(memory, MemoryInfo) or memory not in bundle.memories:
        raise InputError(
            f"memory {shown(memory)}: must be one of the bundle, as bundle.memory(name)"
        )


def memory_of(bundle: Bundle, name: str, weights: bool = False) -> MemoryInfo:
    """Return a memory by its name, of weights where they are asked for; raises InputError."""
    if not isinstance(name, str):
        raise InputError(f"memory {shown(name)}: must be the name of one")
    memory = bundle.memory(name)
    if weights and not memory.is_weights:
        raise InputError(f"{name} holds no weights")
    return memory


def settings_of(settings: Mapping[str, int]) -> dict[str, int]:
    """Return settings of a memory as Python's own numbers; raises InputError."""
    if not isinstance(settings, Mapping) or not set(settings) <= set(SETTINGS):
        raise InputError(
            f"settings {shown(settings)}: must give numbers for some of {', '.join(SETTINGS)}"
        )
    return {
        name: checks.whole(name, value, 0, len(MODES) - 1 if name == "MODE" else checks.WORD)
        for name, value in settings.items()
    }


def words_by_memory(
    bundle: Bundle, arrays: Mapping[str, Words] | None, memories: Sequence[str] | None
) -> dict[MemoryInfo, Words]:
    """Return what is to be written into weight memories.

    Args:
        bundle: whose memories they are; its weights are written where no others are given.
        arrays: words by the memory's name, uint32 of shape (depth, segments).
        memories: names of memories; those of ``arrays`` come after; all if None.

    Raises:
        InputError: no such memory, or words of the wrong size or type.
    """
    if arrays is not None and not isinstance(arrays, Mapping):
        raise InputError(
            f"arrays {shown(arrays)}: must be words by the memory's name, as "
            '{"fc0.weights": words}'
        )
    of = dict(arrays or {})
    every = [memory.name for memory in bundle.memories if memory.is_weights]
    names = every if memories is None else checks.names("memories", memories)
    chosen = [memory_of(bundle, name, weights=True) for name in dict.fromkeys([*names, *of])]
    given = {memory: of.get(memory.name, bundle.weights[memory.name]) for memory in chosen}
    for memory, words in given.items():
        check_words(memory, words)
    return given
