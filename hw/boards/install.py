"""Puts what Vivado made into a bundle: `python -m spinflow.hw.boards.install build/<network>`.

`build/<network>/board/` is what a board gets: accel.bit, Vivado's accel.hwh, the weights and golden
values, and an accel.json that describes them. The bundle around it stays as it is, so the virtual
board goes on with its own handover file. The folder is made aside and moved into place when it is
whole.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from spinflow.host.core import description, handover, start
from spinflow.host.core.checked import At, WrongError, parse
from spinflow.host.core.description import Description
from spinflow.host.core.plain import MIB, read_plain
from spinflow.hw.boards import common
from spinflow.hw.boards.facts import BoardError, board_named
from spinflow.hw.boards.prepare import WORK

BOARD = "board"
RESULT = "result.json"
_ROWS = {
    "LUT": "Slice LUTs",
    "FF": "Slice Registers",
    "RAMB36": "Block RAM Tile",
    "DSP48": "DSPs",
}
"""Resources of the part, and the rows of Vivado's utilisation report that count them."""


def install(bundle: Path) -> dict[str, Any]:
    """Check what Vivado left in a bundle and make its folder for the board.

    Returns:
        The entry `bitstream` of the board's accel.json.

    Raises:
        BoardError: something is missing, is of another build, or the design's addresses, DMA or
            clock are not the bundle's; a folder that was there before stays.
    """
    described = description.read(bundle)
    described.check_files()
    out = bundle / WORK / "out"
    for name in ("accel.bit", "accel.hwh", RESULT):
        if not (out / name).is_file() or not (out / name).stat().st_size:
            raise BoardError(f"{out / name} is missing: make bitstream makes it")
    of_build, vivado, wns_ns, whs_ns = _result(out / RESULT)
    if of_build != described.build_id:
        raise BoardError(
            f"the bitstream is of build {of_build:08x}, {bundle} is build "
            f"{described.build_id:08x} now: run make bitstream again"
        )
    if min(wns_ns, whs_ns) < 0:
        raise BoardError(f"the bitstream misses its timing by {-min(wns_ns, whs_ns):g} ns")
    found = handover.read(
        out / "accel.hwh", read_plain(out / "accel.hwh", description.FILES["accel.hwh"])
    )
    expected = common.read_handover(described, board_named(described.board))
    unlisted = handover.compare(found, expected, out / "accel.hwh")
    if unlisted:
        print(
            f"note: Vivado's accel.hwh does not list {len(unlisted)} of the accelerator's "
            f"{len(expected.registers)} registers, as {unlisted[0]}: pynq's register_map will not "
            "have them; the driver does not need it"
        )
    entry = {
        "file": "accel.bit",
        "sha256": common.sha256(out / "accel.bit"),
        "vivado": vivado,
        "wns_ns": wns_ns,
        "whs_ns": whs_ns,
        "utilization": utilization(out / "utilization.txt"),
    }
    _place(bundle, described, out, entry)
    return entry


def _result(path: Path) -> tuple[int, str, float, float]:
    """Read what Vivado said at the end: build id, its version, slack of setup and of hold in ns."""
    try:
        found = At(parse(read_plain(path, MIB)), "").members()
        for name in ("build_id", "vivado", "wns_ns", "whs_ns"):
            if name not in found:
                raise WrongError(f"it has no {name}")
        wns_ns, whs_ns = (found[name].number(-1e6, 1e6) for name in ("wns_ns", "whs_ns"))
        return found["build_id"].whole(0, 2**32 - 1), found["vivado"].line(), wns_ns, whs_ns
    except WrongError as wrong:
        raise BoardError(f"{path} is damaged: {wrong}") from None


def _place(bundle: Path, described: Description, out: Path, entry: dict[str, Any]) -> None:
    """Make the board's folder aside, then move it to its place."""
    new, old, place = (bundle / f"{BOARD}{suffix}" for suffix in (".new", ".old", ""))
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir()
    # The simulator's sections are of libraries that a board does not get.
    of_board = {
        key: value for key, value in described.document.items() if not key.startswith("simulator")
    }
    of_board["files"] = dict(described.files)
    for name in described.files:
        shutil.copyfile((out if name == "accel.hwh" else bundle) / name, new / name)
        of_board["files"][name] = common.sha256(new / name)
    shutil.copyfile(out / "accel.bit", new / "accel.bit")
    of_board["bitstream"] = entry
    (new / "accel.json").write_text(json.dumps(of_board, indent=2) + "\n", encoding="utf-8")
    description.read(new).check_files()  # what everybody will read
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def utilization(report: Path) -> dict[str, float]:
    """Return what the design uses of the part, from Vivado's report; keys as in board.toml.

    A row that the report does not have is left out. Block RAM counts in halves.
    """
    text = report.read_text(encoding="utf-8", errors="replace") if report.is_file() else ""
    used = {}
    for resource, row in _ROWS.items():
        match = re.search(rf"^\|\s*{row}\*?\s*\|\s*(\d{{1,9}}(?:\.\d{{1,3}})?)\s*\|", text, re.M)
        if match:
            used[resource] = float(match[1])
    return used


def read_board_bundle(bundle: Path) -> Description:
    """Return what a bundle's folder for the board holds, checked.

    Raises:
        BoardError: there is none, it is damaged, or it is of another build than the bundle.
    """
    described = description.read(bundle)
    folder = bundle / BOARD
    if not (folder / "accel.bit").is_file():
        raise BoardError(
            f"{bundle} has no bitstream: make bitstream NETWORK={described.network} makes it, "
            "where Vivado is installed"
        )
    of_board = description.read(folder)
    if of_board.build_id != described.build_id:
        raise BoardError(
            f"the bitstream in {folder} is of build {of_board.build_id:08x}, the bundle is "
            f"build {described.build_id:08x}: run make bitstream again"
        )
    of_board.check_files()
    entry = of_board.document.get("bitstream")
    if entry is None or common.sha256(folder / "accel.bit") != entry["sha256"]:
        raise BoardError(f"{folder / 'accel.bit'} is damaged: run make bitstream again")
    return of_board


def summary(bundle: Path, entry: dict[str, Any]) -> str:
    """Return one line that says what was installed."""
    used = ", ".join(f"{value:g} {name}" for name, value in entry["utilization"].items())
    return (
        f"{bundle / BOARD / 'accel.bit'}: Vivado {entry['vivado']}, worst slack "
        f"{entry['wns_ns']:g} ns, {used or 'utilisation not found in its report'}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="python -m spinflow.hw.boards.install", description=__doc__.split("\n")[0]
    )
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    bundle = parser.parse_args(arguments).bundle
    return common.run(lambda: print(summary(bundle, install(bundle))))


if __name__ == "__main__":
    sys.exit(main())
