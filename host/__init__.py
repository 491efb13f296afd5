"""The side of Spinflow that is copied to the board: driver, sweep, results and report.

Depends on pynq, numpy, scipy and tqdm, on matplotlib for reports, and on ``host.mtj`` for the
rates and energies of a write. Runs on Python 3.10 with numpy 1.21, as PYNQ images carry them.
"""

from spinflow.host.core import start

start.begin_module()
