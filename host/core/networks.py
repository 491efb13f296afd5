"""How a network is called: by its name, or by the path of its description.

The name of a description is that of its file, `PATH/my.toml` is `my`. To either `+LABEL` may be
added, which names a variant that was trained in another way.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from spinflow.host.core.errors import InputError
from spinflow.host.core.text import shown

SUFFIX = ".toml"
"""How the file of a description ends."""

RESERVED = ("finn", "names", "regs")
"""Folders of build/ that are no network's."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_LABEL = re.compile(r"[A-Za-z0-9._-]{0,64}\Z")


class Called(NamedTuple):
    """What a network is called.

    Attributes:
        base: its name without a label.
        label: of a variant; empty without one.
        path: of its description, None if it was called by its name.
    """

    base: str
    label: str
    path: Path | None

    @property
    def name(self) -> str:
        """The name by which files, bundles and results know it."""
        return f"{self.base}+{self.label}" if self.label else self.base


def base_of(name: str) -> str:
    """Return the name of the network that a NAME or NAME+LABEL is a variant of."""
    return name.partition("+")[0]


def called(text: str) -> Called:
    """Take apart what a user calls a network: NAME, NAME+LABEL, PATH.toml or PATH.toml+LABEL.

    Raises:
        InputError: it is neither, or a name has letters that files and folders had better not have.
    """
    path, label = text if text.endswith(SUFFIX) else "", ""
    before, found, after = text.rpartition(f"{SUFFIX}+")
    if found and not path:
        path, label = before + SUFFIX, after
    if path:
        base = Path(path).name[: -len(SUFFIX)]
        if not _NAME.match(base) or base in RESERVED:
            raise InputError(
                f"{shown(path)}: a network is called as its file, and {shown(base)} is no name: "
                f"1 to 64 letters, digits, '.', '-' and '_' are expected, not {_or(RESERVED)}"
            )
    else:
        base, plus, label = text.partition("+")
        if not _NAME.match(base) or base in RESERVED or (plus and not label):
            raise InputError(
                f"network {shown(text)}: a name is expected, as tfc-mnist, or the path of a "
                f"description, as my{SUFFIX}"
            )
    if not _LABEL.match(label):
        raise InputError(
            f"variant {shown(text)}: a label has letters, digits, '.', '-' and '_' only"
        )
    return Called(base, label, Path(path) if path else None)


def _or(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
