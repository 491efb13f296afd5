"""Counting cells, and longest paths, on netlists whose answer is known."""

from typing import Any

import pytest

from spinflow.hw.synth.cells import Area, NetlistError, area_of
from spinflow.hw.synth.netlist import Netlist, instances_in
from spinflow.hw.synth.paths import CLOCK_TO_OUT, LUT_DELAY, SETUP, net_delay


def cell(kind: str, outputs: dict[str, list[Any]], **inputs: list[Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "attributes": {},
        "parameters": {},
        "connections": {**inputs, **outputs},
        "port_directions": {
            **dict.fromkeys(inputs, "input"),
            **dict.fromkeys(outputs, "output"),
        },
    }


def netlist(cells: dict[str, Any], names: dict[str, list[int]] | None = None) -> Netlist:
    nets = {name: {"bits": bits, "attributes": {}} for name, bits in (names or {}).items()}
    return Netlist({"cells": cells, "ports": {}, "netnames": nets}, {"": "top"})


def ff(d: int, q: int) -> dict[str, Any]:
    return cell("FDRE", {"Q": [q]}, D=[d], C=[1], CE=["1"], R=["0"])


def test_luts_of_each_kind_of_cell() -> None:
    kinds = {"LUT1": 1, "LUT6": 2, "INV": 1, "RAM32M": 1, "RAM64X1D": 1, "RAM128X1D": 1}
    kinds |= {"SRL16E": 1, "SRLC32E": 1, "MUXF7": 3, "CARRY4": 5, "FDRE": 7, "FDSE": 1}
    assert area_of(kinds) == Area(LUT=16, LUT_memory=12, FF=8, CARRY4=5, MUXF=3)


def test_a_small_block_ram_is_a_half() -> None:
    assert area_of({"RAMB36E1": 2, "RAMB18E1": 3}) == Area(RAMB36=3.5, RAMB18=3)


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(NetlistError, match=r"\$mul"):
        area_of({"LUT2": 1, "$mul": 1})


def test_a_path_counts_every_cell_between_registers() -> None:
    made = netlist(
        {
            "start": ff(2, 3),
            "lut": cell("LUT2", {"O": [4]}, I0=[3], I1=[3]),
            "inv": cell("INV", {"O": [5]}, I=[4]),
            "end": ff(5, 6),
        },
        {"first_q": [3], "last_q": [6]},
    ).deepest()
    assert (made.levels, made.steps) == (2, ["LUT2", "INV"])
    assert (made.start, made.end) == ("first_q (FDRE.Q)", "last_q (FDRE.D)")
    wires = net_delay(2) + 2 * net_delay(1)
    expected = CLOCK_TO_OUT["ff"] + 2 * LUT_DELAY + wires + SETUP["ff"]
    assert made.delay_ns == pytest.approx(expected, abs=0.01)


def test_a_carry_goes_up_and_not_down() -> None:
    carry = cell(
        "CARRY4",
        {"O": [20, 21, 22, 23], "CO": [24, 25, 26, 27]},
        S=[10, 11, 12, 13],
        DI=["0"] * 4,
        CI=["0"],
        CYINIT=["0"],
    )
    deep = {
        f"lut{n}": cell("LUT1", {"O": [13 if n == 2 else 40 + n]}, I0=[30 if not n else 39 + n])
        for n in range(3)
    }
    cells = {"start": ff(2, 30), "carry": carry, **deep}
    # The lowest sum bit does not depend on the deep logic that feeds the highest select.
    low = netlist({**cells, "end": ff(20, 50)}).deepest()
    high = netlist({**cells, "end": ff(23, 50)}).deepest()
    assert (low.levels, high.levels) == (1, 4)


def test_slowest_and_deepest_differ_where_carry_cells_are_fast() -> None:
    cells: dict[str, Any] = {"start": ff(2, 3)}
    carry: Any = 3
    for n in range(6):
        out = [100 + 10 * n + k for k in range(4)]
        first: dict[str, Any] = (
            {"S": [3, "0", "0", "0"], "CI": ["0"]} if n == 0 else {"S": ["0"] * 4, "CI": [carry]}
        )
        cells[f"carry{n}"] = cell(
            "CARRY4", {"CO": out, "O": ["x"] * 4}, DI=["0"] * 4, CYINIT=["0"], **first
        )
        carry = out[3]
    cells["chained"] = ff(carry, 200)
    net = 3
    for n in range(4):
        cells[f"lut{n}"] = cell("LUT1", {"O": [300 + n]}, I0=[net])
        net = 300 + n
    cells["looked_up"] = ff(net, 201)
    made = netlist(cells, {"chained_q": [200], "looked_up_q": [201]})
    assert made.deepest().steps == ["CARRY4"] * 6
    assert made.slowest().steps == ["LUT1"] * 4


def test_a_read_of_lut_ram_is_a_level() -> None:
    ram = cell(
        "RAM64X1D", {"DPO": [5], "SPO": ["x"]}, DPRA0=[3], A0=["0"], D=[5], WE=["1"], WCLK=[1]
    )
    made = netlist({"start": ff(2, 3), "mem": ram, "end": ff(5, 6)}).deepest()
    assert made.levels == 1
    assert made.steps == ["RAM64X1D"]


def test_a_loop_of_logic_is_refused() -> None:
    cells = {
        "a": cell("LUT1", {"O": [4]}, I0=[5]),
        "b": cell("LUT1", {"O": [5]}, I0=[4]),
        "end": ff(4, 6),
    }
    with pytest.raises(NetlistError, match="loop"):
        netlist(cells).deepest()


def test_a_lut_goes_to_its_neighbours() -> None:
    cells = {
        "mem.0": cell("RAMB36E1", {"DOADO": [3, 4]}, ADDR=[9]),
        "lut": cell("LUT2", {"O": [5]}, I0=[3], I1=[4]),
        "more": cell("LUT2", {"O": [6]}, I0=[5], I1=[7]),
        "reg": ff(6, 7),
        "other": ff(7, 9),
    }
    made = Netlist(
        {
            "cells": {("u_a." if name == "mem.0" else "") + name: c for name, c in cells.items()},
            "ports": {},
            "netnames": {
                "u_b.reg_q": {"bits": [7], "attributes": {"owner": "u_b"}},
                "u_b.other_q": {"bits": [9], "attributes": {}},
            },
        },
        {"": "top", "u_a": "memory", "u_b": "logic"},
    )
    areas = made.areas()
    assert areas == {"u_a": Area(LUT=1, RAMB36=1.0), "u_b": Area(LUT=1, FF=2)}
    assert sum(areas.values(), Area()) == made.area()


def test_instances_are_read_from_the_list_of_modules() -> None:
    listing = "\n3 modules:\n  top\n  fifo$top.u_a.gen[0].u_b\n  mem$top.u_c\n"
    assert instances_in(listing) == {"": "top", "u_a.gen[0].u_b": "fifo", "u_c": "mem"}
