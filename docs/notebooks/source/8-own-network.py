# %% [markdown]
# # 8. Your own network
#
# **Aims.** After this notebook you can
#
# - write a network as a Brevitas `nn.Module`, train it your way and hand it to the kit;
# - say what the import checks, and why a network is refused rather than bent;
# - build its accelerator and its simulator, test it, and sweep it with write errors.
#
# **Needed.** `make setup` and `make data-mnist`. It takes one to two minutes, most of it for compiling the simulator.
# Solutions are in [8-own-network-solutions](8-own-network-solutions.ipynb). What is taken and what is not, in all
# detail: [own networks](../own-networks.md).

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import spinflow
from spinflow.host.board.driver import Accelerator
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import images_for
from spinflow.host.report.summary import summarise
from spinflow.host.sweep import grid
from spinflow.host.sweep.bench import Bench
from spinflow.model.data import mnist
from spinflow.sim.engines import engine
from spinflow.sim.sweeps.device import SoftwareAccelerator

NAME = "notebook-8"
ROOT = Path(spinflow.__file__).parent
work = Path(tempfile.mkdtemp())


def command(*words):
    """Run a command of the kit as a terminal would, and return the lines that it prints."""
    words = [sys.executable, "-m", "spinflow", *map(str, words)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1])
    return done.stdout.splitlines()


# %% [markdown]
# ## A module
#
# It lies in a file of its own, since the import, another program, has to make it too. Anything that gives a Brevitas
# module will do. Two rules: weights and activations of one bit, and a sign between any two layers.

# %%
(work / "mine.py").write_text('''
import brevitas.nn as qnn
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from torch import nn


class Net(nn.Sequential):
    """784-64-32-10, signs between matrices of signs."""

    def __init__(self, widths=(784, 64, 32, 10)):
        sign = lambda: qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
        layers = [nn.Flatten(), sign()]
        for inputs, outputs in zip(widths, widths[1:]):
            binary = SignedBinaryWeightPerTensorConst
            layers.append(qnn.QuantLinear(inputs, outputs, bias=False, weight_quant=binary))
            layers += [nn.BatchNorm1d(outputs), sign()]
        super().__init__(*layers[:-1])
''')
sys.path.insert(0, str(work))
from mine import Net

print(sum(p.numel() for p in Net().parameters() if p.ndim == 2), "weights of one bit")

# %% [markdown]
# ## Training, your way
#
# Pixels as -1 to 1, that is 2x/255 - 1; the first sign makes bits of them. 10,000 images, three times. How good it
# gets differs in the last digits from machine to machine, so only bounds are printed.

# %%
data = mnist()
torch.set_num_threads(1)  # enough for so small a network
torch.manual_seed(8)
pixels = torch.tensor(data.train_images[:10_000].reshape(-1, 1, 28, 28)).float() / 127.5 - 1
labels = torch.tensor(data.train_labels[:10_000].astype(np.int64))
net = Net()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, 300)
for _ in range(3):
    for chosen in torch.randperm(10_000).split(100):
        loss = torch.nn.functional.cross_entropy(net(pixels[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
net.eval()
torch.save(net.state_dict(), work / "mine.pt")

with torch.no_grad():
    tests = torch.tensor(data.test_images.reshape(-1, 1, 28, 28)).float() / 127.5 - 1
    in_torch = net(tests).argmax(1).numpy()
print("better than 75 %:", bool(np.mean(in_torch == data.test_labels) > 0.75))

# %% [markdown]
# ## Import
#
# `spinflow import` makes the module, loads the weights, exports QONNX and reads that graph: each scale, bias and
# batch norm becomes part of an integer threshold. Then it runs the source and what it made of it on 50 images and
# compares every layer. A network with anything that the hardware does not have is refused in one line, and nothing
# is written. What a pixel is to the network cannot be seen in a graph, so `--input` says it.

# %%
said = command(
    *("import", f"{work}/mine.py:Net", "--checkpoint", work / "mine.pt"),
    *("--name", NAME, "--data", "mnist", "--input", "2x/255-1"),
)
print(*(line for line in said if line.startswith(f"{NAME}:")))
print("every layer as QONNX computes it:", any("every layer as QONNX" in line for line in said))

# %% [markdown]
# ## Build
#
# FINN, folding, RTL, and the simulator by Verilator. The folding is searched: the fastest that leaves room on the part,
# unless `--cycles` asks for less.

# %%
said = command("build", NAME, "--cycles", 256)
folder = ROOT / "build" / NAME
bundle = load(folder)
print(bundle.network, "takes", bundle.cycles_per_frame, "cycles a frame")
for memory in bundle.memories:
    print(f"  {memory.name:12} {memory.depth:4} words of {memory.width:3} bits")
print(command("selftest", folder)[-1])

# %% [markdown]
# ## The same labels
#
# torch in floats, and the accelerator in bits, on 1,000 images.

# %%
images = images_for(bundle, 1000)
with Accelerator(bundle) as accelerator:
    accelerator.write_weights()
    found = accelerator.run(images.images)
print("labels that differ from torch:", int(np.sum(found != in_torch[:1000])))

# %% [markdown]
# ## Sweep
#
# On the evaluator, with the random stream of the hardware, and two of its rows again on the RTL.

# %%
software = Bench(
    SoftwareAccelerator(bundle, engine("evaluator", bundle=folder), "evaluator"), images
)
rates = [0, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1]
settings = {"rates": rates, "memory": ["weights", "buffers"], "repeats": 3}
trials = grid.make(settings).trials(bundle)
rows = [software.row(trial) for trial in trials]

figure, axis = plt.subplots(figsize=(6, 3.4))
for memory, colour in (("weights", "#0072B2"), ("buffers", "#D55E00")):
    points = [group for group in summarise(rows) if group.memory == memory]
    accuracy = [100 * point.accuracy for point in points]
    axis.plot([max(p.rate, 3e-4) for p in points], accuracy, "o-", color=colour, label=memory)
    falls = accuracy[0] - accuracy[-1] > 20 and abs(accuracy[0] - accuracy[1]) < 5
    print(f"{memory}: 1e-3 is hardly seen, 0.3 costs more than 20 points: {falls}")
axis.set_xscale("log")
axis.set_xlabel("bit-error rate (leftmost: none)")
axis.set_ylabel("accuracy, %")
axis.legend()
plt.show()

with Accelerator(bundle) as accelerator:
    hardware = Bench(accelerator, images)
    for number in (2, 8):
        other = hardware.row(trials[number])
        same = (other.accuracy, other.errors) == (rows[number].accuracy, rows[number].errors)
        print(f"{other.memory}, rate {other.rate:.2f}, on the RTL: the same row: {same}")

# %% [markdown]
# The bundle stays in `build/notebook-8`: `spinflow sweep --bundle build/notebook-8` and all other commands take it.
#
# ## Exercises
#
# 1. *Not every network.* Take `SignedBinaryActPerTensorConst` out of the second sign and put
#    `qnn.QuantReLU(bit_width=2)` in its place, untrained, and import it. What does the refusal say? And a
#    `nn.Softmax` between two layers?
# 2. *Without programming.* Describe 784-32-10 and 784-256-10 in two TOML files ([how](../own-networks.md)), train
#    each for one epoch with `spinflow train`, and sweep the weights on the evaluator. Which keeps more of its accuracy
#    at 10 %?
# 3. *What would it cost?* Compute the write energy of one load of your network's weights at a rate of 1e-2 and at 1e-8
#    by hand from the number of its bits ([notebook 4](4-junction.ipynb)), and compare with `energy_j` of a row.
