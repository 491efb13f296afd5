"""The fast random stream against the hardware's: counts, places, polarity, old values, accuracy.

Every test has fixed seeds and a level of 1e-3 per comparison, so the suite is deterministic, and a
right stream would fail one comparison in a thousand had the seeds been drawn anew.
"""

import numpy as np
import pytest
from scipy import stats

from spinflow.host.core.description import MemoryInfo
from spinflow.model import data
from spinflow.sim.evaluator import Evaluator, Folding, Label, Linear, Network, PixelThreshold
from spinflow.sim.evaluator.memory import PackedMemory, Workers
from tests.sim.steps import rate

LEVEL = 1e-3
TRIALS = 240
BITS = 40_000
RATES = [1e-4, 1e-3, 0.01, 0.05, 0.0625, 0.07, 0.2, 0.5, 0.9]


def memory(stream: str, bits: int = BITS, index: int = 0) -> PackedMemory:
    entry = MemoryInfo(index, "m", "buffer", 0, width=1, depth=bits)
    return PackedMemory(entry, stream, Workers(1))


def written(
    stream: str,
    seed: int,
    target: np.ndarray,
    *,
    mode: str = "flip",
    rates: tuple[float, float] = (0.01, 0.01),
    old: np.ndarray | None = None,
    index: int = 0,
) -> np.ndarray:
    """What a memory holds after a write of target bits over old ones."""
    cells = memory(stream, target.size, index)
    for values, errors in ((old, "off"), (target, mode)):
        if values is None:
            continue
        cells.set_errors(errors, rate(rates[0]), rate(rates[1]), seed)
        line = np.zeros(-(-target.size // 64) + 1, np.uint64)
        packed = np.packbits(values, bitorder="little")
        line.view(np.uint8)[: packed.size] = packed
        cells.write(line, target.size)
        cells.settle(target.size)
    return cells.bits[:, 0]


@pytest.mark.parametrize("probability", RATES)
def test_counts_and_places(probability: float) -> None:
    """Counts are binomial (chi-square of the variance, z of the mean), places uniform (KS)."""
    target = np.random.default_rng(1).integers(0, 2, BITS, dtype=np.uint8)
    for stream in ("hardware", "fast"):
        errors = [
            written(stream, seed, target, rates=(probability,) * 2) ^ target
            for seed in range(TRIALS)
        ]
        counts = np.array([int(error.sum()) for error in errors])
        mean, variance = BITS * probability, BITS * probability * (1 - probability)
        z = (counts.mean() - mean) / np.sqrt(variance / TRIALS)
        assert 2 * stats.norm.sf(abs(z)) > LEVEL, (stream, counts.mean(), mean)
        spread = ((counts - mean) ** 2).sum() / variance
        tail = stats.chi2.cdf(spread, TRIALS)
        assert LEVEL / 2 < tail < 1 - LEVEL / 2, (stream, counts.var(), variance)
        some = errors[: max(1, int(200_000 / mean))]  # enough, and whole trials
        places = np.concatenate([np.flatnonzero(error) for error in some])
        uniform = (places + 0.5) / BITS
        assert stats.kstest(uniform, "uniform").pvalue > LEVEL, stream
        # Between neighbours too: the gaps are geometric.
        gaps = np.concatenate([np.diff(np.flatnonzero(error)) for error in errors[:40]])
        if probability >= 1e-3:
            edges = np.unique(stats.geom.ppf(np.linspace(0, 1, 11)[1:-1], probability))
            cells = np.concatenate([[0], stats.geom.cdf(edges, probability), [1]])
            observed = np.bincount(np.searchsorted(edges, gaps), minlength=len(edges) + 1)
            # A gap that ends the memory is cut off, which favours short ones a little.
            expected = np.diff(cells) * len(gaps)
            assert stats.chisquare(observed, expected).pvalue > LEVEL / 10, stream


@pytest.mark.parametrize("mode", ["flip", "switch"])
@pytest.mark.parametrize("rates", [(0.02, 0.002), (0.0, 0.03), (0.3, 0.02), (0.15, 0.4)])
def test_polarity(mode: str, rates: tuple[float, float]) -> None:
    """Errors by (target, old) in both streams: each a binomial of its own rate, exact tests."""
    generator = np.random.default_rng(2)
    target, old = generator.integers(0, 2, (2, BITS), dtype=np.uint8)
    for stream in ("hardware", "fast"):
        wrong = np.zeros((2, 2), np.int64)
        for seed in range(TRIALS):
            error = written(stream, seed, target, mode=mode, rates=rates, old=old) != target
            for t in (0, 1):
                for o in (0, 1):
                    wrong[t, o] += int(error[(target == t) & (old == o)].sum())
        for t in (0, 1):
            for o in (0, 1):
                bits = TRIALS * int(((target == t) & (old == o)).sum())
                expected = 0.0 if mode == "switch" and t == o else rates[1 - t]
                if expected == 0:
                    assert wrong[t, o] == 0
                else:
                    p = stats.binomtest(int(wrong[t, o]), bits, expected).pvalue
                    assert p > LEVEL, (stream, t, o, wrong[t, o] / bits, expected)


def test_ends_of_the_range() -> None:
    target = np.random.default_rng(3).integers(0, 2, 1000, dtype=np.uint8)
    assert (written("fast", 1, target, rates=(1.0, 1.0)) == 1 - target).all()
    assert (written("fast", 1, target, rates=(0.0, 0.0)) == target).all()
    stored = written("fast", 1, target, rates=(0.0, 1.0))
    assert (stored == 1).all()
    # The rarest: about one in 2^32, so that a few million bits hold none or one.
    rare = written("fast", 5, np.zeros(2_000_000, np.uint8), rates=(2.0**-32,) * 2)
    assert rare.sum() <= 1


def test_lower_rates_err_in_a_subset() -> None:
    """As with the hardware's stream, so that curves over the rate are paired comparisons."""
    target = np.zeros(BITS, np.uint8)
    for seed in range(5):
        last = np.zeros(BITS, bool)
        for probability in (1e-4, 3e-4, 1e-3, 4e-3, 0.03, 0.06, 0.0625, 0.1, 0.3, 0.8, 1.0):
            errors = written("fast", seed, target, rates=(probability,) * 2) == 1
            assert (errors[last]).all()
            last = errors


def test_streams_of_other_seeds_memories_and_blocks_are_independent() -> None:
    """The overlap of two error sets is hypergeometric: two-sided tails."""
    bits = 1 << 18  # four blocks of the fast stream
    target = np.zeros(bits, np.uint8)
    for probability in (0.01, 0.1):
        rates = (probability, probability)
        base = written("fast", 1, target, rates=rates)
        others = [written("fast", 2, target, rates=rates)]
        others.append(written("fast", 1, target, rates=rates, index=1))
        others += [np.roll(base, shift) for shift in (1, 2, 32, 64, 1 << 16, 2 << 16)]
        for other in others:
            overlap = int((base & other).sum())
            law = stats.hypergeom(bits, int(base.sum()), int(other.sum()))
            assert min(law.cdf(overlap), law.sf(overlap - 1)) > LEVEL / 2


def test_positions_go_on() -> None:
    """Two writes draw other errors; set_errors starts again."""
    cells = memory("fast")
    line = np.zeros(BITS // 64 + 1, np.uint64)
    seen = []
    for restart in (True, False, True):
        if restart:
            cells.set_errors("flip", rate(0.1), rate(0.1), 3)
        cells.write(line, BITS)
        cells.settle(BITS)
        seen.append(cells.bits.copy())
    assert (seen[0] == seen[2]).all()
    law = stats.hypergeom(BITS, int(seen[0].sum()), int(seen[1].sum()))
    overlap = int((seen[0] & seen[1]).sum())
    assert min(law.cdf(overlap), law.sf(overlap - 1)) > LEVEL / 2


@pytest.mark.parametrize(
    "kind, mode, probability", [("weights", "flip", 0.05), ("buffer", "switch", 0.1)]
)
def test_accuracy(kind: str, mode: str, probability: float) -> None:
    """Accuracies and error counts over 240 trials: two-sample KS and Mann-Whitney."""
    test_set = data.mnist()
    images, labels = test_set.test_images[:1000], test_set.test_labels[:1000]
    found = {}
    for stream in ("hardware", "fast"):
        evaluator = Evaluator.from_network("tfc-mnist", stream=stream)
        weights = [m for m in evaluator.memories if m.kind == "weights"]
        accuracies, counts = [], []
        for trial in range(TRIALS):
            evaluator.soft_reset()
            for cells in weights:
                evaluator.set_errors(cells.index, "off", 0, 0, 0)
                shape = evaluator.weights(cells.layer).shape
                evaluator.write_weights(cells.index, np.zeros(shape, np.uint32))
            evaluator.clear()
            for cells in evaluator.memories:
                if cells.kind == kind:
                    seed = 977 * trial + cells.index
                    evaluator.set_errors(
                        cells.index, mode, rate(probability), rate(probability), seed
                    )
            for cells in weights:
                evaluator.write_weights(cells.index, evaluator.weights(cells.layer))
            answer, _ = evaluator.run(images, taps=False)
            accuracies.append(float((answer == labels).mean()))
            counted = [evaluator.counters(m.index) for m in evaluator.memories]
            counts.append(sum(c.err1 + c.err0 for c in counted))
        found[stream] = np.array(accuracies), np.array(counts)
    for a, b in zip(found["hardware"], found["fast"], strict=True):
        assert a.std() > 0
        assert stats.ks_2samp(a, b).pvalue > LEVEL
        assert stats.mannwhitneyu(a, b).pvalue > LEVEL


def test_switch_in_a_buffer_looks_one_depth_back() -> None:
    """With every needed switch failing, a buffer keeps its first content, zeros."""
    generator = np.random.default_rng(4)
    layers = (
        PixelThreshold(128),
        Linear("a", generator.integers(0, 2, (64, 64)), np.full(64, 32), buffer=True),
        Linear("b", generator.integers(0, 2, (4, 64)), folding=Folding(1, 64)),
        Label(),
    )
    images = generator.integers(0, 256, (50, 64), dtype=np.uint8)
    for stream in ("hardware", "fast"):
        evaluator = Evaluator.from_network(Network("n", (64,), layers), stream=stream)
        evaluator.set_errors(2, "switch", 0xFFFFFFFF, 0xFFFFFFFF, 1)
        _, taps = evaluator.run(images)
        assert taps["a"].any() and not taps["a.buffer"].any()
        evaluator.soft_reset()
        evaluator.set_errors(2, "switch", 0, 0xFFFFFFFF, 1)  # a 0 is never written over a 1
        _, taps = evaluator.run(images)
        assert (taps["a.buffer"] == np.logical_or.accumulate(taps["a"] == 1, axis=0)).all()
