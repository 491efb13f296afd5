"""Write errors in training: where they are, how often, what the gradient makes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spinflow.model.data import Dataset
from spinflow.model.networks.base import to_input
from spinflow.model.networks.binary import BinaryNetwork
from spinflow.model.networks.build import build
from spinflow.model.networks.graph import Spec
from spinflow.model.training.losses import loss_of, margin_loss, mcel_loss
from spinflow.model.training.recipe import Recipe
from spinflow.model.training.write_errors import (
    ErrorProneMemories,
    Rate,
    Rates,
    map_names,
    parse_rates,
    weight_names,
)
from spinflow.model.zoo import network
from spinflow.sim.evaluator.network import of_model
from tests.model.conftest import COLOUR, TINY_CONV

NAMES = ["conv0", "fc0", "fc1"]


def same(one: float, zero: float | None = None) -> Rates:
    """Return fixed rates."""
    zero = one if zero is None else zero
    return Rates(Rate(one, one), Rate(zero, zero))


def memories(seed: int = 5, step: int = 0, part: int = 0, **options: Any) -> ErrorProneMemories:
    """Return memories within a step; by default every layer errs at 0.1."""
    rates = dict.fromkeys(NAMES, same(0.1))
    chosen = {"weights": rates, "maps": rates, "mode": "flip", **options}
    made = ErrorProneMemories(**chosen, seed=seed, part=part)
    made.begin(step)
    return made


def random_bits(*shape: int, share: float = 0.5) -> Tensor:
    """Return +1 and -1."""
    return (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < share) * 2.0 - 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", {}),
        ("1e-2", dict.fromkeys(NAMES, same(0.01))),
        ("1/0", dict.fromkeys(NAMES, same(1.0, 0.0))),
        ("fc1=0.1,conv0=0", {"fc1": same(0.1)}),
        ("fc0=1e-3:0.1", {"fc0": Rates(Rate(1e-3, 0.1), Rate(1e-3, 0.1))}),
        ("fc0=1e-3:0.1/0.5,fc1=1", {"fc0": Rates(Rate(1e-3, 0.1), Rate(0.5, 0.5)), "fc1": same(1)}),
    ],
)
def test_forms_of_rates(text: str, expected: dict[str, Rates]) -> None:
    assert parse_rates(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no rate, valid: 0 to 1, or LOW:HIGH"),
        ("often", "'often' is no rate"),
        ("0.1/", "'' is no rate"),
        ("1.5", "the rate 1.5 is out of range, valid: 0 to 1"),
        ("-0.1", "the rate -0.1 is out of range"),
        ("nan", "the rate nan is out of range"),
        ("0:0.1", "0:0.1 is no range, valid: LOW:HIGH with 0 < LOW < HIGH"),
        ("0.1:0.01", "0.1:0.01 is no range"),
        ("0.1:0.2:0.3", "'0.1:0.2:0.3' is no rate"),
        ("fc7=0.1", "unknown layer 'fc7'; known: conv0, fc0, fc1"),
        ("fc0=0.1,0.2", "unknown layer '0.2'"),
        ("fc0=0.1,fc0=0.2", "layer fc0 is named twice"),
    ],
)
def test_rates_refuse(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as refused:
        parse_rates(text, NAMES)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "spec", [COLOUR, *(network(name) for name in ("mlp-mnist", "lenet-mnist"))]
)
def test_memories_are_those_of_the_evaluator(spec: Spec) -> None:
    layers = of_model(build(spec)).layers
    assert weight_names(spec) == [layer.name for layer in layers if hasattr(layer, "weights")]
    assert map_names(spec) == [layer.name for layer in layers if getattr(layer, "buffer", False)]


def test_every_memory_is_passed_in_order(tiny_spec: Spec, small: Dataset) -> None:
    """Weights before their map, and a map after its pool."""
    seen: list[tuple[str, str, tuple[int, ...]]] = []

    class Notes:
        def weights(self, name: str, written: Tensor) -> Tensor:
            seen.append(("weights", name, tuple(written.shape[:1])))
            assert set(written.unique().tolist()) == {-1.0, 1.0}
            return written

        def hidden_map(self, name: str, written: Tensor) -> Tensor:
            seen.append(("map", name, tuple(written.shape)))
            assert set(written.unique().tolist()) == {-1.0, 1.0}
            return written

    pixels = to_input(tiny_spec, small.train_images[:6])
    build(tiny_spec).training_logits(pixels, False, Notes())
    if tiny_spec == TINY_CONV:
        assert seen == [
            ("weights", "conv0", (4,)), ("map", "pool0", (6, 4, 12, 12)),
            ("weights", "conv1", (8,)), ("map", "pool1", (6, 8, 4, 4)),
            ("weights", "fc0", (24,)), ("map", "fc0", (6, 24)), ("weights", "fc1", (10,)),
        ]  # fmt: skip
    else:
        assert seen == [
            ("weights", "fc0", (24,)), ("map", "fc0", (6, 24)),
            ("weights", "fc1", (16,)), ("map", "fc1", (6, 16)), ("weights", "fc2", (10,)),
        ]  # fmt: skip


def logits_and_gradients(
    model: BinaryNetwork, pixels: Tensor, through: ErrorProneMemories | None
) -> list[Tensor]:
    """Return the logits of train mode, and the gradients of all weights."""
    model.zero_grad()
    logits = model.training_logits(pixels, True, through)
    (logits[:, 1:] ** 2).mean().backward()
    return [logits.detach(), *(matrix.weight.grad.clone() for matrix in model.matrices())]


def test_memories_without_errors_change_nothing(tiny_spec: Spec, small: Dataset) -> None:
    torch.manual_seed(3)
    model = build(tiny_spec)
    pixels = to_input(tiny_spec, small.train_images[:32])
    seen = [
        logits_and_gradients(model, pixels, through)
        for through in (None, memories(weights={}, maps={}))
    ]
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))


@pytest.mark.parametrize("kind", ["weights", "maps"])
def test_an_error_is_the_other_bit(tiny_spec: Spec, small: Dataset, kind: str) -> None:
    """All bits of the last weights, or of the last map, turn the sign of every logit."""
    torch.manual_seed(3)
    model = build(tiny_spec)
    pixels = to_input(tiny_spec, small.train_images[:32])
    last = {"weights": weight_names(tiny_spec)[-1], "maps": map_names(tiny_spec)[-1]}[kind]
    rates: dict[str, Any] = {"weights": {}, "maps": {}, kind: {last: same(1.0)}}
    plain = logits_and_gradients(model, pixels, None)
    wrong = logits_and_gradients(model, pixels, memories(**rates))
    torch.testing.assert_close(wrong[0], -plain[0])


@pytest.mark.parametrize("kind", ["weights", "hidden_map"])
@pytest.mark.parametrize(("one", "zero"), [(0.1, 0.1), (0.3, 0.01), (0.0, 0.2), (1.0, 0.5)])
def test_shares_of_flips(kind: str, one: float, zero: float) -> None:
    """Exact binomial bounds of 5 deviations, both directions."""
    rates = {"fc0": same(one, zero)}
    written = random_bits(200, 1000, share=0.3)
    read = getattr(memories(weights=rates, maps=rates), kind)("fc0", written)
    assert set(read.unique().tolist()) == {-1.0, 1.0}
    for bit, rate in ((1.0, one), (-1.0, zero)):
        of_bit = read[written == bit]
        deviation = math.sqrt(rate * (1 - rate) / len(of_bit))
        assert abs(float((of_bit != bit).float().mean()) - rate) <= 5 * deviation


def test_switched_weights_err_at_half_the_rate() -> None:
    written = random_bits(200, 1000, share=0.3)
    made = memories(weights={"fc0": same(0.4, 0.1)}, mode="switch")
    read = made.weights("fc0", written)
    for bit, rate in ((1.0, 0.2), (-1.0, 0.05)):
        of_bit = read[written == bit]
        deviation = math.sqrt(rate * (1 - rate) / len(of_bit))
        assert abs(float((of_bit != bit).float().mean()) - rate) <= 5 * deviation


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_switched_maps_are_those_of_the_contracts(dtype: torch.dtype) -> None:
    """stored = old if (hit and target != old) else target, image after image, old 0 at first."""
    rates = {"pool0": same(0.6, 0.3)}
    written = random_bits(40, 3, 5, 4).to(dtype).contiguous(memory_format=torch.channels_last)
    hit = memories(maps=rates).hidden_map("pool0", written) != written
    read = memories(maps=rates, mode="switch").hidden_map("pool0", written)
    old = np.zeros((3, 5, 4), bool)
    for image in range(len(written)):
        target = written[image].float().numpy() > 0
        old = np.where(hit[image].numpy() & (target != old), old, target)
        np.testing.assert_array_equal(read[image].float().numpy() > 0, old)


def test_gradient_passes_as_if_written_right() -> None:
    """Straight through the error to the bit; the product has the bit that was read."""
    for mode in ("flip", "switch"):
        made = memories(mode=mode)
        weight, bits = random_bits(7, 30).requires_grad_(), random_bits(20, 30).requires_grad_()
        stored_weight, stored = made.weights("fc0", weight), made.hidden_map("fc0", bits)
        assert not torch.equal(stored_weight, weight) and not torch.equal(stored, bits)
        upstream = torch.randn(20, 7, generator=torch.Generator().manual_seed(2))
        (stored @ stored_weight.T).backward(upstream)
        assert weight.grad is not None and bits.grad is not None
        torch.testing.assert_close(weight.grad, upstream.T @ stored.detach())
        torch.testing.assert_close(bits.grad, upstream @ stored_weight.detach())


def test_errors_are_a_function_of_seed_step_and_part() -> None:
    written = random_bits(50, 40)

    def errors(**options: int) -> tuple[bytes, bytes]:
        made = memories(**options)
        read = made.weights("fc0", written), made.hidden_map("fc0", written)
        return read[0].numpy().tobytes(), read[1].numpy().tobytes()

    weights, maps = errors()
    # Not even the first part's maps may have the errors of the weights.
    assert weights != maps and errors() == (weights, maps)
    for other in ({"seed": 6}, {"step": 1}):
        assert errors(**other)[0] != weights and errors(**other)[1] != maps
    assert errors(part=1)[0] == weights and errors(part=1)[1] != maps


def test_layers_have_errors_of_their_own_and_others_none() -> None:
    written = random_bits(50, 40)
    made = memories(weights={"fc0": same(0.2), "fc1": same(0.2)})
    first, second = made.weights("fc0", written), made.weights("fc1", written)
    assert not torch.equal(first, second)
    assert made.weights("conv0", written) is written


def test_a_drawn_rate_is_log_uniform_and_common_to_all_memories() -> None:
    wide = Rates(Rate(1e-3, 0.5), Rate(1e-2, 1e-1))
    made = memories(weights={"fc0": wide}, maps={"fc0": wide})
    written = random_bits(100, 200)
    places: list[list[float]] = []
    for step in range(200):
        made.begin(step)
        found = []
        for read in (made.weights("fc0", written), made.hidden_map("fc0", written)):
            rate = float((read != written)[written == 1].float().mean())
            found.append(math.log(max(rate, 1e-4) / 1e-3) / math.log(0.5 / 1e-3))
        places.append(found)
    of_weights, of_maps = np.transpose(places)
    # Kolmogorov-Smirnov at the level 0.001.
    steps = (np.arange(200) + 0.5) / 200
    assert np.abs(np.sort(of_weights) - steps).max() < 1.95 / math.sqrt(200)
    assert np.corrcoef(of_weights, of_maps)[0, 1] > 0.95
    assert [wide.zero.at(u) for u in (0.0, 0.5, 1.0)] == pytest.approx([1e-2, 10**-1.5, 1e-1])


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="no error mode 'stuck'; the modes are flip, switch"):
        memories(mode="stuck")


def test_margin_loss() -> None:
    """max(0, b - y s) / b by hand: right 1 and wrong 2 short of the margin, then all beyond it."""
    sums = torch.tensor([[6.0, -4.0, 2.0], [-8.0, 10.0, -9.0]], requires_grad=True)
    loss = margin_loss(sums, torch.tensor([0, 1]), 8.0)
    assert loss.item() == pytest.approx((2 + 4 + 10) / 8 / 6)
    loss.backward()
    assert sums.grad is not None
    expected = torch.tensor([[-1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]) / 8 / 6
    torch.testing.assert_close(sums.grad, expected)


def test_mcel() -> None:
    """Two images by hand, L = 4 and m = 1: logits 4 tanh(y / 4), the right one less 1."""
    logits = torch.tensor([[2.0, 1.0, -2.0], [0.0, 40.0, 4.0]])
    high, low, far, clamped = 1.8484686, 0.9796746, 3.0463766, 4.0
    first = math.log(math.exp(high - 1) + math.exp(low) + math.exp(-high)) - (high - 1)
    second = math.log(1.0 + math.exp(clamped) + math.exp(far - 1)) - (far - 1)
    loss = mcel_loss(logits, torch.tensor([0, 2]), 1.0, 4.0)
    assert loss.item() == pytest.approx((first + second) / 2, rel=1e-5)


def test_mcel_without_its_parts_is_cross_entropy() -> None:
    logits, labels = torch.tensor([[0.3, -0.2], [1.0, 2.0]]), torch.tensor([0, 1])
    plain = torch.nn.functional.cross_entropy(logits, labels)
    assert mcel_loss(logits, labels, 1e-6, 1e4).item() == pytest.approx(plain.item(), rel=1e-5)


def test_mcel_is_held_by_its_clamp() -> None:
    """All logits lower alike: without a clamp the loss would stay; at L its gradient goes."""
    labels = torch.tensor([0])
    near, low = (
        mcel_loss(torch.tensor([[3.0 - shift, 0.0 - shift]]), labels, 2.0, 10.0) for shift in (0, 9)
    )
    assert low.item() > near.item() + 0.1
    logits = torch.tensor([[80.0, -80.0]], requires_grad=True)
    mcel_loss(logits, labels, 19.0, 10.0).backward()
    assert logits.grad is not None and float(logits.grad.abs().max()) < 1e-5


def test_a_recipe_takes_mcel_in_logits(tiny_spec: Spec) -> None:
    recipe = Recipe(tiny_spec.name, loss="mcel", margin=9.0, clamp=50.0)
    logits, labels = torch.tensor([[3.0, 1.0]]), torch.tensor([1])
    expected = mcel_loss(logits, labels, 9.0, 50.0)
    assert loss_of(recipe, tiny_spec)(logits, labels).item() == expected.item()


def test_margin_is_in_bits_whatever_the_scale(tiny_spec: Spec) -> None:
    loss = loss_of(Recipe(tiny_spec.name, loss="margin", margin=9.0), tiny_spec)
    logits = torch.tensor([[6.0, -4.0] + [-20.0] * 8]) * tiny_spec.logit_scale
    assert loss(logits, torch.tensor([0])).item() == pytest.approx((3 + 5) / 9 / 10)
