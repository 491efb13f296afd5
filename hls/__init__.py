"""From a trained network in QONNX to a bundle: FINN's flow with Spinflow's RTL layers."""

from spinflow.host.core import start

start.begin_module()
