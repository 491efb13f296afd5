# %% [markdown]
# # 5. Memories that err
#
# **Aims.** After this notebook you can
#
# - say what the modes *flip* and *switch* store, and why only one of them cares what was there before;
# - say why the errors of a memory are a function of a seed and a place, and what that is good for;
# - count errors and say with a binomial interval whether a count fits a rate;
# - explain why writing the same data again heals in one mode and hurts in the other.
#
# **Needed.** Nothing but the package: it runs on a PC and on a board, in a few seconds. Solutions are in
# [5-memories-that-err-solutions](5-memories-that-err-solutions.ipynb). To the bit, all of this is in the
# [contracts](../contracts.md).

# %%
import sys

sys.path.insert(0, "..")  # on a board the package lies in the folder above

import matplotlib.pyplot as plt
import numpy as np

from spinflow.host.core import stream
from spinflow.host.core.memory import Errors, weights
from spinflow.host.sweep.statistics import binomial_range, wilson_interval

WORDS, WIDTH = 256, 64  # a memory of 16,384 bits


def errors(mode, rate, seed=1):
    """How a memory errs, as its four registers say it."""
    threshold = stream.threshold(rate)
    return Errors(mode, threshold, threshold, seed)


# %% [markdown]
# ## One bit is written
#
# There is the *old* bit in the cell, the *target* that should be stored, and chance. In mode `flip` an error
# stores the inverse of the target, whatever was there: what most papers evaluate. In mode `switch` an
# error leaves the cell as it was, which is what a junction does when the pulse was too short: where old and
# target are equal, *nothing can go wrong*.

# %%
old = np.array([[0, 0, 1, 1]], np.uint8)
target = np.array([[0, 1, 0, 1]], np.uint8)
print("old           ", *old[0])
print("target        ", *target[0])
for mode in ("off", "flip", "switch"):
    stored, counted = weights(errors(mode, 1.0 if mode != "off" else 0.0), target, old)
    print(
        f"{mode:6} stores ", *stored[0], f"  errors {counted.errors}, differed {counted.switched}"
    )

# %% [markdown]
# Those were errors at rate 1, in every bit that can err. So at the same rate `switch` makes *half as many* wrong
# bits as `flip` over an old content of no relation to the new one, and none at all over the same content.
#
# ## Chance that can be repeated
#
# For each bit the hardware draws a 32-bit number *u*, and the bit errs if *u* < *T*, with *T* = rate · 2³² in
# the register. A draw is a function of the memory's seed and of the position since the stream's restart, and
# of nothing else: no state that runs along. So
#
# - software says beforehand, bit by bit, where a board errs, and any difference is a fault;
# - an experiment with a seed is the same experiment tomorrow, and on another machine;
# - the errors at a low rate are a *subset* of those at a higher one, since *u* does not know the rate. Curves
#   over the rate are paired comparisons, with little noise between their points.

# %%
draws = stream.draws(seed=1, positions=np.arange(8))
print("first draws of seed 1:", " ".join(f"{draw:08x}" for draw in draws))
print("the same again:       ", bool(np.array_equal(draws, stream.draws(1, np.arange(8)))))
print("mean of 100,000, of 1:", f"{stream.draws(1, np.arange(100_000)).mean() / 2**32:.3f}")

low, high = errors("flip", 0.01), errors("flip", 0.03)
zeros = np.zeros((WORDS, WIDTH), np.uint8)
at_low, at_high = low.weight_hits(zeros), high.weight_hits(zeros)
print("errors at 1 %:", int(at_low.sum()), " at 3 %:", int(at_high.sum()))
print("those at 1 % are among those at 3 %:", bool(np.all(at_high[at_low])))

figure, axes = plt.subplots(1, 3, figsize=(9, 3.4))
for axis, hits, title in (
    (axes[0], at_low, "seed 1, 1 %"),
    (axes[1], at_high, "seed 1, 3 %"),
    (axes[2], errors("flip", 0.01, seed=2).weight_hits(zeros), "seed 2, 1 %"),
):
    axis.imshow(hits[:128], cmap="Greys", interpolation="nearest", aspect="auto")
    axis.set_title(title)
    axis.set_xlabel("bit")
axes[0].set_ylabel("word")
figure.tight_layout()
plt.show()

# %% [markdown]
# ## Is the count right?
#
# 16,384 bits at a rate of 1 % are expected to make 163.84 errors. We never see exactly that. Which counts are
# still fine? The number of errors among *n* independent bits is *binomial*: mean *n p*, standard deviation
# √(*n p* (1 - *p*)), here 12.7. `binomial_range` gives the range that the count leaves with at most a stated
# probability. A count outside a range of 5 % is no proof of a fault: one in twenty does that.

# %%
bits, rate = WORDS * WIDTH, 0.01
counts = np.array([int(errors("flip", rate, seed).weight_hits(zeros).sum()) for seed in range(200)])
least, most = binomial_range(bits, rate, 0.05)
outside = int(np.sum((counts < least) | (counts > most)))
print(f"mean of 200 seeds {counts.mean():.1f}, expected {bits * rate:.1f}")
print(
    f"standard deviation {counts.std(ddof=1):.1f}, expected {np.sqrt(bits * rate * (1 - rate)):.1f}"
)
print(f"95 % range {least} to {most}: {outside} of 200 outside, expected at most 10 on average")

figure, axis = plt.subplots(figsize=(6, 3))
axis.hist(counts, bins=np.arange(120, 211, 5), color="#0072B2")
for edge in (least, most):
    axis.axvline(edge, color="#D55E00", linestyle="--")
axis.set_xlabel("errors in 16,384 bits at 1 %")
axis.set_ylabel("seeds")
plt.show()

# %% [markdown]
# The other way round: *k* errors were counted among *n* bits; which rates fit? That is a *confidence
# interval*, and Wilson's is the one to take. The host uses it for accuracies, too: an accuracy over *n* images is
# nothing but a count of right labels.

# %%
for right, images in ((95, 100), (950, 1000), (9500, 10_000)):
    low_end, high_end = wilson_interval(right / images, images)
    print(f"{right:5} of {images:6} right: {low_end:.1%} to {high_end:.1%}")

# %% [markdown]
# A difference of half a percent between two accuracies on 1,000 images says nothing, unless the comparison is
# *paired*: the same images, the same seeds.
#
# ## Writing again
#
# Write a random content over another random one, then write the *same* content again and again. Each writing draws
# anew.

# %%
rng = np.random.default_rng(7)
before = rng.integers(0, 2, (WORDS, WIDTH)).astype(np.uint8)
wanted = rng.integers(0, 2, (WORDS, WIDTH)).astype(np.uint8)
RATE, TIMES = 0.05, 6
wrong = {}
for mode in ("flip", "switch"):
    content, wrong[mode] = before, []
    for repeat in range(TIMES):
        seed = stream.memory_seed(1, repeat, 0)
        content, counted = weights(errors(mode, RATE, seed), wanted, content)
        wrong[mode].append(int(np.sum(content != wanted)))
        assert wrong[mode][-1] == counted.errors
    print(f"{mode:6} wrong bits after each writing:", *wrong[mode])

figure, axis = plt.subplots(figsize=(6, 3))
for mode, colour in (("flip", "#0072B2"), ("switch", "#D55E00")):
    axis.semilogy(range(1, TIMES + 1), np.maximum(wrong[mode], 0.5), "o-", color=colour, label=mode)
axis.set_xlabel("writing")
axis.set_ylabel("wrong bits of 16,384 (0 as 0.5)")
axis.legend()
plt.show()

# %% [markdown]
# In `switch` a wrong bit is one that did not turn. The next writing gives it another chance, and leaves all right
# bits in peace: of the wrong ones 5 % stay wrong each time, 0.05ᵏ/2 after *k* writings. **A rewrite heals.** In
# `flip` each writing makes 5 % wrong anew, right ones included, and nothing ever gets better. Which mode is
# right depends on the memory; a junction is `switch`.
#
# Two short pulses and one long one are therefore not the same bargain: exercise 2.
#
# ## Exercises
#
# 1. *What was there before.* Write `wanted` in mode `switch` at 10 % over zeros, over ones, and over its own
#    inverse. Predict each count of errors from the number of ones in `wanted` before you look.
# 2. *Two pulses or one.* With exponential switching, error rate and energy of a pulse are exp(-*t*/τ) and
#    proportional to *t*. Compare two writings with half the pulse each to one writing with the whole pulse, in
#    rate and in energy. What if the second writing is made only where the first failed (*write-verify*)?
# 3. *Find the liar.* Somebody states that a memory errs at 1e-3. You count 25 errors in its 16,384 bits. Do you
#    believe it at a level of 1 %? How many errors in 100 such memories would convince you that the rate
#    is below 1.1e-3?
#
# Next: [6-accuracy-and-energy](6-accuracy-and-energy.ipynb).
