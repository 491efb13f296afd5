"""The module around an accelerator: every port has a register beside it, of its own."""

from __future__ import annotations

import re

from spinflow.hw.boards.prepare import ports
from spinflow.hw.route import harness


def test_every_port_is_connected_and_no_bit_twice() -> None:
    given = ports(17)
    text = harness.verilog(given)
    found = {
        name: (net, int(at), int(bits))
        for name, net, at, bits in re.findall(r"\.(\w+) \((\w+)\[(\d+)\+:(\d+)\]\)", text)
    }
    assert set(found) == {port.name for port in given} - {"aclk"} and ".aclk (clk_i)" in text
    for net, direction in ("in_q", "input"), ("out", "output"):
        mine = [port for port in given if port.direction == direction and port.name != "aclk"]
        at = 0
        for port in mine:
            assert found[port.name] == (net, at, port.bits)
            at += port.bits
        assert re.search(rf"logic \[{at - 1}:0\] {net}\b", text)
