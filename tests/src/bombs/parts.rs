//! Core modules of many functions of one shape.

use super::carrier::Carrier;
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Function, FunctionSection, GlobalSection,
    GlobalType, InstructionSink, MemArg, MemorySection, MemoryType, Module, RefType, TableSection,
    TableType, TypeSection, ValType,
};

/// The most that a function of a bomb weighs: just under 512 KiB.
pub(super) const FUNCTION_BYTES: usize = (512 << 10) - 128;
/// The most functions that a bomb adds: room is left for those of the honest guest and its adapters.
pub(super) const FUNCTIONS: u32 = 19_900;
/// The most things that a bomb adds, likewise.
pub(super) const ITEMS: u32 = 49_800;

/// The sections of a module. Type 0 is `(i64) -> (i64)`, and memory 0, table 0 and global 0, an `i64` that can
/// change, are there.
pub(super) struct Parts {
    pub(super) types: TypeSection,
    pub(super) functions: FunctionSection,
    pub(super) tables: TableSection,
    pub(super) memories: MemorySection,
    pub(super) globals: GlobalSection,
    pub(super) elements: ElementSection,
    pub(super) code: CodeSection,
    pub(super) data: DataSection,
}

impl Parts {
    pub(super) fn new() -> Self {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I64], [ValType::I64]);
        let mut parts = Self {
            types,
            functions: FunctionSection::new(),
            tables: TableSection::new(),
            memories: MemorySection::new(),
            globals: GlobalSection::new(),
            elements: ElementSection::new(),
            code: CodeSection::new(),
            data: DataSection::new(),
        };
        parts.table(1);
        parts.memory();
        parts.global();
        parts
    }

    /// Adds a table of functions.
    pub(super) fn table(&mut self, minimum: u64) {
        self.tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum,
            maximum: None,
            shared: false,
        });
    }

    /// Adds a memory of one page.
    pub(super) fn memory(&mut self) {
        self.memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
    }

    /// Adds a global `i64`.
    pub(super) fn global(&mut self) {
        let ty = GlobalType {
            val_type: ValType::I64,
            mutable: true,
            shared: false,
        };
        self.globals.global(ty, &ConstExpr::i64_const(0));
    }

    /// Adds a function of a type.
    pub(super) fn function(&mut self, ty: u32, function: &Function) {
        self.functions.function(ty);
        self.code.function(function);
    }

    /// Adds copies of a function of type 0.
    #[must_use]
    pub(super) fn with(mut self, function: &Function, times: usize) -> Self {
        (0..times).for_each(|_| self.function(0, function));
        self
    }

    /// Adds as many copies of a function of type 0 as the carrier has room for.
    #[must_use]
    pub(super) fn filled(self, carrier: &Carrier, function: &Function) -> Self {
        let rest = self.module().as_slice().len() + 4096;
        let room = carrier.room().saturating_sub(rest);
        // Before each function stand its length and, elsewhere, its type.
        self.with(function, room / (function.byte_len() + 8))
    }

    pub(super) fn module(&self) -> Module {
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.memories)
            .section(&self.globals)
            .section(&self.elements)
            .section(&self.code)
            .section(&self.data);
        module
    }
}

/// A function with those locals behind its parameters.
pub(super) fn function(
    locals: &[(u32, ValType)],
    body: impl FnOnce(&mut InstructionSink<'_>),
) -> Function {
    let mut function = Function::new(locals.iter().copied());
    let mut code = function.instructions();
    body(&mut code);
    code.end();
    function
}

/// A function as long as it may be: `body` is told how many steps of `step_bytes` fit.
pub(super) fn longest(
    locals: &[(u32, ValType)],
    step_bytes: usize,
    body: impl FnOnce(&mut InstructionSink<'_>, u32),
) -> Function {
    let steps = u32::try_from(FUNCTION_BYTES / step_bytes).expect("a function has a size");
    function(locals, |code| body(code, steps))
}

/// Where in memory 0 a value of eight bytes is.
pub(super) fn at(offset: u32) -> MemArg {
    MemArg {
        offset: u64::from(offset),
        align: 0,
        memory_index: 0,
    }
}
