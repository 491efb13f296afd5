"""The HLS kernels, by C simulation: as the emulator and as the models of the RTL's benches."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from spinflow.hls.kernels import csim, vectors
from spinflow.hls.kernels.catalogue import FOLDER, KERNELS
from spinflow.hls.paths import REPO, BuildError
from spinflow.host.core import description
from spinflow.host.core.description import MemoryInfo
from spinflow.host.core.memory import MODES
from spinflow.host.core.memory import Counts as HostCounts
from spinflow.sim.emulator import EmulatedMemory
from spinflow.sim.emulator.layers import KINDS, Place
from tests.hls.kernels import EACH, IDS, Row, Simulated, signed, simulated, split
from tests.hw import models


def bits_of(words: list[int], width: int) -> np.ndarray:
    """The bits of words, uint8 (words, width)."""
    return np.array([models.bits(word, width) for word in words], np.uint8)


def words_of(bits: np.ndarray) -> list[int]:
    """The words of bits (words, width)."""
    return [models.word_of(row) for row in bits.tolist()]


def stage(layer: Any, source: tuple[int, ...], arrays: dict[str, Any], *memories: Any) -> Any:
    """A layer of the emulator at work."""
    return KINDS.of(type(layer), layer.name)(layer, Place(source, arrays, memories))


def check_xnor_popcount(run: Simulated) -> None:
    mask = (1 << run.parameters["Width"]) - 1
    for row, found in run.cases():
        a, b = (models.bits(word & mask, run.parameters["Width"]) for word in row.rest())
        assert found == models.popcount_layer(a, [b], None)


def check_binary_mvu(run: Simulated) -> None:
    of = run.parameters
    mw, mh, pe, simd = of["Mw"], of["Mh"], of["Pe"], of["Simd"]
    pixels, threshold, depth = of["InBits"] == 8, bool(of["HasThreshold"]), mw // simd * (mh // pe)
    limits = list(run.vectors.tables["THRESHOLDS"])
    memory = EmulatedMemory(MemoryInfo(0, "fc0.weights", "weights", 0, pe * simd, depth))
    layer = description.Product(
        "fc0", mw, mh, pe, simd, pixels, threshold, None, (1, 1, mh), 0, None
    )
    emulated = stage(layer, (mw,), {"threshold.0": np.array(limits)}, memory)
    model = models.pixel_layer if pixels else models.popcount_layer
    for row, words in run.cases():
        stored = row.take(depth)
        frame = split(row.rest(), of["InBits"], simd)
        found = split(words, of["OutBits"], pe)
        if pixels and not threshold:
            found = [signed(number, of["OutBits"]) for number in found]
        memory.bits = bits_of(stored, pe * simd)
        emulated.prepare()
        assert found == emulated.compute(np.array([frame], np.uint8))[0].tolist()
        rows = [
            [stored[o // pe * (mw // simd) + i // simd] >> o % pe * simd + i % simd & 1
             for i in range(mw)] for o in range(mh)
        ]  # fmt: skip
        assert found == model(frame, rows, limits if threshold else None)


def check_bin_maxpool(run: Simulated) -> None:
    of = run.parameters
    size, folds, pe = of["Size"], of["Folds"], of["Pe"]
    shape = (of["Rows"] // size, of["Columns"] // size, folds * pe)
    layer = description.MaxPool("pool0", size, shape, None)
    emulated = stage(layer, (of["Rows"], of["Columns"], folds * pe), {})
    mask = (1 << pe) - 1
    for row, found in run.cases():
        words = row.rest()
        taken = np.array(split(words, 1, pe), np.uint8)[None]
        assert split(found, 1, pe) == emulated.compute(taken)[0].tolist()
        for fold in range(folds):
            plane = [word & mask for word in words[fold::folds]]
            columns = of["Columns"]
            lines = [plane[at : at + columns] for at in range(0, len(plane), columns)]
            pooled = models.max_pool(lines, size)
            assert found[fold::folds] == [word for line in pooled for word in line]


def check_label_select(run: Simulated) -> None:
    of = run.parameters
    emulated = stage(description.LabelSelect("label", of["Labels"], False), (of["Labels"],), {})
    for row, found in run.cases():
        scores = split(row.rest(), of["InBits"], of["Pe"])
        assert found == emulated.compute(np.array([scores]))[0].tolist()
        assert found == [scores.index(max(scores))]


def check_draw_block(run: Simulated) -> None:
    seed, block = vectors._ALL_ONES
    assert models.ALWAYS in [models.draw(seed, 8 * block + n) for n in range(8)]
    for row, found in run.cases():
        seed, block, rate1, rate0 = row.rest()
        on1, on0 = models.block_hits(models.Config(models.FLIP, rate1, rate0, seed), block)
        assert found == [on0 << 8 | on1]


def begin(row: Row, model: Any, emulated: EmulatedMemory) -> None:
    """Give a command and the registers of a case to a model and an emulated memory."""
    command, mode, rate1, rate0, seed = row.take(5)
    if command & vectors.SOFT_RESET:
        emulated.soft_reset()
        if isinstance(model, models.Buffer):
            model.reset()
    if command & (vectors.CLEAR | vectors.SOFT_RESET):
        emulated.counts, model.counts = HostCounts(), models.Counts()
    if command & (vectors.RESTART | vectors.SOFT_RESET):
        emulated.set_errors(MODES[mode], rate1, rate0, seed)
        model.stream.restart(models.Config(mode, rate1, rate0, seed))


def counters(counts: Any) -> list[int]:
    return [counts.written, counts.switched, counts.err1, counts.err0]


def check_buffer_mem(run: Simulated) -> None:
    width, depth = run.parameters["Width"], run.parameters["Depth"]
    emulated = EmulatedMemory(MemoryInfo(0, "fc0.buffer", "buffer", 0, width, depth))
    model = models.Buffer(width, depth)
    errors = set()
    for row, found in run.cases():
        begin(row, model, emulated)
        target = [word & (1 << width) - 1 for word in row.rest()]
        by_model = [model.write(word) for word in target]
        assert found == by_model + counters(model.counts)
        by_emulator = words_of(emulated.write(bits_of(target, width)))
        assert found == by_emulator + counters(emulated.counts)
        if by_model != target:
            errors.add(emulated.mode)
    assert errors == {"flip", "switch"}


def check_weight_mem(run: Simulated) -> None:
    width, depth = run.parameters["Width"], run.parameters["Depth"]
    emulated = EmulatedMemory(MemoryInfo(0, "fc0.weights", "weights", 0, width, depth))
    model = models.Weights(width, depth)
    in_order = [(word, segment) for word in range(depth) for segment in range(model.segments)]
    whole = 0
    for row, found in run.cases():
        begin(row, model, emulated)
        # A host writes all of a memory in order; single accesses the emulator takes from the model.
        (count,) = row.take(1)
        accesses = row.rest()
        places = [(access >> 32 & 0xFFFF, access >> 48 & 0xFF) for access in accesses]
        emulated.bits = bits_of(model.words, width)
        emulated.position = model.stream.position
        answers = []
        for access, (word, segment) in zip(accesses, places, strict=True):
            there = word < depth and segment < model.segments
            if there and access >> 56:
                model.write(word, segment, access & models.MASK32)
            answers.append(model.read(word, segment) if there else 0)
        assert len(answers) == count
        assert found == answers + counters(model.counts) + model.words
        if places == in_order and all(access >> 56 for access in accesses):
            whole += 1
            target = np.zeros((depth, model.segments), np.uint32)
            for access, place in zip(accesses, places, strict=True):
                target[place] = access & models.MASK32
            emulated.counts = HostCounts()
            stored = emulated.write(vectors_bits(target, width))
            assert found[-depth:] == words_of(stored)
    assert whole > 20


def vectors_bits(segments: np.ndarray, width: int) -> np.ndarray:
    """Words of segments as bits, as a host writes them."""
    from spinflow.host.core.packing import bits_of as of_segments

    return of_segments(segments, width)


CHECKS = {name.removeprefix("check_"): f for name, f in globals().items() if name[:6] == "check_"}


def test_every_kernel_is_simulated() -> None:
    assert set(CHECKS) == set(KERNELS) == {name for name, _ in EACH}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), EACH, ids=IDS)
def test_as_emulator_and_models(name: str, words: str, tmp_path: Path) -> None:
    """200 random cases; a memory's go on from each other, in all modes."""
    CHECKS[name](simulated(name, words, tmp_path))


class Mutant(NamedTuple):
    """A wrong variant of a kernel: a piece of text of a file that becomes another."""

    kernel: str
    file: str
    old: str
    new: str


MUTANTS = [
    Mutant("xnor_popcount", "xnor_popcount.hpp", "~(a ^ b)", "(a ^ b)"),
    Mutant("xnor_popcount", "words.hpp", "i < Width", "i < Width - 1"),
    Mutant("binary_mvu", "binary_mvu.hpp", "] >= thresholds", "] > thresholds"),
    Mutant("binary_mvu", "binary_mvu.hpp", "nf * Pe + p]", "nf * Pe]"),
    Mutant("binary_mvu", "binary_mvu.hpp", "x = kept[sf];", "x = kept[0];"),
    Mutant("bin_maxpool", "bin_maxpool.hpp", "line[place] | in_row", "line[place] & in_row"),
    Mutant("bin_maxpool", "bin_maxpool.hpp", "y == 0 ? in_row", "x == 0 ? in_row"),
    Mutant("label_select", "label_select.hpp", "score > best_score", "score >= best_score"),
    Mutant("draw_block", "random_stream.hpp", "draw < threshold", "draw <= threshold"),
    Mutant("draw_block", "random_stream.hpp", "|| threshold == 0xFFFFFFFFu", ""),
    Mutant("draw_block", "random_stream.hpp", "round <= 8", "round <= 7"),
    Mutant("draw_block", "random_stream.hpp", "(ap_uint<1>(1), of_pair)", "of_pair"),
    Mutant("buffer_mem", "mram.hpp", "error = hit & switched", "error = hit & mask"),
    Mutant("buffer_mem", "mram.hpp", "(target & on1) | (~target & on0)", "(target & on1) | on0"),
    Mutant("buffer_mem", "buffer_mem.hpp", "wrapped ? words[address]", "true ? words[address]"),
    Mutant("buffer_mem", "buffer_mem.hpp", "drawn -= Width;", "drawn = 0;"),
    Mutant("buffer_mem", "buffer_mem.hpp", "address == Depth - 1 ? 0", "address == Depth ? 0"),
    Mutant("weight_mem", "weight_mem.hpp", "position++;", ""),
    Mutant("weight_mem", "weight_mem.hpp", "(word & others) |", ""),
    Mutant("weight_mem", "mram.hpp", "(target ^ error) & mask", "target ^ error"),
    Mutant("weight_mem", "weight_mem.hpp", "|| access.segment >= Segments", ""),
]


FULL = os.environ.get("SPINFLOW_FULL") == "1"
SAMPLE = MUTANTS if FULL else list({mutant.kernel: mutant for mutant in MUTANTS}.values())
"""All of them, or one of each kernel."""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", SAMPLE, ids=lambda m: f"{m.kernel}-{m.new}"[:40])
def test_a_wrong_kernel_fails(mutant: Mutant, tmp_path: Path) -> None:
    """It compiles, and a case tells."""
    sources = tmp_path / "kernels"
    shutil.copytree(FOLDER, sources, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    text = (sources / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    (sources / mutant.file).write_text(text.replace(mutant.old, mutant.new))
    kernel = KERNELS[mutant.kernel]
    words = {"weight_mem": ["Width=40"]}.get(mutant.kernel, [])
    parameters = kernel.parameters(words)
    csim.prepare(kernel, parameters, kernel.make(parameters, 200, 1), tmp_path)
    program = csim.compiled(kernel, tmp_path, sources)
    with pytest.raises(BuildError, match=r"case \d+: found [0-9a-f ]+, expected [0-9a-f ]+"):
        csim.run(program, tmp_path)


@pytest.mark.parametrize(
    ("name", "words", "complaint"),
    [
        ("binary_mvu", "Pe=3", "Simd 16 must divide Mw 64, and Pe 3 must divide Mh 16"),
        ("binary_mvu", "pe=2", "no parameter 'pe'; there are Mw, Mh, Pe"),
        ("binary_mvu", "Pe=0", "Pe=0: a whole number from 1 to 4096"),
        ("binary_mvu", "Pe=x", "Pe=x: a whole number"),
        ("binary_mvu", "Pe", "Pe=: a whole number"),
        ("binary_mvu", "InBits=2", "InBits 2 must be 1, for bits, or 8, for pixels"),
        ("binary_mvu", "OutBits=2", "OutBits 2 must be 1 with thresholds"),
        ("binary_mvu", "HasThreshold=0 OutBits=6", "is too few for its sums, which need 7"),
        ("bin_maxpool", "Size=8", "Size 8 must be at least 2 and fit into the map of 7 x 7"),
        ("bin_maxpool", "Columns=3 Folds=1", "a line of 3 words is too short, it needs 4"),
        ("label_select", "Pe=3", "Pe 3 must divide Labels 10"),
        ("buffer_mem", "Depth=1", "Depth 1 is below 2"),
        ("buffer_mem", "Width=256", "Width=256: a whole number from 1 to 255"),
    ],
)
def test_wrong_parameters_are_named(name: str, words: str, complaint: str) -> None:
    with pytest.raises(BuildError, match=re.escape(complaint)) as caught:
        KERNELS[name].parameters(words.split())
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


@pytest.mark.slow
def test_cases_of_ones_own(tmp_path: Path) -> None:
    """As a notebook gives them; and numbers that are too few or too many are said so."""
    kernel = KERNELS["label_select"]
    parameters = kernel.parameters(["Labels=4", "Pe=2", "InBits=8"])
    csim.prepare(kernel, parameters, kernel.make(parameters, 1, 1), tmp_path)
    program = csim.compiled(kernel, tmp_path)
    cases = [[0x0201, 0x0403], [0x0909, 0x0909], [0, 0x0100]]
    assert csim.answers(program, cases, tmp_path) == [[3], [0], [3]]
    for case, complaint in ([1], "too few"), ([1, 2, 3], "too many"):
        with pytest.raises(BuildError, match=f"case 1 has {complaint} numbers"):
            csim.answers(program, [cases[0], case], tmp_path)


def test_the_page_shows_the_sources() -> None:
    page = (REPO / "docs" / "hls-kernels.md").read_text()
    shown = dict(re.findall(r"^```(cpp|systemverilog)\n(.*?)^```", page, re.M | re.S))
    assert shown["cpp"] in (FOLDER / "label_select.hpp").read_text()
    assert shown["systemverilog"] in (REPO / "hw" / "rtl" / "label_select.sv").read_text()


def test_without_the_headers_it_says_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BuildError, match="they come with the package hls4ml, by make setup"):
        csim.headers()
