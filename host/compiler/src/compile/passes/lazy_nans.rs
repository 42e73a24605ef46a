//! NaNs are made canonical where their bits can be seen, not after each operation.
//!
//! WebAssembly leaves the payload and the sign of a NaN open, and CPUs differ in them. `Deterministic` metering settles them.
//! Cranelift can canonicalise each result, which costs a multiple of the operation. This pass over a component's core modules
//! lets a NaN be what it is while nobody looks: what is stored, passed, returned, branched with or looked at as bits is the
//! same to the bit as with Cranelift's canonicalisation. Decision 0026 has the rules and why they hold.

mod function;
mod graph;
mod rules;
mod settle;
mod value;
mod walk;
mod webs;

#[cfg(test)]
mod tests;

use super::splice::Edits;
use hotcell_engine::FEATURES;
use walk::words;
use wasmparser::{Chunk, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator};

/// What has to change of a component.
pub(super) fn rewrite(component: &[u8]) -> Result<Edits, String> {
    let mut pass = Pass {
        validator: Validator::new_with_features(FEATURES),
        allocations: FuncValidatorAllocations::default(),
        edits: Edits::default(),
        bodies_left: 0,
    };
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    let (mut outer, mut at) = (Vec::new(), 0);
    loop {
        let chunk = parser.parse(component.get(at..).unwrap_or_default(), true);
        let Chunk::Parsed { consumed, payload } = chunk.map_err(words)? else {
            return Err("the component ends early".to_owned());
        };
        pass.payload(at, &payload)?;
        at += consumed;
        match payload {
            Payload::ModuleSection { parser: inner, .. }
            | Payload::ComponentSection { parser: inner, .. } => {
                outer.push(std::mem::replace(&mut parser, inner));
            }
            Payload::End(_) => match outer.pop() {
                Some(next) => parser = next,
                None => return Ok(pass.edits),
            },
            _ => {}
        }
    }
}

/// A walk over the sections of a component and of what is nested in it.
struct Pass {
    validator: Validator,
    allocations: FuncValidatorAllocations,
    edits: Edits,
    /// Functions to come of the code section.
    bodies_left: u32,
}

impl Pass {
    /// Takes a payload that begins at `at`.
    fn payload(&mut self, at: usize, payload: &Payload<'_>) -> Result<(), String> {
        let valid = self.validator.payload(payload).map_err(words)?;
        match payload {
            Payload::ModuleSection {
                unchecked_range: range,
                ..
            }
            | Payload::ComponentSection {
                unchecked_range: range,
                ..
            } => self.edits.enter(at + 1..range.start, range.len()),
            Payload::CodeSectionStart { count, range, .. } => {
                self.edits.code_section(range.start);
                self.edits.enter(at + 1..range.start, range.len());
                self.bodies_left = *count;
                self.leave_code();
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                self.edits.enter(at..range.start, range.len());
                if let ValidPayload::Func(function, body) = valid {
                    function::rewrite(&body, &function, &mut self.allocations, &mut self.edits)?;
                }
                self.edits.leave();
                self.bodies_left -= 1;
                self.leave_code();
            }
            Payload::End(_) => self.edits.leave(),
            _ => {}
        }
        Ok(())
    }

    /// Leaves the code section behind its last function.
    fn leave_code(&mut self) {
        if self.bodies_left == 0 {
            self.edits.leave();
        }
    }
}
