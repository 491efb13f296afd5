"""Programs that measure, and that write pages: benchmarks, README's tables, rounds of the stream."""
