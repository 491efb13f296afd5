"""The tables and curves that the device models give for the numbers that the papers print."""

from __future__ import annotations

from collections.abc import Callable

from spinflow.papers.sheets import asano, devices, hirtzlin, reliability, tzoufras
from spinflow.papers.sheets.sheet import Cell, Sheet

__all__ = ["CURVES", "SHEETS", "TABLES", "Cell", "Sheet"]

TABLES: dict[str, Callable[[], Sheet]] = {
    "asano-2": asano.asano_2,
    "hirtzlin-saving": hirtzlin.hirtzlin_saving,
    "tzoufras-1": tzoufras.tzoufras_1,
    "tzoufras-legendre": tzoufras.tzoufras_legendre,
    "ecc": reliability.ecc,
    "devices": devices.devices,
}
"""The tables by name."""

CURVES: dict[str, Callable[[], Sheet]] = {
    "asano-10": asano.asano_10,
    "hirtzlin-4": hirtzlin.hirtzlin_4,
    "tzoufras-5": tzoufras.tzoufras_5,
    "tzoufras-window": tzoufras.tzoufras_window,
    "retention": reliability.retention,
    "read": reliability.read,
}
"""The curves by name."""

SHEETS = TABLES | CURVES
"""All of them."""
