"""Finds pynq and the device under it: the board, or off the board a virtual one in its place."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from spinflow.host.board.on_board import knows_pynq, listed
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import DeviceError

_ZYNQ_FPGA_MANAGER = Path("/sys/class/fpga_manager/fpga0")
_BOARD_NAME = Path("/proc/device-tree/chosen/pynq_board")  # of every PYNQ image
_VIRTUAL_BOARD = "spinflow.sim.board"
_VIRTUAL_BOARD_SWITCH = "SPINFLOW_SIM"


class TapRecorder(Protocol):
    """What a device has that shows layer boundaries: a simulator can, programmable logic cannot."""

    def record(self, names: Iterable[str] | None = None) -> None:
        """Record these taps from now on, by default all, and no others."""

    def recorded(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return what was recorded since the last call, by tap: unsigned, shape (n, elements)."""


def backend(bundle: Bundle) -> str:
    """Return what results of a bundle are measured on: ``board`` or ``rtl``."""
    return "board" if bundle.overlay is not None and bundle.overlay.suffix == ".bit" else "rtl"


def import_pynq() -> Any:
    """Import pynq and, off the board, the module that registers a device in the board's place.

    Not when this module is imported: pynq looks for its devices once.
    """
    with warnings.catch_warnings():
        # pynq's own use of setuptools: nothing that a user of this driver could act on.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
        _import_device()
        try:
            pynq = importlib.import_module("pynq")
            importlib.import_module("pynq.lib.dma")  # registers the DMA's driver with Overlay
        except ImportError as error:
            raise DeviceError(
                f"pynq cannot be imported: {error}: run this as root in pynq's environment"
            ) from None
    return pynq


def _import_device() -> None:
    chosen = os.environ.get("SPINFLOW_DEVICE")
    if chosen is None and not _ZYNQ_FPGA_MANAGER.exists():
        chosen = _VIRTUAL_BOARD
    if chosen == _VIRTUAL_BOARD:
        os.environ.setdefault(_VIRTUAL_BOARD_SWITCH, "1")
    if chosen:
        try:
            importlib.import_module(chosen)
        except ImportError as error:
            raise DeviceError(
                f"this is no Zynq board, and the device module {chosen} cannot be imported: {error}"
            ) from None


def check_pynq(version: str) -> None:
    """Raise DeviceError unless this version of pynq is one that the driver stands on."""
    if not knows_pynq(version):
        raise DeviceError(f"pynq {version} is installed here: this driver works with {listed()}")


def check_board(bundle: Bundle, found: str | None) -> None:
    """Raise DeviceError if a bundle is made for another board than the one found, if any is."""
    if found is not None and bundle.board and found.lower() != bundle.board.lower():
        raise DeviceError(
            f"{bundle.folder} is made for the board {bundle.board} ({bundle.part}), this is "
            f"{found}: load a bundle that is made for it"
        )


def board_name(pynq: Any, wanted: str) -> str | None:
    """Return what a PYNQ image calls its board, or the device itself; None where neither does.

    A virtual board says what it will be when a bundle for the wanted board is loaded.
    """
    try:
        device = pynq.Device.active_device
    except RuntimeError as error:
        raise DeviceError(f"pynq finds no device to load an accelerator on: {error}") from None
    try:
        return _BOARD_NAME.read_text(encoding="ascii").strip("\0\n")
    except OSError:
        as_board: Callable[[str], str] | None = getattr(device, "as_board", None)
        name: str | None = as_board(wanted) if as_board else getattr(device, "board", None)
        return name
