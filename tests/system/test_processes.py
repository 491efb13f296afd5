"""No test leaves a process behind, or waits for one that does not end by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import processes

TESTS = Path(__file__).resolve().parents[1]
END_THEMSELVES = {"processes.py", "sim/clusters.py", "page/chromium.py"}
"""Files of tests that start processes and end them when their test or module ends."""

SLEEPS = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"]


@pytest.mark.parametrize("own_session", [False, True])
def test_what_goes_on_is_ended(own_session: bool) -> None:
    process = processes.start(
        SLEEPS, start_new_session=own_session, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    begin = time.monotonic()
    processes.end_all()
    assert process.returncode is not None and process.returncode < 0
    assert process.stdout.closed and time.monotonic() - begin < 300


def test_all_that_tests_start_is_ended() -> None:
    """`subprocess.run` waits for what it starts; what goes on beside a test is another matter."""
    found = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("subprocess.Popen", "Popen")
    }
    assert found == END_THEMSELVES, "tests start what goes on by tests.processes.start"
