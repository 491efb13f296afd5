"""Every program ends with one line when it is asked to, from its imports on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOST = str(ROOT / ".venv/host/bin/python")
BUNDLE = str(ROOT / "build/tfc-mnist")
FULL = os.environ.get("SPINFLOW_FULL") == "1"
NOWHERE = "/dev/null/nowhere"  # which nobody can make

PROGRAMS = {
    "host info": [HOST, "-m", "host", "info", "--bundle", BUNDLE],
    "host selftest": [HOST, "-m", "host", "selftest", BUNDLE, "--full"],
    "host sweep": [HOST, "-m", "host", "sweep", "--bundle", BUNDLE, "--data-dir", NOWHERE],
    "sim.sweep": [sys.executable, "-m", "sim.sweep", "--bundle", BUNDLE, "--data-dir", NOWHERE],
    "sim.build": [sys.executable, "-m", "sim.build", BUNDLE],
    "sim.depths": [sys.executable, "-m", "sim.depths", NOWHERE],
    "hls.build": [sys.executable, "-m", "hls.build", "tfc-mnist"],
    "model.data": [sys.executable, "-m", "model.data", "mnist", "--data-dir", NOWHERE],
    "model.train": [sys.executable, "-m", "model.train", "tfc-mnist", "--out", f"{NOWHERE}/out"],
    "model.evaluate": [sys.executable, "-m", "model.evaluate", "tfc-mnist"],
    "model.export": [sys.executable, "-m", "model.export", "tfc-mnist"],
    "model.imagenet": [sys.executable, "-m", "model.imagenet"],
    "papers.physics": [sys.executable, "-m", "papers.physics", "bench"],
    "papers": [sys.executable, "-m", "papers", "hirtzlin-5"],
    "hw.synth": [sys.executable, "-m", "hw.synth", NOWHERE],
    "hw.synth.block": [sys.executable, "-m", "hw.synth.block", "threshold"],
    "hw.synth.page": [sys.executable, "-m", "hw.synth.page", NOWHERE],
    "generate.py": [sys.executable, "hw/regs/generate.py", f"{NOWHERE}/regs"],
    "lint.py": [sys.executable, "hw/lint/lint.py"],
    **{
        f"{name}.py": [sys.executable, f"hw/pynq-z2/{name}.py", *arguments]
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
    """Wait until a program has taken its signals in hand; return False if it ended before."""
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return False
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) & 1 << signal.SIGTERM - 1:
            return True
        time.sleep(0.002)
    return False


def signalled(
    command: list[str], number: signal.Signals, after: float
) -> tuple[int, list[str], str]:
    """Start a program and send it a signal; return its status, its error lines and its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        # A shell lets what it runs in the background ignore Ctrl-C, and these tests with it.
        ["env", "--default-signal=INT", *command],
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
    out, err = process.communicate(timeout=60)
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
        assert len(lines) <= 1 or status not in (130, -2), (moment, lines)
        if status == 130:  # else it had ended by itself
            early += 1
            assert lines[-1].startswith("interrupted"), (moment, lines)
    assert early, "the signal never came in time"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_from_outside(number: signal.Signals) -> None:
    for moment in MOMENTS:
        status, lines, _ = signalled(PROGRAMS["host selftest"], number, moment)
        assert status in (128 + number, 0), lines
        assert len(lines) <= 1 and not any("Traceback" in line for line in lines)
