"""Forms of foreign networks in FINN: its hardware layers give the labels of what was read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from spinflow.hls import flow, golden
from spinflow.hls.foreign import qonnx_reader, scores, writer
from spinflow.hls.foreign.numbers import numbers_of
from spinflow.hw import boards
from tests.hls import test_foreign_forms as forms
from tests.hls import test_foreign_maps as maps
from tests.hls import test_foreign_scores as ends
from tests.hls.foreign import Graph

Make = Callable[[Path], Path]


def graph(make: Callable[[Graph], str], *shape: int) -> Make:
    def write(path: Path) -> Path:
        g = Graph(5)
        return g.save(path, (1, *shape), make(g), 4)

    return write


def a_map(name: str) -> Make:
    return graph(maps.MAPS[name][0], 1, 12, 12)


def an_average(name: str) -> Make:
    return graph(maps.AVERAGES[name], 1, 12, 12)


FORMS: dict[str, tuple[Make, str, Any]] = {
    "a quantiser of pixels": (
        graph(lambda g: forms.behind(g, forms.int8(g, "in")), 144),
        "2x/255-1",
        forms.GREY,
    ),
    "a sign before a convolution": (
        lambda path: forms.normed_colours(path, "sign"),
        "normalize:0.5:0.25",
        forms.COLOUR,
    ),
    "means of channels": (
        lambda path: forms.normed_colours(path, "conv"),
        "normalize:0.5,0.45,0.4:0.25,0.25,0.25",
        forms.COLOUR,
    ),
    "padding with 0": (a_map("bits padded with 0"), "x", maps.GREY),
    "padding with -1": (a_map("bits padded with -1"), "x", maps.GREY),
    "an average of all": (an_average("AveragePool of all"), "x", maps.GREY),
    "classes of windows": (an_average("classes by windows before ReduceSum"), "x", maps.GREY),
    "a bias of classes": (lambda path: ends.last(path, "bias"), "x", ends.IMAGES),
    "a norm of classes": (lambda path: ends.last(path, "norm"), "x", ends.IMAGES),
    "one output": (lambda path: ends.last(path, "sign", 1), "x", ends.IMAGES),
}


@pytest.mark.parametrize("name", list(FORMS))
def test_labels_of_the_hardware_layers(name: str, tmp_path: Path) -> None:
    make, form, images = FORMS[name]
    read = qonnx_reader.read(make(tmp_path / "a.onnx"), numbers_of(form).table).chain
    sums = read.run(images)
    chain, _ = scores.settled(read, lambda: sums)
    onnx.save(writer.to_qonnx(chain), str(tmp_path / "b.onnx"))
    made = flow.run(tmp_path / "b.onnx", tmp_path / "work", boards.board(), 10**5).hardware
    label = made.graph.output[0].name
    found = golden.execute(made, {"label": label}, images)["label"].reshape(-1)
    assert np.array_equal(found, chain.labels(sums))
