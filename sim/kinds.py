"""Tables from the kinds of layers to what an engine makes of each; unknown kinds are refused here.

An engine has one table, which a kind of layer joins where the engine computes it:

    KINDS: Kinds[type[Stage]] = Kinds("the emulator")

    @KINDS.computes(description.MaxPool)
    class MaxPoolStage(Stage): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Kinds(Generic[Made]):
    """What one engine makes of each kind of layer.

    Args:
        engine: as errors name it, such as "the emulator".
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._table: dict[type | str, Made] = {}

    def computes(self, *kinds: type | str) -> Callable[[Made], Made]:
        """Return a decorator that enters what it decorates for these kinds."""

        def enter(made: Made) -> Made:
            self._table.update(dict.fromkeys(kinds, made))
            return made

        return enter

    def of(self, kind: type | str, name: str) -> Made:
        """Return what was entered for a kind.

        Args:
            kind: the type of a layer's description, or its operation in words.
            name: of the layer.

        Raises:
            ValueError: nothing was.
        """
        if kind not in self._table:
            known = ", ".join(sorted({_word(each) for each in self._table}))
            raise ValueError(
                f"layer {name} is of the kind {_word(kind)}, which {self._engine} does not "
                f"compute; it computes {known}"
            )
        return self._table[kind]


def _word(kind: type | str) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
