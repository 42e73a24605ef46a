//! Bombs of blocks, branches and loops: what flows together is dear where much flows.

use super::carrier::Carrier;
use super::parts::{FUNCTION_BYTES, Parts, function, longest};
use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

/// Just under the limit on nesting; the function itself and the innermost block are levels too.
const DEPTH: u32 = 995;
/// Just under the limit on locals.
const LOCALS: u32 = 9_990;
/// The most parameters that a block can have.
const WIDTH: usize = 1000;

/// Locals that change under conditions, again and again: at each place where the ways meet, each of them may
/// have two values.
pub(super) fn locals(carrier: &mut Carrier) {
    let shuffled = longest(&[(LOCALS, ValType::I64)], 12, |code, steps| {
        code.loop_(BlockType::Empty);
        for step in 0..steps {
            let local = |by: u32| 1 + step.wrapping_mul(by) % LOCALS;
            code.local_get(local(17)).local_set(local(5));
            if step % 16 == 0 {
                code.local_get(0).i32_wrap_i64().br_if(0);
            }
        }
        code.end().local_get(1);
    });
    let module = Parts::new().filled(carrier, &shuffled).module();
    carrier.module(module);
}

/// Every loop's head is a place where each local that changes within may have two values: a thousand
/// loops, ten thousand locals.
pub(super) fn loops_in_loops(carrier: &mut Carrier) {
    let nested = function(&[(LOCALS, ValType::I64)], |code| {
        (0..DEPTH).for_each(|_| {
            code.loop_(BlockType::Empty);
        });
        (0..LOCALS).for_each(|local| {
            code.local_get(1 + (local * 7 + 1) % LOCALS)
                .local_set(1 + local);
        });
        (0..DEPTH).for_each(|_| {
            code.local_get(0).i32_wrap_i64().br_if(0).end();
        });
        code.local_get(1);
    });
    let module = Parts::new().filled(carrier, &nested).module();
    carrier.module(module);
}

/// `if` and `else` within each other, through which a thousand values pass at every level.
pub(super) fn branches_in_branches(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    let wide = [ValType::I64; WIDTH];
    parts.types.ty().function(wide, wide);
    let nested = function(&[], |code| {
        (0..WIDTH).for_each(|_| {
            code.local_get(0);
        });
        (0..DEPTH).for_each(|_| {
            code.local_get(0)
                .i32_wrap_i64()
                .if_(BlockType::FunctionType(1));
        });
        (0..DEPTH).for_each(|_| {
            code.i64_add()
                .local_get(0)
                .else_()
                .i64_xor()
                .local_get(0)
                .end();
        });
        (1..WIDTH).for_each(|_| {
            code.i64_add();
        });
    });
    let module = parts.filled(carrier, &nested).module();
    carrier.module(module);
}

/// Tables of jumps to blocks that each take values along.
pub(super) fn jump_tables(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    let carried = [ValType::I64; 16];
    parts.types.ty().function([], carried);
    let jumps = function(&[], |code| jump(code, carried.len()));
    let module = parts.filled(carrier, &jumps).module();
    carrier.module(module);
}

fn jump(code: &mut InstructionSink<'_>, carried: usize) {
    let (targets, blocks) = (9_999u32, 900);
    (0..blocks).for_each(|_| {
        code.block(BlockType::FunctionType(1));
    });
    // A target takes one or two bytes.
    let tables = FUNCTION_BYTES / (2 * 9_999) - 1;
    for table in 0..u32::try_from(tables).unwrap_or(0) {
        code.block(BlockType::FunctionType(1));
        (0..carried).for_each(|_| {
            code.local_get(0);
        });
        code.local_get(0).i32_wrap_i64();
        code.br_table(
            (0..targets).map(|target| (target * (table + 3)) % blocks),
            0,
        );
        code.end();
        drop_all(code, carried);
    }
    (0..carried).for_each(|_| {
        code.local_get(0);
    });
    (0..blocks).for_each(|_| {
        code.end();
    });
    drop_all(code, carried - 1);
}

fn drop_all(code: &mut InstructionSink<'_>, values: usize) {
    (0..values).for_each(|_| {
        code.drop();
    });
}

/// Loops that do nothing: what is checked at the head of a loop is far longer than the loop.
pub(super) fn empty_loops(carrier: &mut Carrier) {
    let empty = longest(&[], 3, |code, steps| {
        (0..steps).for_each(|_| {
            code.loop_(BlockType::Empty).end();
        });
        code.local_get(0);
    });
    let module = Parts::new().filled(carrier, &empty).module();
    carrier.module(module);
}

/// One branch after the other, each of which may change one of a few locals.
pub(super) fn diamonds(carrier: &mut Carrier) {
    let module = Parts::new().filled(carrier, &forks()).module();
    carrier.module(module);
}

fn forks() -> Function {
    let locals = 100;
    longest(
        &[(1, ValType::I32), (locals, ValType::I64)],
        9,
        |code, steps| {
            for step in 0..steps {
                let [to, from] = [step, step * 3 + 1].map(|local| 2 + local % locals);
                code.local_get(1).if_(BlockType::Empty);
                code.local_get(from).local_set(to).end();
            }
            code.local_get(2);
        },
    )
}
