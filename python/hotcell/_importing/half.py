"""Conversions of half precision in IR: WebAssembly has no instructions for it.

Numbers are kept as their 16 bits, and each operation is one of `float`, rounded once: of sums, products, quotients and roots that is the correctly rounded result, for
a `float` has more than twice the digits.
"""

#: ``@hotcell.from_f16(i16) -> float``: exact.
WIDEN = """define internal float @hotcell.from_f16(i16 %h) alwaysinline nounwind {
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
"""
#: ``@hotcell.to_f16(float) -> i16``: to the nearest, of two the even one; beyond the range infinity.
NARROW = """define internal i16 @hotcell.to_f16(float %x) alwaysinline nounwind {
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
"""
