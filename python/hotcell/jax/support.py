"""Functions that the compiler's own code calls: declarations of LLVM's, conversions of half precision, and the math library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hotcell._importing import math

#: Half precision to single, exactly, and back, rounded to nearest with ties to even.
_OWN = {
    "hotcell.from_f16": """define internal float @hotcell.from_f16(i16 %h) alwaysinline nounwind {
  %w = zext i16 %h to i32
  %s0 = and i32 %w, 32768
  %s = shl i32 %s0, 16
  %m = and i32 %w, 32767
  %e = shl i32 %m, 13
  %big = icmp uge i32 %m, 31744
  %bias = select i1 %big, i32 1879048192, i32 939524096
  %n = add i32 %e, %bias
  %nf = bitcast i32 %n to float
  %mf = uitofp i32 %m to float
  %df = fmul float %mf, 0x3E70000000000000
  %sub = icmp ult i32 %m, 1024
  %r = select i1 %sub, float %df, float %nf
  %ri = bitcast float %r to i32
  %o = or i32 %ri, %s
  %f = bitcast i32 %o to float
  ret float %f
}
""",
    "hotcell.to_f16": """define internal i16 @hotcell.to_f16(float %x) alwaysinline nounwind {
  %i = bitcast float %x to i32
  %s0 = lshr i32 %i, 16
  %s = and i32 %s0, 32768
  %a = and i32 %i, 2147483647
  %af = bitcast i32 %a to float
  %t = fadd float %af, 5.000000e-01
  %ti = bitcast float %t to i32
  %den = sub i32 %ti, 1056964608
  %odd0 = lshr i32 %a, 13
  %odd = and i32 %odd0, 1
  %r0 = add i32 %a, 3355447295
  %r1 = add i32 %r0, %odd
  %nor = lshr i32 %r1, 13
  %small = icmp ult i32 %a, 947912704
  %v0 = select i1 %small, i32 %den, i32 %nor
  %over = icmp uge i32 %a, 1199566848
  %v1 = select i1 %over, i32 31744, i32 %v0
  %nan = icmp ugt i32 %a, 2139095040
  %v2 = select i1 %nan, i32 32256, i32 %v1
  %v = or i32 %v2, %s
  %h = trunc i32 %v to i16
  ret i16 %h
}
""",
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
