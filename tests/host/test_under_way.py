"""What a running sweep says of how far it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from spinflow.host.core.errors import DeviceError
from spinflow.host.sweep import under_way
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.results import ResultsFile, is_held
from spinflow.host.sweep.running import Measured, fill
from spinflow.host.sweep.trials import Trial
from spinflow.host.sweep.under_way import UnderWay
from tests.host.rows import row

OF = row().key.identity
TRIALS = [Trial("weights", "flip", point_of_rate(0.25), "zeros", n, 1) for n in range(4)]


@pytest.mark.parametrize("is_bad", [False, True])
def test_a_sweep_says_how_far_it_is_and_nothing_afterwards(
    is_bad: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_way, "_EVERY_S", 0.0)
    path = tmp_path / "results.csv"
    said: list[UnderWay | None] = []

    def measure(trials: Sequence[Trial]) -> Measured:
        for trial in trials:
            assert is_held(path)
            said.append(under_way.read(path))
            if is_bad and trial.repeat == 2:
                raise DeviceError("no answer")
            yield row(repeat=trial.repeat), 3.0

    with ResultsFile(path, OF) as results:
        if is_bad:
            with pytest.raises(DeviceError):
                fill(results, OF, TRIALS, measure)
        else:
            assert len(fill(results, OF, TRIALS, measure)) == 4
    assert said[0] == UnderWay(0, 4, None, False)
    assert [each.done for each in said if each] == [0, 1, 2, 3][: 3 if is_bad else 4]
    assert said[2] is not None and said[2].left_s is not None and said[2].planned == 4
    assert os.listdir(tmp_path) == ["results.csv"] and not is_held(path)


def test_a_folder_that_cannot_be_written_stops_no_sweep(tmp_path: Path) -> None:
    note = under_way.Note(tmp_path / "missing" / "results.csv")
    (tmp_path / "missing").write_text("a file in the folder's place")
    note(UnderWay(0, 1, None, False))
    note.close()
    assert under_way.read(tmp_path / "missing" / "results.csv") is None
