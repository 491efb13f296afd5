"""What shortens a training: ways to spend the same epochs, each trained with several seeds.

    python -m tools.recipes [--network NAME] [--epochs N] [--seeds 1 2 3] [--out FOLDER]

    python -m tools.recipes --page    # tables and pictures of docs/training.md, from what is kept

A way is the network's recipe in the zoo with some options changed (`WAYS`). The teacher has the
network's layers in floats and is trained first, for as many epochs. What was measured goes to
docs/results/recipes/NETWORK.csv, a training a row; what is there is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shlex
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spinflow.host.core.files import replace_bytes
from spinflow.model import store, train
from spinflow.model.networks.graph import Spec
from spinflow.model.zoo import network
from spinflow.papers import style
from spinflow.papers.measure import half_width
from tools import marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "training.md"
KEPT, PICTURES = DOCS / "results" / "recipes", DOCS / "pictures"
MARK = "recipes of "
"""Before the network in the names of the page's marks."""

COLUMNS = ("way", "seed", "epochs", "test_correct", "test_images", "processor_s")

PLAIN = "plain"
WITHOUT = "--hold 0 --warm-up 0 --float-epochs 0 --average 0 --teacher '' --crop 0 --no-flip"
"""What the plain way does without, whatever the recipe of the zoo has."""

WAYS = {
    PLAIN: "",
    "warm-up of one epoch": "--warm-up 1",
    "first learning rate held for a fifth": "--hold {fifth}",
    "crop by 2 pixels, and flip": "--crop 2 --flip",
    "two stages, the first two fifths": "--float-epochs {stage}",
    "teacher": "--teacher {teacher}",
    "teacher and two stages": "--teacher {teacher} --float-epochs {stage}",
    "moving averages of the weights": "--average 0.998",
    "float32": "--no-bfloat16",
}
"""Options of `spinflow train` by what the page calls the way."""

Row = Mapping[str, str]


def of_floats(spec: Spec) -> str:
    """Return the description of a network with the layers of another one in floats, as TOML."""
    blocks = []
    for layer in spec.layers:
        words = [f'op = "{layer.op}"']
        if layer.op != "pool":
            words += [f"outputs = {layer.result[2]}", "binary = false"]
        if layer.op != "linear":
            words += [f"kernel = {layer.kernel}", f"stride = {layer.stride}"]
        blocks.append(f"    {{ {', '.join(words)} }},\n")
    return (
        f"# The layers of {spec.name} with weights and maps of floats.\n"
        f'kind = "xnor"\nshape = {list(spec.layers[0].source)}\ndataset = "{spec.dataset}"\n'
        f"blocks = [\n{''.join(blocks)}]\n\n[recipe]\nbatch = 128\nlr = 0.002\nwarm_up = 1\n"
    )


def trained(words: Sequence[str], folder: Path) -> float:
    """Train a network into an empty folder; return the processor time that it took, in s.

    Raises:
        SystemExit: the training failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    start = time.process_time()
    if train.main([*words, "--out", str(folder)]):
        raise SystemExit(f"{folder}: not trained")
    return time.process_time() - start


def teacher_of(name: str, epochs: int, out: Path) -> Path:
    """Return the description of a network's teacher, which is trained where it is not."""
    path = out / f"{name}-floats-{epochs}.toml"
    if not store.files_of(path.stem, out)[1].is_file():
        replace_bytes(path, of_floats(network(name)).encode())
        folder = out / "teacher"
        trained([str(path), "--epochs", str(epochs)], folder)
        for file in store.files_of(path.stem, folder):
            shutil.copy(file, out)
    return path


def measured(name: str, way: str, seed: int, epochs: int, out: Path) -> Row:
    """Train a network in one way; return its row."""
    options = WAYS[way].format(
        fifth=epochs // 5,
        stage=2 * epochs // 5,
        teacher=shlex.quote(str(teacher_of(name, epochs, out))) if "{teacher}" in WAYS[way] else "",
    )
    words = [name, *shlex.split(f"{WITHOUT} --seed {seed} --epochs {epochs} {options}")]
    folder = out / f"{list(WAYS).index(way)}-{seed}"
    took = trained(words, folder)
    facts = json.loads(store.files_of(name, folder)[1].read_text(encoding="utf-8"))
    found = {"way": way, "seed": seed, "epochs": epochs, "processor_s": f"{took:.1f}"}
    found |= {key: facts[key] for key in ("test_correct", "test_images")}
    return {key: str(found[key]) for key in COLUMNS}


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a table; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write a table."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, text.getvalue().encode("ascii"))


def table(rows: Sequence[Row]) -> str:
    """Return the accuracies in Markdown: mean of the seeds, and the difference to the plain way.

    The difference is of the same seeds, with the half width of its 95 % interval over them.
    """
    of = _by_way(rows)
    plain = of[PLAIN]
    lines = ["| way | accuracy, % | less plain, points | processor time |", "|---|---|---|---|"]
    for way, found in of.items():
        if not found:
            continue
        mean = f"{statistics.mean(map(_share, found.values())):.2f}"
        both = [seed for seed in found if seed in plain]
        if not both:
            lines.append(f"| {way} | {mean} |  |  |")
            continue
        gains = _gains(found, plain)
        gain = f"{statistics.mean(gains):+.2f}"
        gain += f" ± {half_width(gains):.2f}" if len(gains) > 1 else ", one seed"
        took = [sum(float(each[seed]["processor_s"]) for seed in both) for each in (found, plain)]
        lines.append(
            f"| {way} | {mean} | {'' if way == PLAIN else gain} | {took[0] / took[1]:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _by_way(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Return the rows by way and seed."""
    return {way: {row["seed"]: row for row in rows if row["way"] == way} for way in WAYS}


def _gains(found: Mapping[str, Row], plain: Mapping[str, Row]) -> list[float]:
    """Return by how many points each seed that both have is better than plain."""
    return [_share(row) - _share(plain[seed]) for seed, row in found.items() if seed in plain]


def draw(rows: Sequence[Row], path: Path, name: str) -> None:
    """Draw what each way gains: every seed, and the mean with its 95 % interval."""
    of = _by_way(rows)
    ways = [way for way in WAYS if way != PLAIN and _gains(of[way], of[PLAIN])]

    def paint(panels: Sequence[Axes]) -> None:
        (axes,) = panels
        for place, way in enumerate(ways):
            gains = _gains(of[way], of[PLAIN])
            axes.plot(gains, [place] * len(gains), ".", color=style.colour(1))
            half = half_width(gains) if len(gains) > 1 else 0.0
            axes.errorbar(
                statistics.mean(gains), place + 0.2, xerr=half, color=style.colour(0),
                marker=style.marker(0), capsize=3,
            )  # fmt: skip
        axes.axvline(0, color="#444444", linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(ways)), ways)
        axes.invert_yaxis()
        axes.set_xlabel("accuracy less that of the plain way with the same seed, points")

    style.draw([f"{name}, {rows[0]['epochs']} epochs"], paint, [path])


def _same(row: Row, way: str, seed: int, epochs: int) -> bool:
    return (row["way"], row["seed"], row["epochs"]) == (way, str(seed), str(epochs))


def _share(row: Row) -> float:
    return 100 * int(row["test_correct"]) / int(row["test_images"])


def with_tables(text: str) -> str:
    """Return the text of docs/training.md with the tables in their places, of the most epochs."""

    return marks.filled(
        text, lambda name: table(shown(name[len(MARK) :])) if name.startswith(MARK) else None
    )


def shown(name: str) -> list[Row]:
    """Return the rows of a network that the page shows: those of the most epochs."""
    rows = rows_of(KEPT / f"{name}.csv")
    most = max((int(row["epochs"]) for row in rows), default=0)
    return [row for row in rows if row["epochs"] == str(most)]


def main() -> int:
    """Train what is missing; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", default="lenet-fashion-mnist", help="default %(default)s")
    parser.add_argument("--epochs", type=int, default=10, help="of every training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    parser.add_argument("--out", type=Path, default=Path("out/recipes"), help="folder")
    parser.add_argument("--page", action="store_true", help="tables and pictures of the page")
    chosen = parser.parse_args()
    if chosen.page:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_tables(text), encoding="utf-8")
        for name in [each[len(MARK) :] for each in marks.names(text) if each.startswith(MARK)]:
            draw(shown(name), PICTURES / f"recipes-{name}.svg", name)
        return 0
    path, out = KEPT / f"{chosen.network}.csv", chosen.out / chosen.network
    for seed in chosen.seeds:
        for way in chosen.ways:
            rows = rows_of(path)
            if not any(_same(row, way, seed, chosen.epochs) for row in rows):
                write(path, [*rows, measured(chosen.network, way, seed, chosen.epochs, out)])
    rows = [row for row in rows_of(path) if row["epochs"] == str(chosen.epochs)]
    print(table(rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
