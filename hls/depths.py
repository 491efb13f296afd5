"""The depths of the buffers that simulation found to be enough, by network and folding.

`spinflow depths BUNDLE` looks for them and writes them to `hls/depths.json`, from where every
build with the same folding takes them. Without them a buffer holds a whole frame, or SAFE_DEPTH
words of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinflow.hls.folding import Choice
from spinflow.hls.ops.mram_buffer import SAFE_DEPTH
from spinflow.hls.paths import BuildError
from spinflow.host.core.description import DepthsInfo
from spinflow.host.core.networks import base_of

TABLE = Path(__file__).with_name("depths.json")


@dataclass(frozen=True)
class Depths:
    """What simulation found for one folding of a network.

    Attributes:
        words: depth of the buffer behind each weight layer, by the layer's name.
        cycles_per_frame: cycles from one label to the next, measured with these depths.
    """

    words: dict[str, int]
    cycles_per_frame: float


def fingerprint(choice: Choice) -> dict[str, str]:
    """Return what of a folding the depths depend on, by layer: PE x SIMD and the window."""
    return {
        name: f"{layer.pe}x{layer.simd}"
        + (f" window {layer.window_simd}" if layer.window_simd else "")
        + (" at once" if layer.parallel else "")
        for name, layer in choice.layers.items()
    }


def known(network: str, choice: Choice, table: Path | None = None) -> Depths | None:
    """Return the depths of a folding, or None if nobody has looked for them.

    A variant, `NAME+LABEL`, has those of its network: weights do not change when words move.

    Raises:
        BuildError: the table is damaged.
    """
    wanted = fingerprint(choice)
    for entry in read(table).get(base_of(network), []):
        if entry["folding"] == wanted:
            return Depths(entry["words"], entry["cycles_per_frame"])
    return None


def read(table: Path | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the table: for each network a list of foldings with words and cycles_per_frame."""
    table = table or TABLE
    try:
        content: dict[str, list[dict[str, Any]]] = json.loads(table.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BuildError(f"{table} is damaged: {error}") from error
    return content


def info(found: Depths | None, choice: Choice) -> DepthsInfo:
    """Return the entry `depths` of accel.json: how they were found, and for which folding."""
    how = f"a whole frame, at most {SAFE_DEPTH} words" if found is None else "simulation"
    cycles = None if found is None else found.cycles_per_frame
    return DepthsInfo(how, cycles, fingerprint(choice))
