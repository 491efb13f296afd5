"""The input made binary: one threshold on UINT8 pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.sim.evaluator.kernels.vectors import (
    I8,
    I32,
    LANES,
    compiled,
    load,
    pointers,
    splat,
    vector_code,
)
from spinflow.sim.evaluator.layers.base import (
    OF_DESCRIPTION,
    OF_SPEC,
    Contents,
    Layer,
    Map,
    Place,
    Stage,
    Step,
    Trained,
    Values,
)


@dataclass(frozen=True)
class PixelThreshold(Layer):
    """The input made binary: a pixel is +1 from `threshold` (0 to 256) on."""

    threshold: int
    name: str = "input"
    takes: ClassVar[tuple[Values, ...]] = (Values.PIXELS,)
    refusal: ClassVar[str] = "only pixels are compared with a threshold"

    def result(self, source: Map) -> Map:
        """Return a map of bits of the same shape."""
        return Map(source.shape, Values.BITS)

    def stage(self, step: Step, place: Place) -> Stage:
        """Return the layer at work."""
        return _PixelThresholdStage(self, step, place)

    def described(self, step: Step, weights: int, buffer: int | None) -> description.Threshold:
        """Return the layer as a bundle describes it."""
        return description.Threshold(self.name, math.prod(step.source), 1)


class _PixelThresholdStage(Stage):
    def __init__(self, layer: PixelThreshold, step: Step, place: Place) -> None:
        super().__init__(step, place)
        self._threshold = layer.threshold

    def compute(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        out = self.rows(frames)
        # A map of several pixels packs each on its own.
        pixels = values.reshape(frames * self.pixels, self.channels)
        self.workers.share(
            lambda lo, hi: threshold_pixels(pixels, self._threshold, out, lo, hi), len(pixels)
        )
        return out


@OF_DESCRIPTION.computes(description.Threshold)
def _of_description(layer: description.Threshold, contents: Contents) -> Layer:
    values = np.unique(contents.arrays[f"threshold.{layer.name}"])
    if len(values) != 1:
        raise ValueError(f"layer {layer.name} has {len(values)} thresholds, it may have one")
    return PixelThreshold(int(values[0]), layer.name)


@OF_SPEC.computes("threshold")
def _of_spec(layer: Any, trained: Trained) -> Layer:
    return PixelThreshold(trained.spec.input_threshold, layer.name)


@vector_code
def _pixels_at_least(typing: Any, pixels: Any, first: Any, threshold: Any) -> Any:
    """One bit a pixel, LANES uint8 from `first`: pixel >= threshold (uint8)."""
    signature = types.uint32(pixels, first, threshold)

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        (pp,) = pointers(context, b, signature, args, (0,))
        vector = ir.VectorType(I8, LANES)
        values = load(b, b.gep(pp, [args[1]]), vector, align=1)
        return b.bitcast(b.icmp_unsigned(">=", values, splat(b, args[2], vector)), I32)

    return signature, generate


@compiled
def threshold_pixels(pixels: Any, threshold: Any, out: Any, lo: Any, hi: Any) -> None:
    """Set out (frames, words), packed bits, where uint8 pixels (frames, n) reach the threshold."""
    count = pixels.shape[1]
    whole = count // LANES
    flat = pixels.reshape(-1)
    limit = np.uint8(min(max(threshold, 0), 255))
    for frame in range(lo, hi):
        for word in range(whole):
            out[frame, word] = _pixels_at_least(flat, frame * count + word * LANES, limit)
        if count > whole * LANES:
            bits = np.uint32(0)
            for lane in range(count - whole * LANES):
                hit = pixels[frame, whole * LANES + lane] >= limit
                bits |= np.uint32(hit) << np.uint32(lane)
            out[frame, whole] = bits
        if threshold > 255:
            out[frame, :] = 0
