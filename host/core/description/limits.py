"""The names and the limits of a bundle: which files it has, and how large anything in it may be.

More than any design for the boards that are known needs, and so little that no reader chokes on it.
"""

from __future__ import annotations

from spinflow.host.core.plain import MIB

NAME = "accel.json"
FORMAT = 4
MAP_VERSION = 2

DESCRIPTION_LIMIT = MIB
"""Most bytes of accel.json; that of a network of 17 memories has 25 KB."""

TEST_SET = "test.npz"
"""The network's own test set, where it has one (host.core.own_tests)."""

FILES = {
    "arrays.npz": 64 * MIB,
    "golden.npz": 256 * MIB,
    "accel.hwh": 16 * MIB,
    TEST_SET: 320 * MIB,
}
"""The files that may be listed, and how many bytes each has at most."""

REQUIRED = ("arrays.npz", "accel.hwh")
LIBRARIES = {"simulator": "libaccel.so", "simulator_checked": "libaccel_checked.so"}
"""What runs a bundle off the board, by the section that describes it."""

BITSTREAM = "accel.bit"
BINARY_LIMIT = 256 * MIB

MOST_CLASSES = 1 << 16  # a label has 16 bits
MOST_LAYERS = 128
MOST_MEMORIES = 64  # seeds are numbered by it (docs/contracts.md, The random stream)
MOST_WIDTH = 1 << 16
MOST_BITS = 1 << 27  # of all memories together: twice the block RAM of the largest 7-series device
MOST_SIDE = 1 << 14  # of a map
MOST_ELEMENTS = 1 << 22  # of a map
MOST_INPUTS = 1 << 25  # of all windows of a layer
MOST_CYCLES = 1 << 40
