"""What a SECDED code makes of words, in plain Python integers: only its columns are shared.

A code is given by the data bits of a word and of a code word.
"""

from __future__ import annotations

from functools import reduce
from operator import xor

from spinflow.host.core.description import Code
from spinflow.host.core.description.codes import columns
from tests.hw.runner import Parameter


def parameters(data: int, word: int) -> dict[str, Parameter]:
    """The parameters of a module that encodes or decodes words."""
    check = Code(data, word).check
    packed = sum(column << check * place for place, column in enumerate(columns(word)))
    constant = f"{word * check}'h{packed:x}"
    return {"Data": data, "Word": word, "Check": check, "Columns": constant}


def width(data: int, word: int) -> int:
    """Bits of a word with its check bits."""
    return data + -(-data // word) * Code(data, word).check


def parts(data: int, word: int, value: int) -> list[int]:
    """The data of each code word of a word."""
    return [(value >> first) & ((1 << min(word, data - first)) - 1)
            for first in range(0, data, word)]  # fmt: skip


def checks(word: int, value: int) -> int:
    """The check bits of a code word's data."""
    ones = [column for place, column in enumerate(columns(word)) if value >> place & 1]
    return reduce(xor, ones, 0)


def coded(data: int, word: int, value: int) -> int:
    """A word with its check bits behind it."""
    check = Code(data, word).check
    for number, part in enumerate(parts(data, word, value)):
        value |= checks(word, part) << data + check * number
    return value


def read(data: int, word: int, stored: int) -> tuple[int, int, int]:
    """The data that are read of a stored word, and its code words with one error, and with more."""
    check = Code(data, word).check
    found, corrected, detected = stored & ((1 << data) - 1), 0, 0
    for number, part in enumerate(parts(data, word, found)):
        syndrome = checks(word, part) ^ stored >> data + check * number & ((1 << check) - 1)
        if not syndrome:
            continue
        bits = min(word, data - word * number)
        if syndrome in columns(word)[:bits]:
            found ^= 1 << word * number + columns(word).index(syndrome)
            corrected |= 1 << number
        elif syndrome & syndrome - 1:
            detected |= 1 << number
        else:
            corrected |= 1 << number
    return found, corrected, detected
