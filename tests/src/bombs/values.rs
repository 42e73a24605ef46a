//! Bombs of straight-line code: many values, long lives, long sequences.

use super::carrier::Carrier;
use super::parts::{Parts, at, function, longest};
use wasm_encoder::{Function, InstructionSink, ValType};

/// One function that loads values, each from a place of its own, and adds them up when it has them all.
pub(super) fn live_values(carrier: &mut Carrier) {
    carrier.module(Parts::new().with(&summed(), 1).module());
}

/// As [`live_values`], in every function that fits.
pub(super) fn live_values_everywhere(carrier: &mut Carrier) {
    let module = Parts::new().filled(carrier, &summed()).module();
    carrier.module(module);
}

fn summed() -> Function {
    // An address, a load with an offset of three bytes, and an addition.
    longest(&[], 8, |code, steps| {
        (0..steps).for_each(|step| load(code, step % 60_000));
        (1..steps).for_each(|_| {
            code.i64_add();
        });
    })
}

fn load(code: &mut InstructionSink<'_>, offset: u32) {
    code.i32_const(0).i64_load(at(offset));
}

/// A thousand values, then calls, then all the values: each call has to keep them all.
pub(super) fn live_across_calls(carrier: &mut Carrier) {
    let calls = longest(&[(1, ValType::I64)], 6, |code, steps| {
        let values = 1000;
        (0..values).for_each(|value| load(code, value * 8));
        (0..steps.saturating_sub(2 * values)).for_each(|_| {
            code.local_get(1).call(0).local_set(1);
        });
        (1..values).for_each(|_| {
            code.i64_xor();
        });
    });
    let module = Parts::new().filled(carrier, &calls).module();
    carrier.module(module);
}

/// Selects among locals, each a function of all that came before, around a loop.
pub(super) fn selects(carrier: &mut Carrier) {
    let values = 100;
    let select = longest(&[(values, ValType::I64)], 12, |code, steps| {
        code.loop_(wasm_encoder::BlockType::Empty);
        for step in 0..steps {
            let place = |by: u32| 1 + (step * by + by) % values;
            code.local_get(place(1))
                .local_get(place(7))
                .local_get(place(31));
            code.i32_wrap_i64().select().local_set(place(13));
        }
        code.local_get(0).i32_wrap_i64().br_if(0).end();
        code.local_get(1);
    });
    let module = Parts::new().filled(carrier, &select).module();
    carrier.module(module);
}

/// One expression as deep as the function is long. Constants, sums, products and masks invite a
/// simplifier to move them past each other.
pub(super) fn deep_expressions(carrier: &mut Carrier) {
    let deep = longest(&[], 20, |code, steps| {
        code.local_get(0);
        for step in 0..steps {
            let constant = i64::from(step % 50 + 3);
            code.i64_const(constant).i64_add();
            code.i64_const(constant).i64_mul();
            code.local_get(0).i64_sub();
            code.i64_const(constant).i64_and();
            code.i64_const(constant).i64_shl();
            code.local_get(0).i64_or();
        }
    });
    let module = Parts::new().filled(carrier, &deep).module();
    carrier.module(module);
}

/// Vector instructions for which the machine has none, on vectors that depend on each other.
pub(super) fn vectors(carrier: &mut Carrier) {
    let locals = [(32, ValType::V128)];
    let vector = longest(&locals, 50, |code, steps| {
        for step in 0..steps {
            let [a, b, c] = [step, step * 5 + 1, step * 11 + 3].map(|local| 1 + local % 32);
            code.local_get(a).local_get(b).i64x2_mul().local_set(c);
            code.local_get(b)
                .i8x16_popcnt()
                .local_get(a)
                .i8x16_swizzle();
            code.local_get(c)
                .i8x16_shuffle([0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31]);
            code.local_get(0).i32_wrap_i64().i8x16_shr_s();
            code.i32x4_trunc_sat_f64x2_u_zero().local_set(a);
        }
        code.local_get(1).i64x2_extract_lane(0);
    });
    let module = Parts::new().filled(carrier, &vector).module();
    carrier.module(module);
}

/// Constants that the machine has to load, no two the same, and all in use.
pub(super) fn vector_constants(carrier: &mut Carrier) {
    let constants = |first: u32| {
        longest(&[(1, ValType::V128)], 24, |code, steps| {
            for step in 0..steps {
                let constant = i128::from(first + step) * 0x0123_4567_89ab_cdef_0246_8ace;
                code.local_get(1)
                    .v128_const(constant)
                    .v128_xor()
                    .local_set(1);
            }
            code.local_get(1).i64x2_extract_lane(1);
        })
    };
    let mut parts = Parts::new();
    let functions = carrier.room() / (constants(0).byte_len() + 64);
    for number in 0..u32::try_from(functions).unwrap_or(u32::MAX) {
        parts.function(0, &constants(number * 1_000_000));
    }
    carrier.module(parts.module());
}

/// A function of a few bytes.
pub(super) fn tiny(callee: u32) -> Function {
    function(&[], |code| {
        code.local_get(0).call(callee);
    })
}
