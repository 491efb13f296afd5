# %% [markdown]
# # 8. Your own network: solutions
#
# Solutions of the exercises of [8-own-network](8-own-network.ipynb).

# %%
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import spinflow
from spinflow.host.mtj.models import condition_for_rate, named

ROOT = Path(spinflow.__file__).parent
work = Path(tempfile.mkdtemp())


def command(*words):
    """Run a command of the kit; its lines, or the line with which it refuses."""
    words = [sys.executable, "-m", "spinflow", *map(str, words)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else done.stderr.splitlines()[-1:]


# %% [markdown]
# ## 1. Not every network

# %%
MODULE = """
import brevitas.nn as qnn
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from torch import nn

sign = lambda: qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
layer = lambda n, m: qnn.QuantLinear(n, m, bias=False, weight_quant=SignedBinaryWeightPerTensorConst)


def net():
    return nn.Sequential(
        nn.Flatten(), sign(), layer(784, 16), nn.BatchNorm1d(16), MIDDLE, layer(16, 10)
    )
"""
for name, middle in (
    ("relu", "qnn.QuantReLU(bit_width=2)"),
    ("softmax", "nn.Softmax(1), sign()"),
):
    (work / f"{name}.py").write_text(MODULE.replace("MIDDLE", middle))
    said = command(
        *("import", f"{work}/{name}.py:net", "--name", "notebook-8-refused"),
        *("--data", "mnist", "--input", "2x/255-1"),
    )
    print(f"{name}: {said[-1].replace(str(work), '').removeprefix('spinflow: ')}")

# %% [markdown]
# One line, which layer, what is wrong. A program that took two bits for one, or left the Softmax out, would give
# labels, too; only not those of your network.
#
# ## 2. Without programming

# %%
accuracy = {}
for name, hidden in (("narrow", 32), ("wide", 256)):
    (work / f"notebook-{name}.toml").write_text(
        f'kind = "perceptron"\nwidths = [784, {hidden}, 10]\ninput_threshold = 64\n'
        'dataset = "mnist"\n\n[recipe]\nepochs = 1\n'
    )
    command("train", work / f"notebook-{name}.toml")
    command(
        *("sweep", "--on", "evaluator", "--network", work / f"notebook-{name}.toml"),
        *("--memory", "weights", "--rates", 0, 0.01, 0.03, 0.1, 0.3, "--images", 1000),
        *("--repeats", 3, "--workers", 1, "--out", work / name),
    )
    rows = list(csv.DictReader((work / name / "results.csv").read_text().splitlines()))
    rates = sorted({float(row["rate"]) for row in rows})
    means = {}
    for rate in rates:
        found = [float(row["accuracy"]) for row in rows if float(row["rate"]) == rate]
        means[rate] = sum(found) / len(found)
    accuracy[name] = list(means.values())
    plt.plot(
        [max(rate, 3e-3) for rate in rates], [100 * a for a in accuracy[name]], "o-", label=name
    )
plt.xscale("log")
plt.xlabel("bit-error rate of the weights (leftmost: none)")
plt.ylabel("accuracy, %")
plt.legend()
plt.show()
print("the wide one is better without errors:", accuracy["wide"][0] > accuracy["narrow"][0])
print("and keeps more at 10 %:               ", accuracy["wide"][3] > accuracy["narrow"][3])

# %% [markdown]
# Each class's score is a vote of all hidden outputs; errors in many voters cancel better than errors in few. Area
# and write energy grow with the width, so "more robust" is not "cheaper": that is a sweep of its own.
#
# ## 3. What would it cost?
#
# 784·64 + 64·32 + 32·10 = 52,544 bits, and each takes the same energy in the exponential model.

# %%
junction = named("exponential")
bits = 784 * 64 + 64 * 32 + 32 * 10
for rate in (1e-8, 1e-2):
    here = condition_for_rate(junction, rate)
    print(
        f"rate {rate:.0e}: {bits} bits, {here.energy1_j * 1e12:.2f} pJ each, {bits * here.energy1_j * 1e9:.0f} nJ"
    )

# %% [markdown]
# `energy_j` of a row with `memory = "weights"` at 1e-2 is the second number.
