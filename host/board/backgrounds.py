"""What a weight memory holds before the weights are written over it."""

from __future__ import annotations

import functools
import math
import re

import numpy as np

from spinflow.host.core import checks, stream
from spinflow.host.core.bundle import MemoryInfo, Words
from spinflow.host.core.errors import InputError
from spinflow.host.core.text import shown

_BACKGROUND = re.compile(r"(zeros|ones|previous|random:[0-9]{1,10})\Z")


def check_background(background: str) -> None:
    """Raise InputError unless there is such a background."""
    known = isinstance(background, str) and _BACKGROUND.match(background)
    if not known or int(background.partition(":")[2] or 0) > checks.WORD:
        raise InputError(
            f"background {shown(background)}: must be zeros, ones, random:SEED (32 bits) or "
            "previous"
        )


def background_words(memory: MemoryInfo, background: str) -> Words | None:
    """Return what a weight memory holds before the weights are written.

    ``zeros`` and ``ones`` fill it; ``random:SEED`` fills segment k with word k of the stream that
    SEED, repeat 0 and the memory's index give; ``previous`` keeps what is there (None).

    Returns:
        uint32, shape (depth, segments), or None. Not to be written to.

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
    seed = stream.memory_seed(int(background.partition(":")[2]), 0, memory.index)
    return _words(seed, memory)


@functools.lru_cache(maxsize=32)
def _words(seed: int, memory: MemoryInfo) -> Words:
    """The words of a stream, which every trial of a sweep asks for."""
    shape = (memory.depth, memory.segments)
    words: Words = stream.words(seed, np.arange(math.prod(shape))).reshape(shape)
    words &= memory.segment_masks
    words.flags.writeable = False
    return words
