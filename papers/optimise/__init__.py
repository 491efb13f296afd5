"""The optimiser: a write condition for every memory that takes the least energy at a loss."""
