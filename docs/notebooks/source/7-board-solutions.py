# %% [markdown]
# # 7. On the board: solutions
#
# Solutions of the exercises of [7-board](7-board.ipynb). They run on a board as well as on the virtual one.

# %%
import sys

sys.path.insert(0, "..")  # on a board the package lies in the folder above

from pathlib import Path

import numpy as np

import spinflow
from spinflow.host.board.driver import Accelerator
from spinflow.host.core import memory as memories
from spinflow.host.core import stream
from spinflow.host.core.bundle import load
from spinflow.host.core.test_sets import images_for

bundle = load(Path(spinflow.__file__).parent / "build" / "tfc-mnist")
accel = Accelerator(bundle)
tests = images_for(bundle, 500)


def bits_of(words, width):
    """Words (n, segments) as bits (n, width), lowest first."""
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), axis=1, bitorder="little")
    return bits[:, :width]


# %% [markdown]
# ## 1. Predict the errors

# %%
place = bundle.memory("fc1.weights")
threshold = stream.threshold(0.2)
accel.set_errors("fc1.weights", "switch", 0.2, seed=42)
counted = accel.write_weights(background="zeros")["fc1.weights"]
found = bits_of(accel.read_weights("fc1.weights"), place.width)

target = bits_of(bundle.weights["fc1.weights"], place.width)
errors = memories.Errors("switch", threshold, threshold, 42)
predicted, expected = memories.weights(errors, target, np.zeros_like(target))
print("bits that differ from the prediction:", int(np.sum(found != predicted)), "of", found.size)
print("counters as predicted:", counted == expected, "-", expected.errors, "errors")

# %% [markdown]
# ## 2. The same seed twice

# %%
before = {}
for name in ("fc1.weights", "fc2.weights"):
    accel.set_errors(name, "flip", 0.1, seed=42)
accel.write_weights(background="zeros")
for name in ("fc1.weights", "fc2.weights"):
    width = bundle.memory(name).width
    before[name] = bits_of(accel.read_weights(name), width) ^ bits_of(bundle.weights[name], width)
one, other = before.values()
print("errors in fc1 and in fc2:", int(one.sum()), int(other.sum()))
print("at the same places:", int(np.sum(one & other)), "; independent ones would share about",
      round(one.sum() * other.sum() / one.size))  # fmt: skip

# %% [markdown]
# The two memories have the same shape, so with one seed they err at exactly the same places: an experiment that
# repeats one pattern and calls it two. `memory_seed` makes a seed of its own for every memory and repeat.
#
# ## 3. Latency

# %%
for name in ("fc1.weights", "fc2.weights"):
    accel.set_errors(name, "off")
accel.write_weights()
accel.run(tests.images)
seen = accel.snapshot()
times = seen.times
print("from first word to label:", times.latency_min, "to", times.latency_max, "cycles")
print("from label to label:     ", times.distance_min, "to", times.distance_max, "cycles")
print("cycles an image:         ", round(seen.cycles / len(tests.images), 1))
microseconds = times.latency_max / bundle.clock_mhz
print(f"a label is there {microseconds:.1f} µs after the first pixels")

# %% [markdown]
# Several frames are under way at once, so a label comes every 256 cycles although each image takes longer from end to
# end. A camera cares for latency: microseconds of the 33,000 between two pictures. A data centre cares for the
# distance, whose inverse is the throughput.

# %%
accel.close()
