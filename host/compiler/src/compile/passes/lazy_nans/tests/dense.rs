//! Modules of our own that are dense in arithmetic, NaNs, and looks at their bits.
//!
//! Functions are built at random from typed expressions and statements, with every form of control: loops, blocks and `if`s
//! with parameters and several results, branches with values, tables of branches, code that is never reached, calls.

mod expression;

use super::random::Random;
use std::borrow::Cow;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Ieee32, Ieee64,
    ImportSection, Instruction as I, MemArg, MemorySection, MemoryType, Module, RefType,
    TableSection, TableType, TypeSection, ValType as T,
};

/// The types of functions and blocks, by their index.
const SIGNATURES: [(&[T], &[T]); 5] = [
    (
        &[T::F32, T::F64, T::V128, T::I32],
        &[T::F32, T::V128, T::F64, T::I64],
    ),
    (&[T::F32, T::F64, T::V128], &[T::F32, T::F64, T::V128]),
    (&[T::F32, T::V128], &[T::F64, T::V128]),
    (&[T::V128], &[T::V128, T::F32]),
    (&[], &[T::V128, T::I32, T::F32]),
];
const FUNCTION: u32 = 0;
const HOST: u32 = 1;
/// Those that blocks use.
const BLOCKS: [u32; 3] = [2, 3, 4];
/// The most functions.
const FUNCTIONS: u32 = 3;
/// The locals after the parameters, and those of them that count turns.
const LOCALS: [(u32, T); 6] = [
    (3, T::F32),
    (3, T::F64),
    (4, T::V128),
    (2, T::I32),
    (1, T::I64),
    (COUNTERS, T::I32),
];
const COUNTERS: u32 = 3;
const FIRST_COUNTER: u32 = 4 + 3 + 3 + 4 + 2 + 1;
/// The globals, by their index.
const GLOBALS: [T; 5] = [T::F32, T::F64, T::V128, T::I32, T::V128];

/// A module; every function of it ends.
pub(super) fn module(random: &mut Random) -> Vec<u8> {
    let mut types = TypeSection::new();
    for (parameters, results) in SIGNATURES {
        types.ty().function(parameters.to_vec(), results.to_vec());
    }
    let mut imports = ImportSection::new();
    imports.import("host", "see", EntityType::Function(HOST));
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let count = random.pick(&[1, 1, 2, FUNCTIONS]);
    for function in 0..count {
        functions.function(FUNCTION);
        exports.export(&format!("f{function}"), ExportKind::Func, function + 1);
        code.function(&body(random, function));
    }
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("other", ExportKind::Memory, 1);
    for (global, _) in (0u32..).zip(GLOBALS) {
        exports.export(&format!("g{global}"), ExportKind::Global, global);
    }
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions);
    module.section(&table(count)).section(&memories());
    module.section(&globals(random)).section(&exports);
    module.section(&elements(count)).section(&code);
    module.finish()
}

fn table(count: u32) -> TableSection {
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: count.into(),
        maximum: None,
        shared: false,
    });
    tables
}

fn elements(count: u32) -> ElementSection {
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (1..=count).collect();
    let all = Elements::Functions(Cow::Owned(all));
    elements.active(None, &ConstExpr::i32_const(0), all);
    elements
}

fn memories() -> MemorySection {
    let mut memories = MemorySection::new();
    for _ in 0..2 {
        memories.memory(MemoryType {
            minimum: 1,
            maximum: Some(1),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }
    memories
}

fn globals(random: &mut Random) -> GlobalSection {
    let mut globals = GlobalSection::new();
    for val_type in GLOBALS {
        let ty = GlobalType {
            val_type,
            mutable: true,
            shared: false,
        };
        let value = match val_type {
            T::F32 => ConstExpr::f32_const(Ieee32::new(random.f32_bits())),
            T::F64 => ConstExpr::f64_const(Ieee64::new(random.f64_bits())),
            T::V128 => ConstExpr::v128_const(random.v128_bits().cast_signed()),
            _ => ConstExpr::i32_const(random.u32().cast_signed()),
        };
        globals.global(ty, &value);
    }
    globals
}

fn body(random: &mut Random, index: u32) -> Function {
    // Mostly small, so that there are many.
    let enough = random.pick(&[10, 20, 40, 100]) + random.below(40);
    let mut writer = Writer {
        random,
        enough,
        code: Vec::new(),
        turns: 0,
        index,
    };
    for _ in 0..2 + writer.random.below(9) {
        writer.statement(3);
    }
    for ty in SIGNATURES[FUNCTION as usize].1 {
        writer.expression(*ty, 3);
    }
    writer.code.push(I::End);
    let mut function = Function::new(LOCALS);
    for instruction in &writer.code {
        function.instruction(instruction);
    }
    function
}

/// What writes one function.
struct Writer<'a> {
    random: &'a mut Random,
    code: Vec<I<'static>>,
    /// Loops around this place.
    turns: u32,
    /// The length at which nothing more is begun.
    enough: u32,
    /// Functions below this one can be called.
    index: u32,
}

impl Writer<'_> {
    fn is_full(&self) -> bool {
        self.code.len() > self.enough as usize
    }

    fn statement(&mut self, depth: usize) {
        if depth == 0 || self.is_full() {
            return self.set();
        }
        match self.random.below(20) {
            0..=5 => self.set(),
            6..=9 => self.store(),
            10 => self.global(),
            11 => {
                let ty = self.any();
                self.expression(ty, 3);
                self.code.push(I::Drop);
            }
            12 => self.arms(depth),
            13 | 14 => self.turn(depth),
            15 => self.left(depth),
            16 => self.typed(depth),
            17 => self.table(depth),
            18 => self.host(),
            _ => self.call(),
        }
    }

    fn statements(&mut self, depth: usize) {
        for _ in 0..1 + self.random.below(3) {
            self.statement(depth);
        }
    }

    fn any(&mut self) -> T {
        self.random
            .pick(&[T::F32, T::F64, T::V128, T::V128, T::V128, T::I32, T::I64])
    }

    fn expressions(&mut self, types: &[T], depth: usize) {
        for ty in types {
            self.expression(*ty, depth);
        }
    }

    /// Writes the values on top of the stack, of these types, where they can be seen later.
    fn keep(&mut self, types: &[T]) {
        for ty in types.iter().rev() {
            match self.random.one_in(4) {
                true => self.code.push(I::Drop),
                false => {
                    let local = self.local(*ty);
                    self.code.push(I::LocalSet(local));
                }
            }
        }
    }

    fn set(&mut self) {
        let ty = self.any();
        self.expression(ty, 3);
        let local = self.local(ty);
        match self.random.one_in(5) {
            true => self.code.extend([I::LocalTee(local), I::Drop]),
            false => self.code.push(I::LocalSet(local)),
        }
    }

    /// A local of that type which counts no turns.
    fn local(&mut self, ty: T) -> u32 {
        let (begin, count, parameter) = match ty {
            T::F32 => (4, 3, Some(0)),
            T::F64 => (7, 3, Some(1)),
            T::V128 => (10, 4, Some(2)),
            T::I32 => (14, 2, Some(3)),
            _ => (16, 1, None),
        };
        match parameter {
            Some(parameter) if self.random.one_in(5) => parameter,
            _ => begin + self.random.below(count),
        }
    }

    fn address(&mut self) -> MemArg {
        MemArg {
            offset: self.random.below(64).into(),
            align: 0,
            memory_index: u32::from(self.random.one_in(4)),
        }
    }

    fn store(&mut self) {
        let place = self.random.below(2048).cast_signed();
        self.code.push(I::I32Const(place));
        let ty = self.any();
        self.expression(ty, 3);
        let at = self.address();
        let store = match (ty, self.random.below(4)) {
            (T::F32, _) => I::F32Store(at),
            (T::F64, _) => I::F64Store(at),
            (T::I32, _) => I::I32Store(at),
            (T::I64, _) => I::I64Store(at),
            (_, 0) => I::V128Store32Lane {
                memarg: at,
                lane: 2,
            },
            (_, 1) => I::V128Store64Lane {
                memarg: at,
                lane: 1,
            },
            _ => I::V128Store(at),
        };
        self.code.push(store);
    }

    fn global(&mut self) {
        let global = self.random.pick(&[0, 1, 2, 3, 4]);
        self.expression(GLOBALS[global as usize], 3);
        self.code.push(I::GlobalSet(global));
    }

    fn arms(&mut self, depth: usize) {
        self.expression(T::I32, 2);
        self.code.push(I::If(BlockType::Empty));
        self.statements(depth - 1);
        if self.random.one_in(2) {
            self.code.push(I::Else);
            self.statements(depth - 1);
        }
        self.code.push(I::End);
    }

    /// A loop of a few turns, with or without parameters.
    fn turn(&mut self, depth: usize) {
        if self.turns == COUNTERS {
            return self.set();
        }
        let counter = FIRST_COUNTER + self.turns;
        self.code.extend([I::I32Const(0), I::LocalSet(counter)]);
        self.turns += 1;
        let is_typed = self.random.one_in(3);
        let carried: &[T] = if is_typed { &[T::V128] } else { &[] };
        self.expressions(carried, 2);
        let ty = if is_typed {
            BlockType::FunctionType(3)
        } else {
            BlockType::Empty
        };
        self.code.push(I::Loop(ty));
        self.keep(carried);
        self.statements(depth - 1);
        self.expressions(carried, 2);
        let turns = 1 + self.random.below(4).cast_signed();
        self.code.extend([
            I::LocalGet(counter),
            I::I32Const(1),
            I::I32Add,
            I::LocalTee(counter),
            I::I32Const(turns),
            I::I32LtU,
            I::BrIf(0),
        ]);
        self.turns -= 1;
        if is_typed {
            self.expression(T::F32, 1);
        }
        self.code.push(I::End);
        if is_typed {
            self.keep(&[T::V128, T::F32]);
        }
    }

    /// A block that is left early, perhaps with code behind that is never reached.
    fn left(&mut self, depth: usize) {
        self.code.push(I::Block(BlockType::Empty));
        self.statements(depth - 1);
        match self.random.below(4) {
            0 | 1 => {
                self.expression(T::I32, 2);
                self.code.push(I::BrIf(0));
                self.statements(depth - 1);
            }
            2 => {
                self.code.push(I::Br(0));
                self.never();
            }
            _ => {
                self.expression(T::I32, 2);
                self.code.push(I::If(BlockType::Empty));
                self.expressions(SIGNATURES[FUNCTION as usize].1, 2);
                self.code.push(I::Return);
                self.never();
                self.code.push(I::End);
            }
        }
        self.code.push(I::End);
    }

    /// Code behind a branch: its operands come from nowhere.
    fn never(&mut self) {
        let code: &[I<'static>] = match self.random.below(4) {
            0 => &[I::F32Add, I::F32Neg, I::Drop],
            1 => &[I::F32x4Mul, I::LocalSet(10), I::F64Sqrt, I::Drop],
            2 => &[
                I::Select,
                I::Drop,
                I::LocalGet(4),
                I::F32Sqrt,
                I::LocalSet(5),
            ],
            _ => &[],
        };
        self.code.extend(code.iter().cloned());
        if self.random.one_in(2) {
            self.statement(1);
        }
    }

    /// A block or an `if` with parameters and results, and branches that carry values.
    fn typed(&mut self, depth: usize) {
        let index = self.random.pick(&BLOCKS);
        let (parameters, results) = SIGNATURES[index as usize];
        self.expressions(parameters, 3);
        let ty = BlockType::FunctionType(index);
        let is_if = self.random.one_in(2);
        match is_if {
            true => {
                self.expression(T::I32, 2);
                self.code.push(I::If(ty));
            }
            false => self.code.push(I::Block(ty)),
        }
        self.arm(parameters, results, depth);
        if is_if {
            self.code.push(I::Else);
            self.arm(parameters, results, depth);
        }
        self.code.push(I::End);
        self.keep(results);
    }

    fn arm(&mut self, parameters: &[T], results: &[T], depth: usize) {
        self.keep(parameters);
        self.statements(depth - 1);
        self.expressions(results, 3);
        if self.random.one_in(2) {
            self.expression(T::I32, 2);
            self.code.push(I::BrIf(0));
        }
        if self.random.one_in(5) {
            self.code.push(I::Br(0));
            self.never();
            self.code.push(I::Unreachable);
        }
    }

    /// A table of branches that carry values, out of blocks of the same types.
    fn table(&mut self, depth: usize) {
        let (_, results) = SIGNATURES[4];
        let count = 2 + self.random.below(2);
        for _ in 0..count {
            self.code.push(I::Block(BlockType::FunctionType(4)));
        }
        self.statements(depth - 1);
        self.expressions(results, 3);
        self.expression(T::I32, 2);
        let last = count - 1;
        self.code
            .push(I::BrTable(Cow::Owned((0..last).collect()), last));
        for _ in 0..count {
            self.code.push(I::End);
            self.keep(results);
            self.expressions(results, 1);
        }
        self.keep(results);
    }

    fn host(&mut self) {
        let (given, made) = SIGNATURES[HOST as usize];
        self.expressions(given, 3);
        self.code.push(I::Call(0));
        self.keep(made);
    }

    fn call(&mut self) {
        if self.index == 0 {
            return self.host();
        }
        let (given, made) = SIGNATURES[FUNCTION as usize];
        self.expressions(given, 3);
        let function = self.random.below(self.index);
        match self.random.one_in(2) {
            true => self.code.push(I::Call(function + 1)),
            false => self.code.extend([
                I::I32Const(function.cast_signed()),
                I::CallIndirect {
                    type_index: FUNCTION,
                    table_index: 0,
                },
            ]),
        }
        self.keep(made);
    }
}
