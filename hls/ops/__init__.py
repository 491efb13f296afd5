"""The ops of the hardware as FINN's nodes, one file each; importing this makes FINN know them.

They compute in Python as FINN's do. In hardware each is one module of `hw/rtl`, or one that FINN
generates. To add one: a file here with its class `X_rtl` (see `base.Op` for what it can say of
itself), and its module in `hw/rtl`; `kinds` finds it.
"""

from spinflow.hls.ops.base import (
    ABSTRACT_DOMAIN,
    BINARY_TYPES,
    PIXEL_TYPE,
    PIXELS,
    RTL_DOMAIN,
    Op,
    Place,
    Walk,
    Where,
)
from spinflow.hls.ops.kinds import find_kind, kind_of, kinds, op_of, register
from spinflow.hls.ops.text import sv_instance

__all__ = [
    "ABSTRACT_DOMAIN",
    "BINARY_TYPES",
    "PIXELS",
    "PIXEL_TYPE",
    "RTL_DOMAIN",
    "Op",
    "Place",
    "Walk",
    "Where",
    "find_kind",
    "kind_of",
    "kinds",
    "op_of",
    "sv_instance",
]

register()
