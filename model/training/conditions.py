"""Training with the errors of a file of write conditions, as ``spinflow optimise`` makes them."""

from __future__ import annotations

from pathlib import Path

from spinflow.host.core.errors import InputError
from spinflow.host.core.text import one_line
from spinflow.host.sweep.conditions import read_conditions
from spinflow.host.sweep.operating_point import OperatingPoint
from spinflow.model.networks.graph import Spec
from spinflow.model.training.write_errors import map_names, weight_names


def rates_of(path: Path, spec: Spec) -> dict[str, str]:
    """Return the fields of a recipe that train with a file's error rates.

    A recipe holds the rates themselves, so that a trained file depends on no other.

    Args:
        path: the file; it may leave memories out, which then have no errors.
        spec: of the network.

    Returns:
        ``weight_errors`` and ``activation_errors``, as the module ``write_errors`` reads them.

    Raises:
        InputError: it cannot be read, or is no such file.
        ValueError: it is of another network, or names a memory that the network has not.
    """
    kinds = {
        "weights": ("weight_errors", weight_names(spec)),
        "buffer": ("activation_errors", map_names(spec)),
    }
    known = [f"{name}.{kind}" for kind, (_, names) in kinds.items() for name in names]
    rates: dict[str, list[str]] = {field: [] for field, _ in kinds.values()}
    conditions = read_conditions(path)
    try:
        conditions.check_network(spec.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    for memory, point in conditions.each:
        if memory not in known:
            raise ValueError(
                f"{path}: {spec.name} has no memory {one_line(memory, 60)}: "
                f"{one_line(', '.join(known), 150)}"
            )
        name, _, kind = memory.rpartition(".")
        rates[kinds[kind][0]].append(f"{name}={_said(point)}")
    return {field: ",".join(entries) or "0" for field, entries in rates.items()}


def _said(point: OperatingPoint) -> str:
    """Return the rates of a point, to nine digits: more are not trained with."""
    one, zero = f"{point.rate1:.9g}", f"{point.rate0:.9g}"
    return one if one == zero else f"{one}/{zero}"
