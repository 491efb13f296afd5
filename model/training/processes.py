"""The processes that torchrun starts to train together; without torchrun there is one alone."""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

START_TIMEOUT = timedelta(minutes=10)


def rank_and_count() -> tuple[int, int]:
    """Return the number of this process and how many there are: 0 and 1 without torchrun."""
    if not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def is_first() -> bool:
    """Return whether this is the process that writes files."""
    return rank_and_count()[0] == 0


def started_together() -> bool:
    """Return whether torchrun started this process as one of several."""
    return "LOCAL_RANK" in os.environ


@contextmanager
def together(device: str) -> Iterator[None]:
    """Join the processes of torchrun while this lasts; alone there is nothing to join.

    Args:
        device: "cpu" or "cuda", of which each process takes one.
    """
    if not started_together():
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", timeout=START_TIMEOUT)
    with leaving():
        yield


@contextmanager
def leaving() -> Iterator[None]:
    """Leave the processes at the end, when nothing holds a network that they share any more.

    Whatever holds their group last ends its threads. torch's own handle does that without Python's
    lock; the gradients of a shared network would keep the lock, for which such a thread may wait
    to let go of a tensor: then neither ends, and a finished training hangs.
    """
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
    finally:
        gc.collect()
        distributed.destroy_process_group()


def wait() -> None:
    """Wait until all processes are here."""
    if rank_and_count()[1] > 1:
        distributed.barrier()


def device_of(name: str) -> torch.device:
    """Return this process's device.

    Args:
        name: "cpu" or "cuda".

    Raises:
        ValueError: torch does not see such a device here.
    """
    if name != "cuda":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise ValueError("device is cuda, which torch does not see here, valid: cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
