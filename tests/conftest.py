"""What holds for all tests: which need more bundles, that Ctrl-C is heard, that processes end."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import processes

ZOO = Path(__file__).resolve().parents[1] / "model" / "zoo"
QUICK = "tfc-mnist"
# A board's Python reads no TOML, and some tests run there.
OTHERS = {
    path.stem
    for path in ZOO.glob("*.toml")
    if re.search(r"^tested = true", path.read_text(encoding="utf-8"), re.MULTILINE)
} - {QUICK}


# A shell lets what it runs in the background ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _processes_end() -> Iterator[None]:
    """End what a test has started and left, as when it failed half way."""
    yield
    processes.end_all()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that has another network among its parameters."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        if parameters is not None and OTHERS & {
            value for value in parameters.params.values() if isinstance(value, str)
        }:
            item.add_marker(pytest.mark.bundles)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[Any]) -> Iterator[None]:
    """Keep of a bench that failed what was asked for: its results, its waveforms.

    A bench that is meant to fail, that of a mutant, is no failed test and leaves nothing.
    """
    outcome: Any = yield
    if call.excinfo is None or not {"SPINFLOW_JUNIT", "SPINFLOW_TRACES"} & set(os.environ):
        return
    from tests.hw import runner  # cocotb, which a board's Python does not have

    error = call.excinfo.value
    if isinstance(error, runner.BenchError) and error.ran is not None:
        runner.keep_results(error.ran)
        kept = runner.keep_waveforms(error.ran)
        if kept is not None:
            outcome.get_result().sections.append(("waveforms", f"kept in {kept}"))
