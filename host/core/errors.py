"""The tree of errors that a user can act on: one line says what is wrong and what would be right.

Every such error of every part descends from :class:`SpinflowError`, so one ``except`` at the end of
a program (:func:`spinflow.host.core.start.finish`) turns all of them into a line.
"""

from __future__ import annotations


class SpinflowError(Exception):
    """Base of every error that ``spinflow`` prints as one line."""


class HostError(SpinflowError):
    """Base of the errors of the host's side: bundles, boards, sweeps and results."""


class BundleError(HostError):
    """A bundle that is incomplete, damaged or made for another driver or another build."""


class RateError(HostError, ValueError):
    """A bit-error rate or a write condition that the registers cannot hold."""


class InputError(HostError, ValueError):
    """Images, weights or choices of the wrong shape, type or range."""


class DeviceError(HostError):
    """The accelerator or its DMA did something else than asked, or did not answer."""


class ResultsError(HostError):
    """A results file that cannot be read, continued or written."""
