"""What holds for all tests: which need more than the quick bundle, and that Ctrl-C is heard."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test that has another network among its parameters."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        if parameters is not None and OTHERS & {
            value for value in parameters.params.values() if isinstance(value, str)
        }:
            item.add_marker(pytest.mark.bundles)
