"""What the processor that runs this can do, as far as the evaluator goes by it."""

from __future__ import annotations

from llvmlite import binding

_FEATURES: dict[str, bool] = dict(binding.get_host_cpu_features())

COUNTS_VECTORS = _FEATURES.get("avx512vpopcntdq", False)
"""Whether it counts the bits of vectors of words by an instruction."""
