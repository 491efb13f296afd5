"""Tests of the whole chain: FINN, emulator and RTL on the real bundles and the real images."""
