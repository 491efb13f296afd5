"""Print what make needs to know of the networks: `python -m spinflow.model.zoo`.

Each line is an assignment. A ``~`` stands for a space, since make takes the words of a program's
output apart.
"""

from __future__ import annotations

from spinflow.model.zoo import ENTRIES, TESTED


def main() -> None:
    """Print the assignments."""
    sets = sorted({entry.spec.dataset for entry in ENTRIES.values()})
    assignments = {"NETWORKS": " ".join(TESTED), "DATASETS": " ".join(sets)}
    for name, entry in ENTRIES.items():
        assignments[f"DATASET_{name}"] = entry.spec.dataset
        if entry.hardware is not None:
            assignments[f"IMAGES_{name}"] = str(entry.hardware.images)
    for variable, value in assignments.items():
        print(f"{variable}:={value}".replace(" ", "~"))


if __name__ == "__main__":
    main()
