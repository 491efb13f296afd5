"""A test set of one's own: what a bundle carries is what the driver measures on, or one line."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinflow.host import __main__ as program
from spinflow.host.core.bundle import Bundle, load
from spinflow.host.core.errors import BundleError, InputError
from spinflow.host.core.own_tests import OwnTests, pack, unpack
from spinflow.host.core.test_sets import images_for

RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (30, 784), np.uint8)
LABELS = (np.arange(30) % 10).astype(np.uint16)
NAMES = tuple(f"kind {number}" for number in range(10))
OWN = OwnTests(IMAGES, LABELS, "My data", NAMES, "whole numbers", np.stack([np.zeros(784)] * 2))
WHERE = Path("test.npz")


def arrays(**changes: Any) -> bytes:
    """Return the file of OWN with arrays changed, added, or, where None is given, left out."""
    with np.load(io.BytesIO(pack(OWN))) as stored:
        content: dict[str, Any] = dict(stored) | changes
    out = io.BytesIO()
    np.savez(out, **{name: array for name, array in content.items() if array is not None})
    return out.getvalue()


def put(folder: Path, content: bytes) -> None:
    """Put a test set into a bundle, with its sum."""
    (folder / "test.npz").write_bytes(content)
    described = json.loads((folder / "accel.json").read_text())
    described["files"]["test.npz"] = hashlib.sha256(content).hexdigest()
    (folder / "accel.json").write_text(json.dumps(described))


@pytest.fixture
def own(changed_bundle: Callable[..., Path]) -> Bundle:
    """The quick network's bundle with a test set of its own."""
    folder = changed_bundle(lambda described: described.update(dataset="my-data"))
    put(folder, pack(OWN))
    return load(folder)


def test_what_is_packed_is_unpacked() -> None:
    found = unpack(WHERE, pack(OWN), 784, 10)
    for name in ("images", "labels", "scale"):
        np.testing.assert_array_equal(getattr(found, name), getattr(OWN, name))
    assert (found.title, found.names, found.note) == ("My data", NAMES, "whole numbers")
    assert pack(OWN) == pack(found)
    plain = unpack(WHERE, pack(OwnTests(IMAGES, LABELS, "Plain")), 784, 10)
    assert (plain.names, plain.note, plain.scale) == ((), "", None)


def test_a_bundle_is_measured_on_its_own_test_set(own: Bundle) -> None:
    tests = images_for(own, 7)
    np.testing.assert_array_equal(tests.images, IMAGES[:7])
    np.testing.assert_array_equal(tests.labels, LABELS[:7])
    assert tests.choice == "the first 7 images of My data"
    drawn = images_for(own, 7, choice_seed=3)
    assert drawn.choice == "7 images of My data, chosen with seed 3"
    assert drawn.fingerprint != tests.fingerprint
    with pytest.raises(InputError, match="31 images asked for: must be from 1 to the 30"):
        images_for(own, 31)


def test_a_known_name_does_not_hide_it(changed_bundle: Callable[..., Path]) -> None:
    folder = changed_bundle()
    put(folder, pack(OWN))
    bundle = load(folder)
    assert bundle.dataset == "mnist"
    np.testing.assert_array_equal(images_for(bundle, 3).images, IMAGES[:3])


def test_a_run_names_the_data(own: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--bundle", str(own.folder), "--images", "5"]
    assert program.main(command) == 0
    assert "the first 5 images of My data" in capsys.readouterr().out


def test_it_is_looked_at_again_when_it_is_read(own: Bundle) -> None:
    path = own.folder / "test.npz"
    path.write_bytes(arrays(title=np.array("Another")))
    with pytest.raises(BundleError, match=r"test.npz is damaged: its SHA-256 begins"):
        images_for(own, 1)
    with pytest.raises(BundleError, match=r"test.npz is damaged: its SHA-256 begins"):
        load(own.folder)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="is a link"):
        images_for(own, 1)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"labels": LABELS + 1}, "labels holds 10: all must be below 10, the classes of the network"),
    ({"labels": LABELS[:9]}, "labels is <u2 of shape (9,): it must be uint16 of shape (30)"),
    ({"labels": LABELS.astype(np.uint8)}, "labels is |u1 of shape (30,): it must be uint16"),
    ({"labels": None}, "it lacks labels"),
    ({"images": IMAGES[:, 1:]}, "images is |u1 of shape (30, 783): it must be uint8 of shape (n"),
    ({"images": IMAGES[:0], "labels": LABELS[:0]}, "images is |u1 of shape (0, 784): it must be"),
    ({"images": IMAGES.astype(float)}, "images is <f8 of shape (30, 784): it must be uint8"),
    ({"title": np.array("")}, "title must be a line of 1 to 80 characters"),
    ({"title": np.array("x" * 81)}, "title must be a line of 1 to 80 characters"),
    ({"title": np.array("a\nb")}, "title must be a line of 1 to 80 characters"),
    (
        {"title": np.array([0x7FFFFFFF], np.uint32).view("U1")[0:1].reshape(())},
        "title holds a number",
    ),
    ({"title": np.array([{}], object)}, "a member holds objects, which are never loaded"),
    ({"names": np.array(["a", ""])}, "names must be a line of 1 to 80 characters"),
    ({"note": np.array(3)}, "note is <i8 of shape (): it must be text of shape ()"),
    ({"high": None}, "low and high must be there together"),
    ({"low": np.full(784, np.nan)}, "low and high must be finite numbers"),
    ({"more": LABELS}, "it holds 'more.npy', which does not belong there"),
]


@pytest.mark.parametrize(("changes", "line"), BAD, ids=[line for _, line in BAD])
def test_a_damaged_test_set_is_one_line(
    changes: dict[str, Any],
    line: str,
    changed_bundle: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = changed_bundle()
    put(folder, arrays(**changes))
    assert program.main(["run", "--bundle", str(folder), "--images", "5"]) == 1
    said = capsys.readouterr().err
    assert line in said and said.count("\n") == 1 and len(said) < 300


def test_a_test_set_cannot_fill_the_memory() -> None:
    """As many images as a bundle carries, and one more, in few bytes."""
    one = np.broadcast_to(np.uint8(0), ((1 << 16) + 1, 784))
    out = io.BytesIO()
    labels = np.zeros(len(one), np.uint16)
    np.savez_compressed(out, images=one, labels=labels, title=np.array("Zeros"))
    with pytest.raises(BundleError, match=r"images is \|u1 of shape \(65537, 784\): it must be"):
        unpack(WHERE, out.getvalue(), 784, 10)
