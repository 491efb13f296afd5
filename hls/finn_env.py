"""Makes finn-plus importable and quiet on a machine without Vivado. Import before any FINN module.

FINN reads its environment when it is imported, so importing this module is what sets it up. FINN
gets a scratch folder under `build/`, settings that are never written to the home folder, and a
Vivado of which only the version is ever read.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spinflow.hls.paths import BUILD

SCRATCH = BUILD / "finn"
VIVADO_VERSION = "2024.2"


class _NoVivadoSimulator:
    """Stands where FINN imports its interface to Vivado's simulator, which Spinflow never calls."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("Vivado's simulator is not part of this flow")


def _set_up() -> None:
    SCRATCH.mkdir(parents=True, exist_ok=True)
    os.environ["FINN_BUILD_DIR"] = str(SCRATCH)
    os.environ["FINN_SETTINGS"] = str(SCRATCH / "settings.yaml")
    os.environ["XILINX_VIVADO"] = str(SCRATCH / "no-vivado" / "Vivado" / VIVADO_VERSION)
    # Every tensor is exact, so there is nothing for QONNX to round after each node.
    os.environ["SANITIZE_QUANT_TENSORS"] = "0"

    import finn.util.settings
    import finn.xsi

    finn.util.settings.initialize_dummy_settings()
    for name in finn.xsi._LAZY_NAMES:
        setattr(finn.xsi, name, _NoVivadoSimulator)

    finn_log = logging.getLogger("finn_logger")
    finn_log.propagate = False
    finn_log.addHandler(logging.NullHandler())


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Let FINN generate into ``folder`` and send all it prints and logs to ``folder/finn.log``."""
    from finn.util.settings import get_settings

    folder.mkdir(parents=True, exist_ok=True)
    settings = get_settings()
    before = settings.finn_build_dir
    finn_log = logging.getLogger("finn_logger")
    with (folder / "finn.log").open("w", encoding="utf-8") as log:
        handler = logging.StreamHandler(log)
        finn_log.addHandler(handler)
        settings.finn_build_dir = folder
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                yield
        finally:
            settings.finn_build_dir = before
            finn_log.removeHandler(handler)


_set_up()
