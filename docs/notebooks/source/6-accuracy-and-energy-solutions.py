# %% [markdown]
# # 6. Accuracy against energy: solutions
#
# Solutions of the exercises of [6-accuracy-and-energy](6-accuracy-and-energy.ipynb), on the evaluator.

# %%
from pathlib import Path

import matplotlib.pyplot as plt

import spinflow
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import images_for
from spinflow.host.report.summary import summarise
from spinflow.host.sweep import grid
from spinflow.host.sweep.bench import Bench
from spinflow.host.sweep.statistics import mean_interval, repeats_for_width
from spinflow.model.store import load_trained
from spinflow.sim.engines import engine
from spinflow.sim.sweeps.device import SoftwareAccelerator

folder = Path(spinflow.__file__).parent / "build" / "tfc-mnist"
bundle = load(folder)
tests = images_for(bundle, 1000)
bench = Bench(SoftwareAccelerator(bundle, engine("evaluator", bundle=folder), "evaluator"), tests)


def measured(**settings):
    """Rows of a grid."""
    return [bench.row(trial) for trial in grid.make(settings).trials(bundle)]


# %% [markdown]
# ## 1. One layer at a time

# %%
layers = [f"fc{number}.weights" for number in range(4)]
groups = summarise(measured(rates=[0.03, 0.1, 0.2], memory=layers, repeats=10))
figure, axis = plt.subplots(figsize=(6, 3.2))
colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
for name, colour in zip(layers, colours):
    points = [group for group in groups if group.memory == name]
    axis.plot(
        [point.rate for point in points],
        [100 * point.accuracy for point in points],
        "o-",
        color=colour,
        label=name,
    )
    text = "  ".join(
        f"{p.rate:.0%}: {p.accuracy:5.1%} ({p.low:.1%} to {p.high:.1%})" for p in points
    )
    print(f"{name}, {bundle.memory(name).bits:5} bits   {text}")
axis.set_xlabel("bit-error rate in this layer alone")
axis.set_ylabel("accuracy, %")
axis.legend()
plt.show()

# %% [markdown]
# `fc0` is by far the most tender, although its sums have 784 terms and each single error counts least there. The
# number of bits alone is no reason either: the rate is the same everywhere. But look at where its thresholds are: if
# a share *r* of the weights is turned over, a popcount *p* of *n* becomes *p* + *r*(*n* - 2*p*) on average. It moves
# towards *n*/2, and the threshold does not. In `fc0` thresholds lie up to 140 away from the middle, since a picture
# is mostly background; there the shift at 10 % is 28 counts, and in one direction. In the other layers:

# %%
for number, limits in enumerate(load_trained("tfc-mnist").thresholds()):
    inputs = 784 if number == 0 else 64
    away = abs(limits - inputs / 2).max()
    shift, noise = 0.1 * 2 * away, (inputs * 0.1 * 0.9) ** 0.5
    print(
        f"fc{number}: thresholds up to {away:.0f} from the middle of {inputs}; at 10 % the popcount there "
        f"moves by {shift:.1f}, beside a spread of {noise:.1f}"
    )

# %% [markdown]
# ## 2. Flip or switch

# %%
backgrounds = ["zeros", "ones", "random:1"]
rows = measured(
    rates=[0.1], memory="weights", mode=["flip", "switch"], background=backgrounds, repeats=5
)
for group in sorted(summarise(rows), key=lambda group: -group.errors):
    print(
        f"{group.mode:6} over {group.background:9} {group.errors:7.1f} errors on average, "
        f"accuracy {group.accuracy:.1%} ({group.low:.1%} to {group.high:.1%})"
    )

# %% [markdown]
# In `flip` the background does not matter: every bit errs with 10 %. In `switch` only bits that differ from the
# background can, about half of them. Over a *random* background the accuracy is that of a flip rate of 5 %, as
# expected. Over zeros and over ones there are just as few errors, and the accuracy is *worse* than with twice the
# errors in `flip`: over zeros only ones fail (a weight of +1 stays -1), over ones only zeros, so all errors push
# every sum the same way, and they add up instead of cancelling. What errors do depends on their direction more than
# on their number. It is also why a junction whose ones fail more often than its zeros needs two rates, not a mean.
#
# ## 3. How many repeats?

# %%
settings = {"rates": [0.03], "memory": "weights"}
five = [row.accuracy for row in measured(**settings, repeats=5)]
needed = repeats_for_width(five, 0.01, 1000)
low, high, _ = mean_interval(five, 1000)
print(f"five repeats: {high - low:.1%} wide; needed for 1.0 %: {needed}")
many = [row.accuracy for row in measured(**settings, repeats=needed)]
low, high, kind = mean_interval(many, 1000)
print(f"measured with {kind}: {low:.2%} to {high:.2%}, {high - low:.2%} wide")

# %% [markdown]
# The prediction rests on a spread that was guessed from five numbers, so it may well miss by a factor; that is why
# `until_width` of a sweep asks again when all of those repeats are there. And the width falls with the square
# root: half the width is four times the work.
