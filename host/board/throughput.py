"""How many images a second an accelerator classifies, by the wall clock and by counted cycles.

It is what FINN's drivers do as ``--exec_mode throughput_test``: random images, in batches of one
DMA transfer each. The cycles say what the accelerator does, the wall clock what a program gets of
it, with the driver's copying and polling. On the virtual board that is a simulation's wall clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from spinflow.host.board.driver import FRAMES_A_TRANSFER, Accelerator
from spinflow.host.core.errors import InputError


@dataclass(frozen=True)
class Throughput:
    """What was measured.

    Attributes:
        images: how many were run.
        batch: images that one DMA transfer carries.
        seconds: wall clock of all of them.
        cycles: counted by the accelerator, of all of them.
        clock_mhz: of the accelerator.
        simulated: whether the accelerator is a simulation.
    """

    images: int
    batch: int
    seconds: float
    cycles: int
    clock_mhz: float
    simulated: bool

    @property
    def per_second(self) -> float:
        """Images a second by the wall clock."""
        return self.images / self.seconds

    @property
    def per_second_of_cycles(self) -> float:
        """Images a second that the counted cycles are at the clock."""
        return self.images * self.clock_mhz * 1e6 / self.cycles

    def lines(self) -> list[str]:
        """Return what was measured, for people."""
        wall = f"{self.per_second:.4g} images/s, {self.seconds * 1e3:.4g} ms for all"
        if self.simulated:
            wall += ": the wall clock of a simulation, which says nothing of a board"
        return [
            f"images      {self.images}, {self.batch} in a transfer",
            f"wall clock  {wall}",
            f"cycles      {self.per_second_of_cycles:.4g} images/s, "
            f"{self.cycles / self.images:.1f} cycles an image at {self.clock_mhz:g} MHz",
        ]


def measure(accelerator: Accelerator, images: int, batch: int = FRAMES_A_TRANSFER) -> Throughput:
    """Run random images and take the time.

    The first transfer, for which buffers are allocated, is run once more before.

    Args:
        accelerator: opened; its trained weights are written first.
        images: how many to run.
        batch: images that one DMA transfer carries.

    Raises:
        InputError: no images, or none in a batch.
        DeviceError: the accelerator did something else than asked.
    """
    for name, value in (("images", images), ("batch", batch)):
        if value < 1:
            raise InputError(f"{name} {value}: must be 1 or more")
    bundle = accelerator.bundle
    chosen = np.random.default_rng(1).integers(0, 256, (images, bundle.pixels), np.uint8)
    accelerator.write_weights()
    accelerator.run(chosen[:batch], batch)
    accelerator.clear()
    start = time.perf_counter()
    accelerator.run(chosen, batch)
    seconds = time.perf_counter() - start
    return Throughput(
        images=images,
        batch=min(batch, images),
        seconds=seconds,
        cycles=accelerator.snapshot().cycles,
        clock_mhz=bundle.clock_mhz,
        simulated=accelerator.backend != "board",
    )
