"""What Taichi's runtime does for dense fields and arrays, in LLVM IR: the functions that a kernel's code calls.

Taichi's own are written for threads and 64-bit pointers. Here a kernel has one thread: parallel loops run in order, with the blocks that
Taichi's have, and atomic operations are plain ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

__all__ = ["HEADER", "is_known", "library"]

#: Types and state that every kernel has.
HEADER = """
%hotcell.context = type { ptr, ptr, i32, ptr }
@hotcell.ti.random = internal global [4 x i32] zeroinitializer, align 16
@hotcell.ti.failure = internal global ptr null
"""

_FLOAT = {"f32": "float", "f64": "double"}
_REAL = ("exp", "log", "tan", "tanh", "acos", "asin", "cos", "sin")
_REAL2 = ("atan2", "pow")
_INT = {name: f"i{name[1:]}" for name in ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")}

_CALLED = re.compile(r"@([A-Za-z_][\w.]*)")


def is_known(function: str) -> bool:
    """Whether there is such a function here."""
    return _definition(function.replace(".f16", ".f32")) is not None


def library(called: Iterable[str]) -> tuple[str, set[str]]:
    """The definitions of functions and of what those call.

    Returns:
        The text, and the names that it uses of the math library, such as ``exp.f32``.
    """
    texts: dict[str, str] = {}
    math: set[str] = set()
    # Half precision becomes single.
    waiting = [re.sub(r"^(hotcell\.ti\..*)\.f16$", r"\1.f32", name) for name in called]
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        text = _definition(name)
        if text is None:
            continue
        texts[name] = text
        math |= set(re.findall(r"@hotcell\.((?!ti\.)[\w.]+)", text))
        waiting += [other for other in _CALLED.findall(text) if other != name]
    return "".join(text for _, text in sorted(texts.items())), math


def _define(signature: str, body: str) -> str:
    lines = "\n".join(f"  {line.strip()}" if not line.strip().endswith(":") else line.strip() for line in body.strip().splitlines())
    return f"define internal {signature} alwaysinline {{\n{lines}\n}}\n"


def _definition(name: str) -> str | None:
    if name in _FIXED:
        return _FIXED[name]()
    for pattern, made in _FAMILIES:
        found = pattern.fullmatch(name)
        if found is not None:
            return made(*found.groups())
    return None


def _real(function: str, kind: str) -> str:
    t = _FLOAT[kind]
    if function == "abs":
        return _define(f"{t} @abs_{kind}({t} %x)", f"%y = call {t} @llvm.fabs.{kind}({t} %x)\nret {t} %y")
    if function == "sgn":
        body = f"""
            %p = fcmp ogt {t} %x, 0.0
            %n = fcmp olt {t} %x, 0.0
            %a = select i1 %n, {t} -1.0, {t} 0.0
            %b = select i1 %p, {t} 1.0, {t} %a
            ret {t} %b
        """
        return _define(f"{t} @sgn_{kind}({t} %x)", body)
    return _define(f"{t} @{function}_{kind}({t} %x)", f"%y = call {t} @hotcell.{function}.{kind}({t} %x)\nret {t} %y")


def _real2(function: str, kind: str) -> str:
    t = _FLOAT[kind]
    call = f"%z = call {t} @hotcell.{function}.{kind}({t} %x, {t} %y)\nret {t} %z"
    return _define(f"{t} @{function}_{kind}({t} %x, {t} %y)", call)


def _absolute(kind: str) -> str:
    t = _INT[kind]
    body = f"%c = icmp sge {t} %x, 0\n%n = sub {t} 0, %x\n%r = select i1 %c, {t} %x, {t} %n\nret {t} %r"
    return _define(f"{t} @abs_{kind}({t} %x)", body)


def _extreme(which: str, kind: str) -> str:
    t = _INT[kind]
    sign = "s" if kind[0] == "i" else "u"
    return _define(f"{t} @{which}_{kind}({t} %a, {t} %b)", f"%r = call {t} @llvm.{sign}{which}.{t}({t} %a, {t} %b)\nret {t} %r")


def _atomic_extreme(which: str, kind: str) -> str:
    t = _FLOAT[kind]
    body = f"""
        %old = load {t}, ptr %p
        %c = fcmp {"ogt" if which == "min" else "olt"} {t} %x, %old
        %new = select i1 %c, {t} %old, {t} %x
        store {t} %new, ptr %p
        ret {t} %old
    """
    return _define(f"{t} @atomic_{which}_{kind}(ptr %p, {t} %x)", body)


def _debugged(operation: str, kind: str) -> str:
    """Arithmetic of ``ti.init(debug=True)``: Taichi says on the console what overflows, and goes on with the same result."""
    t = _INT[kind]
    return _define(f"{t} @debug_{operation}_{kind}(ptr %context, {t} %a, {t} %b, ptr %where)", f"%r = {operation} {t} %a, %b\nret {t} %r")


def _random(kind: str) -> str:
    if kind in ("u64", "i64"):
        body = """
            %a = call i32 @rand_u32(ptr %context)
            %b = call i32 @rand_u32(ptr %context)
            %c = zext i32 %a to i64
            %d = zext i32 %b to i64
            %e = shl i64 %c, 32
            %f = add i64 %e, %d
            ret i64 %f
        """
        return _define(f"i64 @rand_{kind}(ptr %context)", body)
    if kind == "f32":
        body = """
            %a = call i32 @rand_u32(ptr %context)
            %b = lshr i32 %a, 8
            %c = uitofp i32 %b to float
            %d = fmul float %c, 0x3E70000000000000
            ret float %d
        """
        return _define("float @rand_f32(ptr %context)", body)
    if kind == "f64":
        body = """
            %a = call i64 @rand_u64(ptr %context)
            %b = lshr i64 %a, 11
            %c = uitofp i64 %b to double
            %d = fmul double %c, 0x3CA0000000000000
            ret double %d
        """
        return _define("double @rand_f64(ptr %context)", body)
    if kind == "i32":
        return _define("i32 @rand_i32(ptr %context)", "%a = call i32 @rand_u32(ptr %context)\nret i32 %a")
    # xorshift128, as in Taichi's runtime.
    at = "getelementptr [4 x i32], ptr @hotcell.ti.random, i32 0, i32"
    body = f"""
        %px = {at} 0
        %py = {at} 1
        %pz = {at} 2
        %pw = {at} 3
        %x = load i32, ptr %px
        %y = load i32, ptr %py
        %z = load i32, ptr %pz
        %w = load i32, ptr %pw
        %x11 = shl i32 %x, 11
        %t = xor i32 %x, %x11
        %w19 = lshr i32 %w, 19
        %a = xor i32 %w, %w19
        %t8 = lshr i32 %t, 8
        %b = xor i32 %t, %t8
        %n = xor i32 %a, %b
        store i32 %y, ptr %px
        store i32 %z, ptr %py
        store i32 %w, ptr %pz
        store i32 %n, ptr %pw
        %r = mul i32 %n, 1000000007
        ret i32 %r
    """
    return _define("i32 @rand_u32(ptr %context)", body)


def _meta(member: str) -> str:
    if member == "element_size":
        return _define("void @StructMeta_set_element_size(ptr %meta, i64 %v)", "store i64 %v, ptr %meta\nret void")
    if member == "max_num_elements":
        body = "%p = getelementptr i8, ptr %meta, i32 8\nstore i64 %v, ptr %p\nret void"
        return _define("void @StructMeta_set_max_num_elements(ptr %meta, i64 %v)", body)
    t = "i32" if member == "snode_id" else "ptr"
    return _define(f"void @StructMeta_set_{member}(ptr %meta, {t} %v)", "ret void")


def _parallel(flat: str | None) -> str:
    signature = "ptr %context, i32 %threads, i32 %begin, i32 %end, i32 %step, i32 %block, ptr %prologue, ptr %body, ptr %epilogue, i64 %tls"
    if flat is not None:
        return _define(f"void @cpu_parallel_range_for_flat({signature})", _FLAT_LOOP)
    return _define(f"void @cpu_parallel_range_for({signature})", _BLOCKED_LOOP)


_FLAT_LOOP = """
    entry:
    %some = icmp slt i32 %begin, %end
    br i1 %some, label %loop, label %out
    loop:
    %i = phi i32 [ %begin, %entry ], [ %next, %loop ]
    call void %body(ptr %context, ptr null, i32 %i)
    %next = add nsw i32 %i, 1
    %more = icmp slt i32 %next, %end
    br i1 %more, label %loop, label %out
    out:
    ret void
"""

_BLOCKED_LOOP = """
    entry:
    %buffer = alloca i8, i64 %tls, align 16
    %some = icmp slt i32 %begin, %end
    br i1 %some, label %blocks, label %out
    blocks:
    %from = phi i32 [ %begin, %entry ], [ %to, %after ]
    %left = sub i32 %end, %from
    %short = icmp slt i32 %left, %block
    %count = select i1 %short, i32 %left, i32 %block
    %to = add i32 %from, %count
    %opens = icmp ne ptr %prologue, null
    br i1 %opens, label %before, label %head
    before:
    call void %prologue(ptr %context, ptr %buffer)
    br label %head
    head:
    br label %loop
    loop:
    %i = phi i32 [ %from, %head ], [ %next, %loop ]
    call void %body(ptr %context, ptr %buffer, i32 %i)
    %next = add nsw i32 %i, 1
    %more = icmp slt i32 %next, %to
    br i1 %more, label %loop, label %tail
    tail:
    %closes = icmp ne ptr %epilogue, null
    br i1 %closes, label %behind, label %after
    behind:
    call void %epilogue(ptr %context, ptr %buffer)
    br label %after
    after:
    %again = icmp slt i32 %to, %end
    br i1 %again, label %blocks, label %out
    out:
    ret void
"""

_ASSERT = """
    entry:
    br i1 %holds, label %out, label %failed
    failed:
    %before = load ptr, ptr @hotcell.ti.failure
    %first = icmp eq ptr %before, null
    %kept = select i1 %first, ptr %text, ptr %before
    store ptr %kept, ptr @hotcell.ti.failure
    br label %out
    out:
    ret void
"""

_STACK_TOP = """
    %n = load i64, ptr %stack
    %m = sub i64 %n, 1
    %two = shl i64 %size, 1
    %o = mul i64 %m, %two
    %p = add i64 %o, 8
    %q = trunc i64 %p to i32
    %r = getelementptr i8, ptr %stack, i32 %q
"""


def _round(kind: str) -> str:
    t = _FLOAT[kind]
    body = f"""
        %t = call {t} @llvm.trunc.{kind}({t} %x)
        %d = fsub {t} %x, %t
        %a = call {t} @llvm.fabs.{kind}({t} %d)
        %c = fcmp oge {t} %a, 0.5
        %o = call {t} @llvm.copysign.{kind}({t} 1.0, {t} %x)
        %u = fadd {t} %t, %o
        %r = select i1 %c, {t} %u, {t} %t
        ret {t} %r
    """
    return _define(f"{t} @hotcell.ti.round.{kind}({t} %x)", body)


def _number(which: str, kind: str) -> str:
    """The larger or smaller of two numbers; the other one where one is no number."""
    t = _FLOAT[kind]
    order = "olt" if which == "max" else "ogt"
    body = f"""
        %c = fcmp {order} {t} %a, %b
        %r = select i1 %c, {t} %b, {t} %a
        %n = fcmp uno {t} %a, 0.0
        %s = select i1 %n, {t} %b, {t} %r
        ret {t} %s
    """
    return _define(f"{t} @hotcell.ti.{which}num.{kind}({t} %a, {t} %b)", body)


_FIXED: dict[str, Callable[[], str]] = {
    "cpu_parallel_range_for": lambda: _parallel(None),
    "cpu_parallel_range_for_flat": lambda: _parallel("flat"),
    "RuntimeContext_get_runtime": lambda: _define("ptr @RuntimeContext_get_runtime(ptr %context)", "ret ptr null"),
    "RuntimeContext_set_runtime": lambda: _define("void @RuntimeContext_set_runtime(ptr %context, ptr %runtime)", "ret void"),
    "RuntimeContext_get_result_buffer": lambda: _define(
        "ptr @RuntimeContext_get_result_buffer(ptr %context)",
        "%p = getelementptr %hotcell.context, ptr %context, i32 0, i32 3\n%r = load ptr, ptr %p\nret ptr %r",
    ),
    "RuntimeContext_set_result_buffer": lambda: _define(
        "void @RuntimeContext_set_result_buffer(ptr %context, ptr %buffer)",
        "%p = getelementptr %hotcell.context, ptr %context, i32 0, i32 3\nstore ptr %buffer, ptr %p\nret void",
    ),
    "Dense_lookup_element": lambda: _define(
        "ptr @Dense_lookup_element(ptr %meta, ptr %node, i32 %i)",
        "%s = load i64, ptr %meta\n%t = trunc i64 %s to i32\n%o = mul i32 %t, %i\n%r = getelementptr i8, ptr %node, i32 %o\nret ptr %r",
    ),
    "Dense_is_active": lambda: _define("i1 @Dense_is_active(ptr %meta, ptr %node, i32 %i)", "ret i1 true"),
    "Dense_activate": lambda: _define("void @Dense_activate(ptr %meta, ptr %node, i32 %i)", "ret void"),
    "Dense_get_num_elements": lambda: _define(
        "i32 @Dense_get_num_elements(ptr %meta, ptr %node)",
        "%p = getelementptr i8, ptr %meta, i32 8\n%n = load i64, ptr %p\n%r = trunc i64 %n to i32\nret i32 %r",
    ),
    "Root_lookup_element": lambda: _define("ptr @Root_lookup_element(ptr %meta, ptr %node, i32 %i)", "ret ptr %node"),
    "Root_is_active": lambda: _define("i1 @Root_is_active(ptr %meta, ptr %node, i32 %i)", "ret i1 true"),
    "Root_get_num_elements": lambda: _define("i32 @Root_get_num_elements(ptr %meta, ptr %node)", "ret i32 1"),
    "DenseMeta_set_morton_dim": lambda: _define("void @DenseMeta_set_morton_dim(ptr %meta, i32 %v)", "ret void"),
    "taichi_assert_format": lambda: _define(
        "void @taichi_assert_format(ptr %runtime, i1 %holds, ptr %text, i32 %n, ptr %arguments)", _ASSERT
    ),
    "stack_init": lambda: _define("void @stack_init(ptr %stack)", "store i64 0, ptr %stack\nret void"),
    "stack_pop": lambda: _define(
        "void @stack_pop(ptr %stack)", "%n = load i64, ptr %stack\n%m = sub i64 %n, 1\nstore i64 %m, ptr %stack\nret void"
    ),
    "stack_top_primal": lambda: _define("ptr @stack_top_primal(ptr %stack, i64 %size)", f"{_STACK_TOP}\nret ptr %r"),
    "stack_top_adjoint": lambda: _define(
        "ptr @stack_top_adjoint(ptr %stack, i64 %size)",
        f"{_STACK_TOP}\n%w = trunc i64 %size to i32\n%v = getelementptr i8, ptr %r, i32 %w\nret ptr %v",
    ),
    "stack_push": lambda: _define(
        "void @stack_push(ptr %stack, i64 %most, i64 %size)",
        f"%b = load i64, ptr %stack\n%c = add i64 %b, 1\nstore i64 %c, ptr %stack\n{_STACK_TOP}\n"
        "%w = trunc i64 %two to i32\ncall void @llvm.memset.p0.i32(ptr %r, i8 0, i32 %w, i1 false)\nret void",
    ),
    "do_nothing": lambda: _define("i32 @do_nothing(ptr %context)", "ret i32 0"),
}

_FAMILIES: tuple[tuple[re.Pattern[str], Callable[..., str]], ...] = (
    (re.compile(rf"({'|'.join((*_REAL, 'abs', 'sgn'))})_(f32|f64)"), _real),
    (re.compile(rf"({'|'.join(_REAL2)})_(f32|f64)"), _real2),
    (re.compile(r"abs_(i32|i64)"), _absolute),
    (re.compile(r"(min|max)_([iu](?:16|32|64))"), _extreme),
    (re.compile(r"atomic_(min|max)_(f32|f64)"), _atomic_extreme),
    (re.compile(r"debug_(add|sub|mul|shl)_([iu](?:8|16|32|64))"), _debugged),
    (re.compile(r"rand_(u32|i32|u64|i64|f32|f64)"), _random),
    (re.compile(r"StructMeta_set_(\w+)"), _meta),
    (re.compile(r"hotcell\.ti\.round\.(f32|f64)"), _round),
    (re.compile(r"hotcell\.ti\.(max|min)num\.(f32|f64)"), _number),
)
