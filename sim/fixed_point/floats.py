"""A layer of codes in PyTorch: whatever its modules, and however many bits a code has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from spinflow.sim.fixed_point.codes import Codes
from spinflow.sim.fixed_point.modules import Group

if TYPE_CHECKING:
    import torch


class FloatStage:
    """A layer in PyTorch.

    Args:
        group: the layer, its modules in the type in which they compute.
        before: modules that read what it takes.
        codes: how values become codes.
        last: whether its values are the network's, and not stored.
    """

    by_channels = False
    """Whether some output channels alone can be computed."""

    def __init__(
        self, group: Group, before: Sequence[torch.nn.Module], codes: Codes, last: bool
    ) -> None:
        self._weight, self._codes, self._last = group.module.weight, codes, last
        self._modules = [*before, group.module, *group.exact, *(group.after if last else ())]

    def prepared(self, codes: NDArray[Any], channels: None = None) -> NDArray[Any]:
        """Return weights as `compute` takes them: codes, in torch's order."""
        return codes

    def compute(
        self, source: NDArray[Any] | torch.Tensor, weights: NDArray[Any], known: None = None
    ) -> NDArray[Any]:
        """Return the codes of a layer's map, (n, ...), or the values of the last layer.

        Args:
            source: codes, or the values of the input, (n, ...).
            weights: as `prepared` gives them.
            known: is not needed.
        """
        import torch

        with torch.no_grad():
            self._weight.copy_(self._codes.values(weights, self._weight.shape))
            values = source
            if not isinstance(values, torch.Tensor):
                values = self._codes.values(values, values.shape)
            for module in self._modules:
                values = module(values)
            return values.numpy() if self._last else self._codes.of(values)
