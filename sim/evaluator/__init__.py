"""The fast evaluator of binary networks with MRAM memories; see docs/evaluator.md."""

from spinflow.sim.evaluator.cnv import cnv
from spinflow.sim.evaluator.core import Evaluator
from spinflow.sim.evaluator.folding import Folding
from spinflow.sim.evaluator.layers.base import Buffer
from spinflow.sim.evaluator.layers.label import Label
from spinflow.sim.evaluator.layers.max_pool import MaxPool
from spinflow.sim.evaluator.layers.pixel_threshold import PixelThreshold
from spinflow.sim.evaluator.layers.product import Conv, Linear
from spinflow.sim.evaluator.network import Network, fold_batch_norm

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
