# %% [markdown]
# # 3. One unit in three languages: solutions
#
# Solutions of the exercises of [3-three-languages](3-three-languages.ipynb).

# %%
import shutil
import sys
import tempfile
from pathlib import Path

import spinflow
from spinflow.hls.kernels import csim
from spinflow.hls.kernels.catalogue import FOLDER, kernel
from spinflow.hls.paths import BuildError

ROOT = Path(spinflow.__file__).parent
sys.path.insert(0, str(ROOT))  # the bench's runner is among the tests of the checkout
from tests.hw import runner

work = Path(tempfile.mkdtemp())


def simulate(name, *words, kernels=FOLDER):
    """C simulation of a unit on 200 random cases; what its bench says."""
    unit, place = kernel(name), work / "_".join((name, *words))
    parameters = unit.parameters(words)
    csim.prepare(unit, parameters, unit.make(parameters, 200, 1), place)
    return csim.run(csim.compiled(unit, place, kernels), place)


# %% [markdown]
# ## 1. A mutant
#
# `~(a ^ b)` becomes `a | b`.

# %%
mutant = work / "kernels"
shutil.copytree(FOLDER, mutant)
path = mutant / "xnor_popcount.hpp"
text = path.read_text()
assert "~(a ^ b)" in text
path.write_text(text.replace("~(a ^ b)", "(a | b)"))
print("as it is:", simulate("xnor_popcount", "Width=64"))
try:
    simulate("xnor_popcount", "Width=64", kernels=mutant)
except BuildError as error:
    print("mutant:  ", str(error).split(": ", 1)[-1])

# %% [markdown]
# The bench names the first case that is wrong, what it is and what it should be. A bench that lets a mutant pass is
# worth less than none: it makes you believe. The kit keeps a list of such mutants of its RTL, and each must fail.
#
# ## 2. A wider unit

# %%
print(simulate("xnor_popcount", "Width=200"))
built = runner.build("notebook-wide", "xnor_popcount", {"Width": 200}, runner.sources())
passed = runner.run(
    built, "xnor_popcount", "tests.hw.benches.xnor_popcount", extra_env={"BENCH_Width": "200"}
)
print("the project's own bench, random words with pauses: tests passed:", passed)
text = (ROOT / "hw" / "rtl" / "spinflow_pkg.sv").read_text()
start = text.index("  function automatic int unsigned popcount_stages")
print(text[start : text.index("endfunction", start) + len("endfunction")])

# %% [markdown]
# More bits need a deeper tree of adders. At 100 MHz some four levels of it fit into a cycle; deeper trees get a register
# in between, and the count comes a cycle later. The throughput stays: one pair a cycle.
#
# ## 3. The next unit up

# %%
for pe, simd in ((2, 16), (5, 32)):
    said = simulate("binary_mvu", "Mw=64", "Mh=10", f"Pe={pe}", f"Simd={simd}")
    print(f"PE {pe}, SIMD {simd}: {64 // simd * (10 // pe):2} cycles a frame; {said}")

# %% [markdown]
# (64/16)·(10/2) = 20 cycles against (64/32)·(10/5) = 4: five times as fast, for 160 XNORs in place of 32.
