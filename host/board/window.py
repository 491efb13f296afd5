"""Registers and memories that lie in an address window, accessed in whole 32-bit words.

A window is a uint32 array over the mapped bus, as pynq's ``MMIO.array``: every load and store goes
out to the device, with the width that the processor gave it. numpy copies a slice with memmove,
which on 32-bit ARM stores byte elements (NEON's ``vst1.8``), and the accelerator answers a part of
a word with a bus error. An assignment through an index array is a loop of 32-bit loads and stores,
one a word, in the order of the indices. So nothing else touches a window in this package.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core.packing import Words

WORDS_AT_ONCE = 4096
"""Words that one call of numpy moves: its indices stay in the cache, and Ctrl-C need not wait."""


def put(window: Any, places: npt.NDArray[Any], words: npt.NDArray[Any]) -> None:
    """Write words, each with one aligned 32-bit store, in order.

    Args:
        window: uint32 array over the mapped bus, or what stands for it.
        places: index in the window of each word, integers of any shape.
        words: uint32, as many as places.

    Raises:
        OSError: the bus refused a word; those before it are written.
        ValueError: there are more or fewer words than places.
    """
    indices = np.asarray(places, dtype=np.intp).reshape(-1)
    values = np.ascontiguousarray(words, dtype=np.uint32).reshape(-1)
    if len(indices) != len(values):
        raise ValueError(f"{len(values)} words for {len(indices)} places")
    for start in range(0, len(indices), WORDS_AT_ONCE):
        part = slice(start, start + WORDS_AT_ONCE)
        window[indices[part]] = values[part]


def get(window: Any, places: npt.NDArray[Any]) -> Words:
    """Read words, each with one aligned 32-bit load, in order.

    Args:
        window: uint32 array over the mapped bus, or what stands for it.
        places: index in the window of each word, integers of any shape.

    Returns:
        uint32, of the places' shape.

    Raises:
        OSError: the bus refused a word.
    """
    indices = np.asarray(places, dtype=np.intp)
    flat = indices.reshape(-1)
    words = np.empty(len(flat), dtype=np.uint32)
    for start in range(0, len(flat), WORDS_AT_ONCE):
        part = slice(start, start + WORDS_AT_ONCE)
        words[part] = window[flat[part]]
    return words.reshape(indices.shape)
