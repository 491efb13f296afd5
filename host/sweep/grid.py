"""The grid of a sweep, from a TOML file or from options: one table of keys serves both.

    network = "tfc-mnist"
    memory = ["weights", "buffers"]
    layer = ["fc1"]
    mode = ["flip", "switch"]
    rates = [0, 1e-3, 1e-2, 1e-1]
    repeats = 5

Every key may hold one value or a list where a sweep can go over several; the trials are all their
combinations. docs/sweeps.md lists the keys.
"""

from __future__ import annotations

import argparse
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import HostError, InputError
from spinflow.host.core.networks import SUFFIX, called
from spinflow.host.core.sources import WORK
from spinflow.host.core.test_sets import AtMost
from spinflow.host.core.text import one_line
from spinflow.host.core.toml import read_toml
from spinflow.host.sweep.aging import Aging
from spinflow.host.sweep.conditions import read_conditions
from spinflow.host.sweep.mapped import MapFile
from spinflow.host.sweep.operating_point import (
    DEFAULT_MODEL,
    READ_PULSE_S,
    READ_VOLTAGE_V,
    OperatingPoint,
    aging_of,
    of_device,
    point_of_pulse,
    point_of_rate,
    point_of_target,
    point_of_write_condition,
    point_without_errors,
)
from spinflow.host.sweep.running import UntilWidth
from spinflow.host.sweep.trials import Trial, grid

DEFAULT_RATES = (0.0, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1)
DEFAULT_IMAGES = AtMost(500)
DEFAULT_REPEATS = 5
DEFAULT_SEED = 1
MOST_REPEATS = 1000
"""Repeats at which a point is given up, if the grid names no other number."""


MOST_BYTES = 1 << 20
"""Bytes of the largest grid file."""

MOST_VALUES = 10000
"""Most values of a key."""

MOST_TEXT = 500
"""Most characters of a value."""

_BUILD = Path("build")


@dataclass(frozen=True)
class _Setting:
    """One key of the file, one option of the command line: the type of a value, how many, help."""

    kind: type
    many: bool
    help: str


CONDITIONS = ("write_condition", "target_rate", "pulse", "conditions")
"""Keys by which a grid has write conditions; without them it has bare rates."""

_AGED = {
    "delta": ("retention_s", "reads"),
    "read_voltage": ("reads",),
    "read_pulse": ("reads",),
}
"""Keys that count only beside one of others."""

MEMORIES = "a memory's or a layer's name, a pattern as conv*.weights, or weights, buffers, all"
BACKGROUNDS = "zeros, ones, random:SEED or previous: what the weights are written over"

SETTINGS: dict[str, _Setting] = {
    "network": _Setting(
        str, True, "networks, whose bundles are build/NETWORK: names, or the paths of .toml files"
    ),
    "bundle": _Setting(str, True, "folders of bundles, as build/tfc-mnist"),
    "images": _Setting(
        int,
        False,
        f"test images of every trial (default {DEFAULT_IMAGES}, or all if there are fewer)",
    ),
    "images_at_most": _Setting(int, False, "the same, or all if there are fewer"),
    "image_seed": _Setting(int, False, "choose the images at random with this seed"),
    "seed": _Setting(
        int,
        False,
        "base seed; each memory and repeat gets a stream of its own from it "
        f"(default {DEFAULT_SEED})",
    ),
    "repeats": _Setting(int, False, f"repeats (default {DEFAULT_REPEATS})"),
    "until_width": _Setting(
        float, False, "more repeats until the 95 %% interval of the accuracy is no wider than this"
    ),
    "max_repeats": _Setting(
        int, False, f"repeats at which until_width gives up (default {MOST_REPEATS})"
    ),
    "memory": _Setting(
        str,
        True,
        f"each: {MEMORIES} (default weights buffers; all with conditions; none with layers)",
    ),
    "layer": _Setting(str, True, "each: name or number of a layer, its weights and its buffer"),
    "mode": _Setting(str, True, "each: off, flip or switch (default flip)"),
    "rates": _Setting(
        float,
        True,
        f"bit-error rates (default {' '.join(f'{rate:g}' for rate in DEFAULT_RATES)}, "
        "unless write conditions are given)",
    ),
    "rate0": _Setting(
        float, True, "rates of a written 0, if they differ: one, or as many as rates"
    ),
    "write_condition": _Setting(
        str, True, "write conditions, each MODEL:voltage=..V,pulse=..ns or MODEL:current=..uA,.."
    ),
    "conditions": _Setting(
        str, True, "files of write conditions, one for each memory, as spinflow optimise makes them"
    ),
    "target_rate": _Setting(float, True, "write conditions by the rate that they reach"),
    "pulse": _Setting(float, True, "write conditions by their pulse width in seconds"),
    "model": _Setting(
        str, False, f"device model of target_rate and pulse (default {DEFAULT_MODEL})"
    ),
    "drive": _Setting(
        str, False, "write voltage or current of target_rate and pulse, as 0.5V (default: model's)"
    ),
    "device": _Setting(
        str,
        False,
        "published part whose write energy is the conventional one, per cent unchanged (see "
        "spinflow physics devices; default: the model's own)",
    ),
    "cell_map": _Setting(
        str,
        True,
        "npz files of `spinflow cell-map`: each cell errs at its own rates (in place of rates)",
    ),
    "background": _Setting(
        str,
        True,
        f"each: {BACKGROUNDS}; repeat n rewrites over `previous` n times (default random:1)",
    ),
    "retention_s": _Setting(float, True, "seconds from the writing to the use of the weights"),
    "reads": _Setting(int, True, "reads of every weight that may disturb it"),
    "delta": _Setting(float, False, "thermal stability for both (default: the model's, or 40)"),
    "read_voltage": _Setting(
        float,
        False,
        f"volts of a read; above 0 it drives towards a 1, below towards a 0 "
        f"(default {READ_VOLTAGE_V:g})",
    ),
    "read_pulse": _Setting(float, False, f"seconds of a read (default {READ_PULSE_S:g})"),
}
"""The keys of a grid file. The options have the same names, with dashes."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add ``--grid`` and an option for every key of a grid file."""
    command.add_argument(
        "--grid", type=Path, metavar="FILE", help="a TOML file with the keys below (docs/sweeps.md)"
    )
    for name, setting in SETTINGS.items():
        command.add_argument(
            f"--{name.replace('_', '-')}",
            type=setting.kind,
            nargs="+" if setting.many else None,
            help=setting.help,
        )


@dataclass(frozen=True)
class Grid:
    """A checked grid; ``trials`` makes it into the trials of one bundle.

    Attributes:
        networks: names of the networks, if it names them.
        asked: what it calls them, each a name or the path of a description.
        bundles: folders of the bundles.
        images: number of test images.
        image_seed: seed of their choice, None for the first ones.
        until: adaptive repeats, None for a fixed number.
        source: the file it came from, to be named in errors; empty for options.
    """

    networks: tuple[str, ...]
    asked: tuple[str, ...]
    bundles: tuple[Path, ...]
    images: int
    image_seed: int | None
    seed: int
    repeats: int
    until: UntilWidth | None
    memories: tuple[str, ...]
    layers: tuple[str, ...]
    modes: tuple[str, ...]
    points: tuple[OperatingPoint, ...]
    backgrounds: tuple[str, ...]
    retention_s: tuple[float, ...]
    reads: tuple[int, ...]
    delta: float | None
    read_voltage_v: float
    read_pulse_s: float
    maps: tuple[MapFile, ...] = ()
    source: str = field(default="", compare=False)

    def folders(self) -> tuple[Path, ...]:
        """Return the folders of the bundles.

        Raises:
            InputError: the grid names no network, or one that has no bundle.
        """
        for name, folder in zip(self.networks, self.bundles, strict=False):
            exported, made = folder / "model.onnx", folder / "accel.json"
            if folder == _BUILD / name and exported.is_file() and not made.is_file():
                raise _at(
                    self.source,
                    InputError(f"network {name!r} is not built: `spinflow build {name}` does it"),
                )
            if folder == _BUILD / name and not folder.is_dir():
                elsewhere = WORK / folder
                if elsewhere.is_dir():
                    raise _at(
                        self.source,
                        InputError(
                            f"network {name!r} lies in {elsewhere}: run this command in {WORK}, or "
                            "give that folder as the bundle"
                        ),
                    )
                there = sorted(path.parent.name for path in _BUILD.glob("*/accel.json"))
                raise _at(
                    self.source,
                    InputError(
                        f"unknown network {name!r}: there is no bundle {folder}; there are "
                        f"{', '.join(there) or 'none'}"
                    ),
                )
        if not self.bundles:
            raise _at(self.source, InputError("no network: give a network or a bundle"))
        return self.bundles

    def trials(self, bundle: Bundle) -> list[Trial]:
        """Return the trials of a bundle.

        Raises:
            InputError, RateError: an unknown memory, layer, mode or background, a wrong rate.
        """
        try:
            if self.networks and bundle.network not in self.networks:
                raise InputError(
                    f"{bundle.folder} holds {bundle.network}, the grid is of "
                    f"{', '.join(self.networks)}"
                )
            return grid(
                bundle,
                selections=[*self.memories, *(bundle.layer(_layer(n)) for n in self.layers)],
                modes=self.modes,
                points=self.points,
                backgrounds=self.backgrounds,
                repeats=self.repeats,
                seed=self.seed,
                agings=self._agings,
                maps=self.maps,
            )
        except HostError as error:
            raise _at(self.source, error) from None

    def _agings(self, point: OperatingPoint) -> list[Aging]:
        return [
            aging_of(
                point,
                seconds,
                reads,
                delta=self.delta,
                read_voltage_v=self.read_voltage_v,
                read_pulse_s=self.read_pulse_s,
            )
            for seconds in self.retention_s
            for reads in self.reads
        ]


def _layer(name: str) -> str | int:
    return int(name) if name.isdecimal() else name


def _at(source: str, error: HostError) -> HostError:
    """Return an error that names the grid file, if it came from one."""
    return type(error)(f"{source}: {error}") if source else error


def from_options(options: argparse.Namespace) -> Grid:
    """Return the grid of a command line: of its ``--grid`` file, or of its options.

    Raises:
        InputError, RateError: an unknown key, a value of another type, a wrong rate.
    """
    given = {name: value for name in SETTINGS if (value := getattr(options, name)) is not None}
    if options.grid is None:
        return make(given)
    # Where a bundle lies differs between machines; all else has its place in the file.
    beside = sorted(set(given) - {"bundle"})
    if beside:
        raise InputError(
            f"--{beside[0].replace('_', '-')} together with --grid: put it into {options.grid}; "
            f"its key there is {beside[0]}"
        )
    settings = read_toml(options.grid, MOST_BYTES)
    if "bundle" in given:
        settings["bundle"] = given["bundle"]
    return make(settings, str(options.grid))


def make(settings: Mapping[str, Any], source: str = "") -> Grid:
    """Return the grid of settings by key, every value checked.

    Raises:
        InputError, RateError: an unknown key, a value of another type, a wrong rate.
    """
    try:
        return _make({name: _checked(name, value) for name, value in settings.items()}, source)
    except HostError as error:
        raise _at(source, error) from None


def _checked(name: str, value: Any) -> Any:
    """Return a value in its type, as a tuple where the key may hold several."""
    setting = SETTINGS.get(name)
    if setting is None:
        near = difflib.get_close_matches(name, SETTINGS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(SETTINGS)}"
        raise InputError(f"unknown key {one_line(name, 60)}: {hint}")
    values = value if isinstance(value, (list, tuple)) else [value]
    if not setting.many and isinstance(value, (list, tuple)):
        raise InputError(f"{name} = {one_line(repr(value), 80)}: one value expected, not a list")
    if not values:
        raise InputError(f"{name} is an empty list: give a value, or leave the key out")
    if len(values) > MOST_VALUES:
        raise InputError(f"{name} has {len(values)} values: at most {MOST_VALUES} are possible")
    typed = tuple(_typed(name, setting.kind, each) for each in values)
    return typed if setting.many else typed[0]


def _typed(name: str, kind: type, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Whole numbers must fit 64 bits, and a float must be finite.
    if number and abs(value) < 2**63:
        if kind is float:
            return float(value)
        if kind is int and isinstance(value, int):
            return value
        if name == "layer" and isinstance(value, int):
            return str(value)
    if kind is str and isinstance(value, str):
        if not value.isprintable() or len(value) > MOST_TEXT:
            raise InputError(
                f"{name} = {one_line(repr(value), 80)}: at most {MOST_TEXT} characters expected, "
                "all printable"
            )
        return value
    words = {
        float: "a number",
        int: "a whole number",
        str: "a text in quotes",
    }[kind]
    raise InputError(f"{name} = {one_line(repr(value), 80)}: {words} expected")


def _make(settings: dict[str, Any], source: str) -> Grid:
    asked = settings.get("network", ())
    networks = tuple(called(name).name if SUFFIX in name else name for name in asked)
    folders = settings.get("bundle") or tuple(str(_BUILD / name) for name in networks)
    repeats = settings.get("repeats", DEFAULT_REPEATS)
    layers = settings.get("layer", ())
    for name in ("retention_s", "reads"):
        for value in settings.get(name, ()):
            if not 0 <= value < math.inf:
                raise InputError(f"{name} = {value}: must be 0 or more")
    maps = settings.get("cell_map", ())
    if maps and any((*settings.get("retention_s", ()), *settings.get("reads", ()))):
        raise InputError("cell_map with retention_s or reads: cells that differ do not age")
    for name, others in _AGED.items():
        if name in settings and not any(other in settings for other in others):
            raise InputError(f"{name} goes with {' or '.join(others)}")
    if "images" in settings and "images_at_most" in settings:
        raise InputError("images and images_at_most: give one of them")
    return Grid(
        networks=networks,
        asked=asked,
        bundles=tuple(Path(folder) for folder in folders),
        images=settings.get("images", AtMost(settings.get("images_at_most", DEFAULT_IMAGES))),
        image_seed=settings.get("image_seed"),
        seed=settings.get("seed", DEFAULT_SEED),
        repeats=repeats,
        until=_until(settings, repeats),
        memories=settings.get("memory", () if layers else _memories(settings)),
        layers=layers,
        modes=settings.get("mode", ("flip",)),
        points=tuple(dict.fromkeys(_points(settings))),
        backgrounds=settings.get("background", ("random:1",)),
        retention_s=settings.get("retention_s", (0.0,)),
        reads=settings.get("reads", (0,)),
        delta=settings.get("delta"),
        read_voltage_v=settings.get("read_voltage", READ_VOLTAGE_V),
        read_pulse_s=settings.get("read_pulse", READ_PULSE_S),
        maps=tuple(MapFile.of(path, settings.get("device")) for path in dict.fromkeys(maps)),
        source=source,
    )


def _memories(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what errs where a grid does not say: all that has conditions of its own, at once."""
    return ("all",) if "conditions" in settings else ("weights", "buffers")


def _until(settings: Mapping[str, Any], repeats: int) -> UntilWidth | None:
    width, most = settings.get("until_width"), settings.get("max_repeats")
    if width is None:
        if most is not None:
            raise InputError("max_repeats goes with until_width; a fixed number is repeats")
        return None
    most = MOST_REPEATS if most is None else most
    if not 0.0 < width < 1.0:
        raise InputError(f"until_width = {width:g}: must be above 0 and below 1, 0.01 is a point")
    if repeats < 2:
        raise InputError(f"repeats = {repeats}: an interval over repeats needs at least 2")
    if not repeats <= most < 2**26:
        raise InputError(f"max_repeats = {most}: must be from repeats ({repeats}) to {2**26 - 1}")
    return UntilWidth(width, most)


def _points(settings: Mapping[str, Any]) -> list[OperatingPoint]:
    given = any(name in settings for name in (*CONDITIONS, "cell_map"))
    rates: Sequence[float] = settings.get("rates", () if given else DEFAULT_RATES)
    zeros: Sequence[float | None] = settings.get("rate0", (None,))
    if not rates and "rate0" in settings:
        raise InputError("rate0 goes with rates: a write condition gives both rates")
    if len(zeros) not in (1, len(rates)):
        raise InputError(f"rate0 has {len(zeros)} values: give one, or as many as rates")
    zeros = [*zeros] * (len(rates) if len(zeros) == 1 else 1)
    for name in ("model", "drive"):
        if name in settings and not ("target_rate" in settings or "pulse" in settings):
            raise InputError(
                f"{name} goes with target_rate or pulse; a write_condition names its own"
            )
    device, drive = settings.get("device"), settings.get("drive")
    model = of_device(settings.get("model", DEFAULT_MODEL), device)
    written = [of_device(text, device) for text in settings.get("write_condition", ())]
    conditions = [
        *(point_of_target(rate, model, drive) for rate in settings.get("target_rate", ())),
        *(point_of_pulse(pulse, model, drive) for pulse in settings.get("pulse", ())),
        *map(point_of_write_condition, written),
        *(read_conditions(Path(name), device) for name in settings.get("conditions", ())),
    ]
    bare = []
    for one, zero in zip(rates, zeros, strict=True):
        if conditions and one == 0.0 and zero in (None, 0.0):
            # Beside conditions, rate 0 is what each of their models makes of it.
            bare += [point_without_errors(point) for point in conditions]
        else:
            bare.append(point_of_rate(one, zero, device))
    return [*bare, *conditions]
