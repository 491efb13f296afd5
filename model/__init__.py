"""Data sets, binary networks, their training and export, and the junction models.

Nothing that takes long is imported here: ``model.mtj`` must load on a board without torch.
"""

from host import start

start.begin_module()
