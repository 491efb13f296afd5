"""Everything that computes what the accelerator computes, and what is built and measured with it.

- Engines: `protocol` says what each of them offers, `engines` makes them by name: `emulator`,
  `evaluator`, `fixed_point`, `xnor`, and `accelerator`, which is the Verilated RTL. `memories` is
  what those in software share, `kinds` the tables of the kinds of layers.
- The RTL: `verilate` compiles it, `library` runs it, `depths` sizes its buffers, `board` puts it in
  a board's place for pynq; `bundle_build` goes all the way from a network.
- Sweeps: `sweep` is the command, `sweeps` what its workers are and do.
"""

from spinflow.host.core import start

start.begin_module()
