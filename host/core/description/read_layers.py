"""Reads the layers of a bundle's description: what one gives must be what the next one takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spinflow.host.core.checked import At, WrongError
from spinflow.host.core.description.layers import (
    ByteTable,
    LabelSelect,
    Layer,
    MaxPool,
    Product,
    Threshold,
    Window,
    products_of,
)
from spinflow.host.core.description.limits import (
    MOST_BITS,
    MOST_ELEMENTS,
    MOST_INPUTS,
    MOST_LAYERS,
    MOST_MEMORIES,
    MOST_SIDE,
)
from spinflow.host.core.text import shown


def read_layers(at: At, shape: tuple[int, ...], classes: int) -> tuple[Layer, ...]:
    """Return the layers.

    Args:
        at: the entry ``layers``.
        shape: of an image.
        classes: of the network.

    Raises:
        WrongError: a layer does not take what the one before gives, or is of an unknown kind.
    """
    entries = at.entries(2, MOST_LAYERS)
    layers: list[Layer] = []
    bits = False  # whether what goes from one layer to the next are bits
    for place, entry in enumerate(entries):
        last = place == len(entries) - 1
        operation = entry.members().get("op", At(None, f"{entry.place}.op")).value
        if operation == "label_select" and last:
            if not layers or not isinstance(layers[-1], Product):
                entry.fail("after a weight layer")
            layers.append(_label(entry, classes, shape))
        elif operation == "byte_table" and not place:
            layers.append(_byte_table(entry, shape))
        elif operation == "threshold" and place == sum(isinstance(x, ByteTable) for x in layers):
            layers.append(_threshold(entry, shape))
            bits = True
        elif operation == "mvu" and not last:
            final = place == len(entries) - 2
            earlier = products_of(layers)
            product = _product(entry, shape, earlier, bits=bits, final=final)
            layers.append(product)
            shape, bits = product.shape, product.threshold
        elif operation == "max_pool" and _takes_pool(layers) and not last:
            pool = _max_pool(entry, layers[-1])
            layers.append(pool)
            shape = pool.shape
        else:
            right = (
                "label_select"
                if last
                else "mvu, max_pool after a convolution, first byte_table or threshold"
            )
            raise WrongError(f"{entry.place}.op is {shown(operation)}: it must be {right}")
    return tuple(layers)


def _takes_pool(layers: Sequence[Layer]) -> bool:
    """Whether a max-pool may come next: behind a convolution that gives bits."""
    before = layers[-1] if layers else None
    return isinstance(before, Product) and before.window is not None and before.threshold


def _byte_table(at: At, shape: tuple[int, ...]) -> ByteTable:
    of = at.object(("name", "op", "elements", "pe"))
    of["name"].exactly("table")
    elements = of["elements"].whole(math.prod(shape), math.prod(shape))
    return ByteTable("table", elements, _divisor(of["pe"], elements))


def _threshold(at: At, shape: tuple[int, ...]) -> Threshold:
    of = at.object(("name", "op", "channels", "pe"))
    of["name"].exactly("input")
    channels = of["channels"].whole(math.prod(shape), math.prod(shape))
    return Threshold("input", channels, _divisor(of["pe"], channels))


def _divisor(at: At, of: int) -> int:
    value = at.whole(1, of)
    if of % value:
        at.fail(f"a divisor of {of}")
    return value


def _product(
    at: At, shape: tuple[int, ...], earlier: Sequence[Product], *, bits: bool, final: bool
) -> Product:
    keys = ("name", "op", "mw", "mh", "pe", "simd", "input", "threshold", "window", "shape")
    of = at.object((*keys, "weights", "buffer"))
    of["input"].exactly("bits" if bits else "pixels")
    window = None if of["window"].value is None else _window(of["window"], shape, bits=bits)
    number = sum((other.window is None) == (window is None) for other in earlier)
    elements = math.prod(shape)
    rows, columns = 1, 1
    if window is not None:
        elements = math.prod(window.kernel) * window.input[2]
        top, left, bottom, right = window.padding
        rows, columns = (
            (side + before + after - kernel) // stride + 1
            for side, before, after, kernel, stride in (
                (window.input[0], top, bottom, window.kernel[0], window.stride[0]),
                (window.input[1], left, right, window.kernel[1], window.stride[1]),
            )
        )
        if min(rows, columns) < 1:
            of["window"].fail("no larger than its input")
    mw = of["mw"].whole(elements, elements)
    mh = of["mh"].whole(1, MOST_ELEMENTS)
    pixels = rows * columns
    if mw * mh > MOST_BITS or pixels * mh > MOST_ELEMENTS or pixels * mw > MOST_INPUTS:
        at.fail(f"a layer of at most {MOST_BITS} weights and {MOST_ELEMENTS} outputs a frame")
    if of["shape"].wholes(3, 1, MOST_ELEMENTS) != (rows, columns, mh):
        of["shape"].fail(f"[{rows}, {columns}, {mh}], as its input gives")
    of["name"].exactly(f"{'fc' if window is None else 'conv'}{number}")
    threshold = of["threshold"].flag()
    if threshold == final:
        of["threshold"].fail("true, except in the last weight layer")
    return Product(
        name=str(of["name"].value),
        mw=mw,
        mh=mh,
        pe=_divisor(of["pe"], mh),
        simd=_divisor(of["simd"], mw),
        pixels=not bits,
        threshold=threshold,
        window=window,
        shape=(rows, columns, mh),
        weights=of["weights"].whole(0, MOST_MEMORIES - 1),
        buffer=_buffer(of["buffer"], final),
    )


def _buffer(at: At, final: bool = False) -> int | None:
    if at.value is None or final:
        at.exactly(None)
        return None
    return at.whole(0, MOST_MEMORIES - 1)


def _window(at: At, shape: tuple[int, ...], *, bits: bool) -> Window:
    of = at.object(("input", "kernel", "stride", "padding", "padding_value"))
    found = of["input"].wholes(3, 1, MOST_SIDE)
    if found != shape:
        of["input"].fail(f"{list(shape)}, the output of the layer before")
    rows, columns, channels = found
    kernel = of["kernel"].wholes(2, 1, MOST_SIDE)
    stride = of["stride"].wholes(2, 1, MOST_SIDE)
    # With padding as large as the kernel, some outputs would see nothing of the map.
    top, left, bottom, right = (
        side.whole(0, of_kernel - 1)
        for side, of_kernel in zip(of["padding"].entries(4, 4), kernel * 2, strict=True)
    )
    value = of["padding_value"]
    if bits and max(top, left, bottom, right):
        value.whole(-1, 0)
    else:
        value.exactly(-1 if bits else 0)
    return Window(
        (rows, columns, channels),
        (kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (top, left, bottom, right),
        int(value.value),
    )


def _max_pool(at: At, before: Layer) -> MaxPool:
    of = at.object(("name", "op", "size", "shape", "buffer"))
    assert isinstance(before, Product)
    rows, columns, channels = before.shape
    size = of["size"].whole(2, max(min(rows, columns), 2))
    wanted = (rows // size, columns // size, channels)
    if of["shape"].wholes(3, 1, MOST_ELEMENTS) != wanted:
        of["shape"].fail(f"{list(wanted)}, as its input gives")
    name = before.name.replace("conv", "pool")
    of["name"].exactly(name)
    return MaxPool(name, size, wanted, _buffer(of["buffer"]))


def _label(at: At, classes: int, shape: tuple[int, ...]) -> LabelSelect:
    of = at.object(("name", "op", "classes", "scores"))
    of["name"].exactly("label")
    of["classes"].whole(classes, classes)
    if shape != (1, 1, classes):
        of["classes"].fail(f"{shape[-1]}, the outputs of the layer before")
    return LabelSelect("label", classes, of["scores"].flag())
