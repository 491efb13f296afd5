"""The networks by name: one file each, ``NAME.toml``, with all that the kit knows of it.

    kind = "convolutional"          # perceptron, convolutional, fixed-point or xnor
    dataset = "cifar10"             # and what else describes that kind (model.networks.graph)
    ...
    [hardware]                      # of a network that FINN and the hardware can take
    cycles = 16384                  # most cycles that a frame takes in any layer, by default
    images = 20                     # of make run
    tested = true                   # whether make test builds and simulates it
    [recipe]                        # how it is trained (model.recipe); the rest has its defaults
    epochs = 60

Beside it lie the trained weights, ``NAME.safetensors``, and what ``model.store`` says of them,
``NAME.json``. Needs nothing but the standard library.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

from spinflow.host.core.errors import SpinflowError
from spinflow.model.networks.graph import (
    Block,
    ConvSpec,
    FixedPointSpec,
    NetworkSpec,
    Spec,
    XnorSpec,
)
from spinflow.model.recipe import Recipe

ZOO = Path(__file__).parent

KINDS: dict[str, type[NetworkSpec | ConvSpec | XnorSpec]] = {
    "perceptron": NetworkSpec,
    "convolutional": ConvSpec,
    "fixed-point": FixedPointSpec,
    "xnor": XnorSpec,
}


class EntryError(SpinflowError, ValueError):
    """An entry that is damaged or describes no network; the message is one line."""


@dataclass(frozen=True)
class Hardware:
    """How a network is built and simulated.

    Attributes:
        cycles: most cycles that a frame takes in any layer, unless another target is given.
        images: images of a sweep on the RTL, unless another number is given.
        tested: whether ``make test`` builds and simulates it.
    """

    cycles: int
    images: int = 500
    tested: bool = False


@dataclass(frozen=True)
class Entry:
    """All that the kit knows of a network.

    Attributes:
        spec: its description.
        recipe: how it is trained.
        hardware: how it is built and simulated, None where it has no default for that.
    """

    spec: Spec
    recipe: Recipe
    hardware: Hardware | None = None


def read(path: Path) -> Entry:
    """Read an entry; the name of the network is that of the file.

    Raises:
        EntryError: the file cannot be read, is damaged or describes no network.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EntryError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise EntryError(f"{path}: damaged: {error}") from None
    hardware, recipe = table.pop("hardware", None), table.pop("recipe", {})
    kind = table.pop("kind", None)
    if kind not in KINDS:
        raise EntryError(f"{path}: kind is {kind!r}, valid: {', '.join(KINDS)}")
    name = path.stem
    try:
        return Entry(
            _made(KINDS[kind], table, "", name=name),
            _made(Recipe, recipe, "recipe.", network=name),
            None if hardware is None else _made(Hardware, hardware, "hardware."),
        )
    except ValueError as error:
        raise EntryError(f"{path}: {error}") from None


def _made(kind: Any, table: Any, prefix: str, **given: Any) -> Any:
    """Make a dataclass of a table, every value of the type that its field has."""
    if not isinstance(table, dict):
        raise ValueError(f"{prefix.rstrip('.')} is {table!r}, valid: a table")
    types = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name not in given}
    for key in table:
        if key not in fields:
            raise ValueError(f"there is no {prefix}{key}; there are {', '.join(fields)}")
    for name, field in fields.items():
        if name not in table and field.default is dataclasses.MISSING:
            raise ValueError(f"{prefix}{name} is missing")
    values = {key: _value(value, types[key], prefix + key) for key, value in table.items()}
    return kind(**values, **given)


def _value(value: Any, wanted: Any, name: str) -> Any:
    """Return a value of TOML as one of a field's type."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Literal:
        if value not in arguments:
            raise ValueError(f"{name} is {value!r}, valid: {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        length = None if arguments[-1] is Ellipsis else len(arguments)
        if not isinstance(value, list) or length not in (None, len(value)):
            raise ValueError(f"{name} is {value!r}, valid: a list" + f" of {length}" * bool(length))
        return tuple(_value(item, arguments[0], f"{name}[{i}]") for i, item in enumerate(value))
    if wanted is Block:
        return _made(Block, value, f"{name}.")
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"{name} is {value!r}, valid: {wanted.__name__}")
    return value


ENTRIES: Mapping[str, Entry] = {path.stem: read(path) for path in sorted(ZOO.glob("*.toml"))}
"""All entries, by name."""

NETWORKS: dict[str, Spec] = {name: entry.spec for name, entry in ENTRIES.items()}
"""The networks' descriptions, by name."""

RECIPES: dict[str, Recipe] = {name: entry.recipe for name, entry in ENTRIES.items()}
"""How they are trained, by name."""


TESTED: tuple[str, ...] = tuple(
    name for name, entry in ENTRIES.items() if entry.hardware and entry.hardware.tested
)
"""Names of the networks that ``make test`` builds and simulates."""


def network(name: str) -> Spec:
    """Return the spec of a network or of its variant NAME+LABEL; ValueError lists the names."""
    base = name.partition("+")[0]
    if base not in NETWORKS:
        raise ValueError(f"unknown network {base!r}; known: {', '.join(NETWORKS)}")
    return NETWORKS[base]
