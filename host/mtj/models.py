"""The device models by name, and write conditions made from them.

junction = named("fokker-planck", delta=60)
condition_for_rate(junction, 1e-3)       # the pulse, rates and energies at the nominal drive
condition(junction, 0.5, 5e-9)           # 0.5 V for 5 ns

Each model has a file of its own in this folder: the classes below ``Model`` that stand in its files
are the models, so a new file in this folder is a new model.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from spinflow.host.mtj.base import Model, condition, condition_for_rate
from spinflow.host.mtj.condition import WriteCondition
from spinflow.host.mtj.exponential import Exponential
from spinflow.host.mtj.fokker_planck import FokkerPlanck
from spinflow.host.mtj.sun_gamma import SunGamma

__all__ = [
    "MODELS", "Exponential", "FokkerPlanck", "Model", "SunGamma", "WriteCondition", "condition",
    "condition_for_rate", "named",
]  # fmt: skip


def _found() -> dict[str, type[Model]]:
    """Return the model classes of this folder's files by name, in the order of the names."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return {model.name: model for model in sorted(Model.__subclasses__(), key=lambda m: m.name)}


MODELS = _found()
"""Model classes by name; of the papers, exponential is Asano 2024, sun-gamma Hirtzlin 2019 and
fokker-planck Tzoufras 2019."""


def named(name: str, **parameters: float) -> Model:
    """Return a model by name, with the parameters of its paper where none are given.

    Args:
        name: one of ``MODELS``.
        parameters: parameters of the junction, by the names of the class's attributes.

    Raises:
        ValueError: no model or parameter has that name, or a parameter is outside its range.
    """
    if name not in MODELS:
        raise ValueError(f"device model is {name!r}, valid: {', '.join(MODELS)}")
    known = MODELS[name]().parameters()
    for parameter in parameters:
        if parameter not in known:
            raise ValueError(f"parameter of {name} is {parameter!r}, valid: {', '.join(known)}")
    return MODELS[name](**parameters)
