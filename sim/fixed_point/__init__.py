"""Fixed-point networks on PyTorch, with bit errors in the two's complement of what is stored."""

from spinflow.sim.fixed_point.core import FixedPointEvaluator, QuantizedNetwork

__all__ = ["FixedPointEvaluator", "QuantizedNetwork"]
