"""Mutated bundles, read by the host's programs: one line, or the results of the good bundle."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

import spinflow.host.__main__ as program
from spinflow.host.board import pynq_device
from tests.fuzz import bundles, judge
from tests.fuzz.bundles import FOLDER, Program
from tests.fuzz.campaign import faults
from tests.host.conftest import BUNDLE

# Before anything is forked: what each case would import anew.
pynq_device.import_pynq()
GOOD = bundles.with_golden_tests(
    bundles.read(BUNDLE, ("arrays.npz", "golden.npz", "accel.hwh", "libaccel.so"))
)
KINDS = (*["accel.json"] * 6, *["accel.hwh"] * 4, "arrays.npz", "arrays.npz", "libaccel.so")


def shown(folder: Path, outcome: judge.Outcome) -> str:
    """What is printed, but for the network's name, its accuracy, and the folding's bound."""
    return re.sub(
        r"^(\S+(?=, build )|trained network: .*|folding: .*)", "", outcome.out, flags=re.MULTILINE
    )


def swept(folder: Path, outcome: judge.Outcome) -> str:
    return bundles.rows(folder / "out/results.csv", ("network",))


def judged(folder: Path, outcome: judge.Outcome) -> str:
    return outcome.out.splitlines()[-1]


def selftest(arguments: list[str]) -> int:
    """The self-test; a table of checks of which some failed is a result, and no refusal."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            status = program.main(arguments)
    finally:
        print(out.getvalue(), end="")
    return 0 if out.getvalue().splitlines()[-1:][0:1] and "FAILED: " in out.getvalue() else status


IMAGES = ["--images", "8"]
SWEEP = ["--memory", "all", "--rates", "0.05", "--repeats", "1", "--out", "out"]
PROGRAMS = (
    Program("host info", program.main, ["info", "--bundle", FOLDER], KINDS, shown, 45),
    Program(
        *("host run", program.main, ["run", "--bundle", FOLDER, *IMAGES, "--rate", "0.05"]),
        *((*KINDS, *["test.npz"] * 8), shown, 30),
    ),
    Program(
        *("host sweep", program.main, ["sweep", "--bundle", FOLDER, *IMAGES, *SWEEP]),
        *(KINDS, swept, 8),
    ),
    Program(
        *("host selftest", selftest, ["selftest", FOLDER, "--json", "result.json"]),
        *((*KINDS, *["golden.npz"] * 8), judged, 15),
        free=("cycles_per_frame",),
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("of", PROGRAMS, ids=lambda of: of.name)
def test_a_mutated_bundle_is_refused_in_one_line_or_harmless(of: Program, tmp_path: Path) -> None:
    found = faults(bundles.subject(of, GOOD, tmp_path), tmp_path)
    assert not found, "\n".join(found)
