"""Every argument of every public method: a wrong one gives one line, before anything is written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from spinflow.host.board import driver
from spinflow.host.board.driver import Accelerator, background_words
from spinflow.host.core.bundle import Bundle
from spinflow.host.core.errors import HostError, InputError, RateError

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 784), np.uint8)
WORDS = np.zeros((2, 1), np.uint32)  # for fc1.weights, 256 words of 16 bits

NO_WHOLE: tuple[Any, ...] = (1.5, 1.0, "1", None, True, np.True_, math.nan, [1], np.array([1]), 1j)
NO_NUMBER: tuple[Any, ...] = ("0.1", None, True, np.True_, [0.1], np.array([0.1]), 1j, b"1")

Act = Callable[[Accelerator, Any], Any]


def memory(accelerator: Accelerator, name: str = "fc1.weights") -> Any:
    return accelerator.bundle.memory(name)


# What is called with a value, the values that are wrong, the class of the error, and its line.
WRONG: dict[str, tuple[Act, tuple[Any, ...], type[HostError], str]] = {
    "transfer": (
        lambda a, v: a.run(IMAGES, v),
        (*NO_WHOLE, 0, -1, -(10**30)),
        InputError,
        "transfer {}: must be a whole number of at least 1",
    ),
    "images": (
        lambda a, v: a.run(v),
        (
            None,
            "images",
            IMAGES.tolist(),
            IMAGES.astype(">u2"),
            IMAGES.astype(bool),
            IMAGES.astype(np.int8),
            IMAGES.astype(np.float64),
            IMAGES.astype(object),
        ),
        InputError,
        "images must be a uint8 array",
    ),
    "shape of the images": (
        lambda a, v: a.run(v),
        (
            IMAGES[0],
            IMAGES[:, :-4],
            IMAGES[None],
            np.uint8(3) + np.zeros((), np.uint8),
            IMAGES.T,
            IMAGES.reshape(4, 28, 28, 1),
            np.zeros((0, 28, 28), np.uint8),
            np.zeros((4, 0), np.uint8),
        ),
        InputError,
        "images must",
    ),
    "no images": (
        lambda a, v: a.run(v),
        (IMAGES[:0], np.zeros((0, 784), np.uint8)),
        InputError,
        "no images: at least one is needed",
    ),
    "memory of set_errors": (
        lambda a, v: a.set_errors(v, "flip", 0.1),
        ("fc9.weights", "", "FC0.WEIGHTS", "fc0", "all"),
        InputError,
        "tfc-mnist has no memory {}",
    ),
    "name of a memory": (
        lambda a, v: a.set_errors(v, "flip"),
        (None, 0, 1.5, b"fc0.weights", ["fc0.weights"], np.array(["a", "b"])),
        InputError,
        "memory {}: must be the name of one",
    ),
    "mode": (
        lambda a, v: a.set_errors("fc0.weights", v, 0.1),
        ("Flip", "", None, 1, True, ["flip"], np.array(["flip", "off"])),
        InputError,
        "error mode {}: must be one of off, flip, switch",
    ),
    "rate1": (
        lambda a, v: a.set_errors("fc0.weights", "flip", v),
        (*NO_NUMBER, -0.1, 1.1, math.nan, math.inf, np.float32(-1), 2),
        RateError,
        "bit-error rate {}: must be a number from 0 to 1",
    ),
    "rate0": (
        lambda a, v: a.set_errors("fc0.weights", "flip", 0.1, v),
        tuple(v for v in (*NO_NUMBER, -0.1, 1.1, math.nan) if v is not None),
        RateError,
        "bit-error rate {}: must be a number from 0 to 1",
    ),
    "too small a rate": (
        lambda a, v: a.set_errors("fc0.weights", "flip", v),
        (1e-10, 5e-324, np.float32(1e-11)),
        RateError,
        "too small for the 32-bit register",
    ),
    "seed": (
        lambda a, v: a.set_errors("fc0.weights", "flip", 0.1, seed=v),
        (*NO_WHOLE, -1, 2**32, 10**40, np.int64(-1)),
        InputError,
        "seed {}: must be a whole number from 0 to 4294967295",
    ),
    "mode of set_thresholds": (
        lambda a, v: a.set_thresholds("fc0.weights", v, 1),
        ("Flip", "", None, 1),
        InputError,
        "error mode {}: must be one of off, flip, switch",
    ),
    "threshold1": (
        lambda a, v: a.set_thresholds("fc0.weights", "flip", v),
        (*NO_WHOLE, -1, 2**32, 10**40, np.int64(-1)),
        InputError,
        "threshold1 {}: must be a whole number from 0 to 4294967295",
    ),
    "threshold0": (
        lambda a, v: a.set_thresholds("fc0.weights", "flip", 1, v),
        (*NO_WHOLE, -1, 2**32),
        InputError,
        "threshold0 {}: must be a whole number from 0 to 4294967295",
    ),
    "condition": (
        lambda a, v: a.set_condition("fc0.weights", v),
        (None, 0.1, "exponential", {"rate1": 0.1, "rate0": 0.1}),
        InputError,
        "write condition {}: must have rate1 and rate0",
    ),
    "memory of configure": (
        lambda a, v: a.configure(v, {"SEED": 1}),
        ("fc0.weights", None, 0),
        InputError,
        "memory {}: must be one of the bundle",
    ),
    "settings": (
        lambda a, v: a.configure(memory(a), v),
        (None, ["SEED"], {"seed": 1}, {"WIDTH": 1}, {1: 1}, "SEED"),
        InputError,
        "settings {}: must give numbers for some of MODE, RATE1, RATE0, SEED",
    ),
    "value of a setting": (
        lambda a, v: a.configure(memory(a), {"RATE1": 1, "RATE0": v}),
        (*NO_WHOLE, -1, 2**32),
        InputError,
        "RATE0 {}: must be a whole number from 0 to 4294967295",
    ),
    "code of a mode": (
        lambda a, v: a.configure(memory(a), {"MODE": v}),
        (3, -1, "flip"),
        InputError,
        "MODE {}: must be a whole number from 0 to 2",
    ),
    "memory of errors": (
        lambda a, v: a.errors(v),
        (None, 0, ["fc0.weights"]),
        InputError,
        "memory {}: must be the name of one",
    ),
    "memories": (
        lambda a, v: a.write_weights(memories=v),
        ("fc0.weights", b"fc0.weights", 3, {"fc0.weights": 1}, True),
        InputError,
        "memories {}: must be a list of names",
    ),
    "a name among the memories": (
        lambda a, v: a.write_weights(memories=["fc0.weights", v]),
        (None, 3, b"fc1.weights", ["fc1.weights"]),
        InputError,
        "memories: {} is not the name of a memory",
    ),
    "memories that hold no weights": (
        lambda a, v: a.write_weights(memories=[v]),
        ("fc0.buffer",),
        InputError,
        "fc0.buffer holds no weights",
    ),
    "background": (
        lambda a, v: a.write_weights(background=v),
        (None, 0, "", "none", "Zeros", "random:-1", "random:4294967296", "zeros\n", ["zeros"], b""),
        InputError,
        "background {}: must be zeros, ones, random:SEED (32 bits) or previous",
    ),
    "arrays": (
        lambda a, v: a.write_weights(v),
        ([WORDS], WORDS, "fc0.weights", 3, True),
        InputError,
        "arrays {}: must be words by the memory's name",
    ),
    "memory of an array": (
        lambda a, v: a.write_weights({v: WORDS}),
        ("fc9.weights",),
        InputError,
        "has no memory {}",
    ),
    "words of an array": (
        lambda a, v: a.write_weights({"fc1.weights": v}),
        (
            None,
            [[0]] * 256,
            WORDS,
            np.zeros((256, 1), np.int32),
            np.zeros((256, 1), ">u4"),
            np.zeros((256, 1), np.float64),
            np.zeros((256, 2), np.uint32),
            np.zeros(256, np.uint32),
        ),
        InputError,
        "weights for fc1.weights: must be uint32 of shape (256, 1), not",
    ),
    "memory of store": (
        lambda a, v: a.store(v, WORDS),
        ("fc1.weights", None, 1),
        InputError,
        "memory {}: must be one of the bundle",
    ),
    "a buffer to store in": (
        lambda a, v: a.store(memory(a, v), WORDS),
        ("fc0.buffer",),
        InputError,
        "fc0.buffer holds no weights",
    ),
    "type of stored words": (
        lambda a, v: a.store(memory(a), v),
        (None, [[0]], "0", WORDS.astype(np.int64), WORDS.astype(">u4"), WORDS.astype(float)),
        InputError,
        "words for fc1.weights: must be a uint32 array, not",
    ),
    "shape of stored words": (
        lambda a, v: a.store(memory(a), v),
        (WORDS[:, 0], np.zeros((257, 1), np.uint32), np.zeros((2, 2), np.uint32), WORDS[None]),
        InputError,
        "words for fc1.weights: must be of shape (n, 1) with n at most 256, not",
    ),
    "bits of stored words": (
        lambda a, v: a.store(memory(a), v),
        (WORDS + np.uint32(1 << 16),),
        InputError,
        "words for fc1.weights: bits beyond the 16 of a word are set",
    ),
    "number of addresses": (
        lambda a, v: a.store(memory(a), WORDS, v),
        ([1], [1, 2, 3], [], np.arange(3)),
        InputError,
        "words for fc1.weights: must be of shape (n, 1) with n =",
    ),
    "address to store at": (
        lambda a, v: a.store(memory(a), WORDS, [0, v]),
        (*NO_WHOLE, -1, 256, 2**40),
        InputError,
        "address {}: fc1.weights has words 0 to 255",
    ),
    "addresses to store at": (
        lambda a, v: a.store(memory(a), WORDS, v),
        (1, "01", b"01", {0: 1, 1: 2}, {0, 1}, np.zeros((2, 1), int), np.array(1)),
        InputError,
        "addresses {}: must be a list of whole numbers below 256",
    ),
    "memory of read_weights": (
        lambda a, v: a.read_weights(v),
        (None, 1, ["fc0.weights"]),
        InputError,
        "memory {}: must be the name of one",
    ),
    "address to read": (
        lambda a, v: a.read_weights("fc1.weights", [0, v]),
        (*NO_WHOLE, -1, 256, 2**40),
        InputError,
        "address {}: fc1.weights has words 0 to 255",
    ),
    "numpy address to read": (
        lambda a, v: a.read_weights("fc1.weights", v),
        (np.array([0.0, 1.0]), np.array([255, 256]), np.array([-1]), np.array([True, False])),
        InputError,
        "fc1.weights has words 0 to 255",
    ),
    "addresses to read": (
        lambda a, v: a.read_weights("fc1.weights", v),
        (1, "01", {0: 1}, np.zeros((2, 2), int)),
        InputError,
        "addresses {}: must be a list of whole numbers below 256",
    ),
    "register": (
        lambda a, v: a.read_register(v),
        ("SEED", "id", "", None, 3, ["ID"]),
        InputError,
        "register {}: must be one of BUILD_ID, CONTROL",
    ),
    "register of a memory": (
        lambda a, v: a.write_register(v, 0, memory(a)),
        ("ID", "seed", None, 3),
        InputError,
        "register {}: must be one of DEPTH, ERR0_HI",
    ),
    "memory of a register": (
        lambda a, v: a.read_register("SEED", v),
        ("fc0.weights", 0),
        InputError,
        "memory {}: must be one of the bundle",
    ),
    "value of a register": (
        lambda a, v: a.write_register("FRAMES_PER_TRANSFER", v),
        (*NO_WHOLE, -1, 2**32),
        InputError,
        "value for FRAMES_PER_TRANSFER {}: must be a whole number from 0 to 4294967295",
    ),
    "offset to read": (
        lambda a, v: a.read_word(v),
        (*NO_WHOLE, -4, 2**40),
        InputError,
        "offset {}: must be a whole number from 0 to",
    ),
    "odd offset": (
        lambda a, v: a.write_word(v, 0),
        (1, 2, 6, np.int64(7)),
        InputError,
        "must be a multiple of 4",
    ),
    "value of a word": (
        lambda a, v: a.write_word(0x18, v),
        (*NO_WHOLE, -1, 2**32),
        InputError,
        "value {}: must be a whole number from 0 to 4294967295",
    ),
    "field of STATUS": (
        lambda a, v: a.status(v),
        ("IDLE", "", None, 0, ["idle"], np.array(["idle", "busy"])),
        InputError,
        "field {} of STATUS: must be one of idle, busy, refused",
    ),
    "bundle": (
        lambda a, v: Accelerator(v),
        (None, "build/tfc-mnist", Path("build"), 3),
        InputError,
        "bundle {}: must be what spinflow.host.core.bundle.load returns",
    ),
    "wait_s": (
        lambda a, v: Accelerator(a.bundle, v),
        (*NO_NUMBER, 0, -1, math.nan, -math.inf),
        InputError,
        "wait_s {}: must be a number of seconds above 0",
    ),
    "check": (
        lambda a, v: Accelerator(a.bundle, check=v),
        (None, 0, "no"),
        InputError,
        "check {}: must be True or False",
    ),
}


@pytest.fixture(scope="module")
def shared(bundle: Bundle) -> Iterator[Accelerator]:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        for held in bundle.memories:
            accelerator.set_errors(held.name, "flip", 0.25, 0.125, 7)
        accelerator.run(IMAGES)
        yield accelerator


def state(accelerator: Accelerator) -> list[Any]:
    memories = accelerator.bundle.memories
    return [
        accelerator.snapshot(),
        [accelerator.errors(held.name) for held in memories],
        [accelerator.read_weights(held.name).tobytes() for held in memories if held.is_weights],
    ]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_gives_one_line_and_changes_nothing(
    shared: Accelerator, name: str
) -> None:
    act, values, kind, line = WRONG[name]
    before = state(shared)
    for value in values:
        with pytest.raises(kind) as caught:
            act(shared, value)
        said = str(caught.value)
        assert "\n" not in said and len(said) < 300, said
        start, _, end = line.partition("{}")
        assert start in said and end in said, said
    assert state(shared) == before


@pytest.mark.parametrize(
    "value",
    [IMAGES[::2], IMAGES[:, ::-1], np.asfortranarray(IMAGES), np.ma.masked_less(IMAGES, 0)],
    ids=["strided", "reversed", "Fortran's order", "a subclass"],
)
def test_images_in_any_memory_order_are_the_same_images(bundle: Bundle, value: Any) -> None:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        expected = accelerator.run(np.ascontiguousarray(value).reshape(len(value), 784))
        assert accelerator.run(value).tolist() == expected.tolist()
        for transfer in cast("tuple[int, ...]", (1, np.int32(2), 10**9)):
            assert accelerator.run(value, transfer).tolist() == expected.tolist()


def test_numbers_of_numpy_are_numbers(bundle: Bundle) -> None:
    with Accelerator(bundle, wait_s=np.float32(60), check=np.True_) as accelerator:  # type: ignore[arg-type]
        rate, seed = np.float32(0.25), np.uint32(2**32 - 1)
        accelerator.set_errors("fc1.weights", "flip", rate, np.float64(0.5), seed)  # type: ignore[arg-type]
        assert accelerator.errors("fc1.weights") == ("flip", 0.25, 0.5, 2**32 - 1)


def test_addresses_of_every_kind_are_the_same_addresses(bundle: Bundle) -> None:
    with Accelerator(bundle) as accelerator:
        accelerator.write_weights()
        held = memory(accelerator)
        words = bundle.weights[held.name]
        same: list[Any] = [[5, 0, 255, 5], (5, 0, 255, 5), np.array([5, 0, 255, 5], np.uint8)]
        for chosen in same:
            assert np.array_equal(accelerator.read_weights(held.name, chosen), words[same[0]])
        assert accelerator.read_weights(held.name, range(3)).tolist() == words[:3].tolist()
        nothing: list[Any] = [[], (), np.array([], np.int64)]
        for none in nothing:  # which is not all
            assert accelerator.read_weights(held.name, none).shape == (0, 1)
            accelerator.store(held, WORDS[:0], none)
        assert np.array_equal(accelerator.read_weights(held.name), words)
        accelerator.store(held, WORDS + np.uint32(3), np.array([9, 8]))  # type: ignore[arg-type]
        expected = words.copy()
        expected[[9, 8]] = 3
        assert np.array_equal(accelerator.read_weights(held.name), expected)
        # The memories around it are as they were.
        for name in ("fc0.weights", "fc2.weights"):
            assert np.array_equal(accelerator.read_weights(name), bundle.weights[name])


@pytest.mark.parametrize("version", [None, 3, b"3.0.1"])
def test_functions_beside_the_class_check_too(bundle: Bundle, version: Any) -> None:
    with pytest.raises(InputError, match=re.escape("background")):
        background_words(bundle.memory("fc0.weights"), version)
    with pytest.raises(InputError, match="error mode"):
        driver.check_mode(version)
