"""A mapped range of registers: how a program's loads and stores reach the bus, width by width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from spinflow.sim.board.bus import Bus, bus_error

Array = npt.NDArray[Any]


class Window(np.lib.mixins.NDArrayOperatorsMixin):
    """A mapped range of registers that looks like the uint32 array which a board's mmap gives.

    It is live: what is read or written becomes bus accesses, of the widths that a 32-bit ARM gives
    them. An integer as index, or integers in arrays, are words: one access each, in the order of
    the indices. Whatever else numpy writes, a slice, a mask, a fill, it may write with memmove,
    whose stores are bytes: so they reach the slave as bytes, one write strobe each. Reads have no
    strobes: a slice is read byte by byte, so four times as often as its words are there. Items of 8
    or 16 bits, through `view`, are such accesses too; wider ones than the bus are refused.

    A part is another window, as a numpy array's is a view. Where it lies numpy itself works out, on
    an array of the items' numbers.
    """

    def __init__(
        self, bus: Bus, base: int, numbers: Array, dtype: npt.DTypeLike = np.uint32
    ) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._bus = bus
        self._base = base
        self._numbers = numbers  # of the items, counted from the base

    @property
    def shape(self) -> tuple[int, ...]:
        """As of a numpy array."""
        return self._numbers.shape

    @property
    def ndim(self) -> int:
        """As of a numpy array."""
        return self._numbers.ndim

    @property
    def size(self) -> int:
        """As of a numpy array: items."""
        return self._numbers.size

    @property
    def nbytes(self) -> int:
        """As of a numpy array."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, key: Any) -> Any:
        part = self._part(key)
        if self._is_by_items(key):
            items = part._read_items()
            return items if part.shape else items[()]
        return part if part._shares(self) else part._read_bytes()

    def __setitem__(self, key: Any, values: Any) -> None:
        part = self._part(key)
        items = np.empty(part.shape, dtype=self.dtype)
        items[...] = values  # numpy's own conversions, and complaints
        if self._is_by_items(key):
            part._write_items(items)
        else:
            part._write_bytes(items)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        items = self._read_bytes()
        items = items if dtype is None else items.astype(dtype)
        # On a board an array that was not asked to be a copy is the registers themselves: who
        # writes into this one is told. numpy 2 says when a copy is asked for, numpy 1 makes it.
        items.flags.writeable = bool(copy)
        return items

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.get("out", ())
        if any(isinstance(one, Window) for one in (*out, *(inputs[:1] if method == "at" else ()))):
            raise bus_error(f"numpy.{ufunc.__name__} stores into registers as it likes")
        plain = [np.array(one) if isinstance(one, Window) else one for one in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        fills = function in (np.copyto, np.place, np.put, np.putmask)
        targets = [options.get("out"), options.get("dst"), *(arguments[:1] if fills else ())]
        if any(isinstance(one, Window) for one in targets):
            raise bus_error(f"numpy.{function.__name__} stores into registers as it likes")
        return function(*_plain(arguments), **{k: _plain(v) for k, v in options.items()})

    def copy(self) -> Array:
        """Read everything into an array of its own."""
        return self._read_bytes()

    def reshape(self, *shape: Any) -> Window:
        """Return the same registers in another shape."""
        return Window(self._bus, self._base, self._numbers.reshape(*shape), self.dtype)

    def view(self, dtype: npt.DTypeLike = np.uint32) -> Window:
        """Return the same registers as items of another size, of a window of one dimension."""
        before, after = self.dtype.itemsize, np.dtype(dtype).itemsize
        numbers = self._numbers
        if after != before:
            steps = np.diff(numbers.astype(np.int64))
            if self.ndim != 1 or self.nbytes % after or np.any(steps != 1):
                raise ValueError("only whole ranges of registers are seen as items of another size")
            first = int(numbers[0]) * before // after if self.size else 0
            numbers = first + np.arange(self.nbytes // after)
        return Window(self._bus, self._base, numbers, dtype)

    def _part(self, key: Any) -> Window:
        keys = key if isinstance(key, tuple) else (key,)
        if not any(one is ... for one in keys):
            keys += (...,)  # integers alone would give a scalar, which is no array
        return Window(self._bus, self._base, self._numbers[keys], self.dtype)

    def _shares(self, whole: Window) -> bool:
        return np.may_share_memory(self._numbers, whole._numbers) or not self.size

    def _is_by_items(self, key: Any) -> bool:
        """Return whether numpy goes item by item: an index, or an array of them, for each axis."""
        keys = key if isinstance(key, tuple) else (key,)
        return len(keys) == self.ndim and all(
            one is not None and one is not ... and not isinstance(one, slice)
            and np.asarray(one).dtype.kind in "iu"
            for one in keys
        )  # fmt: skip

    def _runs(self) -> Iterator[tuple[int, slice, int]]:
        """Evenly spaced runs of the items, in order: first address, which items, bytes apart."""
        if self.size == 1:  # a register, as most accesses are
            size = self.dtype.itemsize
            yield self._base + int(self._numbers.item()) * size, slice(0, 1), size
            return
        addresses = self._base + self._numbers.reshape(-1).astype(np.int64) * self.dtype.itemsize
        steps = np.diff(addresses)
        turns = np.append(np.flatnonzero(np.diff(steps)) + 1, len(steps))
        start = 0
        while start < len(addresses):
            end = start + 1
            if start < len(steps):
                end = int(turns[np.searchsorted(turns, start, side="right")]) + 1
            step = int(steps[start]) if start < len(steps) else self.dtype.itemsize
            yield int(addresses[start]), slice(start, end), step
            start = end

    def _check_width(self) -> None:
        if self.dtype.itemsize not in (1, 2, 4):
            raise bus_error(
                f"{self.dtype} is wider than the bus of 32 bits: it would be accessed in parts"
            )

    def _read_items(self) -> Array:
        self._check_width()
        words = np.empty(self.size, dtype=np.uint32)
        places = np.empty(self.size, dtype=np.uint32)  # of the items in their words
        for address, which, step in self._runs():
            words[which] = self._bus.read(address, which.stop - which.start, step)
            places[which] = address + step * np.arange(which.stop - which.start) & 3
        items = words >> 8 * places
        return _from_low_bytes(items, self.dtype).reshape(self.shape)

    def _write_items(self, items: Array) -> None:
        self._check_width()
        size = self.dtype.itemsize
        raw = _to_low_bytes(items.reshape(-1))
        for address, which, step in self._runs():
            if size == 4:
                self._bus.write(address, raw[which], step)
                continue
            for number, value in enumerate(raw[which]):
                place = address + step * number
                lane = place & 3
                self._bus.write_part(place, int(value) << 8 * lane, (1 << size) - 1 << lane)

    def _read_bytes(self) -> Array:
        self._check_width()
        return self._as_bytes()._read_items().view(self.dtype).reshape(self.shape)

    def _write_bytes(self, items: Array) -> None:
        self._check_width()
        self._as_bytes()._write_items(np.ascontiguousarray(items).reshape(-1).view(np.uint8))

    def _as_bytes(self) -> Window:
        size = self.dtype.itemsize
        numbers = self._numbers.reshape(-1, 1).astype(np.int64) * size + np.arange(size)
        return Window(self._bus, self._base, numbers.reshape(-1), np.uint8)


def _plain(value: Any) -> Any:
    """Return the same with windows read."""
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(one) for one in value)
    return np.array(value) if isinstance(value, Window) else value


def _from_low_bytes(words: Array, dtype: np.dtype[Any]) -> Array:
    unsigned = words.astype(f"u{dtype.itemsize}")
    return unsigned.view(dtype)


def _to_low_bytes(items: Array) -> Array:
    return items.view(f"u{items.dtype.itemsize}").astype(np.uint32)
