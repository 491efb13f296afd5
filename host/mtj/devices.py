"""Write energies that are published for MRAM, as scales of energy: per cent stay, joules change.

A device model says by how much an energy falls when errors are accepted; how many joules that is
depends on the part. A device here is the energy that one part takes for a conventional write of
one bit, with its source. A sweep with ``device = "NAME"`` multiplies all energies of its model by
one number, so that the conventional write of a bit that switches takes what the device takes, as
the mean of both directions. Rates, savings in per cent and all accuracies are those of the model.

Levels: "bit" is an energy of one bit as papers and cell definitions give it, which do not say what
of the periphery is in it; "array" a simulated array, with what decoders, bit lines and drivers add
to its cells; "chip" a whole memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from spinflow.host.mtj.exponential import ASANO, CONVENTIONAL_RATE

LEVELS = ("bit", "array", "chip")

BASES = ("printed", "survey", "simulated", "deduced")
"""How an energy is known: printed by its source; taken from a survey of publications; an array
simulator's result; or worked out here from what its source prints."""

NVMEXPLORER = "NVMExplorer (Pentecost et al., arXiv 2109.01188; github.com/lpentecost/NVMExplorer)"


@dataclass(frozen=True)
class Device:
    """What a conventional write of one bit takes in a published part.

    Attributes:
        name: as options and results have it.
        energy_j: energy of a write that switches, joules a bit, mean of both directions.
        level: what the energy includes, one of ``LEVELS``.
        basis: how it is known, one of ``BASES``.
        what: the part, in words.
        source: where the figure stands, and what follows from it where it was deduced.
        pulse_s: width of the write, seconds; NaN where the source gives none.
    """

    name: str
    energy_j: float
    level: str
    basis: str
    what: str
    source: str
    pulse_s: float = math.nan


_ALL = (
    Device(
        "isscc-2015", 0.6e-12, "bit", "survey", "1 Mb embedded, 65 nm",
        f"DOI 10.1109/ISSCC.2015.7062963, in the survey of {NVMEXPLORER}, whose best-case cell "
        "has this energy",
        3e-9,
    ),
    Device(
        "nvmexplorer-best-array", 43.509e-12 / 64, "array", "simulated",
        "2 MB, 22 nm, words of 64 bits, cells of 0.6 pJ and 2 ns",
        f"{NVMEXPLORER}, AE_dnn_output/STT_1BPC-combined.csv, target ReadEDP: 43.509 pJ a word",
        2e-9,
    ),
    Device(
        "cache-250mhz", 46.5e-3 / 250e6 / 256, "chip", "deduced",
        "1 Mb for caches, two junctions a bit",
        "A 250-MHz 256b-I/O 1-Mb STT-MRAM with advanced perpendicular MTJ based dual cell for "
        "nonvolatile magnetic caches, abstract: 46.5 mW of write power for 256 bits at 250 MHz",
    ),
    Device(
        "nvsim-cell", 1e-12, "bit", "survey", "sample cell of NVSim, 80 uA",
        f"{NVMEXPLORER}, data/cell_cfgs/STTRAM.cell",
        10e-9,
    ),
    Device(
        "nvsim-array", 68.267e-12 / 64, "array", "simulated",
        "1 MB, 22 nm, words of 64 bits, cells of nvsim-cell",
        f"{NVMEXPLORER}, EducationalTutorial/STT_1BPC-combined.csv, target ReadEDP: 68.267 pJ a "
        "word",
        10e-9,
    ),
    Device(
        "isscc-2018", 4.5e-12, "bit", "survey", "1 Mb embedded, 28 nm",
        f"DOI 10.1109/ISSCC.2018.8310393, in the survey of {NVMEXPLORER}, whose worst-case cell "
        "has this energy",
        20e-9,
    ),
    Device(
        "nvmexplorer-worst-array", 294.993e-12 / 64, "array", "simulated",
        "2 MB, 22 nm, words of 64 bits, cells of 4.5 pJ and 200 ns",
        f"{NVMEXPLORER}, AE_dnn_output/STT_1BPC-combined.csv, target ReadEDP: 294.993 pJ a word",
        200e-9,
    ),
    Device(
        "iedm-2022", 25e-12, "chip", "printed", "16 Mb stand-alone",
        "Samsung, IEDM 2022, paper 10.7, World's most energy-efficient MRAM technology for "
        "non-volatile RAM applications: 25 pJ per bit, by its announcement of 25 October 2022 on "
        "northamericananotech.com",
    ),
    Device(
        "asano-2024",
        float(ASANO.energy_per_bit(None, ASANO.pulse_for(CONVENTIONAL_RATE))),
        "bit", "deduced", "junction of 150 uA at a rate of 1e-8",
        "Asano, Natsui, Hanyu 2024: V I t with the printed current and the pulse of eq. 2; the "
        "voltage of 1.08 V is what the energies of table 2 need",
        float(ASANO.pulse_for(CONVENTIONAL_RATE)),
    ),
)  # fmt: skip

DEVICES = {each.name: each for each in sorted(_ALL, key=lambda each: each.energy_j)}
"""The devices by name, from the least energy to the most."""


def device(name: str) -> Device:
    """Return a device by its name.

    Raises:
        ValueError: there is none of that name; the message lists them.
    """
    if name not in DEVICES:
        raise ValueError(f"device is {name!r}, valid: {', '.join(DEVICES)}")
    return DEVICES[name]
