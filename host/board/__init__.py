"""The driver of a board and what stands on it: self-test, throughput, set-up of its Python."""
