# %% [markdown]
# # 2. From network to dataflow: solutions
#
# Solutions of the exercises of [2-dataflow](2-dataflow.ipynb). The shapes of the layers are all that folding has to
# know, so no graph is made here.

# %%
import matplotlib.pyplot as plt

from spinflow.hls import folding
from spinflow.hls.paths import BuildError
from spinflow.hls.shapes import LayerShape

PIXELS = 784
shapes = [
    LayerShape("fc0", mw=784, mh=64, buffered=True),
    LayerShape("fc1", mw=64, mh=64, buffered=True),
    LayerShape("fc2", mw=64, mh=64, buffered=True),
    LayerShape("fc3", mw=64, mh=10, buffered=False),
]


def fold(target=784, **given):
    """A folding of all layers, those not given chosen."""
    wanted = {name: {"PE": pe, "SIMD": simd} for name, (pe, simd) in given.items()}
    return folding.choose(shapes, PIXELS, target, None, wanted)


def show(choice):
    """Print what was chosen, layer by layer."""
    for shape in shapes:
        layer = choice.layers[shape.name]
        cycles = folding.cycles_of(shape, layer)
        print(f"{shape.name}: PE {layer.pe:2} SIMD {layer.simd:3} -> {cycles:4} cycles")
    total = choice.total
    print(
        f"slowest layer: {choice.cycles_per_frame} cycles a frame; about {total['LUT']} LUT and "
        f"{total['RAMB36']} RAMB36"
    )


# %% [markdown]
# ## 1. By hand
#
# `fc0`: (784/98)·(64/4) = 8·16 = 128 cycles. `fc3`: (64/16)·(10/5) = 4·2 = 8 cycles.

# %%
found = fold(fc0=(4, 98), fc3=(5, 16))
for name, number in (("fc0", 0), ("fc3", 3)):
    print(name, folding.cycles_of(shapes[number], found.layers[name]), "cycles")
try:
    fold(fc3=(4, 16))
except BuildError as error:
    print("refused:", error)

# %% [markdown]
# ## 2. A budget

# %%
mine = fold(196, fc0=(2, 196), fc1=(1, 32), fc2=(1, 32), fc3=(1, 4))
show(mine)
print("what the search finds:")
best = fold(196)
show(best)

# %% [markdown]
# Fewer LUTs than the search: it does not look at LUTs alone, but holds a RAMB36 worth 150 LUTs and takes the
# cheapest sum. So `fc0` gets narrow words, which fit fewer block RAMs, and more PE.
#
# No folding is faster than 196 cycles, since pixels come in beats of 32 bits, four a cycle, and 784 of them take 196
# cycles to come in. Layers that need 128 or 160 cycles wait for them.
#
# ## 3. The price of speed

# %%
targets = [196, 256, 392, 784, 1568, 3136]
choices = [fold(target) for target in targets]
for target, choice in zip(targets, choices):
    print(
        f"{target:4} cycles asked, {choice.cycles_per_frame:4} taken: about {choice.total['LUT']} LUT, "
        f"{choice.costs['shell'].lut:.0f} of them in no layer, {choice.total['RAMB36']} RAMB36"
    )
figure, axis = plt.subplots(figsize=(6, 3.2))
axis.semilogx(
    targets, [choice.total["LUT"] for choice in choices], "o-", color="#0072B2", label="all"
)
shells = [choice.costs["shell"].lut for choice in choices]
axis.semilogx(targets, shells, "s--", color="#D55E00", label="not in any layer")
axis.set_xlabel("target, cycles a frame")
axis.set_ylabel("estimated LUT")
axis.set_ylim(0)
axis.legend()
plt.show()

# %% [markdown]
# (A slower target with more LUTs is no mistake: there the search gave LUTs for a block RAM.) A slow accelerator is
# hardly smaller: registers, the weight port and the engines that make the draws are there
# anyway, and so are thresholds and control of each layer. For a network as small as this the cheapest design is
# nearly as fast as the fastest. For `mlp-mnist` or `cnv-cifar10` the layers dominate, and a factor of two in speed
# costs close to a factor of two in area ([sizes](../size.md)).
