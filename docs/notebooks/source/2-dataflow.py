# %% [markdown]
# # 2. From network to dataflow
#
# **Aims.** After this notebook you can
#
# - follow a network from Brevitas through QONNX into FINN's graph of hardware layers;
# - find its weights and thresholds there, and run it;
# - say what PE and SIMD do, and compute the cycles of a layer from them;
# - fold a network so that no layer waits long for another, and read what that costs.
#
# **Needed.** `make setup` and `make data-mnist`; it takes half a minute. Solutions are in
# [2-dataflow-solutions](2-dataflow-solutions.ipynb).

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from spinflow.hls import flow, folding, golden, network
from spinflow.hw.boards import board
from spinflow.model.data import mnist
from spinflow.model.export import export

work = Path(tempfile.mkdtemp())
export("tfc-mnist", work / "model.onnx")
source = ModelWrapper(str(work / "model.onnx"))
print("QONNX:", " ".join(node.op_type for node in source.graph.node))

# %% [markdown]
# That is the network as Brevitas exports it: quantisers (`BipolarQuant`, one bit), matrix products, batch norms,
# in the order in which they were trained. Nothing of it is hardware.
#
# ## FINN's graph
#
# FINN streamlines: scales and batch norms move behind the products until each is part of a threshold, products of
# signs become XNOR and popcount, and each layer becomes a node that stands for one hardware unit. Between them
# Spinflow puts an `MRAMBuffer` on each hidden feature map, the memory that may err.

# %%
made = flow.run(work / "model.onnx", work / "finn", board(), cycles=256)
hardware = made.hardware


def boxes(model):
    """Draw a chain of nodes, with the bits that a frame takes between them."""
    nodes = list(model.graph.node)
    axis = plt.figure(figsize=(10, 1.9)).subplots()
    colours = {"MVAU": "#0072B2", "MRAMBuffer": "#D55E00"}
    for number, node in enumerate(nodes):
        colour = colours.get(node.op_type, "#8c8c8c")
        axis.add_patch(plt.Rectangle((number, 0), 0.72, 1, color=colour))
        axis.text(number + 0.36, 0.5, node.op_type, color="white", ha="center", va="center",
                  rotation=90, fontsize=8)  # fmt: skip
        elements = int(np.prod(model.get_tensor_shape(node.output[0])))
        axis.text(number + 0.86, 1.05, str(elements), ha="center", fontsize=8)
        axis.arrow(number + 0.74, 0.5, 0.13, 0, head_width=0.12, head_length=0.08, color="black")
    axis.set_xlim(-0.1, len(nodes) + 0.1)
    axis.set_ylim(-0.1, 1.3)
    axis.axis("off")
    plt.show()


boxes(hardware)

# %% [markdown]
# The numbers above the arrows are the elements of a frame on that stream: 784 bits after the first threshold, 64 behind
# each hidden layer, one label at the end.
#
# ## Weights and thresholds are in the graph
#
# A `MVAU` (matrix-vector unit) has a matrix of 0 and 1 as its second input, and as its third the thresholds of its
# outputs. They are the integers of [notebook 1](1-binary-network.ipynb).

# %%
for node in hardware.graph.node:
    if node.op_type == "MVAU":
        matrix = hardware.get_initializer(node.input[1])
        text = f"MVAU of {matrix.shape[0]:3} inputs and {matrix.shape[1]:2} outputs"
        if len(node.input) > 2:
            limits = hardware.get_initializer(node.input[2]).ravel()
            text += f", thresholds {' '.join(f'{limit:.0f}' for limit in limits[:6])} ..."
        print(text)

# %% [markdown]
# The graph can be run, node by node, in software. That run is what the kit calls *golden*: the RTL must give the same
# value on every one of these streams.

# %%
data = mnist()
images = data.test_images[:20]
last = hardware.graph.node[-1].output[0]
labels = golden.execute(hardware, {"label": last}, images)["label"].ravel()
print("FINN says ", *labels)
print("it was    ", *data.test_labels[:20])

# %% [markdown]
# ## Folding
#
# A layer of MW inputs and MH outputs could compute all MW·MH products at once: `fc0` would need 50,176 XNORs. It can
# do with less and take longer. PE says how many outputs, SIMD how many inputs of each are computed in one cycle.
# A frame then takes
#
# cycles = (MW / SIMD) · (MH / PE)
#
# and both must divide. All layers work at once, each on another frame, so **the slowest layer sets the rate** and a
# faster one only wastes area.

# %%
shapes = network.layer_shapes(made.dataflow)
PIXELS = network.pixels(made.dataflow)


def fold(**given):
    """Fold as given, as fc0=(PE, SIMD); other layers are folded as cheaply as 784 cycles allow.

    Prints cycles and LUTs of each layer, and returns what was chosen.
    """
    wanted = {name: {"PE": pe, "SIMD": simd} for name, (pe, simd) in given.items()}
    choice = folding.choose(shapes, PIXELS, 784, None, wanted)
    for shape in shapes:
        layer, cost = choice.layers[shape.name], choice.costs[shape.name]
        cycles = folding.cycles_of(shape, layer)
        print(
            f"{shape.name}: PE {layer.pe:2} SIMD {layer.simd:3} -> {cycles:4} cycles, "
            f"about {cost.lut:5.0f} LUT, {cost.ramb36:g} RAMB36"
        )
    print(f"registers, weight port, draw engines: about {choice.costs['shell'].lut:.0f} LUT")
    total = choice.total
    rate = 100e6 / choice.cycles_per_frame
    print(
        f"slowest layer: {choice.cycles_per_frame} cycles a frame, so at most {rate:,.0f} frames/s at "
        f"100 MHz; whole accelerator: about {total['LUT']} LUT and {total['RAMB36']} RAMB36"
    )
    return choice


ours = fold(fc0=(1, 196), fc1=(1, 16), fc2=(1, 16), fc3=(1, 16))

# %% [markdown]
# That is how the kit folds tfc-mnist: every layer but the last takes 256 cycles. Now turn the knobs. `fc0` with a
# quarter of the SIMD:

# %%
slower = fold(fc0=(1, 49), fc1=(1, 16), fc2=(1, 16), fc3=(1, 16))

# %% [markdown]
# The whole accelerator got four times slower, and the three layers behind wait three quarters of their time. Adapting
# them to the slow one saves a little:

# %%
balanced = fold(fc0=(1, 49), fc1=(1, 4), fc2=(1, 4), fc3=(1, 1))

# %% [markdown]
# ## Which PE and SIMD for the same speed?
#
# 16 products a cycle in `fc1` can be PE 1 · SIMD 16, PE 4 · SIMD 4, PE 16 · SIMD 1 and so on. They take the same
# cycles and not the same area: each PE needs an accumulator, a comparison and a share of the thresholds, while a wide
# SIMD is one popcount tree. So a wide SIMD with few PE is cheaper.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
for pe, colour in ((1, "#0072B2"), (2, "#D55E00"), (4, "#009E73"), (8, "#CC79A7")):
    points = []
    for simd in (8, 16, 28, 49, 98, 196):
        folded = folding.choose(shapes, PIXELS, 10**6, None, {"fc0": {"PE": pe, "SIMD": simd}})
        cycles = folding.cycles_of(shapes[0], folded.layers["fc0"])
        points.append((cycles, folded.costs["fc0"].lut))
    left.loglog(*zip(*points), "o-", color=colour, label=f"PE {pe}")
left.set_xlabel("cycles a frame of fc0")
left.set_ylabel("estimated LUT of fc0")
left.legend()
names = [shape.name for shape in shapes]
places = np.arange(len(names))
for offset, (words, choice) in enumerate(
    (("ours", ours), ("slow fc0", slower), ("balanced", balanced))
):
    cycles = [folding.cycles_of(shape, choice.layers[shape.name]) for shape in shapes]
    right.bar(places + 0.27 * (offset - 1), cycles, 0.25, label=words)
right.set_xticks(places, names)
right.set_ylabel("cycles a frame")
right.legend()
figure.tight_layout()
plt.show()

# %% [markdown]
# The LUTs are an estimate of the kit's, fitted to what yosys makes; `spinflow synth` synthesises the accelerator and
# shows each block ([sizes](../size.md) has all of them). Left out here, and worth a thought: a memory word has
# PE·SIMD bits, and a block RAM offers 512 words of 72 bits, so a fold also decides how full block RAMs get.
#
# ## Exercises
#
# 1. *By hand.* How many cycles does `fc0` take with PE 4, SIMD 98, and `fc3` (64 inputs, 10 outputs) with PE 5,
#    SIMD 16? Check with `fold`. Why does `fold(fc3=(4, 16))` fail?
# 2. *A budget.* Find foldings of all four layers with at most 196 cycles a frame and as few LUTs as you can. How far
#    are you from what `folding.choose(shapes, PIXELS, 196)` finds? Why can no folding of this network be faster
#    than 196 cycles?
# 3. *The price of speed.* Plot the estimated LUTs of the cheapest folding for targets of 196, 256, 392, 784, 1568
#    and 3136 cycles. What is left when everything is slow, and what is it made of?
#
# Next: [3-three-languages](3-three-languages.ipynb), one of these units from the inside.
