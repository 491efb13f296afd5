"""Mutated bundles, read by the host's programs: one line, or the results of the good bundle."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import host.__main__ as program
from host.driver import _import_pynq
from tests.fuzz import bundles
from tests.fuzz.campaign import Subject, faults
from tests.host.conftest import BUNDLE

_import_pynq()
GOOD = bundles.read(BUNDLE, ("arrays.npz", "golden.npz", "accel.hwh", "libaccel.so"))
KINDS = ("accel.json", "accel.json", "accel.json", "accel.hwh", "arrays.npz")


def info(rng: random.Random, folder: Path) -> list[str]:
    bundles.mutated(rng, GOOD, KINDS, folder / "b")
    return ["info", "--bundle", "b"]


SUBJECTS = (Subject("host info", program.main, info, 40, 400),)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_nothing(subject: Subject, tmp_path: Path) -> None:
    found = faults(subject, tmp_path)
    assert not found, "\n".join(found)
