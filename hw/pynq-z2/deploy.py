"""Copies driver, bundle and test images to a board: `python hw/pynq-z2/deploy.py USER@HOST BUNDLE`.

All goes to `spinflow/` in the user's home on the board:

    host/                   the driver and the junction models, as in the repository
    build/<network>/        the bundle's folder for the board: accel.bit, accel.hwh, weights, golden
    build/<network>/data/   the test images, where the driver finds them

First of all host/on_board.py checks the board's Python and pynq and installs what is missing.
`--dry-run` prints the commands and runs none.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import common
from common import REPO, BoardError
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

_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9\[:\]][A-Za-z0-9.:%\[\]_-]*\Z")


def commands(login: str, bundle: Path, data_dir: Path | None) -> list[list[str]]:
    """Return what brings a bundle to a board, in order.

    Args:
        login: user@host of the board.
        bundle: the folder build/<network>.
        data_dir: folder of the test images; where `make data` keeps them if None.

    Raises:
        BoardError: there is no bitstream, it is of another build, or images are missing.
    """
    if not _LOGIN.match(login):
        raise BoardError(f"BOARD={login}: must be user@host, as xilinx@pynq or xilinx@192.168.2.99")
    described = read_board_bundle(bundle)
    network = described["network"]
    data_set = described["dataset"]
    if data_set not in IMAGES:
        raise BoardError(
            f"{network} has the data set {data_set!r}; there are test images of {', '.join(IMAGES)}"
        )
    images = data_dir or cache_folder() / data_set
    files = [images / name for name in IMAGES[data_set]]
    for number, path in enumerate(files):
        if not path.is_file():
            packed = path.with_name(path.name + ".gz")
            if not packed.is_file():
                raise BoardError(f"{path} is missing: make data fetches the test images")
            files[number] = packed
    there = f"{FOLDER_THERE}/build/{network}"
    script = f"{FOLDER_THERE}/on_board.py"
    ready = f"python3 {script} --board {shlex.quote(described['board'])}"
    rsync = ["rsync", "-rtz", "--delete", "--exclude", "__pycache__"]
    return [
        ["ssh", login, f"mkdir -p {there}/data"],
        ["rsync", "-tz", str(REPO / "host" / "on_board.py"), f"{login}:{script}"],
        ["ssh", "-t", login, as_root(ready)],
        [
            *[*rsync, "--relative", "--delay-updates"],
            *[f"{REPO}/./{source}" for source in SOURCES],
            f"{login}:{FOLDER_THERE}/",
        ],
        [
            *[*rsync, "--exclude", "/data", "--delay-updates"],
            *[f"{bundle / BOARD}/", f"{login}:{there}/"],
        ],
        ["rsync", "-tz", *map(str, files), f"{login}:{there}/data/"],
    ]


def as_root(command: str) -> str:
    """Return a command for the board's shell that runs as root in pynq's environment.

    Loading a bitstream needs root; a login shell reads /etc/profile.d, where PYNQ's images set
    their environment.
    """
    return f"sudo bash -lc {shlex.quote(command)}"


def selftest(login: str, network: str) -> str:
    """Return the command that tests the accelerator on the board."""
    check = f"python3 -m host selftest --bundle build/{network}"
    return shlex.join(["ssh", "-t", login, f"cd {FOLDER_THERE} && {as_root(check)}"])


def deploy(login: str, bundle: Path, data_dir: Path | None, is_dry: bool) -> None:
    """Run the commands, or print them."""
    todo = commands(login, bundle, data_dir)
    for command in todo:
        print(shlex.join(command), flush=True)
        if is_dry:
            continue
        if shutil.which(command[0]) is None:
            raise BoardError(f"{command[0]} is not on PATH: install it to copy to a board")
        status = subprocess.run(command, check=False).returncode
        if status:
            raise BoardError(f"{command[0]} failed with exit status {status}; see above")
    print("to test the accelerator on the board:")
    print(selftest(login, common.read_description(bundle)["network"]))


def cache_folder() -> Path:
    """Return the folder where `make data` keeps the data sets."""
    chosen = os.environ.get("SPINFLOW_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "spinflow"


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.py", description=__doc__.split("\n")[0])
    parser.add_argument("login", help="user@host of the board")
    parser.add_argument("bundle", type=Path, help="the folder build/<network>")
    parser.add_argument("--data-dir", type=Path, help="folder of the test images (the cache)")
    parser.add_argument("--dry-run", action="store_true", help="print the commands only")
    options = parser.parse_args(arguments)
    return common.run(
        lambda: deploy(options.login, options.bundle, options.data_dir, options.dry_run)
    )


if __name__ == "__main__":
    sys.exit(main())
