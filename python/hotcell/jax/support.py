"""Functions that the compiler's own code calls: declarations of LLVM's, conversions of half precision, and the math library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hotcell._importing import half, math

#: Half precision to single, exactly, and back, rounded to nearest with ties to even.
_OWN = {
    "hotcell.from_f16": half.WIDEN,
    "hotcell.to_f16": half.NARROW,
    "hotcell.round_bf16": """define internal float @hotcell.round_bf16(float %x) alwaysinline nounwind {
  %i = bitcast float %x to i32
  %l = lshr i32 %i, 16
  %odd = and i32 %l, 1
  %r0 = add i32 %i, 32767
  %r1 = add i32 %r0, %odd
  %r2 = and i32 %r1, -65536
  %nan = fcmp uno float %x, 0.0
  %q0 = or i32 %i, 4194304
  %q = and i32 %q0, -65536
  %r = select i1 %nan, i32 %q, i32 %r2
  %f = bitcast i32 %r to float
  ret float %f
}
""",
    "hotcell.round_f16": """define internal float @hotcell.round_f16(float %x) alwaysinline nounwind {
  %h = call i16 @hotcell.to_f16(float %x)
  %f = call float @hotcell.from_f16(i16 %h)
  ret float %f
}
""",
}
#: What else a function needs.
_NEEDS = {"hotcell.round_f16": ("hotcell.to_f16", "hotcell.from_f16")}


def declarations(called: Mapping[str, tuple[str, list[str]]], defined: Iterable[str]) -> str:
    """The text of all functions that are called and not defined by the compiler."""
    known = set(defined)
    names = {name for name in called if name not in known}
    for name in list(names):
        names.update(_NEEDS.get(name, ()))
    own = [_OWN[name] for name in sorted(names) if name in _OWN]
    llvm = []
    for name in sorted(names):
        if name.startswith("llvm."):
            result, kinds = called[name]
            llvm.append(f"declare {result} @{name}({', '.join(kinds)})\n")
    library = math.library(sorted(name for name in names if name not in _OWN and not name.startswith("llvm.")))
    defined_intrinsics = set()
    for line in library.splitlines():
        if line.startswith("declare "):
            defined_intrinsics.add(line[line.index("@") + 1 : line.index("(")])
    llvm = [line for line in llvm if line[line.index("@") + 1 : line.index("(")] not in defined_intrinsics]
    return "".join([*llvm, "declare ptr @hotcell_alloc(i32, i32)\n", *own, library])
