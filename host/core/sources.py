"""Reads `rtl/files.f` of a bundle: the list of SystemVerilog files that its accelerator is made of.

It holds file names alone. What tools take such lists for more than that, options above all, would
let a bundle from elsewhere choose what is compiled and run here. It needs Python 3.10 and nothing
else.
"""

from __future__ import annotations

import re
from pathlib import Path

from spinflow.host.core.errors import BundleError
from spinflow.host.core.plain import MIB, read_plain
from spinflow.host.core.text import shown

REPOSITORY = Path(__file__).resolve().parents[2]
LISTING = "files.f"
FOLDERS = ("hw/rtl", "build/regs")
"""Folders of the repository whose files may be listed; a name without a folder is in rtl/."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\.s?v\Z")
_MOST_FILES = 1000
_MOST_BYTES = MIB // 4


def source_files(bundle: Path) -> list[Path]:
    """Return the files that a bundle's rtl/files.f lists, resolved, in order.

    A line is a file's name. One without a slash lies in the bundle's rtl/, another in one of
    FOLDERS of the repository. All end in .sv or .v, and no two have one name.

    Raises:
        BundleError: there is no list, a line is not a file name, or a file does not exist.
    """
    rtl = bundle / "rtl"
    listing = rtl / LISTING
    try:
        lines = read_plain(listing, _MOST_BYTES).decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise BundleError(f"{listing} is damaged: not ASCII at byte {error.start}") from None
    found: dict[str, Path] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line:
            continue
        folder, _, name = line.rpartition("/")
        if not _NAME.match(name) or (folder and folder not in FOLDERS):
            raise BundleError(
                f"{listing}, line {number}: {shown(line)}: it must be the name of a Verilog file "
                f"in rtl/, or behind {' or '.join(f'{known}/' for known in FOLDERS)}"
            )
        path = (REPOSITORY / folder if folder else rtl) / name
        if path.is_symlink() or not path.is_file():
            raise BundleError(
                f"{listing} lists {line}, which does not exist: build the bundle again"
            )
        if name in found:
            raise BundleError(f"{listing} lists two files of the name {name}")
        found[name] = path.resolve()
    if not 1 <= len(found) <= _MOST_FILES:
        raise BundleError(f"{listing} lists {len(found)} files: 1 to {_MOST_FILES} are expected")
    return list(found.values())
