"""Copies driver, bundle and test images to a board: `deploy.py BOARD BUNDLE`.

BOARD is user@host or a Host of ssh_config. All goes to `spinflow/` in the folder that PYNQ's
Jupyter shows, `jupyter_notebooks` in the user's home or in xilinx's; in the home if there is none:

    host/                   the driver and the junction models, as in the repository
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
from pathlib import Path
from typing import IO

import common
from common import REPO, BoardError
from connection import Connection
from install import BOARD, read_board_bundle

FOLDER_THERE = "spinflow"
SOURCES = ("host",)
"""What the driver is made of, relative to the repository."""

IMAGES = {
    "mnist": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    "fashion-mnist": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    "cifar10": ("test_batch.bin",),
}
"""Files of the test images by data set."""

PLACES = ("$HOME/jupyter_notebooks", "/home/xilinx/jupyter_notebooks", "$HOME")
"""Where spinflow/ may be on a board, the first one that is there and can be written."""

END_OF_LINE = (
    "note: PYNQ 3.x is the end of the line for this board upstream, pynq 4 has no Zynq-7000: keep "
    "an image of version 3.0.1 or 3.1"
)


def contents(bundle: Path, described: dict[str, object], data_dir: Path | None) -> dict[str, Path]:
    """Return what is copied: files by their name below spinflow/.

    Args:
        bundle: the folder build/<network>.
        described: accel.json of its folder for the board.
        data_dir: folder of the test images; where `make data` keeps them if None.

    Raises:
        BoardError: images are missing, or there are none of this data set.
    """
    network, data_set = described["network"], str(described["dataset"])
    if data_set not in IMAGES:
        raise BoardError(
            f"{network} has the data set {data_set!r}; there are test images of {', '.join(IMAGES)}"
        )
    images = data_dir or cache_folder() / data_set
    files = {}
    for source in SOURCES:
        found = [REPO / source] if (REPO / source).is_file() else (REPO / source).rglob("*")
        for path in found:
            if path.is_file() and "__pycache__" not in path.parts:
                files[path.relative_to(REPO).as_posix()] = path
    there = f"build/{network}"
    for path in (bundle / BOARD).iterdir():
        files[f"{there}/{path.name}"] = path
    for name in IMAGES[data_set]:
        path = images / name
        if not path.is_file():
            path = images / f"{name}.gz"
        if not path.is_file():
            raise BoardError(f"{images / name} is missing: make data fetches the test images")
        files[f"{there}/data/{path.name}"] = path
    return dict(sorted(files.items()))


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


def at_place(script: str, having: str = "") -> str:
    """Return a script of the board's shell that runs in spinflow/ there.

    Args:
        script: what to run.
        having: only in a place where spinflow/ has this; the exit status is 3 if none has.
    """
    if having:
        test, none = f'[ -e "$d/{FOLDER_THERE}/{having}" ]', "exit 3"
    else:
        test, none = '[ -d "$d" ] && [ -w "$d" ]', 'd="$HOME"'
    places = " ".join(f'"{place}"' for place in PLACES)
    return (
        f"for d in {places} ''; do "
        f'if [ -z "$d" ]; then {none}; elif {test}; then break; fi; done; '
        f'mkdir -p "$d/{FOLDER_THERE}" && cd "$d/{FOLDER_THERE}" && {{ {script}; }}'
    )


def as_root(command: str) -> str:
    """Return a command for the board's shell that runs as root in pynq's environment.

    Loading a bitstream needs root; a login shell reads /etc/profile.d, where PYNQ's images set
    their environment.
    """
    return f"sudo bash -lc {shlex.quote(command)}"


def selftest(board: str, place: str, network: str) -> str:
    """Return the command that tests the accelerator on the board."""
    check = f"python3 -m spinflow selftest --bundle build/{network}"
    return shlex.join(["ssh", "-t", board, f"cd {shlex.quote(place)} && {as_root(check)}"])


def deploy(board: str, bundle: Path, data_dir: Path | None, is_dry: bool) -> None:
    """Copy everything, or print how.

    Raises:
        BoardError: there is no bitstream, it is of another build, images are missing, or something
            failed on the board; what was there stays.
    """
    connection = Connection(board, is_dry)
    described = read_board_bundle(bundle)
    files = contents(bundle, described, data_dir)
    size = sum(path.stat().st_size for path in files.values())
    what = f"{len(files)} files, {size / 1e6:.1f} MB"
    with connection:
        print(f"copying {what} to {connection.board}", flush=True)
        unpack = (
            "rm -rf .deploy-* 2>/dev/null; new=$(mktemp -d .deploy-XXXXXX) && "
            '{ tar -xzf - -C "$new" || { rm -rf "$new"; exit 1; }; } && echo "$PWD/$new"'
        )
        said = connection.send(at_place(unpack), lambda stream: pack(files, stream), what)
        new = Path(said.strip() or f"{FOLDER_THERE}/.deploy-XXXXXX")
        ready = f"python3 {shlex.quote(f'{new}/host/on_board.py')} --place {shlex.quote(str(new))}"
        status = connection.run(as_root(f"{ready} --board {shlex.quote(described['board'])}"))
        if status:
            connection.run(f"rm -rf {shlex.quote(str(new))}")
            raise BoardError(
                f"{connection.board} was left as it was (exit status {status}); see above"
            )
    print(f"{described['network']} is in {new.parent} on {connection.board}; to test it there:")
    print(selftest(connection.board, str(new.parent), described["network"]))
    print(END_OF_LINE)


def cache_folder() -> Path:
    """Return the folder where `make data` keeps the data sets.

    Raises:
        BoardError: there is none, since this user has no home.
    """
    chosen = os.environ.get("SPINFLOW_CACHE")
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "spinflow"
    except RuntimeError:
        raise BoardError(
            "this user has no home folder: set SPINFLOW_CACHE to the folder of the data sets"
        ) from None


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = common.start.Parser(prog="deploy.py", description=__doc__.split("\n")[0])
    add_arguments(parser)
    parser.add_argument("--data-dir", type=Path, help="folder of the test images (the cache)")
    options = parser.parse_args(arguments)
    return common.run(
        lambda: deploy(options.board, options.bundle, options.data_dir, options.dry_run)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what all programs that reach a board are given."""
    parser.add_argument("board", help="user@host of the board, or a Host of ssh_config")
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")


if __name__ == "__main__":
    sys.exit(main())
