"""Put what `spinflow ecc` measured into the documentation.

    python -m tools.ecc [out/ecc]

copies curves.csv and energy.csv of the folder to docs/results/ecc and ecc.svg to docs/pictures, and
writes the table of docs/ecc.md anew. Without a folder it only writes the table.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

from spinflow.papers.ecc import MEMORIES, NETWORKS
from tools import marks

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, RESULTS, PICTURES = DOCS / "ecc.md", DOCS / "results" / "ecc", DOCS / "pictures"

WHERE = {"weights": "weights", "buffers": "feature maps", "all": "both"}
WORDS = {0: "plain", 64: "SECDED of 64", 16: "SECDED of 16"}
"""The columns: data bits of a code word, 0 without a code."""


def table() -> str:
    """Return the energies at each loss, in per cent of the conventional write, as Markdown."""
    with (RESULTS / "energy.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(r["network"], r["memory"], float(r["loss"]), int(r["word"])): r for r in rows}
    losses = sorted({float(row["loss"]) for row in rows})
    lines = [
        f"| network | errors in | points lost | {' | '.join(WORDS.values())} |",
        f"|---|---|---:|{'---:|' * len(WORDS)}",
    ]
    networks = {row["network"]: None for row in rows}
    for network in sorted(networks, key=lambda name: (*NETWORKS, name).index(name)):
        for memory in MEMORIES:
            for loss in losses:
                if not any((network, memory, loss, word) in found for word in WORDS):
                    continue  # too few images for so small a loss
                cells = [_cell(found.get((network, memory, loss, word))) for word in WORDS]
                lines.append(
                    f"| {network} | {WHERE[memory]} | {100 * loss:g} | {' | '.join(cells)} |"
                )
    return "\n".join(lines)


def _cell(row: dict[str, str] | None) -> str:
    if row is None:
        return "not reached"
    mean, low, high = (100 * float(row[name]) for name in ("energy", "energy_low", "energy_high"))
    return f"{mean:.1f} ({low:.1f} to {high:.1f})"


def with_table(text: str) -> str:
    """Return the text of docs/ecc.md with the table in its place."""
    return marks.filled(text, lambda name: table() if name == "energy" else None)


def main() -> None:
    """Copy a folder's results, if one is given, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of spinflow ecc")
    folder = parser.parse_args().folder
    if folder is not None:
        for name in ("curves.csv", "energy.csv"):
            shutil.copy(folder / name, RESULTS / name)
        shutil.copy(folder / "ecc.svg", PICTURES / "ecc.svg")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
