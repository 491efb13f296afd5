# %% [markdown]
# # 7. On the board
#
# **Aims.** After this notebook you can
#
# - load an accelerator, write its weights and classify images, on a PYNQ-Z2 or on the virtual board;
# - set the error rate of a memory, see what is wrong with its content, and count it;
# - drag a slider for the error rate or the write pulse and watch labels, accuracy and energy follow;
# - say how fast the accelerator is, and whether it is all right.
#
# **Needed.** On a PC the bundle of tfc-mnist with its simulator (`spinflow build tfc-mnist`); on a board what
# `make deploy` copied, and this notebook beside it. It is the same notebook on both: on a PC the driver finds no
# Zynq and loads the *virtual board*, a pynq device whose logic is the Verilated RTL. It takes half a minute.
# Solutions are in [7-board-solutions](7-board-solutions.ipynb).

# %%
import sys

sys.path.insert(0, "..")  # on a board the package lies in the folder above

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import spinflow
from spinflow.host.board import selftest, throughput
from spinflow.host.board.driver import Accelerator
from spinflow.host.core import stream
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import images_for
from spinflow.host.mtj.models import condition, condition_for_rate, named

try:
    import ipywidgets
except ImportError:  # everything works without, by plain calls
    ipywidgets = None

BUILT = Path(spinflow.__file__).parent / "build"
folder = BUILT / "tfc-mnist"
if not folder.is_dir():  # another network was deployed
    folder = sorted(BUILT.glob("*/accel.json"))[0].parent
bundle = load(folder)
print(bundle.network, "for", bundle.board, f"at {bundle.clock_mhz:g} MHz")
for memory in bundle.memories:
    print(f"  {memory.index} {memory.name:12} {memory.depth:4} words of {memory.width:3} bits")

# %% [markdown]
# ## Load, write, classify
#
# Opening an `Accelerator` loads the logic and compares the registers that say what it is with the bundle. Its
# weights are 0 then, and it refuses to classify until they are written.

# %%
accel = Accelerator(bundle)
print("a real board:", accel.backend == "board")
tests = images_for(bundle, 500)
written = accel.write_weights()
print("bits written:", sum(counts.written for counts in written.values()))
labels = accel.run(tests.images)
exact = int(np.sum(labels == tests.labels))
print(f"{exact} of {len(labels)} right ({exact / len(labels):.1%})")

# %% [markdown]
# ## One memory errs
#
# A rate, a mode and a seed for the weights of the first layer. Weights err when they are written, so they are
# written again, over a known background; feature maps err with every image.

# %%
accel.set_errors("fc0.weights", "flip", 0.05, seed=1)
counts = accel.write_weights(background="zeros")["fc0.weights"]
print("counted:", counts.errors, "errors in", counts.written, "bits")
found = accel.read_weights("fc0.weights")
wrong = found ^ bundle.weights["fc0.weights"]
print("read back:", sum(bin(int(word)).count("1") for word in wrong.ravel()), "bits are wrong")
labels = accel.run(tests.images)
print(f"{int(np.sum(labels == tests.labels))} of {len(labels)} right")
accel.set_errors("fc0.weights", "off")

# %% [markdown]
# ## A way of writing, and what follows
#
# `try_rate` and `try_pulse` write all memories of a choice with one pulse of the exponential junction, classify 500
# images, and draw the first 36 of them: right labels in green, wrong ones in red, with what is right behind them. The
# energy is that of one load of the weights, or of the feature maps of one image.

# %%
junction = named("exponential")
usual = condition_for_rate(junction, 1e-8)
ROWS, COLUMNS = 3, 12


def measure(here, where, mode, seed=1):
    """Write and classify under a condition; return the labels, the energy and the errors."""
    for memory in bundle.memories:
        accel.set_errors(memory.name, "off")
    chosen = bundle.select(where)
    for memory in chosen:
        own = stream.memory_seed(seed, 0, memory.index)  # else all would err alike
        accel.set_condition(memory.name, here, mode, own)
    written = accel.write_weights(background="random:1")
    labels = accel.run(tests.images)
    counted = accel.snapshot().memories
    energy, errors = 0.0, 0
    for memory in chosen:
        counts = written[memory.name] if memory.is_weights else counted[memory.name]
        share = 1 if memory.is_weights else len(labels)
        energy += counts.written * here.energy1_j / share
        errors += counts.errors
    return labels, energy, errors


def grid_of(labels):
    """Draw the first images with their labels: green if right, else red with what is right."""
    shape = bundle.input_shape if len(bundle.input_shape) > 1 else (28, 28)
    figure, axes = plt.subplots(ROWS, COLUMNS, figsize=(8.5, 2.9))
    for number, axis in enumerate(axes.flat):
        axis.imshow(tests.images[number].reshape(shape), cmap="gray_r")
        label, truth = int(labels[number]), int(tests.labels[number])
        axis.set_title(
            f"{label}" if label == truth else f"{label} ({truth})",
            color="#009E73" if label == truth else "#D55E00",
            fontsize=9,
        )
        axis.set_xticks([])
        axis.set_yticks([])
        for edge in axis.spines.values():
            edge.set_color("#009E73" if label == truth else "#D55E00")
    figure.tight_layout()
    plt.show()


def report(here, where, mode):
    labels, energy, errors = measure(here, where, mode)
    right = int(np.sum(labels == tests.labels))
    print(
        f"{where}, {mode}, pulse {here.pulse_s * 1e9:.1f} ns, rate {here.rate1:.2g}: "
        f"{right} of {len(labels)} right ({right / len(labels):.1%}), {errors} errors"
    )
    print(
        f"write energy {energy * 1e9:.3g} nJ, {1 - here.energy1_j / usual.energy1_j:.1%} less than "
        "a conventional write"
    )
    grid_of(labels)


def try_rate(exponent=-2.0, where="weights", mode="flip"):
    """Write with the pulse that has the rate 10 to the exponent."""
    report(condition_for_rate(junction, 10.0**exponent), where, mode)


def try_pulse(pulse_ns=68.0, where="weights", mode="flip"):
    """Write with a pulse of this width."""
    report(condition(junction, None, pulse_ns * 1e-9), where, mode)


try_rate(-1.5, "weights")

# %%
try_pulse(40.0, "buffers", "switch")

# %% [markdown]
# ## A slider
#
# With ipywidgets, which PYNQ's images have, the two functions become sliders: the first for the rate, the second for
# the write condition. Each move writes all weights and classifies 500 images: some milliseconds on a board, some
# seconds on the virtual one. (In the plain view of this file there is nothing to drag: start it in Jupyter.)

# %%
PLACES = ["weights", "buffers", "all", *(memory.name for memory in bundle.memories)]
if ipywidgets is None:
    print("no ipywidgets here: call try_rate(-2, 'weights', 'flip') or try_pulse(68, 'all')")
else:
    slow = {"continuous_update": False}
    ipywidgets.interact(
        try_rate,
        exponent=ipywidgets.FloatSlider(-2.0, min=-5.0, max=-0.5, step=0.25, **slow),
        where=PLACES,
        mode=["flip", "switch"],
    )
    ipywidgets.interact(
        try_pulse,
        pulse_ns=ipywidgets.FloatSlider(68.0, min=10.0, max=200.0, step=2.0, **slow),
        where=PLACES,
        mode=["flip", "switch"],
    )

# %% [markdown]
# ## How fast
#
# The accelerator counts its own cycles, so its speed is known without a watch: one image after the other, in cycles,
# at the clock. The wall clock is only worth something on a real board. Errors cost nothing:

# %%
for memory in bundle.memories:
    accel.set_errors(memory.name, "off")
calm = throughput.measure(accel, 200)
for memory in bundle.select("buffers"):
    accel.set_errors(memory.name, "flip", 0.5, seed=memory.index)
errs = throughput.measure(accel, 200)
for words, found in (("no errors", calm), ("every second bit errs", errs)):
    print(
        f"{words:22} {found.cycles / found.images:.1f} cycles an image, "
        f"{found.per_second_of_cycles:,.0f} images/s at {found.clock_mhz:g} MHz"
    )
if not calm.simulated:
    print(f"by the wall clock {calm.per_second:,.0f} images/s")

# %% [markdown]
# ## Is it all right?
#
# The self-test of the driver: registers, memories, every layer against FINN's execution, and errors bit by bit
# against what seed and place say.

# %%
results = list(selftest.Selftest(accel, selftest.read_golden(bundle)).results())
for result in results:
    print("PASS" if result.passed else "FAIL", "", result.name)
print(selftest.verdict(results))
accel.close()

# %% [markdown]
# ## Exercises
#
# 1. *Predict the errors.* `spinflow.host.core.memory.weights` says what is stored when words are written with
#    errors. Take `fc1.weights`, mode `switch`, 20 %, over `zeros`, and predict what `read_weights` gives, bit by bit.
# 2. *The same seed twice.* Give two memories the same seed, once on purpose, and find out how their errors relate.
#    Why does `measure` above go through `stream.memory_seed`?
# 3. *Latency.* `snapshot().times` has how long a frame takes from its first word to its label, and the distance
#    between labels. Compare both with the cycles an image of the throughput. Which number would you quote for a
#    camera with 30 pictures a second, which for a data centre?
#
# Next: [8-own-network](8-own-network.ipynb).
