"""Print what make needs to know of the networks: ``python -m model.zoo``."""

from __future__ import annotations

from model.zoo import ENTRIES, TESTED


def main() -> None:
    """Print the entries for make, as assignments to its variables."""
    built = {name: entry.hardware for name, entry in ENTRIES.items() if entry.hardware}
    print("NAMES :=", *ENTRIES)
    print("BUILT :=", *built)
    print("TESTED :=", *TESTED)
    for name, entry in ENTRIES.items():
        print(f"DATASET_{name} := {entry.spec.dataset}")
    for name, hardware in built.items():
        print(f"IMAGES_{name} := {hardware.images}")


if __name__ == "__main__":
    main()
