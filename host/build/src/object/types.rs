//! Types of functions: those that a kernel's record means, in words and as they are written down.

use hotcell_manifest::{DType, Kernel, Role};
use wasmparser::{FuncType, ValType};

/// The parameters that a kernel's function has by its record: each parameter, then each dimension's extent.
pub(super) fn parameters(kernel: &Kernel) -> Vec<ValType> {
    let parameters = kernel.record().parameters.iter();
    let own = parameters.map(|parameter| match (parameter.role, parameter.dtype) {
        (Role::Scalar, DType::I64 | DType::U64) => ValType::I64,
        (Role::Scalar, DType::F32) => ValType::F32,
        (Role::Scalar, DType::F64) => ValType::F64,
        _ => ValType::I32,
    });
    let extents = kernel.dims().iter().map(|_| ValType::I32);
    own.chain(extents).collect()
}

/// As text formats write it.
pub(super) fn shown(params: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| {
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        format!("({})", names.join(", "))
    };
    match results {
        [] => list(params),
        [one] => format!("{} -> {one}", list(params)),
        many => format!("{} -> {}", list(params), list(many)),
    }
}

/// The type for the encoder; `None` of what kernels have no use for.
pub(super) fn encoded(ty: ValType) -> Option<wasm_encoder::ValType> {
    Some(match ty {
        ValType::I32 => wasm_encoder::ValType::I32,
        ValType::I64 => wasm_encoder::ValType::I64,
        ValType::F32 => wasm_encoder::ValType::F32,
        ValType::F64 => wasm_encoder::ValType::F64,
        ValType::V128 => wasm_encoder::ValType::V128,
        ValType::Ref(_) => return None,
    })
}

/// Every type of the module: the object's own at their places, then what is added, each once.
pub(super) struct Types {
    all: Vec<FuncType>,
}

impl Types {
    pub(super) fn new(own: &[FuncType]) -> Self {
        Self { all: own.to_vec() }
    }

    /// Where a type stands.
    pub(super) fn place(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        let ty = FuncType::new(params.iter().copied(), results.iter().copied());
        let found = self.all.iter().position(|own| *own == ty);
        let place = found.unwrap_or_else(|| {
            self.all.push(ty);
            self.all.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// `None` where one of them is of what kernels have no use for.
    pub(super) fn section(&self) -> Option<wasm_encoder::TypeSection> {
        let mut section = wasm_encoder::TypeSection::new();
        for ty in &self.all {
            let list = |types: &[ValType]| {
                types
                    .iter()
                    .copied()
                    .map(encoded)
                    .collect::<Option<Vec<_>>>()
            };
            section
                .ty()
                .function(list(ty.params())?, list(ty.results())?);
        }
        Some(section)
    }
}
