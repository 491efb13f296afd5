# %% [markdown]
# # 1. A binary network: solutions
#
# Solutions of the exercises of [1-binary-network](1-binary-network.ipynb). What the network computes is
# repeated here in a few lines, so that this notebook runs by itself.

# %%
import matplotlib.pyplot as plt
import numpy as np

from spinflow.model.data import mnist
from spinflow.model.store import load_trained

data = mnist()
trained = load_trained("tfc-mnist")
bits = [layer.astype(bool) for layer in trained.bits()]
thresholds = trained.thresholds()


def popcounts(inputs, weights):
    agree = inputs.astype(np.float32) @ weights.T.astype(np.float32)
    neither = (~inputs).astype(np.float32) @ (~weights).T.astype(np.float32)
    return (agree + neither).astype(np.int64)


def labels_of(images, bits, thresholds):
    hidden = images >= 64
    for weights, limits in zip(bits, thresholds):
        hidden = popcounts(hidden, weights) >= limits
    return popcounts(hidden, bits[-1]).argmax(1)


# %% [markdown]
# ## 1. Robustness by counting

# %%
rates, right = [0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0], []
for rate in rates:
    rng = np.random.default_rng(1)
    wrong = [layer ^ (rng.random(layer.shape) < rate) for layer in bits]
    right.append(int(np.sum(labels_of(data.test_images, wrong, thresholds) == data.test_labels)))
    print(f"{rate:5.0%} of the weight bits turned over: {right[-1]:5} of 10,000 right")

figure, axis = plt.subplots(figsize=(5, 3))
axis.plot(np.array(rates) * 100, np.array(right) / 100, "o-", color="#0072B2")
axis.axhline(10, color="#8c8c8c", linestyle="--")
axis.set_xlabel("weight bits turned over, %")
axis.set_ylabel("accuracy, %")
plt.show()

# %% [markdown]
# The network stays above 90 % at 1 %; each sum has 64 or 784 terms, and a few wrong ones of them rarely carry a
# sum over its threshold. At 50 % a bit says nothing of what it was, so nothing is left but guessing. At 100 %
# all weights are inverted, which is not noise but another network: every sum *s* became -*s*, and the
# thresholds did not follow.

# %% [markdown]
# ## 2. Margins

# %%
inputs = data.test_images[:1000] >= 64
distance = popcounts(inputs, bits[0]) - thresholds[0]
figure, axis = plt.subplots(figsize=(5, 3))
axis.hist(distance.ravel(), bins=np.arange(-150, 151, 5), color="#D55E00")
axis.axvline(0, color="black", linewidth=0.8)
axis.set_xlabel("popcount - threshold")
axis.set_ylabel("hidden bits")
plt.show()
# One input bit moves a popcount by one: a 1 falls at distance 0, a 0 rises at distance -1, if the
# bit agreed or disagreed before.
at_edge = np.mean((distance == 0) | (distance == -1))
print(f"hidden bits within one step of their threshold: {at_edge:.2%}")
print(f"within ten steps:                               {np.mean(np.abs(distance) <= 10):.2%}")

# %% [markdown]
# About one hidden bit in 25 is that close, and whether it really turns over also depends on the direction
# in which the one input pushes. So a single wrong bit changes next to nothing behind it; errors must come in
# numbers before they are seen. That is the reason why this kit exists.

# %% [markdown]
# ## 3. A batch norm with a negative gain
#
# *g*·(*s* - *m*)/σ + *b* ≥ 0 with *g* < 0 says *s* ≤ *m* - *b*σ/*g*: the output is 1 for *small* sums. With all
# weights inverted the sum is *s'* = -*s*, and *s* ≤ *c* says *s'* ≥ -*c*. In popcounts: *p'* = *n* - *p*, so
# *p* ≤ *t* becomes *p'* ≥ *n* - *t*.

# %%
n, t = 784, int(thresholds[0][0])
p = popcounts(inputs, bits[0][:1])[:, 0]
small = p <= t  # what a negative gain asks for
turned = popcounts(inputs, ~bits[0][:1])[:, 0] >= n - t
print("the same bit for all 1,000 images:", bool(np.array_equal(small, turned)))
print("threshold", t, "becomes", n - t)
