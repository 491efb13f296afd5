# %% [markdown]
# # 6. Accuracy against energy
#
# **Aims.** After this notebook you can
#
# - sweep error rates over the weights and the feature maps of an accelerator, and read the curves;
# - tell the two reasons why a measured accuracy is uncertain apart;
# - show that the fast software and the hardware give the same row, to the last count;
# - name the cheapest way of writing that keeps an accuracy, and say on which assumptions it rests.
#
# **Needed.** The bundle of tfc-mnist with its simulator (`spinflow build tfc-mnist`), and on a board what
# `make deploy` copied. On a PC it takes half a minute. Solutions are in
# [6-accuracy-and-energy-solutions](6-accuracy-and-energy-solutions.ipynb).

# %%
import sys

sys.path.insert(0, "..")  # on a board the package lies in the folder above

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import spinflow
from spinflow.host.board.driver import Accelerator
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import images_for
from spinflow.host.mtj.models import condition_for_rate, named
from spinflow.host.report.summary import kept, kept_lines, summarise
from spinflow.host.sweep import grid
from spinflow.host.sweep.bench import Bench

BUILT = Path(spinflow.__file__).parent / "build"
folder = BUILT / "tfc-mnist"
if not folder.is_dir():  # another network was deployed
    folder = sorted(BUILT.glob("*/accel.json"))[0].parent
bundle = load(folder)
tests = images_for(bundle, 1000)
print(bundle.network, "on", tests.choice)

# %% [markdown]
# ## What measures
#
# The *evaluator* computes what the accelerator computes, errors included, on bits packed into words: thousands of
# trials in the time that a simulation of the hardware takes for one. It needs numba; where that is missing, as
# on a board, the accelerator itself measures. That is possible because both have the same operations, and give
# the same numbers.

# %%
try:
    from spinflow.sim.engines import engine
    from spinflow.sim.sweeps.device import SoftwareAccelerator

    device = SoftwareAccelerator(bundle, engine("evaluator", bundle=folder), "evaluator")
    print("measured by the evaluator")
except ImportError:
    device = Accelerator(bundle)
    print("measured by the accelerator itself: there is no evaluator here")
bench = Bench(device, tests)

# %% [markdown]
# ## A grid of trials
#
# Six rates, in the weights or in the feature maps (*buffers*), five repeats of each. A repeat is another
# pattern of errors, on the same images. The same lines stand behind `spinflow sweep`, which writes each row into
# a file and goes on where it was stopped.

# %%
RATES = [0, 1e-3, 1e-2, 3e-2, 1e-1, 2e-1]
settings = {"rates": RATES, "memory": ["weights", "buffers"], "repeats": 5, "seed": 1}
trials = grid.make(settings).trials(bundle)
print(len(trials), "trials")
rows = [bench.row(trial) for trial in trials]
groups = summarise(rows)
for group in groups:
    print(
        f"{group.memory:8} rate {group.rate:7.4f}: {group.accuracy:6.2%}  "
        f"({group.low:.2%} to {group.high:.2%}), {group.energy_per_bit_j * 1e12:5.1f} pJ a bit"
    )

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
for memory, colour in (("weights", "#0072B2"), ("buffers", "#D55E00")):
    points = [group for group in groups if group.memory == memory]
    accuracy = np.array([100 * point.accuracy for point in points])
    spread = [
        accuracy - [100 * point.low for point in points],
        [100 * point.high for point in points] - accuracy,
    ]
    rates = [max(point.rate, 3e-4) for point in points]  # 0 has no place on this axis
    energies = [1e12 * point.energy_per_bit_j for point in points]
    left.errorbar(rates, accuracy, spread, fmt="o-", color=colour, capsize=3, label=memory)
    right.errorbar(energies, accuracy, spread, fmt="o-", color=colour, capsize=3, label=memory)
left.set_xscale("log")
left.set_xlabel("bit-error rate (leftmost: none)")
left.set_ylabel("accuracy, %")
right.set_xlabel("write energy of a bit, pJ")
right.legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# Nothing happens, and then everything. The knee is where errors get so many that sums cross their thresholds. Over
# *energy* the curve is flat from about 11 pJ on: all that a conventional write spends beyond that, up to 44 pJ,
# buys nothing.
#
# ## Two uncertainties
#
# The intervals above are Student's *t* over five repeats: they say how much the *pattern of errors* matters on
# these thousand images. That other thousand images would give another number is a second uncertainty, Wilson's
# interval, and all repeats share it. Paired comparisons, on the same images, do not suffer from the second.

# %%
for group in groups:
    if group.memory == "weights" and 0.005 < group.rate < 0.05:
        print(
            f"weights, rate {group.rate:.2f}: repeats {' '.join(f'{a:.1%}' for a in group.accuracies)}; "
            f"choice of images: {group.images_low:.1%} to {group.images_high:.1%}"
        )

# %% [markdown]
# ## The same on the hardware
#
# A row of the sweep, measured again by the accelerator: on a PC the Verilated RTL behind the driver, on a board
# the board. Not "about the same": equal, with every counted error.

# %%
chosen = [t for t in trials if t.repeat == 0 and round(t.point.rate1, 3) in (0.01, 0.1)]
with Accelerator(bundle) as accelerator:
    hardware = Bench(accelerator, tests)
    for trial in chosen:
        one, other = rows[trials.index(trial)], hardware.row(trial)
        same = all(
            getattr(one, name) == getattr(other, name)
            for name in ("accuracy", "bits_written", "switched", "err1", "err0", "energy_j")
        )
        print(
            f"{other.memory:8} rate {other.rate:.2f}: {other.errors} errors of "
            f"{other.bits_written} bits, {other.accuracy:.1%}; the same row: {same}"
        )

# %% [markdown]
# ## The best write condition for an accuracy
#
# Two points of accuracy may be lost. What is the highest rate that keeps the rest, and what does it save? Only
# measured points count, and the whole interval must lie above the line.

# %%
LOSS = 2.0  # percentage points
for line in kept_lines(kept(groups, loss_points=LOSS)):
    print(line)

# %% [markdown]
# A rate is not a way of writing. That is a voltage and a pulse, and many of them have the same rate. For the rate
# that the weights can bear, which is the cheapest? That depends on the junction:

# %%
rate = next(each.rate.rate for each in kept(groups, loss_points=LOSS) if "weights" in each.curve)
print(f"a rate of {rate:.3g}")
for model, drives in (
    (named("exponential"), [None]),
    (named("sun-gamma"), [0.3, 0.38, 0.5]),
    (named("fokker-planck"), [0.3, 0.35, 0.4, 0.55]),
):
    for drive in drives:
        here, usual = condition_for_rate(model, rate, drive), condition_for_rate(model, 1e-8, drive)
        saved = 1 - (here.energy1_j + here.energy0_j) / (usual.energy1_j + usual.energy0_j)
        print(
            f"{model.name:14} {here.voltage_v:.2f} V, {here.pulse_s * 1e9:5.2f} ns: "
            f"{(here.energy1_j + here.energy0_j) / 2 * 1e12:7.3f} pJ a bit, {saved:.0%} less than at 1e-8"
        )

# %% [markdown]
# The three models are of three different junctions, so compare savings and not picojoules. All of them say that
# more than a third of the write energy buys nothing that this network would notice.
#
# ## Exercises
#
# 1. *One layer at a time.* Sweep `fc0.weights`, `fc1.weights`, `fc2.weights` and `fc3.weights` alone at 3 %, 10 %
#    and 20 %. Which layer is the most tender? Relate it to how many bits each holds and how many terms
#    each sum has.
# 2. *Flip or switch.* Sweep the weights with `mode` flip and switch, over the backgrounds `zeros`, `ones` and
#    `random:1`, at 10 %. Explain the order of the accuracies by the number of bits that err.
# 3. *How many repeats?* For the weights at 3 %, how many repeats does it take until the 95 % interval is
#    narrower than one percentage point? Predict it from five repeats with `repeats_for_width`, then measure.
#
# Next: [7-board](7-board.ipynb), the same with a slider.
