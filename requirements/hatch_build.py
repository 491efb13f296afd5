"""Gives a wheel its `spinflow/__init__.py`, which in a checkout is `spinflow.py`.

Hatchling uses it. An editable installation gets no such file: there the checkout itself is on the
path, and its `spinflow.py` is what is imported.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Hatchling looks for a class of this name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to what is packed, unless the installation is editable."""
        if version == "standard":
            build_data["force_include"]["spinflow.py"] = "__init__.py"
