//! The code that settles operands, and the scratch locals that it needs.

use super::value::{NAN_32, NAN_64, Width};
use super::walk::Step;
use super::webs::number;
use wasm_encoder::{Encode, Ieee32, Ieee64, Instruction};
use wasmparser::{RefType, ValType};

/// The locals that a function gets in addition to its own.
pub(super) struct Scratch {
    /// The index of the first.
    first: u32,
    types: Vec<ValType>,
    /// The locals of each type, by [`kind`].
    of_type: [Vec<u32>; 7],
}

impl Scratch {
    pub(super) fn new(first: u32) -> Self {
        Self {
            first,
            types: Vec::new(),
            of_type: Default::default(),
        }
    }

    /// How many locals the function has with them.
    pub(super) fn locals(&self) -> usize {
        self.first as usize + self.types.len()
    }

    /// The `nth` local of that type.
    fn local(&mut self, ty: ValType, nth: usize) -> u32 {
        let known = &mut self.of_type[kind(ty)];
        while known.len() <= nth {
            known.push(self.first + number(self.types.len()));
            self.types.push(ty);
        }
        known[nth]
    }

    /// Their declarations, and how many of those there are.
    pub(super) fn declarations(&self) -> (Vec<u8>, u32) {
        let mut bytes = Vec::new();
        let mut groups = 0;
        for group in self.types.chunk_by(|one, other| one == other) {
            group.len().encode(&mut bytes);
            encoded(group[0]).encode(&mut bytes);
            groups += 1;
        }
        (bytes, groups)
    }
}

/// A number for each type.
fn kind(ty: ValType) -> usize {
    match ty {
        ValType::I32 => 0,
        ValType::I64 => 1,
        ValType::F32 => 2,
        ValType::F64 => 3,
        ValType::V128 => 4,
        ValType::Ref(RefType::EXTERNREF) => 5,
        ValType::Ref(_) => 6,
    }
}

/// The type in the encoder's words. Every reference of the profile but one is a function's, whatever the validator knows of
/// it besides.
fn encoded(ty: ValType) -> wasm_encoder::ValType {
    match ty {
        ValType::I32 => wasm_encoder::ValType::I32,
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        ValType::Ref(RefType::EXTERNREF) => wasm_encoder::ValType::EXTERNREF,
        ValType::Ref(_) => wasm_encoder::ValType::FUNCREF,
    }
}

/// Appends code that settles operands of an instruction, each by its place among them and its width, the deepest first.
///
/// What lies above the deepest goes to scratch locals and comes back. The first local of each type is for settling itself.
pub(super) fn settle(
    code: &mut Vec<u8>,
    scratch: &mut Scratch,
    step: &Step<'_>,
    operands: &[(usize, Width)],
) -> Result<(), String> {
    let Some((deepest, _)) = operands.first() else {
        return Ok(());
    };
    let (mut saved, mut used) = (Vec::new(), [0; 7]);
    for operand in (deepest + 1..step.operands.len()).rev() {
        let ty = step.operand_type(operand)?;
        let nth = &mut used[kind(ty)];
        *nth += 1;
        let local = scratch.local(ty, *nth);
        Instruction::LocalSet(local).encode(code);
        saved.push(local);
    }
    let mut operands = operands.iter().copied().peekable();
    for operand in *deepest..step.operands.len() {
        if operand > *deepest
            && let Some(local) = saved.pop()
        {
            Instruction::LocalGet(local).encode(code);
        }
        if let Some((_, width)) = operands.next_if(|(at, _)| *at == operand) {
            let ty = step.operand_type(operand)?;
            canonicalise(code, ty, width, scratch.local(ty, 0));
        }
    }
    Ok(())
}

/// Makes each NaN of the value on top of the stack the canonical one.
fn canonicalise(code: &mut Vec<u8>, ty: ValType, width: Width, local: u32) {
    let vector = |lanes: [u8; 16]| Instruction::V128Const(i128::from_le_bytes(lanes));
    let (nan, is_same, choose) = match (ty, width) {
        (ValType::F32, _) => (
            Instruction::F32Const(Ieee32::new(NAN_32)),
            Instruction::F32Eq,
            Instruction::Select,
        ),
        (ValType::F64, _) => (
            Instruction::F64Const(Ieee64::new(NAN_64)),
            Instruction::F64Eq,
            Instruction::Select,
        ),
        (_, Width::W32) => (
            vector(lanes(NAN_32.to_le_bytes())),
            Instruction::F32x4Eq,
            Instruction::V128Bitselect,
        ),
        (_, Width::W64) => (
            vector(lanes(NAN_64.to_le_bytes())),
            Instruction::F64x2Eq,
            Instruction::V128Bitselect,
        ),
    };
    let get = || Instruction::LocalGet(local);
    let sequence = [
        Instruction::LocalTee(local),
        nan,
        get(),
        get(),
        is_same,
        choose,
    ];
    for instruction in sequence {
        instruction.encode(code);
    }
}

/// A vector with the same lane everywhere.
fn lanes<const BYTES: usize>(lane: [u8; BYTES]) -> [u8; 16] {
    std::array::from_fn(|byte| lane[byte % BYTES])
}
