"""Campaigns: many mutated inputs for one program, each judged; the faults, by the case's number.

A case is made from the name of its subject and its number alone, so it can be run again by itself:
``SPINFLOW_FUZZ_CASE=17 pytest -k SUBJECT`` does that.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import judge

FULL = "SPINFLOW_FULL"  # `make acceptance` sets it
ONE = "SPINFLOW_FUZZ_CASE"


def nothing_to_compare(folder: Path, outcome: judge.Outcome) -> str | None:
    """An input that was taken has no results that could be wrong."""
    return None


@dataclass(frozen=True)
class Subject:
    """A program and a kind of input that it reads.

    Attributes:
        name: of the subject, as in the test's name.
        main: the program.
        prepare: given a generator and an empty folder, puts a mutated input there and returns the
            arguments of the command line.
        quick: cases in ``make test``.
        full: cases in ``make acceptance``.
        compare: given the folder and what came out when the input was taken, says what is wrong
            with the results, None if they are those of the unmutated input or allowed.
    """

    name: str
    main: judge.Main
    prepare: Callable[[random.Random, Path], Sequence[str]]
    quick: int
    full: int
    compare: Callable[[Path, judge.Outcome], str | None] = nothing_to_compare


def faults(subject: Subject, scratch: Path) -> list[str]:
    """Run the cases of a subject; return a line for each that the program did not take well.

    Args:
        subject: what to run.
        scratch: a folder for the cases; that of a case with a fault stays there to be looked at.
    """
    count = subject.full if os.environ.get(FULL) else subject.quick
    one = os.environ.get(ONE)
    found = []
    for number in [int(one)] if one else range(count):
        folder = scratch / f"{number}"
        folder.mkdir()
        arguments = subject.prepare(random.Random(f"{subject.name} {number}"), folder)
        outcome = judge.run(subject.main, arguments, folder)
        fault = outcome.fault()
        if fault is None and not outcome.refused:
            fault = subject.compare(folder, outcome)
        if fault is None:
            shutil.rmtree(folder)
        else:
            found.append(f"{subject.name} case {number}: {fault}")
    return found
