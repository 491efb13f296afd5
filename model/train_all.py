"""Trains many networks within one budget, several at a time on one device.

    spinflow train --all --budget 10min --device cuda --out out/all
    spinflow train --all nin-cifar10 --rates 0,0.01,0.1 --seeds 1,2 --budget 10min --out out/curve
    spinflow train --all my/a.toml my/b.toml --budget 2h --together 2 --out out/mine

Without names: those of `ORDER`, the networks of the papers on CIFAR-10, the most wanted first. Each
training is a `spinflow train` of its own, in a folder of its own, NAME or NAME+LABEL, with a log.
The same command goes on with what is not finished. What is finished stays as it is, so that a short
loan of a machine after the other trains them all; `--checkpoints` puts the large files elsewhere.
"""

from __future__ import annotations

import argparse
import math
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinflow.host.core import start
from spinflow.host.core.errors import SpinflowError
from spinflow.host.core.options import whole
from spinflow.host.core.sources import COMMAND
from spinflow.host.core.tables import aligned
from spinflow.host.core.text import shown
from spinflow.model import store
from spinflow.model.training import checkpoint
from spinflow.model.training.budget import seconds
from spinflow.model.zoo import find

ORDER = (
    "vgg-cifar10",
    "vgg-fxp8-cifar10",
    "cnn-cifar10",
    "nin-cifar10",
    "vgg3-cifar10",
    "vgg-fxp16-cifar10",
    "vgg-fxp32-cifar10",
)
"""Networks of the papers on CIFAR-10 that a CPU does not train in a day, the most wanted first."""

LEAST = 5.0
"""Seconds below which no training is begun."""

GRACE = 20.0
"""Seconds that a training has to end after its budget, or after it was asked to."""


class TrainAllError(SpinflowError, ValueError):
    """What cannot be trained; the message is one line."""


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        network: its name or the path of its description.
        seed: of the recipe.
        rate: of errors in its activations; that of its recipe if empty.
        label: of the variant; empty for the network by its recipe.
    """

    network: str
    seed: int = 1
    rate: str = ""
    label: str = ""

    @property
    def options(self) -> list[str]:
        """What `spinflow train` gets beside the options of all."""
        chosen = [("--seed", str(self.seed)), ("--activation-errors", self.rate)]
        chosen.append(("--label", self.label))
        return [word for option, value in chosen if value for word in (option, value)]

    @property
    def name(self) -> str:
        """What its files are called."""
        return find(self.network).name + (f"+{self.label}" if self.label else "")


def jobs(networks: Sequence[str], rates: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """Return the trainings that are asked for, in order.

    Args:
        networks: names or paths.
        rates: bit-error rates of the activations while training, as the papers' curves have them.
        seeds: of each; one training for every rate and seed.
    """
    if not rates:
        return [
            Job(network, seed, label=f"seed-{seed}" if len(seeds) > 1 else "")
            for seed in seeds
            for network in networks
        ]
    return [
        Job(network, seed, rate, f"activations-{rate}-seed-{seed}")
        for seed in seeds
        for rate in rates
        for network in networks
    ]


class Trainings:
    """The trainings of a folder, as many at a time as there may be."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Take the options of the command line."""
        self._options = options
        self._end = time.monotonic() + options.budget
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._failed: dict[str, str] = {}

    def run(self, wanted: Sequence[Job]) -> None:
        """Train what is not finished, until all is or the budget is over.

        Raises:
            ValueError: what is there of a training is damaged, or has another seed or rate.
        """
        left = [job for job in wanted if self._finished(job) is None]
        try:
            while left or self._running:
                while left and len(self._running) < self._options.together:
                    time_left = self._end - time.monotonic()
                    # Those that wait get as much as those that begin.
                    share = time_left / math.ceil(len(left) / self._options.together)
                    if share < LEAST:
                        left = []
                        break
                    self._begin(left.pop(0), share)
                self._reap()
                if time.monotonic() > self._end + GRACE:
                    break
                time.sleep(0.05)
        finally:
            self._stop()

    def lines(self, wanted: Sequence[Job]) -> list[list[str]]:
        """Return a row for each training: its name, how far it is, and its accuracy."""
        return [[job.name, *self._state(job)] for job in wanted]

    @property
    def failed(self) -> bool:
        """Whether a training ended with an error."""
        return bool(self._failed)

    def _finished(self, job: Job) -> dict[str, Any] | None:
        """Return what is said of a finished training; None if it is not finished."""
        folder = self._options.out / job.name
        _, path = store.files_of(job.name, folder)
        if not path.is_file():
            return None
        facts = store.load_recipe(job.name, folder)
        for name, value in (("seed", job.seed), ("activation_errors", job.rate)):
            found = facts["recipe"].get(name)
            if value not in ("", found):
                raise TrainAllError(
                    f"{path}: was trained with {name} = {shown(found)}, not {value}: choose "
                    "another --out"
                )
        return facts

    def _checkpoint(self, job: Job) -> Path:
        folder = self._options.checkpoints or self._options.out
        return Path(folder / job.name / checkpoint.CHECKPOINT)

    def _begin(self, job: Job, share: float) -> None:
        folder = self._options.out / job.name
        self._checkpoint(job).parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, *COMMAND, "train", job.network, *job.options]
        words += ["--device", self._options.device] if self._options.device else []
        words += ["--data-dir", str(self._options.data_dir)] if self._options.data_dir else []
        if self._options.teacher_dir and find(job.network).entry.recipe.teacher:
            words += ["--teacher-dir", str(self._options.teacher_dir)]
        words += ["--budget", f"{share:.1f}s", "--resume", "--out", str(folder)]
        words += ["--checkpoint", str(self._checkpoint(job))]
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._running[job.name] = process
        print(f"{job.name}: begun, for {share:.0f} s at most", flush=True)

    def _reap(self) -> None:
        for name, process in list(self._running.items()):
            if process.poll() is None:
                continue
            del self._running[name]
            if process.returncode < 0:
                self._failed[name] = f"killed by {signal.Signals(-process.returncode).name}"
            elif process.returncode not in (0, 128 + signal.SIGTERM):
                self._note_failure(name)

    def _note_failure(self, name: str) -> None:
        log = (self._options.out / name / "log.txt").read_text("utf-8", "replace").strip()
        last = log.splitlines()[-1] if log else "ended without a word"
        if "the budget is over" not in last:
            self._failed[name] = last.removeprefix("spinflow: ")

    def _stop(self) -> None:
        """Ask what runs to end: its checkpoint is that of its last epoch."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _state(self, job: Job) -> tuple[str, str]:
        if job.name in self._failed:
            return "failed", self._failed[job.name]
        facts = self._finished(job)
        if facts is not None:
            return f"{facts['recipe']['epochs']} epochs", f"{facts['test_accuracy']:.2%}"
        path = self._checkpoint(job)
        if not path.is_file():
            return "not begun", ""
        try:
            done, planned = checkpoint.progress_of(path)
        except ValueError as error:
            return "not known", str(error)
        return f"{done} of {planned} epochs", "not finished"


def main(arguments: Sequence[str]) -> int:
    """Train as the command line says; return the exit status."""
    options = _parser().parse_args(list(arguments))
    failed: list[bool] = []

    def work() -> None:
        networks = options.networks or list(ORDER)
        wanted = jobs(networks, options.rates, options.seeds)
        names = [job.name for job in wanted]  # names what is unknown before anything begins
        if len(set(names)) < len(names):
            raise TrainAllError("a network, rate or seed is named twice: name each once")
        trainings = Trainings(options)
        trainings.run(wanted)
        print("\n".join(aligned([["network", "trained", "accuracy"], *trainings.lines(wanted)])))
        failed.append(trainings.failed)

    status = start.finish(work, (ValueError,), "the same command goes on")
    return status or int(any(failed))


def _rates(text: str) -> list[str]:
    rates = [word.strip() for word in text.split(",")]
    for rate in rates:
        try:
            right = 0.0 <= float(rate) <= 1.0
        except ValueError:
            right = False
        if not right:
            raise argparse.ArgumentTypeError(f"{rate!r} is no rate, valid: 0 to 1, with commas")
    return [f"{float(rate):g}" for rate in rates]


def _seeds(text: str) -> list[int]:
    return [whole(0, 2**32 - 1)(word) for word in text.split(",")]


def _parser() -> start.Parser:
    parser = start.Parser(
        prog="spinflow train --all",
        description="Train many networks within one budget, several at a time on one device.",
        epilog="example: spinflow train --all --budget 10min --device cuda --out out/all",
    )
    parser.add_argument(
        "networks", nargs="*", metavar="NETWORK",
        help=f"names or paths of a .toml (default: {', '.join(ORDER)})",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="a folder for each is made in it")
    parser.add_argument(
        "--budget", type=seconds, required=True, help="for all together: 90s, 10min or 2h"
    )
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: cuda where there is one"
    )
    parser.add_argument(
        "--together", type=whole(1, 1024), default=8, help="at a time (default %(default)s)"
    )
    parser.add_argument(
        "--rates", type=_rates, default=[], metavar="RATE,...",
        help="bit-error rates of the activations; a training of each network at each",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", type=_seeds, default=[1], metavar="SEED,...", help="of each (default 1)"
    )
    parser.add_argument(
        "--checkpoints", type=Path, help="folder of the checkpoints (default: that of --out)"
    )
    parser.add_argument("--data-dir", type=Path, help="a folder with your own copy of the data")
    parser.add_argument(
        "--teacher-dir", type=Path, help="folder of the teachers' files (default: the zoo)"
    )
    return parser
