"""Which kernels there are, and which parameters each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spinflow.hls.kernels import vectors
from spinflow.hls.kernels.vectors import Parameters, Vectors
from spinflow.hls.paths import BuildError
from spinflow.host.core.text import one_line

FOLDER = Path(__file__).resolve().parent
"""The folder of the kernels, of their blocks in `top` and their benches in `bench`."""


@dataclass(frozen=True)
class Kernel:
    """A kernel.

    Attributes:
        name: of its block without `_top`, and of its module in `hw/rtl`.
        what: it is, in a few words.
        defaults: its parameters.
        make: random cases from parameters, a number of cases and a seed.
        most: of parameters that have another limit than MOST.
        wrong: says what is wrong with parameters that are each within their limits, if anything.
    """

    name: str
    what: str
    defaults: Mapping[str, int]
    make: Callable[[Parameters, int, int], Vectors]
    most: Mapping[str, int] = field(default_factory=dict)
    wrong: Callable[[Parameters], str] = lambda _: ""

    @property
    def top(self) -> str:
        """The function that Vitis HLS makes a block of."""
        return f"{self.name}_top"

    def parameters(self, given: Sequence[str]) -> Parameters:
        """Return all parameters, from words such as `Pe=4`.

        Raises:
            BuildError: there is no such parameter, or a value it cannot have.
        """
        found = dict(self.defaults)
        for word in given:
            name, _, value = word.partition("=")
            if name not in found:
                known = ", ".join(found) or "none"
                raise BuildError(
                    f"{self.name} has no parameter {one_line(name, 40)!r}; there are {known}"
                )
            low, high = 0 if name == "HasThreshold" else 1, self.most.get(name, MOST)
            if not (value.isascii() and value.isdigit() and low <= int(value[:9]) <= high):
                raise BuildError(
                    f"{self.name}: {name}={one_line(value, 40)}: a whole number from {low} to "
                    f"{high} is expected"
                )
            found[name] = int(value)
        problem = self.wrong(found)
        if problem:
            raise BuildError(f"{self.name}: {problem}")
        return found


MOST = 4096
"""The largest value of a parameter that has no other limit."""


def kernel(name: str) -> Kernel:
    """Return a kernel.

    Raises:
        BuildError: there is none of this name.
    """
    if name not in KERNELS:
        raise BuildError(f"no kernel {one_line(name, 40)!r}; there are {', '.join(KERNELS)}")
    return KERNELS[name]


def _wrong_mvu(of: Parameters) -> str:
    if of["Mw"] % of["Simd"] or of["Mh"] % of["Pe"]:
        return (
            f"Simd {of['Simd']} must divide Mw {of['Mw']}, and Pe {of['Pe']} must divide "
            f"Mh {of['Mh']}"
        )
    if of["InBits"] not in (1, 8):
        return f"InBits {of['InBits']} must be 1, for bits, or 8, for pixels"
    needed = vectors.sum_bits(of)
    if of["HasThreshold"] and of["OutBits"] != 1:
        return f"OutBits {of['OutBits']} must be 1 with thresholds"
    if not of["HasThreshold"] and of["OutBits"] < needed:
        return f"OutBits {of['OutBits']} is too few for its sums, which need {needed}"
    return ""


def _wrong_pool(of: Parameters) -> str:
    if of["Size"] < 2 or of["Size"] > min(of["Rows"], of["Columns"]):
        return (
            f"Size {of['Size']} must be at least 2 and fit into the map of {of['Rows']} x "
            f"{of['Columns']}"
        )
    if of["Columns"] * of["Folds"] < 4:
        return f"a line of {of['Columns'] * of['Folds']} words is too short, it needs 4"
    return ""


def _wrong_label(of: Parameters) -> str:
    if of["Labels"] % of["Pe"]:
        return f"Pe {of['Pe']} must divide Labels {of['Labels']}"
    return ""


def _wrong_buffer(of: Parameters) -> str:
    return "Depth 1 is below 2" if of["Depth"] < 2 else ""


_COUNTED = 255
"""The widest word of which every counter increment fits the RTL's count_t."""

KERNELS = {
    each.name: each
    for each in (
        Kernel("xnor_popcount", "agreeing bits of two words", {"Width": 64}, vectors.popcounts),
        Kernel(
            "binary_mvu",
            "matrix-vector unit, bits or pixels, with or without thresholds",
            {
                "Mw": 64,
                "Mh": 16,
                "Pe": 4,
                "Simd": 16,
                "InBits": 1,
                "HasThreshold": 1,
                "OutBits": 1,
            },
            vectors.products,
            {"HasThreshold": 1, "OutBits": 32},
            _wrong_mvu,
        ),
        Kernel(
            "bin_maxpool",
            "max-pool of a map of bits",
            {"Rows": 7, "Columns": 7, "Folds": 2, "Pe": 8, "Size": 2},
            vectors.pools,
            {"Rows": 256, "Columns": 256, "Size": 16},
            _wrong_pool,
        ),
        Kernel(
            "label_select",
            "index of the largest score, the lowest one on a tie",
            {"Labels": 10, "Pe": 2, "InBits": 7},
            vectors.labels,
            {"InBits": 32},
            _wrong_label,
        ),
        Kernel("draw_block", "eight draws of the random stream", {}, vectors.draws),
        Kernel(
            "buffer_mem",
            "MRAM memory of a feature map",
            {"Width": 10, "Depth": 24, "Words": 16},
            vectors.buffers,
            {"Width": _COUNTED},
            _wrong_buffer,
        ),
        Kernel(
            "weight_mem",
            "MRAM memory of weights",
            {"Width": 72, "Depth": 12},
            vectors.weights,
        ),
    )
}
"""All kernels by name."""
