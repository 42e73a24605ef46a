//! The functions that are put around an object's: what the canonical ABI asks for, the allocator, and the few of C's library that
//! compilers call by themselves.
//!
//! A launch is an instance of its own, so the allocator never takes anything back.

use super::count;
use super::layout::{ANSWER, PAGE_BYTES, RETURNED, TOO_LONG, TOO_LONG_BYTES};
use super::link::{ALLOCATE, LinkedKernel};
use hotcell_manifest::{DType, Role};
use hotcell_model::component::PACKAGE_VERSION;
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType as Encoded};
use wasmparser::ValType::{self, I32, I64};

pub(super) type Type = (&'static [ValType], &'static [ValType]);

/// The type of `launch`, as the canonical ABI lowers it: entry, dimensions, scalars, sources and destinations by address and
/// length, then the chunk's first index, its length, and the whole extent.
pub(super) const LAUNCH: Type = (
    &[
        I32, I32, I32, I32, I32, I32, I32, I32, I32, I32, I64, I64, I64,
    ],
    &[I32],
);
/// The type of what runs one kernel: the addresses of dimensions, scalars, sources and destinations, the chunk's first
/// index and the whole extent.
pub(super) const RUN: Type = (&[I32, I32, I32, I32, I64, I64], &[I32]);

/// The host's functions, which are imported first: their interface, name and type.
const HOST: [(&str, &str, Type); HOST_FUNCTIONS as usize] = [
    ("arrays", "[method]input.size-bytes", (&[I32], &[I64])),
    ("arrays", "[method]input.read", (&[I32, I64, I32, I32], &[])),
    ("arrays", "[method]output.size-bytes", (&[I32], &[I64])),
    (
        "arrays",
        "[method]output.buffer",
        (&[I32, I64, I32, I32], &[]),
    ),
    (
        "arrays",
        "[method]output.write",
        (&[I32, I64, I32, I32], &[]),
    ),
    ("failure", "explain", (&[I32, I32], &[])),
];
pub(super) const HOST_FUNCTIONS: u32 = 6;
// Their places.
const INPUT_SIZE: u32 = 0;
const INPUT_READ: u32 = 1;
const OUTPUT_SIZE: u32 = 2;
const OUTPUT_BUFFER: u32 = 3;
const OUTPUT_WRITE: u32 = 4;
const EXPLAIN: u32 = 5;

/// What is imported of the host: module, name and type.
pub(super) fn imports() -> impl Iterator<Item = (String, &'static str, Type)> {
    HOST.into_iter().map(|(interface, name, ty)| {
        let module = format!("hotcell:kernel/{interface}@{PACKAGE_VERSION}");
        (module, name, ty)
    })
}

/// What stands for a function that nobody has.
pub(super) fn trap() -> Function {
    let mut made = Function::new([]);
    made.instructions().unreachable().end();
    made
}

/// A function that is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Support {
    /// C's `memcpy` and `memmove`.
    Copy,
    /// C's `memset`.
    Fill,
    /// Memory of a length and an alignment, from an address on; 0 where it cannot be had.
    Place,
    /// Memory of a length and an alignment, or a trap.
    Allocate,
    /// The canonical ABI's `cabi_realloc`.
    Reallocate,
    /// An input's bytes by its handle: their address; their length stands where the host puts it.
    Take,
    /// The same for an output's.
    Room,
    /// Gives an output's bytes to the host.
    Give,
}

impl Support {
    pub(super) const ALL: [Self; 8] = [
        Self::Copy,
        Self::Fill,
        Self::Place,
        Self::Allocate,
        Self::Reallocate,
        Self::Take,
        Self::Room,
        Self::Give,
    ];

    /// What an object's symbol of that name is.
    pub(super) fn of_symbol(name: &str) -> Option<Self> {
        match name {
            "memcpy" | "memmove" => Some(Self::Copy),
            "memset" => Some(Self::Fill),
            ALLOCATE => Some(Self::Allocate),
            _ => None,
        }
    }

    /// Its name in traps.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copy => "memmove",
            Self::Fill => "memset",
            Self::Place => "place",
            Self::Allocate => ALLOCATE,
            Self::Reallocate => "cabi_realloc",
            Self::Take => "take",
            Self::Room => "room",
            Self::Give => "give",
        }
    }

    pub(super) fn ty(self) -> Type {
        match self {
            Self::Copy | Self::Fill | Self::Place => (&[I32, I32, I32], &[I32]),
            Self::Allocate => (&[I32, I32], &[I32]),
            Self::Reallocate => (&[I32, I32, I32, I32], &[I32]),
            Self::Take | Self::Room => (&[I32], &[I32]),
            Self::Give => (&[I32, I32, I32], &[]),
        }
    }
}

/// The global with the address where the heap's free part begins.
const FREE: u32 = 1;
/// Blocks from here on begin at a page of the host's, which may then map an array there.
const PAGED_BYTES: i32 = 64 << 10;
const HOST_PAGE_BYTES: i32 = 4 << 10;
/// Blocks from here on begin at a large page, where that costs no limit.
const HUGE_BYTES: i32 = 2 << 20;
/// Every block begins at a multiple of it: a vector's size.
const GRAIN_BYTES: i32 = 16;
/// Where nothing is: the address of an empty array.
const NOWHERE: i32 = GRAIN_BYTES;
/// Blocks end before it, so that every end can be counted.
const UP_TO: i64 = 0xffff_0000;

/// Writes the functions.
pub(super) struct Shim {
    pub(super) take: u32,
    pub(super) room: u32,
    pub(super) give: u32,
    pub(super) place: u32,
    pub(super) allocate: u32,
    /// Memory from here on grew, and the host can map pages there.
    pub(super) paged_from: u32,
}

/// `offset` bytes on, of natural alignment.
fn at(offset: u64, align: u32) -> MemArg {
    MemArg {
        offset,
        align,
        memory_index: 0,
    }
}

fn word(offset: u64) -> MemArg {
    at(offset, 2)
}

fn address(address: u32) -> i32 {
    address.cast_signed()
}

impl Shim {
    pub(super) fn support(&self, function: Support) -> Function {
        match function {
            Support::Copy => {
                let mut made = Function::new([]);
                let mut code = made.instructions();
                code.local_get(0)
                    .local_get(1)
                    .local_get(2)
                    .memory_copy(0, 0);
                code.local_get(0).end();
                made
            }
            Support::Fill => {
                let mut made = Function::new([]);
                let mut code = made.instructions();
                code.local_get(0).local_get(1).local_get(2).memory_fill(0);
                code.local_get(0).end();
                made
            }
            Support::Place => place(),
            Support::Allocate => self.allocate(),
            Support::Reallocate => self.reallocate(),
            Support::Take => Self::fetch(INPUT_SIZE, INPUT_READ),
            Support::Room => Self::fetch(OUTPUT_SIZE, OUTPUT_BUFFER),
            Support::Give => {
                let mut made = Function::new([]);
                let mut code = made.instructions();
                // Handle, address, length: of nothing nothing is given.
                code.local_get(2).if_(BlockType::Empty);
                code.local_get(0).i64_const(0).local_get(1).local_get(2);
                code.call(OUTPUT_WRITE).end().end();
                made
            }
        }
    }

    /// Length and alignment; tries the alignment that suits the length first.
    fn allocate(&self) -> Function {
        const LEN: u32 = 0;
        const ALIGN: u32 = 1;
        const FOUND: u32 = 2;
        let mut made = Function::new([(1, Encoded::I32)]);
        let mut code = made.instructions();
        raise(&mut code, ALIGN, GRAIN_BYTES);
        for (from, align) in [(HUGE_BYTES, HUGE_BYTES), (PAGED_BYTES, HOST_PAGE_BYTES)] {
            code.local_get(LEN).i32_const(from).i32_ge_u();
            code.if_(BlockType::Empty);
            code.local_get(LEN);
            code.local_get(ALIGN).i32_const(align);
            code.local_get(ALIGN).i32_const(align).i32_gt_u().select();
            code.i32_const(address(self.paged_from)).call(self.place);
            code.local_tee(FOUND).if_(BlockType::Empty);
            code.local_get(FOUND).return_().end().end();
        }
        code.local_get(LEN).local_get(ALIGN).i32_const(0);
        code.call(self.place).local_tee(FOUND).i32_eqz();
        // The host sees that memory was refused.
        code.if_(BlockType::Empty).unreachable().end();
        code.local_get(FOUND).end();
        made
    }

    /// A block and its length, alignment, the new length.
    fn reallocate(&self) -> Function {
        const BLOCK: u32 = 0;
        const OLD: u32 = 1;
        const ALIGN: u32 = 2;
        const NEW: u32 = 3;
        const FOUND: u32 = 4;
        let mut made = Function::new([(1, Encoded::I32)]);
        let mut code = made.instructions();
        code.local_get(NEW).i32_eqz().if_(BlockType::Empty);
        code.local_get(ALIGN).return_().end();
        code.local_get(NEW).local_get(ALIGN).call(self.allocate);
        code.local_set(FOUND);
        code.local_get(FOUND).local_get(BLOCK);
        code.local_get(OLD).local_get(NEW);
        code.local_get(OLD).local_get(NEW).i32_lt_u().select();
        code.memory_copy(0, 0);
        code.local_get(FOUND).end();
        made
    }

    /// The bytes of an array by its handle, as the host gives them.
    fn fetch(size: u32, bytes: u32) -> Function {
        const HANDLE: u32 = 0;
        const LEN: u32 = 1;
        let mut made = Function::new([(1, Encoded::I64)]);
        let mut code = made.instructions();
        code.local_get(HANDLE).call(size).local_tee(LEN);
        code.i64_const(i64::from(u32::MAX)).i64_gt_u();
        code.if_(BlockType::Empty);
        code.i32_const(address(TOO_LONG));
        code.i32_const(address(TOO_LONG_BYTES));
        code.call(EXPLAIN).unreachable().end();
        code.local_get(LEN).i64_eqz().if_(BlockType::Empty);
        code.i32_const(address(RETURNED))
            .i32_const(0)
            .i32_store(word(4));
        code.i32_const(NOWHERE).return_().end();
        code.local_get(HANDLE)
            .i64_const(0)
            .local_get(LEN)
            .i32_wrap_i64();
        code.i32_const(address(RETURNED)).call(bytes);
        code.i32_const(address(RETURNED)).i32_load(word(0)).end();
        made
    }

    /// What runs a kernel: takes its arrays in, calls it, and gives its outputs back.
    pub(super) fn run(&self, linked: &LinkedKernel<'_>, function: u32) -> Function {
        const DIMS: u32 = 0;
        const SCALARS: u32 = 1;
        const SOURCES: u32 = 2;
        const DESTINATIONS: u32 = 3;
        const START: u32 = 4;
        const TOTAL: u32 = 5;
        let parameters = &linked.kernel.record().parameters;
        let arrays = parameters.iter().filter(|one| one.role != Role::Scalar);
        let arrays = count(arrays.count());
        // For each array its address and its length, then the message.
        let mut made = Function::new([(2 * arrays + 2, Encoded::I32), (1, Encoded::I64)]);
        let first = 6;
        let [message, end, spare] = [0, 1, 2].map(|more| first + 2 * arrays + more);
        let mut code = made.instructions();
        let (mut source, mut destination, mut array) = (0, 0, first);
        let mut written = Vec::new();
        for parameter in parameters {
            let handle = |list: u32, nth: u64, code: &mut InstructionSink<'_>| {
                code.local_get(list).i32_load(word(12 * nth + 8));
            };
            match parameter.role {
                Role::Scalar => continue,
                Role::Input | Role::Inout => {
                    handle(SOURCES, source, &mut code);
                    code.call(self.take);
                    source += 1;
                }
                Role::Output => {
                    handle(DESTINATIONS, destination, &mut code);
                    code.call(self.room);
                }
            }
            code.local_set(array);
            code.i32_const(address(RETURNED)).i32_load(word(4));
            code.local_set(array + 1);
            if parameter.role != Role::Input {
                written.push((destination, array));
                destination += 1;
            }
            array += 2;
        }
        let (mut scalar, mut array) = (0, first);
        for parameter in parameters {
            if parameter.role != Role::Scalar {
                code.local_get(array);
                array += 2;
                continue;
            }
            let value = 24 * scalar + 16;
            code.local_get(SCALARS);
            match parameter.dtype {
                DType::Bool => code.i32_load8_u(at(value, 0)),
                DType::I64 | DType::U64 => code.i64_load(at(value, 3)),
                DType::F32 => code.f32_load(word(value)),
                DType::F64 => code.f64_load(at(value, 3)),
                _ => code.i32_load(word(value)),
            };
            scalar += 1;
        }
        for nth in 0..linked.kernel.dims().len() as u64 {
            code.local_get(DIMS).i64_load(at(16 * nth + 8, 3));
            extent(&mut code, spare);
        }
        if linked.takes_chunk {
            for index in [START, TOTAL] {
                code.local_get(index);
                extent(&mut code, spare);
            }
        }
        code.call(function);
        if linked.may_fail {
            code.local_tee(message).if_(BlockType::Empty);
            // The message's end.
            code.local_get(message).local_set(end);
            code.loop_(BlockType::Empty);
            code.local_get(end).i32_load8_u(at(0, 0));
            code.if_(BlockType::Empty);
            code.local_get(end).i32_const(1).i32_add().local_set(end);
            code.br(1).end().end();
            answer(&mut code, 2);
            code.i32_const(address(ANSWER))
                .local_get(message)
                .i32_store(word(8));
            code.i32_const(address(ANSWER));
            code.local_get(end)
                .local_get(message)
                .i32_sub()
                .i32_store(word(12));
            code.i32_const(address(ANSWER)).return_().end();
        }
        for (destination, array) in written {
            code.local_get(DESTINATIONS)
                .i32_load(word(12 * destination + 8));
            code.local_get(array).local_get(array + 1).call(self.give);
        }
        code.i32_const(address(ANSWER)).end();
        made
    }

    /// The component's export: runs the kernel whose name it is given.
    pub(super) fn launch<'n>(
        constructors: impl Iterator<Item = u32>,
        kernels: impl Iterator<Item = (&'n str, u32)>,
    ) -> Function {
        const ENTRY: u32 = 0;
        const ENTRY_LEN: u32 = 1;
        const DIMS: u32 = 2;
        const SCALARS: u32 = 4;
        const SOURCES: u32 = 6;
        const DESTINATIONS: u32 = 8;
        const START: u32 = 10;
        const TOTAL: u32 = 12;
        let mut made = Function::new([]);
        let mut code = made.instructions();
        for constructor in constructors {
            code.call(constructor);
        }
        for (name, run) in kernels {
            code.local_get(ENTRY_LEN)
                .i32_const(address(count(name.len())))
                .i32_eq();
            code.if_(BlockType::Empty);
            code.i32_const(1);
            for (offset, byte) in (0_u64..).zip(name.bytes()) {
                code.local_get(ENTRY).i32_load8_u(at(offset, 0));
                code.i32_const(byte.into()).i32_eq().i32_and();
            }
            code.if_(BlockType::Empty);
            for argument in [DIMS, SCALARS, SOURCES, DESTINATIONS, START, TOTAL] {
                code.local_get(argument);
            }
            code.call(run).return_().end().end();
        }
        answer(&mut code, 0);
        code.i32_const(address(ANSWER))
            .local_get(ENTRY)
            .i32_store(word(8));
        code.i32_const(address(ANSWER))
            .local_get(ENTRY_LEN)
            .i32_store(word(12));
        code.i32_const(address(ANSWER)).end();
        made
    }
}

/// Length, alignment, and the least address: takes a block from the heap's free part.
fn place() -> Function {
    const LEN: u32 = 0;
    const ALIGN: u32 = 1;
    const FROM: u32 = 2;
    const AT: u32 = 3;
    const END: u32 = 4;
    const HAVE: u32 = 5;
    let mut made = Function::new([(3, Encoded::I64)]);
    let mut code = made.instructions();
    // The free part's beginning, or the least address.
    code.global_get(FREE).local_get(FROM);
    code.global_get(FREE).local_get(FROM).i32_gt_u().select();
    code.i64_extend_i32_u();
    code.local_get(ALIGN)
        .i64_extend_i32_u()
        .i64_add()
        .i64_const(1)
        .i64_sub();
    code.i64_const(0)
        .local_get(ALIGN)
        .i64_extend_i32_u()
        .i64_sub()
        .i64_and();
    code.local_tee(AT);
    code.local_get(LEN)
        .i64_extend_i32_u()
        .i64_add()
        .local_tee(END);
    code.i64_const(UP_TO).i64_gt_u().if_(BlockType::Empty);
    code.i32_const(0).return_().end();
    code.local_get(END);
    code.memory_size(0)
        .i64_extend_i32_u()
        .i64_const(16)
        .i64_shl()
        .local_tee(HAVE);
    code.i64_gt_u().if_(BlockType::Empty);
    code.local_get(END).local_get(HAVE).i64_sub();
    code.i64_const(i64::from(PAGE_BYTES) - 1)
        .i64_add()
        .i64_const(16)
        .i64_shr_u();
    code.i32_wrap_i64().memory_grow(0).i32_const(-1).i32_eq();
    code.if_(BlockType::Empty)
        .i32_const(0)
        .return_()
        .end()
        .end();
    code.local_get(END).i32_wrap_i64().global_set(FREE);
    code.local_get(AT).i32_wrap_i64().end();
    made
}

/// Raises a local to at least that.
fn raise(code: &mut InstructionSink<'_>, local: u32, least: i32) {
    code.local_get(local).i32_const(least);
    code.local_get(local).i32_const(least).i32_gt_u().select();
    code.local_set(local);
}

/// Makes an extent that is on the stack one of 32 bits. One that does not fit is of an array that is empty along another dimension, or
/// of none: it is as large as can be said.
fn extent(code: &mut InstructionSink<'_>, spare: u32) {
    const MOST: i64 = i32::MAX as i64;
    code.local_tee(spare).i64_const(MOST);
    code.local_get(spare).i64_const(MOST).i64_lt_u().select();
    code.i32_wrap_i64();
}

/// Makes the answer an error of that tag.
fn answer(code: &mut InstructionSink<'_>, tag: i32) {
    code.i32_const(address(ANSWER))
        .i32_const(1)
        .i32_store8(at(0, 0));
    code.i32_const(address(ANSWER))
        .i32_const(tag)
        .i32_store(word(4));
}
