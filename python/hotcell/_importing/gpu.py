"""What an entry's code calls to use the GPU: LLVM IR for the functions of ``hotcell:gpu/compute``, as the canonical ABI lowers them.

The first call that fails leaves a message in ``@hotcell.gpu.failure``, and from then on no call does anything: code that uses these functions
goes straight on, and looks at the message once, at its end. Dispatches wait in a list and go to the device together.
"""

from __future__ import annotations

#: The interface, whose functions are imported.
INTERFACE = "hotcell:gpu/compute@0.2.0"
#: The capability that an entry wants that has this code.
CAPABILITY = "gpu"

#: How many dispatches go to the device at once.
_BATCH = 256

_IMPORTS = {
    "get_device": ("get-device", "ptr"),
    "create_buffer": ("[method]device.create-buffer", "i32, i64, ptr"),
    "create_kernel": ("[method]device.create-kernel", "i32, ptr, i32, ptr, i32, ptr, i32, ptr"),
    "run": ("[method]device.run", "i32, ptr, i32, ptr"),
    "write": ("[method]buffer.write", "i32, i64, ptr, i32, ptr"),
    "read": ("[method]buffer.read", "i32, i64, i32, ptr"),
    "bind": ("[method]kernel.bind", "i32, ptr, i32, ptr"),
}

# A result has its kind at byte 0, and at byte 8 what was made, or an error: its kind at byte 8, and its parts from byte 16 on.
_BODY = """
@hotcell.gpu.failure = internal global ptr null
@hotcell.gpu.device = internal global i32 0
@hotcell.gpu.result = internal global [40 x i8] zeroinitializer, align 8
@hotcell.gpu.words = internal global [640 x i8] zeroinitializer
@hotcell.gpu.said = internal global i32 0
@hotcell.gpu.commands = internal global [BATCH x [48 x i8]] zeroinitializer, align 8
@hotcell.gpu.waiting = internal global i32 0
@hotcell.gpu.bindings = internal global [32 x [40 x i8]] zeroinitializer, align 8
@hotcell.gpu.bound = internal global i32 0
@hotcell.gpu.text.shader = internal constant [29 x i8] c"the device refuses a shader: "
@hotcell.gpu.text.requested = internal constant [2 x i8] c": "
@hotcell.gpu.text.allowed = internal constant [20 x i8] c" requested, at most "
@hotcell.gpu.text.range = internal constant [27 x i8] c"a range leaves its buffer: "

; Whether nothing has failed so far.
define internal i1 @hotcell.gpu.is_well() alwaysinline {
  %message = load ptr, ptr @hotcell.gpu.failure
  %well = icmp eq ptr %message, null
  ret i1 %well
}

; What a call made, or 0, with the failure's message.
define internal i32 @hotcell.gpu.made() noinline {
  %kind = load i8, ptr @hotcell.gpu.result
  %well = icmp eq i8 %kind, 0
  br i1 %well, label %made, label %failed
made:
  %one.at = getelementptr i8, ptr @hotcell.gpu.result, i32 8
  %one = load i32, ptr %one.at
  ret i32 %one
failed:
  call void @hotcell.gpu.explain()
  ret i32 0
}

define internal void @hotcell.gpu.say(ptr %from, i32 %length) noinline {
  %said = load i32, ptr @hotcell.gpu.said
  %room = sub i32 600, %said
  %fits = icmp ule i32 %length, %room
  %count = select i1 %fits, i32 %length, i32 %room
  %to = getelementptr i8, ptr @hotcell.gpu.words, i32 %said
  call void @llvm.memcpy.p0.p0.i32(ptr %to, ptr %from, i32 %count, i1 false)
  %now = add i32 %said, %count
  store i32 %now, ptr @hotcell.gpu.said
  ret void
}

define internal void @hotcell.gpu.number(i64 %value) noinline {
  %rest = udiv i64 %value, 10
  %is_last = icmp eq i64 %rest, 0
  br i1 %is_last, label %digit, label %before
before:
  call void @hotcell.gpu.number(i64 %rest)
  br label %digit
digit:
  %ten = mul i64 %rest, 10
  %one = sub i64 %value, %ten
  %code = add i64 %one, 48
  %letter = trunc i64 %code to i8
  %place = alloca i8
  store i8 %letter, ptr %place
  call void @hotcell.gpu.say(ptr %place, i32 1)
  ret void
}

define internal void @hotcell.gpu.explain() noinline {
  %kind.at = getelementptr i8, ptr @hotcell.gpu.result, i32 8
  %kind = load i8, ptr %kind.at
  %a.at = getelementptr i8, ptr @hotcell.gpu.result, i32 16
  %b.at = getelementptr i8, ptr @hotcell.gpu.result, i32 20
  %c.at = getelementptr i8, ptr @hotcell.gpu.result, i32 24
  %d.at = getelementptr i8, ptr @hotcell.gpu.result, i32 28
  %e.at = getelementptr i8, ptr @hotcell.gpu.result, i32 32
  %text = load ptr, ptr %a.at
  %length = load i32, ptr %b.at
  %first = load i64, ptr %c.at
  %second = load i64, ptr %e.at
  switch i8 %kind, label %misuse [ i8 0, label %shader
                                   i8 1, label %limit
                                   i8 2, label %range ]
shader:
  %message = load ptr, ptr %c.at
  %message.length = load i32, ptr %d.at
  call void @hotcell.gpu.say(ptr @hotcell.gpu.text.shader, i32 29)
  call void @hotcell.gpu.say(ptr %message, i32 %message.length)
  br label %done
limit:
  call void @hotcell.gpu.say(ptr %text, i32 %length)
  call void @hotcell.gpu.say(ptr @hotcell.gpu.text.requested, i32 2)
  call void @hotcell.gpu.number(i64 %first)
  call void @hotcell.gpu.say(ptr @hotcell.gpu.text.allowed, i32 20)
  call void @hotcell.gpu.number(i64 %second)
  br label %done
range:
  call void @hotcell.gpu.say(ptr @hotcell.gpu.text.range, i32 27)
  call void @hotcell.gpu.number(i64 %first)
  call void @hotcell.gpu.say(ptr @hotcell.gpu.text.allowed, i32 20)
  call void @hotcell.gpu.number(i64 %second)
  br label %done
misuse:
  call void @hotcell.gpu.say(ptr %text, i32 %length)
  br label %done
done:
  %said = load i32, ptr @hotcell.gpu.said
  %end = getelementptr i8, ptr @hotcell.gpu.words, i32 %said
  store i8 0, ptr %end
  store ptr @hotcell.gpu.words, ptr @hotcell.gpu.failure
  ret void
}

; Begin: the launch's device.
define internal void @hotcell.gpu.open() noinline {
  call void @hotcell.gpu.get_device(ptr @hotcell.gpu.result)
  %device = call i32 @hotcell.gpu.made()
  store i32 %device, ptr @hotcell.gpu.device
  ret void
}

; A buffer of zeros.
define internal i32 @hotcell.gpu.buffer(i32 %bytes) noinline {
  %well = call i1 @hotcell.gpu.is_well()
  br i1 %well, label %go, label %out
go:
  %device = load i32, ptr @hotcell.gpu.device
  %long = zext i32 %bytes to i64
  call void @hotcell.gpu.create_buffer(i32 %device, i64 %long, ptr @hotcell.gpu.result)
  %made = call i32 @hotcell.gpu.made()
  ret i32 %made
out:
  ret i32 0
}

; All of a buffer, from memory.
define internal void @hotcell.gpu.put(i32 %buffer, ptr %from, i32 %bytes) noinline {
  %well = call i1 @hotcell.gpu.is_well()
  %some = icmp ne i32 %bytes, 0
  %both = and i1 %well, %some
  br i1 %both, label %go, label %out
go:
  call void @hotcell.gpu.write(i32 %buffer, i64 0, ptr %from, i32 %bytes, ptr @hotcell.gpu.result)
  call i32 @hotcell.gpu.made()
  br label %out
out:
  ret void
}

; All of a buffer, into memory, after everything that waits.
define internal void @hotcell.gpu.get(i32 %buffer, ptr %to, i32 %bytes) noinline {
  call void @hotcell.gpu.flush()
  %well = call i1 @hotcell.gpu.is_well()
  %some = icmp ne i32 %bytes, 0
  %both = and i1 %well, %some
  br i1 %both, label %go, label %out
go:
  call void @hotcell.gpu.read(i32 %buffer, i64 0, i32 %bytes, ptr @hotcell.gpu.result)
  call i32 @hotcell.gpu.made()
  %still = call i1 @hotcell.gpu.is_well()
  br i1 %still, label %copy, label %out
copy:
  %at = getelementptr i8, ptr @hotcell.gpu.result, i32 8
  %from = load ptr, ptr %at
  call void @llvm.memcpy.p0.p0.i32(ptr %to, ptr %from, i32 %bytes, i1 false)
  br label %out
out:
  ret void
}

; The entry point `main` of a shader of the component.
define internal i32 @hotcell.gpu.kernel(ptr %name, i32 %length) noinline {
  %well = call i1 @hotcell.gpu.is_well()
  br i1 %well, label %go, label %out
go:
  %device = load i32, ptr @hotcell.gpu.device
  %main = bitcast ptr @hotcell.gpu.text.main to ptr
  call void @hotcell.gpu.create_kernel(i32 %device, ptr %name, i32 %length, ptr %main, i32 4, ptr null, i32 0, ptr @hotcell.gpu.result)
  %made = call i32 @hotcell.gpu.made()
  ret i32 %made
out:
  ret i32 0
}
@hotcell.gpu.text.main = internal constant [4 x i8] c"main"

; What the next bind set has at a slot of group 0: all of a buffer.
define internal void @hotcell.gpu.slot(i32 %slot, i32 %buffer) noinline {
  %index = load i32, ptr @hotcell.gpu.bound
  %at = getelementptr [40 x i8], ptr @hotcell.gpu.bindings, i32 %index
  call void @llvm.memset.p0.i32(ptr %at, i8 0, i32 40, i1 false)
  %slot.at = getelementptr i8, ptr %at, i32 4
  store i32 %slot, ptr %slot.at
  %buffer.at = getelementptr i8, ptr %at, i32 8
  store i32 %buffer, ptr %buffer.at
  %next = add i32 %index, 1
  store i32 %next, ptr @hotcell.gpu.bound
  ret void
}

; The bind set of a kernel and the slots that were said before.
define internal i32 @hotcell.gpu.set(i32 %kernel) noinline {
  %count = load i32, ptr @hotcell.gpu.bound
  store i32 0, ptr @hotcell.gpu.bound
  %well = call i1 @hotcell.gpu.is_well()
  br i1 %well, label %go, label %out
go:
  call void @hotcell.gpu.bind(i32 %kernel, ptr @hotcell.gpu.bindings, i32 %count, ptr @hotcell.gpu.result)
  %made = call i32 @hotcell.gpu.made()
  ret i32 %made
out:
  ret i32 0
}

; Queue workgroups of a bind set along x.
define internal void @hotcell.gpu.dispatch(i32 %set, i32 %groups) noinline {
  %index = load i32, ptr @hotcell.gpu.waiting
  %at = getelementptr [48 x i8], ptr @hotcell.gpu.commands, i32 %index
  store i8 0, ptr %at
  %set.at = getelementptr i8, ptr %at, i32 8
  store i32 %set, ptr %set.at
  %x.at = getelementptr i8, ptr %at, i32 12
  store i32 %groups, ptr %x.at
  %y.at = getelementptr i8, ptr %at, i32 16
  store i32 1, ptr %y.at
  %z.at = getelementptr i8, ptr %at, i32 20
  store i32 1, ptr %z.at
  %next = add i32 %index, 1
  store i32 %next, ptr @hotcell.gpu.waiting
  %is_full = icmp eq i32 %next, BATCH
  br i1 %is_full, label %full, label %out
full:
  call void @hotcell.gpu.flush()
  br label %out
out:
  ret void
}

; Run what waits.
define internal void @hotcell.gpu.flush() noinline {
  %count = load i32, ptr @hotcell.gpu.waiting
  store i32 0, ptr @hotcell.gpu.waiting
  %well = call i1 @hotcell.gpu.is_well()
  %some = icmp ne i32 %count, 0
  %both = and i1 %well, %some
  br i1 %both, label %go, label %out
go:
  %device = load i32, ptr @hotcell.gpu.device
  call void @hotcell.gpu.run(i32 %device, ptr @hotcell.gpu.commands, i32 %count, ptr @hotcell.gpu.result)
  call i32 @hotcell.gpu.made()
  br label %out
out:
  ret void
}
"""


def library() -> str:
    """The functions' text, to stand once in a module."""
    declared = []
    attributes = []
    for number, (name, (imported, parameters)) in enumerate(_IMPORTS.items(), 900):
        declared.append(f"declare void @hotcell.gpu.{name}({parameters}) #{number}\n")
        attributes.append(f'attributes #{number} = {{ "wasm-import-module"="{INTERFACE}" "wasm-import-name"="{imported}" }}\n')
    return "".join(declared) + _BODY.replace("BATCH", str(_BATCH)) + "".join(attributes)
