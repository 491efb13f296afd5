"""Depths of the buffers: found by simulation, kept by folding, used by the build."""

from __future__ import annotations

import json

import pytest

from spinflow.hls import build as hls_build
from spinflow.hls import depths
from spinflow.hls.folding import choose
from spinflow.hls.paths import BuildError
from spinflow.hls.shapes import Window
from spinflow.host.core.description import read
from spinflow.sim import depths as search
from tests.hls.test_folding import LayerShape, layers_of


@pytest.fixture
def choice():
    layers = [LayerShape("conv0", 9, 8, True, Window(8, 8, 1, 3, 3), in_bits=8)]
    return choose([*layers, *layers_of(288, 4)], 64, 300)


def test_the_table_is_read_by_network_and_folding(tmp_path, choice):
    table = tmp_path / "depths.json"
    assert depths.known("net", choice, table) is None
    entry = {"folding": depths.fingerprint(choice), "words": {"conv0": 7}, "cycles_per_frame": 290}
    folding = {**depths.fingerprint(choice), "fc0": "1x1"}
    other = {**entry, "folding": folding, "words": {"conv0": 9}}
    table.write_text(json.dumps({"net": [other, entry], "other": [other]}))
    assert depths.known("net", choice, table) == depths.Depths({"conv0": 7}, 290)
    assert depths.known("other", choice, table) is None
    assert depths.info(None, choice).how.startswith("a whole frame")


def test_a_damaged_table_is_named(tmp_path, choice):
    (tmp_path / "depths.json").write_text("{")
    with pytest.raises(BuildError, match=r"depths\.json is damaged"):
        depths.known("net", choice, tmp_path / "depths.json")


def test_the_table_of_the_repository_is_whole():
    for entries in depths.read().values():
        for entry in entries:
            buffered = list(entry["folding"])[:-1]
            assert list(entry["words"]) == buffered
            assert min(entry["words"].values()) >= search.LEAST


@pytest.mark.slow
def test_search_finds_the_least_words_and_the_build_takes_them(convolutions, tmp_path, monkeypatch):
    timing = search.build_timing(convolutions.folder, tmp_path)
    found = search.search(timing)
    words = list(found.words.values())
    assert list(found.words) == ["conv0.buffer", "pool1.buffer", "conv2.buffer", "conv3.buffer"]
    assert found.cycles_per_frame == timing.cycles([search.ENDLESS] * 4, 12)
    assert found.cycles_per_frame <= found.bound == convolutions.accel["cycles_per_frame"]
    for number, depth in enumerate(words):
        if depth > search.LEAST:
            fewer = [*words[:number], depth - 1, *words[number + 1 :]]
            assert timing.cycles(fewer) > found.cycles_per_frame

    assert search.slower(timing, found.words) is None
    # A buffer that takes nothing stops everything, and is named.
    with pytest.raises(
        search.DeadlockError, match=r"a word of pool1 is not taken.*pool1.buffer is"
    ):
        timing.labels([search.ENDLESS, 0, search.ENDLESS, search.ENDLESS], 2)
    timing.close()

    table = tmp_path / "depths.json"
    search.store(read(convolutions.folder), found, table)
    monkeypatch.setattr(depths, "TABLE", table)
    described = hls_build.build(convolutions.source, 700, tmp_path / "again")
    again = {memory.name: memory.depth for memory in described.memories if not memory.is_weights}
    # The table is by the network's name, which is the folder's.
    assert again == found.words
    assert described.depths.how == "simulation"
    assert described.depths.cycles_per_frame == found.cycles_per_frame
