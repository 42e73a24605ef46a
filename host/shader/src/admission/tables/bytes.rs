//! Constants as the bytes that a buffer holds of them.

use naga::{Arena, Expression, Handle, Literal, Module, Type, TypeInner, VectorSize};

/// The type of a constant; `None` for what has none of its own.
pub(super) fn type_of(
    module: &Module,
    expressions: &Arena<Expression>,
    value: Handle<Expression>,
) -> Option<Handle<Type>> {
    match expressions[value] {
        Expression::Constant(constant) => Some(module.constants[constant].ty),
        Expression::Compose { ty, .. } | Expression::ZeroValue(ty) => Some(ty),
        _ => None,
    }
}

/// Bytes that are being filled.
pub(super) struct Bytes<'a> {
    module: &'a Module,
    bytes: Vec<u8>,
}

impl<'a> Bytes<'a> {
    /// A constant; `None` where it is none, or holds what no buffer may.
    pub(super) fn of(
        module: &'a Module,
        expressions: &Arena<Expression>,
        value: Handle<Expression>,
        size: u32,
    ) -> Option<Vec<u8>> {
        let mut bytes = Self {
            module,
            bytes: vec![0; size as usize],
        };
        bytes.put(expressions, value, 0)?;
        Some(bytes.bytes)
    }

    /// Puts a value at a place; how many bytes it takes there.
    fn put(
        &mut self,
        expressions: &Arena<Expression>,
        value: Handle<Expression>,
        at: u32,
    ) -> Option<u32> {
        let module = self.module;
        match expressions[value] {
            Expression::Literal(Literal::U32(number)) => self.put_word(number.to_le_bytes(), at),
            Expression::Literal(Literal::I32(number)) => self.put_word(number.to_le_bytes(), at),
            Expression::Literal(Literal::F32(number)) => self.put_word(number.to_le_bytes(), at),
            Expression::Constant(constant) => {
                let init = module.constants[constant].init;
                self.put(&module.global_expressions, init, at)
            }
            Expression::ZeroValue(ty) if has_bool(module, ty) => None,
            Expression::ZeroValue(ty) => Some(module.types[ty].inner.size(module.to_ctx())),
            Expression::Splat { size, value } => {
                for column in 0..size as u32 {
                    self.put(expressions, value, at + 4 * column)?;
                }
                Some(4 * size as u32)
            }
            Expression::Compose { ty, ref components } => {
                let mut next = at;
                for (index, component) in components.iter().enumerate() {
                    let place = match module.types[ty].inner {
                        TypeInner::Array { stride, .. } => {
                            at + stride * u32::try_from(index).ok()?
                        }
                        TypeInner::Struct { ref members, .. } => at + members.get(index)?.offset,
                        TypeInner::Matrix { rows, .. } => {
                            at + column_stride(rows) * u32::try_from(index).ok()?
                        }
                        TypeInner::Vector { .. } => next,
                        _ => return None,
                    };
                    next += self.put(expressions, *component, place)?;
                }
                Some(module.types[ty].inner.size(module.to_ctx()))
            }
            _ => None,
        }
    }

    fn put_word(&mut self, word: [u8; 4], at: u32) -> Option<u32> {
        let at = at as usize;
        self.bytes.get_mut(at..at + 4)?.copy_from_slice(&word);
        Some(4)
    }
}

fn column_stride(rows: VectorSize) -> u32 {
    match rows {
        VectorSize::Bi => 8,
        VectorSize::Tri | VectorSize::Quad => 16,
    }
}

/// Whether a type holds a `bool`, which has no place in a buffer.
fn has_bool(module: &Module, ty: Handle<Type>) -> bool {
    match module.types[ty].inner {
        TypeInner::Array { base, .. } => has_bool(module, base),
        TypeInner::Struct { ref members, .. } => {
            members.iter().any(|member| has_bool(module, member.ty))
        }
        ref inner => inner.scalar_kind() == Some(naga::ScalarKind::Bool),
    }
}
