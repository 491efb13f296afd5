# %% [markdown]
# # 1. A binary network
#
# **Aims.** After this notebook you can
#
# - train a network whose weights and activations are only -1 and +1, in Brevitas;
# - say why a product of two such numbers is an XNOR, and a sum of such products a popcount;
# - turn a batch norm and a sign into one whole number per output, the *threshold*;
# - compute the labels of a trained network with nothing but XNOR, popcount and a comparison.
#
# **Needed.** `make setup` and `make data-mnist`. Nothing else; it takes half a minute.
# The exercises are at the end, their solutions in
# [1-binary-network-solutions](1-binary-network-solutions.ipynb).

# %%
import brevitas.nn as qnn
import matplotlib.pyplot as plt
import numpy as np
import torch
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from torch import nn

from spinflow.model.data import mnist
from spinflow.model.networks.base import predict
from spinflow.model.store import load_trained

data = mnist()
print("training images", data.train_images.shape, "test images", data.test_images.shape)
print("a pixel is from", data.test_images.min(), "to", data.test_images.max())

# %% [markdown]
# ## Pixels become bits
#
# The accelerator compares every pixel with one number, here 64: from there on it is +1, below it is -1.
# That throws nearly all grey values away, and a digit is still a digit.

# %%
INPUT_THRESHOLD = 64


def signs_of(images):
    """-1 and +1 of pixels."""
    return np.where(images >= INPUT_THRESHOLD, 1, -1)


figure, axes = plt.subplots(2, 8, figsize=(8, 2.2))
for column in range(8):
    image = data.test_images[column].reshape(28, 28)
    axes[0, column].imshow(image, cmap="gray")
    axes[1, column].imshow(signs_of(image), cmap="gray")
    axes[0, column].set_title(int(data.test_labels[column]), fontsize=9)
for axis in axes.flat:
    axis.axis("off")
plt.show()

# %% [markdown]
# ## The network
#
# Three hidden layers of 64 outputs and ten classes, the network that FINN's papers call TFC. Each hidden
# layer is a matrix of signs, a batch norm and a sign. `QuantLinear` keeps *latent* weights, real numbers
# that training moves; what the products see are their signs. The derivative of a sign is nothing to learn
# by, so training pretends that it is 1 between -1 and +1 (a *straight-through estimator*).

# %%
WIDTHS = (784, 64, 64, 64, 10)


def sign():
    return qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)


def new_network():
    layers = []
    for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
        quantiser = SignedBinaryWeightPerTensorConst
        layers.append(qnn.QuantLinear(inputs, outputs, bias=False, weight_quant=quantiser))
        layers.append(nn.BatchNorm1d(outputs))
        layers.append(sign())
    return nn.Sequential(*layers[:-1])  # the last layer gives scores, not signs


torch.set_num_threads(1)  # enough for so small a network
torch.manual_seed(1)
network = new_network()
weights = network[0].quant_weight().value
print(
    "latent weights of one output:   ", len(set(network[0].weight[0].tolist())), "different numbers"
)
print("quantised, what the product sees:", sorted(set(weights.sign().flatten().tolist())))
print("bits of all weights:", sum(a * b for a, b in zip(WIDTHS, WIDTHS[1:])))

# %% [markdown]
# ## Training it for a short while
#
# 10,000 images, three times. The kit's own recipe (`spinflow train tfc-mnist`) takes 60,000 images 150
# times and ends at 95.2 %. Float arithmetic differs a little from processor to processor, so this
# notebook says only whether the network has learned, not the last digit of how much.

# %%
EPOCHS, BATCH, IMAGES = 3, 100, 10_000


def train(network, epochs=EPOCHS):
    inputs = torch.tensor(signs_of(data.train_images[:IMAGES]), dtype=torch.float32)
    labels = torch.tensor(data.train_labels[:IMAGES].astype(np.int64))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    steps = epochs * IMAGES // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(IMAGES).split(BATCH):
            loss = nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def accuracy_of(network):
    inputs = torch.tensor(signs_of(data.test_images), dtype=torch.float32)
    with torch.no_grad():
        found = network(inputs).argmax(1).numpy()
    return float(np.mean(found == data.test_labels))


accuracy = accuracy_of(train(network))
print("better than guessing (10 %):", accuracy > 0.10)
print("better than 85 %:           ", accuracy > 0.85)

# %% [markdown]
# ## A product of signs is an XNOR, a sum of them a popcount
#
# Store +1 as the bit 1 and -1 as the bit 0. The product of two signs is +1 where they are equal, and so is
# the XNOR of their bits:
#
# | a | w | a·w | bit of a | bit of w | XNOR |
# |---|---|---|---|---|---|
# | -1 | -1 | +1 | 0 | 0 | 1 |
# | -1 | +1 | -1 | 0 | 1 | 0 |
# | +1 | -1 | -1 | 1 | 0 | 0 |
# | +1 | +1 | +1 | 1 | 1 | 1 |
#
# Of *n* products, if *p* are +1, then *n - p* are -1, so their sum is 2*p* - *n*. The *p* is what a popcount
# of the XNOR gives. A processor does that for 64 products in two instructions; an FPGA does it with LUTs
# alone, without one multiplier.

# %%
rng = np.random.default_rng(1)
a, w = rng.choice([-1, 1], 784), rng.choice([-1, 1], 784)
bits_a, bits_w = a > 0, w > 0

products = int(np.sum(a * w))
popcount = int(np.sum(~(bits_a ^ bits_w)))
print("sum of 784 products:   ", products)
print("popcount of the XNOR:  ", popcount)
print("2 * popcount - 784:    ", 2 * popcount - 784)


# The same on whole words, as a processor would.
def word(bits):
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


ones = (1 << 784) - 1
print("popcount of one integer:", (~(word(bits_a) ^ word(bits_w)) & ones).bit_count())

# %% [markdown]
# ## Batch norm and sign are one threshold
#
# Behind each matrix stands a batch norm, *y* = *g*·(*s* - *m*)/σ + *b*, and the next layer sees only the sign of
# *y*. With *g* > 0, *y* ≥ 0 says *s* ≥ *m* - *b*σ/*g*; and *s* = 2*p* - *n* is a whole number. So a
# batch norm of four floats becomes *one integer* for each output: popcount ≥ threshold.
#
# From here on we take the trained network of the kit, 95.2 % after 150 epochs; it has these integers ready.

# %%
trained = load_trained("tfc-mnist")
bits = [layer.astype(bool) for layer in trained.bits()]  # (outputs, inputs) each
thresholds = trained.thresholds()
for number, layer in enumerate(bits):
    text = f"fc{number}: {layer.shape[0]:2} outputs of {layer.shape[1]:3} inputs"
    if number < len(thresholds):
        text += f", thresholds {thresholds[number].min()} to {thresholds[number].max()}"
    print(text)

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 2.6))
for axis, number in zip(axes, range(3)):
    fan_in = bits[number].shape[1]
    axis.hist(thresholds[number] / fan_in, bins=20, color="#0072B2")
    axis.set_title(f"fc{number}, {fan_in} inputs")
    axis.set_xlabel("threshold / inputs")
axes[0].set_ylabel("outputs")
figure.tight_layout()
plt.show()

# %% [markdown]
# ## Labels from bits alone
#
# All that the accelerator will do: compare pixels with 64, then for each layer XNOR, popcount, compare. The
# last layer gives its popcounts as the scores; the largest is the label, the lowest class where two are
# equal. Brevitas computes the same network in floats, and no label of 10,000 differs.


# %%
def popcounts(inputs, weights):
    """How many bits agree: (images, inputs) and (outputs, inputs) to (images, outputs)."""
    agree = inputs.astype(np.float32) @ weights.T.astype(np.float32)
    neither = (~inputs).astype(np.float32) @ (~weights).T.astype(np.float32)
    return (agree + neither).astype(np.int64)


def labels_of(images, bits, thresholds):
    hidden = images >= INPUT_THRESHOLD
    for weights, limits in zip(bits, thresholds):
        hidden = popcounts(hidden, weights) >= limits
    return popcounts(hidden, bits[-1]).argmax(1)


found = labels_of(data.test_images, bits, thresholds)
brevitas = predict(trained, data.test_images)
print("right:", int(np.sum(found == data.test_labels)), "of", len(found))
print("labels that differ from Brevitas:", int(np.sum(found != brevitas)))

# %% [markdown]
# ## Exercises
#
# 1. *Robustness by counting.* Turn over every weight bit with probability 1 %, 5 %, 10 %, 20 % and 50 %
#    (`bits ^ (rng.random(bits.shape) < rate)`), and print the labels that are right of 10,000. At which rate
#    is the network still above 90 %? Why is 50 % the end, and what happens at 100 %?
# 2. *Margins.* For the first hidden layer, plot how far the popcounts of 1,000 images are from their
#    thresholds. Which share of the hidden bits would turn over if **one** input bit did? What does the
#    answer say about errors of one bit?
# 3. *A batch norm with a negative gain.* Show for one output that with *g* < 0 the comparison turns round,
#    and that turning over all weights of that output repairs it. How does the threshold change?
#
# Next: [2-dataflow](2-dataflow.ipynb), the same network as hardware.
