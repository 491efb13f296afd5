"""SystemVerilog of an instance: what the ops write into the top module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spinflow.hls.ops.base import Place
from spinflow.host.core.description import Code
from spinflow.host.core.description.codes import columns


def sv_instance(
    module: str, name: str, parameters: Mapping[str, Any], ports: Mapping[str, str]
) -> str:
    """Return a module instance with named connections, aligned, indented by two spaces.

    Args:
        module: the module's name.
        name: of the instance, without its prefix `u_`.
        parameters: value of each parameter; may be empty.
        ports: what each port is connected to.
    """

    def block(entries: Mapping[str, Any]) -> str:
        width = max(len(entry) for entry in entries)
        return ",\n".join(f"    .{entry:<{width}} ({value})" for entry, value in entries.items())

    head = f"  {module}"
    if parameters:
        head += f" #(\n{block(parameters)}\n  )"
    return f"{head} u_{name} (\n{block(ports)}\n  );\n"


def stream_ports(place: Place) -> dict[str, str]:
    """Return the clock, the reset and both streams of one of Spinflow's stream modules."""
    return {
        "clk_i": "aclk",
        "rst_ni": place.reset_wire,
        "in_data_i": f"{place.source}_data",
        "in_valid_i": f"{place.source}_valid",
        "in_ready_o": f"{place.source}_ready",
        "out_data_o": f"{place.sink}_data",
        "out_valid_o": f"{place.sink}_valid",
        "out_ready_i": f"{place.sink}_ready",
    }


def code_parameters(code: Code) -> dict[str, Any]:
    """Return the parameters of a module that encodes or decodes words."""
    texts = [f"{code.check}'h{column:X}" for column in reversed(columns(code.word))]
    return {
        "Data": code.data,
        "Word": code.word,
        "Check": code.check,
        "Columns": f"{{\n{wrap(texts, ' ' * 6)}\n    }}",
    }


def finn_instance(op: Any, place: Place) -> str:
    """Return the instance of a module that FINN generated for a node."""
    ports = {
        "ap_clk": "aclk",
        "ap_rst_n": place.reset_wire,
        "in0_V_TDATA": f"{place.source}_data",
        "in0_V_TVALID": f"{place.source}_valid",
        "in0_V_TREADY": f"{place.source}_ready",
        "out0_V_TDATA": f"{place.sink}_data",
        "out0_V_TVALID": f"{place.sink}_valid",
        "out0_V_TREADY": f"{place.sink}_ready",
    }
    return sv_instance(op.get_nodeattr("gen_top_module"), place.name, {}, ports)


def wrap(items: Sequence[str], indent: str = "    ", columns: int = 100) -> str:
    """Return items joined with commas, in lines of at most ``columns`` characters."""
    lines, line = [], indent
    for item in [*(f"{item}," for item in items[:-1]), items[-1]]:
        if len(line) + len(item) > columns and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += f"{item} "
    return "\n".join([*lines, line.rstrip()])
