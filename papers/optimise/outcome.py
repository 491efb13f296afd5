"""The optimiser's files: a table of losses and energies, one of conditions, files for sweeps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

FRONT, CONDITIONS, PICTURE = "front.csv", "conditions.csv", "optimise.svg"
"""Names of the tables and the picture; a file for sweeps is `conditions-LOSS.toml`."""

_MOST_INSIDE = 10
"""Memories whose names have room among their curves in the picture."""


@dataclass(frozen=True)
class Point:
    """One setting, as it was chosen on one half of the images and measured on the other.

    Attributes:
        network: name of the network.
        scheme: ``conventional``, ``one for all``, ``one a kind`` or ``one a memory``.
        asked: loss that was asked for, points of accuracy (100 are all images).
        chosen: loss on the half that it was chosen on, with seeds that no choice had seen; points.
        loss, low, high: loss on the other half and its 95 % interval, over errors and images.
        accuracy: on that half, a fraction.
        energy_j: write energy for a frame, joules, weights counted once in frames_per_load.
        saves: share that this is below the conventional write.
        saves_single: share below the single condition that was chosen for the same loss.
        saves_equal: share below the single condition of the same loss on the half reported.
        single_rate: rate of the cheapest single condition that is not clearly worse.
        saves_clear: share below that condition, which the intervals speak for.
        frames_per_load: frames that a writing of the weights serves.
        model: device model.
        mode: error mode.
        images: of each half.
        repeats: on the half that is reported.
        build_id: digest of the network.
    """

    network: str
    scheme: str
    asked: float
    chosen: float
    loss: float
    low: float
    high: float
    accuracy: float
    energy_j: float
    saves: float
    saves_single: float
    saves_equal: float
    single_rate: float
    saves_clear: float
    frames_per_load: int
    model: str
    mode: str
    images: int
    repeats: int
    build_id: int


@dataclass(frozen=True)
class Line:
    """The condition of one memory in one setting.

    Attributes:
        network, scheme, asked: as of :class:`Point`.
        memory: its name.
        bits: that are written into it: of weights at a load, of a map for a frame.
        rate: bit-error rate of the worse of the two written bits.
        condition: in words.
        pulse_s: pulse, seconds.
        energy_bit_j: mean energy of a written bit, joules.
        energy_j: for a frame, joules.
    """

    network: str
    scheme: str
    asked: float
    memory: str
    bits: float
    rate: float
    condition: str
    pulse_s: float
    energy_bit_j: float
    energy_j: float


def table(lines: Sequence[Any]) -> str:
    """Return dataclasses of one kind as CSV, numbers to six digits."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(field.name for field in fields(lines[0]))
    for line in lines:
        out.writerow(f"{v:.6g}" if isinstance(v, float) else v for v in asdict(line).values())
    return text.getvalue()


def printed(points: Iterable[Point]) -> str:
    """Return the points as a table for a terminal."""
    rows = [
        ("asked", "conditions", "loss on the other half", "energy", "saves", "of single", "clearly")
    ]
    for p in points:
        rows.append(
            (
                f"{p.asked:g}",
                p.scheme,
                f"{p.loss:.2f} ({p.low:.2f} to {p.high:.2f})",
                f"{p.energy_j * 1e9:.4g} nJ",
                f"{100 * p.saves:.1f} %",
                f"{100 * p.saves_equal:.1f} %",
                f"{100 * p.saves_clear:.1f} %",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def draw(points: Sequence[Point], lines: Sequence[Line], heading: str) -> bytes:
    """Return the picture, SVG: energy against loss by scheme; rates of the memories by loss."""
    import tempfile
    from pathlib import Path

    from spinflow.papers import style

    def paint(panels: Sequence[Any]) -> None:
        front, rates = panels
        base = next(p.energy_j for p in points if p.scheme == "conventional")
        for number, scheme in enumerate(dict.fromkeys(p.scheme for p in points)):
            own = sorted((p for p in points if p.scheme == scheme), key=lambda p: p.loss)
            if scheme == "conventional":
                continue
            front.errorbar(
                [p.loss for p in own], [100 * p.energy_j / base for p in own],
                xerr=[[p.loss - p.low for p in own], [p.high - p.loss for p in own]],
                label=scheme, color=style.colour(number - 1), marker=style.marker(number - 1),
                markersize=4, capsize=2,
            )  # fmt: skip
        front.set_xlabel("loss on the other half, points of accuracy")
        front.set_ylabel("write energy, % of the conventional write")
        front.legend()
        mine = [line for line in lines if line.scheme == "one a memory"]
        names = list(dict.fromkeys(line.memory for line in mine))
        for number, name in enumerate(names):
            own_lines = [line for line in mine if line.memory == name]
            rates.plot(
                [line.asked for line in own_lines], [line.rate for line in own_lines], label=name,
                color=style.colour(number % len(style.COLOURS)), marker=style.marker(number),
                markersize=4, linestyle="-" if number < len(style.COLOURS) else "--",
            )  # fmt: skip
        rates.set_yscale("log")
        rates.set_xlabel("loss asked for, points of accuracy")
        rates.set_ylabel("bit-error rate of the memory")
        if len(names) <= _MOST_INSIDE:
            rates.legend(fontsize=7, ncols=2)
        else:  # beside the curves, which it would cover
            rates.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0.2)

    with tempfile.TemporaryDirectory(prefix="spinflow-") as folder:
        path = Path(folder) / PICTURE
        style.draw(("energy at a loss", "one a memory"), paint, [path], heading)
        return path.read_bytes()
