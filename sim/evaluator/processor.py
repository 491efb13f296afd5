"""What the processor that runs this can do, as far as the evaluator goes by it.

LLVM is asked, which knows what follows from a processor's name: numba can be told to compile for
another one (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES).
"""

from __future__ import annotations

from llvmlite import binding
from numba.core.registry import cpu_target

_PROBE = """
declare <16 x i32> @llvm.ctpop.v16i32(<16 x i32>)

define <16 x i32> @bits(<16 x i32> %x) {
  %n = call <16 x i32> @llvm.ctpop.v16i32(<16 x i32> %x)
  ret <16 x i32> %n
}

define <32 x i8> @sum_of_32(<32 x i8> %x, <32 x i8> %y) {
  %n = add <32 x i8> %x, %y
  ret <32 x i8> %n
}

define <64 x i8> @sum_of_64(<64 x i8> %x, <64 x i8> %y) {
  %n = add <64 x i8> %x, %y
  ret <64 x i8> %n
}
"""


def _probed(triple: str, name: str, features: str) -> tuple[bool, int]:
    """Whether a processor counts bits of vectors, and how many bytes it looks up at once.

    These are 32 with AVX2, 64 with AVX512BW, 0 elsewhere.
    """
    target = binding.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=name, features=features)
    text = machine.emit_assembly(binding.parse_assembly(_PROBE))
    sums = [line for line in text.splitlines() if "vpaddb" in line]
    widths = [size for size, register in ((32, "%ymm"), (64, "%zmm")) if register in "".join(sums)]
    return "vpopcntd" in text, max(widths, default=0)


COUNTS_VECTORS, LOOKED_UP = _probed(*cpu_target.target_context.codegen().magic_tuple())
"""Whether it counts the bits of vectors of words by an instruction; bytes it looks up at once."""

BY_TABLES = not COUNTS_VECTORS and LOOKED_UP > 0
"""Whether whole layers on bits look sums of four products up."""

PRODUCTS = 1.0 if COUNTS_VECTORS else {32: 3.2, 64: 2.6}.get(LOOKED_UP, 4.0)
"""What 512 products of bits cost, against a step of logic on vectors; measured."""
