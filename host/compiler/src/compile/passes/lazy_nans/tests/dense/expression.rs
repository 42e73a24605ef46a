//! Expressions of each type, as deep as asked for.

use super::{GLOBALS, Writer};
use wasm_encoder::{BlockType, Ieee32, Ieee64, Instruction as I, ValType as T};

impl Writer<'_> {
    /// Leaves a value of that type.
    pub(super) fn expression(&mut self, ty: T, depth: usize) {
        if depth == 0 || self.is_full() || self.random.one_in(8) {
            return self.leaf(ty);
        }
        match self.random.below(14) {
            0 => self.select(ty, depth),
            1 => self.block(ty, depth),
            2 => {
                self.expression(ty, depth - 1);
                let local = self.local(ty);
                self.code.push(I::LocalTee(local));
            }
            _ => match ty {
                T::F32 => self.f32(depth),
                T::F64 => self.f64(depth),
                T::V128 => self.v128(depth),
                T::I32 => self.i32(depth),
                _ => self.i64(depth),
            },
        }
    }

    fn leaf(&mut self, ty: T) {
        let global = (0..).zip(GLOBALS).find(|(_, known)| *known == ty);
        match self.random.below(8) {
            0 => self.constant(ty),
            1 | 2 => self.load(ty),
            choice => match global.filter(|_| choice == 3) {
                Some((global, _)) => self.code.push(I::GlobalGet(global)),
                None => {
                    let local = self.local(ty);
                    self.code.push(I::LocalGet(local));
                }
            },
        }
    }

    fn constant(&mut self, ty: T) {
        let random = &mut *self.random;
        let constant = match (ty, random.below(4)) {
            (T::F32, _) => I::F32Const(Ieee32::new(random.f32_bits())),
            (T::F64, _) => I::F64Const(Ieee64::new(random.f64_bits())),
            (T::I32, _) => I::I32Const(random.u32().cast_signed()),
            (T::I64, _) => I::I64Const(random.next().cast_signed()),
            (_, 0) => I::V128Const(0),
            (_, 1) => I::V128Const(0xffff_ffff_0000_0000_ffff_ffff),
            (_, 2) => I::V128Const(0xffff_ffff_ffff_ffff),
            _ => I::V128Const(random.v128_bits().cast_signed()),
        };
        self.code.push(constant);
    }

    fn load(&mut self, ty: T) {
        let place = self.random.below(2048).cast_signed();
        self.code.push(I::I32Const(place));
        let at = self.address();
        let load = match (ty, self.random.below(5)) {
            (T::F32, _) => I::F32Load(at),
            (T::F64, _) => I::F64Load(at),
            (T::I32, _) => I::I32Load(at),
            (T::I64, _) => I::I64Load(at),
            (_, 0) => I::V128Load32Splat(at),
            (_, 1) => I::V128Load64Zero(at),
            (_, 2) => {
                self.expression(T::V128, 1);
                I::V128Load32Lane {
                    memarg: at,
                    lane: 1,
                }
            }
            _ => I::V128Load(at),
        };
        self.code.push(load);
    }

    fn select(&mut self, ty: T, depth: usize) {
        self.expression(ty, depth - 1);
        self.expression(ty, depth - 1);
        self.expression(T::I32, depth - 1);
        let select = match self.random.one_in(2) {
            true => I::Select,
            false => I::TypedSelect(ty),
        };
        self.code.push(select);
    }

    /// A block or an `if` with a result.
    fn block(&mut self, ty: T, depth: usize) {
        let is_if = self.random.one_in(2);
        if is_if {
            self.expression(T::I32, depth - 1);
            self.code.push(I::If(BlockType::Result(ty)));
        } else {
            self.code.push(I::Block(BlockType::Result(ty)));
        }
        self.expression(ty, depth - 1);
        if self.random.one_in(2) {
            self.expression(T::I32, depth - 1);
            self.code.push(I::BrIf(0));
        }
        if is_if {
            self.code.push(I::Else);
            self.expression(ty, depth - 1);
        }
        self.code.push(I::End);
    }

    /// Operands, and an instruction that takes them.
    fn apply(&mut self, operands: &[T], depth: usize, of: &[I<'static>]) {
        for ty in operands {
            self.expression(*ty, depth - 1);
        }
        let instruction = self.random.pick(of);
        self.code.push(instruction);
    }

    fn f32(&mut self, depth: usize) {
        use I::*;
        match self.random.below(12) {
            0..=3 => self.apply(
                &[T::F32, T::F32],
                depth,
                &[F32Add, F32Sub, F32Mul, F32Div, F32Min, F32Max],
            ),
            4 => self.apply(
                &[T::F32],
                depth,
                &[F32Sqrt, F32Ceil, F32Floor, F32Trunc, F32Nearest],
            ),
            5 => self.apply(&[T::F32], depth, &[F32Neg, F32Abs]),
            6 => self.apply(&[T::F32, T::F32], depth, &[F32Copysign]),
            7 => self.apply(&[T::F64], depth, &[F32DemoteF64]),
            8 | 9 => {
                let lane = self.random.byte() % 4;
                self.apply(&[T::V128], depth, &[F32x4ExtractLane(lane)]);
            }
            10 => self.apply(&[T::I32], depth, &[F32ReinterpretI32, F32ConvertI32S]),
            _ => self.apply(&[T::I64], depth, &[F32ConvertI64U]),
        }
    }

    fn f64(&mut self, depth: usize) {
        use I::*;
        match self.random.below(12) {
            0..=3 => self.apply(
                &[T::F64, T::F64],
                depth,
                &[F64Add, F64Sub, F64Mul, F64Div, F64Min, F64Max],
            ),
            4 => self.apply(
                &[T::F64],
                depth,
                &[F64Sqrt, F64Ceil, F64Floor, F64Trunc, F64Nearest],
            ),
            5 => self.apply(&[T::F64], depth, &[F64Neg, F64Abs]),
            6 => self.apply(&[T::F64, T::F64], depth, &[F64Copysign]),
            7 => self.apply(&[T::F32], depth, &[F64PromoteF32]),
            8 | 9 => {
                let lane = self.random.byte() % 2;
                self.apply(&[T::V128], depth, &[F64x2ExtractLane(lane)]);
            }
            10 => self.apply(&[T::I64], depth, &[F64ReinterpretI64, F64ConvertI64S]),
            _ => self.apply(&[T::I32], depth, &[F64ConvertI32U]),
        }
    }

    fn i32(&mut self, depth: usize) {
        use I::*;
        match self.random.below(9) {
            0 => self.apply(&[T::F32, T::F32], depth, &[F32Lt, F32Eq, F32Ne, F32Ge]),
            1 => self.apply(&[T::F64, T::F64], depth, &[F64Lt, F64Eq, F64Ne, F64Ge]),
            2 | 3 => self.apply(&[T::F32], depth, &[I32ReinterpretF32, I32TruncSatF32S]),
            4 => self.apply(&[T::F64], depth, &[I32TruncSatF64U]),
            5 => self.apply(&[T::F32], 1, &[I32TruncSatF32U, I32ReinterpretF32]),
            6 => self.apply(&[T::I32, T::I32], depth, &[I32Add, I32Xor, I32And]),
            _ => self.apply(
                &[T::V128],
                depth,
                &[
                    I32x4ExtractLane(1),
                    V128AnyTrue,
                    I32x4AllTrue,
                    I32x4Bitmask,
                    I64x2Bitmask,
                    I8x16ExtractLaneU(3),
                ],
            ),
        }
    }

    fn i64(&mut self, depth: usize) {
        use I::*;
        match self.random.below(5) {
            0 | 1 => self.apply(&[T::F64], depth, &[I64ReinterpretF64, I64TruncSatF64S]),
            2 => self.apply(
                &[T::V128],
                depth,
                &[I64x2ExtractLane(0), I64x2ExtractLane(1)],
            ),
            3 => self.apply(&[T::F32], depth, &[I64TruncSatF32U]),
            _ => self.apply(&[T::I32], depth, &[I64ExtendI32S]),
        }
    }

    fn v128(&mut self, depth: usize) {
        use I::*;
        let two = &[T::V128, T::V128];
        match self.random.below(24) {
            0..=2 => self.apply(
                two,
                depth,
                &[F32x4Add, F32x4Sub, F32x4Mul, F32x4Div, F32x4Min, F32x4Max],
            ),
            3 | 4 => self.apply(
                two,
                depth,
                &[F64x2Add, F64x2Sub, F64x2Mul, F64x2Div, F64x2Min, F64x2Max],
            ),
            5 => self.apply(
                &[T::V128],
                depth,
                &[
                    F32x4Sqrt,
                    F32x4Ceil,
                    F32x4Floor,
                    F32x4Trunc,
                    F32x4Nearest,
                    F64x2Sqrt,
                    F64x2Nearest,
                ],
            ),
            6 => self.apply(
                &[T::V128],
                depth,
                &[F32x4DemoteF64x2Zero, F64x2PromoteLowF32x4],
            ),
            7 => self.apply(&[T::V128], depth, &[F32x4Neg, F64x2Neg, F32x4Abs, F64x2Abs]),
            8 | 9 => self.apply(two, depth, &[F32x4PMin, F32x4PMax, F64x2PMin, F64x2PMax]),
            10 | 11 => self.mask(depth),
            12 | 13 => {
                self.apply(two, depth, &[Nop]);
                self.mask(depth);
                self.code.push(V128Bitselect);
            }
            14 => self.apply(&[T::V128, T::V128, T::V128], depth, &[V128Bitselect]),
            15 | 16 => {
                self.expression(T::V128, depth - 1);
                self.mask(depth);
                self.bitwise();
            }
            17 => self.apply(two, depth, &[V128And, V128AndNot, V128Or, V128Xor]),
            18 => self.apply(&[T::F32], depth, &[F32x4Splat]),
            19 => self.apply(&[T::F64], depth, &[F64x2Splat]),
            20 => self.replaced(depth),
            21 => self.shuffled(depth),
            22 => self.apply(
                &[T::V128],
                depth,
                &[
                    I32x4TruncSatF32x4S,
                    I32x4TruncSatF64x2UZero,
                    F32x4ConvertI32x4S,
                    F64x2ConvertLowI32x4U,
                    V128Not,
                    I32x4Neg,
                ],
            ),
            _ => self.apply(
                two,
                depth,
                &[I32x4Add, I64x2Sub, I8x16Swizzle, I8x16AddSatU],
            ),
        }
    }

    /// A bitwise operation, whichever way its operands stand.
    fn bitwise(&mut self) {
        let operation = [I::V128And, I::V128AndNot, I::V128Or, I::V128Xor];
        let operation = self.random.pick(&operation);
        self.code.push(operation);
    }

    fn mask(&mut self, depth: usize) {
        use I::*;
        let two = &[T::V128, T::V128];
        match self.random.below(6) {
            0 | 1 => self.apply(two, depth, &[F32x4Eq, F32x4Lt, F32x4Ne, F32x4Ge]),
            2 => self.apply(two, depth, &[F64x2Eq, F64x2Lt, F64x2Ne, F64x2Ge]),
            3 => self.apply(two, depth, &[I32x4Eq, I32x4GtS, I64x2LtS, I64x2Ne, I16x8Eq]),
            4 if depth > 1 => {
                self.mask(depth - 1);
                self.mask(depth - 1);
                self.bitwise();
            }
            _ => {
                self.mask_leaf();
                let after = self
                    .random
                    .pick(&[V128Not, Nop, F32x4Abs, F64x2Neg, F64x2Abs]);
                self.code.push(after);
            }
        }
    }

    fn mask_leaf(&mut self) {
        self.leaf(T::V128);
        self.leaf(T::V128);
        let compare = self.random.pick(&[I::F32x4Eq, I::F64x2Eq, I::F32x4Ne]);
        self.code.push(compare);
    }

    fn replaced(&mut self, depth: usize) {
        use I::*;
        let lane = self.random.byte() % 2;
        match self.random.below(4) {
            0 | 1 => self.apply(&[T::V128, T::F32], depth, &[F32x4ReplaceLane(lane)]),
            2 => self.apply(&[T::V128, T::F64], depth, &[F64x2ReplaceLane(lane)]),
            _ => self.apply(&[T::V128, T::I32], depth, &[I32x4ReplaceLane(lane)]),
        }
    }

    fn shuffled(&mut self, depth: usize) {
        let width: u8 = self.random.pick(&[1, 4, 4, 8]);
        let mut lanes = [0; 16];
        for place in lanes.chunks_mut(width.into()) {
            let from = self.random.byte() % (32 / width) * width;
            for (byte, lane) in (from..).zip(place) {
                *lane = byte;
            }
        }
        self.apply(&[T::V128, T::V128], depth, &[I::I8x16Shuffle(lanes)]);
    }
}
