"""Every figure and table of the three papers, measured anew: ``python -m papers``."""

from host import start

start.begin_module()
