"""Laws by which the cells of a memory differ, drawn by seed: the same seed, the same cells.

- `uniform`: all alike.
- `beta`: rates of a beta law with a mean and a shape a; the other shape is a (1 - mean) / mean. Its
  coefficient of variation is sqrt((1 - mean) / (a + mean)), near 1 / sqrt(a). Arai, Hirofuchi and
  Imamura (AIP Advances 14, 035115, 2024) take write error rates of cells to be of a beta law.
- `spread`: junctions of the sun-gamma model at a write condition, each with its own drive, R_P and
  TMR, which it keeps in both directions.

All cells of a word can have their rates in common. To each law a share of stuck cells can be added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.core import stream
from spinflow.host.core.cells import STUCK_AT_0, STUCK_AT_1, CellRates, thresholds_of
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.errors import InputError
from spinflow.host.mtj.sun_gamma import SunGamma

LAWS = ("uniform", "beta", "spread")

_DOMAIN = 0xCE110000

Rates = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """How the cells of a map are drawn.

    Attributes:
        name: one of LAWS.
        rate1: mean rate of a written 1.
        rate0: of a written 0; where it is rate1, a cell has one rate for both.
        shape: a of the beta law.
        stuck0: share of the cells that is stuck at 0.
        stuck1: share of the cells that is stuck at 1.
        junction: of the law `spread`, with its spreads.
        drive: volts at which it is written; None is the junction's nominal voltage.
        pulse_s: pulse of it, seconds.
        by_word: whether all cells of a word have the same rates.

    Raises:
        InputError: a number is out of its range.
    """

    name: str
    rate1: float = 0.0
    rate0: float = 0.0
    shape: float = 1.0
    stuck0: float = 0.0
    stuck1: float = 0.0
    junction: SunGamma | None = None
    drive: float | None = None
    pulse_s: float = 0.0
    by_word: bool = False

    def __post_init__(self) -> None:
        if self.name not in LAWS:
            raise InputError(f"law {self.name!r}: must be one of {', '.join(LAWS)}")
        for what, value in (("rate1", self.rate1), ("rate0", self.rate0)):
            if not 0.0 <= value <= 1.0:
                raise InputError(f"{what} {value:g}: must be from 0 to 1")
        if not 1e-3 <= self.shape <= 1e6:
            raise InputError(f"shape {self.shape:g}: must be from 0.001 to 1e6")
        if min(self.stuck0, self.stuck1) < 0.0 or self.stuck0 + self.stuck1 > 1.0:
            raise InputError(
                f"shares {self.stuck0:g} and {self.stuck1:g} of stuck cells: must be 0 or more, "
                "and together at most 1"
            )
        if (self.name == "spread") != (self.junction is not None):
            raise InputError("the law spread is of a junction, and only that: give its pulse")


def cells_of(law: Law, memory: MemoryInfo, seed: int, number: int = 0) -> CellRates:
    """Draw the cells of a memory.

    Args:
        law: how.
        memory: of which size, and which number: memories of a map are drawn apart.
        seed: 32-bit seed.
        number: of the map, below 2^26: another one, another map.

    Raises:
        InputError: a seed or a number out of its range.
    """
    # The generator whose draws numpy promises never to change.
    rng = np.random.RandomState(stream.memory_seed(seed, number, memory.index, _DOMAIN))
    shape = memory.depth, memory.width
    one, zero = _rates(law, (memory.depth, 1) if law.by_word else shape, rng)
    if law.by_word:
        one, zero = (np.broadcast_to(rates, shape) for rates in (one, zero))
    first = thresholds_of(one)
    second = thresholds_of(zero)
    return CellRates(first, second, _stuck(law, shape, rng))


def _rates(law: Law, shape: tuple[int, int], rng: Any) -> tuple[Rates, Rates]:
    if law.junction is not None:
        normal = rng.standard_normal((3, shape[0] * shape[1]))
        one, zero = (
            law.junction.cell_error_rates(law.drive, law.pulse_s, normal, bit).reshape(shape)
            for bit in (1, 0)
        )
        return one, zero
    one = _drawn(law, law.rate1, shape, rng)
    return one, one if law.rate0 == law.rate1 else _drawn(law, law.rate0, shape, rng)


def _drawn(law: Law, mean: float, shape: tuple[int, int], rng: Any) -> Rates:
    if law.name == "uniform" or mean in (0.0, 1.0):
        return np.full(shape, mean)
    drawn: Rates = rng.beta(law.shape, law.shape * (1.0 - mean) / mean, shape)
    return drawn


def _stuck(law: Law, shape: tuple[int, int], rng: Any) -> npt.NDArray[np.uint8]:
    stuck = np.zeros(shape[0] * shape[1], np.uint8)
    counts = [round(share * stuck.size) for share in (law.stuck0, law.stuck1)]
    if any(counts):
        places = rng.permutation(stuck.size)
        stuck[places[: counts[0]]] = STUCK_AT_0
        stuck[places[counts[0] : sum(counts)]] = STUCK_AT_1
    return stuck.reshape(shape)
