"""Place and route of the accelerators without a vendor's tool: a clock that wires are part of."""

from spinflow.host.core import start

start.begin_module()
