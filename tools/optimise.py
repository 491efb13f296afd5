"""Put what `spinflow optimise` found into the documentation.

    python -m tools.optimise out/optimise/mlp-mnist out/optimise/cnv-cifar10

copies of each folder front.csv and conditions.csv to docs/results/optimise/NAME.csv and
NAME-conditions.csv, conditions-LOSS.toml to NAME-LOSS.toml, the picture to
docs/pictures/optimise-NAME.svg, NAME being that of the folder, and writes the tables of
docs/optimise.md anew. Without folders it only writes the tables.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
from pathlib import Path

from spinflow.papers.optimise import outcome
from tools import marks

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "optimise.md"
RESULTS = ROOT / "docs" / "results" / "optimise"
PICTURES = ROOT / "docs" / "pictures"


def take(folder: Path) -> None:
    """Copy what is kept of a run.

    Raises:
        SystemExit: it is not finished.
    """
    for wanted in (outcome.FRONT, outcome.CONDITIONS, outcome.PICTURE):
        if not (folder / wanted).is_file():
            raise SystemExit(f"{folder} has no {wanted}: spinflow optimise writes it at its end")
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = folder.resolve().name
    for old in RESULTS.glob(f"{name}-*.toml"):
        if re.fullmatch(rf"{re.escape(name)}-[\d.]+\.toml", old.name):
            old.unlink()
    shutil.copy(folder / outcome.FRONT, RESULTS / f"{name}.csv")
    shutil.copy(folder / outcome.CONDITIONS, RESULTS / f"{name}-conditions.csv")
    shutil.copy(folder / outcome.PICTURE, PICTURES / f"optimise-{name}.svg")
    for file in folder.glob("conditions-*.toml"):
        shutil.copy(file, RESULTS / f"{name}-{file.name.removeprefix('conditions-')}")


def table(name: str) -> str:
    """Return the table of a run, as Markdown."""
    with (RESULTS / f"{name}.csv").open(encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    base = next(row for row in rows if row["scheme"] == "conventional")
    base_j, exact = float(base["energy_j"]), 100 * float(base["accuracy"]) + float(base["loss"])
    lines = [
        f"{base['images']} images of each half, {base['repeats']} repeats, "
        f"{base['frames_per_load']} frames a load; without errors {exact:.2f} % are right on the "
        f"half reported, and the conventional write takes {_joules(base_j)} a frame.",
        "",
        "| asked | conditions | lost on the other half | energy | saves, same loss | clearly |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row is base:
            continue
        share = 100 * float(row["energy_j"]) / base_j
        saves = ["", ""]
        if row["scheme"] != "one for all":
            saves = [f"{100 * float(row[key]):.1f} %" for key in ("saves_equal", "saves_clear")]
        lines.append(
            f"| {row['asked']} | {row['scheme']} | {float(row['loss']):.2f} "
            f"({float(row['low']):.2f} to {float(row['high']):.2f}) | {share:.1f} % | "
            f"{saves[0]} | {saves[1]} |"
        )
    return "\n".join(lines)


def _joules(value: float) -> str:
    return f"{value * 1e6:.3g} µJ" if value >= 1e-6 else f"{value * 1e9:.3g} nJ"


def with_tables(text: str) -> str:
    """Return the page with its tables as the results have them."""
    return marks.filled(text, table)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(prog="python -m tools.optimise", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", help="out/optimise/NAME")
    for folder in parser.parse_args(arguments).folders:
        take(folder)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_tables(text), encoding="utf-8")


if __name__ == "__main__":
    main()
