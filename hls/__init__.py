"""From a trained network in QONNX to a bundle: FINN's flow with Spinflow's RTL layers."""

from host import start

start.begin_module()
