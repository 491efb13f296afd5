"""Writes what is generated of an accelerator's RTL, and the list of all its sources.

`accel.sv.j2` is the template of the top module, `accel_thresholds_pkg.sv.j2` that of the package of
its thresholds. Here is what they are filled with.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from spinflow.hls.ops import PIXELS
from spinflow.hls.ops.text import wrap
from spinflow.hls.paths import RTL
from spinflow.hls.plan import Design, Stage
from spinflow.host.core.description import segments_of, stride_of
from spinflow.host.core.sources import LISTING

COLUMNS = 100
THRESHOLDS = "accel_thresholds_pkg.sv"
TOP = "accel.sv"


@dataclass(frozen=True)
class Ask:
    """A port at which a buffer asks for draws: the number of its memory, and the engine."""

    memory: int
    engine: int


@dataclass(frozen=True)
class Stream:
    """Three wires of the top module: data of whole bytes, valid and ready.

    Attributes:
        name: what the names of the wires begin with.
        bits: of the data.
        is_watched: whether simulation records it.
    """

    name: str
    bits: int
    is_watched: bool


def write(design: Design, build_id: int, network: str, registers: Path, folder: Path) -> None:
    """Write the generated RTL, what FINN generated and `files.f` to a folder.

    In `files.f` a name without a slash lies beside it; all others are relative to the repository.

    Args:
        design: the accelerator.
        build_id: what the register BUILD_ID reads.
        network: name for the header comment.
        registers: folder of the generated register block.
        folder: where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = generated(design, build_id, network)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    ours = {RTL: "hw/rtl", registers: "build/regs"}
    sources = [f"{ours[path.parent]}/{path.name}" for path in spinflow_sources(registers)]
    listed = [*sources, *_copy_finn_sources(design, folder), *made]
    (folder / LISTING).write_text("\n".join(listed) + "\n", encoding="utf-8")


def spinflow_sources(registers: Path) -> list[Path]:
    """Return Spinflow's own sources, packages first."""
    files = sorted([*registers.glob("*.sv"), *RTL.glob("*.sv")])
    return sorted(files, key=lambda path: not path.stem.endswith("_pkg"))


def _copy_finn_sources(design: Design, folder: Path) -> list[str]:
    """Copy what FINN generated and the library files it uses; return the names, packages first."""
    library: dict[str, None] = {}
    generated = []
    for stage in design.stages:
        folder_of_node = Path(stage.op.get_nodeattr("code_gen_dir_ipgen"))
        for source in map(Path, stage.op.get_rtl_file_list(abspath=True)):
            if source.parent == RTL:
                continue
            shutil.copyfile(source, folder / source.name)
            if source.parent == folder_of_node:
                generated.append(source.name)
            else:
                library[source.name] = None
    packages_first = sorted(library, key=lambda name: not Path(name).stem.endswith("_pkg"))
    return [*packages_first, *generated]


def generated(design: Design, build_id: int, network: str) -> dict[str, str]:
    """Return the generated files by name, in the order of compilation.

    Args:
        design: the accelerator.
        build_id: what the register BUILD_ID reads.
        network: name for the header comments.
    """
    return {
        THRESHOLDS: _thresholds(design, network),
        TOP: _top(design, build_id, network),
    }


def _thresholds(design: Design, network: str) -> str:
    """Return the package of the thresholds."""
    constants = {
        stage.place.name: stage.op.constants(design.model, stage.place).rstrip("\n")
        for stage in design.stages
    }
    template = _environment().get_template(f"{THRESHOLDS}.j2")
    return template.render(
        network=network, layers={name: text for name, text in constants.items() if text}
    )


def _top(design: Design, build_id: int, network: str) -> str:
    """Return the top module."""
    buffers = {memory.name for memory in design.buffers}
    what = {
        stage.layer.name: stage.op.describe(stage.layer)
        + (", then a buffer" if f"{stage.layer.name}.buffer" in buffers else "")
        for stage in design.stages
        if stage.layer is not None
    }
    streams = [
        Stream(stage.place.sink, stage.out_bits, stage.is_boundary) for stage in design.stages
    ]
    stages = [
        {
            "heading": f"{stage.place.name}: {stage.title}",
            "what": what.get(stage.place.name),
            "stream": stream,
            "text": _text(design, stage),
        }
        for stage, stream in zip(design.stages, streams, strict=True)
    ]
    asks = [
        Ask(buffer.index, buffer.engine + port)
        for buffer in design.buffers
        for port in range(buffer.ports)
    ]
    template = _environment().get_template(f"{TOP}.j2")
    return template.render(
        network=network,
        layers=what,
        cycles=design.cycles_per_frame,
        address_width=design.address_width,
        beats=segments_of(8 * design.pixels),
        filled=design.pixels % 4 == 0,
        build_id=build_id,
        memories=design.memories,
        weights=design.weights,
        buffers=design.buffers,
        codes=[0 if memory.code is None else memory.code.words for memory in design.memories],
        engines=max(ask.engine for ask in asks) + 1,
        asks=asks,
        resets=design.resets,
        strides=[stride_of(memory.width) for memory in design.weights],
        pixels=Stream(PIXELS, 32, is_watched=False),
        label=streams[-1],
        stages=stages,
    )


def _text(design: Design, stage: Stage) -> str:
    """Return the wires and instances of a stage."""
    text = stage.op.declarations(stage.place, design.memory(stage))
    return f"{text}{stage.op.instance(design.model, stage.place)}".rstrip("\n")


# What the templates call.


@cache
def _environment() -> jinja2.Environment:
    """Return the templates, whose own lines leave no trace in what they make."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"rule": _rule, "packed": _packed, "stream": _stream}
    return environment


def _rule(title: str) -> str:
    """Return a heading as wide as a line."""
    return f"  // {title} {'-' * (COLUMNS - len(title) - 6)}"


def _packed(values: Iterable[int], form: str = "32'd{}") -> str:
    """Return a packed array whose element 0 is the lowest, in lines of limited length."""
    items = [form.format(value) for value in reversed([*values])]
    one = ", ".join(items)
    if len(one) <= COLUMNS - 60:
        return f"{{{one}}}"
    return f"{{\n{wrap(items)}\n  }}"


def _stream(stream: Stream) -> str:
    """Return the declarations of a stream's wires."""
    note = " /* verilator public_flat_rd */" if stream.is_watched else ""
    kind = f"logic [{stream.bits - 1}:0]"
    return "\n".join(
        f"  {of:<{len(kind)}} {stream.name}_{wire}{note};"
        for wire, of in (("data", kind), ("valid", "logic"), ("ready", "logic"))
    )
