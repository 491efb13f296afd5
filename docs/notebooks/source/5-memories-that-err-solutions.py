# %% [markdown]
# # 5. Memories that err: solutions
#
# Solutions of the exercises of [5-memories-that-err](5-memories-that-err.ipynb).

# %%
import sys

sys.path.insert(0, "..")  # on a board the package lies in the folder above

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from spinflow.host.core import stream
from spinflow.host.core.memory import Errors, weights
from spinflow.host.sweep.statistics import binomial_range

WORDS, WIDTH = 256, 64
rng = np.random.default_rng(7)
rng.integers(0, 2, (WORDS, WIDTH))  # what the notebook drew first
wanted = rng.integers(0, 2, (WORDS, WIDTH)).astype(np.uint8)

# %% [markdown]
# ## 1. What was there before
#
# Only a bit that must turn can fail. Over zeros those are the ones of `wanted`, over ones its zeros, over its
# inverse all.

# %%
threshold = stream.threshold(0.1)
ones = int(wanted.sum())
for name, before, must_turn in (
    ("zeros", np.zeros_like(wanted), ones),
    ("ones", np.ones_like(wanted), wanted.size - ones),
    ("its inverse", 1 - wanted, wanted.size),
):
    _, counted = weights(Errors("switch", threshold, threshold, 1), wanted, before)
    least, most = binomial_range(must_turn, 0.1, 0.05)
    print(
        f"over {name:11} {must_turn:5} bits must turn, {counted.errors:4} errors, 95 %: {least} to {most}"
    )

# %% [markdown]
# The three counts are made by the same draws, so they are not independent: those over zeros and over ones add
# up to those over the inverse, exactly.
#
# ## 2. Two pulses or one
#
# Two half pulses fail with exp(-*t*/2τ) each, both with exp(-*t*/τ): the same rate, the same energy. Exponential
# switching has no memory, so cutting a pulse into parts changes nothing. With *verify* the second part is
# spent only on the share exp(-*t*/2τ) that failed:

# %%
tau = 14.8
whole = np.linspace(20, 280, 60)
half_fails = np.exp(-whole / 2 / tau)
figure, axis = plt.subplots(figsize=(6, 3))
axis.semilogy(whole, np.exp(-whole / tau), color="#0072B2", label="one pulse")
axis.semilogy(whole / 2 * (1 + half_fails), np.exp(-whole / tau), color="#D55E00", label="verified")
axis.set_xlabel("mean time under voltage, ns (energy)")
axis.set_ylabel("write-error rate")
axis.legend()
plt.show()
rate = 1e-4
t = -tau * np.log(rate)
print(
    f"rate 1e-4: one pulse {t:.0f} ns, verified {t / 2 * (1 + np.exp(-t / 2 / tau)):.0f} ns on average"
)

# %% [markdown]
# Half the write energy, for a read after each write, a second pass for one word in a few, and no fixed duration: a
# pipeline that must never stall cannot have that. Models with an incubation time punish two halves, since
# each part has to get through it again.
#
# ## 3. Find the liar

# %%
bits = WORDS * WIDTH
least, most = binomial_range(bits, 1e-3, 0.01)
print(
    f"one memory: {bits * 1e-3:.1f} expected, 99 % range {least} to {most}; 25 is inside: {least <= 25 <= most}"
)
# The rate is below 1.1e-3 if so few errors had a chance below 1 % at 1.1e-3.
limit = int(stats.binom.ppf(0.01, 100 * bits, 1.1e-3)) - 1
print(f"100 memories: {100 * bits * 1e-3:.0f} expected at 1e-3; {limit} or fewer exclude 1.1e-3")

# %% [markdown]
# 25 errors are many, but no liar is caught by them. The range narrows with the square root of what is counted: with
# a hundred times the bits, ten times finer.
