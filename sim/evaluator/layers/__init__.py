"""The kinds of layers that the evaluator computes, one file each.

A file holds all that the evaluator knows of its kind: the layer as plain data, the shape that it
gives, how it is read from a bundle and from a trained network, and the compiled loop. Whatever
file lies here is a kind of layer; no other file lists them.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
