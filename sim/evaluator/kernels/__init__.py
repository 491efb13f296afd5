"""The compiled loops of the evaluator.

Every function releases the GIL and works on a range, so that Python threads share a job. numba
compiles a function anew when the file that it stands in has changed, but not for a change of what
it calls in another file: a compiled function calls compiled functions of its own file only.
"""
