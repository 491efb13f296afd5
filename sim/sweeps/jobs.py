"""What a sweep in software hands to its workers, and what must be the same wherever they run.

Workers get all they need with the first task: bundle and images travel, no path is shared. What
must be there is this package, in the same version, with the same numpy and numba.
"""

from __future__ import annotations

import functools
import hashlib
import json
import pickle
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from spinflow.host.core import bundle as bundles
from spinflow.host.core import description
from spinflow.host.core.errors import HostError
from spinflow.host.core.networks import called
from spinflow.host.core.sources import REPOSITORY
from spinflow.host.core.test_sets import DATASETS, TestSet, chosen, images_of
from spinflow.host.sweep.bench import Bench
from spinflow.sim.engines import engine, takes_networks
from spinflow.sim.protocol import Engine
from spinflow.sim.sweeps.device import (
    Holding,
    HoldingAccelerator,
    SoftwareAccelerator,
    bundle_of,
)


class SweepError(HostError):
    """Workers or a cluster that cannot do what is asked of them."""


class Work(Protocol):
    """What worker processes are given once, pickled: it makes what measures trials there."""

    @property
    def digest(self) -> str:
        """A name of its own for every job."""

    @property
    def shares(self) -> bool:
        """Whether trials that are measured together share what has no errors."""

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights that each of them holds of its own."""

    def bench(self, threads: int | None) -> Bench:
        """Set up what measures trials, on so many threads; None is one for each core."""


@dataclass(frozen=True)
class Job:
    """All that a worker needs to measure trials; it is pickled and sent there once.

    Attributes:
        files: the bundle's files by name, as far as software reads them; empty without a bundle.
        network: of an evaluator without a bundle, ``spinflow.sim.evaluator.Network`` or
            ``spinflow.sim.fixed_point.QuantizedNetwork``; None with one.
        name: name of the network.
        tests: the images.
        backend: the engine, one of `spinflow.sim.engines.SOFTWARE`.
        whole: compute every trial whole, also where an engine knows what its errors change.
    """

    files: dict[str, bytes]
    network: Any
    name: str
    tests: TestSet
    backend: str
    whole: bool = False

    @functools.cached_property
    def digest(self) -> str:
        """A name of its own for every job."""
        content = pickle.dumps(
            (self.files, self.network, self.tests.fingerprint, self.backend, self.whole)
        )
        return hashlib.sha256(content).hexdigest()[:16]

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages whose versions take part in a row."""
        from spinflow.sim.evaluator import Network

        own = self.network is None or isinstance(self.network, Network)
        return PACKAGES if own else (*PACKAGES, "torch")

    def device(self, threads: int | None = None) -> SoftwareAccelerator:
        """Return what measures trials, on so many threads, by default one for each core.

        Raises:
            HostError: it is not the bundle that this machine's source can run.
        """
        try:
            return self._device(threads)
        except HostError:
            raise
        except ValueError as error:
            raise SweepError(f"{self.name}: {str(error).splitlines()[0]}") from None

    def _device(self, threads: int | None) -> SoftwareAccelerator:
        if self.network is not None:
            made = engine(self.backend, network=self.network, threads=threads)
            return self._accelerator(bundle_of(self.name, made, self.backend), made)
        with tempfile.TemporaryDirectory(prefix="spinflow-") as folder:
            for name, content in self.files.items():
                if name not in (description.NAME, *description.FILES):
                    raise SweepError(f"a job has a file {name[:40]!r}, which no bundle has")
                Path(folder, name).write_bytes(content)
            bundle = bundles.load(Path(folder), runnable=False)
            made = engine(self.backend, bundle=folder, threads=threads)
        return self._accelerator(bundle, made)

    def _accelerator(self, bundle: bundles.Bundle, made: Engine) -> SoftwareAccelerator:
        if isinstance(made, Holding) and not self.whole:
            return HoldingAccelerator(bundle, made, self.backend)
        return SoftwareAccelerator(bundle, made, self.backend)

    @property
    def shares(self) -> bool:
        """Whether trials that are measured together share what has no errors."""
        return not self.whole and self.backend != "emulator"

    @property
    def weight_bytes(self) -> int:
        """What a copy of all weights takes, as far as that is much: of fixed-point numbers."""
        found: int = getattr(self.network, "weight_bytes", 0)
        return found

    def bench(self, threads: int | None) -> Bench:
        """Set up what measures the trials of this job."""
        return Bench(self.device(threads), self.tests)


def job_of_bundle(folder: Path, tests: TestSet, backend: str) -> Job:
    """Return the job of a bundle's folder.

    The bundle's own test set is left out: the choice of images that is measured travels with the
    job.
    """
    described = description.read(folder)
    listed = {name: of for name, of in described.files.items() if name != description.TEST_SET}
    described = replace(described, files=listed)
    files = {name: described.content(name) for name in described.files}
    files[description.NAME] = json.dumps(described.document).encode()
    return Job(files, None, described.network, tests, backend)


def job_of_network(name: str, tests: TestSet, backend: str) -> Job:
    """Return the job of a trained network that has no bundle, by its name or its description.

    Raises:
        SweepError: the emulator is asked for, which has nothing to emulate, or the network's
            weights are damaged.
    """
    if not takes_networks(backend):
        raise SweepError(
            f"{name} has no bundle, which the {backend} needs: `spinflow build {name}` makes it, "
            "or use the evaluator"
        )
    from spinflow.sim.evaluator import Evaluator

    try:
        network = Evaluator.from_network(name).network
    except ValueError as error:
        raise SweepError(str(error).splitlines()[0]) from None
    return Job({}, network, called(name).name, tests, backend)


def images_of_network(
    dataset: str, count: int, data_dir: Path | None, choice_seed: int | None
) -> TestSet:
    """Return test images of a network without a bundle: of a published set or of own data.

    Args:
        dataset: as the network's description names it.
        count: how many, a plain int or AtMost.
        data_dir: folder of a published set's files; the cache if None.
        choice_seed: as of :func:`spinflow.host.core.test_sets.chosen`.

    Raises:
        ValueError: they are not there or damaged, or are fewer.
    """
    if dataset in DATASETS:
        return images_of(dataset, count, data_dir, choice_seed)
    from spinflow.model.data import own_tests

    tests = own_tests(dataset, data_dir)
    assert tests is not None  # which only published sets have not
    return chosen(tests, count, choice_seed)


PACKAGES = ("numpy", "numba")
"""Packages whose versions take part in every row."""


@functools.cache
def version() -> str:
    """Return a digest of the source that takes part in a row: all of host, sim and model."""
    digest = hashlib.sha256()
    for folder in ("host", "model", "sim"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(path.relative_to(REPOSITORY).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def facts(packages: Sequence[str]) -> dict[str, str]:
    """Return what must be the same wherever rows of one file are measured, by name."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return {**found, "source": version()}


def difference(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return what of the facts of a worker is another than here, in words; empty if nothing is."""
    for name, value in wanted.items():
        if found.get(name) != value:
            if name == "source":
                return "runs another version of Spinflow: give it the source of this machine"
            return (
                f"has {name} {found.get(name, 'none')}, this machine {value}: install there what "
                "requirements/pc.lock says"
            )
    return ""
