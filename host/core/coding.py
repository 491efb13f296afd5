"""Which memories of an accelerator are coded: the option ``ecc`` of a build."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.description.codes import LEAST_WORD, MOST_WORD, SCHEME, Code
from spinflow.host.core.errors import InputError
from spinflow.host.core.options import whole

NO_ECC = "none"
"""Name of the choice that no memory is coded."""

KINDS = ("all", "weights", "buffers")
"""Which memories a build codes."""

WORD = 64
"""Most data bits of a code word, if a build does not say."""


@dataclass(frozen=True)
class Coding:
    """The most data bits of a code word of weight memories, and of buffers; 0: not coded."""

    weights: int = 0
    buffers: int = 0

    def codes(self, memories: Iterable[MemoryInfo]) -> dict[str, Code]:
        """Return the codes of memories, by name; InputError if one of them is coded already."""
        found: dict[str, Code] = {}
        for memory in memories:
            code = self.code(memory.kind, memory.width)
            if code is None:
                continue
            if memory.code is not None:
                raise InputError(
                    f"{memory.name} is coded in the bundle already: give no coding, or a bundle "
                    "that was built without"
                )
            found[memory.name] = code
        return found

    def code(self, kind: str | None, width: int) -> Code | None:
        """Return how a memory of a kind is coded whose words have so many bits; None if not."""
        most = {"weights": self.weights, "buffer": self.buffers}.get(kind or "", 0)
        return Code.of(width, most) if most else None


PLAIN = Coding()
"""No memory is coded."""


def arguments(options: argparse.Namespace) -> list[str]:
    """Return the options as the command line of another step has them; none where they say none.

    Raises:
        InputError: as of :func:`chosen`.
    """
    if chosen(options) == PLAIN:
        return []
    found = ["--ecc", options.ecc, "--ecc-word", str(options.ecc_word or WORD)]
    return [*found, "--ecc-memories", options.ecc_memories or KINDS[0]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that say which memories are coded."""
    parser.add_argument(
        "--ecc",
        choices=(NO_ECC, SCHEME),
        default=NO_ECC,
        help="code the words of the memories, so that one error of a code word is corrected and "
        "two are detected (default: none)",
    )
    parser.add_argument(
        "--ecc-word",
        type=whole(LEAST_WORD, MOST_WORD),
        help=f"most data bits of a code word ({WORD})",
    )
    parser.add_argument(
        "--ecc-memories", choices=KINDS, help=f"which memories are coded ({KINDS[0]})"
    )


def chosen(options: argparse.Namespace) -> Coding:
    """Return what the options of a command say.

    Raises:
        InputError: one of a code without --ecc.
    """
    if options.ecc == NO_ECC:
        for name in ("ecc_word", "ecc_memories"):
            if getattr(options, name) is not None:
                raise InputError(f"--{name.replace('_', '-')} goes with --ecc {SCHEME}")
        return PLAIN
    word, memories = options.ecc_word or WORD, options.ecc_memories or KINDS[0]
    return Coding(**{kind: word * (memories in ("all", kind)) for kind in KINDS[1:]})
