"""The folding meets its target at the least cost, and refuses what cannot be met."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import pytest

from spinflow.hls.cost import BOARD_SHELL, FILL, Cost, block_ram, budget
from spinflow.hls.draws import LAPS
from spinflow.hls.folding import choose, cost_of, cycles_of, fastest
from spinflow.hls.paths import BuildError
from spinflow.hls.shapes import Folding, LayerShape, Window

PART = {"LUT": 53_200, "RAMB36": 140, "DSP48": 220}


def layers_of(*widths: int) -> list[LayerShape]:
    last = len(widths) - 2
    return [
        LayerShape(f"fc{i}", mw, mh, buffered=i < last)
        for i, (mw, mh) in enumerate(itertools.pairwise(widths))
    ]


def cnv() -> list[LayerShape]:
    return [
        LayerShape("conv0", 27, 64, True, Window(32, 32, 3, 3, 3), in_bits=8),
        LayerShape("conv1", 576, 64, True, Window(30, 30, 64, 3, 3), pool=2),
        LayerShape("conv2", 576, 128, True, Window(14, 14, 64, 3, 3)),
        LayerShape("conv3", 1152, 128, True, Window(12, 12, 128, 3, 3), pool=2),
        LayerShape("conv4", 1152, 256, True, Window(5, 5, 128, 3, 3)),
        LayerShape("conv5", 2304, 256, True, Window(3, 3, 256, 3, 3)),
        *layers_of(256, 512, 512, 10),
    ]


@pytest.mark.parametrize(
    ("widths", "cycles"), [((784, 1024, 1024, 10), 512), ((784, 1024, 1024, 10), 256)]
)
def test_a_perceptron_takes_what_its_target_says(widths, cycles):
    choice = choose(layers_of(*widths), widths[0], cycles, PART)
    assert choice.cycles_per_frame == cycles
    for layer in layers_of(*widths):
        folding = choice.layers[layer.name]
        assert folding.pe * folding.simd * cycles >= layer.mw * layer.mh


@pytest.mark.parametrize("cycles", [12, 16, 64, 100, 1000, 1 << 20])
def test_meets_the_target_and_the_rules(cycles):
    layers = layers_of(48, 60, 36, 10)
    check(layers, choose(layers, 48, cycles).layers, cycles)


@pytest.mark.parametrize("cycles", [4_096, 8_192, 16_384, 100_000])
def test_convolutions_meet_the_target_and_the_rules(cycles):
    choice = choose(cnv(), 3072, cycles)
    check(cnv(), choice.layers, cycles)
    assert choice.cycles_per_frame <= cycles


def check(layers, chosen, cycles):
    loads: dict[int, float] = {}
    for layer in layers:
        folding = chosen[layer.name]
        assert layer.mw % folding.simd == 0 and layer.mh % folding.pe == 0
        assert cycles_of(layer, folding) <= cycles
        if layer.window is not None:
            assert layer.window.channels % folding.window_simd == 0
            assert not folding.parallel or folding.window_simd == layer.window.channels
        if not layer.buffered:
            assert folding.ports == 0
            continue
        # The draws of a frame take no longer than the frame may, in any engine.
        draws = layer.windows // layer.pool**2 * layer.mh
        for port in range(folding.ports):
            engine = folding.engine + port
            loads[engine] = loads.get(engine, 0.0) + draws / 8 * LAPS / folding.ports
    assert max(loads.values()) <= cycles
    assert sorted(loads) == list(range(len(loads)))


def test_slower_is_smaller():
    sizes = [choose(cnv(), 3072, cycles).total["LUT"] for cycles in (8_192, 16_384, 65_536)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3


def test_a_window_slides_at_once_where_its_elements_take_too_long():
    layer = LayerShape("conv0", 25, 32, True, Window(28, 28, 1, 5, 5), in_bits=8)
    fast, slow = (choose([layer], 784, cycles).layers["conv0"] for cycles in (1_500, 15_000))
    assert fast.parallel and fast.simd == 25
    # 576 windows of 25 elements, one a cycle.
    assert cycles_of(layer, Folding(32, 1, window_simd=1)) == 576 * 25 + 4 * 28 + 5 - 25 + 2
    assert cycles_of(layer, slow) <= 15_000
    # As simulated: 117 pixels until the first window, 5 to begin a row, 2 cycles a window.
    assert cycles_of(layer, Folding(16, 25, window_simd=1, parallel=True)) == 1337


def test_what_leaving_out_padding_costs():
    """Next to nothing where folds are of one pixel, half a LUT a bit where they are of several."""
    plain = LayerShape("conv1", 576, 64, True, Window(32, 32, 64, 3, 3))
    padded = replace(plain, zero_padded=True)
    more = [
        cost_of(padded, folding).lut - cost_of(plain, folding).lut
        for folding in (Folding(32, 64, window_simd=64), Folding(8, 192, window_simd=64))
    ]
    # yosys: 13 and 813.
    assert 0 < more[0] < 100 and 700 < more[1] < 1000


def test_what_is_given_is_taken():
    given = {"conv1": {"PE": 32, "SIMD": 64}}
    choice = choose(cnv(), 3072, 16_384, given=given)
    assert (choice.layers["conv1"].pe, choice.layers["conv1"].simd) == (32, 64)
    slow = choose(layers_of(48, 24, 10), 48, 16, given={"fc0": {"PE": 1, "SIMD": 1}})
    assert slow.cycles_per_frame == 48 * 24


def test_the_layers_of_an_estimate_add_up_to_the_block_rams_of_all():
    given = {name: {"PE": 1, "SIMD": simd} for name, simd in (("fc0", 196), ("fc1", 16))}
    told = choose(layers_of(784, 64, 64, 64, 10), 784, 256, given=given).info()
    parts = {name: layer.estimate for name, layer in told.layers.items()}
    assert parts["fc1"]["RAMB36"] == 0.5 and isinstance(parts["fc1"]["LUT"], int)
    assert sum(part["RAMB36"] for part in parts.values()) == told.estimate["RAMB36"] == 4


def test_too_large_for_the_part_names_each_resource_and_by_how_much():
    part = {"LUT": 10_000, "RAMB36": 12, "DSP48": 0}
    with pytest.raises(BuildError) as caught:
        choose(cnv(), 3072, 8_192, part)
    message = str(caught.value)
    found = re.findall(r"(\d+) (LUT|RAMB36) of (\d+) \((\d+) too many\)", message)
    assert {name for _, name, _, _ in found} == {"LUT", "RAMB36"}
    for needed, name, had, over in found:
        assert int(had) == budget(part)[name] and int(needed) - int(had) == int(over) > 0


def test_block_ram_gives_way_to_luts_where_it_runs_out():
    plenty = choose(cnv(), 3072, 16_384, PART)
    scarce = choose(cnv(), 3072, 16_384, part_for(PART, RAMB36=plenty.total["RAMB36"] - 1))
    assert scarce.total["RAMB36"] < plenty.total["RAMB36"]
    assert scarce.total["LUT"] > plenty.total["LUT"]


@pytest.mark.parametrize(
    ("pixels", "cycles", "message"),
    [
        (784, 0, "at least 1, not 0"),
        (784, -5, "at least 1, not -5"),
        (784, 195, "784 pixels arrive in beats of 32 bits, in 196 cycles"),
        (783, 782, "783 pixels arrive 1 a cycle, since they do not fill beats of 32 bits, in 783"),
        (786, 392, "786 pixels arrive 2 a cycle, since they do not fill beats of 32 bits, in 393"),
    ],
)
def test_refuses(pixels, cycles, message):
    with pytest.raises(BuildError, match=re.escape(message)):
        choose(layers_of(pixels, 8, 4), pixels, cycles)


def test_a_convolution_that_cannot_be_so_fast_is_named():
    with pytest.raises(BuildError, match=r"800 cycles .* layer conv0 takes at least 18\d\d"):
        choose(cnv(), 3072, 800)


def part_for(part, **room):
    """Return a part whose budget of some resources is as given."""
    wanted = {name: math.ceil((count + BOARD_SHELL[name]) / FILL) for name, count in room.items()}
    assert all(budget(part | wanted)[name] == count for name, count in room.items())
    return part | wanted


def test_the_budget_leaves_room_for_the_shell_and_to_route():
    assert budget(PART) == {"LUT": 38_060, "RAMB36": 108, "DSP48": 176}
    assert budget({"LUT": 5_000, "RAMB36": 5, "DSP48": 0}) == {"LUT": 0, "RAMB36": 0, "DSP48": 0}


@pytest.mark.parametrize(
    ("width", "depth", "ramb36", "lut"),
    [
        *[(72, 512, 1, 0), (72, 300, 1, 0), (36, 512, 0.5, 0), (72, 4096, 8, 0)],
        (3, 1_146_880, 108, 3),  # in one piece Vivado takes 192 (AR 61995)
        (36, 40_960, 40, 36),  # in one piece 72 (UG906)
        (72, 1500, 3, 72),
        (72, 2000, 4, 0),  # two parts of 1024 words are no less than one of 2048
    ],
)
def test_depths_are_rounded_up_as_vivado_does(width, depth, ramb36, lut):
    assert block_ram(width, depth) == Cost(lut, ramb36)


def scaled(part, share):
    return {name: int(count * share) for name, count in part.items()}


@pytest.mark.parametrize(
    ("layers", "pixels"),
    [(cnv(), 3072), (layers_of(784, 1024, 1024, 10), 784), (layers_of(784, 307, 101, 10), 784)],
    ids=["cnv", "mlp", "primes"],
)
def test_the_fastest_leaves_room_and_no_faster_one_does(layers, pixels):
    found = fastest(layers, pixels, PART)
    assert all(found.total[name] <= most for name, most in budget(PART).items())
    assert found.cycles_per_frame <= found.target
    assert choose(layers, pixels, found.target, PART).layers == found.layers
    # Two percent, which is how finely targets are tried.
    with pytest.raises(BuildError):
        choose(layers, pixels, int(found.target * 0.97), PART)


def test_a_larger_part_is_never_slower():
    targets = [fastest(cnv(), 3072, scaled(PART, share)).target for share in (0.5, 1, 2, 4)]
    assert targets == sorted(targets, reverse=True) and len(set(targets)) == 4


@pytest.mark.parametrize(("pixels", "at_once"), [(784, 4), (594, 2), (593, 1)])
def test_no_target_is_faster_than_the_pixels_come(pixels, at_once):
    layers = layers_of(pixels, 32, 10)
    found = fastest(layers, pixels, PART)
    assert found.target == pixels // at_once
    assert choose(layers, pixels, found.target, PART).layers == found.layers


def test_what_leaves_no_room_is_refused():
    layers = layers_of(784, 1024, 1024, 10)
    needed = choose(layers, 784, 512).total
    part = part_for(PART, **needed)
    assert choose(layers, 784, 512, part).total == needed
    for name in "LUT", "RAMB36":
        with pytest.raises(BuildError, match=rf"{name} of .* 80% of the part .* shell"):
            choose(layers, 784, 512, part_for(PART, **needed | {name: needed[name] // 2}))


def test_what_never_fits_is_refused_with_the_remedy():
    with pytest.raises(BuildError, match=r"RAMB36 of 0 .* narrower layers make it smaller"):
        fastest(cnv(), 3072, PART | {"RAMB36": 1, "LUT": 5_000})


def test_the_fastest_keeps_what_is_given():
    given = {"fc0": {"PE": 2, "SIMD": 4}}
    found = fastest(layers_of(784, 64, 10), 784, PART, given)
    assert (found.layers["fc0"].pe, found.layers["fc0"].simd) == (2, 4)
    with pytest.raises(BuildError, match="names layer fc9"):
        fastest(layers_of(784, 64, 10), 784, PART, {"fc9": {"PE": 2, "SIMD": 4}})
