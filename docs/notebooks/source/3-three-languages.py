# %% [markdown]
# # 3. One unit in three languages
#
# **Aims.** After this notebook you can
#
# - write the smallest unit of a binary network, XNOR and popcount, in numpy, in C++ for HLS and in SystemVerilog;
# - say what each of the three leaves open and what it fixes;
# - run a C simulation and a cocotb bench on the same vectors, and demand that all three are equal in every bit;
# - read a waveform: latency, throughput, and what an enable does.
#
# **Needed.** `make setup`, and g++. It takes half a minute, most of it for compiling the simulation. Solutions are
# in [3-three-languages-solutions](3-three-languages-solutions.ipynb).

# %%
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import spinflow
from spinflow.hls.kernels import csim
from spinflow.hls.kernels.catalogue import FOLDER, kernel
from spinflow.hls.kernels.vectors import Case, Vectors

ROOT = Path(spinflow.__file__).parent
sys.path.insert(0, str(ROOT))  # the bench's runner is among the tests of the checkout
from tests.hw import runner

work = Path(tempfile.mkdtemp())
WIDTH = 64

# %% [markdown]
# ## Vectors
#
# 200 pairs of words, some close to each other, some inverse. All three get the same.

# %%
rng = np.random.default_rng(3)
a = rng.integers(0, 2, (200, WIDTH))
flipped = rng.random(a.shape) < rng.choice([0, 0.05, 0.5, 1], (200, 1))
b = a ^ flipped


def numbers(bits):
    """Rows of bits as whole numbers, the first bit lowest."""
    return [int("".join(map(str, row[::-1])), 2) for row in bits]


words = list(zip(numbers(a), numbers(b)))
print(len(words), "pairs; the first:", *(f"{word:016x}" for word in words[0]))

# %% [markdown]
# ## numpy: what comes out
#
# One line, without any notion of time, of words or of hardware. It says *what* is right; everything else is compared
# with it.

# %%
expected = np.sum(a == b, axis=1).tolist()
print("counts from", min(expected), "to", max(expected))

# %% [markdown]
# ## C++ for HLS: which operations on which bits
#
# Vitis HLS takes C++ with types of any width, `ap_uint<64>`, and makes hardware of it. Whether the count is there one
# or three cycles later is the tool's choice, from the clock; the pragma only asks that a new pair can go in each cycle.

# %%
text = (FOLDER / "xnor_popcount.hpp").read_text()
print(text[text.index("template") : text.index("}  // namespace")])
text = (FOLDER / "top" / "xnor_popcount_top.cpp").read_text()
print(text[text.index("void") :])

# %% [markdown]
# *C simulation* compiles that with g++ and AMD's own headers and runs it: it shows what is computed, and nothing about
# time or area. (With Vitis HLS installed, `spinflow hls-kernel xnor_popcount --vitis` goes on to RTL.)

# %%
unit = kernel("xnor_popcount")
cases = [Case([one, other], [count]) for (one, other), count in zip(words, expected)]
parameters = unit.parameters([f"Width={WIDTH}"])
csim.prepare(unit, parameters, Vectors(cases), work / "hls")
print(csim.run(csim.compiled(unit, work / "hls"), work / "hls"))
outputs = (work / "hls" / csim.OUTPUTS).read_text().split()
in_hls = [int(word, 16) for word in outputs]
print("as numpy:", in_hls == expected)

# %% [markdown]
# ## SystemVerilog: what happens in each cycle
#
# Nothing is left open. The unit has a pipeline of some stages, and an enable for each stage that travels with the data;
# there is no reset for the data, since nobody looks at it before its enable has come by.

# %%
text = (ROOT / "hw" / "rtl" / "xnor_popcount.sv").read_text()
print(text[text.index("`else") + 6 : text.index("`endif")])

# %% [markdown]
# A bench in cocotb is Python that drives the pins of the simulated module. It sets inputs at the falling edge,
# so what it sees after a rising edge is settled. This one sends all pairs, with a pause now and then, and takes a count
# when its enable has come out of the pipeline.

# %%
(work / "my_bench.py").write_text("""
import json
import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge


@cocotb.test()
async def counts(dut):
    with open(os.environ["WORDS"]) as file:
        words = json.load(file)
    stages = len(dut.en_i)
    random.seed(1)
    waiting, found, enables, cycle, first = list(words), [], 0, 0, None
    Clock(dut.clk_i, 10, "ns").start(start_high=False)
    while len(found) < len(words):
        await FallingEdge(dut.clk_i)
        # What was enabled in the last stage at the rising edge before this is there now.
        if enables >> (stages - 1) & 1:
            first = cycle if first is None else first
            found.append(int(dut.count_o.value))
        goes = bool(waiting) and (cycle < 8 or random.random() < 0.7)
        if goes:
            dut.a_i.value, dut.b_i.value = waiting.pop(0)
        enables = (enables << 1 | goes) & ((1 << stages) - 1)
        dut.en_i.value = enables
        cycle += 1
    with open(os.environ["COUNTS"], "w") as file:
        json.dump({"counts": found, "stages": stages, "first": first}, file)
""")

# %% [markdown]
# The project's runner compiles the module with Verilator, watches the rules of its ports, and runs the bench; with
# `WAVES` it keeps a waveform.

# %%
sys.path.insert(0, str(work))
(work / "words.json").write_text(json.dumps(words))
os.environ["WAVES"] = "1"  # cocotb's switch for waveforms
built = runner.build("notebook", "xnor_popcount", {"Width": WIDTH}, runner.sources())
passed = runner.run(
    *(built, "xnor_popcount", "my_bench"),
    extra_env={"WORDS": str(work / "words.json"), "COUNTS": str(work / "counts.json")},
    arguments=("--trace-file", str(work / "wave.vcd")),
)
seen = json.loads((work / "counts.json").read_text())
print("tests passed:", passed)
print(
    "stages:", seen["stages"], "- the first count is there", seen["first"], "cycles after its words"
)
print("as numpy:", seen["counts"] == expected, "- as HLS:", seen["counts"] == in_hls)

# %% [markdown]
# Three languages, one function. A waveform shows what only the third one has.
#
# ## The waveform
#
# A VCD file lists changes: `#t` is a time, and behind it stand the signals that change, each by a short name. It can
# be opened in GTKWave or Surfer; here are the first twenty cycles of it, drawn.


# %%
def waves(path, wanted):
    """Changes of some signals of a VCD file: lists of (time, number) by name."""
    short, changes, time = {}, {name: [] for name in wanted}, 0
    for line in map(str.strip, path.read_text().splitlines()):
        if line.startswith("$var"):
            _, _, _, code, name, *_ = line.split()
            if name in changes and name not in short.values():
                short[code] = name
        elif line.startswith("#"):
            time = int(line[1:])
        elif match := re.match(r"b([01xz]+) (\S+)|([01xz])(\S+)", line):
            value, code = (match[1], match[2]) if match[1] else (match[3], match[4])
            if code in short:
                changes[short[code]].append((time, int(re.sub("[xz]", "0", value), 2)))
    return changes


found = waves(work / "wave.vcd", ["clk_i", "en_i", "a_i", "b_i", "count_o"])
rising = [time for time, value in found["clk_i"] if value]
period, end = rising[1] - rising[0], rising[20]

figure, axis = plt.subplots(figsize=(11, 3.2))
for row, (name, steps) in enumerate(found.items()):
    level = -1.4 * row
    axis.text(-0.3 * period, level + 0.4, name, ha="right", va="center")
    for (start, value), (next_change, _) in zip(steps, [*steps[1:], (end, 0)]):
        stop = min(next_change, end)
        if start >= end:
            break
        if name == "clk_i":
            axis.plot(
                [start, start, stop],
                [level + 1 - value, level + value, level + value],
                color="#0072B2",
                linewidth=1,
            )
        else:
            axis.add_patch(
                plt.Rectangle((start, level), stop - start, 0.8, fill=False, color="#0072B2")
            )
            text = {"en_i": f"{value:0{seen['stages']}b}", "count_o": str(value)}.get(
                name, f"{value >> 48:04x}.."
            )
            if stop - start >= 0.9 * period:
                axis.text(
                    (start + stop) / 2, level + 0.4, text, ha="center", va="center", fontsize=7
                )
for time in rising[:20]:
    axis.axvline(time, color="#dddddd", linewidth=0.6, zorder=0)
axis.set_xlim(-2 * period, end)
axis.set_ylim(-1.4 * len(found) + 1.2, 1.2)
axis.axis("off")
plt.show()

# %% [markdown]
# Each pair goes in with bit 0 of `en_i`. The bit moves on with the data, a stage a cycle, and the count belongs to the
# pair whose bit has just left the last stage. The first eight pairs follow each other without a gap: the *throughput*
# is one pair a cycle, however long the *latency* is. Then pauses come, and a stage whose enable is 0 keeps what it has.
#
# ## What each language says
#
# | | numpy | C++ for HLS | SystemVerilog |
# |---|---|---|---|
# | the function | yes | yes | yes |
# | bits of every number | no | yes | yes |
# | throughput | no | asked for by a pragma | yes |
# | latency | no | the tool's choice | yes |
# | resources | no | the tool's choice | nearly |
# | how long a test of 200 pairs takes | nothing | a second to compile | some seconds to compile |
#
# A page shows the larger units side by side: [HLS kernels](../hls-kernels.md).
#
# ## Exercises
#
# 1. *A mutant.* Copy `xnor_popcount.hpp` into a folder of your own, replace the XNOR by an OR of both words, and compile
#    with `csim.compiled(unit, work, kernels=...)` (it needs a copy of the whole folder `FOLDER`). What does the bench
#    say, and about which case?
# 2. *A wider unit.* Run C simulation and bench for a width of 200. Predict the number of stages before (look for
#    `popcount_stages` in `hw/rtl/spinflow_pkg.sv`). Why do more bits need more stages?
# 3. *The next unit up.* Run `binary_mvu` of the kernels for 64 inputs and 10 outputs with PE 2 and SIMD 16, and again
#    with PE 5 and SIMD 32: `spinflow hls-kernel binary_mvu Mw=64 Mh=10 Pe=2 Simd=16`. How many cycles does a frame
#    take in each?
#
# Next: [4-junction](4-junction.ipynb).
