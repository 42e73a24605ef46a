//! Bombs of many or huge things outside of function bodies.

use super::carrier::Carrier;
use super::parts::{FUNCTIONS, ITEMS, Parts, function, longest};
use super::values::tiny;
use wasm_encoder::{
    ConstExpr, ElementMode, ElementSegment, Elements, NameMap, NameSection, ValType,
};

/// Functions that each call the next.
pub(super) fn small_functions(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    (0..FUNCTIONS).for_each(|number| parts.function(0, &tiny((number + 1) % FUNCTIONS)));
    carrier.module(parts.module());
}

/// A table may hold each of these functions, so that anybody may call it: each signature needs code of its own for
/// that.
pub(super) fn signatures(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    let types = 4_900u32;
    let body = function(&[], |code| {
        code.unreachable();
    });
    for ty in 0..types {
        let of = |bit: u32| {
            if ty >> bit & 1 == 0 {
                ValType::I64
            } else {
                ValType::F64
            }
        };
        let wide: Vec<ValType> = (0..1000).map(|at| of(at % 13)).collect();
        parts
            .types
            .ty()
            .function(wide.iter().copied(), wide.iter().copied());
        parts.function(1 + ty, &body);
    }
    let functions: Vec<u32> = (0..types).collect();
    parts
        .elements
        .passive(Elements::Functions((&functions[..]).into()));
    carrier.module(parts.module());
}

/// Globals, each read and written in every function.
pub(super) fn globals(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    (0..ITEMS).for_each(|_| parts.global());
    let touching = longest(&[], 12, |code, steps| {
        for step in 0..steps {
            let global = |by: u32| step.wrapping_mul(by) % ITEMS;
            code.global_get(global(7)).local_get(0).i64_add();
            code.global_set(global(11));
        }
        code.local_get(0);
    });
    let module = parts.filled(carrier, &touching).module();
    carrier.module(module);
}

/// Segments all over four gigabytes of memory, and others on top of each other.
pub(super) fn data_segments(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    let bytes = carrier.room() / 50_000;
    let data = vec![0x5a; bytes.min(250)];
    for number in 0..ITEMS {
        let address = match number % 2 {
            0 => number.wrapping_mul(86_243),
            _ => number,
        };
        let offset = ConstExpr::i32_const(address.cast_signed());
        parts.data.active(0, &offset, data.iter().copied());
    }
    carrier.module(parts.module());
}

/// Segments of a million elements each.
pub(super) fn element_segments(carrier: &mut Carrier) {
    let mut parts = Parts::new().with(&tiny(0), 1);
    let elements = vec![0; 1_000_000];
    for number in 0..carrier.room() / elements.len() {
        let offset = ConstExpr::i32_const(i32::try_from(number).unwrap_or(0));
        let mode = match number % 3 {
            0 => ElementMode::Passive,
            _ => ElementMode::Active {
                table: None,
                offset: &offset,
            },
        };
        parts.elements.segment(ElementSegment {
            mode,
            elements: Elements::Functions((&elements[..]).into()),
        });
    }
    carrier.module(parts.module());
}

/// Modules with a few functions each.
pub(super) fn modules(carrier: &mut Carrier) {
    let modules = 990u16;
    let each = usize::try_from(FUNCTIONS / u32::from(modules)).unwrap_or(0);
    let small = Parts::new().with(&tiny(0), each);
    (0..modules).for_each(|_| {
        carrier.module(small.module());
    });
}

/// Memories, tables and globals that nothing uses: of the first two as many in a module as a runner has room for.
pub(super) fn memories_and_tables(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    (1..8).for_each(|_| parts.memory());
    (1..16).for_each(|_| parts.table(1));
    (1..25).for_each(|_| parts.global());
    // Each module is an item too.
    (0..ITEMS / 50 - 6).for_each(|_| {
        carrier.module(parts.module());
    });
}

/// A long name for every function, and sections that nobody knows.
pub(super) fn names(carrier: &mut Carrier) {
    let mut parts = Parts::new();
    let mut names = NameMap::new();
    for number in 0..FUNCTIONS {
        parts.function(0, &tiny(number));
        names.append(number, &format!("{number:x>500}"));
    }
    let mut section = NameSection::new();
    section.functions(&names);
    let mut module = parts.module();
    module.section(&section);
    carrier.module(module);
    let sections = 20_000;
    let bytes = vec![0; carrier.room() / sections - 16];
    (0..sections).for_each(|_| {
        carrier.custom("nobody", &bytes);
    });
}
