"""Images a second: by the wall clock, by counted cycles, and what a simulation's wall clock is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spinflow.host.__main__ import main
from spinflow.host.board import throughput
from spinflow.host.board.driver import Accelerator
from spinflow.host.core.errors import InputError
from tests.host.conftest import BUNDLE


def test_measured(accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((10.0, 12.5))
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: next(ticks))
    measured = throughput.measure(accelerator, 50, 20)
    assert (measured.images, measured.batch, measured.seconds) == (50, 20, 2.5)
    assert measured.per_second == 20
    # The warm-up is not counted: every image takes the folding's cycles, and the pipe fills thrice.
    bound = accelerator.bundle.cycles_per_frame
    assert 50 * bound <= measured.cycles < 50 * bound + 3 * 20 * bound
    assert measured.per_second_of_cycles == pytest.approx(50 * 1e8 / measured.cycles)
    assert measured.simulated


def test_lines() -> None:
    measured = throughput.Throughput(1000, 100, 0.5, 256_000, 100.0, simulated=True)
    images, wall, cycles = measured.lines()
    assert images.split() == ["images", "1000,", "100", "in", "a", "transfer"]
    assert "2000 images/s" in wall and "of a simulation" in wall
    assert "3.906e+05 images/s, 256.0 cycles an image at 100 MHz" in cycles
    on_board = throughput.Throughput(1000, 100, 0.5, 256_000, 100.0, simulated=False)
    assert "simulation" not in "".join(on_board.lines())


@pytest.mark.parametrize(("images", "batch"), [(0, 1), (1, 0), (-1, 1), (1, -5)])
def test_nothing_to_measure(accelerator: Accelerator, images: int, batch: int) -> None:
    with pytest.raises(InputError, match="must be 1 or more"):
        throughput.measure(accelerator, images, batch)


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["throughput", "--bundle", str(BUNDLE), "--images", "10", "--batch", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0].startswith("tfc-mnist, build 0x") and lines[1] == "images      10, 4 in a transfer"
    )
    with pytest.raises(SystemExit):
        main(["throughput", "--bundle", str(BUNDLE), "--batch", "0"])
    said = capsys.readouterr()
    assert said.err.startswith("spinflow: argument --batch: '0': a whole number") and not said.out


def test_no_matplotlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Path(__file__).parents[2] / "docs" / "results" / "mlp-mnist.csv"
    (tmp_path / "report.html").write_text("of other rows")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["report", str(results), "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert not err and [path.name for path in tmp_path.iterdir()] == ["summary.json"]
    assert out.splitlines()[-1].startswith("no report.html: this Python has no matplotlib")
    monkeypatch.undo()
    assert main(["report", str(results), "--out", str(tmp_path)]) == 0
    assert "no matplotlib" not in capsys.readouterr().out
    assert "<svg" in (tmp_path / "report.html").read_text()
