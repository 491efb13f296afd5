"""The PyTorch modules of a fixed-point network, sorted by the layers with weights."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Role(Enum):
    """What a kind of module is to a network whose weights and maps are stored as codes."""

    LINEAR = "fc"
    CONVOLUTION = "conv"
    POOL = "reads a map, and gives a smaller one"
    READER = "only reads a map"
    EXACT = "is computed before a map is stored"


WEIGHTED = {Role.LINEAR, Role.CONVOLUTION}


@cache
def _roles() -> dict[type, Role]:
    from torch import nn

    exact = (nn.ReLU, nn.Hardtanh, nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity, nn.Dropout)
    return {
        nn.Linear: Role.LINEAR,
        nn.Conv2d: Role.CONVOLUTION,
        **dict.fromkeys((nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d), Role.POOL),
        nn.Flatten: Role.READER,
        **dict.fromkeys(exact, Role.EXACT),
    }


def role_of(module: torch.nn.Module) -> Role | None:
    """Return the role of a module by its class or the nearest of its base classes, else None."""
    roles = _roles()
    return next((roles[kind] for kind in type(module).__mro__ if kind in roles), None)


class Group:
    """A module with weights, what is exact around it, and what reads its stored map.

    Attributes:
        name: of the layer.
        module: the one with weights.
        before: modules in front of the first one with weights.
        exact: modules behind it that are computed before the map is stored.
        after: modules that only read the stored map.
    """

    def __init__(self, name: str, module: Any, before: Sequence[Any]) -> None:
        self.name, self.module, self.before = name, module, list(before)
        self.exact: list[Any] = []
        self.after: list[Any] = []

    @property
    def pools(self) -> list[str]:
        """The name of the pools behind it, if there are any: all have one."""
        there = any(role_of(module) is Role.POOL for module in (*self.exact, *self.after))
        return [f"pool{self.name.removeprefix('conv')}"] if there else []

    @property
    def map_name(self) -> str:
        """What its map is called after: the pools, if it is stored behind one."""
        pooled = any(role_of(module) is Role.POOL for module in self.exact)
        return self.pools[0] if pooled else self.name

    def follow(self, module: Any, reads: bool) -> None:
        """Append a module behind the weights; one that does not only read moves the store."""
        self.after.append(module)
        if not reads:
            self.exact += self.after
            self.after = []

    def to(self, dtype: torch.dtype) -> None:
        """Let all its modules compute in a type."""
        for module in (self.module, *self.before, *self.exact, *self.after):
            module.to(dtype)


def groups(modules: Sequence[torch.nn.Module]) -> list[Group]:
    """Return the modules by layer.

    Raises:
        ValueError: a module cannot be placed, or none has weights.
    """
    found: list[Group] = []
    first: list[Any] = []
    numbers = {Role.CONVOLUTION: 0, Role.LINEAR: 0}
    for number, module in enumerate(modules):
        role = role_of(module)
        if role is None:
            raise ValueError(f"module {number}, {type(module).__name__}, cannot be quantized")
        if role in WEIGHTED:
            name = f"{role.value}{numbers[role]}"
            found.append(Group(name, module, first if not found else []))
            numbers[role] += 1
        elif not found:
            first.append(module)
        else:
            found[-1].follow(module, reads=role is not Role.EXACT)
    if not found:
        raise ValueError("no module has weights: a network needs a Linear or a Conv2d")
    return found
