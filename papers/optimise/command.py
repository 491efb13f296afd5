"""``spinflow optimise``: a write condition for every memory that takes least energy at a loss.

It measures what each memory loses alone, searches on one half of the test images, every step
measured with all errors together, and reports on the other half, beside the best single condition
for all memories, the best one for each kind, and the conventional write. docs/optimise.md says how.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from spinflow.host.core import bundle as bundles
from spinflow.host.core.errors import InputError
from spinflow.host.core.files import check_elsewhere, put_in_place, work_beside
from spinflow.host.core.options import number, seed, whole
from spinflow.host.core.start import Parser, finish
from spinflow.host.core.test_sets import (
    MOST_IMAGES,
    AtMost,
    images_for,
)
from spinflow.host.mtj.exponential import CONVENTIONAL_RATE
from spinflow.host.sweep.conditions import text_of_conditions
from spinflow.host.sweep.operating_point import DEFAULT_MODEL
from spinflow.host.sweep.results import ResultsFile
from spinflow.model.zoo import find, how_to_train
from spinflow.papers.optimise import outcome
from spinflow.papers.optimise.choices import Choices
from spinflow.papers.optimise.held_out import Differences, HeldOut, Saving, interval, saving
from spinflow.papers.optimise.measuring import (
    Half,
    Journal,
    Repeats,
    Together,
    halves,
    measured_curves,
    say,
    schemes,
)
from spinflow.papers.optimise.search import Setting, search, total
from spinflow.sim.sweeps.jobs import Job, images_of_network, job_of_bundle, job_of_network

ON = "evaluator-fast"
"""What measures: the evaluator with its own random stream."""

ROWS = "results.csv"
"""Rows of the half that choices rest on, as a sweep writes them."""


def run(options: argparse.Namespace) -> int:
    """Find a write condition for every memory that takes least energy at a loss of accuracy."""
    job = _job(options)
    first, second = halves(job.tests)
    half = Half(job, first, options.mode, options.seed)
    out: Path = options.out or Path("out/optimise") / half.bundle.network
    check_elsewhere(out)
    with ResultsFile(out / ROWS, half.of, aside=options.set_aside) as results:
        journal = Journal(half, results)
        work = _Work(options, journal, HeldOut(Half(job, second, options.mode, options.seed),
                                              options.report_repeats))  # fmt: skip
        files = work.files()
    _put(files, out)
    print(outcome.printed(work.points))
    print(f"wrote {', '.join(files)} to {out}")
    return 0


def _put(files: Mapping[str, bytes], out: Path) -> None:
    """Write all files in one step, and remove conditions and a picture of an earlier run."""
    with work_beside(out) as work:
        made = work.path / "made"
        made.mkdir()
        for name, content in files.items():
            (made / name).write_bytes(content)
        old = {outcome.PICTURE, *(path.name for path in out.glob("conditions-*.toml"))}
        put_in_place(made, out, old - set(files))


class _Work:
    """One run: what is found, loss by loss, for each scheme."""

    def __init__(self, options: argparse.Namespace, journal: Journal, held: HeldOut) -> None:
        self.options = options
        self.journal = journal
        self.held = held
        self.bundle = journal.half.bundle
        images = len(journal.half.bench.tests.images)
        self.weight = {
            memory.name: 1 / options.frames_per_load if memory.is_weights else 1 / images
            for memory in self.bundle.memories
        }
        self.choices = Choices(options.model, journal.half.writes(), self.weight)
        repeats = Repeats(options.repeats, options.confirm_repeats, options.report_repeats)
        curves = measured_curves(journal, self.choices, options.repeats, say)
        self.problems = {
            scheme.name: Together(journal, self.choices, curves, scheme, repeats)
            for scheme in schemes(self.bundle)
        }
        self.single = next(iter(self.problems.values()))
        self.base = sum(self.choices.conventional(name) for name in self.weight)
        self.points: list[outcome.Point] = []
        self.lines: list[outcome.Line] = []

    def files(self) -> dict[str, bytes]:
        """Search and measure; return the contents of the files by name.

        Raises:
            InputError: not even the lowest rates keep a loss.
        """
        made: dict[str, bytes] = {}
        self._check_loss(min(self.options.loss))
        self.points.append(self._conventional())
        before: dict[str, Setting] = {}  # of the loss before, which is smaller
        # Two losses of one name would be two rows of one file.
        for asked in sorted({float(f"{loss:g}") for loss in self.options.loss}):
            single_j, starts = 0.0, list[dict[str, int]]()
            for scheme, problem in self.problems.items():
                known = [problem.setting(levels) for levels in starts]
                known += filter(None, [before.get(scheme)])
                found = search(problem, asked / 100, known)
                starts.append(problem.by_memory(found.setting))
                before[scheme] = found.setting
                say(
                    f"{asked:g} points, {scheme}: {total(problem, found.setting) * 1e9:.4g} nJ, "
                    f"{100 * found.loss:.2f} points lost"
                )
                if found.loss > asked / 100:
                    say(f"warning: {scheme}: no setting was found that keeps {asked:g} points")
                if problem is self.single:
                    single_j = total(problem, found.setting)
                self._add(scheme, asked, found.setting, found.loss, single_j)
            made[f"conditions-{asked:g}.toml"] = self._conditions(asked, found.setting).encode()
        made[outcome.FRONT] = outcome.table(self.points).encode()
        made[outcome.CONDITIONS] = outcome.table(self.lines).encode()
        try:
            made[outcome.PICTURE] = outcome.draw(self.points, self.lines, self._heading())
        except ModuleNotFoundError:
            say("no picture: this Python has no matplotlib")
        return made

    def _add(
        self, scheme: str, asked: float, setting: Setting, confirmed: float, single_j: float
    ) -> None:
        problem = self.problems[scheme]
        energy = total(problem, setting)
        if problem is self.single:
            compared = Saving(0.0, 0.0, setting[0])
        else:
            compared = saving(self.held, problem, setting, self.single)
        self.points.append(
            self._point(
                scheme,
                asked,
                self.held.differences(problem, setting),
                chosen=100 * confirmed,
                energy_j=energy,
                saves=1 - energy / self.base,
                saves_single=1 - energy / single_j,
                single_rate=self.choices.rates[compared.level],
                saves_equal=compared.equal,
                saves_clear=compared.clear,
            )
        )
        for name, choice in problem.conditions(setting).items():
            joules = self.choices.energy_at(name, choice.point)
            writes = self.choices.writes[name]
            bits = writes.switched + writes.same
            memory = self.bundle.memory(name)
            images = len(self.journal.half.bench.tests.images)
            self.lines.append(
                outcome.Line(
                    network=self.bundle.network,
                    scheme=scheme,
                    asked=asked,
                    memory=name,
                    bits=float(bits if memory.is_weights else bits / images),
                    rate=max(choice.point.rate1, choice.point.rate0),
                    condition=choice.text,
                    pulse_s=choice.point.pulse_s,
                    energy_bit_j=joules / self.weight[name] / bits,
                    energy_j=joules,
                )
            )

    def _check_loss(self, asked: float) -> None:
        lost = 100 * self.single.losses([(0,)])[0]
        if lost > asked:
            raise InputError(
                f"--loss {asked:g}: at {self.choices.rates[0]:.3g}, the lowest rate that model "
                f"{self.options.model} has a condition of here, {lost:.2f} points are lost"
            )

    def _conventional(self) -> outcome.Point:
        # A model whose conventional write the registers cannot hold makes no errors with it.
        is_level = self.choices.rates[0] == CONVENTIONAL_RATE
        return self._point(
            "conventional",
            0.0,
            self.held.differences(self.single, (0,)) if is_level else self.held.none(),
            chosen=100 * self.single.losses([(0,)])[0] if is_level else 0.0,
            energy_j=self.base,
            saves=0.0,
            saves_single=0.0,
            saves_equal=0.0,
            single_rate=CONVENTIONAL_RATE,
            saves_clear=0.0,
        )

    def _point(
        self, scheme: str, asked: float, differences: Differences, **measured: float
    ) -> outcome.Point:
        found = interval(differences)
        return outcome.Point(
            network=self.bundle.network,
            scheme=scheme,
            asked=asked,
            loss=100 * found.mean,
            low=100 * found.low,
            high=100 * found.high,
            accuracy=float(self.held.exact.mean()) - found.mean,
            frames_per_load=self.options.frames_per_load,
            model=self.options.model,
            mode=self.options.mode,
            images=len(self.held.exact),
            repeats=self.held.repeats,
            build_id=self.bundle.build_id,
            **measured,
        )

    def _conditions(self, asked: float, setting: Setting) -> str:
        """Return the file for sweeps of the setting with a condition for each memory."""
        problem = self.problems["one a memory"]
        point = self.points[-1]
        remark = (
            f"Write conditions of {self.bundle.network} for a loss of {asked:g} points of accuracy,"
            f"\nmode {point.mode}, {point.frames_per_load} frames a load; made by\n"
            f"{self._command()}\n"
            f"On {point.images} images that no choice has seen: {point.loss:.2f} points lost, "
            f"{point.low:.2f} to {point.high:.2f},\nat {point.energy_j * 1e9:.4g} nJ a frame, "
            f"{100 * point.saves:.1f} % below the conventional write."
        )
        texts = {name: choice.text for name, choice in problem.conditions(setting).items()}
        return text_of_conditions(texts, remark, self.bundle.network)

    def _command(self) -> str:
        """Return the command line that this is a run of."""
        given = self.options
        words = ["spinflow optimise"]
        words += [f"--bundle {given.bundle}" if given.bundle else f"--network {given.network}"]
        words += [f"--loss {' '.join(f'{loss:g}' for loss in given.loss)}"]
        for name, default in DEFAULTS.items():
            value = getattr(given, name)
            if value != default:
                words.append(f"--{name.replace('_', '-')} {value}")
        return " ".join(words)

    def _heading(self) -> str:
        return (
            f"{self.bundle.network}, {self.options.model}, mode {self.options.mode}, "
            f"{self.options.frames_per_load} frames a load, {len(self.held.exact):,} images, "
            f"{self.held.repeats} repeats"
        )


def _job(options: argparse.Namespace) -> Job:
    """Return what measures the network, with all images that are asked for.

    Raises:
        InputError: there is no such network, it is not trained, or it has too few images.
    """
    if options.bundle is not None:
        bundle = bundles.load(options.bundle, runnable=False)
        tests = images_for(bundle, options.images, options.data_dir, options.image_seed)
        return job_of_bundle(options.bundle, tests, ON)
    try:
        found = find(options.network)
    except ValueError as error:
        raise InputError(str(error)) from None
    if not found.weights.is_file():
        raise InputError(
            f"network {options.network!r} is not trained: `{how_to_train(found.name)}` trains it, "
            "or give a bundle"
        )
    dataset = found.entry.spec.dataset
    tests = images_of_network(dataset, options.images, options.data_dir, options.image_seed)
    return job_of_network(options.network, tests, ON)


DEFAULTS = {
    "images": AtMost(MOST_IMAGES),
    "image_seed": None,
    "seed": 1,
    "mode": "flip",
    "model": DEFAULT_MODEL,
    "frames_per_load": 1000,
    "repeats": 8,
    "confirm_repeats": 16,
    "report_repeats": 32,
}
"""Options that have a part in the result, with their defaults."""


def _parser() -> Parser:
    parser = Parser(
        prog="spinflow optimise",
        description=(run.__doc__ or "").split("\n")[0],
        epilog="example: spinflow optimise --network mlp-mnist --loss 1",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--network", help="a trained network, by its name or its description")
    which.add_argument("--bundle", type=Path, help="folder of a bundle, as build/tfc-mnist")
    parser.add_argument(
        "--loss",
        type=number(0.01, 100),
        nargs="+",
        default=[1.0],
        help="points of accuracy that may be lost, one or several (default 1)",
    )
    parser.add_argument(
        "--model", help=f"device model, parameters behind a colon (default {DEFAULT_MODEL})"
    )
    parser.add_argument("--mode", choices=("flip", "switch"), help="error mode (default flip)")
    parser.add_argument(
        "--frames-per-load",
        type=whole(1, 10**12),
        help="frames that a writing of the weights serves; maps are written for every frame "
        f"(default {DEFAULTS['frames_per_load']})",
    )
    parser.add_argument(
        "--images",
        type=whole(4, 10**9),
        help=f"test images, both halves (default {MOST_IMAGES}, or all if there are fewer)",
    )
    parser.add_argument(
        "--image-seed", type=whole(0, 2**63), help="choose the images at random with this seed"
    )
    parser.add_argument("--seed", type=seed, help="base seed (default 1)")
    for name, what in (
        ("repeats", "of every setting that is tried"),
        ("confirm-repeats", "with other seeds, of what was chosen"),
        ("report-repeats", "on the other half of the images"),
    ):
        default = DEFAULTS[name.replace("-", "_")]
        parser.add_argument(
            f"--{name}", type=whole(2, 1000), help=f"repeats {what} (default {default})"
        )
    parser.add_argument(
        "--data-dir", type=Path, help="folder of the data set's files (default: the cache)"
    )
    parser.add_argument(
        "--out", type=Path, help="folder of the results (default out/optimise/NETWORK)"
    )
    parser.add_argument(
        "--set-aside", action="store_true", help="rename rows of another build or other images"
    )
    parser.set_defaults(**DEFAULTS)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    return finish(
        lambda: run(options), interrupted="the same command goes on from what was measured"
    )


if __name__ == "__main__":
    sys.exit(main())
