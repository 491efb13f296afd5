"""The network as layers: what of FINN's graph belongs to which layer, and whether it can be built.

A layer is a matrix and what goes with it: padding and sliding window before, max-pool and buffer
behind. Layers are named conv0, conv1, ..., fc0, fc1, ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spinflow.hls.ops import ABSTRACT_DOMAIN, Op, Where, find_kind, kind_of, op_of

# isort: split
import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from spinflow.hls.folding import Choice
from spinflow.hls.ops.matrix import layer_prefix
from spinflow.hls.paths import BuildError, no_such_operator
from spinflow.hls.shapes import Folding, LayerShape, pixels_at_once


@dataclass
class Layer:
    """A weight layer of a specialised graph: its name, and its ops in the order of the data."""

    name: str
    ops: list[Op] = field(default_factory=list)


def pixels(model: ModelWrapper) -> int:
    """Return the bytes of an input frame."""
    return int(np.prod(model.get_tensor_shape(model.get_first_global_in())))


def layer_names(model: ModelWrapper) -> list[str]:
    """Return the names of the weight layers of a graph of hardware layers."""
    names: list[str] = []
    for node in model.graph.node:
        if _begins_layer(node):
            prefix = layer_prefix(getCustomOp(node))
            names.append(f"{prefix}{sum(name.startswith(prefix) for name in names)}")
    return names


def check(model: ModelWrapper) -> None:
    """Refuse all but: binary layers with thresholds, a last one without, an argmax.

    It may begin with a threshold of the pixels; else the first layer takes them.

    Raises:
        BuildError: of the first node that the hardware cannot have.
    """
    nodes = list(model.graph.node)
    places = _places(model)
    # What FINN itself could not map says more than what it made of its neighbours.
    for node, where in zip(nodes, places, strict=True):
        if node.domain != ABSTRACT_DOMAIN:
            _check_end(node, where)
            raise no_such_operator(node.op_type, where.words)
    for node, where in zip(nodes, places, strict=True):
        if not kind_of(node, where.words).is_mapped:
            raise no_such_operator(node.op_type, where.words)
    for node, where in zip(nodes, places, strict=True):
        kind_of(node).check(model, node, where)
    if not places[-1].layers or not kind_of(nodes[-1]).gives_label:
        raise BuildError(
            "the network is not a binary classifier: binary layers and then the scores of the "
            f"classes are needed, FINN found {', '.join(node.op_type for node in nodes)}"
        )
    if len(places[-1].layers) < 2:
        raise BuildError(
            f"the network has one layer of weights, {places[-1].layers[0]}: at least two are "
            "needed, between which the accelerator has a buffer"
        )


def _check_end(node: Any, where: Where) -> None:
    """Say what is wrong where the map of a last convolution is made the scores of the classes."""
    last = where.layers[-1] if where.layers else ""
    if last.startswith("conv") and where.words == f"after layer {last}":
        raise BuildError(
            f"layer {last} is the last one, which must be fully connected: a matrix of its whole "
            f"map is needed in its place ({node.op_type} follows it)"
        )


def _places(model: ModelWrapper) -> list[Where]:
    """Return where each node of a graph stands."""
    names = layer_names(model)
    reached, words, places, is_first = 0, "before the first layer", [], True
    for node in model.graph.node:
        own = names[reached] if _begins_layer(node) else ""
        places.append(Where(words, own, tuple(names), is_first=is_first))
        kind = find_kind(node)
        is_first = is_first and kind is not None and kind.gives_pixels
        if own:
            reached, words = reached + 1, f"after layer {own}"
    return places


def _begins_layer(node: Any) -> bool:
    kind = find_kind(node)
    return kind is not None and kind.begins_layer


def layers(model: ModelWrapper) -> tuple[list[Op], list[Layer]]:
    """Return the ops before the first layer, and the layers, of a specialised graph."""
    found = [Layer(name) for name in layer_names(model)]
    front: list[Op] = []
    number = -1
    for node in model.graph.node:
        op = op_of(node)
        number += op.begins_layer
        owner = number + op.leads
        (found[owner].ops if owner >= 0 else front).append(op)
    return front, found


def layer_shapes(model: ModelWrapper) -> list[LayerShape]:
    """Return what the folding has to know of each weight layer of a specialised graph."""
    shapes = []
    for layer in layers(model)[1]:
        shape = LayerShape(layer.name, mw=0, mh=0, buffered=False)
        for op in layer.ops:
            shape = op.extend(shape)
        shapes.append(shape)
    return shapes


def fold(model: ModelWrapper, choice: Choice, depths: Mapping[str, int]) -> ModelWrapper:
    """Fold every op of a specialised graph, for the layer that it belongs to.

    Args:
        model: the graph.
        choice: folding by layer name.
        depths: words of the buffers by layer name, as far as they are known.
    """
    front, found = layers(model)
    for op in front:
        op.fold(Folding(pixels_at_once(pixels(model)), 1), None)
    for layer in found:
        for op in layer.ops:
            op.fold(choice.layers[layer.name], depths.get(layer.name))
    return model
