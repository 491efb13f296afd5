"""Wrong variants of the RTL that a program makes; one that no bench rejects shows a hole."""
