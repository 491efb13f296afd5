# %% [markdown]
# # 4. A junction: solutions
#
# Solutions of the exercises of [4-junction](4-junction.ipynb).

# %%
import sys

sys.path.insert(0, "..")  # on a board the package lies in the folder above

import matplotlib.pyplot as plt
import numpy as np

from spinflow.host.mtj.models import condition_for_rate, named
from spinflow.host.mtj.reliability import retention_error_rate

# %% [markdown]
# ## 1. A condition by hand
#
# *t* = -τ ln(0.024) = 14.8 ns · 3.73 = 55.2 ns, and *E* = 1.08 V · 150 µA · 55.2 ns = 8.94 pJ. A conventional
# write takes -τ ln(1e-8) = 272.6 ns and 44.2 pJ.

# %%
junction = named("exponential")
here, usual = condition_for_rate(junction, 0.024), condition_for_rate(junction, 1e-8)
print(f"2.4 %: {here.pulse_s * 1e9:.1f} ns, {here.energy1_j * 1e12:.2f} pJ")
print(f"1e-8:  {usual.pulse_s * 1e9:.1f} ns, {usual.energy1_j * 1e12:.2f} pJ")
print(f"saved: {1 - here.energy1_j / usual.energy1_j:.1%}")

# %% [markdown]
# The paper prints 8.94 pJ and 79.8 %.
#
# ## 2. The cheapest voltage

# %%
macrospin = named("fokker-planck")
voltages = np.linspace(0.25, 0.8, 23)
pulses = np.array([float(macrospin.pulse_for(1e-3, volts)) for volts in voltages])
energies = np.array([float(macrospin.energy_per_bit(v, t)) for v, t in zip(voltages, pulses)])
figure, axis = plt.subplots(figsize=(6, 3.2))
axis.plot(voltages, energies * 1e15, "o-", color="#0072B2")
axis.set_xlabel("write voltage, V")
axis.set_ylabel("energy of a written 1, fJ")
plt.show()
best = int(np.argmin(energies))
print(f"least energy near {voltages[best]:.2f} V, with a pulse of {pulses[best] * 1e9:.1f} ns")

# %% [markdown]
# Energy is *V*²·*t*/*R*. Just above the switching voltage of 0.2 V the overdrive is small and *t* grows beyond
# all bounds; far above it *t* falls roughly as 1/(*V* - *Vsw*) while *V*² rises. Between the two lies the
# minimum. The rough law *V*²/(*V* - *Vsw*) alone would put it at twice the switching voltage, 0.4 V.

# %% [markdown]
# ## 3. A shallow valley

# %%
for delta in range(10, 40):
    lost = float(retention_error_rate(1e-3, delta))
    if lost <= 1e-6:
        break
print(f"delta {delta} loses {lost:.1e} of the bits in a millisecond")
shallow, deep = named("fokker-planck", delta=delta), named("fokker-planck", delta=60)
for name, model in (("shallow", shallow), ("deep", deep)):
    print(f"{name:8} pulse of rate 1e-3 at 0.5 V: {float(model.pulse_for(1e-3, 0.5)) * 1e9:.2f} ns")

# %% [markdown]
# A shallow valley lets heat tip the layer further before the pulse begins, so the incubation is shorter. In a real
# junction the switching voltage falls with Δ as well, which this comparison leaves out; the saving would be
# larger.
