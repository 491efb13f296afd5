"""How pixels become the numbers that a network was trained on, as ``--input`` says it.

A network from elsewhere does not say what it takes for a pixel: the pixel itself, a part of 1, or
a number around 0. The same graph read with the wrong answer still gives labels, only worse ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinflow.hls.foreign.chain import PIXEL_CODES
from spinflow.hls.foreign.values import Floats
from spinflow.hls.paths import BuildError
from spinflow.host.core.reading import read_bytes
from spinflow.host.core.text import shown

FORMS = "x, x/255, 2x/255-1, x-128, 2x-1, normalize:MEAN:DEVIATION or a file of 256 numbers"
CANDIDATES = ("x", "x/255", "2x/255-1")
"""Those that are tried where none is given."""

_NUMBER = r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e-?[0-9]+)?"
_LIST = rf"{_NUMBER}(?:,{_NUMBER})*"
_NORMALIZE = re.compile(rf"normalize:({_LIST}):({_LIST})\Z")
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Numbers:
    """What a network takes for a pixel.

    Attributes:
        text: as it was given.
        table: the number of each pixel value, shape (256,), or (channels, 256).
    """

    text: str
    table: Floats


def numbers_of(text: str) -> Numbers:
    """Read ``--input``.

    ``normalize:MEAN:DEVIATION`` is (x / 255 - MEAN) / DEVIATION, as torchvision's ToTensor and
    Normalize do it; several numbers with commas between are for the channels.

    Raises:
        BuildError: it is none of the forms.
    """
    codes = np.arange(PIXEL_CODES, dtype=np.float64)
    plain = {"x": codes, "x/255": codes / 255, "2x/255-1": 2 * codes / 255 - 1}
    plain |= {"x-128": codes - 128, "2x-1": 2 * codes - 1}  # features that are no pixels
    wanted = text.replace(" ", "").replace("*", "")
    if wanted in plain:
        return Numbers(text, plain[wanted])
    found = _NORMALIZE.match(wanted)
    if found:
        mean, deviation = (np.array([float(x) for x in part.split(",")]) for part in found.groups())
        if len(mean) != len(deviation) or not np.all(deviation > 0):
            raise BuildError(
                f"--input {shown(text)}: as many means as deviations are expected, and deviations "
                "above 0"
            )
        table = (codes / 255 - mean[:, None]) / deviation[:, None]
        return Numbers(text, table if len(mean) > 1 else table[0])
    if Path(text).is_file():
        return Numbers(text, _from_file(Path(text)))
    raise BuildError(f"--input {shown(text)}: one of {FORMS} is expected")


def _from_file(path: Path) -> Floats:
    try:
        words = read_bytes(path, _MOST_BYTES, BuildError).decode("utf-8").replace(",", " ").split()
        table = np.array([float(word) for word in words])
    except ValueError:
        raise BuildError(f"{path} holds something else than numbers") from None
    if not np.isfinite(table).all():
        odd = table[~np.isfinite(table)][0]
        raise BuildError(f"{path} holds {odd} where a number for a pixel is expected")
    if len(table) != PIXEL_CODES:
        raise BuildError(
            f"{path} holds {len(table)} numbers; one for each pixel 0 to 255 is expected"
        )
    return table
