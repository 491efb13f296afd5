"""The table of the ops that the hardware has: a file of this folder is one more.

The table is read off the folder. In each file, a class `X_rtl` is the op for FINN's nodes `X`, and
a class without `_rtl` takes the place of FINN's own `X`. A node of which the table knows nothing is
refused here, by name.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import spinflow.hls.finn_env  # noqa: F401  # sets FINN up

# isort: split
import finn.custom_op.fpgadataflow as abstract_ops
import finn.custom_op.fpgadataflow.rtl as rtl_ops
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.transformation.fpgadataflow import specialize_layers
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import add_op_to_domain, getCustomOp

from spinflow.hls.ops.base import ABSTRACT_DOMAIN, RTL_DOMAIN, Op
from spinflow.hls.paths import no_such_operator

SUFFIX = "_rtl"

_finn_implementation_style = specialize_layers._determine_impl_style


def register() -> None:
    """Make FINN find the ops of this folder, and choose them where they must be chosen."""
    for cls in _classes():
        table, domain = (
            (rtl_ops, RTL_DOMAIN) if issubclass(cls, Op) else (abstract_ops, ABSTRACT_DOMAIN)
        )
        table.custom_op[cls.__name__] = cls
        add_op_to_domain(domain, cls)
    specialize_layers._determine_impl_style = _implementation_style


@functools.cache
def kinds() -> Mapping[str, type[Op]]:
    """Return the ops by the names of FINN's nodes, in the order of the data in a layer."""
    found = [cls for cls in _classes() if issubclass(cls, Op)]
    by_order = sorted(found, key=lambda cls: (cls.order, cls.__name__))
    return MappingProxyType({cls.__name__.removesuffix(SUFFIX): cls for cls in by_order})


def find_kind(node: Any) -> type[Op] | None:
    """Return the op of a node, specialised or not; None if the hardware has no such op."""
    if node.domain not in (ABSTRACT_DOMAIN, RTL_DOMAIN):
        return None
    return kinds().get(node.op_type.removesuffix(SUFFIX))


def kind_of(node: Any, where: str = "") -> type[Op]:
    """Return the op of a node, specialised or not.

    Args:
        node: of FINN's graph.
        where: it stands, for the message: "after layer fc0".

    Raises:
        BuildError: the hardware has no such op.
    """
    kind = find_kind(node)
    if kind is None:
        raise no_such_operator(node.op_type, where)
    return kind


def op_of(node: Any, where: str = "") -> Op:
    """Return a specialised node as the op that it is; raises as :func:`kind_of`."""
    kind_of(node, where)
    op = getCustomOp(node)
    if not isinstance(op, Op):
        raise no_such_operator(node.op_type, where)
    return op


@functools.cache
def _classes() -> tuple[type[Any], ...]:
    """Return the classes of nodes that the files of this folder define."""
    package = __name__.rpartition(".")[0]
    found: list[type[Any]] = []
    for file in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{package}.{file.name}")
        found += [
            cls
            for cls in vars(module).values()
            if isinstance(cls, type)
            and issubclass(cls, HWCustomOp)
            and cls.__module__ == module.__name__
        ]
    return tuple(found)


def _implementation_style(node: Any, part: str, model: ModelWrapper) -> str:
    kind = kinds().get(node.op_type)
    if kind is not None and kind.must_be_rtl(getCustomOp(node)):
        return "rtl"
    return str(_finn_implementation_style(node, part, model))
