"""Print what make needs to know of the networks: `python -m spinflow.model.zoo [NETWORK]`.

Each line is an assignment. A ``~`` stands for a space, since make takes the words of a program's
output apart. Of NETWORK, a name or the path of a description:

    NAME            that of its folder in build/
    DATASET         its data, if they are one of DATASETS
    DEFAULT_IMAGES  of make run
    TRAINED_FILES   its weights, their facts and its description; none of a network that only
                    build/NAME holds, as an imported one
    PROBLEM         what is wrong with it, if something is
"""

from __future__ import annotations

import sys

from spinflow.host.core.errors import InputError
from spinflow.host.core.networks import called
from spinflow.host.core.reading import read_json
from spinflow.host.core.sources import WORK
from spinflow.host.core.text import one_line, shown
from spinflow.model.networks.graph import is_binary
from spinflow.model.zoo import ENTRIES, TESTED, find, how_to_train, images_of

MOST = 200
"""Characters of a problem."""


def main(arguments: list[str] | None = None) -> None:
    """Print the assignments."""
    words = sys.argv[1:] if arguments is None else arguments
    sets = sorted({entry.spec.dataset for entry in ENTRIES.values()})
    assignments = {"NETWORKS": " ".join(TESTED), "DATASETS": " ".join(sets)}
    for text in words:
        try:
            assignments |= _of(text, sets)
        except ValueError as error:
            assignments |= {"PROBLEM": one_line(error, MOST)}
    for variable, value in assignments.items():
        # What make would take for more than a text.
        plain = value.replace("~", "-").replace("$", "$$").replace("#", "\\#")
        print(f"{variable}:={plain}".replace(" ", "~"))


def _of(text: str, sets: list[str]) -> dict[str, str]:
    """Return what make needs to know of a network.

    Raises:
        ValueError: there is none, it is not trained, or make cannot name its files.
    """
    found = called(text)
    exported = WORK / "build" / found.name
    if found.path is None and found.base not in ENTRIES:
        if not (exported / "model.onnx").is_file():
            _say_unknown(text)
        facts = read_json(exported / "model.json", 1 << 20, InputError)
        data, shape = facts.get("dataset"), facts.get("shape")
        if not isinstance(shape, list):
            raise InputError(f"{exported / 'model.json'} is damaged: shape is {shown(shape)}")
        images, files = images_of(shape), []
    else:
        network = find(text)
        spec = network.entry.spec
        if not is_binary(spec):
            raise InputError(f"{text} is not wholly binary: the hardware cannot take it")
        data, images = spec.dataset, network.entry.images
        files = [network.weights, network.weights.with_suffix(".json"), network.path]
        missing = [path for path in files if not path.is_file()]
        if missing:
            raise InputError(f"not trained: {how_to_train(found.name)} makes {missing[0].name}")
    for path in files:
        if any(sign.isspace() or sign in "#$%:;\\'\"&|<>()*?~=`" for sign in str(path)):
            raise InputError(f"{text}: make needs a path without spaces and signs of the shell's")
    return {
        "NAME": found.name,
        "DATASET": data if data in sets else "",
        "DEFAULT_IMAGES": str(images),
        "TRAINED_FILES": " ".join(map(str, files)),
    }


def _say_unknown(text: str) -> None:
    """Raise ValueError for a name that nothing knows, with those that can be built."""
    trained = ", ".join(
        name for name, entry in ENTRIES.items() if entry.hardware.cycles and is_binary(entry.spec)
    )
    raise InputError(
        f"no such network; there are {trained}, the path of a .toml, and what import takes"
    )


if __name__ == "__main__":
    main()
