"""What measures, and what writes pages: benchmarks, the tables of README.md, rounds of the stream."""
