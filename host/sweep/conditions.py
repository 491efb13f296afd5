"""Files of write conditions, one for each memory: what ``spinflow optimise`` makes.

    network = "mlp-mnist"

    [conditions]
    "fc0.weights" = "exponential:current=150uA,pulse=51.2ns"
    "fc0.buffer" = "exponential:current=150uA,pulse=38.9ns"

Each condition is one of ``spinflow.host.sweep.operating_point.point_of_write_condition``. A grid's
key ``conditions`` and the option ``--conditions`` take such a file as one operating point. The line
of the network may be missing; where it is, another network is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spinflow.host.core.errors import HostError, InputError
from spinflow.host.core.text import one_line
from spinflow.host.core.toml import read_toml
from spinflow.host.sweep.operating_point import (
    OperatingPoint,
    of_device,
    point_of_each,
    point_of_write_condition,
)

MOST_BYTES = 1 << 16
"""Bytes of the largest file: a network has at most 64 memories."""

TABLE = "conditions"
"""The table of the file."""

NETWORK = "network"
"""The key that may stand before it."""


def read_conditions(path: Path, device: str | None = None) -> OperatingPoint:
    """Return the point of a file of conditions.

    Args:
        path: the file.
        device: whose energies are taken (``host.mtj.devices``), None for the models' own.

    Raises:
        InputError: it cannot be read, or is not such a file.
        RateError: a rate that the registers cannot hold.
    """
    found = read_toml(path, MOST_BYTES)
    table, network = found.get(TABLE), found.get(NETWORK, "")
    if not {*found} <= {TABLE, NETWORK} or not isinstance(table, dict) or not table:
        raise InputError(
            f'{path}: one table [{TABLE}] expected, of lines as "fc0.weights" = '
            f'"exponential:pulse=50ns", and before it {NETWORK} = "NAME" or nothing'
        )
    if not isinstance(network, str):
        raise InputError(f"{path}: {NETWORK} = {one_line(repr(network), 60)}: a name expected")
    points = {}
    for name, text in table.items():
        if not isinstance(text, str):
            raise InputError(
                f"{path}: {one_line(name, 60)} = {one_line(repr(text), 60)}: a write condition in "
                "quotes expected"
            )
        try:
            points[name] = point_of_write_condition(of_device(text, device))
        except HostError as error:
            raise type(error)(
                f"{path}: {one_line(name, 60)}: {one_line(str(error), 180)}"
            ) from None
    return point_of_each(points, network)


def text_of_conditions(conditions: Mapping[str, str], remark: str, network: str = "") -> str:
    """Return the content of a file of conditions.

    Args:
        conditions: in words, by the memories' names.
        remark: lines for those who read the file.
        network: its name; of any network with these memories if empty.
    """
    lines = [f"# {one_line(line, 1000)}".rstrip() for line in remark.splitlines()]
    lines += ["", f'{NETWORK} = "{network}"'] if network else []
    lines += ["", f"[{TABLE}]", *(f'"{name}" = "{text}"' for name, text in conditions.items())]
    return "\n".join(lines) + "\n"
