"""Programs that measure or write pages: benchmarks, README's tables, rounds of the stream."""
