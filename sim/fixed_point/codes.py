"""Values as codes of a signed number of some bits in [-1, 1), and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


class Codes:
    """Codes of 8, 16 or 32 bits.

    Args:
        bits: of a code.
        dtype: of values made of codes.

    Attributes:
        type: of codes, in numpy.

    Raises:
        ValueError: there are no codes of so many bits.
    """

    def __init__(self, bits: int, dtype: torch.dtype) -> None:
        import torch

        types = {8: torch.int8, 16: torch.int16, 32: torch.int32}
        if bits not in types:
            raise ValueError(f"{bits} bits: fixed point has {', '.join(map(str, types))}")
        self.bits, self.dtype = bits, dtype
        self.type: np.dtype[Any] = np.dtype(f"<i{bits // 8}")
        self._torch = types[bits]

    def of(self, values: torch.Tensor) -> NDArray[Any]:
        """Return values as codes of the same shape: the nearest, ties to even."""
        limit = 2.0 ** (self.bits - 1)
        # The largest 32-bit code is exact in float64 only.
        exact = values.double() if self.bits == 32 else values
        codes = (exact * limit).round_().clamp_(-limit, limit - 1)
        found: NDArray[Any] = codes.to(self._torch).numpy()
        return found

    def values(self, codes: NDArray[Any], shape: Any) -> torch.Tensor:
        """Return codes as the values that they stand for."""
        import torch

        return torch.from_numpy(codes).reshape(shape).to(self.dtype) * 2.0 ** (1 - self.bits)


def line_of_bits(codes: NDArray[Any]) -> NDArray[np.uint64]:
    """Return codes as one line of bits in 64-bit words, with a word to spare."""
    raw = np.ascontiguousarray(codes).view(np.uint8).reshape(-1)
    line = np.zeros(-(-raw.size // 8) + 1, np.uint64)
    line.view(np.uint8)[: raw.size] = raw
    return line
