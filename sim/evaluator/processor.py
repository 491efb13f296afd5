"""What the processor that runs this can do, as far as the evaluator goes by it."""

from __future__ import annotations

from llvmlite import binding
from numba.core import config


def _features() -> dict[str, bool]:
    """What compiled functions may use: numba can be told to compile for another processor."""
    name, features = (getattr(config, key, None) for key in ("CPU_NAME", "CPU_FEATURES"))
    if name or features:
        named = (features or "").split(",")
        return {each[1:]: True for each in named if each.startswith("+")}
    found: dict[str, bool] = dict(binding.get_host_cpu_features())
    return found


COUNTS_VECTORS = _features().get("avx512vpopcntdq", False)
"""Whether it counts the bits of vectors of words by an instruction."""

PRODUCTS = 1.0 if COUNTS_VECTORS else 4.0
"""What 512 products of bits cost, against a step of logic on vectors; measured."""
