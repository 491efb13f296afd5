"""Fixed-point networks: their codes, the evaluator's labels, their files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from spinflow.model import store, zoo
from spinflow.model.export import export
from spinflow.model.networks.base import predict, to_input
from spinflow.model.networks.fixed_point import FixedPointNetwork
from spinflow.model.networks.graph import FixedPointSpec
from spinflow.model.training.write_errors import ErrorProneMemories
from spinflow.model.zoo import network
from spinflow.sim.evaluator import Evaluator
from spinflow.sim.fixed_point import FixedPointEvaluator
from tests.model.test_networks import random_images

TINY = FixedPointSpec(
    "tiny-fxp", (8, 6, 3), 3, (5, 6), (1,), (9, 10), 2.0**-2, "cifar10", padding=1, bits=8
)


def spread(spec: FixedPointSpec, images: int) -> FixedPointNetwork:
    """Return a network in float64 whose maps fill their range, latent weights past its ends."""
    torch.manual_seed(7)
    model = FixedPointNetwork(spec).double()
    with torch.no_grad():
        for matrix in model.matrices():
            matrix.weight.mul_(2.2)
        for norm in model.batch_norms():
            norm.weight.uniform_(0.3, 1.0)
            norm.bias.normal_(0.0, 0.3)
            norm.momentum = 1.0
        model.train()(to_input(spec, random_images(spec, images)).double())
    return model.eval()


def loaded(model: FixedPointNetwork) -> FixedPointEvaluator:
    evaluator = Evaluator.from_network(model)
    assert isinstance(evaluator, FixedPointEvaluator)
    for number in range(len(model.matrices())):
        evaluator.write_weights(number, evaluator.weights(number))
    return evaluator


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_evaluator_holds_the_codes_of_brevitas(bits: int) -> None:
    spec = dataclasses.replace(TINY, bits=bits)
    model = spread(spec, 32)
    evaluator, images = loaded(model), random_images(spec, 12)
    for number, codes in enumerate(model.codes()):
        assert codes.min() == -(2 ** (bits - 1)) and codes.max() == 2 ** (bits - 1) - 1
        unsigned = codes.numpy().reshape(-1, 1).astype(np.int64) % 2**bits
        np.testing.assert_array_equal(evaluator.read_weights(number), unsigned)
        value = model.matrices()[number].quant_weight().value
        assert torch.equal(value, codes.double() * 2.0 ** (1 - bits))
    maps: list[torch.Tensor] = []
    for step in model.steps:
        if type(step).__name__ == "QuantIdentity":
            step.register_forward_hook(lambda *seen: maps.append(seen[2]))
    with torch.no_grad():
        logits = model(to_input(spec, images).double())
    labels, taps = evaluator.run(images)
    np.testing.assert_array_equal(labels, logits.numpy().argmax(axis=1))
    np.testing.assert_allclose(taps["fc1"] * spec.logit_scale, logits, atol=1e-12)
    sizes = {name: values.shape[1] for name, values in taps.items() if name.endswith(".buffer")}
    # The second map is pooled before it is stored.
    assert sizes == {"conv0.buffer": 240, "pool1.buffer": 72, "fc0.buffer": 9}
    for name, values in zip(sizes, maps, strict=True):
        codes = values.reshape(12, -1) * 2.0 ** (bits - 1)
        # A sum in another order is another float64, which of 32 bits may round to another code.
        np.testing.assert_allclose(taps[name], codes, rtol=0, atol=bits == 32)
        assert len(np.unique(taps[name])) > 50


def test_evaluator_gives_the_labels_of_the_vgg() -> None:
    spec = network("vgg-fxp8-cifar10")
    assert isinstance(spec, FixedPointSpec)
    model = spread(spec, 4)
    images = random_images(spec, 4)
    with torch.no_grad():
        logits = model(to_input(spec, images).double()).numpy()
    labels, taps = loaded(model).run(images)
    np.testing.assert_array_equal(labels, logits.argmax(axis=1))
    assert [values.shape[1] for name, values in taps.items() if "buffer" in name] == [
        128 * 32 * 32, 128 * 16 * 16, 256 * 16 * 16, 256 * 8 * 8, 512 * 8 * 8, 512 * 4 * 4,
        1024, 1024,
    ]  # fmt: skip
    assert all(matrix.bias is None for matrix in model.matrices())


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_round_trip(bits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = dataclasses.replace(TINY, bits=bits)
    monkeypatch.setitem(zoo.NETWORKS, spec.name, spec)
    model = spread(spec, 32).float()
    images = random_images(spec, 50)
    store.save_trained(model, images, np.zeros(50, np.uint8), {}, tmp_path)
    back = store.load_trained(spec.name, tmp_path)
    assert store.pack(back) == store.pack(model)
    np.testing.assert_array_equal(predict(back, images), predict(model, images))
    other = dataclasses.replace(spec, bits=24 - bits if bits < 32 else 8)
    with pytest.raises(ValueError, match=r"tensor layers\.0\.weight_codes is missing, or not"):
        store.unpack(tmp_path / f"{spec.name}.safetensors", other)


def test_a_map_has_no_gradient_outside_its_range() -> None:
    model = FixedPointNetwork(TINY)
    rounding = next(step for step in model.steps if type(step).__name__ == "QuantIdentity")
    x = torch.tensor([-1.5, -0.3, 0.7, 1.5], requires_grad=True)
    rounding(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]
    matrix = model.matrices()[0]
    with torch.no_grad():
        matrix.weight.fill_(1.0)
    matrix.quant_weight().value.sum().backward()
    assert (matrix.weight.grad == 1).all()


def test_what_it_refuses(tmp_path: Path) -> None:
    model = FixedPointNetwork(dataclasses.replace(TINY, bits=16))
    pixels = to_input(TINY, random_images(TINY, 2))
    with pytest.raises(ValueError, match="holds no codes of 16 bits; train with --no-bfloat16"):
        model.training_logits(pixels, bfloat16=True)
    memories = ErrorProneMemories({}, {}, "flip", 1)
    with pytest.raises(ValueError, match="only binary networks are trained with errors"):
        model.training_logits(pixels, bfloat16=False, memories=memories)
    with pytest.raises(ValueError, match="vgg-fxp8-cifar10 is not wholly binary"):
        export("vgg-fxp8-cifar10", tmp_path / "model.onnx", untrained_seed=1)
    assert not list(tmp_path.iterdir())
