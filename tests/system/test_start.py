"""Every program ends with one line when it is asked to, from its imports on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import processes

ROOT = Path(__file__).resolve().parents[2]
HOST = str(ROOT / ".venv/bin/python")
BUNDLE = str(ROOT / "build/tfc-mnist")
FULL = os.environ.get("SPINFLOW_FULL") == "1"
NOWHERE = "/dev/null/nowhere"  # which nobody can make

PROGRAMS = {
    "host info": [HOST, "-m", "spinflow.host", "info", "--bundle", BUNDLE],
    "host selftest": [HOST, "-m", "spinflow.host", "selftest", BUNDLE, "--full"],
    "host sweep": [HOST, "-m", "spinflow.host", "sweep", "--bundle", BUNDLE, "--data-dir", NOWHERE],
    "spinflow.sim.sweep": [
        sys.executable,
        "-m",
        "spinflow.sim.sweep",
        "--bundle",
        BUNDLE,
        "--data-dir",
        NOWHERE,
    ],
    "spinflow.host.report.serve": [
        sys.executable,
        "-m",
        "spinflow.host.report.serve",
        str(ROOT / "docs"),
        "--port",
        "0",
    ],
    "spinflow.sim.verilate": [sys.executable, "-m", "spinflow.sim.verilate", BUNDLE],
    "spinflow.sim.depths": [sys.executable, "-m", "spinflow.sim.depths", NOWHERE],
    "spinflow.hls.build": [sys.executable, "-m", "spinflow.hls.build", "tfc-mnist"],
    "spinflow.hls.kernels": [sys.executable, "-m", "spinflow.hls.kernels", "--out", NOWHERE],
    "spinflow.model.data": [
        sys.executable,
        "-m",
        "spinflow.model.data",
        "mnist",
        "--data-dir",
        NOWHERE,
    ],
    "spinflow.model.train": [
        sys.executable,
        "-m",
        "spinflow.model.train",
        "tfc-mnist",
        "--out",
        f"{NOWHERE}/out",
    ],
    "spinflow.model.evaluate": [sys.executable, "-m", "spinflow.model.evaluate", "tfc-mnist"],
    "spinflow.model.export": [sys.executable, "-m", "spinflow.model.export", "tfc-mnist"],
    "spinflow.papers.physics": [sys.executable, "-m", "spinflow.papers.physics", "bench"],
    "optimise": [
        *(sys.executable, "-m", "spinflow", "optimise", "--network", "tfc-mnist"),
        *("--out", NOWHERE),
    ],
    "papers": [sys.executable, "-m", "spinflow.papers", "hirtzlin-5"],
    "spinflow.hw.synth": [sys.executable, "-m", "spinflow.hw.synth", NOWHERE],
    "spinflow.hw.synth.block": [sys.executable, "-m", "spinflow.hw.synth.block", "threshold"],
    "spinflow.hw.synth.page": [sys.executable, "-m", "spinflow.hw.synth.page", NOWHERE],
    "spinflow.hw.route": [sys.executable, "-m", "spinflow.hw.route", NOWHERE],
    "generate.py": [sys.executable, "-m", "spinflow.hw.regs.generate", f"{NOWHERE}/regs"],
    "lint.py": [sys.executable, "-m", "spinflow.hw.lint.lint"],
    **{
        f"spinflow.hw.boards.{name}": [
            sys.executable,
            "-m",
            f"spinflow.hw.boards.{name}",
            *arguments,
        ]
        for name, arguments in {
            "bitstream": [NOWHERE],
            "prepare": [NOWHERE],
            "install": [NOWHERE],
            "deploy": ["pynq", NOWHERE],
        }.items()
    },
}
"""Of each program a command that is past its imports before it does anything."""

MOMENTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6) if FULL else (0.0, 0.2)
"""Seconds after a program has taken its signals in hand."""


def began(process: subprocess.Popen[str]) -> bool:
    """Wait until a program has taken its signals in hand; return False if it ended before.

    SIGHUP is the last that it takes.
    """
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return False
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) & 1 << signal.SIGHUP - 1:
            return True
        time.sleep(0.002)
    return False


def signalled(
    command: list[str], number: signal.Signals, after: float
) -> tuple[int, list[str], str]:
    """Start a program and send it a signal; return its status, its error lines and its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    process = processes.start(
        # A shell lets what it runs in the background ignore Ctrl-C, nohup lets it ignore SIGHUP,
        # and these tests with it.
        ["env", "--default-signal=INT,HUP", *command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    if began(process):
        time.sleep(after)
        process.send_signal(number)
    out, err = process.communicate(timeout=120)
    return process.returncode, err.splitlines(), out


@pytest.mark.parametrize("program", PROGRAMS)
def test_interrupted_at_start_up(program: str) -> None:
    early = 0
    # A quick program may have ended before a busy machine lets the signal go: it gets more of them.
    for number, moment in enumerate((*MOMENTS, *[0.0] * 8)):
        if early and number >= len(MOMENTS):
            break
        status, lines, _ = signalled(PROGRAMS[program], signal.SIGINT, moment)
        assert not any("Traceback" in line for line in lines), (moment, lines)
        # One that says already what is wrong may be interrupted, or ended, on its way out.
        assert all(line.startswith("spinflow: ") for line in lines) or status != 130, lines
        assert len(lines) <= (2 if status == 130 else 1) or status not in (130, -2), lines
        if status == 130:  # else it had ended by itself
            assert lines[-1].startswith("spinflow: interrupted"), (moment, lines)
            early += len(lines) == 1
    assert early, "the signal never came in time"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_from_outside(number: signal.Signals) -> None:
    for moment in MOMENTS:
        status, lines, _ = signalled(PROGRAMS["host selftest"], number, moment)
        assert status in (128 + number, 0), lines
        assert len(lines) <= 1 and not any("Traceback" in line for line in lines)
