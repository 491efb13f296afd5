"""Runs a sweep on a board and fetches its results: `spinflow board-sweep TARGET BUNDLE`.

What `spinflow deploy` has copied is run there as root in pynq's environment, and its progress is
shown here. results.csv, summary.json and report.html come back to `--out`, all in one step; where
the board has no matplotlib, the report is made here. Interrupted or cut off, the board keeps the
rows that it has, and the same command goes on from there.
"""

from __future__ import annotations

import importlib.util
import io
import json
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from spinflow.host.core import description, start
from spinflow.host.core.checked import NAME
from spinflow.host.core.files import put_in_place, work_beside
from spinflow.host.core.sources import COMMAND
from spinflow.hw.boards import common, facts
from spinflow.hw.boards.common import REPO
from spinflow.hw.boards.connection import Connection
from spinflow.hw.boards.deploy import add_arguments
from spinflow.hw.boards.facts import BoardError
from spinflow.hw.boards.there import as_root, at_place

RESULTS, SUMMARY, REPORT = "results.csv", "summary.json", "report.html"
LIMIT = 256 << 20
"""Most bytes of results that are taken from a board."""

HOST_PYTHON = REPO / ".venv" / "bin" / "python"


def sweep(connection: Connection, bundle: Path, out: Path, grid: Mapping[str, int | None]) -> int:
    """Run the sweep, or the rest of it, and fetch its results; return the exit status.

    Args:
        connection: to the board, not made yet.
        bundle: the folder build/<network>.
        out: folder of the results here.
        grid: options of the sweep by their names; None is the sweep's default.

    Raises:
        BoardError: the board has no such bundle, another build of it, or the results are damaged.
    """
    network, folders = _facts_of(bundle)
    there, results = f"build/{network}", f"results/{network}"
    command = f"umask 022; python3 -m spinflow sweep --bundle {there} --out {results} --set-aside"
    command += "".join(f" --{name} {value}" for name, value in grid.items() if value is not None)
    with connection:
        script = at_place(folders, f"cat {there}/accel.json", having=f"{there}/accel.json")
        described = connection.fetch(script, LIMIT)
        if not connection.is_dry:
            _check(described, bundle, network, connection.target)
        status = connection.run(at_place(folders, as_root(command), having=f"{there}/accel.json"))
        if status:
            print(
                f"spinflow: the sweep on {connection.target} ended early (exit status {status}): "
                "it keeps its rows, the same command goes on",
                file=sys.stderr,
            )
            return status
        pack = f"tar -cf - $(ls {RESULTS} {SUMMARY} {REPORT} 2>/dev/null)"
        packed = connection.fetch(
            at_place(folders, f"cd {results} && {pack}", having=results), LIMIT
        )
    if connection.is_dry:
        return 0
    if packed is None:
        raise BoardError(f"{connection.target} has no results in {results}")
    names = place(packed, out)
    print(f"fetched {', '.join(names)} to {out}")
    return 0 if REPORT in names else report(out)


def _facts_of(bundle: Path) -> tuple[str, Sequence[str]]:
    """Return a bundle's network, and the folders of its board in which spinflow/ may be.

    What was deployed from elsewhere is known by the name of its folder, and is for the default
    board.

    Raises:
        BundleError: the bundle is damaged.
        BoardError: its board is not known, or the folder has no name of a network.
    """
    if (bundle / "accel.json").is_file():
        described = description.read(bundle)
        return described.network, facts.board_named(described.board).image.folders
    network = bundle.resolve().name
    if not NAME.match(network):
        raise BoardError(f"{bundle} has no name of a network")
    return network, facts.board().image.folders


def _check(described: bytes | None, bundle: Path, network: str, target: str) -> None:
    """Raise BoardError unless the board has the build of a bundle that is here."""
    deploy = f"make deploy NETWORK={network} TARGET={target}"
    if described is None:
        raise BoardError(f"{target} has no {network}: run {deploy} first")
    try:
        found = json.loads(described)["build_id"]
    except (ValueError, KeyError, TypeError):
        raise BoardError(f"accel.json of {network} on {target} is damaged: {deploy}") from None
    if (bundle / "accel.json").is_file():
        here = description.read(bundle).build_id
        if found != here:
            raise BoardError(
                f"{target} has build {found:08x} of {network}, here it is {here:08x}: {deploy}"
                if isinstance(found, int)
                else f"accel.json of {network} on {target} is damaged: {deploy}"
            )


def place(packed: bytes, out: Path) -> list[str]:
    """Put the files of a tar into a folder, all in one step; return their names.

    Raises:
        BoardError: it is no whole tar, or holds something else than results.
    """
    out = out.resolve()
    with work_beside(out) as work:
        made = work.path / "made"
        made.mkdir()
        try:
            with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
                for entry in tar:
                    file = tar.extractfile(entry) if entry.isreg() else None
                    if file is None or entry.name not in (RESULTS, SUMMARY, REPORT):
                        raise BoardError(f"the board sends {entry.name!r} among the results")
                    (made / entry.name).write_bytes(file.read())
        except (tarfile.TarError, EOFError) as error:
            raise BoardError(f"the results of the board are damaged: {error}") from None
        names = sorted(path.name for path in made.iterdir())
        if RESULTS not in names:
            raise BoardError(f"the board sends no {RESULTS}")
        if (out / REPORT).exists() and REPORT not in names:
            (out / REPORT).unlink()  # of other rows
        put_in_place(made, out)
    return names


def report(out: Path) -> int:
    """Make the report here; return the exit status."""
    can_draw = importlib.util.find_spec("matplotlib") is not None
    python = sys.executable if can_draw else str(HOST_PYTHON)
    results = out.resolve()
    command = [python, *COMMAND, "report", str(results / RESULTS), "--out", str(results)]
    if not Path(python).exists():
        print(f"for {REPORT}: make setup, then {shlex.join(command)}")
        return 0
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        print(f"made {out / REPORT} here: the board has no matplotlib")
    return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = start.Parser(
        prog="spinflow board-sweep",
        description=__doc__.split("\n")[0],
        epilog="example: spinflow board-sweep xilinx@pynq build/mlp-mnist --out out/board",
    )
    add_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results here")
    parser.add_argument("--images", type=int, help="test images of each trial")
    parser.add_argument("--repeats", type=int, help="repeats of each point")
    given = parser.parse_args(arguments)
    return common.run(
        lambda: sweep(
            Connection(given.target, given.dry_run),
            given.bundle,
            given.out,
            {"images": given.images, "repeats": given.repeats},
        )
    )


if __name__ == "__main__":
    sys.exit(main())
