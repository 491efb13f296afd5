"""Where the words of a weight memory lie in the accelerator's AXI-Lite slave.

docs/contracts.md, section "Memories", states the rules. It needs nothing but Python.
"""

from __future__ import annotations

WINDOWS_START = 0x10000
"""The weight windows begin here, or after the control block if that is larger."""


def segments_of(width: int) -> int:
    """Return how many 32-bit segments hold a word of ``width`` bits."""
    return -(-width // 32)


def stride_of(width: int) -> int:
    """Return the bytes from one word of ``width`` bits to the next in its window, a power of 2."""
    return 4 << (segments_of(width) - 1).bit_length()


def window_after(end: int, width: int, depth: int) -> tuple[int, int]:
    """Return where the window of a weight memory begins and ends that follows address ``end``.

    It is aligned to its size rounded up to a power of two, so that its address bits are those of
    the word and the segment.

    Args:
        end: first free address, in bytes.
        width: bits of a word.
        depth: words.
    """
    size = 1 << (stride_of(width) * depth - 1).bit_length()
    base = -(-end // size) * size
    return base, base + size
