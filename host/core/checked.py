"""Reads JSON that may come from anywhere: what it holds is checked place by place, or refused.

A reader goes down from the root with :class:`At` and asks for what must be there; what is not as
asked raises WrongError, whose one line names the place, the value and what would be right.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from spinflow.host.core.text import shown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_NETWORK = re.compile(NAME.pattern.removesuffix(r"\Z") + r"(\+[A-Za-z0-9._-]{1,64})?\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class WrongError(Exception):
    """Something in the document; the message says where and what would be right."""


def parse(raw: bytes) -> Any:
    """Parse JSON as the standard has it: no key twice, no NaN, no number of endless digits.

    Raises:
        WrongError: it is not such a text.
    """
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=lambda text: _wrong(f"damaged: {text} is not a number of JSON"),
        )
    except UnicodeDecodeError as error:
        raise WrongError(f"damaged: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise WrongError("damaged: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise WrongError(f"damaged: {error}") from None


def _wrong(message: str) -> NoReturn:
    raise WrongError(message)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise WrongError(f"damaged: the key {shown(key)} appears twice in one object")
            seen.add(key)
    return made


def _integer(text: str) -> int:
    if len(text) > 20:
        raise WrongError(f"damaged: the number {text[:12]}... has {len(text)} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= 400 else math.inf
    if not math.isfinite(value):
        raise WrongError(f"damaged: the number {text[:24]} is too large")
    return value


@dataclass(frozen=True)
class At:
    """A value of the document and the place where it stands, for the messages."""

    value: Any
    place: str

    def fail(self, right: str) -> NoReturn:
        """Refuse the value; ``right`` says what would be right."""
        raise WrongError(f"{self.place or 'it'} is {shown(self.value)}: it must be {right}")

    def object(self, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, At]:
        """Return the members of an object that has these keys and, of others, only optional."""
        members = self.members()
        for key in keys:
            if key not in members:
                raise WrongError(f"{self.place or 'it'} has no {key}")
        for key in members:
            if key not in keys and key not in optional:
                raise WrongError(f"{self.place or 'it'} has an unknown key {shown(key)}")
        return members

    def members(self) -> dict[str, At]:
        """Return the members of an object of any keys."""
        if not isinstance(self.value, dict):
            self.fail("an object {...}")
        prefix = f"{self.place}." if self.place else ""
        return {key: At(value, prefix + str(key)[:64]) for key, value in self.value.items()}

    def entries(self, least: int, most: int) -> list[At]:
        """Return the entries of a list of so many."""
        if not isinstance(self.value, list) or not least <= len(self.value) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            self.fail(f"a list of {count} entries")
        return [At(value, f"{self.place}[{i}]") for i, value in enumerate(self.value)]

    def whole(self, least: int, most: int) -> int:
        """Return a whole number of a range."""
        value = self.value
        if type(value) is not int or not least <= value <= most:
            self.fail(f"{least}" if least == most else f"a whole number from {least} to {most}")
        return int(value)

    def wholes(self, count: int, least: int, most: int) -> tuple[int, ...]:
        """Return a list of so many whole numbers of a range."""
        return tuple(entry.whole(least, most) for entry in self.entries(count, count))

    def number(self, least: float, most: float) -> float:
        """Return a number of a range."""
        value = self.value
        if type(value) not in (int, float) or not least <= value <= most:
            self.fail(f"a number from {least:g} to {most:g}")
        return float(value)

    def text(self, pattern: re.Pattern[str], what: str) -> str:
        """Return text of a pattern; ``what`` says of which."""
        if not isinstance(self.value, str) or not pattern.match(self.value):
            self.fail(what)
        return str(self.value)

    def name(self) -> str:
        """Return a name that can stand in a path, a command and a table."""
        return self.text(NAME, "a name of at most 64 of A-Z a-z 0-9 . _ -")

    def network(self) -> str:
        """Return the name of a network or of a variant of it, which has a label behind a `+`."""
        return self.text(_NETWORK, "a name of at most 64 of A-Z a-z 0-9 . _ -, or NAME+LABEL")

    def sha256(self) -> str:
        """Return a SHA-256."""
        return self.text(_SHA256, "a SHA-256 of 64 hexadecimal digits")

    def exactly(self, wanted: Any) -> None:
        """Refuse anything but this value, of its type."""
        if type(self.value) is not type(wanted) or self.value != wanted:
            self.fail(shown(wanted))

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self.fail("true or false")
        return bool(self.value)

    def line(self) -> str:
        """Return text of one line for people."""
        value = self.value
        if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
            self.fail("one line of at most 200 characters")
        return str(value)
