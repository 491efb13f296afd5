"""Wrong variants of the RTL that a program makes: what is left when no bench rejects them is a hole."""
