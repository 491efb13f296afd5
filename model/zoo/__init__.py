"""The networks by name: one file each, ``NAME.toml``, with all that the kit knows of it::

    kind = "convolutional"          # perceptron, convolutional, fixed-point or xnor
    dataset = "cifar10"             # or the path of data of one's own from this file's folder, and
                                    # options behind a "?" (model.data.read_own)
    ...                             # and what else describes that kind (model.networks.graph)
    [hardware]                      # of a network that FINN and the hardware can take
    cycles = 16384                  # most cycles that a frame takes in any layer, by default
    images = 20                     # of make run
    tested = true                   # whether make test builds and simulates it
    [recipe]                        # how it is trained (model.training.recipe)
    epochs = 60

Beside it lie the trained weights, ``NAME.safetensors``, and what ``model.store`` says of them,
``NAME.json``. Such files lie here, or in any folder: :func:`find` takes a path as well as a name.
Needs nothing but the standard library.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.networks import SUFFIX, base_of, called
from spinflow.host.core.reading import read_text
from spinflow.host.core.text import shown
from spinflow.model.networks.graph import (
    Block,
    ConvSpec,
    FixedPointSpec,
    NetworkSpec,
    Spec,
    XnorSpec,
)
from spinflow.model.training.recipe import Recipe

ZOO = Path(__file__).parent

MOST_BYTES = 1 << 16
"""Bytes of the largest description."""

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
        cycles: most cycles that a frame takes in any layer, unless another target is given; the
            fastest that leaves room on the part if None.
        images: images of a sweep on the RTL, unless another number is given; as many as
            :attr:`Entry.images` says if None.
        tested: whether ``make test`` builds and simulates it.
    """

    cycles: int | None = None
    images: int | None = None
    tested: bool = False

    def __post_init__(self) -> None:
        for name in ("cycles", "images"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= 10**9:
                raise ValueError(f"hardware.{name} is {value}, valid: 1 to {10**9}")


@dataclass(frozen=True)
class Entry:
    """All that the kit knows of a network.

    Attributes:
        spec: its description.
        recipe: how it is trained.
        hardware: how it is built and simulated.
        stated: fields of the recipe that the file states.
    """

    spec: Spec
    recipe: Recipe
    hardware: Hardware
    stated: frozenset[str] = frozenset()

    @property
    def images(self) -> int:
        """Images of a sweep on the RTL."""
        return self.hardware.images or images_of(self.spec.shape)


def images_of(shape: Sequence[int]) -> int:
    """Return the images of a sweep on the RTL of a network that does not say how many.

    A convolution takes many times the cycles of a perceptron for an image.

    Args:
        shape: of an image: (pixels,) or (rows, columns, channels).
    """
    return 500 if len(shape) == 1 else 100


def read(path: Path) -> Entry:
    """Read an entry; the name of the network is that of the file.

    Raises:
        EntryError: the file cannot be read, is damaged or describes no network.
    """
    text = read_text(path, MOST_BYTES, EntryError)
    # Python 3.10 does not have it.
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        table = toml.loads(text)
    except (ValueError, RecursionError) as error:
        raise EntryError(f"{path}: not TOML: {error}") from None
    hardware, recipe = table.pop("hardware", {}), table.pop("recipe", {})
    kind = table.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise EntryError(f"{path}: kind is {shown(kind)}, valid: {', '.join(KINDS)}")
    name = path.stem
    try:
        return Entry(
            _made(KINDS[kind], table, "", name=name),
            _made(Recipe, recipe, "recipe.", network=name),
            _made(Hardware, hardware, "hardware."),
            frozenset(recipe),
        )
    except ValueError as error:
        raise EntryError(f"{path}: {error}") from None


def _made(kind: Any, table: Any, prefix: str, **given: Any) -> Any:
    """Make a dataclass of a table, every value of the type that its field has."""
    if not isinstance(table, dict):
        raise ValueError(f"{prefix.rstrip('.')} is {shown(table)}, valid: a table")
    types = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name not in given}
    for key in table:
        if key not in fields:
            near = get_close_matches(key, fields, 1)
            meant = f"is {near[0]} meant?" if near else f"there are {', '.join(fields)}"
            raise ValueError(f"there is no {shown(prefix + key)}: {meant}")
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
            raise ValueError(f"{name} is {shown(value)}, valid: {', '.join(map(repr, arguments))}")
        return value
    if origin is types.UnionType:
        lists = [each for each in arguments if typing.get_origin(each) is tuple]
        kinds = lists if isinstance(value, list) and lists else arguments
        return _value(value, kinds[0], name)
    if origin is tuple:
        length = None if arguments[-1] is Ellipsis else len(arguments)
        if not isinstance(value, list) or length not in (None, len(value)):
            of = f" of {length}" if length else ""
            raise ValueError(f"{name} is {shown(value)}, valid: a list{of}")
        return tuple(_value(item, arguments[0], f"{name}[{i}]") for i, item in enumerate(value))
    if wanted is Block:
        return _made(Block, value, f"{name}.")
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"{name} is {shown(value)}, valid: {_WORDS[wanted]}")
    return value


_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


ENTRIES: Mapping[str, Entry] = {path.stem: read(path) for path in sorted(ZOO.glob("*.toml"))}
"""All entries, by name."""

NETWORKS: dict[str, Spec] = {name: entry.spec for name, entry in ENTRIES.items()}
"""The networks' descriptions, by name."""

RECIPES: dict[str, Recipe] = {name: entry.recipe for name, entry in ENTRIES.items()}
"""How they are trained, by name."""


TESTED: tuple[str, ...] = tuple(name for name, entry in ENTRIES.items() if entry.hardware.tested)
"""Names of the networks that ``make test`` builds and simulates."""


@dataclass(frozen=True)
class Found:
    """A network that was asked for.

    Attributes:
        name: by which files, bundles and results know it, with the label of a variant.
        entry: what its description says.
        path: of the description.
    """

    name: str
    entry: Entry
    path: Path

    @property
    def folder(self) -> Path:
        """The folder of its trained files."""
        return self.path.parent

    @property
    def is_own(self) -> bool:
        """Whether it is none of the zoo's."""
        return self.folder != ZOO

    @property
    def weights(self) -> Path:
        """Its trained weights, whether or not they are there."""
        return self.folder / f"{self.name}.safetensors"


_OWN: dict[str, Found] = {}
"""Networks of other folders that this process knows, by name."""


def find(text: str) -> Found:
    """Return the network that NAME, NAME+LABEL, PATH.toml or PATH.toml+LABEL means.

    From then on the functions that take a name know one of another folder by its name.

    Raises:
        ValueError: the name is unknown; the file is missing, damaged or describes no network; or
            its name is that of a network of the zoo or of another file that was found before.
    """
    words = called(text)
    base, path = words.base, words.path
    if path is None or path.resolve() == (ZOO / f"{base}{SUFFIX}").resolve():
        if base in _OWN:
            return dataclasses.replace(_OWN[base], name=words.name)
        spec, recipe = network(base), RECIPES.get(base, Recipe(base))
        hardware = ENTRIES[base].hardware if base in ENTRIES else Hardware()
        entry = Entry(spec, recipe, hardware)
        return Found(words.name, entry, ZOO / f"{base}{SUFFIX}")
    if base in ENTRIES:
        raise EntryError(
            f"{path}: the zoo has a network of the name {base}; give the file another one"
        )
    before = _OWN.get(base)
    if before is not None and before.path.resolve() != path.resolve():
        raise EntryError(f"{path}: {before.path} has the same name; give one of them another")
    entry = _beside(path, read(path))
    _OWN[base] = Found(base, entry, path)
    NETWORKS[base], RECIPES[base] = entry.spec, entry.recipe
    return dataclasses.replace(_OWN[base], name=words.name)


def _beside(path: Path, entry: Entry) -> Entry:
    """Return an entry whose data, if they are a file or a folder, are found from its folder."""
    data, mark, options = entry.spec.dataset.partition("?")
    names = {known.spec.dataset for known in ENTRIES.values()}
    place = path.parent / data
    if data in names or not (place.exists() or "/" in data or "." in data):
        return entry
    spec = dataclasses.replace(entry.spec, dataset=f"{place.resolve()}{mark}{options}")
    return dataclasses.replace(entry, spec=spec)


def asked_for(name: str) -> str:
    """Return how a user calls a network: the path of its description, or its name in the zoo."""
    base, plus, label = name.partition("+")
    return (str(_OWN[base].path) if base in _OWN else base) + plus + label


def how_to_train(name: str, folder: Path | None = None) -> str:
    """Return the command that trains a network or variant, so that its files are found.

    Args:
        name: of the network, with the label of a variant.
        folder: where they are looked for; that of the description if None.
    """
    base, plus, label = name.partition("+")
    words = f"spinflow train {asked_for(base)}" + (f" --label {label}" if plus else "")
    if folder is None and base in _OWN:
        return words
    return f"{words} --out {folder or ZOO}"


def network(name: str) -> Spec:
    """Return the spec of a network or of its variant NAME+LABEL; ValueError lists the names."""
    base = base_of(name)
    if base not in NETWORKS:
        if Path(f"{base}{SUFFIX}").is_file():
            raise ValueError(f"unknown network {base!r}; {base}{SUFFIX} is its path, give that")
        raise ValueError(f"unknown network {base!r}; known: {', '.join(NETWORKS)}")
    return NETWORKS[base]
