"""Every RTL block against its Python model, for each set of parameters in the catalogue."""

from __future__ import annotations

import pytest

from tests.hw.catalogue import CASES, Case

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_block(case: Case) -> None:
    """The bench of one module passes."""
    case.run()
