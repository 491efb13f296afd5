"""Takes a Brevitas network from Python code: ``package.module:name`` or ``file.py:name``.

The name is a class or a function that gives an ``nn.Module`` when it is called without arguments.
The code is run, so it is to be trusted as any program is; a checkpoint is read without running
anything.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import pickle
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from spinflow.hls.paths import BuildError
from spinflow.host.core.text import one_line, shown

_SOURCE = re.compile(
    r"(?:(?P<file>.+\.py)|(?P<package>[\w./+-]+)):(?P<name>[A-Za-z_]\w*)\Z", re.DOTALL
)

_MOST_NAMES = 8
"""Most names of a module that are listed."""


def is_module(source: str) -> bool:
    """Return whether a source names Python code."""
    return _SOURCE.match(source) is not None


def export(source: str, checkpoint: Path | None, shape: tuple[int, ...], out: Path) -> None:
    """Write a network as QONNX.

    Args:
        source: where its code is.
        checkpoint: its weights: a safetensors file, or one of ``torch.save`` that holds tensors
            only; those that the code gives it if None.
        shape: of the input without the batch, (channels, rows, columns).
        out: file to write.

    Raises:
        BuildError: there is no such code, it gives no module, the checkpoint does not fit, or
            Brevitas cannot export it.
    """
    for part in ("torch.onnx", "torch.utils.cpp_extension"):
        # It speaks of compilers and packages that these networks do not use.
        logging.getLogger(part).setLevel(logging.ERROR)
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of accelerators that these networks do not use
        from brevitas.export import export_qonnx
    made = _call(source)
    if not isinstance(made, torch.nn.Module):
        raise BuildError(f"{source} gives {type(made).__name__}, a torch.nn.Module is expected")
    if checkpoint is not None:
        _load(made, checkpoint)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python branches on tensors, when it is traced
            export_qonnx(made.eval(), torch.zeros(1, *shape), str(out), verbose=False)
    except Exception as error:  # whatever the network's code and torch raise
        first = one_line(str(error) or type(error).__name__, 120)
        raise BuildError(
            f"{source} cannot be exported for an input of {(1, *shape)}: {first}"
        ) from error


def _call(source: str) -> Any:
    found = _SOURCE.match(source)
    assert found is not None
    try:
        if found["file"]:
            module = _from_file(Path(found["file"]))
        else:
            module = importlib.import_module(found["package"].replace("/", "."))
    except BuildError:
        raise
    except SystemExit:
        raise BuildError(f"{source} cannot be imported: it ends the program (sys.exit)") from None
    except Exception as error:  # whatever the code raises
        raise BuildError(
            f"{source} cannot be imported: {type(error).__name__}: {one_line(str(error), 120)}"
        ) from error
    maker = getattr(module, found["name"], None)
    if not callable(maker):
        raise BuildError(f"{source}: no such class or function; {_names(module)}")
    try:
        return maker()
    except SystemExit:
        raise BuildError(f"{source} cannot be called: it ends the program (sys.exit)") from None
    except Exception as error:  # whatever the code raises
        raise BuildError(
            f"{source} cannot be called without arguments: {type(error).__name__}: "
            f"{one_line(str(error), 120)}"
        ) from error


def _names(module: Any) -> str:
    """Return in words which classes and functions a module has, those of its own if there are."""
    known = {name: value for name, value in vars(module).items() if callable(value)}
    own = [n for n, value in known.items() if getattr(value, "__module__", "") == module.__name__]
    names = own or list(known)
    some = ", ".join(names[:_MOST_NAMES]) + (" ..." if len(names) > _MOST_NAMES else "")
    return f"there are {some}" if names else "there are none"


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise BuildError(f"{path} does not exist")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickles look there
    spec.loader.exec_module(module)
    return module


def _load(module: Any, checkpoint: Path) -> None:
    import safetensors
    import safetensors.torch
    import torch

    if not checkpoint.is_file():
        raise BuildError(f"--checkpoint {checkpoint} does not exist")
    try:
        if checkpoint.suffix == ".safetensors":
            state: Any = safetensors.torch.load_file(checkpoint)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pickle's versions
                state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise BuildError(
            f"--checkpoint {checkpoint} cannot be read as tensors only: it holds code or objects, "
            "which are not run; torch.save(model.state_dict(), ...) or safetensors works"
        ) from None
    except Exception as error:  # pickle, zip and safetensors raise whatever they meet
        raise BuildError(
            f"--checkpoint {checkpoint} cannot be read as tensors only: {one_line(str(error), 120)}"
        ) from None
    if isinstance(state, dict) and "state_dict" in state:
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise BuildError(f"--checkpoint {checkpoint} holds no tensors by name")
    try:
        module.load_state_dict(state)
    except Exception as error:  # torch raises RuntimeError, Brevitas others
        raise BuildError(
            f"--checkpoint {checkpoint} does not fit {shown(type(module).__name__)}: "
            f"{one_line(str(error), 120)}"
        ) from None
