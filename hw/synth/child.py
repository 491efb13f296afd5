"""What `yosys.synthesise` runs in a process of its own: one job, given as JSON.

Before the design is flattened, every instance signs its cells in their attribute `src`, which lives
on in carry chains, and the wires that its registers drive, which live on by themselves. Modules
that are nothing but a LUT do not sign: LUTs are counted by their neighbours, and there are
thousands.
"""

import json
import sys
from pathlib import Path

from pyosys import libyosys

from spinflow.hw.synth.netlist import instances_in

UNSIGNED = {"lut_pair"}


def main() -> None:
    """Read the design, sign its cells, synthesise it and write its netlist."""
    job = json.loads(sys.argv[1])
    design = libyosys.Design()

    def run(command: str) -> None:
        libyosys.run_pass(command, design)

    run(job["read"])
    run(f"tee -q -o {job['modules']} ls")
    for owner, kind in instances_in(Path(job["modules"]).read_text(encoding="utf-8")).items():
        if kind in UNSIGNED:
            continue
        place = f"{kind}${job['top']}.{owner}" if owner else kind
        module = place.replace("[", "?").replace("]", "?")  # else a set of characters
        run(f'setattr -set src "\\"@{owner}@\\"" {module}/c:*')
        run(f'setattr -set owner "\\"{owner}\\"" {module}/t:$*dff* %co1:+[Q] {module}/w:* %i')
    for command in job["synthesise"]:
        run(command)


if __name__ == "__main__":
    main()
