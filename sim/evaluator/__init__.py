"""The fast evaluator of binary networks with MRAM memories; see docs/evaluator.md."""

from spinflow.sim.evaluator.core import Evaluator
from spinflow.sim.evaluator.network import (
    Buffer,
    Conv,
    Folding,
    Label,
    Linear,
    MaxPool,
    Network,
    PixelThreshold,
    cnv,
    fold_batch_norm,
)

__all__ = [
    "Buffer",
    "Conv",
    "Evaluator",
    "Folding",
    "Label",
    "Linear",
    "MaxPool",
    "Network",
    "PixelThreshold",
    "cnv",
    "fold_batch_norm",
]
