"""The Verilated accelerator of a bundle, in Python: registers, frames, layer boundaries, cycles.

A thin ctypes layer over `libaccel.so` (docs/contracts.md, The simulator library) that moves whole
arrays, so that the loop over cycles stays in C++.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spinflow.host.core import description
from spinflow.host.core.description import Tap
from spinflow.host.core.errors import BundleError
from spinflow.host.core.packing import frames_of
from spinflow.sim.memories import check_images
from spinflow.sim.protocol import Taps

ACCESS_LIMIT = 100_000  # cycles that one register access may take
WHOLE_WORD = 0xF  # strobe of a write of all four bytes
DONE, LIMIT, SLAVE_ERROR, ASSERTION = range(4)


class Progress(NamedTuple):
    """How far a stream transfer came, in words, and whether TLAST ended its output."""

    done: bool
    words_in: int
    words_out: int
    tlast: bool


class Library:
    """One simulated accelerator, just out of reset. Weights are 0, errors off.

    Raises BundleError when the bundle is not whole or its library was not built or was changed.
    """

    def __init__(self, bundle: str | os.PathLike[str], checked: bool = False) -> None:
        folder = Path(bundle)
        self._open_handle: int | None = None
        self._process = os.getpid()
        self.description = description.read(folder)
        self.description.check_files()
        path = self.description.library("simulator_checked" if checked else "simulator")
        if path is None:
            option = " --checked" if checked else ""
            raise BundleError(f"{folder} has no simulator: run spinflow simulator {folder}{option}")
        self._functions = _load(path)
        self._open_handle = self._functions.spin_open()
        if not self._open_handle:
            raise BundleError(f"{path} gives no simulation")
        names = [
            (self._functions.spin_tap_name(self._handle, number) or b"").decode("ascii", "replace")
            for number in range(self._functions.spin_tap_count(self._handle))
        ]
        self._taps = {name: number for number, name in enumerate(names)}
        self._tap_bytes = [tap.word_bytes for tap in self.description.taps]
        if names != [tap.name for tap in self.description.taps]:
            raise BundleError(f"{path} has other taps than accel.json: run spinflow simulator")

    @property
    def _handle(self) -> int:
        """The simulation, for a call of the library, which would follow any address it is given."""
        if self._open_handle is None:
            raise OSError(
                errno.EBADF, "this simulation was closed: another accelerator was loaded, or none"
            )
        return self._open_handle

    def close(self) -> None:
        """End the simulation. Whatever is asked of it afterwards raises OSError."""
        handle, self._open_handle = self._open_handle, None
        # A fork has the memory of the simulation, but not the threads that its end would wait for.
        if handle is not None and self._process == os.getpid():
            self._functions.spin_close(handle)

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def cycles(self) -> int:
        """Clock cycles since the simulation began."""
        return int(self._functions.spin_cycles(self._handle))

    def write(
        self,
        address: int,
        values: Any,
        stride: int = 4,
        limit: int = ACCESS_LIMIT,
        strobe: int = WHOLE_WORD,
    ) -> None:
        """Write 32-bit values to address, address + stride, ... over AXI-Lite, in this order.

        `limit` is the number of cycles that one access may take, `strobe` says which bytes of each
        value are written, bit 0 the lowest. Raises OSError for an error response and TimeoutError
        for an access that is never answered; both name the address.
        """
        words = np.ascontiguousarray(values, dtype=np.uint32).reshape(-1)
        result = self._functions.spin_axil_write(
            self._handle, address, stride, words.ctypes.data, words.size, limit, strobe
        )
        self._check_access(result, "write to", address, stride, limit)

    def read(
        self, address: int, count: int, stride: int = 4, limit: int = ACCESS_LIMIT
    ) -> NDArray[Any]:
        """Read `count` 32-bit values (uint32) as `write` writes them; raise as it does."""
        words = np.zeros(count, dtype=np.uint32)
        result = self._functions.spin_axil_read(
            self._handle, address, stride, words.ctypes.data, count, limit
        )
        self._check_access(result, "read from", address, stride, limit)
        return words

    def transfer(
        self, words_in: NDArray[Any], words_out: NDArray[Any], limit: int, until_tlast: bool = False
    ) -> Progress:
        """Stream `words_in` in and fill `words_out` (both contiguous uint32), for `limit` cycles.

        The output ends when it is full or, with `until_tlast`, at the first TLAST. An input word
        that was offered when the limit came stays offered: go on with it, or offer none at all.
        """
        for words in (words_in, words_out):  # the library believes in pointer and size
            if words.dtype != np.uint32 or not words.flags.c_contiguous:
                raise ValueError(f"words must be contiguous uint32, not {words.dtype}")
        if not words_out.flags.writeable:
            raise ValueError("the words that come out need an array that can be written")
        done_in, done_out, tlast = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_int()
        result = self._functions.spin_run(
            self._handle,
            words_in.ctypes.data,
            words_in.size,
            words_out.ctypes.data,
            words_out.size,
            ctypes.byref(done_in),
            ctypes.byref(done_out),
            ctypes.byref(tlast) if until_tlast else None,
            limit,
        )
        self._check_assertions(result)
        return Progress(result == DONE, done_in.value, done_out.value, bool(tlast.value))

    def run(self, images: NDArray[Any], limit: int | None = None) -> NDArray[Any]:
        """Run images (n, pixels), uint8, and return their labels (n,).

        `limit` is in cycles; without one it is generous. Raises TimeoutError, with the number of
        frames that came, when it is reached, and ValueError for images of another shape or type.
        """
        images = check_images(images, self.description.pixels)
        if limit is None:
            limit = self.generous_limit(len(images))
        words_in = np.ascontiguousarray(frames_of(images)).view("<u4").reshape(-1)
        words_out = np.zeros(len(images), dtype=np.uint32)
        progress = self.transfer(words_in, words_out, limit)
        if not progress.done:
            raise TimeoutError(
                errno.ETIMEDOUT,
                f"the output stream gave {progress.words_out} of {len(images)} labels and the input"
                f" took {progress.words_in} of {words_in.size} words in {limit} cycles",
            )
        return words_out

    def generous_limit(self, frames: int) -> int:
        """Return the cycles in which `frames` frames have long gone through, pauses included."""
        layers = len(self.description.layers)
        return 10_000 + 20 * self.description.cycles_per_frame * (frames + layers)

    def pause(self, threshold_in: int, threshold_out: int, seed: int) -> None:
        """Let each stream pause at random from now on, in threshold / 2^32 of the cycles."""
        self._functions.spin_pauses(self._handle, threshold_in, threshold_out, seed)

    def record(self, names: Iterable[str] | None = None) -> None:
        """Record these taps from now on, by default all, and no others. Slower than without."""
        wanted = set(self._taps if names is None else names)
        for name, number in self._taps.items():
            self._functions.spin_tap_enable(self._handle, number, int(name in wanted))
        if wanted - set(self._taps):
            raise ValueError(f"there is no tap {', '.join(sorted(wanted - set(self._taps)))}")

    def recorded(self) -> Taps:
        """Return what the taps recorded since the last call: by name, whole frames (n, elements).

        Elements are unsigned as in the stream: bits as 0 and 1. Raises ValueError when a tap ends
        in the middle of a frame.
        """
        taps = {}
        for tap in self.description.taps:
            taps[tap.name] = decode_words(self._take(self._taps[tap.name]), tap)
        return taps

    def _take(self, number: int) -> NDArray[Any]:
        """Empties a tap: its words as bytes (words, bytes per word)."""
        size = ctypes.c_size_t()
        count = self._functions.spin_tap_words(self._handle, number, ctypes.byref(size))
        if size.value != self._tap_bytes[number]:
            raise BundleError(
                f"tap {number} of the simulator has words of {size.value} bytes, accel.json says "
                f"{self._tap_bytes[number]}: run spinflow simulator"
            )
        words = np.zeros((count, size.value), dtype=np.uint8)
        self._functions.spin_tap_read(self._handle, number, words.ctypes.data)
        return words

    def _check_access(self, result: int, what: str, address: int, stride: int, limit: int) -> None:
        self._check_assertions(result)
        if result == DONE:
            return
        answered = self._functions.spin_axil_done(self._handle)
        where = f"{what} accelerator address {address + stride * answered:#x}"
        if result == LIMIT:
            message = f"the {where} was not answered in {limit} cycles"
            raise TimeoutError(errno.ETIMEDOUT, message)
        raise OSError(errno.EIO, f"the {where} was answered with an error")

    def _check_assertions(self, result: int) -> None:
        if result == ASSERTION:
            raise AssertionError(f"an assertion of the RTL failed by cycle {self.cycles}")


def decode_words(words: NDArray[np.uint8], tap: Tap) -> NDArray[Any]:
    """Return the elements (frames, elements) of stream words (words, bytes) of a tap."""
    width, per_word, elements = tap.element_bits, tap.per_word, tap.elements
    bits = np.unpackbits(words, axis=1, bitorder="little")[:, : width * per_word]
    if len(words) * per_word % elements:
        raise ValueError(f"tap {tap.name} ends in the middle of a frame")
    if width == 1:
        return bits.reshape(-1, elements)
    weights = np.int64(1) << np.arange(width, dtype=np.int64)
    values: NDArray[np.int64] = (bits.reshape(-1, elements, width) @ weights).astype(np.int64)
    return values


def _load(path: Path) -> Any:
    """Load a library, which runs code of it. Raises BundleError unless it is a simulator."""
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        reason = str(error).replace(str(path.resolve()), "").strip(" :")[:120]
        raise BundleError(f"{path} is no library that can be loaded: {reason}") from None
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    u32, u64, integer = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int
    signatures: dict[str, Any] = {
        "spin_open": (pointer, []),
        "spin_close": (None, [pointer]),
        "spin_cycles": (u64, [pointer]),
        "spin_axil_write": (integer, [pointer, u32, u32, pointer, size, u64, ctypes.c_uint]),
        "spin_axil_read": (integer, [pointer, u32, u32, pointer, size, u64]),
        "spin_axil_done": (size, [pointer]),
        "spin_run": (
            integer,
            [pointer, pointer, size, pointer, size, pointer, pointer, pointer, u64],
        ),
        "spin_pauses": (None, [pointer, u32, u32, u32]),
        "spin_tap_count": (integer, [pointer]),
        "spin_tap_name": (ctypes.c_char_p, [pointer, integer]),
        "spin_tap_enable": (None, [pointer, integer, integer]),
        "spin_tap_words": (size, [pointer, integer, pointer]),
        "spin_tap_read": (None, [pointer, integer, pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name, None)
        if function is None:
            raise BundleError(f"{path} is no simulator: it has no function {name}")
        function.restype, function.argtypes = result, arguments
    return library
