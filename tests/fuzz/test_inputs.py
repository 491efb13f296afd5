"""Mutated data sets, trained networks and QONNX files: refused in one line, or harmless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import inputs
from tests.fuzz.apart import faults_apart


@pytest.mark.slow
@pytest.mark.parametrize("name", inputs.SUBJECTS)
def test_mutated_inputs(
    name: str, tmp_path: Path, record_property: Callable[[str, Any], None]
) -> None:
    found = faults_apart(name, tmp_path)
    record_property(f"mutated inputs of {name} with a fault", len(found))
    assert not found, "\n".join(found)
