"""The DMA: its reset, its buffers, and the transfers of images and labels."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.host.board.guards import dma_named, named
from spinflow.host.board.registers import RegisterAccess
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import DeviceError, InputError
from spinflow.host.core.packing import frames_of

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint16]

# The AXI DMA (PG021): a control and a status register for each channel.
_CHANNELS = (0x00, 0x30)
_STATUS = 0x04
_RUN, _RESET = 1 << 0, 1 << 2
_HALTED = 1 << 0


class Transfers:
    """The DMA of a loaded accelerator.

    It is to be started before pynq's own driver of it is made, which would wait for ever for a
    channel that does not start.

    Args:
        pynq: the package.
        device: of the overlay.
        place: base address and bytes of the DMA's registers.
        bundle: that is loaded.
        registers: of the accelerator.
    """

    def __init__(
        self,
        pynq: Any,
        device: Any,
        place: tuple[int, int],
        bundle: Bundle,
        registers: RegisterAccess,
    ) -> None:
        self._pynq = pynq
        self._device = device
        self._control = pynq.MMIO(*place, device=device)
        self._bundle = bundle
        self._registers = registers
        self._buffers: tuple[Any, Any] | None = None  # of images and labels
        self.frames_limit = (2**bundle.length_bits - 1) // bundle.bytes_per_frame
        self.dma: Any = None  # pynq's driver of it

    def start(self, limit_s: float | None = None) -> None:
        """Reset the DMA, which drops its transfers, and let both channels run."""
        control = self._control

        def runs(channel: int) -> bool:
            return not control.read(channel + _STATUS) & _HALTED

        with named("resetting the DMA"):
            control.write(0, _RESET)
            self._registers.wait(
                lambda: not control.read(0) & _RESET, "the DMA (its reset)", limit_s
            )
            for channel in _CHANNELS:
                control.write(channel, _RUN)
                what = f"the DMA (halted, its status at {channel + _STATUS:#x})"
                self._registers.wait(functools.partial(runs, channel), what, limit_s)

    def restart(self, limit_s: float | None) -> None:
        """Start the DMA anew, whatever was under way, with pynq's driver of it."""
        self.start(limit_s)
        for channel in (self.dma.sendchannel, self.dma.recvchannel):
            channel.start()  # runs already: pynq only notes that no transfer came before

    def frames(self, images: npt.NDArray[Any]) -> Images:
        """Return images as frames, shape (n, pixels).

        Raises:
            InputError: images of another type or shape, or none.
        """
        shape = self._bundle.input_shape
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            found = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
            raise InputError(f"images must be a uint8 array (pixels 0 to 255), not {found}")
        if not len(images.shape) or images.shape[1:] not in (shape, (self._bundle.pixels,)):
            flat = "" if len(shape) == 1 else f" or (n, {self._bundle.pixels})"
            raise InputError(
                f"images must have shape (n, {', '.join(map(str, shape))}){flat}, not "
                f"{images.shape}"
            )
        if not len(images):
            raise InputError("no images: at least one is needed")
        return images.reshape(len(images), self._bundle.pixels)

    def allocate(self, frames: int) -> tuple[Any, Any]:
        """Return DMA buffers of images and labels that hold at least so many.

        Raises:
            DeviceError: there is no memory for them.
        """
        if self._buffers is not None and len(self._buffers[0]) >= frames:
            return self._buffers
        self._buffers = None  # let go first, as there may not be room for both
        size = self._bundle.bytes_per_frame
        try:
            images = self._pynq.allocate((frames, size), dtype=np.uint8, target=self._device)
            labels = self._pynq.allocate((frames,), dtype=np.uint32, target=self._device)
        except (MemoryError, RuntimeError, OSError) as error:
            raise DeviceError(
                f"no DMA memory for {frames} images of {size} bytes: {error}: choose a smaller "
                "transfer"
            ) from None
        self._buffers = images, labels
        return self._buffers

    def release(self) -> None:
        """Let go of the buffers: pynq frees each with its last reference."""
        self._buffers = None

    def send(self, images: Any, size: int, what: str) -> None:
        """Send the first bytes of a buffer and wait until they are gone; raises DeviceError."""
        with dma_named(what):
            self.dma.sendchannel.transfer(images, nbytes=size)
            self._finish(self.dma.sendchannel, what)

    def classify(self, batch: Images, images: Any, labels: Any) -> Labels:
        """Move a batch through the accelerator, by buffers that hold it; return its labels.

        Raises:
            DeviceError: a transfer did not finish, or a label is not below the classes.
        """
        count = len(batch)
        self._registers.wait_idle()
        self._registers.write("FRAMES_PER_TRANSFER", count)
        framed = frames_of(batch)
        images[:count] = framed
        # pynq's channels flush before sending and invalidate after receiving. The receiver is
        # started first, so that no label waits in the accelerator for it.
        receiving = f"the DMA receiving {count} labels"
        with dma_named(receiving):
            self.dma.recvchannel.transfer(labels, nbytes=4 * count)
        self.send(images, framed.size, f"the DMA sending {count} images")
        with dma_named(receiving):
            self._finish(self.dma.recvchannel, receiving)
        received = int(self.dma.recvchannel.transferred)
        if received != 4 * count:
            raise DeviceError(f"the DMA received {received} bytes of labels, {4 * count} expected")
        found = np.array(labels[:count])
        if found.max() >= self._bundle.classes:
            raise DeviceError(f"label {found.max()} received, all are below {self._bundle.classes}")
        return found.astype(np.uint16)

    def _finish(self, channel: Any, what: str) -> None:
        # The channel's own wait() has no limit: it is called when there is nothing to wait for.
        self._registers.wait(lambda: bool(channel.idle or channel.error), what)
        channel.wait()
