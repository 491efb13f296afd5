"""Brevitas's own BNN-PYNQ networks, from the installed package, with random weights and norms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from spinflow.hls.foreign import compare, module, qonnx_reader, writer
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.host.core.test_sets import SHAPES, images_of

NUMBERS = numbers_of("x/255").table


def randomised(name: str) -> Any:
    """One of the package's networks, whose thresholds lie among its sums."""
    import torch
    from brevitas_examples.bnn_pynq.models import model_with_cfg

    torch.manual_seed(1)
    model, _ = model_with_cfg(name, pretrained=False)
    parts: list[Any] = [*model.modules()]
    for part in parts:
        if type(part).__name__.startswith("BatchNorm"):
            part.running_mean.normal_(0, 3)
            part.running_var.uniform_(5, 50)
            part.weight.data.normal_()
            part.bias.data.normal_(0, 0.3)
        elif type(part).__name__ == "TensorNorm":
            part.running_mean.fill_(0.7)
            part.weight.data.fill_(1.3)
            part.bias.data.fill_(-0.2)
    return model.eval()


@pytest.mark.parametrize(
    "name",
    [
        "tfc_1w1a",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("sfc_1w1a", "lfc_1w1a")),
        pytest.param("cnv_1w1a", marks=pytest.mark.slow),
    ],
)
def test_labels_are_those_of_the_torch_module(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    data = "cifar10" if name.startswith("cnv") else "mnist"
    images = images_of(data, 40).images
    model = randomised(name)
    monkeypatch.setattr(module, "_call", lambda _: model)
    path = tmp_path / "a.onnx"
    module.export("brevitas:network", None, SHAPES[data], path)
    reading = qonnx_reader.read(path, NUMBERS)
    chain = reading.chain
    with torch.no_grad():
        pixels = NUMBERS[chain.arranged(images)].reshape(40, *SHAPES[data])
        theirs = model(torch.tensor(pixels, dtype=torch.float32)).argmax(dim=1).numpy()
    ours = chain.labels(chain.run(images))
    assert np.array_equal(ours, theirs) and len(np.unique(ours)) > 2
    found = compare.with_qonnx(reading.model, chain, images[:2], NUMBERS, reading.places)
    assert not found.differences
    onnx.save(writer.to_qonnx(chain), str(tmp_path / "b.onnx"))
    again = qonnx_reader.read(tmp_path / "b.onnx").chain
    assert np.array_equal(again.labels(again.run(images)), ours)
    # The quantiser of CNV's pixels is a table of codes; TFC's makes bits of them.
    assert (chain.codes is not None) == (data == "cifar10")
    assert chain.threshold == (None if data == "cifar10" else 128)
