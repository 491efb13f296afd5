"""Makes engines by their names: the one place that knows which there are.

    engine("rtl", bundle="build/tfc-mnist")
    engine("evaluator-fast", network="mlp-mnist", threads=1)

All have the operations of `spinflow.sim.protocol.Engine`. An engine imports what it needs (numba,
torch, the simulator's library) only when one is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spinflow.sim.protocol import Engine

Bundle = str | os.PathLike[str]


@dataclass(frozen=True)
class _Kind:
    """How an engine is made.

    Attributes:
        of_bundle: from a bundle's folder and a number of threads; None if it takes no bundle.
        of_network: from a network, a number of threads and the network's options; None if it
            takes no network.
    """

    of_bundle: Callable[[Bundle, int | None], Engine] | None = None
    of_network: Callable[..., Engine] | None = None


def _emulator(bundle: Bundle, threads: int | None) -> Engine:
    from spinflow.sim.emulator import Emulator

    return Emulator(bundle)


def _rtl(bundle: Bundle, threads: int | None) -> Engine:
    from spinflow.sim.accelerator import Accelerator

    return Accelerator(bundle)


def _evaluator(stream: str) -> _Kind:
    def of_bundle(bundle: Bundle, threads: int | None) -> Engine:
        from spinflow.sim.evaluator import Evaluator

        return Evaluator.from_bundle(bundle, stream, threads)

    def of_network(network: Any, threads: int | None, **options: Any) -> Engine:
        from spinflow.sim.evaluator import Evaluator

        made: Engine = Evaluator.from_network(network, stream, threads, **options)
        return made

    return _Kind(of_bundle, of_network)


def _fixed_point(network: Any, threads: int | None, **options: Any) -> Engine:
    from spinflow.sim.fixed_point import FixedPointEvaluator

    return FixedPointEvaluator(network, threads=threads, **options)


def _xnor(network: Any, threads: int | None, **options: Any) -> Engine:
    from spinflow.sim.xnor import XnorEvaluator

    return XnorEvaluator(network, threads=threads, **options)


_KINDS = {
    "evaluator": _evaluator("hardware"),
    "evaluator-fast": _evaluator("fast"),
    "emulator": _Kind(of_bundle=_emulator),
    "rtl": _Kind(of_bundle=_rtl),
    "fixed-point": _Kind(of_network=_fixed_point),
    "xnor": _Kind(of_network=_xnor),
}

ENGINES = tuple(_KINDS)
"""The names of all engines."""

SOFTWARE = ("evaluator", "evaluator-fast", "emulator")
"""Those that measure sweeps without RTL. The evaluators take any network, also those of fixed-point
numbers and those with layers of floats."""


def takes_networks(name: str) -> bool:
    """Return whether an engine can be made of a network that has no bundle."""
    return _kind(name).of_network is not None


def engine(
    name: str,
    *,
    bundle: Bundle | None = None,
    network: Any = None,
    threads: int | None = None,
    **options: Any,
) -> Engine:
    """Make an engine, of a bundle or of a network.

    Args:
        name: one of ENGINES.
        bundle: a folder.
        network: what the engine takes: for the evaluators all that `Evaluator.from_network` takes,
            for "fixed-point" PyTorch modules, for "xnor" a network with layers of floats.
        threads: for engines that use several; by default one for each core.
        options: of the network, as `bits` and `shape` of PyTorch modules.

    Raises:
        BundleError: the bundle is not whole, or has no simulator and the engine is "rtl".
        ValueError: there is no such engine, it takes no such source, or it cannot compute it.
    """
    kind = _kind(name)
    if (bundle is None) == (network is None):
        raise ValueError(f"the engine {name} is made of a bundle or of a network: give one of them")
    if bundle is not None:
        if kind.of_bundle is None:
            raise ValueError(f"the engine {name} takes a network, not a bundle")
        return kind.of_bundle(bundle, threads)
    if kind.of_network is None:
        raise ValueError(f"the engine {name} needs a bundle")
    return kind.of_network(network, threads, **options)


def _kind(name: str) -> _Kind:
    if name not in _KINDS:
        raise ValueError(f"there is no engine {name!r}; there are {', '.join(ENGINES)}")
    return _KINDS[name]
