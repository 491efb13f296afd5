"""A new column of the results touches two files: the row that declares it, the bench that fills it.

The recipe is carried out on a copy of host, and a sweep, a reading and a report are run with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.host.conftest import BUNDLE

REPOSITORY = Path(__file__).parents[2]
CHANGES = {
    "host/sweep/row.py": (
        'Like("none|[0-9a-f]{16}")]\n\n',
        'Like("none|[0-9a-f]{16}")]\n    frames: Annotated[int, Between(1, 9)]\n\n',
    ),
    "host/sweep/bench.py": (
        "data=self.tests.data,",
        "data=self.tests.data,\n            frames=after.frames,",
    ),
}
USE = """
import sys
from pathlib import Path
import numpy as np
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import TestSet
from spinflow.host.report import report
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.operating_point import point_of_rate
from spinflow.host.sweep.results import COLUMNS, read
from spinflow.host.sweep.running import sweep
from spinflow.host.sweep.trials import grid, identity
from spinflow.sim.emulator import Emulator
from spinflow.sim.sweeps.device import SoftwareAccelerator

folder, path = Path(sys.argv[1]), Path(sys.argv[2])
bundle = load(folder, runnable=False)
images = np.random.default_rng(1).integers(0, 256, (7, bundle.pixels), np.uint8)
tests = TestSet(images, np.zeros(7, np.uint8), "seven images")
bench = Bench(SoftwareAccelerator(bundle, Emulator(folder), "emulator"), tests)
trials = grid(bundle, selections=["fc3.weights"], modes=["flip"], points=[point_of_rate(0.1)],
              backgrounds=["zeros"], repeats=1, seed=1)
sweep(identity(bundle, tests, "emulator"), trials, path,
      lambda missing: ((bench.row(trial), 0.1) for trial in missing))
assert COLUMNS[-1] == "frames" and [row.frames for row in read(path)] == [7]
report.table(report.summarise(read(path)))
path.write_bytes(path.read_bytes().replace(b",7\\n", b",0\\n"))
try:
    read(path)
except Exception as error:
    print(error)
"""


def test_a_column_touches_two_files(tmp_path: Path) -> None:
    for name in ("sim", "model", "hw", "build"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "spinflow.py", tmp_path)
    shutil.copytree(REPOSITORY / "host", tmp_path / "host", ignore=lambda *_: {"__pycache__"})
    for name, (before, after) in CHANGES.items():
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1
        path.write_text(text.replace(before, after), encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "-c", USE, str(BUNDLE), str(tmp_path / "out" / "results.csv")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "frames is '0', a whole number from 1 to 9 is expected" in process.stdout
