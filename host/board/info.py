"""What a bundle holds, and what the registers of its accelerator hold once it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spinflow.host.board.driver import Accelerator
from spinflow.host.core import bundle as bundles
from spinflow.host.core.description import LabelSelect, Layer, MaxPool, Product, Window


def show(folder: Path) -> None:
    """Print what a bundle holds, and what its registers hold once it is loaded.

    Args:
        folder: of the bundle.

    Raises:
        HostError: it is damaged, or its accelerator cannot be loaded.
    """
    bundle = bundles.load(folder)
    print(f"{bundle.network}, build {bundle.build_id:#010x}, {bundle.clock_mhz:g} MHz")
    print(f"trained network: accuracy {bundle.software_accuracy:.4f}")
    bound = bundle.cycles_per_frame
    print(f"folding: {bound} cycles a frame, {bundle.clock_mhz * 1e6 / bound:.0f} frames/s at most")
    for layer in bundle.layers:
        print(f"  {layer.name:8} {layer.OP:13} {_layer_facts(layer)}")
    with Accelerator(bundle) as accelerator:
        print("memories:")
        print("  no  name            kind      words   bits  mode    rate1       rate0       seed")
        for memory in bundle.memories:
            mode, rate1, rate0, seed = accelerator.errors(memory.name)
            code = memory.code
            secded = "" if code is None else f"  SECDED, {code.data} data bits by {code.word}"
            print(
                f"  {memory.index:2}  {memory.name:15} {memory.kind:8} {memory.depth:6} "
                f"{memory.width:6}  {mode:6}  {rate1:<10.4g}  {rate0:<10.4g}  {seed:#010x}"
                f"{secded}"
            )
        print(accelerator.snapshot().lines())


def _layer_facts(layer: Layer) -> str:
    if isinstance(layer, LabelSelect):
        return f"classes {layer.classes}"
    if not isinstance(layer, Product | MaxPool):
        return ", ".join(f"{key} {value}" for key, value in list(layer.as_json().items())[2:])
    facts = []
    if isinstance(layer, Product):
        facts += [f"mw {layer.mw}, mh {layer.mh}, pe {layer.pe}, simd {layer.simd}"]
        facts += [f"input {'pixels' if layer.pixels else 'bits'}, threshold {layer.threshold}"]
        if layer.window is not None:
            facts.append(_window_facts(layer.window))
    else:
        facts.append(f"size {layer.size}")
    facts.append(f"to {_by(layer.shape)}")
    if isinstance(layer, Product):
        facts.append(f"weights {layer.weights}")
    if layer.buffer is not None:
        facts.append(f"buffer {layer.buffer}")
    return ", ".join(facts)


def _window_facts(window: Window) -> str:
    padding = ""
    if any(window.padding):
        padding = f", padding {list(window.padding)} of {window.padding_value}"
    return (
        f"kernel {_by(window.kernel)}, stride {_by(window.stride)}{padding}, "
        f"map {_by(window.input)}"
    )


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
