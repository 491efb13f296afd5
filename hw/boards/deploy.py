"""Copies driver, bundle and test images to a board: `spinflow deploy TARGET BUNDLE`.

TARGET is user@host or a Host of ssh_config. All goes to `spinflow/` in the folder that the board's
Jupyter shows (board.toml says which), in the home of the user if there is none:

    spinflow.py, host/      the package as far as a board runs it: driver, sweep, junction models
    notebooks/              those of the course that a board can run
    build/<network>/        the bundle's folder for the board: accel.bit, accel.hwh, weights, golden
    build/<network>/data/   the test images, where the driver finds them

One connection carries it all. A tar stream is unpacked aside; host/board/on_board.py, which is in
it, checks the board's Python and pynq, installs what is missing and moves everything into place.
Whatever fails before that leaves what was there. `--dry-run` prints the commands and runs none.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shlex
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import spinflow
from spinflow.host.core import start
from spinflow.host.core.description import TEST_SET, Description
from spinflow.host.core.published import TEST_FILES, folder_of
from spinflow.hw.boards import common
from spinflow.hw.boards.connection import Connection
from spinflow.hw.boards.facts import Board, BoardError, board_named
from spinflow.hw.boards.install import BOARD, read_board_bundle
from spinflow.hw.boards.there import FOLDER_THERE, as_root, at_place, selftest

PACKAGE = "spinflow.py"
"""The file that makes what lies beside it one package; installed, it is the __init__.py of that."""

SOURCES = ("host",)
"""Folders that the driver is made of, relative to the repository."""

NOTEBOOKS = "docs/notebooks"
"""Folder of the course's notebooks; an installed package has none."""

OF_A_BOARD = ("4", "5", "6", "7")
"""Numbers of those that need nothing but what is on a board."""

READY = "host/board/on_board.py"
"""The program that readies the board, among what is copied."""

IMAGES = {name: tuple(files.sums) for name, files in TEST_FILES.items()}
"""Files of the test images by data set."""


def contents(bundle: Path, described: Description, data_dir: Path | None) -> dict[str, Path]:
    """Return what is copied: files by their name below spinflow/.

    Args:
        bundle: the folder build/<network>.
        described: its folder for the board.
        data_dir: folder of the test images, or of folders with the names of the sets; where `make
            data` keeps them if None.

    Raises:
        BoardError: images are missing, or there are none of this data set.
    """
    files = {PACKAGE: Path(str(spinflow.__file__))}
    for source in SOURCES:
        for path in (common.REPO / source).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                files[path.relative_to(common.REPO).as_posix()] = path
    for path in (common.REPO / NOTEBOOKS).glob("*.ipynb"):
        number, _, title = path.stem.partition("-")
        if number in OF_A_BOARD and not title.endswith("solutions"):
            files[f"notebooks/{path.name}"] = path
    there = f"build/{described.network}"
    for path in (bundle / BOARD).iterdir():
        files[f"{there}/{path.name}"] = path
    for path in _images(described, data_dir):
        files[f"{there}/data/{path.name}"] = path
    return dict(sorted(files.items()))


def _images(described: Description, data_dir: Path | None) -> list[Path]:
    """Return the files of the test images; none where the bundle carries its own."""
    if TEST_SET in described.files:
        return []
    if described.dataset not in IMAGES:
        raise BoardError(
            f"{described.network} has the data set {described.dataset!r}; there are test images of "
            f"{', '.join(IMAGES)}, and the bundle has none of its own"
        )
    folder = folder_of(described.dataset, data_dir)
    found = []
    for name in IMAGES[described.dataset]:
        path = folder / name
        if not path.is_file():
            path = folder / f"{name}.gz"
        if not path.is_file():
            raise BoardError(f"{folder / name} is missing: make data fetches the test images")
        found.append(path)
    return found


def pack(files: dict[str, Path], stream: IO[bytes]) -> None:
    """Write a compressed tar of files that everybody may read."""
    with (
        gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as small,
        tarfile.open(fileobj=small, mode="w|") as tar,
    ):
        for name, path in files.items():
            with open(path, "rb") as file:
                entry = tarfile.TarInfo(name)
                status = os.fstat(file.fileno())
                entry.size, entry.mtime, entry.mode = status.st_size, int(status.st_mtime), 0o644
                tar.addfile(entry, file)


def deploy(target: str, bundle: Path, data_dir: Path | None, is_dry: bool) -> None:
    """Copy everything, or print how.

    Raises:
        BoardError: there is no bitstream, it is of another build, images are missing, or something
            failed on the board; what was there stays.
    """
    connection = Connection(target, is_dry)
    described = read_board_bundle(bundle)
    board = board_named(described.board)
    files = contents(bundle, described, data_dir)
    size = sum(path.stat().st_size for path in files.values())
    what = f"{len(files)} files, {size / 1e6:.1f} MB"
    with connection:
        print(f"copying {what} to {connection.target}", flush=True)
        unpack = (
            "rm -rf .deploy-* 2>/dev/null; new=$(mktemp -d .deploy-XXXXXX) && "
            '{ tar -xzf - -C "$new" || { rm -rf "$new"; exit 1; }; } && echo "$PWD/$new"'
        )
        script = at_place(board.image.folders, unpack)
        said = connection.send(script, lambda stream: pack(files, stream), what)
        new = Path(said.strip() or f"{FOLDER_THERE}/.deploy-XXXXXX")
        status = connection.run(as_root(ready(new, board)))
        if status:
            connection.run(f"rm -rf {shlex.quote(str(new))}")
            raise BoardError(
                f"{connection.target} was left as it was (exit status {status}); see above"
            )
    print(f"{described.network} is in {new.parent} on {connection.target}; to test it there:")
    print(selftest(connection.target, str(new.parent), described.network))
    print(f"note: {board.image.note}")


def ready(new: Path, board: Board) -> str:
    """Return the command that readies a board and moves there what was unpacked aside.

    Args:
        new: where it was unpacked, on the board.
        board: what the board must be.
    """
    words = ["python3", str(new / READY), "--place", str(new), "--board", board.name]
    return shlex.join([*words, "--pynq", *board.image.pynq])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow deploy",
        description=__doc__.split("\n")[0],
        epilog="example: spinflow deploy xilinx@pynq build/mlp-mnist",
    )
    add_arguments(parser)
    parser.add_argument("--data-dir", type=Path, help="folder of the test images (the cache)")
    options = parser.parse_args(arguments)
    return common.run(
        lambda: deploy(options.target, options.bundle, options.data_dir, options.dry_run)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what all programs that reach a board are given."""
    parser.add_argument("target", help="user@host of the board, or a Host of ssh_config")
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")


if __name__ == "__main__":
    sys.exit(main())
