"""Stock pynq with the virtual board, in the host environment."""

from typing import Any

import numpy as np
import pynq
import pytest

import spinflow.sim.board
from spinflow.host.core import description
from tests.sim.conftest import BUNDLE


class Board:
    """A loaded overlay and what tests do with it, all through pynq's own classes."""

    def __init__(self) -> None:
        self.overlay = pynq.Overlay(str(BUNDLE / "libaccel.so"))
        self.device = self.overlay.device
        assert isinstance(self.device, spinflow.sim.board.VirtualBoard)
        self.accel = self.overlay.accel.mmio
        self.dma = self.overlay.dma
        self.description: dict[str, Any] = description.read(BUNDLE).document
        self.registers = self.description["registers"]["global"]

    def offset(self, name: str) -> int:
        offset: int = self.registers[name]["offset"]
        return offset

    def load_weights(self) -> None:
        with np.load(BUNDLE / "arrays.npz") as arrays:
            for memory in self.description["memories"]:
                if memory["kind"] == "weights":
                    places = self.places(memory)
                    self.accel.array[places] = arrays[f"weights.{memory['layer']}"]

    def places(self, memory: dict[str, Any]) -> np.ndarray:
        """Where the words of a weight memory are in the accelerator's array, (depth, segments)."""
        starts = memory["base"] // 4 + np.arange(memory["depth"]) * (memory["stride"] // 4)
        return starts[:, None] + np.arange(memory["segments"])

    def classify(self, images: np.ndarray) -> np.ndarray:
        self.accel.write(self.offset("FRAMES_PER_TRANSFER"), len(images))
        pixels = pynq.allocate(images.shape, np.uint8)
        labels = pynq.allocate(len(images), np.uint32)
        pixels[:] = images
        self.dma.recvchannel.transfer(labels)
        self.dma.sendchannel.transfer(pixels)
        self.dma.sendchannel.wait()
        self.dma.recvchannel.wait()
        return np.array(labels)


@pytest.fixture
def board(bundle_folder: object) -> Board:
    """A freshly configured board."""
    return Board()
